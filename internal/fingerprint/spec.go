package fingerprint

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/release"
	"github.com/clawsonar/clawsonar/internal/strict"
)

// spec is a fingerprint file as it is written; docs/fingerprints.md describes it.
type spec struct {
	ID    string   `yaml:"id"`
	Name  string   `yaml:"name"`
	Table string   `yaml:"release_table"` // in releases/NAME.json, if there is one
	Ports []uint16 `yaml:"ports"`         // where the product listens by default
	// Helper products stand beside a gateway: their ports are tried only where
	// one was found, or when asked for.
	Helper      bool          `yaml:"helper"`
	PortOffsets []uint16      `yaml:"port_offsets"`     // a helper's ports, as distances from the gateway's
	Gateways    *releaseRange `yaml:"gateway_releases"` // the releases beside which a helper can be recognised; nil for all
	// Relative products are no OpenClaw: on ports that are not their own they are
	// asked for more only if / gives a hint, unless everything is to be asked.
	Relative bool                  `yaml:"relative"`
	About    string                `yaml:"about"`      // what it is, and what can be seen of it from outside
	Bases    []string              `yaml:"base_paths"` // usual base paths, tried when / hints at one or when asked for
	Answers  map[string]answerSpec `yaml:"answers"`    // shapes that several signals have
	Requests []requestSpec         `yaml:"requests"`
	// Signals are those that do not stand below a request.
	Signals  map[string]ownSignal `yaml:"signals"`
	Identity []identityRule       `yaml:"identity"`
	Brand    []brandRule          `yaml:"brand"`
	Auth     []authRule           `yaml:"auth"`
	Version  []versionSource      `yaml:"version"` // in order of trust
	Traits   []traitRule          `yaml:"traits"`
	// Mount names the signal that tells that a proxy has the whole product below
	// the base path, and not its page alone. See requestSpec.Path.
	Mount string     `yaml:"mount"`
	Notes []noteRule `yaml:"notes"`
	// Gated matches where a login in front keeps every client from all of the
	// product. Only then is the state gated, if the product is not recognised.
	Gated condition `yaml:"gated"`
	// Advice is what to do about the product in a state of authentication: open,
	// claimable, or required with a password that is publicly known.
	Advice map[event.AuthState]Advice `yaml:"advice"`
	// Spare names requests that this product must not be sent, for any product.
	NeverAsk []neverAskRule `yaml:"never_ask"`
}

// neverAskRule keeps a request from what may be the product.
type neverAskRule struct {
	Request string `yaml:"request"`
	cond    `yaml:",inline"`
}

// Advice is the product's own part of a finding.
type Advice struct {
	Means      string   `yaml:"means"` // what anyone can do, one sentence
	Fix        string   `yaml:"fix"`   // what to do, in a sentence or two
	Steps      string   `yaml:"steps"` // the same as a runbook
	References []string `yaml:"references"`
}

// frontSpec is the file of fronts: what stands before a product.
type frontSpec struct {
	Fronts []frontRule `yaml:"fronts"`
	// LoginFronts require a login of their own.
	LoginFronts []frontRule `yaml:"login_fronts"`
	// LoginWords are words in the target of a redirect that leads to a login.
	LoginWords []string `yaml:"login_words"`
}

// frontRule matches when all that it names does: one answer, the name that was
// asked for, the certificate.
type frontRule struct {
	ID      string   `yaml:"id"`
	Name    string   `yaml:"name"`
	Host    *pattern `yaml:"host_regex"`    // on the target's name
	Subject *pattern `yaml:"subject_regex"` // on the certificate's subject
	match   `yaml:",inline"`

	because []string // its name in verdicts
}

