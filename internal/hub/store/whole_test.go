package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
)

// testUnseen: what complete runs from another vantage say of a gateway that they have no line
// of. Each step is a run; after the last one, the watches that saw no gateway are named.
func testUnseen(t *testing.T, s *Store) {
	const g, named = "10.0.0.7:18789", "10.0.0.7:18789 required named"
	type steps [][]string // of each the watch, and its lines
	w := func(lines ...string) []string { return append([]string{"w"}, lines...) }
	v := func(lines ...string) []string { return append([]string{"v"}, lines...) }
	n := 100
	for _, c := range []struct {
		name  string
		steps steps
		want  string // watches, and "differs" if they do
	}{
		{"closed from there", steps{w(g + " open"), v()}, "v from v at run 2, differs"},
		{"in the other order", steps{v(), w(g + " open")}, "v from v at run 1, differs"},
		{"one vantage alone", steps{w(g + " open")}, ""},
		{"a watch at the same place", steps{w(g+" open", "from a"), v("from a")}, ""},
		{"it is not said where it stands", steps{w(g + " open"), v("nowhere")}, ""},
		{"it is not said where the other one stands", steps{w(g+" open", "nowhere"), v()}, ""},
		{"other targets", steps{w(g + " open"), v("others")}, ""},
		{"nobody knows which targets", steps{w(g+" open", "unknown targets"), v("unknown targets")}, ""},
		{"not complete there", steps{w(g + " open"), v("incomplete")}, ""},
		{"cut off there", steps{w(g + " open"), v("cut")}, ""},
		{"a second look there", steps{w(g + " open"), v("again")}, ""},
		{"never complete here", steps{w(g+" open", "incomplete"), v()}, ""},
		{"incomplete here, after a whole one", steps{w(), v(), w(g+" open", "incomplete")}, "v from v at run 2, differs"},
		{"more is excluded there", steps{w(g + " open"), v("excluded")}, ""},
		{"as much is excluded there", steps{w(g+" open", "excluded"), v("excluded")}, "v from v at run 2, differs"},
		{"this one was excluded there", steps{w(g + " open"), v(g + " excluded")}, ""},
		{"another one was excluded there", steps{w(g + " open"), v("10.0.0.9:18789 excluded")}, "v from v at run 2, differs"},
		{"this machine failed there", steps{w(g + " open"), v(g + " local-error")}, ""},
		{"unclear there", steps{w(g + " open"), v(g + " tls-error")}, ""},
		{"no way to it from there", steps{w(g + " open"), v(g + " unreachable")}, ""},
		{"listed as closed there", steps{w(g + " open"), v(g + " closed")}, "v from v at run 2, differs"},
		{"another port is unclear there", steps{w(g + " open"), v("10.0.0.7:443 tls-error")}, "v from v at run 2, differs"},
		{"a gateway is seen there", steps{w(g + " required"), v(g + " required")}, ""},
		{"gone there", steps{w(g + " required"), v(g + " required"), v()}, "differs"},
		{"an incomplete run takes nothing back", steps{w(g + " open"), v(), v("incomplete")}, "v from v at run 2, differs"},
		{"nor does one that was cut off", steps{w(g + " open"), v(), v("cut")}, "v from v at run 2, differs"},
		{"nor a second look", steps{w(g + " open"), v(), v("again", "10.0.0.9:1 closed")}, "v from v at run 2, differs"},
		{"an incomplete run sees it", steps{w(g + " required"), v(), v(g+" required", "incomplete")}, ""},
		{"a complete run leaves it open", steps{w(g + " open"), v(), v(g + " tls-error")}, ""},
		{"a complete run of other targets", steps{w(g + " open"), v(), v("others")}, ""},
		{"other targets here, by now", steps{w(g + " open"), w("others"), v()}, ""},
		{"the watch was moved there", steps{w(g + " open"), w("from a")}, ""},
		{"the later run counts", steps{w(g + " open"), v(), v()}, "v from v at run 3, differs"},
		{"gone here, too", steps{w(g + " open"), v(), w()}, "v from v at run 2"},
		{"back here", steps{w(g + " open"), v(), w(), w(g + " required")}, "v from v at run 2, differs"},
		{"named, and closed there", steps{w(named), v(g + " closed named")}, "v from v at run 2, differs"},
		{"named, and silent there, before", steps{v(g + " silent named"), w(named)}, "v from v at run 1, differs"},
		{"named, without a line there", steps{w(named), v()}, ""},
		{"a name that is closed there", steps{w("n=10.0.0.1:1 required"), v("n=10.0.0.9:1 closed")}, "v from v at run 2, differs"},
		{"one of the addresses of a name is unclear there", steps{w("n=10.0.0.1:1 required"), v("n=10.0.0.9:1 closed", "n=10.0.0.8:1 tls-error")}, ""},
		{"a name without a line there", steps{w("n=10.0.0.1:1 required"), v("10.0.0.1:1 closed")}, ""},
		{"three vantages", steps{w(g + " open"), {"x", g + " open"}, v(), {"y"}}, "v from v at run 3, y from y at run 4, differs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, dir := context.Background(), t.TempDir()
			clearIndex(t, s)
			var runs []ID
			for _, x := range c.steps {
				n++
				runs = append(runs, apply(t, s, dir, run(t, dir, x[0], n, x[1:]...)).Run.ID)
			}
			list, _, err := s.Gateways(ctx, Filter{}, Page{})
			if err != nil || len(list) != 1 {
				t.Fatalf("%+v, %v", list, err)
			}
			var got []string
			unseen, err := s.Unseen(ctx, list[0].ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range unseen {
				i := slices.Index(runs, u.Run)
				if r, err := s.Run(ctx, u.Run); err != nil || !u.Looked.Equal(r.Finished) || u.Level != event.LevelStandard {
					t.Errorf("%+v is not of its run, %v", u, err)
				}
				got = append(got, fmt.Sprintf("%s %s at run %d", u.Watch, u.Vantage, i+1))
			}
			if list[0].Differs {
				got = append(got, "differs")
			}
			if got := strings.Join(got, ", "); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			f, err := ParseFilter("is:differing")
			if err != nil {
				t.Fatal(err)
			}
			if _, n, err := s.Gateways(ctx, f, Page{}); err != nil || (n == 1) != list[0].Differs {
				t.Errorf("is:differing finds %d, %v", n, err)
			}
			same(t, s, dir)
		})
	}
}

