package event

import (
	"fmt"
	"slices"
	"strings"
)

// Severity grades a finding. The zero value is not a severity.
type Severity string

// Ungraded is the severity of an advisory that has neither a severity nor a score.
// It is not one of Severities: no check gives it to a finding.
const Ungraded Severity = "unknown"

// The severities, from least to worst.
const (
	Info     Severity = "info"
	Low      Severity = "low"
	Medium   Severity = "medium"
	High     Severity = "high"
	Critical Severity = "critical"
)

// Severities returns all severities from least to worst.
func Severities() []Severity { return []Severity{Info, Low, Medium, High, Critical} }

// Known reports whether s is one of Severities.
func (s Severity) Known() bool { return slices.Contains(Severities(), s) }

// Rank orders severities: 0 for "", which is none, 1 for Info, 5 for Critical. What
// is not known ranks as Critical: it must not pass for mild.
func (s Severity) Rank() int {
	if s != "" && !s.Known() {
		return Critical.Rank()
	}
	return slices.Index(Severities(), s) + 1
}

// ParseSeverity reads a severity by name.
func ParseSeverity(s string) (Severity, error) {
	if v := Severity(s); v.Known() {
		return v, nil
	}
	return "", fmt.Errorf("unknown severity %q: use one of %s", s, strings.Join(Words(Severities()...), ", "))
}
