package event

import (
	"math"
	"slices"
)

// NewSummary returns the summary of a stream without targets.
func NewSummary() *Summary {
	return &Summary{Type: TypeSummary, Outcomes: map[Outcome]int{}, Auth: map[AuthState]int{}, Findings: map[Severity]int{}}
}

// Add counts a target.
func (s *Summary) Add(t *Target) { s.count(t, 1) }

// Remove takes back a target that Add has counted.
func (s *Summary) Remove(t *Target) { s.count(t, -1) }

func (s *Summary) count(t *Target, n int) {
	s.AddOutcome(t.Outcome, n)
	if t.Outcome == OutcomeIdentified {
		state := AuthUnknown
		if t.Auth != nil {
			state = t.Auth.State
		}
		change(s.Auth, state, n)
	}
	for i := range t.Findings {
		f := &t.Findings[i]
		if f.Suppressed != "" {
			s.Suppressed += n
		} else if f.Active() {
			change(s.Findings, f.Severity, n)
		}
	}
	for i := range t.Advisories {
		if t.Advisories[i].Suppressed != "" {
			s.Suppressed += n
		}
	}
}

// AddOutcome counts n targets that have no line; a negative n takes them back.
func (s *Summary) AddOutcome(o Outcome, n int) {
	s.Targets += int64(n)
	change(s.Outcomes, o, n)
}

// AddSummary adds the numbers of another scan.
func (s *Summary) AddSummary(o *Summary) {
	s.Targets += o.Targets
	changeAll(s.Outcomes, o.Outcomes)
	changeAll(s.Auth, o.Auth)
	changeAll(s.Findings, o.Findings)
	s.Suppressed += o.Suppressed
	s.Complete = s.Complete && o.Complete
	s.MissEstimate.Reprobed += o.MissEstimate.Reprobed
	s.MissEstimate.Found += o.MissEstimate.Found
	s.MissEstimate.Missed += o.MissEstimate.Missed
	s.MissEstimate.MissedAtMost += o.MissEstimate.MissedAtMost
	s.AddNotes(o.AllNotes()...)
	if o.Finished.After(s.Finished) {
		s.Finished = o.Finished
	}
}

// AddUnlisted adds what another scan could not judge and has no line for.
func (s *Summary) AddUnlisted(o *Unlisted) {
	if o == nil {
		return
	}
	sum := Unlisted{Targets: []Place{}}
	if s.Unlisted != nil {
		sum = *s.Unlisted
	}
	sum.Count += o.Count
	sum.Targets = slices.Concat(sum.Targets, o.Targets[:min(len(o.Targets), max(0, MaxUnlisted-len(sum.Targets)))])
	s.Unlisted = &sum
}

// Estimate says how many of the silent targets would answer if they were tried again, too,
// from those that were: Reprobed and Found, of which the silent ones are no longer. The
// interval is Wilson's score interval.
func (m *MissEstimate) Estimate(silent int) {
	m.Missed, m.MissedAtMost = 0, 0
	rest := float64(silent - (m.Reprobed - m.Found))
	if m.Reprobed == 0 || rest <= 0 {
		return
	}
	const z = 1.96 // 95 %
	n := float64(m.Reprobed)
	p := float64(m.Found) / n
	upper := (p + z*z/(2*n) + z*math.Sqrt(p*(1-p)/n+z*z/(4*n*n))) / (1 + z*z/n)
	m.Missed = int(math.Round(p * rest))
	m.MissedAtMost = int(math.Ceil(upper * rest))
}

// Suppress moves findings from those that stand to those that are suppressed.
func (s *Summary) Suppress(taken map[Severity]int) {
	for severity, n := range taken {
		change(s.Findings, severity, -n)
		s.Suppressed += n
	}
}

func change[K ~string](m map[K]int, key K, n int) {
	if m[key] += n; m[key] <= 0 {
		delete(m, key)
	}
}

func changeAll[K ~string](m, by map[K]int) {
	for key, n := range by {
		change(m, key, n)
	}
}
