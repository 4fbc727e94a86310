// Package check turns a verdict into findings. A check is one small file: what tells
// people what it means and what to do, and a pure function.
package check

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/advisory"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/release"
)

// Subject is what a check looks at.
type Subject struct {
	HostPort string // normalised host:port, see target.Target
	Reach    event.Reach
	Bound    netip.AddrPort
	Process  string
	// Forwards: what listens is no gateway itself, but forwards to one. Ways are the
	// URLs of other listeners of this machine that lead to this gateway, or may.
	// Both are known only with Bound.
	Forwards    bool
	Ways        []string
	Discovery   *event.Discovery // what led to it; nil if it was named
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

// gateway reports whether the product is a gateway, OpenClaw or a relative, and not
// a helper of one.
func (s *Subject) gateway() bool { return s.recognised() && !s.Verdict.Helper }

// loopback reports whether the target was reached over loopback.
func (s *Subject) loopback() bool { return s.Reach == event.ReachLoopback }

// here reports whether the target was reached over loopback, and is not known to listen
// for others, too.
func (s *Subject) here() bool { return s.loopback() && !s.beyond() }

// beyond reports whether the listener is known to be bound, or published, beyond loopback.
func (s *Subject) beyond() bool { return s.Bound.IsValid() && !s.Bound.Addr().IsLoopback() }

// at is the address at which others reach the target: of a listener that was reached
// over loopback, what it is bound to.
func (s *Subject) at() string {
	if s.loopback() && s.beyond() {
		return s.Bound.String()
	}
	return s.HostPort
}

// alone reports whether the gateway listens on loopback alone, and nothing that
// was seen on its machine forwards to it.
func (s *Subject) alone() bool {
	return s.Bound.IsValid() && s.Bound.Addr().IsLoopback() && !s.Forwards && len(s.Ways) == 0 && s.Verdict.Front.Kind == ""
}

// proven returns the signals that prove a trait of a gateway, nil when it is not
// proven.
func (s *Subject) proven(trait string) []string {
	if !s.gateway() {
		return nil
	}
	return s.Verdict.Trait(trait)
}

// Check is what people need to know of a check, and the function that makes it; nil
// where only the files of a deployment tell.
type Check struct {
	Doc   event.CheckInfo
	judge judge
}

// judge returns what a check finds at a subject, or nil.
type judge func(*Check, *Subject) *event.Finding

// Judge returns what a check finds, or nil.
func (c Check) Judge(s Subject) *event.Finding {
	if c.judge == nil {
		return nil
	}
	return c.judge(&c, &s)
}

// At returns the finding of a check at a place that was judged elsewhere, such as in
// files. Place tells it from others of the same check: see event.Finding.Key.
func (c Check) At(place string, severity event.Severity, detail ...message.Text) *event.Finding {
	f := c.at(place, severity, detail...)
	if _, ok := c.Doc.Fixes[event.InFiles]; ok {
		f.Advise(c.OtherFix(event.InFiles))
	}
	return f
}

// Find returns the check of that id.
func Find(id string) (Check, bool) {
	all := All()
	at := slices.IndexFunc(all, func(c Check) bool { return c.Doc.ID == id })
	if at < 0 {
		return Check{}, false
	}
	return all[at], true
}

// All returns every check, in the order in which findings of equal severity
// are listed.
func All() []Check {
	return []Check{
		authMissing(),
		tokenPublishedExample(),
		claimable(),
		defaultPassword(),
		gatewayForwarded(),
		trustedProxySpoofable(),
		agentOpenToChannels(),
		toolsOverHTTP(),
		hooksWeak(),
		tokenWeak(),
		secretInImage(),
		fileModes(),
		cdpReachable(),
		browserControlReachable(),
		novncReachable(),
		helperOpen(),
		everyoneIsLocal(),
		originWildcard(),
		originHostFallback(),
		deviceAuthDisabled(),
		deviceAutoApprove(),
		legacyProduct(),
		exposedToInternet(),
		advisoryAffected(),
		releaseOutdated(),
		proxyAttributionBlocked(),
		listensBeyondLoopback(),
		publishedOnAllInterfaces(),
		forwardedForAppended(),
		secretInFile(),
		runsAsRoot(),
		configInvalid(),
		refusesStart(),
		mdnsSaysTooMuch(),
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
		settingWithoutEffect(),
		leftoverState(),
	}
}

// Documented returns every check that there is something to read of: All, and those that
// more than one scan, or a posture, makes.
func Documented() []Check { return append(All(), NotAsDeclared(), DiffersByVantage()) }

// Infos returns what reports know of each check.
func Infos() []event.CheckInfo {
	var out []event.CheckInfo
	for _, c := range All() {
		out = append(out, c.Doc)
	}
	return out
}

// IDs returns the ids of all checks.
func IDs() []string {
	var out []string
	for _, c := range All() {
		out = append(out, c.Doc.ID)
	}
	return out
}

// Run returns the findings of all checks that apply to the product.
func Run(checks []Check, s Subject) []event.Finding {
	if s.Verdict.Product.ID == "" {
		return nil
	}
	var out []event.Finding
	for _, c := range checks {
		if s.Verdict.Relative && !c.Doc.Relatives {
			continue
		}
		f := c.Judge(s)
		if f == nil {
			continue
		}
		if s.Verdict.Relative || s.Verdict.Helper && c.Doc.Advised {
			s.reword(&c.Doc, f)
		}
		out = append(out, *f)
	}
	return out
}

// onTrait finds something where the answers prove a trait of a gateway.
func onTrait(trait string, severity event.Severity, says string) judge {
	return func(c *Check, s *Subject) *event.Finding {
		because := s.proven(trait)
		if because == nil {
			return nil
		}
		return c.finding(s, severity, because, message.Say(says))
	}
}

// onSurface finds something where a gateway has a surface, which a signal shows.
func onSurface(surface, signal string, severity event.Severity, says string) judge {
	return func(c *Check, s *Subject) *event.Finding {
		if !s.gateway() || s.Verdict.Surface(surface) == "" {
			return nil
		}
		return c.finding(s, severity, []string{signal}, message.Say(says))
	}
}

// onHelper finds something where the product is a helper that not only this machine
// reaches.
func onHelper(product, says string) judge {
	return func(c *Check, s *Subject) *event.Finding {
		switch p := s.Verdict.Product; {
		case !s.recognised() || p.ID != product:
			return nil
		case s.here():
			return c.finding(s, event.Info, p.Because, message.Say("over-loopback"))
		default:
			return c.finding(s, event.Critical, p.Because, message.Say(says, message.Of("address", s.at())))
		}
	}
}

// finding fills in what follows from the check and the subject. Because are the
// signals that show it, detail its sentences.
func (c *Check) finding(s *Subject, severity event.Severity, because []string, detail ...message.Text) *event.Finding {
	f := c.at(s.HostPort+s.Observation.Base, severity, detail...)
	f.Evidence = s.Evidence(because...)
	return f
}

// at fills in what follows from the check and the place.
func (c *Check) at(place string, severity event.Severity, detail ...message.Text) *event.Finding {
	f := &event.Finding{
		ID: c.Doc.ID, Severity: severity, Title: c.Doc.Title,
		Controls: c.Doc.Controls, References: c.Doc.References, Evidence: []string{},
		Key: key(c.Doc.ID, place),
	}
	f.Say(detail...)
	f.Advise(message.Fixed(c.Doc.ID+".fix", c.Doc.Fix))
	return f
}

// OtherFix is one of Fixes.
func (c *Check) OtherFix(which string) message.Text {
	return message.Fixed(c.Doc.ID+".fix-"+which, c.Doc.Fixes[which])
}

// shownBy names the signals that show a finding.
func shownBy(signals []string) message.Text {
	return message.Say("shown-by", message.Of("signals", signals...))
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
func key(check, place string) string {
	sum := sha256.Sum256([]byte(check + "\x00" + place + "\x00"))
	return hex.EncodeToString(sum[:16])
}
