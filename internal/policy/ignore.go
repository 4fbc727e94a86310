package policy

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/strict"
	"github.com/clawsonar/clawsonar/internal/suggest"
)

// Ignore is an ignore file: findings that the operator has looked at and lives
// with, each entry with a reason.
type Ignore struct {
	file    string
	entries []*ignored
}

// ignored is one entry.
type ignored struct {
	Check  string `yaml:"check"` // "*" is every one
	Target string `yaml:"target"`
	Reason string `yaml:"reason"`
	Until  string `yaml:"until"`

	line   int
	prefix netip.Prefix
	glob   string       // in lower case, when prefix is zero
	text   message.Text // what goes to the finding
	until  time.Time    // the first moment at which it no longer counts; zero: none
	used   bool
}

// LoadIgnore reads an ignore file:
//
//	ignore:
//	  - check: plain-http        # an id, or "*"
//	    target: 10.0.0.0/24      # an address, a CIDR block, or a glob of URL, host or host:port
//	    reason: TLS ends at the load balancer
//	    until: 2026-12-31        # the last day; may be left out
//
// checks are the ids that there are. An error begins with file and line.
func LoadIgnore(file string, data []byte, checks []string) (*Ignore, error) {
	var doc struct {
		Ignore []*ignored `yaml:"ignore"`
	}
	if err := strict.YAML(file, data, &doc); err != nil {
		return nil, err
	}
	for i, e := range doc.Ignore {
		if e == nil {
			e = new(ignored)
		}
		if key, err := e.complete(checks); err != nil {
			return nil, strict.At(file, data, err, "ignore", i, key)
		}
	}
	return &Ignore{file, doc.Ignore}, nil
}

// UnmarshalYAML reads an entry, and remembers where it is.
func (e *ignored) UnmarshalYAML(n *yaml.Node) error {
	e.line = n.Line
	for i := 1; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
		if n.Content[i].Tag == "!!null" {
			return &strict.Error{Line: n.Content[i].Line, Err: fmt.Errorf("%s is empty", n.Content[i-1].Value)}
		}
	}
	type plain ignored
	return strict.Node(n, (*plain)(e))
}

// complete derives from the texts of an entry what they say; an error is about
// that key.
func (e *ignored) complete(checks []string) (key string, err error) {
	for _, f := range []struct {
		key  string
		text *string
	}{{"check", &e.Check}, {"target", &e.Target}, {"reason", &e.Reason}} {
		if *f.text = strings.Join(strings.Fields(*f.text), " "); *f.text == "" {
			return f.key, fmt.Errorf("%s is missing: an entry has check, target (\"*\" for all) and reason", f.key)
		}
	}
	if e.Check != "*" && !slices.Contains(checks, e.Check) {
		return "check", fmt.Errorf("unknown check %q%s: see \"clawsonar explain\" for the list", e.Check, suggest.DidYouMean(e.Check, checks))
	}
	if err := e.setTarget(e.Target); err != nil {
		return "target", fmt.Errorf("target: %w", err)
	}
	because := []message.Arg{message.Of("reason", e.Reason)}
	if e.Until != "" {
		day, err := time.Parse(time.DateOnly, e.Until)
		if err != nil {
			return "until", fmt.Errorf("until: %q is no date: write it as 2026-12-31", e.Until)
		}
		e.until = day.AddDate(0, 0, 1)
		because = append(because, e.ends())
	}
	e.text = message.Say("suppressed.ignore-file", because...)
	return "", nil
}

// ends is the last day on which the entry counts.
func (e *ignored) ends() message.Arg {
	return message.Of("until", e.Until)
}

// setTarget reads an address, a block or a glob.
func (e *ignored) setTarget(s string) error {
	if a, err := netip.ParseAddr(s); err == nil {
		e.prefix = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
		return nil
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		if p != p.Masked() {
			return fmt.Errorf("%q has bits set beyond its prefix: did you mean %s?", s, p.Masked())
		}
		e.prefix = p
		return nil
	}
	// Not a glob but a block that does not parse: it would match nothing.
	if cidr.MatchString(s) {
		return fmt.Errorf("%q is no CIDR block", s)
	}
	if len(s) > maxGlob {
		return fmt.Errorf("longer than %d bytes", maxGlob)
	}
	e.glob = strings.ToLower(s)
	return nil
}

// maxGlob is longer than any URL that is worth an entry, in bytes.
const maxGlob = 2048

// globMatch reports whether a pattern, of which * is any text and ? any one
// character, matches a text as a whole. Both are in lower case.
func globMatch(pattern, text []rune) bool {
	star, from := -1, 0 // the last * seen, and where what it stands for ends
	p, t := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			from++
			p, t = star+1, from
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

var cidr = regexp.MustCompile(`^[0-9a-fA-F.:]+/[0-9]+$`)

// matches reports whether the entry is about that finding, regardless of its date.
func (e *ignored) matches(a event.Address, check string) bool {
	if e.Check != "*" && e.Check != check {
		return false
	}
	ip, err := netip.ParseAddr(a.IP)
	if e.glob == "" {
		return err == nil && e.prefix.Contains(ip.Unmap())
	}
	names := []string{a.URL, strings.TrimSuffix(a.URL, "/"), a.Input}
	if a.Kind == event.TargetFiles {
		names = append(names, a.Place())
	}
	for _, host := range []string{a.Name, a.IP} {
		if host == "" {
			continue
		}
		names = append(names, host)
		if err == nil && ip.Is6() && host == a.IP {
			host = "[" + host + "]"
		}
		names = append(names, host+":"+strconv.Itoa(a.Port))
	}
	glob := []rune(e.glob)
	return slices.ContainsFunc(names, func(s string) bool { return s != "" && globMatch(glob, []rune(strings.ToLower(s))) })
}

// find returns why a finding is ignored; "" if it is not.
func (i *Ignore) find(a event.Address, check string, now time.Time) message.Text {
	for _, e := range i.entries {
		if !e.matches(a, check) {
			continue
		}
		e.used = true
		if e.until.IsZero() || now.Before(e.until) {
			return e.text
		}
	}
	return message.Text{}
}

// notes say which entries no longer count, and which matched nothing.
func (i *Ignore) notes(now time.Time) []message.Text {
	var out []message.Text
	for _, e := range i.entries {
		file, check := message.Of("file", fmt.Sprintf("%s:%d", i.file, e.line)), message.Of("check", e.Check)
		switch {
		case !e.until.IsZero() && !now.Before(e.until):
			out = append(out, message.Say("ignore.ended", file, check, e.ends()))
		case !e.used:
			out = append(out, message.Say("ignore.unused", file, check))
		}
	}
	return out
}
