package store

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
)

func testFilter(t *testing.T, s *Store) {
	ctx := context.Background()
	dir := t.TempDir()
	apply(t, s, dir, run(t, dir, "a", 1,
		"10.1.0.1:18789 open 2026.9.6 as=64500 country=AU", "10.1.0.2:18789 required 2026.8.1 as=64501", "10.1.0.3:80 required 2026.9.1-beta.2 country=NZ", "10.2.0.4:18789 unknown",
		"mail.example.org=10.3.0.5:443 gated 2026.9.6", "2001:db8::6:18789 blocked 2025.12.33"))
	if err := s.Label(ctx, []Network{{netip.MustParsePrefix("10.1.0.0/16"), "mail_team", "a@example.org"}, {netip.MustParsePrefix("10.0.0.0/8"), "all", ""}}); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"":                         "1 6 4 5 2 3",
		"verdict:open":             "1",
		"verdict:open,unknown":     "1 4",
		"-verdict:open":            "6 4 5 2 3",
		"net:10.1.0.0/16":          "1 2 3",
		"net:10.1.0.2":             "2",
		"net:10.1.0.2-10.2.0.9":    "4 2 3",
		"net:2001:db8::/32":        "6",
		"net:0.0.0.0/0":            "1 4 5 2 3",
		"release:2026.9.6":         "1 5",
		"release:2026.9":           "1 5 3",
		"release:<2026.9":          "6 2",
		"release:<=2026.9":         "1 6 5 2 3",
		"release:>=2026.9.1":       "1 5",
		"release:>2026.8":          "1 5 3",
		"release:2025":             "6",
		"release:unknown":          "4",
		"-release:<2026.9":         "1 4 5 3",
		"owner:mail_team":          "1 2 3",
		"owner:none":               "6",
		"owner:ALL":                "4 5",
		"network:10.0.0.0/8":       "4 5",
		"as:64500":                 "1",
		"as:AS64501,as64500":       "1 2",
		"as:unknown":               "6 4 5 3",
		"-as:unknown":              "1 2",
		"as:64501,unknown":         "6 4 5 2 3",
		"country:AU":               "1",
		"country:nz,AU":            "1 3",
		"country:unknown":          "6 4 5 2",
		"-country:AU":              "6 4 5 2 3",
		"severity:high":            "1",
		"finding:auth-missing":     "1",
		"port:443":                 "5",
		"product:openclaw":         "1 6 4 5 2 3",
		"watch:a":                  "1 6 4 5 2 3",
		"vantage:nowhere":          "",
		"is:unresolved":            "",
		"mail.example":             "5",
		"il_te":                    "1 2 3",
		"%":                        "",
		"2001:db8::6":              "6",
		"verdict:required port:80": "3",
		"since:10000w":             "1 6 4 5 2 3",
		"since:0h":                 "",
	} {
		f, err := ParseFilter(query)
		if err != nil {
			t.Errorf("%q: %v", query, err)
			continue
		}
		list, n, err := s.Gateways(ctx, f, Page{})
		if err != nil {
			t.Errorf("%q: %v", query, err)
			continue
		}
		var got []string
		for _, g := range list {
			a := g.Addr.String()
			got = append(got, a[len(a)-1:])
		}
		if strings.Join(got, " ") != want || n != len(list) {
			t.Errorf("%q: %v of %d, want %s", query, got, n, want)
		}
	}
	for order, want := range map[Order]string{
		ByWorst: "1 6 4 5 2 3", ByPlace: "1 2 3 4 5 6", ByOwner: "6 4 5 1 2 3", ByRelease: "4 6 2 3 1 5", BySince: "1 6 4 5 2 3", ByLast: "1 6 4 5 2 3",
	} {
		list, _, err := s.Gateways(ctx, Filter{}, Page{Order: order})
		var got []string
		for _, g := range list {
			a := g.Addr.String()
			got = append(got, a[len(a)-1:])
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("order %q: %v, want %s, %v", order, got, want, err)
		}
	}
	list, n, err := s.Gateways(ctx, Filter{}, Page{Offset: 1, Limit: 2})
	if err != nil || n != 6 || len(list) != 2 || list[0].Verdict != "blocked" || list[1].Owner != "all" {
		t.Errorf("%+v, %d, %v", list, n, err)
	}
	var owned []string
	err = s.ByOwner(ctx, Filter{}, 2, func(g *Gateway, total int) error {
		owned = append(owned, fmt.Sprintf("%s %s of %d", g.Owner, g.Addr, total))
		return nil
	})
	if want := " 2001:db8::6 of 1; all 10.2.0.4 of 2; all 10.3.0.5 of 2; mail_team 10.1.0.1 of 3; mail_team 10.1.0.2 of 3"; err != nil || strings.Join(owned, "; ") != want {
		t.Errorf("%q, %v", owned, err)
	}
	var lines []string
	err = s.EachGateway(ctx, Filter{}, func(g *Gateway, x *event.Target) error {
		lines = append(lines, g.Place+" "+string(x.Auth.State))
		return nil
	})
	if err != nil || lines[0] != "10.1.0.1:18789 open" || len(lines) != 6 {
		t.Errorf("%v, %v", lines, err)
	}
}

