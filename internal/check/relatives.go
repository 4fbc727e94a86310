package check

import (
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
)

// reword gives a finding on a relative or a helper the product's own words:
// OpenClaw's settings and documentation are not its.
func (s *Subject) reword(d *Doc, f *event.Finding) {
	a := s.Verdict.Advice
	f.References = a.References
	switch {
	case d.Advised:
		f.Remediation = a.Fix + " Runbook: clawsonar explain " + s.Verdict.Product.ID
	case d.FixAny != "":
		f.Remediation = strings.Join(strings.Fields(d.FixAny), " ")
	}
}

// means returns the product's own words on what a state means, or else.
func means(v *fingerprint.Verdict, otherwise string) string {
	if v.Advice.Means != "" {
		return v.Advice.Means
	}
	return otherwise
}
