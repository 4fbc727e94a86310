package web

import (
	"cmp"
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/report"
)

// feedSize is how many changes the feed has, the latest.
const feedSize = 100

// The feed: Atom, RFC 4287.
type (
	atomFeed struct {
		XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
		Lang    string      `xml:"xml:lang,attr"`
		ID      string      `xml:"id"`
		Title   string      `xml:"title"`
		Updated string      `xml:"updated"`
		Author  atomAuthor  `xml:"author"`
		Links   []atomLink  `xml:"link"`
		Entries []atomEntry `xml:"entry"`
	}
	atomAuthor struct {
		Name string `xml:"name"`
	}
	atomLink struct {
		Rel  string `xml:"rel,attr"`
		Type string `xml:"type,attr,omitempty"`
		Href string `xml:"href,attr"`
	}
	atomEntry struct {
		ID         string         `xml:"id"`
		Title      string         `xml:"title"`
		Updated    string         `xml:"updated"`
		Links      []atomLink     `xml:"link"`
		Categories []atomCategory `xml:"category"`
		Summary    string         `xml:"summary"`
	}
	atomCategory struct {
		Term  string `xml:"term,attr"`
		Label string `xml:"label,attr"`
	}
)

func (b *Board) atom(w http.ResponseWriter, r *http.Request) error {
	l := b.language(w, r)
	f, err := b.changeFilter(l, r)
	if err != nil {
		return err
	}
	list, _, err := b.Data.Changes(r.Context(), f, store.Page{Limit: feedSize})
	if err != nil {
		return err
	}
	base := b.base(r)
	query := ""
	if r.URL.RawQuery != "" {
		query = "?" + r.URL.Query().Encode()
	}
	feed := atomFeed{
		Lang: l.tag, ID: base + "/changes.atom" + query, Title: l.Say("clawsonar: changes"), Updated: iso(time.Unix(0, 0)), Author: atomAuthor{b.Tool.Name},
		Links: []atomLink{{Rel: "self", Type: "application/atom+xml", Href: base + "/changes.atom" + query}, {Rel: "alternate", Type: "text/html", Href: base + "/changes" + query}},
	}
	for _, c := range report.Clean(list) {
		if t := iso(c.At); t > feed.Updated {
			feed.Updated = t
		}
		e := atomEntry{
			ID: "urn:clawsonar:change:" + c.Run.String() + ":" + c.Gateway.String(), Title: l.Say("%s: %s", c.Place, l.kinds(c.Kinds)), Updated: iso(c.At),
			Links: []atomLink{{Rel: "alternate", Type: "text/html", Href: base + "/gateways/" + c.Gateway.String()}}, Summary: l.changeText(&c),
		}
		for _, k := range c.Kinds {
			e.Categories = append(e.Categories, atomCategory{string(k), l.kind(k)})
		}
		feed.Entries = append(feed.Entries, e)
	}
	w.Header().Set("Content-Type", "application/atom+xml; charset=utf-8")
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	return xml.NewEncoder(w).Encode(feed)
}

// changeText says in one line what changed.
func (l *language) changeText(c *store.Change) string {
	var parts []string
	if c.OldVerdict != c.Verdict {
		parts = append(parts, l.Say("Verdict: %s", l.became(c)))
	}
	switch before := c.OldRelease; {
	case before == c.Release:
	case c.OldVerdict == "": // it was not known
		parts = append(parts, l.Say("Release: %s", c.Release))
	default:
		unknown := l.Say("release unknown")
		parts = append(parts, l.Say("Release: %s", l.Say("%s, before: %s", cmp.Or(c.Release, unknown), cmp.Or(before, unknown))))
	}
	if c.Opened > 0 {
		text := l.Count(c.Opened, "%d new finding", "%d new findings")
		if c.Severity != "" {
			text = l.Say("%s (%s)", text, l.Severity(c.Severity))
		}
		parts = append(parts, text)
	}
	if c.Closed > 0 {
		parts = append(parts, l.Count(c.Closed, "%d finding fixed", "%d findings fixed"))
	}
	if c.Advisories > 0 {
		parts = append(parts, l.Count(c.Advisories, "%d new advisory", "%d new advisories"))
	}
	if c.Owner != "" {
		parts = append(parts, l.Say("Owner: %s", c.Owner))
	}
	return strings.Join(parts, l.Say("; "))
}

// base is the address that links of a feed begin with.
func (b *Board) base(r *http.Request) string {
	switch {
	case b.URL != "":
		return strings.TrimSuffix(b.URL, "/")
	case r.TLS != nil:
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
