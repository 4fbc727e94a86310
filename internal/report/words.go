package report

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
)

// This file renders states as text. What it returns may still hold
// text that a target chose: clean it before printing.

// tone says how a text is meant, and so its colour.
type tone string

// The tones, named as in the style sheet.
const (
	plain  tone = "plain"
	good   tone = "good"
	doubt  tone = "doubt" // not known, not safe
	bad    tone = "bad"
	worst  tone = "worst"
	strong tone = "strong" // no judgement, only emphasis
	faint  tone = "faint"
)

// verdict is the state of a target in at most 24 columns, so that a table can
// show it beside an address. What was not judged is
// never worded, or toned, as if it were safe.
func (c *catalogue) verdict(t *event.Target) (string, tone) {
	switch t.Outcome {
	case event.OutcomeIdentified:
		if t.Refuses() && authState(t) != event.AuthOpen {
			return c.say("does not start"), plain
		}
	case event.OutcomeHelper:
		return c.helper(t)
	case event.OutcomeOther:
		if inFiles(t) {
			if !t.Judged() {
				return c.say("UNKNOWN - not all read"), doubt
			}
			return c.say("no gateway in it"), plain
		}
		if t.Auth != nil && t.Auth.State == event.AuthGated {
			return c.say("login in front"), plain
		}
		return c.say("no known product"), plain
	case event.OutcomeClosed:
		return c.say("closed"), faint
	case event.OutcomeSilent:
		return c.say("no answer"), faint
	case event.OutcomeExcluded:
		return c.say("not scanned - excluded"), faint
	case event.OutcomeUnreachable:
		return c.say("UNKNOWN - unreachable"), doubt
	case event.OutcomeReset:
		return c.say("UNKNOWN - reset"), doubt
	case event.OutcomeDNSError:
		return c.say("UNKNOWN - DNS failed"), doubt
	case event.OutcomeTLSError:
		return c.say("UNKNOWN - TLS failed"), doubt
	case event.OutcomeProtocolError:
		return c.say("UNKNOWN - not HTTP"), doubt
	case event.OutcomeLocalError:
		return c.say("UNKNOWN - local error"), doubt
	case event.OutcomeInterrupted:
		return c.say("UNKNOWN - interrupted"), doubt
	case event.OutcomeAbsent: // in a comparison: the newer scan has no line for it
		return c.say("UNKNOWN - not listed now"), doubt
	default:
		return c.say("UNKNOWN - %s", t.Outcome), doubt
	}
	if authState(t) == event.AuthUnknown && inFiles(t) && len(t.Files.Unjudged) > 0 {
		return c.say("UNKNOWN - not all read"), doubt
	}
	switch authState(t) {
	case event.AuthOpen:
		if t.Auth.Mode == event.ModeNone {
			return c.say("OPEN - no authentication"), worst
		}
		// Something on the way may add a credential: open all the same.
		return c.say("OPEN - accepts anyone"), worst
	case event.AuthClaimable:
		return c.say("CLAIMABLE - has no owner"), worst
	case event.AuthBlocked:
		return c.say("UNKNOWN - refuses proxy"), doubt
	case event.AuthGated:
		return c.say("gated in front"), plain
	case event.AuthRequired:
		if t.Files != nil && t.Files.Generated {
			return c.say("auth required, generated"), good
		}
		if t.Auth.Mode != "" {
			return c.say("auth required (%s)", t.Auth.Mode), good
		}
		return c.say("auth required"), good
	}
	return c.say("UNKNOWN - auth unclear"), doubt
}

// helper is the verdict of a helper service.
func (c *catalogue) helper(t *event.Target) (string, tone) {
	switch authState(t) {
	case event.AuthOpen:
		return c.say("reachable, no login"), bad
	case event.AuthRequired, event.AuthGated:
		return c.say("reachable, needs login"), plain
	}
	return c.say("reachable"), doubt
}

// authState returns the auth state of an identified target. No state, or one
// that this version does not know, is "unknown".
func authState(t *event.Target) event.AuthState {
	if t.Auth != nil && slices.Contains(event.AuthStates(), t.Auth.State) {
		return t.Auth.State
	}
	return event.AuthUnknown
}

