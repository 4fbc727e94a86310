package event

import (
	"testing"
	"time"
)

// TestStale: data of which one part is old is old, and so is data of which it is not known.
func TestStale(t *testing.T) {
	at := time.Date(2026, 11, 30, 23, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		releases, advisories string
		at                   time.Time
		want                 bool
	}{
		{"2026-11-16", "2026-11-16", at, false},
		{"2026-11-15", "2026-11-16", at, true},
		{"2026-11-16", "2026-11-15", at, true},
		{"2026-12-02", "2026-12-02", at, false}, // a clock that is behind
		{"", "2026-11-30", at, true},
		{"2026-11-30", "", at, true},
		{"2026-11-30", "yesterday", at, true},
		{"2026-11-30T00:00:00Z", "2026-11-30", at, false},
		{"2026-11-30", "2026-11-30", time.Time{}, true},
	} {
		d := Data{ReleasesAsOf: tt.releases, AdvisoriesAsOf: tt.advisories}
		if got := d.Stale(tt.at); got != tt.want {
			t.Errorf("%+v: stale %v", tt, got)
		}
	}
}
