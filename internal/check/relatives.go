package check

import (
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
)

// ForRelatives reports whether a check also looks at OpenClaw's relatives. The
// others read what OpenClaw alone answers, or know its releases alone.
func ForRelatives(id string) bool {
	return slices.Contains([]string{
		"auth-missing", "claimable", "default-password", "auth-unverified",
		"exposed-to-internet", "listens-beyond-loopback", "plain-http",
		"tls-expired", "tls-name-mismatch", "tls-self-signed", "tls-old",
	}, id)
}

// forRelative gives a finding on a relative or a helper the product's own words:
// OpenClaw's settings and documentation are not its.
func (s *Subject) forRelative(f *event.Finding) {
	a := s.Verdict.Advice
	f.References = a.References
	switch f.ID {
	case "auth-missing", "claimable", "default-password", "helper-open":
		f.Remediation = a.Fix + " Runbook: clawsonar explain " + s.Verdict.Product
		return
	}
	if fix, ok := anyProduct()[f.ID]; ok {
		f.Remediation = strings.Join(strings.Fields(fix), " ")
	}
}

// anyProduct has the advice of checks that name OpenClaw's settings, for products
// whose settings are called otherwise.
func anyProduct() map[string]string {
	return map[string]string{
		"exposed-to-internet": `Bind it to loopback and reach it through an SSH tunnel or a VPN; until then close
the port in the firewall.`,
		"listens-beyond-loopback": `Bind it to 127.0.0.1 in its settings and restart it; in a container publish the port
on 127.0.0.1 only.`,
		"plain-http":      `Put a proxy with TLS in front, and bind the plain port to loopback only.`,
		"tls-self-signed": `Give it a certificate that clients can verify, or pin its fingerprint in every client.`,
		"tls-old":         `Have it, or the proxy in front of it, offer TLS 1.2 and later only.`,
	}
}
