package fingerprint

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/release"
)

// spec is a fingerprint file as it is written.
type spec struct {
	ID       string   `yaml:"id"`
	Name     string   `yaml:"name"`
	Releases string   `yaml:"releases"` // name of the release table, if there is one
	Ports    []uint16 `yaml:"ports"`    // where the product listens by default
	// Helper products stand beside a gateway: their ports are tried only where
	// one was found, or when asked for.
	Helper   bool          `yaml:"helper"`
	Near     []uint16      `yaml:"near"`     // a helper's ports, as distances from the gateway's
	Gateways *releaseRange `yaml:"gateways"` // the releases beside which a helper shows itself; nil for all
	// Relative products are no OpenClaw: on ports that are not their own they are
	// asked for more only if / gives a hint, unless everything is to be asked.
	Relative bool              `yaml:"relative"`
	About    string            `yaml:"about"` // what it is, and what can be seen of it from outside
	Requests []requestSpec     `yaml:"requests"`
	Signals  map[string]signal `yaml:"signals"`
	Identity []identityRule    `yaml:"identity"`
	Brand    []brandRule       `yaml:"brand"`
	Auth     []authRule        `yaml:"auth"`
	Version  []versionSource   `yaml:"version"`
	Surfaces []surfaceRule     `yaml:"surfaces"`
	Traits   []traitRule       `yaml:"traits"`
	Bases    []string          `yaml:"bases"` // usual base paths, tried when / hints at one or when asked for
	// Mount names the signal that shows a proxy to have the whole product below
	// the base path, and not its page alone. See requestSpec.Path.
	Mount string     `yaml:"mount"`
	Notes []noteRule `yaml:"notes"`
	// Gated holds where a log-in in front keeps everybody from all of the product.
	// Only then is it said, as long as nothing else is recognised.
	Gated cond `yaml:"gated"`
	// Advice is what to do about the product in a state of authentication: open,
	// claimable, or required with a password that everybody knows.
	Advice map[event.AuthState]Advice `yaml:"advice"`
	// Spare names requests that this product must not be sent, by anybody.
	Spare []spareRule `yaml:"spare"`
}

// spareRule keeps a request from what may be the product.
type spareRule struct {
	Request string `yaml:"request"`
	cond    `yaml:",inline"`
}

// Advice is the product's own part of a finding.
type Advice struct {
	Means      string   `yaml:"means"` // what a stranger can do, one sentence
	Fix        string   `yaml:"fix"`   // what to do, in a sentence or two
	Steps      string   `yaml:"steps"` // the same as a runbook
	References []string `yaml:"references"`
}

// frontSpec is the file of fronts: what stands before a product.
type frontSpec struct {
	Fronts []frontRule `yaml:"fronts"`
	Gates  []frontRule `yaml:"gates"`
	// Logins are words in the target of a redirect that leads to a log-in.
	Logins []string `yaml:"logins"`
}

// frontRule holds when all that it names is seen: in one answer, in the name
// that was asked for, in the certificate.
type frontRule struct {
	ID      string   `yaml:"id"`
	Name    string   `yaml:"name"`
	Host    *pattern `yaml:"host"`    // on the target's name
	Subject *pattern `yaml:"subject"` // on the certificate's subject
	match   `yaml:",inline"`

	because []string // its name in verdicts
}

type requestSpec struct {
	ID     string `yaml:"id"`
	Method string `yaml:"method"` // default GET
	// Path: "{base}" stands for the base path; "{mount}" for the same where the
	// product's mount shows, else for nothing; "{script}" for the name of the
	// page's first script; without one the request is not made; "{random}" for 12
	// hex digits that are new in each probe, and others in a fresh request, so that
	// no cache knows the answer.
	Path string `yaml:"path"`
	// Fresh: on a connection of its own. Where a front spreads connections over
	// several backends, another one may answer.
	Fresh     bool `yaml:"fresh"`
	WebSocket bool `yaml:"websocket"`
	// Say names the message with which a WebSocket's first one is answered, see
	// package handshake. What counts is then the message that comes back.
	Say     string            `yaml:"say"`
	RFB     bool              `yaml:"rfb"`   // the opening of a VNC connection, see evidence.Request
	First   bool              `yaml:"first"` // before GET / on the product's own ports: there the server speaks first
	Headers map[string]string `yaml:"headers"`
	Body    string            `yaml:"body"`
	Level   event.Level       `yaml:"level"` // default passive
	// For names the questions that the request can answer; it is sent only
	// while one of them is open. "surfaces" is open on a product that is
	// recognised, "deep" and "passive" at that level. Empty: sent whenever its
	// condition holds.
	For     []string `yaml:"for"`
	When    cond     `yaml:"when"`
	MaxBody int      `yaml:"max_body"`
	// Secret: the answer may hold one. Its body is looked at and dropped.
	Secret bool `yaml:"secret"`
}

// cond holds when all of All, at least one of Any (if there are any), and none
// of None hold. They are names of signals.
type cond struct {
	All  []string `yaml:"all"`
	Any  []string `yaml:"any"`
	None []string `yaml:"none"`
}

func (c cond) empty() bool { return len(c.All)+len(c.Any)+len(c.None) == 0 }

