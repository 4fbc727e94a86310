package fingerprint

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/clawsonar/clawsonar/internal/release"
)

// knownFile lists what may be quoted beyond what the fingerprints look for.
const knownFile = "known.yaml"

type knownSpec struct {
	Servers []string `yaml:"servers"`
	Titles  []string `yaml:"titles"`
	Keys    []string `yaml:"keys"`
	Paths   []string `yaml:"paths"`
}

// known is what may be quoted of an answer: the words that the fingerprints look
// for. Any other text of a target may be a secret of its owner's.
type known struct {
	titles   map[string]bool
	keys     map[string]bool            // of JSON objects
	values   map[string]map[string]bool // strings in JSON, by dotted path
	begin    map[string][]*pattern      // the same, of which only what is matched is known
	segments map[string]bool            // of paths
	servers  map[string]string          // products, in lower case, and how they are written
	digests  map[string]bool            // SHA-256 of bodies, hex
	versions []string                   // dotted paths of versions
}

func newKnown(s *Set, extra knownSpec) *known {
	k := &known{
		titles: map[string]bool{}, keys: map[string]bool{}, values: map[string]map[string]bool{}, begin: map[string][]*pattern{},
		segments: map[string]bool{}, servers: map[string]string{}, digests: map[string]bool{},
	}
	for _, name := range extra.Servers {
		k.servers[strings.ToLower(name)] = name
	}
	add(k.titles, extra.Titles)
	add(k.keys, extra.Keys)
	add(k.segments, extra.Paths)
	for _, rules := range [][]frontRule{s.front.Fronts, s.front.LoginFronts} {
		for i := range rules {
			k.match(&rules[i].match)
		}
	}
	for _, p := range s.products {
		for _, sig := range p.ordered {
			k.match(&sig.match)
		}
		for i := range p.Requests {
			k.path(p.Requests[i].Path)
		}
		for _, r := range p.Surfaces {
			k.path(r.Path)
		}
		for _, base := range p.Bases {
			k.path(base)
		}
		for _, src := range p.Version {
			k.key(src.JSON)
			if src.JSON != "" && !slices.Contains(k.versions, src.JSON) {
				k.versions = append(k.versions, src.JSON)
			}
			k.headers(src.Header)
		}
	}
	return k
}

func add(set map[string]bool, more []string) {
	for _, s := range more {
		set[s] = true
	}
}

func (k *known) match(m *match) {
	add(k.titles, m.Title)
	if m.SHA256 != "" {
		k.digests[m.SHA256] = true
	}
	for path, want := range m.JSON {
		k.key(path)
		if text, ok := want.value.(string); ok {
			if k.values[path] == nil {
				k.values[path] = map[string]bool{}
			}
			k.values[path][text] = true
		}
	}
	for path, p := range m.JSONRegex {
		k.key(path)
		// What matches a pattern with "any character" in it may be anything.
		if _, all := words(p); all {
			k.begin[path] = append(k.begin[path], p)
		}
	}
	for _, path := range slices.Concat(m.Has, m.Lacks) {
		k.key(path)
	}
	k.headers(m.Header)
}

func (k *known) headers(header map[string]*pattern) {
	for name, p := range header {
		found, _ := words(p)
		for _, w := range found {
			switch strings.ToLower(name) {
			case "server":
				if w, _, _ = strings.Cut(w, "/"); len(w) > 2 && k.servers[strings.ToLower(w)] == "" {
					k.servers[strings.ToLower(w)] = w
				}
			case "location":
				k.path(w)
			}
		}
	}
}

func (k *known) key(path string) {
	for part := range strings.SplitSeq(path, ".") {
		if part != "" {
			k.keys[part] = true
		}
	}
}

func (k *known) path(path string) {
	path, _, _ = strings.Cut(path, "?")
	for part := range strings.SplitSeq(path, "/") {
		if plainSegment.MatchString(part) {
			k.segments[part] = true
		}
	}
}

