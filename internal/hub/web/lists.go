package web

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/clawsonar/clawsonar/internal/hub/store"
)

const (
	pageSize = 50
	maxQuery = 1000 // bytes
)

// pager is the part of a list that a page shows, and the links to the others.
type pager struct {
	From, To, Total int
	Before, After   string // links; "" for none
}

// pageOf reads ?page=, which counts from 1. What is no page is the first.
func pageOf(r *http.Request) store.Page {
	n, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil || n < 1 || n > 1_000_000 {
		n = 1
	}
	return store.Page{Offset: (n - 1) * pageSize, Limit: pageSize}
}

// beyond reports whether a page is after the last of a list: it is not there, which must
// not read as that there is nothing.
func beyond[T any](list []T, total int) bool { return len(list) == 0 && total > 0 }

// orders are the links to the orders of gateways; that of the page is marked.
func (l *language) orders(r *http.Request, here store.Order) []link {
	names := map[store.Order]string{
		store.ByWorst: l.Say("worst first"), store.ByPlace: l.Say("by address"), store.ByOwner: l.Say("by owner"),
		store.ByRelease: l.Say("oldest release first"), store.BySince: l.Say("newest verdict first"), store.ByLast: l.Say("longest without an answer first"),
	}
	var out []link
	for _, o := range store.Orders() {
		out = append(out, link{URL: without(with(r, "sort", string(o)), "page"), Text: names[o], Here: o == here})
	}
	return out
}

// without is a link with a parameter taken off.
func without(link, key string) string {
	u, err := url.Parse(link)
	if err != nil {
		return link
	}
	q := u.Query()
	q.Del(key)
	u.RawQuery = q.Encode()
	return u.String()
}

// pagerOf is the pager of a page of which so many entries are shown.
func pagerOf(r *http.Request, p store.Page, n, total int) pager {
	out := pager{From: p.Offset + 1, To: p.Offset + n, Total: total}
	if n == 0 {
		out.From = 0
	}
	to := func(page int) string { return with(r, "page", strconv.Itoa(page)) }
	if p.Offset > 0 {
		out.Before = to(p.Offset / pageSize)
	}
	if p.Offset+n < total && n > 0 {
		out.After = to(p.Offset/pageSize + 2)
	}
	return out
}

// with is the link to the same page with another parameter. The language is in the
// cookie by now.
func with(r *http.Request, key, value string) string {
	q := url.Values{}
	for k, v := range r.URL.Query() {
		if k != "lang" && k != "format" && len(v) > 0 && v[0] != "" {
			q[k] = v
		}
	}
	q.Set(key, value)
	return r.URL.Path + "?" + q.Encode()
}

// exportLinks are the links to a list in other formats.
func exportLinks(r *http.Request, formats []string) []link {
	var out []link
	for _, f := range formats {
		out = append(out, link{URL: without(with(r, "format", f), "page"), Text: f})
	}
	return out
}
