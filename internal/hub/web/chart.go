package web

import (
	"fmt"
	"strings"

	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// The drawing of a chart has these units; the page stretches it.
const (
	chartWidth  = 1000
	chartHeight = 200
	chartDays   = 400 // the last of them are shown
)

// areaChart is how many gateways had which verdict, over days, one area on the other.
// The same numbers are in its rows.
type areaChart struct {
	Width, Height int
	Text          string // what it shows, in a sentence
	Areas         []area // the worst at the bottom
	Days          []chartDay
	Top, Middle   string // what the lines at the top and in the middle stand for
	First, Last   string // days
	Verdicts      []store.Verdict
}

type area struct {
	Class, Name, Points string
}

// chartDay is one day: where the pointer finds it, and its numbers.
type chartDay struct {
	Date     string
	X, Width string
	Title    string
	N        []int // by verdict, as areaChart.Verdicts
}

// stacked draws the days. Verdicts that no day has are left out; no day gives no areas,
// and one day is drawn as wide as the chart.
func stacked(l *language, days []store.Day) areaChart {
	c := areaChart{Width: chartWidth, Height: chartHeight}
	if len(days) > chartDays {
		days = days[len(days)-chartDays:]
	}
	if len(days) == 0 {
		return c
	}
	most := 1
	for _, d := range days {
		sum := 0
		for _, v := range shown() {
			sum += max(d.N[v], 0)
		}
		most = max(most, sum)
	}
	top := ceiling(most)
	for _, v := range shown() {
		for _, d := range days {
			if d.N[v] > 0 {
				c.Verdicts = append(c.Verdicts, v)
				break
			}
		}
	}
	c.Top, c.First, c.Last = fmt.Sprint(top), day(days[0].Date), day(days[len(days)-1].Date)
	if top%2 == 0 {
		c.Middle = fmt.Sprint(top / 2)
	}
	c.Text = l.Say("gateways by verdict, %s to %s, between 0 and %d", c.First, c.Last, most)

	floor := make([]int, len(days)) // the upper edge of what is below
	x := func(i int) float64 {
		if len(days) == 1 {
			return float64(i) * chartWidth
		}
		return float64(i) * chartWidth / float64(len(days)-1)
	}
	y := func(n int) float64 { return chartHeight - float64(n)*chartHeight/float64(top) }
	for _, v := range c.Verdicts {
		var upper, lower []string
		for i, d := range days {
			low := floor[i]
			floor[i] += max(d.N[v], 0)
			upper = append(upper, point(x(i), y(floor[i])))
			lower = append(lower, point(x(i), y(low)))
			if len(days) == 1 {
				upper = append(upper, point(x(1), y(floor[i])))
				lower = append(lower, point(x(1), y(low)))
			}
		}
		for i, j := 0, len(lower)-1; i < j; i, j = i+1, j-1 {
			lower[i], lower[j] = lower[j], lower[i]
		}
		c.Areas = append(c.Areas, area{Class: verdictClass(v), Name: l.verdict(v), Points: strings.Join(append(upper, lower...), " ")})
	}
	half := chartWidth / 2 / float64(max(len(days)-1, 1)) // of the space between two days
	for i, d := range days {
		from, to := max(x(i)-half, 0), min(x(i)+half, chartWidth)
		if len(days) == 1 {
			to = chartWidth
		}
		x := chartDay{Date: day(d.Date), X: number(from), Width: number(to - from)}
		parts := []string{}
		for _, v := range c.Verdicts {
			x.N = append(x.N, d.N[v])
			parts = append(parts, l.Say("%s: %d", l.verdict(v), d.N[v]))
		}
		x.Title = l.Say("%s: %s", x.Date, strings.Join(parts, l.Say(", ")))
		c.Days = append(c.Days, x)
	}
	return c
}

func point(x, y float64) string { return number(x) + "," + number(y) }

func number(f float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", f), "0"), ".")
}

// ceiling is the next number at or above n that is fit for an axis: even, but for 1, and
// with few digits.
func ceiling(n int) int {
	if n <= 1 {
		return 1
	}
	step := 2
	for step*20 < n {
		step *= 10
	}
	return (n + step - 1) / step * step
}
