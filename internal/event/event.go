// Package event defines the result stream: JSON Lines, schema 1. The first
// line is a Scan, then one Target per target as it completes, the last line is
// a Summary. Every report format is made from this stream alone, so a stored
// stream can be rendered again at any time.
//
// A run that continues a scan appends a stream of its own, whose Scan names
// the runs before it; a target may have a line in more than one of them.
package event

import (
	"slices"
	"strconv"
	"time"

	"github.com/clawsonar/clawsonar/internal/message"
)

// Schema is the version of the stream's format. Adding a field does not change
// it; renaming or removing one does.
const Schema = 1

// Event is one line of a stream: a *Scan, a *Target or a *Summary.
type Event interface{ event() }

func (*Scan) event()    {}
func (*Target) event()  {}
func (*Summary) event() {}

// Scan is the first event of a stream: what was run, with which data.
type Scan struct {
	Type    Type      `json:"type"` // TypeScan
	Schema  int       `json:"schema"`
	Tool    Tool      `json:"tool"`
	Started time.Time `json:"started"`
	Level   Level     `json:"level"`
	// Kind is TargetFiles of an inspection: files were read, and nothing was contacted. Level
	// then is LevelPassive.
	Kind          TargetKind    `json:"kind,omitempty"`
	Seed          uint64        `json:"seed"`
	Shard         string        `json:"shard"`
	Data          Data          `json:"data"`
	Authorization Authorization `json:"authorization"`
	// Ports are those tried of targets that name none; none if all name one.
	Ports []uint16 `json:"ports,omitempty"`
	// Network is there if connections took another way than the system's.
	Network *Network `json:"network,omitempty"`
	// Compared is there only in the stream that a comparison of two scans gives:
	// the older one. The rest of Scan is of the newer one.
	Compared *Compared `json:"compared_with,omitempty"`

	// Config is a digest of all that decides what is asked, and in which order:
	// what has the same one is part of one scan. "" where that is not known.
	Config string `json:"config,omitempty"`
	// From is how many of the shard's targets earlier runs have done: this one goes
	// on from there. Earlier are those runs, in their order; Unlisted counts, by
	// outcome, those of their targets that have no line.
	From     uint64          `json:"from,omitempty"`
	Earlier  []Run           `json:"earlier,omitempty"`
	Unlisted map[Outcome]int `json:"unlisted,omitempty"`

	// Watch names the watch that a run of the hub is of, Vantage where it stood, in the
	// operator's word. Again: a second look, at some of the targets of the watch.
	Watch   string `json:"watch,omitempty"`
	Vantage string `json:"vantage,omitempty"`
	Again   bool   `json:"again,omitempty"`
}

// Run is one of the runs that a scan was made in.
type Run struct {
	Started time.Time `json:"started"`
	From    uint64    `json:"from"` // targets that were done before it
}

// Compared names the scan that another one was compared with.
type Compared struct {
	Tool    Tool      `json:"tool"`
	Started time.Time `json:"started"`
	Vantage string    `json:"vantage,omitempty"` // where it stood, as Scan.Vantage
}

// Vantages returns the two vantages of a comparison of what is seen from them, that of
// Compared first. It is not ok if both scans stood at one, or that is not known: then
// the comparison is of before and now.
func (s *Scan) Vantages() (first, second string, ok bool) {
	if s == nil || s.Compared == nil || s.Compared.Vantage == "" || s.Vantage == "" || s.Compared.Vantage == s.Vantage {
		return "", "", false
	}
	return s.Compared.Vantage, s.Vantage, true
}

// Tool names the program that made the stream.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Data says how fresh what is known is, and whose it is.
type Data struct {
	Version        string `json:"version,omitempty"` // a day and a number, YYYYMMDDNN
	File           string `json:"file,omitempty"`    // its name, without a folder; "" for the built-in data
	Key            string `json:"key,omitempty"`     // that signed the file, as minisign names it
	Releases       int    `json:"releases"`
	NewestRelease  string `json:"newest_release"`
	ReleasesAsOf   string `json:"releases_as_of,omitempty"` // RFC 3339 date
	Advisories     int    `json:"advisories"`
	AdvisoriesAsOf string `json:"advisories_as_of,omitempty"` // RFC 3339 date
}

// StaleAfter is the age from which data counts as old: releases and advisories come every
// few days.
const StaleAfter = 14 * 24 * time.Hour

