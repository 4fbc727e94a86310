// Package store keeps the history of a fleet: which gateway had which verdict, release
// and findings from when to when. It is an index of stored result streams, which stay
// the truth: Import makes the same database again from them. Beside the index it keeps
// what no stream has: notes, accounts, alerts that are to be sent, and who did what.
//
// One SQL text serves SQLite and PostgreSQL. All times are UTC, in whole milliseconds.
package store

import (
	"net/netip"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
)

// Verdict is what a gateway is, as far as the last look at it showed: the state of its
// authentication, or one of the two below.
type Verdict string

// What is no state of an authentication.
const (
	Gone  Verdict = "gone"  // nothing answers there any more
	Other Verdict = "other" // something else answers there now
)

// Verdicts returns the verdicts, worst first: a gateway that several watches see has
// the worst of theirs.
func Verdicts() []Verdict {
	var out []Verdict
	for _, s := range event.AuthStates() {
		out = append(out, Verdict(s))
	}
	return append(out, Other, Gone)
}

// Run is one run of a watch: one stored stream.
type Run struct {
	ID       ID
	Watch    string
	Vantage  string // where it stood, in the operator's word; "" if that was not said
	Started  time.Time
	Finished time.Time // as Started, of a stream that was cut off
	Complete bool      // every target was looked at
	Again    bool      // a second look, at some targets of the watch
	Level    event.Level
	File     string // of the stream, relative to the directory of streams, with slashes
	SHA256   string // of the stream, uncompressed
	Bytes    int64  // uncompressed

	Targets  int64
	Gateways int   // lines of recognised products
	Unjudged int64 // targets that were named and could not be judged
	Auth     map[event.AuthState]int
	Miss     event.MissEstimate
	Data     event.Data
	Changes  int // gateways of which something changed
}

// Gateway is a place where a gateway was seen.
type Gateway struct {
	ID      ID
	Place   string     // host:port, and the base path if it has one
	Addr    netip.Addr // of the last look; invalid if none is known
	Port    int
	Name    string // host name, if it was named so
	URL     string
	Network string // the longest prefix of networks.csv that holds Addr; "" for none
	// Geo is what files of the hub say of Addr; what they do not say is zero.
	Geo     event.Geo
	Owner   string
	Contact string
	Product string // its name
	// Verdict is of the last look, Since when it has been so. Proven is the last one that
	// a gateway's answer proved: of a gateway that was open and is now unknown or gone
	// nobody has seen that it was closed.
	Verdict  Verdict
	Since    time.Time
	Proven   event.AuthState // open, claimable, gated or required; "" for none yet
	Severity event.Severity  // of the worst finding that stands; "" for none
	Release  string          // the exact one, or the first and last that fit; "" if not known
	Findings int             // that stand
	// Advisories counts those that concern the gateway's port.
	Advisories  int
	First, Last time.Time // seen to answer
	Differs     bool      // two vantages see different verdicts, or one no gateway at all
}

// Alarming reports whether anybody can use the gateway, by proof.
func (g *Gateway) Alarming() bool {
	return g.Verdict.Alarming()
}

// Unresolved reports whether the gateway was open or claimable by proof, and its last
// look proved nothing: neither that it is still so, nor that it was closed.
func (g *Gateway) Unresolved() bool {
	return !g.Alarming() && Verdict(g.Proven).Alarming()
}

// Sight is what one watch saw of a gateway when it looked last.
type Sight struct {
	Watch, Vantage string
	Run            ID // that saw it so
	Level          event.Level
	Verdict        Verdict
	Since          time.Time
	Release        string    // that it answered last, as Gateway.Release
	First, Last    time.Time // seen to answer
	Looked         time.Time // looked at, whether it answered or not
	// Line is the line of the stream of the last time that it answered.
	Line *event.Target
}

// Unseen is a watch that looked at the place of a gateway from a vantage that has never seen
// it, and saw no gateway: its last complete run had the targets of one that did.
type Unseen struct {
	Watch, Vantage string
	Run            ID
	Level          event.Level
	Looked         time.Time // when the run ended
}

// What says what an episode is of.
type What string

// What there are episodes of.
const (
	OfVerdict What = "verdict"
	OfRelease What = "release"
	OfFinding What = "finding"
)