// signal is either a condition on other signals, or something to see in the
// answer to one of the requests it names.
type signal struct {
	On    oneOrMore `yaml:"on"`
	cond  `yaml:",inline"`
	match `yaml:",inline"`
	// DefaultPort holds on the product's own ports.
	DefaultPort bool `yaml:"default_port"`
	// Loopback holds when the target is reached over loopback: some products let
	// whoever comes from their own host in.
	Loopback bool `yaml:"loopback"`
	// Based holds when the target is looked at below a base path.
	Based bool `yaml:"based"`
	// Login holds when the answer to one of these requests asks for a log-in: 401,
	// a gate of fronts.yaml, or a redirect to what is called so there.
	Login oneOrMore `yaml:"login"`
	// Subject is a pattern on the certificate's subject (RFC 2253 form).
	Subject *pattern `yaml:"subject"`
	// Host is a pattern on the name that the target was given by.
	Host *pattern `yaml:"host"`
	// Version holds when the version lies in the range, for products without a
	// release table.
	Version *versionRange `yaml:"version"`
	// Secret: what is seen stands beside a secret, so the body is dropped.
	Secret bool `yaml:"secret"`
	// Release holds when every release that fits lies in the range, and one
	// does.
	Release *releaseRange `yaml:"release"`

	// Common: it shows in many answers of others as well, and alone is no reason to
	// think about the product: whatever needs it needs something else to be seen.
	Common bool `yaml:"common"`

	index  int  // of its product's signals
	reason bool // seen, it is a reason to think about the product
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

// excludes reports whether the release is known, and outside the range whichever
// of the candidates it is.
func (r *releaseRange) excludes(candidates []string) bool {
	return len(candidates) > 0 && !slices.ContainsFunc(candidates, func(c string) bool {
		v, err := release.Parse(c)
		return err != nil || r.contains(v)
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
		if v != "" && numbered.FindString(v) != v {
			return false
		}
	}
	return true
}

// numbered is how such a version is written; what follows the numbers is left out.
var numbered = regexp.MustCompile(`^v?(\d{1,9}(?:\.\d{1,9})*)`)

// compareVersions compares number by number; what has no number is 0.
func compareVersions(a, b string) int {
	return slices.Compare(numbers(a), numbers(b))
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
	ID    string             `yaml:"id"`
	Path  string             `yaml:"path"`
	State event.SurfaceState `yaml:"state"`
	cond  `yaml:",inline"`
}

// traitRule names something that the answers prove about how the product is
// set up. Several rules may have the same id.
type traitRule struct {
	ID   string `yaml:"id"`
	cond `yaml:",inline"`
}

type noteRule struct {
	Text string `yaml:"text"`
	cond `yaml:",inline"`
}

// versionSource says where an answer names the release. Exactly one of
// Attribute, Header, Body, JSON and Assets is set.
type versionSource struct {
	Source     string              `yaml:"source"`
	On         string              `yaml:"on"`
	Attribute  string              `yaml:"attribute"` // of the html element
	Header     map[string]*pattern `yaml:"header"`
	Body       *pattern            `yaml:"body"`
	JSON       string              `yaml:"json"`
	Stamp      bool                `yaml:"stamp"` // a build stamp: release, commit, maybe a time
	Assets     bool                `yaml:"assets"`
	Confidence event.Confidence    `yaml:"confidence"`
	cond       `yaml:",inline"`
}

// maxPatterns bounds all patterns of a file: a compiled one takes some 200 bytes
// for each step, and one of ten bytes may have thousands.
const maxPatterns = 100_000

var repetition = regexp.MustCompile(`\{[0-9]`)

// patternSize is at least how many steps the patterns of a file have, whatever
// else its texts are; small files without repetitions are not looked at.
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
	if line, err := bounded.YAML(data); err != nil {
		return fmt.Errorf("%s: line %d: %w", name, max(line, 1), err)
	}
	if patternSize(data) > maxPatterns {
		return fmt.Errorf("%s: its patterns are too large: together they may have %d steps, each repetition counted as often as it may be", name, maxPatterns)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("%s: %s", name, yamlError(err))
	}
	return nil
}

// yamlError puts the library's message on one line. Of several errors it keeps
// the first: the others often follow from it.
func yamlError(err error) string {
	text := err.Error()
	var many *yaml.LoadErrors
	if errors.As(err, &many) && len(many.Errors) > 0 {
		text = many.Errors[0].Error()
	}
	text = strings.TrimPrefix(text, "yaml: ")
	return strings.Join(strings.Fields(text), " ")
}

// lineOf finds the line of a place in a document that has been decoded: keys
// by name, list entries by index. It returns the line of the deepest part that
// exists. Only errors need it, so the document is read again.
func lineOf(data []byte, path ...any) int {
	var root yaml.Node
	if yaml.Unmarshal(data, &root) != nil || len(root.Content) == 0 {
		return 1
	}
	n := root.Content[0]
	line := n.Line
	for _, step := range path {
		var next *yaml.Node
		switch step := step.(type) {
		case string:
			for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == step {
					line, next = n.Content[i].Line, n.Content[i+1]
				}
			}
		case int:
			if n.Kind == yaml.SequenceNode && step < len(n.Content) {
				next = n.Content[step]
				line = next.Line
			}
		}
		if next == nil {
			return line
		}
		n = next
	}
	return line
}

// oneOrMore is a YAML string or a list of strings.
type oneOrMore []string

func (o *oneOrMore) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*o = []string{n.Value}
		return nil
	}
	return n.Decode((*[]string)(o))
}
