package geo

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/test/mmdb"
)

// write writes a file of its own for each.
func write(t *testing.T, files ...[]byte) (names []string) {
	t.Helper()
	dir := t.TempDir()
	for i, data := range files {
		name := filepath.Join(dir, string(rune('a'+i))+".mmdb")
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

// TestLook: each layout is understood, of two files the first counts, and what a file does
// not say, or says in another form, is not known.
func TestLook(t *testing.T) {
	names := write(t,
		mmdb.File("GeoLite2-ASN", map[string]mmdb.Map{
			"192.0.2.0/24": mmdb.AS(64500, "Example\x1b[31m Net\n"), "2001:db8::/32": mmdb.AS(64501, strings.Repeat("long ", 100)), "198.51.100.0/24": mmdb.AS(0, "nobody"),
		}),
		mmdb.File("GeoLite2-Country", map[string]mmdb.Map{"192.0.2.0/24": mmdb.Country("AU"), "198.51.100.0/24": mmdb.Country("au")}),
		mmdb.File("ipinfo lite", map[string]mmdb.Map{
			"192.0.2.0/24":     {"asn": mmdb.Text("AS1"), "as_name": mmdb.Text("another"), "country": mmdb.Text("Austria"), "country_code": mmdb.Text("AT")},
			"203.0.113.0/25":   {"asn": mmdb.Text("AS64502"), "as_name": mmdb.Text("Flat"), "country": mmdb.Text("Chile"), "country_code": mmdb.Text("CL")},
			"203.0.113.128/26": {"asn": mmdb.Text("AS64503"), "as_name": mmdb.Text("Older"), "country": mmdb.Text("PE")},
			"203.0.113.192/26": {"asn": mmdb.Text("ASX"), "as_name": mmdb.Text("no number"), "country": mmdb.Text("Peru")},
			"100.64.0.0/16":    {"traits": mmdb.Map{"autonomous_system_number": mmdb.Number(64504), "autonomous_system_organization": mmdb.Text("Within")}},
			"100.65.0.0/16":    {"autonomous_system_number": mmdb.Text("64505"), "country": mmdb.Map{"iso_code": mmdb.Number(7)}},
		}))
	f, err := Open(names...)
	if err != nil {
		t.Fatal(err)
	}
	for ip, want := range map[string]event.Geo{
		"192.0.2.7":        {AS: 64500, ASName: "Example Net", Country: "AU"},
		"::ffff:192.0.2.7": {AS: 64500, ASName: "Example Net", Country: "AU"},
		"2001:db8::1%eth0": {AS: 64501, ASName: strings.Repeat("long ", 19) + "lo..."},
		"198.51.100.1":     {},
		"203.0.113.1":      {AS: 64502, ASName: "Flat", Country: "CL"},
		"203.0.113.130":    {AS: 64503, ASName: "Older", Country: "PE"},
		"203.0.113.200":    {},
		"100.64.3.2":       {AS: 64504, ASName: "Within"},
		"100.65.3.2":       {},
		"127.0.0.1":        {},
		"2001:db9::":       {},
	} {
		got := f.Look(netip.MustParseAddr(ip))
		if want == (event.Geo{}) != (got == nil) || got != nil && *got != want {
			t.Errorf("%s: %+v, want %+v", ip, got, want)
		}
	}
	if got := f.Look(netip.Addr{}); got != nil {
		t.Errorf("no address: %+v", got)
	}
	line := &event.Target{Target: event.Address{IP: "192.0.2.7"}}
	if got := f.Add(line).(*event.Target); got.Geo == nil || got.Geo.AS != 64500 || line.Geo != nil {
		t.Errorf("a line: %+v; what was given: %+v", got.Geo, line.Geo)
	}
	known := &event.Target{Target: event.Address{IP: "192.0.2.7"}, Geo: &event.Geo{Country: "NZ"}}
	if got := f.Add(known); got != event.Event(known) {
		t.Errorf("what a line says already is changed: %+v", got)
	}
}

// TestOpen: what cannot be used is refused, in a line that names the file and says why.
func TestOpen(t *testing.T) {
	good := mmdb.File("GeoLite2-ASN", map[string]mmdb.Map{"192.0.2.0/24": mmdb.AS(64500, "Example Net")})
	for want, data := range map[string][]byte{
		"is not a whole file of the MaxMind DB format": good[:len(good)/2],
		"MaxMind DB format (":                          []byte("network,country\n192.0.2.0/24,AU\n"),
		"get it again":                                 {},
		"is packed: unpack it first":                   append([]byte("\x1f\x8b"), good...),
		`type "GeoIP2-Domain", in which neither`:       mmdb.File("GeoIP2-Domain", map[string]mmdb.Map{"192.0.2.0/24": {"domain": mmdb.Text("example.org")}}),
		`of the type "empty"`:                          mmdb.File("empty", nil),
	} {
		name := write(t, data)[0]
		_, err := Open(name)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), name) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none.mmdb")); !os.IsNotExist(err) {
		t.Error(err)
	}
	if f, err := Open(); err != nil || f.Look(netip.MustParseAddr("192.0.2.1")) != nil {
		t.Error("without a file", err)
	}
}

// FuzzRead: a file that was cut or changed anywhere neither stops the program nor keeps it
// busy, and what it says stays within its bounds.
func FuzzRead(f *testing.F) {
	for _, seed := range [][]byte{
		mmdb.File("GeoLite2-ASN", map[string]mmdb.Map{"192.0.2.0/24": mmdb.AS(64500, "Example Net"), "2001:db8::/32": mmdb.AS(64501, strings.Repeat("long ", 60))}),
		mmdb.File("GeoLite2-Country", map[string]mmdb.Map{"192.0.2.0/24": mmdb.Country("AU"), "198.51.100.0/24": mmdb.Country("NZ")}),
		mmdb.File("ipinfo", map[string]mmdb.Map{"0.0.0.0/1": {"asn": mmdb.Text("AS64502"), "as_name": mmdb.Text("Flat"), "country_code": mmdb.Text("CL")}}),
	} {
		f.Add(seed)
		// Cut at its seams, and each byte of the tree's end, of the data and of the
		// metadata changed to what a size, a pointer or a count may be.
		for i := 0; i < len(seed); i += len(seed)/16 + 1 {
			f.Add(seed[:i])
		}
		tail := max(0, len(seed)-300)
		for i := tail; i < len(seed); i += 3 {
			for _, b := range []byte{0, 0x20, 0x3f, 0xff} {
				f.Add(append(append(bytes.Clone(seed[:i]), b), seed[i+1:]...))
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := read(data)
		if err != nil {
			if s := err.Error(); strings.ContainsAny(s, "\n\x1b") || !utf8.ValidString(s) || len(s) > 2000 {
				t.Errorf("error %q", s)
			}
			return
		}
		files := Files{readers: []*maxminddb.Reader{r}}
		for _, ip := range []string{"192.0.2.7", "198.51.100.1", "2001:db8::1", "255.255.255.255", "::"} {
			g := files.Look(netip.MustParseAddr(ip))
			if g != nil && (utf8.RuneCountInString(g.ASName) > maxName || g.Country != "" && !event.IsCountry(g.Country) || *g == (event.Geo{})) {
				t.Errorf("%s: %+v", ip, g)
			}
		}
	})
}
