package fingerprint_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
)

// Whatever is answered one by one leads to the same as all of it at once: nothing that
// a case keeps is out of date after an answer, and nothing depends on what it was
// asked for before.
func TestOneByOne(t *testing.T) {
	set := builtin(t)
	for name, c := range recorded(t) {
		for _, s := range []*fingerprint.Set{set, set.Everywhere()} {
			replayed := s.Replay(&c, event.LevelStandard)
			o := *replayed.Observation
			o.Exchanges, o.Requests = nil, 0
			grown := s.Open(&o, event.LevelStandard)
			for i, x := range replayed.Exchanges {
				// Once answered, it may be empty.
				answered := func() evidence.Exchange {
					fresh := c.Observation()
					if y := fresh.Exchange(x.ID); y != nil {
						return *y
					}
					return x
				}
				o.Exchanges = append(o.Exchanges, answered())
				o.Requests++
				grown.Take()
				whole := o
				whole.Exchanges = nil
				for _, x = range replayed.Exchanges[:i+1] {
					whole.Exchanges = append(whole.Exchanges, answered())
				}
				same(t, name+" after "+x.ID, grown, s.Open(&whole, event.LevelStandard))
			}
		}
	}
}

// What was asked below another base path does not count; back at the first it does.
func TestMove(t *testing.T) {
	set := builtin(t)
	for name, recording := range recorded(t) {
		c, stayed := set.Replay(&recording, event.LevelStandard), set.Replay(&recording, event.LevelStandard)
		if c.Base != "" || c.Exchange("root") == nil {
			continue
		}
		c.Move("/claw")
		if c.Exchange("root") != nil || c.Describe(sealed)[0].ID == "root" {
			t.Errorf("%s: the page at / counts below /claw", name)
		}
		c.Move("")
		same(t, name+", moved there and back", c, stayed)
		c.Move("/claw")
		c.Exchanges = append(c.Exchanges, evidence.Exchange{ID: "root", Method: "GET", Path: "/claw/", Status: 404})
		c.Take()
		if x := c.Exchange("root"); x == nil || x.Path != "/claw/" {
			t.Errorf("%s: the page at /claw/ does not count there", name)
		}
		c.Move("")
		if last := c.Describe(sealed)[len(c.Exchanges)-1]; last.ID != "root@/claw/" || c.Exchange("root").Path != "/" {
			t.Errorf("%s: back at /, the page at /claw/ is called %s", name, last.ID)
		}
	}
}

// same holds two cases against each other.
func same(t *testing.T, name string, a, b *fingerprint.Case) {
	t.Helper()
	if !reflect.DeepEqual(a.Verdict(), b.Verdict()) {
		t.Errorf("%s: %+v\nwant %+v", name, a.Verdict(), b.Verdict())
	}
	reqA, okA := a.Next()
	reqB, okB := b.Next()
	if okA != okB || !reflect.DeepEqual(reqA, reqB) {
		t.Errorf("%s: next %+v, want %+v", name, reqA, reqB)
	}
	if a.Recognised() != b.Recognised() || a.Paged() != b.Paged() {
		t.Errorf("%s: recognised %t, paged %t, want %t, %t", name, a.Recognised(), a.Paged(), b.Recognised(), b.Paged())
	}
	for _, names := range [][]string{a.Verdict().Product.Because, a.Verdict().Auth.Because} {
		if got, want := a.Evidence(names...), b.Evidence(names...); !slices.Equal(got, want) {
			t.Errorf("%s: evidence of %v is %v, want %v", name, names, got, want)
		}
	}
}
