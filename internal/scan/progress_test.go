package scan

import (
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/pace"
)

func TestMeter(t *testing.T) {
	cfg := &Config{Count: new(Count), InFlight: pace.NewInFlight(7)}
	start := time.Now()
	m := NewMeter(cfg, start)
	for _, tt := range []struct {
		after               time.Duration
		done, total         int64
		elapsed, rate, left float64 // left is -1 while it is not known
	}{
		{0, 0, 0, 0, 0, -1},
		{2 * time.Second, 10, 0, 2, 5, -1},
		{4 * time.Second, 50, 200, 4, 20, 12},
		{4 * time.Second, 50, 200, 4, 0, 12},
		{5 * time.Second, 200, 200, 5, 150, 0},
	} {
		cfg.Count.Done.Store(tt.done)
		cfg.Count.Total.Store(tt.total)
		p := m.Read(start.Add(tt.after), false)
		left := -1.0
		if p.RemainsS != nil {
			left = *p.RemainsS
		}
		if p.ElapsedS != tt.elapsed || p.Rate != tt.rate || left != tt.left || p.Done != tt.done || p.Limit != 7 {
			t.Errorf("after %s: %+v, %v left", tt.after, p, left)
		}
	}
}
