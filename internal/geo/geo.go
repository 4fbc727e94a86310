// Package geo looks up which network (AS) and country an address is in, in files of the
// MaxMind DB format that the user has. It takes the layouts of MaxMind, DB-IP and IPinfo.
// What a file says is a foreign text: it is cleaned and cut here.
package geo

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
)

const (
	maxFile = 1 << 30 // bytes: several times the largest that is published
	maxName = 100     // runes of the name of an AS
	sample  = 10_000  // networks of a file that are looked at for what it holds
)

// Files are files that were read. They are safe for concurrent use, and need no closing:
// they are in memory, so that one that is replaced on disk, or cut off there, changes
// nothing. The zero value knows nothing.
type Files struct{ readers []*maxminddb.Reader }

// Open reads files. Where two know the same of an address, the first counts. The error
// names the file and says what to do.
func Open(names ...string) (*Files, error) {
	f := new(Files)
	for _, name := range names {
		data, err := bounded.File(name, maxFile)
		if err != nil {
			return nil, err
		}
		r, err := read(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		f.readers = append(f.readers, r)
	}
	return f, nil
}

// read makes a reader of what a file holds.
func read(data []byte) (*maxminddb.Reader, error) {
	if bytes.HasPrefix(data, []byte("\x1f\x8b")) { // RFC 1952 section 2.3.1
		return nil, errors.New("is packed: unpack it first")
	}
	r, err := maxminddb.OpenBytes(data)
	if err != nil {
		return nil, fmt.Errorf("is not a whole file of the MaxMind DB format (%s): get it again", clean.Text(err.Error()))
	}
	n := 0
	for result := range r.Networks() {
		if _, ok := look(result); ok {
			return r, nil
		}
		if n++; n == sample {
			break
		}
	}
	return nil, fmt.Errorf("a file of the type %q, in which neither countries nor AS numbers were found: use one such as GeoLite2-Country or GeoLite2-ASN", clean.N(r.Metadata.DatabaseType, maxName))
}

// Look returns what the files know of an address; nil for nothing, and where a file is
// damaged.
func (f *Files) Look(a netip.Addr) *event.Geo {
	if f == nil || !a.IsValid() {
		return nil
	}
	var out event.Geo
	for _, r := range f.readers {
		g, _ := look(r.Lookup(a.Unmap().WithZone("")))
		if out.AS == 0 {
			out.AS, out.ASName = g.AS, g.ASName
		}
		if out.Country == "" {
			out.Country = g.Country
		}
	}
	if out == (event.Geo{}) {
		return nil
	}
	return &out
}

// Add gives the line of a target what the files know of its address, unless it has that
// already. A line that changes is a copy.
func (f *Files) Add(e event.Event) event.Event {
	t, ok := e.(*event.Target)
	if !ok || f == nil || len(f.readers) == 0 || t.Geo != nil {
		return e
	}
	a, err := netip.ParseAddr(t.Target.IP)
	if err != nil {
		return e
	}
	g := f.Look(a)
	if g == nil {
		return e
	}
	with := *t
	with.Geo = g
	return &with
}

// look reads a record: what it says, and whether that is anything.
func look(r maxminddb.Result) (event.Geo, bool) {
	var out event.Geo
	if !r.Found() {
		return out, false
	}
	for _, path := range [][]any{{"country", "iso_code"}, {"country_code"}, {"country"}} {
		if s := at[string](r, path); event.IsCountry(s) {
			out.Country = s
			break
		}
	}
	for _, above := range [][]any{nil, {"traits"}} {
		out.AS = at[uint32](r, append(above, "autonomous_system_number"))
		if out.AS != 0 {
			out.ASName = clean.N(at[string](r, append(above, "autonomous_system_organization")), maxName)
			return out, true
		}
	}
	if n, err := strconv.ParseUint(strings.TrimPrefix(at[string](r, []any{"asn"}), "AS"), 10, 32); err == nil && n != 0 {
		out.AS = uint32(n)
		out.ASName = clean.N(at[string](r, []any{"as_name"}), maxName)
	}
	return out, out != (event.Geo{})
}

// at is the value at a path of a record; zero if there is none of that type. A record of
// another layout and a damaged one are the same here: nothing is known.
func at[T any](r maxminddb.Result, path []any) T {
	var v, none T
	if err := r.DecodePath(&v, path...); err != nil {
		return none
	}
	return v
}