// Why an episode ended.
type Why string

// The reasons.
const (
	WhyChanged Why = "changed" // another verdict, release or severity follows
	WhyClosed  Why = "closed"  // a look that could have shown it did not
	WhyGone    Why = "gone"    // the gateway is gone
)

// Episode is something that was so from one run to another.
type Episode struct {
	Gateway  ID
	Watch    string
	What     What
	Value    string // a Verdict, a release, the id of a check
	Severity event.Severity
	Key      string // of a finding, see event.Finding; else as Value
	Opened   time.Time
	Run      ID        // that opened it
	Closed   time.Time // zero while it stands
	// ClosedRun is the run that closed it.
	ClosedRun ID
	Why       Why // "" while it stands
}

// Kind is a kind of change, by which alerts and the feed are chosen.
type Kind string

// The kinds of changes of a gateway. One change can be of several kinds.
const (
	KindNew      Kind = "new"      // a gateway that was not known
	KindOpened   Kind = "opened"   // now open or claimable, by proof
	KindClosed   Kind = "closed"   // was open or claimable, and by proof is not any more
	KindVerdict  Kind = "verdict"  // another verdict, and none of the other kinds
	KindGone     Kind = "gone"     // no longer answers
	KindFinding  Kind = "finding"  // new findings
	KindFixed    Kind = "fixed"    // findings that are gone, by a look that could have shown them
	KindRelease  Kind = "release"  // another release
	KindAdvisory Kind = "advisory" // new advisories
)

// Kinds returns the kinds of changes, most urgent first.
func Kinds() []Kind {
	return []Kind{KindOpened, KindNew, KindFinding, KindVerdict, KindAdvisory, KindClosed, KindFixed, KindGone, KindRelease}
}

// Change is what one run found different of one gateway.
type Change struct {
	At                    time.Time
	Run, Gateway          ID
	Watch, Vantage        string
	Place, Owner, Contact string
	Network, Product      string
	Kinds                 []Kind // in the order of Kinds
	OldVerdict, Verdict   Verdict
	OldRelease, Release   string
	Severity              event.Severity // the worst that was opened; "" for none
	Opened, Closed        int            // findings
	Advisories            int            // new ones
	Episodes              []Episode      // opened or closed by it; only where they are asked for
	OldVerdictSince       time.Time      // zero if there was none
}

// Has reports whether the change is of a kind.
func (c *Change) Has(k Kind) bool {
	for _, x := range c.Kinds {
		if x == k {
			return true
		}
	}
	return false
}

// Note is what somebody wrote about a gateway.
type Note struct {
	ID      int64
	Place   string // Gateway.Place: a note outlives the index
	Author  string
	Written time.Time
	Text    string
	Until   time.Time // it counts until then; zero for always
}

// Network is a line of networks.csv.
type Network struct {
	Prefix         netip.Prefix
	Owner, Contact string
}

// Page is a part of a list.
type Page struct {
	Offset, Limit int   // Limit 0 means 50
	Order         Order // of gateways alone
}

// Order is an order of gateways.
type Order string

// The orders.
const (
	ByWorst   Order = ""        // by verdict, then by finding
	ByPlace   Order = "place"   // by address and port
	ByOwner   Order = "owner"   // those without one first
	ByRelease Order = "release" // the oldest first, before them those that are not known
	BySince   Order = "since"   // the newest verdict first
	ByLast    Order = "last"    // those first that have not answered for the longest time
)

// Orders returns the orders.
func Orders() []Order { return []Order{ByWorst, ByPlace, ByOwner, ByRelease, BySince, ByLast} }

// sql is what gateways are ordered by, worst first where that leaves it open.
func (o Order) sql() string {
	const worst = "g.rank, g.severity DESC, g.addr, g.port, g.id"
	switch o {
	case ByPlace:
		return "g.addr, g.port, g.id"
	case ByOwner:
		return "g.owner, " + worst
	case ByRelease:
		return "g.low, " + worst
	case BySince:
		return "g.since DESC, " + worst
	case ByLast:
		return "(SELECT MAX(s.last) FROM sight s WHERE s.gateway = g.id), " + worst
	}
	return worst
}