type requestSpec struct {
	ID string `yaml:"id"`
	// Effect says what the request can change in the product and what the answer gives
	// away, for who reviews the file. Every request but GET / needs it.
	Effect string `yaml:"effect"`
	Method string `yaml:"method"` // default GET
	// Path: "{base}" stands for the base path; "{mount}" for the same where the
	// product's mount matches, else for nothing; "{script}" for the name of the
	// page's first script; without one the request is not made; "{random}" for 12
	// hex digits that are new in each probe, and others in a fresh request, so that
	// no cache knows the answer.
	Path string `yaml:"path"`
	// Fresh: on a connection of its own. Where a front spreads connections over
	// several backends, another one may answer.
	Fresh     bool `yaml:"fresh"`
	WebSocket bool `yaml:"websocket"`
	// Reply names the message with which a WebSocket's first one is answered, see
	// package handshake. What counts is then the message that comes back.
	Reply       string            `yaml:"reply"`
	RFB         bool              `yaml:"rfb"`          // the opening of a VNC connection, see evidence.Request
	SpeaksFirst bool              `yaml:"speaks_first"` // before GET / on the product's own ports: there the server speaks first
	Headers     map[string]string `yaml:"headers"`
	Body        string            `yaml:"body"`
	Level       event.Level       `yaml:"level"` // default passive
	// For names the questions that the request can answer; it is sent only
	// while one of them is open. "surfaces" is open on a product that is
	// recognised, "deep" and "passive" at that level. Empty: sent whenever its
	// condition matches.
	For      oneOrMore      `yaml:"for"`
	When     condition      `yaml:"when"`
	Releases *releaseBounds `yaml:"releases"` // those that have what is asked for; part of the condition
	MaxBody  int            `yaml:"max_body"`
	// Secret: the answer may hold one. Its body is looked at and dropped.
	Secret bool `yaml:"secret"`
	// Shows names answers that are signals of the same name here.
	Shows oneOrMore `yaml:"shows"`
	// Signals are evaluated on the answer; Surfaces follow from them.
	Signals  map[string]signalSpec `yaml:"signals"`
	Surfaces []surfaceSpec         `yaml:"surfaces"`
}

// releaseBounds matches when all candidate releases lie in the range, and there is
// one; or when one of Or matches, for where the release is not known.
type releaseBounds struct {
	releaseRange `yaml:",inline"`
	Or           oneOrMore `yaml:"or"`
}

// surfaceSpec is a part of the product that the answer is about, in up to three
// states.
type surfaceSpec struct {
	ID      string    `yaml:"id"`
	Path    string    `yaml:"path"` // default the request's, without its query
	Open    condition `yaml:"open"`
	Gated   condition `yaml:"gated"`
	Present condition `yaml:"present"`
}

// cond matches when all of All, at least one of Any (if there are any), and none
// of Not match. They are names of signals.
type cond struct {
	All oneOrMore `yaml:"all"`
	Any oneOrMore `yaml:"any"`
	Not oneOrMore `yaml:"not"`

	signals []*signal // those that it names, in the order of names
}

// condition is a cond where it stands by itself.
type condition struct {
	cond `yaml:",inline"`
}

// UnmarshalYAML takes the name of one signal for the condition that it matches.
func (c *condition) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return strict.Node(n, &c.All)
	}
	return strict.Node(n, &c.cond)
}

func (c cond) empty() bool { return len(c.All)+len(c.Any)+len(c.Not) == 0 }

// signalSpec is a signal below a request: it matches an answer that has what is
// written in it and what the answers that it names ask for.
type signalSpec struct {
	Answer     oneOrMore `yaml:"answer"`
	answerSpec `yaml:",inline"`
}

// answerSpec is what an answer must have.
type answerSpec struct {
	match `yaml:",inline"`
	// Login matches when the answer requires a login: 401, a login front of fronts.yaml, or
	// a redirect with one of the login words there.
	Login bool `yaml:"login"`
	// Secret: what matches stands beside a secret, so the body is dropped.
	Secret bool `yaml:"secret"`
	// Common: it matches many answers of other servers as well, and alone is no
	// reason to consider the product: a condition that needs it needs another signal.
	Common bool `yaml:"common"`
}

// UnmarshalYAML takes the name of an answer for what the answer asks for.
func (s *signalSpec) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return strict.Node(n, &s.Answer)
	}
	type plain signalSpec
	return strict.Node(n, (*plain)(s))
}

// add asks for what o asks for as well. Of a key that both give
// it returns the name, unless the two go together.
func (s *answerSpec) add(o answerSpec) (twice string) {
	s.Login, s.Secret, s.Common = s.Login || o.Login, s.Secret || o.Secret, s.Common || o.Common
	to, from := reflect.ValueOf(&s.match).Elem(), reflect.ValueOf(o.match)
	for i := range to.NumField() {
		into, more := to.Field(i), from.Field(i)
		switch key := to.Type().Field(i).Tag.Get("yaml"); {
		case more.IsZero():
		case into.IsZero():
			into.Set(more)
		case key == "has" || key == "lacks" || key == "lacks_headers":
			into.Set(reflect.AppendSlice(into.Slice3(0, into.Len(), into.Len()), more))
		case into.Kind() == reflect.Map:
			both := reflect.MakeMap(into.Type())
			for _, m := range []reflect.Value{into, more} {
				for _, k := range m.MapKeys() {
					if both.MapIndex(k).IsValid() {
						return k.String()
					}
					both.SetMapIndex(k, m.MapIndex(k))
				}
			}
			into.Set(both)
		default:
			return key
		}
	}
	return ""
}

