package check

import (
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/message"
)

// reword gives a finding on a relative or a helper the product's own texts:
// OpenClaw's settings and documentation do not apply to it.
func (s *Subject) reword(d *event.CheckInfo, f *event.Finding) {
	a := s.Verdict.Advice
	f.References = a.References
	switch {
	case d.Advised:
		f.Advise(message.Fixed(adviceID(s.Verdict)+".fix", a.Fix), message.Say("runbook", message.Of("topic", s.Verdict.Product.ID)))
	case d.FixAny != "":
		f.Advise(message.Fixed(d.ID+".fix-any", d.FixAny))
	}
}

// means returns the product's own text on what a state means, or otherwise.
func means(v *fingerprint.Verdict, otherwise message.Text) message.Text {
	if v.Advice.Means != "" {
		return message.Fixed(adviceID(v)+".means", v.Advice.Means)
	}
	return otherwise
}

// adviceID is how the ids of a product's own texts on its state begin.
func adviceID(v *fingerprint.Verdict) string {
	return "product." + v.Product.ID + "." + string(v.Auth.State)
}
