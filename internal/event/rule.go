package event

// Rule is one check as the reports see it: its documentation, and when the
// absence of a finding means something.
type Rule struct {
	ID, Title string
	Severity  Severity // the worst its findings can have
	When      string   // what makes it appear
	Why       string   // what it means to the operator
	Fix       string   // what to do
	Steps     string   // the same as a runbook, line by line
	// First are the commands for the gateway's host that mend a finding, by
	// Finding.Step; {release} stands for Finding.Release.
	First      map[string][]string
	Controls   []string // such as nvdb:N2
	References []string
	Needs      Need
	// Relatives: it also looks at products other than OpenClaw.
	Relatives bool
}

// Need is what must be known of a target before the absence of a finding says
// that the check was passed.
type Need string

// The needs, each in addition to a recognised product. Helpers and TLS can be
// answered for a helper, the others only for a gateway.
const (
	NeedsProduct  Need = ""         // nothing else
	NeedsAuth     Need = "auth"     // proof of whether a credential is needed
	NeedsRelease  Need = "release"  // the release, or those that fit
	NeedsListener Need = "listener" // the operating system's word on the listener
	NeedsTLS      Need = "tls"      // a TLS connection
	NeedsRemote   Need = "remote"   // a look from elsewhere than the same machine
	NeedsDeep     Need = "deep"     // a scan at level deep
	NeedsHelpers  Need = "helpers"  // the helper itself; of a port beside a gateway that is shut the stream says nothing
)

// Judged reports whether the check was answered for a target by a scan of that
// level, so that without a finding it counts as passed, as far as seen. If not,
// why says what was missing.
func (r *Rule) Judged(level Level, t *Target) (ok bool, why string) {
	helper := t.Outcome == OutcomeHelper
	switch {
	case helper && r.Needs != NeedsTLS && r.Needs != NeedsHelpers:
		return false, "it is looked at on gateways, and this stands beside one"
	case helper:
	case t.Outcome != OutcomeIdentified:
		return false, "no product was recognised"
	case t.Product != nil && t.Product.ID != "openclaw" && !r.Relatives:
		return false, "it is looked at on OpenClaw alone"
	}
	switch r.Needs {
	case NeedsAuth:
		if !proven(t.Auth) {
			return false, "whether the gateway asks for a credential is not proven"
		}
	case NeedsRelease:
		if t.Version == nil || t.Version.Exact == "" && len(t.Version.Candidates) == 0 {
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
	}
	return true, ""
}

// proven reports whether the target itself showed if it asks for a credential.
func proven(a *Auth) bool {
	return a != nil && (a.State == AuthOpen || a.State == AuthRequired || a.State == AuthClaimable)
}