var plainSegment = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// words returns what a pattern can match, or, if that is no short list, the
// pieces of it that are; all reports which of the two.
func words(p *pattern) (found []string, all bool) {
	re, err := syntax.Parse(p.String(), syntax.Perl)
	if err != nil {
		return nil, false
	}
	return spell(re)
}

// maxWords bounds what one pattern is spelled out to.
const maxWords = 256

func spell(re *syntax.Regexp) (found []string, all bool) {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return []string{""}, true
	case syntax.OpLiteral:
		text := string(re.Rune)
		if re.Flags&syntax.FoldCase != 0 {
			text = strings.ToLower(text)
		}
		return []string{text}, true
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				if len(found) == 4 { // digits and letters are no word
					return nil, false
				}
				found = append(found, string(r))
			}
		}
		return found, true
	case syntax.OpCapture:
		return spell(re.Sub[0])
	case syntax.OpQuest:
		found, all = spell(re.Sub[0])
		return append([]string{""}, found...), all
	case syntax.OpAlternate:
		all = true
		for _, sub := range re.Sub {
			more, whole := spell(sub)
			found, all = append(found, more...), all && whole
		}
		return found, all && len(found) <= maxWords
	case syntax.OpConcat:
		return spellAll(re.Sub)
	}
	return nil, false
}

// spellAll spells what follows each other.
func spellAll(parts []*syntax.Regexp) (found []string, all bool) {
	run, all := []string{""}, true
	for _, part := range parts {
		next, whole := spell(part)
		if !whole || len(run)*len(next) > maxWords {
			found, run, all = append(append(found, run...), next...), []string{""}, false
			continue
		}
		var longer []string
		for _, a := range run {
			for _, b := range next {
				longer = append(longer, a+b)
			}
		}
		run = longer
	}
	return append(found, run...), all
}

// seal stands for a text that must not be quoted: equal ones get the same.
type seal func(text string) string

// value is a string in JSON: the whole of it, or what is known of it and "...".
func (k *known) value(path, s string, sealed seal) string {
	if s == "" || k.values[path][s] {
		return s
	}
	longest := ""
	for _, p := range k.begin[path] {
		if m := p.FindString(s); len(m) > len(longest) {
			longest = m
		}
	}
	switch longest {
	case "":
		return sealed(s)
	case s:
		return s
	}
	return longest + "..."
}

// names lists the keys of an object that are known, and counts the others.
func (k *known) names(keys []string, others int) string {
	var out []string
	for _, key := range keys {
		if k.keys[key] && len(out) < maxThings {
			out = append(out, key)
		} else {
			others++
		}
	}
	text := strings.Join(out, ",")
	switch {
	case others == 0:
		return text
	case text == "":
		return fmt.Sprintf("%d unknown", others)
	}
	return fmt.Sprintf("%s and %d unknown", text, others)
}

// unknownKeys is how names says how many it does not name.
var unknownKeys = regexp.MustCompile(`^(?:(.*) and )?(\d{1,9}) unknown$`)

// listed is names for what it gave, or an earlier version listed in full.
func (k *known) listed(s string) string {
	others := 0
	if m := unknownKeys.FindStringSubmatch(s); m != nil {
		s = m[1]
		others, _ = strconv.Atoi(m[2])
	}
	if s == "" {
		return k.names(nil, others)
	}
	return k.names(strings.Split(s, ","), others)
}

// serverVersion is a version that is nothing but one.
var serverVersion = regexp.MustCompile(`^v?\d{1,3}(\.\d{1,3}){0,3}$`)

// server names the products of a Server field (RFC 9110 section 10.2.4) that are
// known, with their versions.
func (k *known) server(s string, sealed seal) string {
	if whole, ok := k.servers[strings.ToLower(s)]; ok {
		return whole
	}
	var out []string
	for _, token := range strings.Fields(s) {
		name, version, _ := strings.Cut(token, "/")
		name, ok := k.servers[strings.ToLower(name)]
		if !ok || len(out) == 4 {
			continue
		}
		if serverVersion.MatchString(version) {
			name += "/" + version
		}
		out = append(out, name)
	}
	if len(out) == 0 {
		return sealed(s)
	}
	return strings.Join(out, " ")
}

