package web

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/access"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

type (
	changesPage struct {
		Kinds                        []choice
		Owner, Network, Since, Until string
		Filtered                     bool
		Changes                      []store.Change
		Pager                        pager
		Exports                      []link
	}
	choice struct {
		Value   store.Kind
		Checked bool
	}
)

// changeFilter reads the filter of a request for changes: kind (any number), owner, net,
// since and until (days, both included).
func (b *Board) changeFilter(l *language, r *http.Request) (store.ChangeFilter, error) {
	q := r.URL.Query()
	f := store.ChangeFilter{Owner: q.Get("owner"), Network: q.Get("net")}
	if len(f.Owner)+len(f.Network) > maxQuery {
		return f, badRequest(l.Say("A query has at most %d bytes.", maxQuery))
	}
	for _, text := range q["kind"] {
		k := store.Kind(text)
		if !slices.Contains(store.Kinds(), k) {
			return f, badRequest(l.Say("There is no kind of change of that name; there are: %s.", strings.Join(event.Words(store.Kinds()...), ", ")))
		}
		if !slices.Contains(f.Kinds, k) {
			f.Kinds = append(f.Kinds, k)
		}
	}
	for _, x := range []struct {
		name string
		days int
		into *time.Time
	}{{"since", 0, &f.Since}, {"until", 1, &f.Until}} {
		text := q.Get(x.name)
		if text == "" {
			continue
		}
		d, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return f, badRequest(l.Say("A day is written as %s.", day(b.Now())))
		}
		*x.into = d.AddDate(0, 0, x.days)
	}
	return f, nil
}

func (b *Board) changes(w http.ResponseWriter, r *http.Request) error {
	l := b.language(w, r)
	f, err := b.changeFilter(l, r)
	if err != nil {
		return err
	}
	if format := r.URL.Query().Get("format"); format != "" {
		return b.exportChanges(w, r, l, format, f)
	}
	page := pageOf(r)
	list, total, err := b.Data.Changes(r.Context(), f, page)
	if err != nil {
		return err
	}
	if beyond(list, total) {
		return store.ErrNotFound
	}
	q := r.URL.Query()
	p := changesPage{
		Owner: f.Owner, Network: f.Network, Since: q.Get("since"), Until: q.Get("until"),
		Filtered: len(f.Kinds) > 0 || f.Owner+f.Network != "" || !f.Since.IsZero() || !f.Until.IsZero(),
		Changes:  list, Pager: pagerOf(r, page, len(list), total), Exports: exportLinks(r, changeFormats()),
	}
	for _, k := range store.Kinds() {
		p.Kinds = append(p.Kinds, choice{k, slices.Contains(f.Kinds, k)})
	}
	b.show(w, r, http.StatusOK, l.Say("Changes"), "changes", p)
	return nil
}

// chunk is how many entries are read at once where all are wanted: a few megabytes, and
// the database finds the place of each later part by going over those before it.
const chunk = 10_000

// eachChange yields all changes of a filter, in the store's order. Those of later runs
// do not move it: the filter ends now at the latest.
func (b *Board) eachChange(ctx context.Context, f store.ChangeFilter, yield func(*store.Change) error) error {
	if f.Until.IsZero() {
		f.Until = b.Now().UTC()
	}
	return each(func(p store.Page) ([]store.Change, int, error) { return b.Data.Changes(ctx, f, p) }, yield)
}

// each yields all entries of a list that is read page by page.
func each[T any](read func(store.Page) ([]T, int, error), yield func(*T) error) error {
	for offset := 0; ; {
		list, total, err := read(store.Page{Offset: offset, Limit: chunk})
		if err != nil {
			return err
		}
		for i := range list {
			if err := yield(&list[i]); err != nil {
				return err
			}
		}
		if offset += len(list); len(list) == 0 || offset >= total {
			return nil
		}
	}
}

// userName is the name of who asks.
func userName(r *http.Request) string {
	user, _ := access.UserOf(r.Context())
	return user.Name
}
