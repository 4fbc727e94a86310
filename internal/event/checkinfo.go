package event

import "slices"

// CheckInfo is what people need to know about a check, and what tells whether the
// absence of its finding means something.
type CheckInfo struct {
	ID       string
	Title    string
	Severity Severity // the worst its findings can have
	When     string   // what makes it appear, and how that was decided
	// Files is what makes "clawsonar inspect" find it, in the files of a deployment; ""
	// if it never does, or with NeedsFiles, where When says it.
	Files string
	Why   string // what it means to the operator
	Fix   string // what to do, in a sentence or two: goes into every report
	Steps string // the same as a runbook, with the exact keys and commands
	// Controls are the recommendations it belongs to: nvdb:N1…N6 (NVDB, "six
	// dos and six don'ts", 2026-03-11), cncert:C1…C7 (CNCERT/CC risk notice,
	// 2026-03-10), tongbao:T1…T5 (national notification centre, 2026-03-13),
	// owasp:ASI01…ASI10 (OWASP Top 10 for Agentic Applications).
	Controls   []string
	References []string

	Needs Need
	// Relatives: it also looks at OpenClaw's relatives. The others read what
	// OpenClaw alone answers, or know its releases alone.
	Relatives bool
	// FixAny stands for Fix where the product is not OpenClaw, whose settings Fix
	// may name; "" where Fix suits any.
	FixAny string
	// Fixes stand for Fix in some cases that the check tells apart, by a word for each:
	// InFiles for what was found in files.
	Fixes map[string]string
	// First are the commands for the gateway's host that fix it, by Finding.Step;
	// {release} stands for Finding.Release. Each was run on a real gateway, see
	// TestDoThisFirst in internal/test/e2e.
	First map[string][]string

	// Advised: what to do about a product that is not OpenClaw is its own advice.
	Advised bool
}

// InFiles is the word in CheckInfo.Fixes for what was found in files.
const InFiles = "files"

// Need is what must be known of a target before the absence of a finding says
// that the check was passed.
type Need string

// The needs, each in addition to a recognised product. Helpers and TLS can be
// answered for a helper, the others only for a gateway.
const (
	NeedsProduct  Need = "product"  // nothing else
	NeedsAuth     Need = "auth"     // proof of whether a credential is needed
	NeedsRelease  Need = "release"  // the release, or those that fit
	NeedsListener Need = "listener" // the operating system's word on the listener
	NeedsTLS      Need = "tls"      // a TLS connection
	NeedsRemote   Need = "remote"   // a look from elsewhere than the same machine
	NeedsDeep     Need = "deep"     // a scan at level deep
	NeedsHelpers  Need = "helpers"  // the helper itself; of a port beside a gateway that is shut the stream says nothing
	NeedsFiles    Need = "files"    // the files of the deployment
	NeedsVantages Need = "vantages" // results from several vantages
	// What led to the target, if it was found without contacting it.
	NeedsAnnouncement Need = "announcement" // its announcement on the local link
	NeedsPublished    Need = "published"    // the container engine's word on the port
)

// Judged reports whether the check was answered for a target by a scan of that
// level, so that without a finding it counts as passed, as far as seen. If not,
// why says what was missing.
func (c *CheckInfo) Judged(level Level, t *Target) (ok bool, why string) {
	helper := t.Outcome == OutcomeHelper
	switch {
	case helper && c.Needs != NeedsTLS && c.Needs != NeedsHelpers:
		return false, "it is looked at on gateways, and this stands beside one"
	case helper:
	case t.Outcome != OutcomeIdentified:
		return false, "no product was recognised"
	case t.Product != nil && t.Product.ID != "openclaw" && !c.Relatives:
		return false, "it is looked at on OpenClaw alone"
	}
	if t.Target.Kind == TargetFiles {
		return c.judgedInFiles(t)
	}
	switch c.Needs {
	case NeedsAuth:
		if !proven(t.Auth) {
			return false, "whether the gateway asks for a credential is not proven"
		}
	case NeedsRelease:
		if !released(t.Version) {
			return false, "the release is not known"
		}
	case NeedsListener:
		if t.Target.Bound == "" {
			return false, "where the listener is bound shows only in a scan of the machine itself"
		}
	case NeedsTLS:
		if t.TLS == nil || !t.TLS.Enabled {
			return false, "no TLS is in use"
		}
	case NeedsRemote:
		if t.Target.Reach == ReachLoopback {
			return false, "it shows only from another machine"
		}
	case NeedsDeep:
		if level != LevelDeep {
			return false, "it is looked at only at level deep"
		}
	case NeedsHelpers:
		if !helper {
			return false, "whether the ports beside it were tried is not in the results"
		}
		if !proven(t.Auth) {
			return false, "whether it asks for a credential is not proven"
		}
	case NeedsAnnouncement:
		if t.Discovery == nil || t.Discovery.Announced == nil {
			return false, "it shows only in the gateway's announcement: find it with clawsonar discover -mdns"
		}
	case NeedsPublished:
		if t.Discovery == nil || t.Discovery.Published == "" {
			return false, "where its port is published only the container engine says: find it with clawsonar discover -docker"
		}
	case NeedsFiles:
		return false, "it shows only in the files of the deployment"
	case NeedsVantages:
		return false, "it shows only where results from several vantages are merged"
	}
	return true, ""
}

// judgedInFiles is Judged of a deployment of which files were read. They answer what
// a scan answers only from the right place, or at the right level.
func (c *CheckInfo) judgedInFiles(t *Target) (ok bool, why string) {
	switch {
	case c.Files == "" && c.Needs != NeedsFiles:
		return false, "it does not show in the files of a deployment"
	case c.Needs == NeedsAuth && (t.Auth == nil || t.Auth.State == AuthUnknown || !slices.Contains(AuthStates(), t.Auth.State)):
		return false, "the files do not tell whether the gateway asks for a credential"
	case c.Needs == NeedsRelease && !released(t.Version):
		return false, "the release is not known"
	}
	return true, ""
}

// released reports whether the release, or those that fit, are known.
func released(v *Version) bool { return v != nil && (v.Exact != "" || len(v.Candidates) > 0) }

// proven reports whether the target itself showed if it asks for a credential.
func proven(a *Auth) bool {
	return a != nil && (a.State == AuthOpen || a.State == AuthRequired || a.State == AuthClaimable)
}
