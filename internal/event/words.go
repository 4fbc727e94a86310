package event

import "slices"

// The words of the stream. What reads a stream must pass over those that it does
// not know: a later version may have more of them.

// Words returns words as plain text, for the choices of a flag or an error.
func Words[S ~string](words ...S) []string {
	var out []string
	for _, w := range words {
		out = append(out, string(w))
	}
	return out
}

// Type says which kind of event a line is.
type Type string

// The types of events.
const (
	TypeScan    Type = "scan"
	TypeTarget  Type = "target"
	TypeSummary Type = "summary"
)

// Outcome says how the probe of a target ended. Every target ends in exactly one.
type Outcome string

// The outcomes.
const (
	OutcomeIdentified    Outcome = "identified"     // a known product answered
	OutcomeHelper        Outcome = "helper"         // what stands beside a gateway answered: a browser, a screen
	OutcomeOther         Outcome = "other"          // something answered, no product recognised
	OutcomeClosed        Outcome = "closed"         // the connection was refused
	OutcomeSilent        Outcome = "silent"         // no answer in time
	OutcomeExcluded      Outcome = "excluded"       // outside the scope, never contacted
	OutcomeUnreachable   Outcome = "unreachable"    // the network says there is no way there
	OutcomeReset         Outcome = "reset"          // accepted, then closed or reset without an answer
	OutcomeDNSError      Outcome = "dns-error"      // the name did not resolve
	OutcomeTLSError      Outcome = "tls-error"      // speaks TLS, but no handshake succeeded
	OutcomeProtocolError Outcome = "protocol-error" // answered, but not HTTP
	OutcomeLocalError    Outcome = "local-error"    // this machine's fault: descriptors, ports, memory
	OutcomeInterrupted   Outcome = "interrupted"    // the run was stopped before the verdict
	OutcomeAbsent        Outcome = "absent"         // in a comparison: the newer scan has no line for it

	// OutcomeUnknown stands in a count for outcomes that this version does not know.
	OutcomeUnknown Outcome = "unknown"
)

// Outcomes returns the outcomes that this version knows, in the order in which a
// summary names them.
func Outcomes() []Outcome {
	return []Outcome{
		OutcomeIdentified, OutcomeHelper, OutcomeOther, OutcomeClosed, OutcomeSilent, OutcomeExcluded,
		OutcomeUnreachable, OutcomeReset, OutcomeDNSError, OutcomeTLSError, OutcomeProtocolError, OutcomeLocalError,
		OutcomeInterrupted, OutcomeAbsent,
	}
}

// AuthState is the state of a target's authentication.
type AuthState string

// The states. Unknown is neither safe nor open.
const (
	AuthOpen      AuthState = "open"      // requests without a credential are accepted, proven
	AuthRequired  AuthState = "required"  // the product itself asked for a credential, proven
	AuthGated     AuthState = "gated"     // something in front asks before the product is reached
	AuthBlocked   AuthState = "blocked"   // the product refuses because of its proxy set-up
	AuthClaimable AuthState = "claimable" // no account yet: the first visitor owns it
	AuthUnknown   AuthState = "unknown"
)

// AuthStates returns the states, worst first.
func AuthStates() []AuthState {
	return []AuthState{AuthOpen, AuthClaimable, AuthBlocked, AuthUnknown, AuthGated, AuthRequired}
}

// AuthMode is how a product, or what stands in front of it, authenticates, as its
// fingerprint calls it: token, password, basic and so on; "" when it does not show.
type AuthMode string

// ModeNone is the mode of a product whose authentication is turned off.
const ModeNone AuthMode = "none"

// Confidence says how sure a judgement is. The empty Confidence means that there
// is no judgement.
type Confidence string

// The grades of confidence.
const (
	Tentative Confidence = "tentative" // hints only
	Firm      Confidence = "firm"      // several things that agree
	Certain   Confidence = "certain"   // only this product, or this release, says that
)

// Rank orders confidences: 0 for none, 3 for Certain.
func (c Confidence) Rank() int {
	return slices.Index([]Confidence{Tentative, Firm, Certain}, c) + 1
}

// Reach says who can get to an address, by the IANA special-purpose address
// registries (RFC 6890 and its updates).
type Reach string

// The kinds of reach.
const (
	ReachLoopback  Reach = "loopback"
	ReachPrivate   Reach = "private"
	ReachShared    Reach = "shared" // 100.64.0.0/10, RFC 6598
	ReachLinkLocal Reach = "link-local"
	ReachReserved  Reach = "reserved" // documentation, benchmarking and other special ranges
	ReachPublic    Reach = "public"   // globally reachable
)

// FilesReach says who gets packets to a gateway, by what its files declare. Nearest
// first: of several ways in the last one counts.
type FilesReach string

