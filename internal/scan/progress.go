package scan

import "time"

// Progress is how far a scan is: a line of -stats. Adding a field does not break its readers.
type Progress struct {
	Type      string   `json:"type"` // "stats"
	ElapsedS  float64  `json:"elapsed_s"`
	Done      int64    `json:"done"`
	Total     int64    `json:"total"` // 0 while it is not known
	Found     int64    `json:"found"` // products recognised
	Rate      float64  `json:"rate"`  // targets a second since the line before
	InFlight  int      `json:"in_flight"`
	Limit     int      `json:"limit"`    // how many may be in flight at present
	Strained  int      `json:"strained"` // times this machine ran short of descriptors, ports or memory
	RemainsS  *float64 `json:"remains_s"`
	Completed bool     `json:"completed"` // the last line
}

// Meter reads the counters of a scan.
type Meter struct {
	cfg    *Config
	start  time.Time
	before time.Time
	done   int64 // at that time
}

// NewMeter returns the meter of a scan that begins at start. Count of the
// configuration must be set.
func NewMeter(cfg *Config, start time.Time) *Meter {
	return &Meter{cfg: cfg, start: start, before: start}
}

// Read says how far the scan is, now, and how fast it was since the time before.
func (m *Meter) Read(now time.Time, last bool) Progress {
	c := m.cfg.Count
	elapsed := now.Sub(m.start).Seconds()
	st := Progress{
		Type: "stats", ElapsedS: elapsed, Completed: last,
		Done: c.Done.Load(), Total: c.Total.Load(), Found: c.Found.Load(),
	}
	st.InFlight, st.Limit, st.Strained = m.cfg.InFlight.Load()
	if d := now.Sub(m.before).Seconds(); d > 0 {
		st.Rate = float64(st.Done-m.done) / d
	}
	if st.Done > 0 && st.Done <= st.Total {
		remains := elapsed / float64(st.Done) * float64(st.Total-st.Done)
		st.RemainsS = &remains
	}
	m.before, m.done = now, st.Done
	return st
}
