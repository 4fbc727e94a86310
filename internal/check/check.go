// Package check turns a verdict into findings. A check is one small file: a
// Doc that tells people what it means and what to do, and a pure function.
package check

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"

	"github.com/clawsonar/clawsonar/internal/advisory"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/release"
)

// Doc is what people need to know about a check.
type Doc struct {
	ID       string
	Title    string
	Severity event.Severity // the worst it can have
	When     string         // what makes it appear, and how that was decided
	Why      string         // what it means to the operator
	Fix      string         // what to do, in a sentence or two: goes into every report
	Steps    string         // the same as a runbook, with the exact keys and commands
	// Controls are the recommendations it belongs to: nvdb:N1…N6 (NVDB, "six
	// dos and six don'ts", 2026-03-11), cncert:C1…C7 (CNCERT/CC risk notice,
	// 2026-03-10), tongbao:T1…T5 (national notification centre, 2026-03-13),
	// owasp:ASI01…ASI10 (OWASP Top 10 for Agentic Applications).
	Controls   []string
	References []string

	// Relatives: it also looks at OpenClaw's relatives. The others read what
	// OpenClaw alone answers, or know its releases alone.
	Relatives bool
	// FixAny stands for Fix where the product is not OpenClaw, whose settings Fix
	// may name; "" where Fix suits any.
	FixAny string
	// First are the commands for the gateway's host that mend it, by the finding's
	// Step; {release} stands for its Release. Each was run on a real gateway, see
	// TestDoThisFirst in internal/test/e2e.
	First map[string][]string

	// Advised: what to do about a product that is not OpenClaw is its own advice.
	Advised bool
}

// Subject is what a check looks at.
type Subject struct {
	HostPort string // normalised host:port, see target.Target
	Reach    event.Reach
	Bound    netip.AddrPort
	Process  string
	// Forwards: what listens is no gateway itself, but hands one on. Ways are the
	// URLs of other listeners of this machine that lead to this gateway, or may.
	// Both are known only with Bound.
	Forwards    bool
	Ways        []string
	Observation *evidence.Observation
	Verdict     *fingerprint.Verdict
	// Evidence returns the exchanges in which signals, or the sources of a release,
	// were seen: see fingerprint.Case.
	Evidence func(names ...string) []string
	Releases *release.Table // of the product; nil when it has none
	// Advisories are those that apply; nil when the product has none.
	Advisories *advisory.Assessment
}

// recognised reports whether the product is more than a guess.
func (s *Subject) recognised() bool {
	return s.Verdict.Product.Confidence.Rank() >= event.Firm.Rank()
}

// gateway reports whether the product is a gateway, OpenClaw or a relative, and no
// helper beside one. Which checks look at relatives, see Doc.
func (s *Subject) gateway() bool { return s.recognised() && !s.Verdict.Helper }

// loopback reports whether the target was reached over loopback.
func (s *Subject) loopback() bool { return s.Reach == event.ReachLoopback }

// alone reports whether the gateway listens on loopback alone, and nothing that
// was looked at on its machine hands it on.
func (s *Subject) alone() bool {
	return s.Bound.IsValid() && s.Bound.Addr().IsLoopback() && !s.Forwards && len(s.Ways) == 0 && s.Verdict.Front.Kind == ""
}

// Check is one rule.
type Check struct {
	Doc   Doc
	Judge func(Subject) []event.Finding
}

// All returns every check, in the order in which findings of equal severity
// are listed.
func All() []Check {
	return []Check{
		authMissing(),
		claimable(),
		defaultPassword(),
		trustedProxySpoofable(),
		cdpReachable(),
		browserControlReachable(),
		novncReachable(),
		helperOpen(),
		everyoneIsLocal(),
		originWildcard(),
		originHostFallback(),
		deviceAuthDisabled(),
		legacyProduct(),
		exposedToInternet(),
		advisoryAffected(),
		releaseOutdated(),
		proxyAttributionBlocked(),
		listensBeyondLoopback(),
		terminalEnabled(),
		openaiAPIEnabled(),
		canvasOpen(),
		metricsPublic(),
		plainHTTP(),
		tlsExpired(),
		tlsNameMismatch(),
		tlsSelfSigned(),
		tlsOld(),
		readinessDetailsPublic(),
		bootstrapConfigPublic(),
		filesystemPathsPublic(),
		assistantNamePublic(),
		sourceMapsPublic(),
		hooksEnabled(),
		authUnverified(),
	}
}

// Run returns the findings of all checks that look at the product.
func Run(checks []Check, s Subject) []event.Finding {
	var out []event.Finding
	for _, c := range checks {
		if s.Verdict.Relative && !c.Doc.Relatives {
			continue
		}
		for _, f := range c.Judge(s) {
			if s.Verdict.Relative || s.Verdict.Helper && c.Doc.Advised {
				s.reword(&c.Doc, &f)
			}
			out = append(out, f)
		}
	}
	return out
}

// finding fills in what follows from the Doc and the subject. The discriminator
// tells several findings of one check on one target apart.
func (d Doc) finding(s Subject, severity event.Severity, discriminator, detail string, because ...string) event.Finding {
	return event.Finding{
		ID: d.ID, Severity: severity, Title: d.Title, Detail: detail, Remediation: strings.Join(strings.Fields(d.Fix), " "),
		Controls: d.Controls, References: d.References, Evidence: s.Evidence(because...),
		Key: key(d.ID, s.HostPort+s.Observation.Base, discriminator),
	}
}

// short caps a text that a target chose.
func short(s string) string {
	const limit = 120
	if len(s) > limit {
		return strings.ToValidUTF8(s[:limit], "") + "..."
	}
	return s
}

// key identifies a finding across runs, versions of the tool and changes of
// wording: 32 hex digits of a SHA-256.
func key(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])[:32]
}