// ownSignal is a signal that does not stand below a request: a condition on other
// signals, or something else to know of the target.
type ownSignal struct {
	cond    `yaml:",inline"`
	outside `yaml:",inline"`
}

// outside is what is known of a target without looking at an answer.
type outside struct {
	// DefaultPort matches on the product's own ports.
	DefaultPort bool `yaml:"default_port"`
	// Loopback matches when the target is reached over loopback: some products
	// accept every client on their own host.
	Loopback bool `yaml:"loopback"`
	// Based matches when the target is looked at below a base path.
	Based bool `yaml:"based"`
	// Subject is a pattern on the certificate's subject (RFC 2253 form).
	Subject *pattern `yaml:"subject_regex"`
	// Host is a pattern on the name that the target was given by.
	Host *pattern `yaml:"host_regex"`
	// Version matches when the version lies in the range, for products without a
	// release table.
	Version *versionRange `yaml:"versions"`
	// Release matches when all candidate releases lie in the range, and there is
	// one.
	Release *releaseRange `yaml:"releases"`
}

// signal is a signal as it is judged.
type signal struct {
	On    []string // the requests whose answers it may match
	Login []string // the requests whose answers may require a login
	match
	cond
	outside
	Secret, Common bool // see answerSpec

	index  int  // of its product's signals
	reason bool // if it matches, it is a reason to consider the product
}

// releaseRange is a range of releases, both ends included; an end that is
// missing is open.
type releaseRange struct {
	From release.Version `yaml:"from"`
	To   release.Version `yaml:"to"`
}

func (r *releaseRange) contains(v release.Version) bool {
	return (r.From.IsZero() || v.Compare(r.From) >= 0) && (r.To.IsZero() || v.Compare(r.To) <= 0)
}

// all reports whether the release is known, and inside the range, or outside,
// whichever of the candidates it is.
func (r *releaseRange) all(candidates []string, inside bool) bool {
	return len(candidates) > 0 && !slices.ContainsFunc(candidates, func(c string) bool {
		v, err := release.Parse(c)
		return err != nil || r.contains(v) != inside
	})
}

// versionRange is a range of versions written as numbers with dots: from From
// on, and below Before; one of the two may be missing.
type versionRange struct {
	From   string `yaml:"from"`
	Before string `yaml:"before"`
}

func (r *versionRange) contains(v string) bool {
	return (r.From == "" || compareVersions(v, r.From) >= 0) && (r.Before == "" || compareVersions(v, r.Before) < 0)
}

func (r *versionRange) valid() bool {
	for _, v := range []string{r.From, r.Before} {
		if m := numbered.FindStringSubmatch(v); v != "" && (m == nil || strings.TrimPrefix(v, "v") != m[1]) {
			return false
		}
	}
	return true
}

// numbered is how such a version is written. What follows the numbers is left out, but
// for the mark of a pre-release.
var numbered = regexp.MustCompile(`^v?(\d{1,9}(?:\.\d{1,9})*)(?:[-._]?(?:a|b|c|rc|alpha|beta|dev|pre|preview|canary|nightly)(?:[-._]?\d+)*(?:[+.-]|$))?`)

// compareVersions compares number by number; what has no number is 0. A pre-release
// comes before its release.
func compareVersions(a, b string) int {
	return cmp.Or(slices.Compare(numbers(a), numbers(b)), cmp.Compare(preRelease(b), preRelease(a)))
}

// preRelease is 1 for a pre-release, else 0.
func preRelease(v string) int {
	if m := numbered.FindStringSubmatch(v); m != nil && strings.TrimPrefix(m[0], "v") != m[1] {
		return 1
	}
	return 0
}

func numbers(v string) []int {
	var out []int
	if m := numbered.FindStringSubmatch(v); m != nil {
		for part := range strings.SplitSeq(m[1], ".") {
			n, _ := strconv.Atoi(part) // at most nine digits
			out = append(out, n)
		}
	}
	return out
}

type identityRule struct {
	Confidence event.Confidence `yaml:"confidence"`
	cond       `yaml:",inline"`
}

type brandRule struct {
	Brand string `yaml:"brand"`
	cond  `yaml:",inline"`
}