// Stale reports whether releases or advisories are old at a time, or it is not known of
// when they are.
func (d *Data) Stale(at time.Time) bool {
	for _, day := range []string{d.ReleasesAsOf, d.AdvisoriesAsOf} {
		if days, ok := Age(day, at); !ok || time.Duration(days)*24*time.Hour > StaleAfter {
			return true
		}
	}
	return false
}

// Age is how many days old data of a day is at a time. It is not ok where the day is not
// known.
func Age(day string, at time.Time) (days int, ok bool) {
	d, err := time.Parse(time.DateOnly, day[:min(len(time.DateOnly), len(day))])
	if err != nil || at.IsZero() {
		return 0, false
	}
	return int(at.Sub(d).Hours() / 24), true
}

// Authorization repeats what the operator stated about the right to probe.
type Authorization struct {
	Authorized bool   `json:"authorized"`
	Contact    string `json:"contact"`
}

// Network says which way connections took. What is empty was left to the system.
type Network struct {
	Proxy     string   `json:"proxy,omitempty"` // socks5://HOST:PORT or http://HOST:PORT
	SourceIP  string   `json:"source_ip,omitempty"`
	Interface string   `json:"interface,omitempty"`
	Resolver  string   `json:"resolver,omitempty"` // ADDRESS:PORT
	Headers   []string `json:"headers,omitempty"`  // "Name: value", sent with every HTTP request
}

// Target is the result for one target.
type Target struct {
	Type       Type       `json:"type"` // TypeTarget
	Target     Address    `json:"target"`
	Geo        *Geo       `json:"geo,omitempty"` // nil if nothing is known
	Outcome    Outcome    `json:"outcome"`
	Product    *Product   `json:"product,omitempty"`
	Version    *Version   `json:"version,omitempty"`
	Auth       *Auth      `json:"auth,omitempty"`
	Front      *Front     `json:"front,omitempty"`
	TLS        *TLS       `json:"tls,omitempty"`
	Surfaces   []Surface  `json:"surfaces,omitempty"`
	Findings   []Finding  `json:"findings,omitempty"`
	Advisories []Advisory `json:"advisories,omitempty"`
	Evidence   []Evidence `json:"evidence,omitempty"`
	// Files is there of a deployment of which files were read.
	Files *Files `json:"files,omitempty"`
	// Posture is there if the target was compared with what was declared of it.
	Posture *Posture `json:"posture,omitempty"`
	// Discovery is there if the target was found without contacting it.
	Discovery *Discovery `json:"discovery,omitempty"`
	// SameAs is there only when this machine itself was scanned, and another line
	// is of the same gateway: this one is then another way in to it.
	SameAs *SameAs `json:"same_as,omitempty"`
	// What a reader needs to weigh the verdict: why a state is unknown, which sources
	// disagree.
	Noted
	Requests    int    `json:"requests"`
	Connections int    `json:"connections"`
	DurationMS  int64  `json:"duration_ms"`
	Error       string `json:"error"`
	// ErrorMessage is what Error was made of, where that has arguments.
	ErrorMessage *message.Message `json:"error_message,omitempty"`
	// Changes says, in a comparison of two scans, what is no longer as it was.
	Changes []Change `json:"changes,omitempty"`
}

// Pos is a place in a file. Line counts from 1; Column counts UTF-16 code units from
// 1, and is 0 where only the line is known.
type Pos struct {
	File   string `json:"file"` // relative to the deployment, with slashes
	Line   int    `json:"line"`
	Column int    `json:"column,omitempty"`
}

// IsZero reports whether there is no place.
func (p Pos) IsZero() bool { return p.File == "" }

// String is "FILE:LINE".
func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line)
}

// Location is a place in a file and what it has to do with a finding.
type Location struct {
	Pos
	// What the setting there does, in a few words; "" of the deciding one.
	Says    string           `json:"says,omitempty"`
	Message *message.Message `json:"message,omitempty"`
}