func TestParseFilterRefuses(t *testing.T) {
	for query, want := range map[string]string{
		"verdict:opne":             "did you mean \"open\"",
		"verdict:":                 "a value is missing",
		"nte:10.0.0.0/8":           "did you mean \"net\"",
		"net:10.0.0.0/33":          "use an address",
		"release:2026":             "",
		"release:26.9":             "use a release",
		"release:~2026.9.1":        "use a release",
		"release:=<2026.9.1":       "use <",
		"severity:bad":             "bad",
		"port:http":                "use a port",
		"since:7":                  "use a number",
		"since:d":                  "use a number",
		"since:1hd":                "use a number",
		"is:open":                  "use is:unresolved",
		strings.Repeat("x ", 21):   "more than 20 terms",
		strings.Repeat("x", 1001):  "longer than 1000 bytes",
		"x\u202e\x1b:y":            "no such key",
		"owner:'); DROP TABLE run": "",
		"as:0":                     "use the number of an AS",
		"as:4294967296":            "use the number of an AS",
		"as:64500,":                "use the number of an AS",
		"country:AUS":              "use the two letters",
		"country:unknow":           "use the two letters",
		"country:A\x1b":            "use the two letters",
	} {
		_, err := ParseFilter(query)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.ContainsAny(err.Error(), "\x1b\u202e")) {
			t.Errorf("%q: %v", query, err)
		}
	}
}

func FuzzParseFilter(f *testing.F) {
	for _, k := range Keys() {
		f.Add(k[0] + ":" + k[1])
	}
	f.Add("-release:>=2026.9.1-beta.2 x")
	f.Fuzz(func(t *testing.T, query string) {
		x, err := ParseFilter(query)
		if err != nil {
			return
		}
		text, args := x.where(time.Unix(0, 0), nil)
		if n := strings.Count(text, "$"); n != len(args) || strings.Contains(text, "?") {
			t.Errorf("%q: %d places for %d arguments in %s", query, n, len(args), text)
		}
	})
}

func testQueries(t *testing.T, s *Store) {
	ctx := context.Background()
	dir := t.TempDir()
	const g = "10.0.0.7:18789"
	apply(t, s, dir, run(t, dir, "a", 1, g+" open 2026.3.13", "10.0.0.8:18789 required"))
	second := apply(t, s, dir, run(t, dir, "a", 30, g+" required 2026.9.6", "incomplete", "10.0.0.9:18789 open"))
	third := apply(t, s, dir, run(t, dir, "a", 60, g+" required 2026.9.6", "10.0.0.8:18789 required"))
	apply(t, s, dir, run(t, dir, "a", 61, g+" required 2026.9.6", "again"))
	apply(t, s, dir, run(t, dir, "b", 62, g+" unknown"))

	runs, n, err := s.Runs(ctx, RunFilter{Watch: "a"}, Page{Limit: 2})
	if err != nil || n != 4 || len(runs) != 2 || !runs[0].Again || runs[1].ID != third.Run.ID || runs[1].Gateways != 2 || runs[1].Auth[event.AuthRequired] != 2 {
		t.Errorf("%+v, %d, %v", runs, n, err)
	}
	one, err := s.Run(ctx, second.Run.ID)
	if err != nil || one.Complete || one.Changes != 2 || one.Vantage != "from a" {
		t.Errorf("%+v, %v", one, err)
	}
	if _, err := s.Run(ctx, 1); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
	if last, err := s.LastComplete(ctx, "a"); err != nil || !last.Equal(hour(60).Add(time.Minute)) {
		t.Errorf("%v, %v", last, err)
	}
	if last, err := s.LastComplete(ctx, "c"); err != nil || !last.IsZero() {
		t.Errorf("%v, %v", last, err)
	}
	known, err := s.Known(ctx, "a")
	if err != nil || len(known) != 3 {
		t.Errorf("%v, %v", known, err)
	}
	changes, n, err := s.Changes(ctx, ChangeFilter{Kinds: []Kind{KindClosed, KindGone}, Episodes: true}, Page{})
	if err != nil || n != 2 || changes[0].Run != third.Run.ID || len(changes[0].Episodes) == 0 {
		t.Errorf("%+v, %d, %v", changes, n, err)
	}
	changes, n, err = s.Changes(ctx, ChangeFilter{Since: hour(2), Until: hour(31)}, Page{})
	if err != nil || n != 2 || len(changes) != 2 {
		t.Errorf("%+v, %d, %v", changes, n, err)
	}
	gw, err := s.Gateway(ctx, changes[0].Gateway)
	if err != nil || gw.ID != changes[0].Gateway {
		t.Errorf("%+v, %v", gw, err)
	}
	sights, err := s.Sights(ctx, idOf(t, s, g))
	if err != nil || len(sights) != 2 || sights[0].Verdict != "required" || sights[1].Vantage != "from b" || sights[0].Line.Version.Exact != "2026.9.6" {
		t.Errorf("%+v, %v", sights, err)
	}
	eps, err := s.Episodes(ctx, idOf(t, s, g))
	if err != nil || len(eps) != 6 || eps[0].Value != "unknown" || !eps[0].Closed.IsZero() {
		t.Errorf("%+v, %v", eps, err)
	}
	o, err := s.Overview(ctx, hour(24*9))
	if err != nil {
		t.Fatal(err)
	}
	if g, err := s.Gauges(ctx); err != nil || g.Unresolved != o.UnresolvedN {
		t.Errorf("%d unresolved, %v", g.Unresolved, err)
	}
	if o.AlarmingN != 0 || o.UnclearN != 1 || len(o.Unresolved) != 1 || o.Now["required"] != 1 || o.Now["unknown"] != 1 || o.Now[Gone] != 1 || len(o.Watches) != 2 || o.Watches[0].LastComplete.ID != third.Run.ID {
		t.Errorf("%+v", o)
	}
	var days []string
	for _, d := range o.Days {
		days = append(days, fmt.Sprint(d.Date.Day(), d.N))
	}
	if want := []string{"1 map[open:1 required:1]", "2 map[open:2 required:1]", "3 map[gone:1 required:1 unknown:1]"}; !slices.Equal(days[:3], want) || len(days) != 10 {
		t.Errorf("%q", days)
	}
	if fmt.Sprint(o.WeekAgo) != "map[gone:1 required:1 unknown:1]" {
		t.Errorf("a week ago %v", o.WeekAgo)
	}
}

