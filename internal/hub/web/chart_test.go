package web

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// points reads the corners of an area.
func points(t *testing.T, a area) (out [][2]float64) {
	t.Helper()
	for p := range strings.SplitSeq(a.Points, " ") {
		x, y, ok := strings.Cut(p, ",")
		fx, err := strconv.ParseFloat(x, 64)
		fy, err2 := strconv.ParseFloat(y, 64)
		if !ok || err != nil || err2 != nil || math.IsNaN(fx+fy) || fx < 0 || fx > chartWidth || fy < 0 || fy > chartHeight {
			t.Fatalf("%s: point %q", a.Name, p)
		}
		out = append(out, [2]float64{fx, fy})
	}
	return out
}

// TestStacked: for any days, every point is inside the drawing, each area stands on the
// one below and is as high as its number, and the table has the numbers.
func TestStacked(t *testing.T) {
	l := board(t, fleet(t, same)).languages["en"]
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		days := make([]store.Day, random.IntN(430))
		most := 1 << random.IntN(20)
		for i := range days {
			days[i] = store.Day{Date: at(float64(len(days) - i)), N: map[store.Verdict]int{}}
			for _, v := range store.Verdicts() {
				if random.IntN(3) == 0 {
					days[i].N[v] = random.IntN(most + 1)
				}
			}
		}
		c := stacked(l, days)
		if len(days) == 0 {
			if len(c.Areas)+len(c.Days) != 0 {
				t.Fatalf("no day gives %+v", c)
			}
			continue
		}
		shownDays := days[max(0, len(days)-chartDays):]
		if len(c.Days) != len(shownDays) || len(c.Areas) != len(c.Verdicts) {
			t.Fatalf("%d days, %d areas", len(c.Days), len(c.Areas))
		}
		top, err := strconv.Atoi(c.Top)
		if err != nil {
			t.Fatal(err)
		}
		n := max(len(shownDays), 2)
		below := make([]float64, n)
		for i := range below {
			below[i] = chartHeight
		}
		for k, a := range c.Areas {
			p := points(t, a)
			if len(p) != 2*n {
				t.Fatalf("%d points for %d days", len(p), len(shownDays))
			}
			for i := range n {
				upper, lower := p[i], p[2*n-1-i]
				number := shownDays[min(i, len(shownDays)-1)].N[c.Verdicts[k]]
				height := float64(number) * chartHeight / float64(top)
				if upper[0] != lower[0] || math.Abs(lower[1]-below[i]) > 0.02 || math.Abs(lower[1]-upper[1]-height) > 0.02 {
					t.Fatalf("day %d of %s: from %v to %v, want %f on %f", i, a.Name, lower, upper, height, below[i])
				}
				below[i] = upper[1]
			}
		}
		end := 0.0
		for i, d := range c.Days {
			for k, v := range c.Verdicts {
				if d.N[k] != shownDays[i].N[v] {
					t.Fatalf("%s: the table has %v, the day %v", d.Date, d.N, shownDays[i].N)
				}
			}
			x, err := strconv.ParseFloat(d.X, 64)
			width, err2 := strconv.ParseFloat(d.Width, 64)
			if err != nil || err2 != nil || math.Abs(x-end) > 0.02 {
				t.Fatalf("%s begins at %s, the day before ends at %f", d.Date, d.X, end)
			}
			end = x + width
		}
		if math.Abs(end-chartWidth) > 0.02 {
			t.Fatalf("the last of %d days ends at %f", len(c.Days), end)
		}
	}
}

func TestStackedEdges(t *testing.T) {
	l := board(t, fleet(t, same)).languages["en"]
	one := store.Day{Date: time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC), N: map[store.Verdict]int{"required": 3}}
	if c := stacked(l, []store.Day{one}); len(c.Areas) != 1 || c.Areas[0].Points != "0,50 1000,50 1000,200 0,200" || c.Days[0].Width != "1000" {
		t.Errorf("one day: %+v", c)
	}
	if c := stacked(l, []store.Day{{Date: one.Date}}); len(c.Areas) != 0 || len(c.Days) != 1 {
		t.Errorf("an empty day: %+v", c)
	}
	// What is gone or is something else is no gateway, and what is not a number of
	// gateways draws nothing.
	if c := stacked(l, []store.Day{{Date: one.Date, N: map[store.Verdict]int{store.Gone: 5, store.Other: 5, "open": -1}}}); len(c.Areas) != 0 {
		t.Errorf("no gateway: %+v", c)
	}
}

func TestCeiling(t *testing.T) {
	for n, want := range map[int]int{0: 1, 1: 1, 2: 2, 3: 4, 9: 10, 10: 10, 11: 12, 13: 14, 41: 60, 99: 100, 101: 120, 130: 140, 20_000: 20_000, 20_001: 22_000} {
		got := ceiling(n)
		if got < n || got != want {
			t.Errorf("%d: %d, want %d", n, got, want)
		}
	}
}
