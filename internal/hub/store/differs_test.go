package store

import "testing"

// TestDiffersByVantage: what watches of one vantage see differently is no difference of
// vantages, and a gateway that is gone from one of them alone is one.
func TestDiffersByVantage(t *testing.T) {
	for _, tt := range []struct {
		name string
		want bool
		of   [][2]string // vantage, verdict
	}{
		{"one watch", false, [][2]string{{"fra", "open"}}},
		{"two of one vantage", false, [][2]string{{"fra", "open"}, {"fra", "required"}}},
		{"the worst of one vantage is that of the other", false, [][2]string{{"fra", "required"}, {"fra", "unknown"}, {"sgp", "unknown"}}},
		{"both the same", false, [][2]string{{"fra", "required"}, {"sgp", "required"}}},
		{"open from one", true, [][2]string{{"fra", "required"}, {"sgp", "open"}}},
		{"unknown from one", true, [][2]string{{"fra", "required"}, {"sgp", "unknown"}}},
		{"gone from one", true, [][2]string{{"fra", "required"}, {"sgp", "gone"}}},
		{"gone from both", false, [][2]string{{"fra", "gone"}, {"sgp", "gone"}}},
	} {
		g := &gateway{}
		for i, x := range tt.of {
			g.sights = append(g.sights, &sight{watch: string(rune('a' + i)), vantage: x[0], verdict: Verdict(x[1])})
		}
		if got := g.row().Differs; got != tt.want {
			t.Errorf("%s: differs %t", tt.name, got)
		}
	}
}