// Files is what the files of a deployment declare of a gateway.
type Files struct {
	At     *Pos       `json:"at,omitempty"` // the setting that makes it; nil if that is not in the files
	Reach  FilesReach `json:"reach"`
	Starts Starts     `json:"starts"`
	// Generated: it makes its own credential when it starts.
	Generated bool   `json:"generated,omitempty"`
	Bind      string `json:"bind"` // loopback, lan, tailnet, custom or auto; "" if not known
	Port      int    `json:"port,omitempty"`
	// Read counts the files that were read.
	Read int `json:"read"`
	// Ways are the ways in that reach farthest, and each that stands open.
	Ways []Way `json:"ways,omitempty"`
	// Unjudged are places that could not be judged; see Target.Unread.
	Unjudged []Location `json:"unjudged,omitempty"`
}

// Way is one way in to a gateway, from outside to the gateway.
type Way struct {
	Reach FilesReach `json:"reach"`
	Auth  AuthState  `json:"auth"`
	Steps []Location `json:"steps"`
	// Port and Names are those that clients of the way use; 0 and none if not known.
	Port  int      `json:"port,omitempty"`
	Names []string `json:"names,omitempty"`
	// Through is the kind of what clients connect to, such as nginx; "" of the
	// gateway's own listener.
	Through string `json:"through,omitempty"`
	// Adds is the setting that puts a credential, or a user's name, into every request;
	// nil if none does.
	Adds *Pos `json:"adds,omitempty"`
}

// Posture is what was declared of a target, and whether it is so.
type Posture struct {
	At      string `json:"at"`      // the place that declares it, FILE:LINE
	Vantage string `json:"vantage"` // where the run stood, in the operator's word
	// Declared are the verdicts that are meant: states of authentication, or the
	// outcomes other and closed. None is declared of a port that is not listed.
	Declared []string      `json:"declared"`
	Result   PostureResult `json:"result"`
	// Why it is not as declared or could not be judged, and how the files differ.
	Noted
	// Configured is what the deployment's files say of the way to the target; nil if no
	// files were read, or none of them leads there.
	Configured *Configured `json:"configured,omitempty"`
}

// Configured is a way in to a gateway by its files, and what its configuration sets.
type Configured struct {
	At   *Pos     `json:"at,omitempty"` // as Files.At
	Bind string   `json:"bind"`
	Mode AuthMode `json:"mode"`
	Way  Way      `json:"way"`
}

// SameAs names the line of the gateway itself, and says how sure it is that both
// are one.
type SameAs struct {
	URL        string     `json:"url"`        // of that line's target
	Confidence Confidence `json:"confidence"` // Certain or Firm
	Because    []string   `json:"because"`
}

// Change is one difference between two scans of a target.
type Change struct {
	What Changed `json:"what"`
	Old  string  `json:"old"`
	New  string  `json:"new"`
	// OldMessage and NewMessage are what Old and New were made of, where that has
	// arguments.
	OldMessage *message.Message `json:"old_message,omitempty"`
	NewMessage *message.Message `json:"new_message,omitempty"`
}

// Address says which target this is and where it was named.
type Address struct {
	Input  string `json:"input"`  // as the user wrote it
	Source string `json:"source"` // "args", "stdin:3", "hosts.txt:3", "local"
	Name   string `json:"name"`   // host name, if any
	IP     string `json:"ip"`
	Port   int    `json:"port"`
	URL    string `json:"url"`
	Reach  Reach  `json:"reach"` // "" where there is no address
	Member Member `json:"member,omitempty"`
	// Kind is TargetFiles for a deployment; Input is its path then.
	Kind TargetKind `json:"kind,omitempty"`
	// File and Gateway name a gateway within a deployment, whatever the lines: the file that
	// makes it, "" if that is not there, and its name within that, "" if it has none. With
	// Input they are the identity of the target.
	File    string `json:"file,omitempty"`
	Gateway string `json:"gateway,omitempty"`
	// Base is what names of files are relative to, where that is not Input: of a deployment
	// that was named by one file.
	Base string `json:"base,omitempty"`
	// Bound is the address the listener is bound to and Process the program that
	// listens, as the operating system or a list of what listens says; Process may also
	// be the container or service that a list names.
	Bound   string `json:"bound,omitempty"`
	Process string `json:"process,omitempty"`
}

// Geo is what files that the user has say of an address. What they do not say is zero.
type Geo struct {
	AS      uint32 `json:"as,omitempty"`      // number of the autonomous system that announces it
	ASName  string `json:"as_name,omitempty"` // clean, at most 100 runes
	Country string `json:"country,omitempty"` // see IsCountry
}