// alarm orders targets without regard to findings: the smaller, the more it
// needs a look.
func alarm(t *event.Target) int {
	n := len(event.AuthStates())
	switch t.Outcome {
	case event.OutcomeIdentified:
		if t.Refuses() && authState(t) != event.AuthOpen {
			return n
		}
		return slices.Index(event.AuthStates(), authState(t))
	case event.OutcomeHelper:
		if authState(t) == event.AuthOpen {
			return 0
		}
		return n
	case event.OutcomeOther:
		return n + 1
	case event.OutcomeExcluded, event.OutcomeClosed, event.OutcomeSilent:
		return n + 2
	}
	return n
}

// worstSeverity returns the worst severity among the findings that stand, "" if
// there is none.
func worstSeverity(fs []event.Finding) event.Severity {
	var w event.Severity
	for _, f := range fs {
		if s := cmp.Or(f.Severity, event.Ungraded); f.Active() && s.Rank() > w.Rank() {
			w = s
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
	case a.Kind == event.TargetFiles:
		return a.Place()
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
func (c *catalogue) product(t *event.Target) string {
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
	if p.Confidence == event.Tentative {
		name = c.say("perhaps %s", name)
	}
	if r := c.release(t.Version); r != "" {
		return name + " " + r
	}
	if t.Outcome == event.OutcomeHelper {
		return name // its release is not looked for
	}
	return c.say("%s, release unknown", name)
}

// release names the release, or those that fit; "" if it is not known.
func (c *catalogue) release(v *event.Version) string {
	switch {
	case v == nil || v.Exact == "" && len(v.Candidates) == 0:
		return ""
	case v.Exact != "":
		return v.Exact
	case len(v.Candidates) <= 3:
		return c.enumerate(v.Candidates)
	}
	n := len(v.Candidates)
	return c.say("%s to %s (one of %d)", v.Candidates[0], v.Candidates[n-1], n)
}

// enumerate joins words as prose does: "a, b or c".
func (c *catalogue) enumerate(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return c.say("%s or %s", strings.Join(words[:last], c.say(", ")), words[last])
}

// severity names a severity. What this version does not know stays as it is.
func (c *catalogue) severity(s event.Severity) string {
	switch s {
	case event.Critical:
		return c.say("critical")
	case event.High:
		return c.say("high")
	case event.Medium:
		return c.say("medium")
	case event.Low:
		return c.say("low")
	case event.Info:
		return c.say("info")
	case event.Ungraded:
		return c.say("unknown")
	}
	return string(s)
}

// join puts sentences after each other: with a space, but not after the full
// stop of a script that has none.
func (c *catalogue) join(parts ...string) string {
	if c != nil {
		return strings.Join(parts, "")
	}
	return strings.Join(parts, " ")
}

// change says what is no longer as it was.
func (c *catalogue) change(ch event.Change) string {
	ch = event.Change{What: clean.N(ch.What, 40), Old: clean.N(c.optional(ch.Old, ch.OldMessage), 100), New: clean.N(c.optional(ch.New, ch.NewMessage), 100)}
	switch ch.What {
	case event.ChangedTarget:
		if ch.New == "" {
			return c.say("Changed: no longer seen; it was: %s", ch.Old)
		}
		return c.say("Changed: not seen before; it is: %s", ch.New)
	case event.ChangedVerdict:
		return c.say("Changed: the verdict was: %s", ch.Old)
	case event.ChangedRelease:
		return c.say("Changed: the release was: %s", ch.Old)
	}
	return c.say("Changed: %s was: %s", ch.What, ch.Old)
}

// changeShort is change for a table that says where and that it is a change.
func (c *catalogue) changeShort(ch event.Change) string {
	old, now := clean.N(c.optional(ch.Old, ch.OldMessage), 100), clean.N(c.optional(ch.New, ch.NewMessage), 100)
	switch {
	case ch.What == event.ChangedTarget && ch.New == "":
		return c.say("no longer seen (was: %s)", old)
	case ch.What == event.ChangedTarget:
		return c.say("not seen before (is: %s)", now)
	case ch.What == event.ChangedVerdict:
		return c.say("verdict: %s, before: %s", now, old)
	case ch.What == event.ChangedRelease:
		return c.say("release: %s, before: %s", now, old)
	}
	return c.say("%s: %s, before: %s", clean.N(ch.What, 40), now, old)
}

// changeMark stands before the title of a finding in a comparison.
func (c *catalogue) changeMark(change event.FindingChange) string {
	switch change {
	case event.Opened:
		return c.say("[new]")
	case event.Closed:
		return c.say("[gone]")
	case event.Unseen:
		return c.say("[not seen again]")
	}
	return ""
}
