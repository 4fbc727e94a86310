package cli

import (
	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/event"
)

// rules are the checks as the reports see them.
func rules() []event.Rule {
	var out []event.Rule
	for _, c := range check.All() {
		d := c.Doc
		out = append(out, event.Rule{
			ID: d.ID, Title: d.Title, Severity: d.Severity, When: d.When, Why: d.Why, Fix: d.Fix, Steps: d.Steps, First: d.First,
			Controls: d.Controls, References: d.References, Needs: needs(d.ID), Relatives: d.Relatives,
		})
	}
	return out
}

// needs says what must be known of a gateway before the absence of a check's
// finding means that it was passed. What is not listed needs a recognised product.
func needs(id string) event.Need {
	switch id {
	case "auth-missing", "claimable":
		return event.NeedsAuth
	case "release-outdated", "advisory-affected", "legacy-product":
		return event.NeedsRelease
	case "listens-beyond-loopback":
		return event.NeedsListener
	case "tls-self-signed", "tls-expired", "tls-name-mismatch", "tls-old":
		return event.NeedsTLS
	case "everyone-is-local", "exposed-to-internet":
		return event.NeedsRemote
	case "trusted-proxy-spoofable", "origin-wildcard", "origin-host-fallback", "device-auth-disabled":
		return event.NeedsDeep
	case "browser-control-reachable", "cdp-reachable", "novnc-reachable", "helper-open":
		return event.NeedsHelpers
	}
	return event.NeedsProduct
}

func checkIDs() []string {
	var ids []string
	for _, c := range check.All() {
		ids = append(ids, c.Doc.ID)
	}
	return ids
}
