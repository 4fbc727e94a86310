package cli

import (
	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/rule"
)

// rules are the checks as the reports see them.
func rules() []rule.Rule {
	var out []rule.Rule
	for _, c := range check.All() {
		d := c.Doc
		out = append(out, rule.Rule{
			ID: d.ID, Title: d.Title, Severity: d.Severity, When: d.When, Why: d.Why, Fix: d.Fix, Steps: d.Steps, First: d.First,
			Controls: d.Controls, References: d.References, Needs: needs(d.ID), Relatives: d.Relatives,
		})
	}
	return out
}

// needs says what must be known of a gateway before the absence of a check's
// finding means that it was passed. What is not listed needs a recognised product.
func needs(id string) rule.Need {
	switch id {
	case "auth-missing", "claimable":
		return rule.Auth
	case "release-outdated", "advisory-affected", "legacy-product":
		return rule.Release
	case "listens-beyond-loopback":
		return rule.Listener
	case "tls-self-signed", "tls-expired", "tls-name-mismatch", "tls-old":
		return rule.TLS
	case "everyone-is-local", "exposed-to-internet":
		return rule.Remote
	case "trusted-proxy-spoofable", "origin-wildcard", "origin-host-fallback", "device-auth-disabled":
		return rule.Deep
	case "browser-control-reachable", "cdp-reachable", "novnc-reachable", "helper-open":
		return rule.Helpers
	}
	return rule.Product
}

func checkIDs() []string {
	var ids []string
	for _, c := range check.All() {
		ids = append(ids, c.Doc.ID)
	}
	return ids
}