// IsCountry reports whether s is a country as Geo has it: two capital letters, as in ISO
// 3166-1.
func IsCountry(s string) bool {
	return len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
}

// Product says what was recognised.
type Product struct {
	ID         string     `json:"id"`
	Brand      string     `json:"brand"`
	Name       string     `json:"name"`
	Confidence Confidence `json:"confidence"`
	Because    []string   `json:"because"`
}

// Version says which release it is. Exact is empty unless exactly one fits.
type Version struct {
	Exact      string     `json:"exact"`
	Candidates []string   `json:"candidates"` // oldest first
	Build      string     `json:"build"`
	Source     string     `json:"source"`
	At         *Pos       `json:"at,omitempty"` // the setting that states it, of a deployment
	Confidence Confidence `json:"confidence"`
}

// Auth says what a client needs to be accepted.
type Auth struct {
	State   AuthState `json:"state"`
	Mode    AuthMode  `json:"mode"` // what the answers prove; empty when they do not
	Because []string  `json:"because"`
}

// Front is what stands before the product, as far as it shows.
type Front struct {
	Kind    string   `json:"kind"`
	Because []string `json:"because"`
}

// TLS says whether and how the connection was encrypted.
type TLS struct {
	Enabled    bool     `json:"enabled"`
	Version    string   `json:"version,omitempty"`
	Cipher     string   `json:"cipher,omitempty"`
	Subject    string   `json:"subject,omitempty"`
	Issuer     string   `json:"issuer,omitempty"`
	Names      []string `json:"names,omitempty"`
	NotBefore  string   `json:"not_before,omitempty"`
	NotAfter   string   `json:"not_after,omitempty"`
	SelfSigned bool     `json:"self_signed,omitempty"`
	SHA256     string   `json:"sha256,omitempty"`
	// VerifyError says why the certificate does not verify; "" when it does.
	VerifyError string `json:"verify_error,omitempty"`
	NameError   string `json:"name_error,omitempty"` // why it is not one for the name that was asked for
	Legacy      string `json:"legacy,omitempty"`     // version below 1.2 that is accepted
	HSTS        string `json:"hsts,omitempty"`       // Strict-Transport-Security of the page (RFC 6797)
}

// Surface is one part of the product that can be reached.
type Surface struct {
	ID    string       `json:"id"`
	State SurfaceState `json:"state"`
	Path  string       `json:"path"`
}

// Finding is one thing to fix, or to know.
type Finding struct {
	ID          string   `json:"id"`
	Severity    Severity `json:"severity"`
	Title       string   `json:"title"`
	Detail      string   `json:"detail"`
	Remediation string   `json:"remediation"`
	Controls    []string `json:"controls"`
	References  []string `json:"references"`
	Evidence    []string `json:"evidence"` // ids of the target's evidence that show it
	Key         string   `json:"key"`      // stable across runs, versions and wording
	// Suppressed says what takes it back (an ignore file, a baseline), and why;
	// "" when nothing does.
	Suppressed string `json:"suppressed,omitempty"`
	// Change is set in a comparison of two scans: Opened, Closed or Unseen.
	Change FindingChange `json:"change,omitempty"`
	// Step names which of the check's commands fix it here (see CheckInfo.First);
	// "" when none does. Release is the release to go to; "" when there is none.
	Step    string `json:"step,omitempty"`
	Release string `json:"release,omitempty"`
	// Locations are places in files: first the deciding one, then the others on the
	// way. Diff is the change that fixes it there, as lines of a unified diff.
	Locations []Location `json:"locations,omitempty"`
	Diff      string     `json:"diff,omitempty"`
	// Messages are what the texts were made of.
	Messages *FindingMessages `json:"messages,omitempty"`
}

// FindingMessages are what the texts of a finding were made of: the sentences of
// Detail and Remediation, in order, and Suppressed, if that has arguments.
type FindingMessages struct {
	Detail      []message.Message `json:"detail,omitempty"`
	Remediation []message.Message `json:"remediation,omitempty"`
	Suppressed  *message.Message  `json:"suppressed,omitempty"`
}

// Active reports whether the finding stands: not suppressed, and in a comparison
// not of the past.
func (f *Finding) Active() bool {
	return f.Suppressed == "" && f.Change != Closed && f.Change != Unseen
}

