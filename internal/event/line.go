package event

import (
	"reflect"
	"slices"
	"strconv"
)

// appendLine appends the line of a target as encoding/json would write it, and
// reports whether it can. It can where nothing was recognised and no text needs an
// escape: that is nearly every line of a sweep, which else would cost as much as
// all the thought given to its target.
func appendLine(b []byte, t *Target) ([]byte, bool) {
	a := &t.Target
	if t.Product != nil || t.Version != nil || t.Auth != nil || t.SameAs != nil || t.ErrorMessage != nil || a.Bound != "" || a.Process != "" || t.Discovery != nil || a.Kind != "" || t.Files != nil ||
		len(t.Surfaces)+len(t.Findings)+len(t.Advisories)+len(t.Notes)+len(t.Messages)+len(t.Changes) > 0 ||
		t.TLS != nil && !reflect.ValueOf(t.TLS).Elem().IsZero() || t.Front != nil && t.Front.Because == nil {
		return b, false
	}
	l := line{b: b, plain: true}
	l.text(`{"type":`, string(t.Type))
	l.text(`,"target":{"input":`, a.Input)
	l.text(`,"source":`, a.Source)
	l.text(`,"name":`, a.Name)
	l.text(`,"ip":`, a.IP)
	l.number(`,"port":`, int64(a.Port))
	l.text(`,"url":`, a.URL)
	l.text(`,"reach":`, string(a.Reach))
	l.some(`,"member":`, string(a.Member))
	l.b = append(l.b, '}')
	l.geo(t.Geo)
	l.text(`,"outcome":`, string(t.Outcome))
	if f := t.Front; f != nil {
		l.text(`,"front":{"kind":`, f.Kind)
		l.b = append(l.b, `,"because":[`...)
		for i, name := range f.Because {
			l.text(first(i, ""), name)
		}
		l.b = append(l.b, "]}"...)
	}
	if t.TLS != nil {
		l.b = append(l.b, `,"tls":{"enabled":false}`...)
	}
	for i := range t.Evidence {
		l.evidence(first(i, `,"evidence":[`), &t.Evidence[i])
	}
	if len(t.Evidence) > 0 {
		l.b = append(l.b, ']')
	}
	l.number(`,"requests":`, int64(t.Requests))
	l.number(`,"connections":`, int64(t.Connections))
	l.number(`,"duration_ms":`, t.DurationMS)
	l.text(`,"error":`, t.Error)
	l.b = append(l.b, "}\n"...)
	return l.b, l.plain
}

// first is what stands before the i-th of several: open before the first.
func first(i int, open string) string {
	if i == 0 {
		return open
	}
	return ","
}

// line is one that is being written.
type line struct {
	b     []byte
	plain bool // no text so far needs an escape
}

// text writes a member, key and all that stands before it included.
func (l *line) text(key, s string) {
	for _, c := range []byte(s) {
		if c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			l.plain = false
		}
	}
	l.b = append(append(append(append(l.b, key...), '"'), s...), '"')
}

// some is text for a member that is left out if it is empty.
func (l *line) some(key, s string) {
	if s != "" {
		l.text(key, s)
	}
}

func (l *line) number(key string, n int64) {
	l.b = strconv.AppendInt(append(l.b, key...), n, 10)
}

func (l *line) geo(g *Geo) {
	if g == nil {
		return
	}
	before := `,"geo":{`
	if g.AS != 0 {
		l.number(before+`"as":`, int64(g.AS))
		before = ","
	}
	if g.ASName != "" {
		l.text(before+`"as_name":`, g.ASName)
		before = ","
	}
	if g.Country != "" {
		l.text(before+`"country":`, g.Country)
		before = ","
	}
	if before != "," {
		l.b = append(l.b, before...)
	}
	l.b = append(l.b, '}')
}

func (l *line) evidence(before string, x *Evidence) {
	l.b = append(l.b, before...)
	l.text(`{"id":`, x.ID)
	l.text(`,"request":`, x.Request)
	l.number(`,"status":`, int64(x.Status))
	l.number(`,"bytes":`, int64(x.Bytes))
	l.some(`,"sha256":`, x.SHA256)
	if len(x.Facts) > 0 {
		names := make([]string, 0, 16)
		for name := range x.Facts {
			names = append(names, name)
		}
		slices.Sort(names)
		for i, name := range names {
			l.text(first(i, `,"facts":{`), name)
			l.text(":", x.Facts[name])
		}
		l.b = append(l.b, '}')
	}
	l.some(`,"error":`, x.Error)
	l.b = append(l.b, '}')
}