type authRule struct {
	State event.AuthState `yaml:"state"`
	Mode  event.AuthMode  `yaml:"mode"`
	cond  `yaml:",inline"`
}

type surfaceRule struct {
	ID, Path string
	State    event.SurfaceState
	at       []any // where it stands in the file
	cond
}

// traitRule names something that the answers prove about how the product is
// set up. Several rules may have the same id.
type traitRule struct {
	ID   string `yaml:"id"`
	cond `yaml:",inline"`
}

// noteRule is a sentence for readers. Its ID, with the product's, is the name of
// its translations.
type noteRule struct {
	ID   string `yaml:"id"`
	Text string `yaml:"text"`
	cond `yaml:",inline"`
}

// versionSource says where an answer names the release. Exactly one of
// Attribute, Header, Body, JSON and Assets is set.
type versionSource struct {
	Source     string              `yaml:"source"`
	On         string              `yaml:"request"`
	Attribute  string              `yaml:"attribute"` // of the html element
	Header     map[string]*pattern `yaml:"header_regex"`
	Body       *pattern            `yaml:"body_regex"`
	JSON       string              `yaml:"json_path"`
	Stamp      bool                `yaml:"build_stamp"` // a release, a commit, maybe a time
	Assets     bool                `yaml:"assets"`
	Confidence event.Confidence    `yaml:"confidence"`
	cond       `yaml:",inline"`
}

// maxPatterns bounds all patterns of a file: a compiled one takes some 200 bytes
// for each step, and one of ten bytes may have thousands.
const maxPatterns = 100_000

var repetition = regexp.MustCompile(`\{[0-9]`)

// patternSize is at least how many steps the patterns of a file have, regardless
// of its other texts; small files without repetitions are not looked at.
func patternSize(data []byte) int {
	if len(data) <= maxPatterns && !repetition.Match(data) {
		return len(data)
	}
	var root yaml.Node
	if yaml.Unmarshal(data, &root) != nil {
		return 0 // decode says why
	}
	size := 0
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		size += len(n.Value)
		if n.Kind == yaml.ScalarNode && repetition.MatchString(n.Value) {
			if re, err := syntax.Parse(n.Value, syntax.Perl); err == nil {
				size += steps(re)
			}
		}
		for _, child := range n.Content {
			walk(child)
		}
	}
	walk(&root)
	return size
}

// steps is how many steps a pattern has when its repetitions are written out.
func steps(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		n += steps(sub)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max, 1)
	}
	return n
}

// decode reads YAML strictly: an unknown key is an error with its line.
func decode(data []byte, name string, into any) error {
	if err := bounded.YAML(data); err == nil && patternSize(data) > maxPatterns {
		return strict.At(name, data, fmt.Errorf("its patterns are too large: together they may have %d steps, each repetition counted as often as it may be", maxPatterns))
	}
	err := strict.YAML(name, data, into)
	var at *strict.Error
	var key *strict.UnknownKey
	if errors.As(err, &at) && errors.As(err, &key) {
		if text := renamed(key.Key, key.Known); text != "" {
			at.Err = fmt.Errorf("unknown key %q: %s", key.Key, text)
		}
	}
	return err
}

// renames are the keys of the first edition of the language and those of today.
const renames = `none:not say:reply spare:never_ask first:speaks_first near:port_offsets keys:has no_keys:lacks
	body:body_regex header:header_regex attribute:attribute_regex json_match:json_regex without:lacks_headers icon:icon_hash
	subject:subject_regex host:host_regex json:json_path stamp:build_stamp on:request release:releases version:versions
	releases:release_table gateways:gateway_releases bases:base_paths gates:login_fronts logins:login_words`

// renamed says what stands for a key of the first edition.
func renamed(key string, known []string) string {
	for pair := range strings.FieldsSeq(renames) {
		if old, now, _ := strings.Cut(pair, ":"); key == old && slices.Contains(known, now) {
			return fmt.Sprintf("it is %q now", now)
		}
	}
	switch key {
	case "on":
		return "a signal stands below the request whose answer it reads"
	case "surfaces":
		return "a surface stands at the request whose answer it is about"
	case "answer":
		return "an answer names no other"
	}
	return ""
}

// listOf is a list; one entry may be written without brackets.
type listOf[T any] []T

// oneOrMore is a list of texts.
type oneOrMore = listOf[string]

// UnmarshalYAML reads either.
func (l *listOf[T]) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return strict.Node(n, (*[]T)(l))
	}
	*l = make([]T, 1)
	return strict.Node(n, &(*l)[0])
}