const (
	maxSegments = 8
	otherPlace  = "other"
)

var hostName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,253}$`)

// place is where a redirect leads: scheme, host and path, with a "*" for each
// part of the path that is not known. Paths hold tokens.
func (k *known) place(s string) string {
	u, err := url.Parse(s)
	if err != nil || s == otherPlace || u.Opaque != "" || !slices.Contains([]string{"", "http", "https"}, u.Scheme) {
		return otherPlace
	}
	to := ""
	if host := u.Hostname(); u.Host != "" {
		if addr, err := netip.ParseAddr(host); err == nil {
			host = addr.WithZone("").String() // a zone is any text
		} else if !hostName.MatchString(host) {
			host = "*"
		}
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		if u.Scheme != "" {
			to = u.Scheme + ":"
		}
		to += "//" + host
		if port, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
			to += ":" + strconv.FormatUint(port, 10)
		}
	}
	parts := strings.Split(u.Path, "/")
	for i, part := range parts {
		switch {
		case i > maxSegments:
			return to + strings.Join(parts[:i], "/") + "/..."
		case part != "" && !k.segments[part] && part != "...":
			parts[i] = "*"
		}
	}
	to += strings.Join(parts, "/")
	if to == "" || u.Host == "" && strings.HasPrefix(to, "//") { // it would be read as a host
		return otherPlace
	}
	return to
}

// schemes are the registered authentication schemes (IANA, "HTTP Authentication
// Schemes"), as they are written there.
var schemes = []string{"Basic", "Bearer", "Concealed", "Digest", "DPoP", "GNAP", "HOBA", "Mutual", "Negotiate", "OAuth",
	"PrivateToken", "SCRAM-SHA-1", "SCRAM-SHA-256", "vapid"}

// scheme is that of a challenge; realm, nonce and its other parts are
// left out.
func scheme(challenge string) string {
	name, _, _ := strings.Cut(strings.TrimSpace(challenge), " ")
	for _, s := range schemes {
		if strings.EqualFold(s, name) {
			return s
		}
	}
	return "other"
}

// HSTS reads a Strict-Transport-Security field (RFC 6797 section 6.1) and returns
// what it says in one spelling; "" for none, "other" for one that says nothing.
func HSTS(field string) string {
	if field == "" {
		return ""
	}
	age, subdomains, preload := "", "", ""
	for part := range strings.SplitSeq(field, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "max-age":
			if n, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 32); err == nil {
				age = fmt.Sprintf("max-age=%d", n)
			}
		case "includesubdomains":
			subdomains = "; includeSubDomains"
		case "preload":
			preload = "; preload"
		}
	}
	if age == "" {
		return "other"
	}
	return age + subdomains + preload
}

// versionText is what may stand at the beginning of a version that a target
// names: a product that is known (see version), numbers, and what is usual behind
// them.
var versionText = regexp.MustCompile(`^(?:([A-Za-z-]{1,32})/)?v?\d{1,5}(?:\.\d{1,5}){1,3}(?:[-.]?(?:alpha|beta|rc|pre|preview|dev|post|nightly|canary|a|b)(?:[-.]?\d{1,8})?\b)?`)

// version returns the part of a text that is a version; "" when there is none.
func (k *known) version(path, s string) string {
	if m := k.value(path, s, func(string) string { return "" }); m == s {
		return s
	}
	m := versionText.FindStringSubmatch(s)
	if m == nil || m[1] != "" && k.servers[strings.ToLower(m[1])] == "" {
		return ""
	}
	if rest := s[len(m[0]):]; rest != "" && strings.Trim(rest[:1], "0123456789.") == "" {
		return "" // numbers of another kind
	}
	return m[0]
}

// anyVersion is version wherever in an answer the text has stood.
func (k *known) anyVersion(s string) string {
	if v, err := release.Parse(s); err == nil {
		return v.String()
	}
	for _, path := range k.versions {
		if v := k.version(path, s); v != "" {
			return v
		}
	}
	return k.version("", s)
}