// The kinds of reach.
const (
	FilesReachUnknown  FilesReach = "unknown"
	FilesLoopback      FilesReach = "loopback"          // programs of the same machine
	FilesPodLoopback   FilesReach = "pod-loopback"      // programs of the same pod or container
	FilesHostLoopback  FilesReach = "host-loopback"     // a container's, published on loopback of its host
	FilesContainerNet  FilesReach = "container-network" // other containers of the same network
	FilesCluster       FilesReach = "cluster"           // pods of the cluster
	FilesTailnet       FilesReach = "tailnet"           // devices of the tailnet
	FilesLAN           FilesReach = "lan"               // every network that the machine is in, if nothing filters
	FilesHostAddresses FilesReach = "host-addresses"    // every address of the machine, by a published port or a command
	FilesInternet      FilesReach = "internet"
)

// FilesReaches returns the kinds of reach, nearest first.
func FilesReaches() []FilesReach {
	return []FilesReach{FilesReachUnknown, FilesLoopback, FilesPodLoopback, FilesContainerNet, FilesHostLoopback, FilesCluster, FilesTailnet, FilesLAN, FilesHostAddresses, FilesInternet}
}

// Rank orders reaches: the more, the farther.
func (r FilesReach) Rank() int { return slices.Index(FilesReaches(), r) }

// Starts says whether a gateway starts with what its files declare.
type Starts string

// Whether it starts.
const (
	StartsYes     Starts = "starts"
	StartsNo      Starts = "refuses"
	StartsUnknown Starts = "unknown"
)

// TargetKind says what a target is. The empty one is an address on a network.
type TargetKind string

// TargetFiles is a deployment, of which files were read and nothing was contacted.
const TargetFiles TargetKind = "files"

// Level bounds what a probe may do. "" is LevelPassive. The level of a merged scan
// may be several, joined by "+".
type Level string

// The levels, each of which includes those before it.
const (
	LevelPassive  Level = "passive"  // GET, HEAD and the TLS and WebSocket openings only
	LevelStandard Level = "standard" // and the one harmless POST that settles authentication
	LevelDeep     Level = "deep"     // and what leaves lines in the target's log
)

// Levels returns the levels in their order.
func Levels() []Level { return []Level{LevelPassive, LevelStandard, LevelDeep} }

// Includes reports whether what o permits is permitted at l as well.
func (l Level) Includes(o Level) bool { return o.rank() <= l.rank() }

func (l Level) rank() int { return max(0, slices.Index(Levels(), l)) }

// SurfaceState says what a part of a product answers an unauthenticated client.
type SurfaceState string

// The states of surfaces.
const (
	SurfaceOpen    SurfaceState = "open"
	SurfaceGated   SurfaceState = "gated"
	SurfacePresent SurfaceState = "present"
)

// AdvisoryStatus says how sure it is that an advisory applies. The empty one: it
// does not.
type AdvisoryStatus string

// The two ways to apply.
const (
	StatusAffected AdvisoryStatus = "affected" // the release is inside a range
	StatusPossible AdvisoryStatus = "possible" // some of the releases that fit are, or the range leaves it open
)

// Credential says whether the gateway must have accepted the attacker's credential.
type Credential string

// What an advisory says of the credential.
const (
	CredentialNone     Credential = "none"
	CredentialRequired Credential = "required"
	CredentialUnclear  Credential = "unclear"
	CredentialNA       Credential = "n/a" // not reached through the gateway
)

// AdvisoryReach says how far an unauthenticated client is from what an advisory is about.
type AdvisoryReach string

// The reaches, nearest first.
const (
	Reachable       AdvisoryReach = "reachable"  // through the port of the gateway, without a credential
	NeedsCredential AdvisoryReach = "credential" // through the port of the gateway, with a credential
	Elsewhere       AdvisoryReach = "elsewhere"  // not through the port of the gateway: local, a chat channel, a port of its own
)

// Member says what a target is part of.
type Member string

// What a target can be part of.
const (
	OfNothing Member = ""      // the target was named itself, as host:port or URL
	OfHost    Member = "host"  // one of the ports tried of a host that was named without a port
	OfRange   Member = "range" // an address of a block or range
	OfName    Member = "name"  // one of several addresses of a name
)

// FindingChange says what became of a finding between two scans.
type FindingChange string

// The changes of findings.
const (
	Opened FindingChange = "opened" // only the newer scan has it
	Closed FindingChange = "closed" // the newer scan shows that it is gone
	Unseen FindingChange = "unseen" // the newer scan does not have it, and does not show that it is gone
)

// Changed says what is another in the newer of two scans of a target.
type Changed string

// What can be another.
const (
	ChangedTarget  Changed = "target"
	ChangedVerdict Changed = "verdict"
	ChangedRelease Changed = "release"
)

// PostureResult says whether a target is as it was declared.
type PostureResult string

// The results of a comparison with what was declared.
const (
	PostureBreach    PostureResult = "breach"
	PostureNotJudged PostureResult = "not-judged" // never taken for as declared
	PostureOK        PostureResult = "ok"
)

// PostureResults returns the results, worst first.
func PostureResults() []PostureResult {
	return []PostureResult{PostureBreach, PostureNotJudged, PostureOK}
}

// Finder says what found a target.
type Finder string

// The finders.
const (
	ByMDNS   Finder = "mdns"   // announcements on the local link
	ByDocker Finder = "docker" // a container engine: Docker's, or Podman's
)

// Finders returns all finders.
func Finders() []Finder { return []Finder{ByMDNS, ByDocker} }