// A run from another vantage that saw no gateway changes nothing but that they differ.
func testUnseenChangesNothing(t *testing.T, s *Store) {
	ctx, dir := context.Background(), t.TempDir()
	apply(t, s, dir, run(t, dir, "w", 1, "10.0.0.7:18789 open 2026.9.6", "10.0.0.8:18789 required"))
	gateways := func() []Gateway {
		t.Helper()
		list, _, err := s.Gateways(ctx, Filter{}, Page{})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	gauges := func() string {
		t.Helper()
		g, err := s.Gauges(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%+v %+v %+v %d %d", g.Gateways, g.Findings, g.Releases, g.Others, g.Unresolved)
	}
	before, counted := gateways(), gauges()
	out := apply(t, s, dir, run(t, dir, "v", 2))
	if out.Run.Changes != 0 || len(out.Alarming) != 0 || told(t, s, out.Run.ID) != "" {
		t.Errorf("it changed something: %+v", out)
	}
	if now := gauges(); now != counted {
		t.Errorf("counted %s, before %s", now, counted)
	}
	for i, g := range gateways() {
		if !g.Differs {
			t.Errorf("%s does not differ", g.Place)
		}
		g.Differs = false
		if g != before[i] {
			t.Errorf("%+v, was %+v", g, before[i])
		}
	}
}

// TestSpots: a run with more lines than are remembered says nothing of the others.
func TestSpots(t *testing.T) {
	w := &whole{}
	for i := range maxSpots {
		w.note(line(fmt.Sprintf("10.%d.%d.%d:1 tls-error", i>>16, i>>8&255, i&255)))
	}
	if !w.end() || len(w.doubts) != maxSpots {
		t.Errorf("%d are kept", len(w.doubts))
	}
	w.note(line("192.0.2.1:1 tls-error"))
	if w.end() {
		t.Error("the one that there is no space for may be a gateway")
	}
}
