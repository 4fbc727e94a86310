package report

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
)

// This file puts states into words for people. What it returns may still hold
// text that a target chose: clean it before printing.

// tone says how a text is meant, and so its colour.
type tone int

const (
	plain tone = iota
	good
	doubt // not known, not safe
	bad
	worst
	strong // no judgement, only emphasis
	faint
)

// verdict is the state of a target in at most 24 columns, so that a table can
// show it beside an address. What was not judged is
// never worded, or toned, as if it were safe.
func verdict(t *event.Target) (string, tone) {
	switch t.Outcome {
	case "identified":
	case "other":
		if t.Auth != nil && t.Auth.State == "gated" {
			return "a log-in in front", plain
		}
		return "no known product", plain
	case "closed":
		return "closed", faint
	case "silent":
		return "no answer", faint
	case "excluded":
		return "not scanned - excluded", faint
	case "unreachable":
		return "UNKNOWN - unreachable", doubt
	case "reset":
		return "UNKNOWN - reset", doubt
	case "dns-error":
		return "UNKNOWN - DNS failed", doubt
	case "tls-error":
		return "UNKNOWN - TLS failed", doubt
	case "protocol-error":
		return "UNKNOWN - not HTTP", doubt
	case "local-error":
		return "UNKNOWN - local error", doubt
	case "interrupted":
		return "UNKNOWN - interrupted", doubt
	default:
		return "UNKNOWN - " + t.Outcome, doubt
	}
	switch authState(t) {
	case "open":
		if t.Auth.Mode == "none" {
			return "OPEN - no authentication", worst
		}
		// Something on the way may add a credential: open all the same.
		return "OPEN - lets strangers in", worst
	case "claimable":
		return "CLAIMABLE - has no owner", worst
	case "blocked":
		return "UNKNOWN - refuses proxy", doubt
	case "gated":
		return "gated in front", plain
	case "required":
		if t.Auth.Mode != "" {
			return "auth required (" + t.Auth.Mode + ")", good
		}
		return "auth required", good
	}
	return "UNKNOWN - auth unclear", doubt
}

// authState returns the auth state of an identified target. No state, or one
// that this version does not know, is "unknown".
func authState(t *event.Target) string {
	if t.Auth != nil && slices.Contains(authStates(), t.Auth.State) {
		return t.Auth.State
	}
	return "unknown"
}

// authStates lists the states from the most to the least alarming.
func authStates() []string {
	return []string{"open", "claimable", "blocked", "unknown", "gated", "required"}
}

// alarm orders targets without regard to findings: the smaller, the more it
// needs a look.
func alarm(t *event.Target) int {
	n := len(authStates())
	switch t.Outcome {
	case "identified":
		return slices.Index(authStates(), authState(t))
	case "other":
		return n + 1
	case "excluded", "closed", "silent":
		return n + 2
	}
	return n
}

// worstSeverity returns the worst severity among the unsuppressed findings, ""
// if there is none.
func worstSeverity(fs []event.Finding) event.Severity {
	var w event.Severity
	for _, f := range fs {
		if f.Suppressed == "" && (w == "" || f.Severity.Rank() > w.Rank()) {
			w = f.Severity
		}
	}
	return w
}

// where names a target: its URL, else the best that is known of it.
func where(a event.Address) string {
	host := a.Name
	if host == "" {
		host = a.IP
	}
	switch {
	case a.URL != "":
		return a.URL
	case host != "" && a.Port != 0:
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return host + ":" + strconv.Itoa(a.Port)
	case host != "":
		return host
	}
	return a.Input
}

// address returns what targets are sorted by; zero if the address is not known.
func address(a event.Address) netip.AddrPort {
	ip, err := netip.ParseAddr(a.IP)
	if err != nil || a.Port < 0 || a.Port > 65535 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ip, uint16(a.Port))
}

// product names product and release; "" if nothing was recognised.
func product(t *event.Target) string {
	p := t.Product
	if p == nil {
		return ""
	}
	name := p.Name
	switch p.Brand {
	case "openclaw":
		name = "OpenClaw"
	case "moltbot":
		name = "Moltbot"
	case "clawdbot":
		name = "Clawdbot"
	case "":
	default:
		name = p.Brand
	}
	if name == "" {
		name = p.ID
	}
	if p.Confidence == "tentative" {
		name = "perhaps " + name
	}
	if r := release(t.Version); r != "" {
		return name + " " + r
	}
	return name + ", release unknown"
}

// release names the release, or those that fit; "" if it is not known.
func release(v *event.Version) string {
	switch {
	case v == nil || v.Exact == "" && len(v.Candidates) == 0:
		return ""
	case v.Exact != "":
		return v.Exact
	case len(v.Candidates) <= 3:
		return enumerate(v.Candidates, "or")
	}
	c := v.Candidates
	return fmt.Sprintf("%s to %s (one of %d)", c[0], c[len(c)-1], len(c))
}

// enumerate joins words as prose does: "a, b or c".
func enumerate(words []string, conj string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " " + conj + " " + words[last]
}

// count puts a number before its noun: "1 gateway", "2 gateways".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