// Advisory is one published vulnerability that concerns the release.
type Advisory struct {
	ID             string         `json:"id"`
	CVE            string         `json:"cve"`
	Severity       Severity       `json:"severity"` // or Ungraded
	Score          float64        `json:"score"`    // CVSS; 0 if none is known
	ScoreSource    string         `json:"score_source"`
	Status         AdvisoryStatus `json:"status"`
	GatewaySurface bool           `json:"gateway_surface"`
	Credential     Credential     `json:"credential"`
	Fixed          string         `json:"fixed"`
	Summary        string         `json:"summary"`
	Reach          AdvisoryReach  `json:"reach"` // what an unauthenticated client needs here
	// Inherited: the advisory names openclaw alone, the release is a clawdbot.
	Inherited bool `json:"inherited,omitempty"`
	// Suppressed says which VEX statement takes it back, and why; "" when none does.
	Suppressed string `json:"suppressed,omitempty"`
}

// Evidence is one exchange in short: enough to check a verdict, never a body. Facts
// quote what a fingerprint knows; of other texts, and of bodies, they hold
// "digest:" and 12 hex digits, the same for the same text within one run.
type Evidence struct {
	ID      string            `json:"id"`
	Request string            `json:"request"`
	Status  int               `json:"status"`
	Bytes   int               `json:"bytes"`
	SHA256  string            `json:"sha256,omitempty"` // of a body that a fingerprint knows
	Facts   map[string]string `json:"facts,omitempty"`
	Error   string            `json:"error,omitempty"`
}

// Summary is the last event of a stream.
type Summary struct {
	Type       Type              `json:"type"` // TypeSummary
	Finished   time.Time         `json:"finished"`
	Targets    int64             `json:"targets"`
	Outcomes   map[Outcome]int   `json:"outcomes"`
	Auth       map[AuthState]int `json:"auth"`
	Findings   map[Severity]int  `json:"findings"`
	Suppressed int               `json:"suppressed"` // findings and advisories
	Complete   bool              `json:"complete"`
	// Unlisted is what could not be judged and has no line of its own: closed
	// entries of long lists, and hosts of which no port answered.
	Unlisted     *Unlisted    `json:"unlisted,omitempty"`
	MissEstimate MissEstimate `json:"miss_estimate"`
	// What the operator should know of the run, such as entries of the ignore file
	// that match nothing.
	Noted
	// Posture counts the endpoints and hosts that were declared, by result; none where
	// nothing was.
	Posture map[PostureResult]int `json:"posture,omitempty"`
	// Diff is there in a comparison of two scans. The other numbers then are
	// those of the targets listed.
	Diff *Diff `json:"diff,omitempty"`
}

// Unlisted counts targets without a line, and names the first of them.
type Unlisted struct {
	Count   int64   `json:"count"`
	Targets []Place `json:"targets"` // at most MaxUnlisted
}

// MaxUnlisted is how many targets Unlisted names.
const MaxUnlisted = 20

// Place names a target in a few words.
type Place struct {
	Place   string `json:"place"`   // host, or host:port
	Outcome string `json:"outcome"` // an Outcome, or what else Target.Why gives
}

// Add counts a target and names it, while there is space.
func (u *Unlisted) Add(p Place) {
	u.Count++
	if len(u.Targets) < MaxUnlisted {
		u.Targets = append(u.Targets, p)
	}
}

// Remove takes back a target that has got a line of its own after all.
func (u *Unlisted) Remove(place string) {
	u.Count--
	u.Targets = slices.DeleteFunc(u.Targets, func(p Place) bool { return p.Place == place })
}

// Diff counts what a comparison of two scans found.
type Diff struct {
	Opened  int `json:"opened"`  // findings, see Opened
	Closed  int `json:"closed"`  // findings, see Closed
	Unseen  int `json:"unseen"`  // findings, see Unseen
	Changed int `json:"changed"` // targets whose verdict or release is another, or that are new or gone
	// Advisories is how many are new, over all targets.
	Advisories int `json:"advisories"`
}

// MissEstimate says how many silent targets were tried again and answered, and
// how many of the others would then answer as well: the estimate, and the upper
// end of its 95 % confidence interval.
type MissEstimate struct {
	Reprobed     int `json:"reprobed"`
	Found        int `json:"found"`
	Missed       int `json:"missed"`
	MissedAtMost int `json:"missed_at_most"`
}
