package event

import (
	"fmt"
	"slices"
	"strings"
)

// Severity grades a finding. The zero value is not a severity.
type Severity string

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

// Rank orders severities: 0 for anything unknown, 1 for Info, 5 for Critical.
func (s Severity) Rank() int { return slices.Index(Severities(), s) + 1 }

// ParseSeverity reads a severity by name.
func ParseSeverity(s string) (Severity, error) {
	if v := Severity(s); v.Rank() > 0 {
		return v, nil
	}
	var names []string
	for _, v := range Severities() {
		names = append(names, string(v))
	}
	return "", fmt.Errorf("unknown severity %q: use one of %s", s, strings.Join(names, ", "))
}
