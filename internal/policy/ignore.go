package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/event"
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
	line   int
	check  string // "*" is every one
	prefix netip.Prefix
	glob   string // in lower case, when prefix is zero
	text   string // what goes to the finding
	reason string
	until  time.Time // the first moment at which it no longer counts; zero: none
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
	if line, err := bounded.YAML(data); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", file, max(line, 1), err)
	}
	fail := func(n *yaml.Node, format string, args ...any) error {
		return fmt.Errorf("%s:%d: %w", file, n.Line, fmt.Errorf(format, args...))
	}
	top, err := document(file, data)
	if err != nil {
		return nil, err
	}
	out := &Ignore{file: file}
	if top == nil {
		return out, nil
	}
	if top.Kind != yaml.MappingNode {
		return nil, fail(top, "an ignore file begins with \"ignore:\"")
	}
	seen := false
	for i := 0; i+1 < len(top.Content); i += 2 {
		key, list := top.Content[i], top.Content[i+1]
		switch {
		case key.Value != "ignore":
			return nil, fail(key, "unknown key %q: the only one is ignore", key.Value)
		case seen:
			return nil, fail(key, "key \"ignore\" is there twice")
		case list.Tag == "!!null":
			continue
		case list.Kind != yaml.SequenceNode:
			return nil, fail(list, "\"ignore\" is a list of entries with check, target, reason and until")
		}
		seen = true
		for _, n := range list.Content {
			e, err := parseEntry(n, checks)
			if err != nil {
				return nil, fmt.Errorf("%s:%w", file, err)
			}
			out.entries = append(out.entries, e)
		}
	}
	return out, nil
}

// document returns the one document's top node; nil if there is nothing.
func document(file string, data []byte) (*yaml.Node, error) {
	var root, more yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	err := dec.Decode(&root)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err == nil {
		if err = dec.Decode(&more); err == nil {
			return nil, fmt.Errorf("%s:%d: a second document begins: an ignore file is one", file, more.Line)
		}
	}
	var load *yaml.LoadError
	switch {
	case errors.Is(err, io.EOF):
	case errors.As(err, &load) && load.Mark.Line > 0:
		return nil, fmt.Errorf("%s:%d: %s", file, load.Mark.Line, load.Message)
	default:
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(root.Content) == 0 || root.Content[0].Tag == "!!null" {
		return nil, nil
	}
	return root.Content[0], nil
}

// parseEntry reads one entry; an error begins with the line.
func parseEntry(n *yaml.Node, checks []string) (*ignored, error) {
	fail := func(n *yaml.Node, format string, args ...any) error {
		return fmt.Errorf("%d: %w", n.Line, fmt.Errorf(format, args...))
	}
	if n.Kind != yaml.MappingNode {
		return nil, fail(n, "an entry has check, target, reason and, if it is to end, until")
	}
	e := &ignored{line: n.Line}
	given := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := n.Content[i], n.Content[i+1]
		value := strings.TrimSpace(v.Value)
		switch {
		case !slices.Contains([]string{"check", "target", "reason", "until"}, key.Value):
			return nil, fail(key, "unknown key %q: use check, target, reason, until", key.Value)
		case given[key.Value]:
			return nil, fail(key, "key %q is there twice", key.Value)
		case v.Kind != yaml.ScalarNode:
			return nil, fail(v, "%s takes one value", key.Value)
		case value == "" || v.Tag == "!!null":
			return nil, fail(v, "%s is empty", key.Value)
		}
		given[key.Value] = true
		switch key.Value {
		case "check":
			if value != "*" && !slices.Contains(checks, value) {
				return nil, fail(v, "unknown check %q%s: see \"clawsonar explain\" for the list", value, suggest.DidYouMean(value, checks))
			}
			e.check = value
		case "target":
			if err := e.setTarget(value); err != nil {
				return nil, fail(v, "target: %w", err)
			}
		case "reason":
			e.reason = strings.Join(strings.Fields(value), " ")
		case "until":
			day, err := time.Parse(time.DateOnly, value)
			if err != nil {
				return nil, fail(v, "until: %q is no date: write it as 2026-12-31", value)
			}
			e.until = day.AddDate(0, 0, 1)
		}
	}
	for _, key := range []string{"check", "target", "reason"} {
		if !given[key] {
			return nil, fail(n, "%s is missing: an entry has check, target (\"*\" for all) and reason", key)
		}
	}
	e.text = "ignore file: " + e.reason
	if !e.until.IsZero() {
		e.text += " (until " + e.until.AddDate(0, 0, -1).Format(time.DateOnly) + ")"
	}
	return e, nil
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

// matches reports whether the entry is about that finding, whatever its date.
func (e *ignored) matches(a event.Address, check string) bool {
	if e.check != "*" && e.check != check {
		return false
	}
	ip, err := netip.ParseAddr(a.IP)
	if e.glob == "" {
		return err == nil && e.prefix.Contains(ip.Unmap())
	}
	names := []string{a.URL, strings.TrimSuffix(a.URL, "/"), a.Input}
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
func (i *Ignore) find(a event.Address, check string, now time.Time) string {
	for _, e := range i.entries {
		if !e.matches(a, check) {
			continue
		}
		e.used = true
		if e.until.IsZero() || now.Before(e.until) {
			return e.text
		}
	}
	return ""
}

// notes say which entries no longer count, and which matched nothing.
func (i *Ignore) notes(now time.Time) []string {
	var out []string
	for _, e := range i.entries {
		place := fmt.Sprintf("%s:%d", i.file, e.line)
		switch {
		case !e.until.IsZero() && !now.Before(e.until):
			out = append(out, fmt.Sprintf("%s: the entry for %s ended on %s: mend it, or set a new date", place, e.check, e.until.AddDate(0, 0, -1).Format(time.DateOnly)))
		case !e.used:
			out = append(out, fmt.Sprintf("%s: the entry for %s matches nothing here: remove it, or correct its target", place, e.check))
		}
	}
	return out
}