// idOf is the id of a gateway.
func idOf(t *testing.T, s *Store, place string) ID {
	t.Helper()
	f, err := ParseFilter(place)
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := s.Gateways(context.Background(), f, Page{})
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	return list[0].ID
}

// testLocated: of an address counts what the worst watch says that knows of it; the overview
// counts what is known, and what is not.
func testLocated(t *testing.T, s *Store) {
	ctx := context.Background()
	dir := t.TempDir()
	groups := func() string {
		o, err := s.Overview(ctx, hour(24))
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(o.Systems, o.Countries)
	}
	where := func(place string) event.Geo {
		list, _, err := s.Gateways(ctx, Filter{}, Page{})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range list {
			if g.Place == place {
				return g.Geo
			}
		}
		t.Fatal("no ", place)
		return event.Geo{}
	}
	a := func(n int, lines ...string) { t.Helper(); apply(t, s, dir, run(t, dir, "a", n, lines...)) }
	b := func(n int, lines ...string) { t.Helper(); apply(t, s, dir, run(t, dir, "b", n, lines...)) }
	a(1, "10.0.0.1:18789 open", "10.0.0.2:18789 required", "10.0.0.3:18789 required")
	if got := groups(); got != "[] []" {
		t.Errorf("nothing is known: %s", got)
	}
	// Another watch knows the address of the one that counts; what has no form of a country is none.
	b(2, "10.0.0.1:18789 required 2026.9.6 as=64500 country=AU", "10.0.0.2:18789 required 2026.9.6 as=64501 country=au")
	if got, want := where("10.0.0.1:18789"), (event.Geo{AS: 64500, ASName: "Net 64500", Country: "AU"}); got != want {
		t.Errorf("%+v", got)
	}
	if got, want := groups(), "[{0 { 1 0}} {64500 {Net 64500 1 1}} {64501 {Net 64501 1 0}}] [{ 2 0} {AU 1 1}]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	// The worse one knows better, each of its own.
	a(3, "10.0.0.1:18789 open 2026.9.6 as=64502", "10.0.0.2:18789 required", "10.0.0.3:18789 required")
	if got, want := where("10.0.0.1:18789"), (event.Geo{AS: 64502, ASName: "Net 64502", Country: "AU"}); got != want {
		t.Errorf("%+v", got)
	}
	// What is gone was where it was, and is not counted.
	for n := 4; n < 8; n += 2 {
		a(n, "10.0.0.1:18789 closed", "10.0.0.2:18789 required", "10.0.0.3:18789 required country=FR")
		b(n+1, "10.0.0.1:18789 closed", "10.0.0.2:18789 required")
	}
	if got := where("10.0.0.1:18789"); got.AS == 0 || got.Country != "AU" {
		t.Errorf("%+v", got)
	}
	// What the last line does not say is not known any more.
	if got, want := groups(), "[] [{ 1 0} {FR 1 0}]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	// However many there are, what is not known is counted.
	var many []string
	for i := range 4 * maxGroups {
		many = append(many, fmt.Sprintf("10.1.0.%d:18789 required 2026.9.6 as=%d", i, 1+i/3))
	}
	apply(t, s, dir, run(t, dir, "c", 8, many...))
	if o, err := s.Overview(ctx, hour(24)); err != nil || len(o.Systems) != maxGroups || o.Systems[0].AS != 0 || o.Systems[0].N != 2 || o.Systems[1].N != 3 {
		t.Errorf("%+v, %v", o.Systems, err)
	}
	same(t, s, dir)
}
