package fingerprint

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/handshake"
	"github.com/clawsonar/clawsonar/internal/release"
	"github.com/clawsonar/clawsonar/internal/strict"
	"github.com/clawsonar/clawsonar/internal/suggest"
)

// frontsFile is the one file that describes no product.
const frontsFile = "fronts.yaml"

// Set is a collection of compiled fingerprints. It does not change and may be
// used by several goroutines at once.
type Set struct {
	products []*product // gateways, then helpers, then relatives; each in the order of their files
	front    frontSpec
	unseen   []Unseen
	index    *index
	known    *known
	// Relatives are asked for on every port, not only on their own.
	everywhere bool
}

// Product describes one fingerprint of a set.
type Product struct {
	ID, Name    string
	File        string
	Ports       []uint16
	Requests    []string // "GET /" and so on, in the order they may be made
	Markers     []string // the signals that alone make the identity certain
	Helper      bool     // it stands beside a gateway
	PortOffsets []uint16 // a helper's ports, as distances from the gateway's
	Relative    bool     // it is a relative of OpenClaw
	About       string
	Advice      map[event.AuthState]Advice
	Notes       map[string]string // by the ids of their messages
}

// product is a compiled fingerprint.
type product struct {
	spec
	Surfaces []surfaceRule // in the order of the requests
	file     string
	data     []byte // the file, of which errors name a line
	signals  map[string]*signal
	ordered  []*signal      // by index
	table    *release.Table // nil when the product has none
	known    *known         // the set's
}

// Load reads every *.yaml at the root of fsys: one product each, but for
// fronts.yaml, unseen.yaml and known.yaml, each of which may be missing. A product that names a release table finds
// it in releases/NAME.json.
func Load(fsys fs.FS) (*Set, error) { return load(fsys, nil) }

// load reads a folder; allowed is nil for what is built in.
func load(fsys fs.FS, allowed paths) (*Set, error) {
	names, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		return nil, err
	}
	s := &Set{}
	var unseen unseenSpec
	var extra knownSpec
	for _, file := range []struct {
		name  string
		into  any
		check func(data []byte) error
	}{
		{frontsFile, &s.front, s.checkFronts},
		{unseenFile, &unseen, unseen.check},
		{knownFile, &extra, func([]byte) error { return nil }},
	} {
		data, err := fs.ReadFile(fsys, file.name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = decode(data, file.name, file.into)
		}
		if err == nil {
			err = file.check(data)
		}
		if err != nil {
			return nil, err
		}
	}
	s.unseen = unseen.Unseen
	for _, name := range names {
		if name == frontsFile || name == unseenFile || name == knownFile {
			continue
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		p, err := compile(data, name, allowed)
		if err != nil {
			return nil, err
		}
		if p.Table != "" {
			file := path.Join("releases", p.Table+".json")
			raw, err := fs.ReadFile(fsys, file)
			if err != nil {
				return nil, p.errorf([]any{"release_table"}, "release table %q: %w", p.Table, err)
			}
			if p.table, err = release.Load(file, raw); err != nil {
				return nil, err
			}
		}
		s.products = append(s.products, p)
	}
	if len(s.products) == 0 {
		return nil, fmt.Errorf("no fingerprint of a product: a folder of fingerprints holds one NAME.yaml a product")
	}
	slices.SortStableFunc(s.products, func(a, b *product) int { return cmp.Compare(a.rank(), b.rank()) })
	s.index, s.known = newIndex(s.products), newKnown(s, extra)
	for _, p := range s.products {
		p.known = s.known
	}
	return s, s.check()
}

// rank orders products: what a scan is for comes first.
func (p *product) rank() int {
	switch {
	case p.Relative:
		return 2
	case p.Helper:
		return 1
	}
	return 0
}

// Everywhere returns the set as it is for a scan that looks for relatives on
// every port.
func (s *Set) Everywhere() *Set {
	out := *s
	out.everywhere = true
	return &out
}

func (s *Set) checkFronts(data []byte) error {
	f := s.front
	for i, word := range f.LoginWords {
		if word == "" || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return strict.At(frontsFile, data, fmt.Errorf("login word %q: use small letters and digits alone", word), "login_words", i)
		}
	}
	for _, list := range []struct {
		key, signal string
		rules       []frontRule
	}{{"fronts", "front.", f.Fronts}, {"login_fronts", "gate.", f.LoginFronts}} {
		for i, r := range list.rules {
			if r.ID == "" || !r.match.set() && r.Host == nil && r.Subject == nil {
				return strict.At(frontsFile, data, errors.New("a front needs an id and something to match"), list.key, i)
			}
			list.rules[i].match.list()
			list.rules[i].because = []string{list.signal + r.ID}
		}
	}
	return nil
}

// check holds the products of a set against each other.
func (s *Set) check() error {
	ids := map[string]string{}       // product id → file
	byID := map[string]string{}      // request id → request
	byRequest := map[string]string{} // request → request id
	for _, p := range s.products {
		if other, ok := ids[p.ID]; ok {
			return p.errorf([]any{"id"}, "product id %q is taken by %s", p.ID, other)
		}
		ids[p.ID] = p.file
		for i, r := range p.Requests {
			key := r.key()
			if other, ok := byID[r.ID]; ok && other != key {
				return p.errorf([]any{"requests", i}, "request id %q stands for another request in another file: give this one its own", r.ID)
			}
			if other, ok := byRequest[key]; ok && other != r.ID {
				return p.errorf([]any{"requests", i}, "request %q is called %q in another file: call it so here, and it is sent once", r.ID, other)
			}
			byID[r.ID], byRequest[key] = key, r.ID
		}
	}
	return s.distinct()
}

// distinct makes sure that no two products share a marker.
func (s *Set) distinct() error {
	type owner struct {
		p    *product
		name string
	}
	seen := map[string]owner{}
	for _, p := range s.products {
		for _, name := range p.markers() {
			sig := p.signals[name]
			if !sig.match.set() {
				continue
			}
			// Requests have the same id in all files.
			key := strings.Join(sig.On, " ") + "\n" + sig.written()
			if o, ok := seen[key]; ok && o.p != p {
				return p.errorf(p.place(name), "marker %q is the same as %q in %s: it cannot tell the two products apart", name, o.name, o.p.file)
			}
			seen[key] = owner{p, name}
		}
	}
	return nil
}

// key identifies a request by all that goes over the wire.
func (r *requestSpec) key() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %t %t %q %q", r.method(), strings.TrimPrefix(r.Path, "{mount}"), r.WebSocket, r.Fresh, r.Reply, r.Body)
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		fmt.Fprintf(&b, " %q=%q", strings.ToLower(name), r.Headers[name])
	}
	return b.String()
}

func (r *requestSpec) method() string {
	switch {
	case r.RFB:
		return evidence.RFB
	case r.Method == "":
		return "GET"
	}
	return r.Method
}

// Products lists the fingerprints of the set in the order of their files.
func (s *Set) Products() []Product {
	var out []Product
	for _, p := range s.products {
		d := Product{ID: p.ID, Name: p.Name, File: p.file, Ports: p.Ports, Markers: p.markers(), Helper: p.Helper, PortOffsets: p.PortOffsets,
			Relative: p.Relative, About: p.About, Advice: p.Advice, Notes: map[string]string{}}
		for i := range p.Requests {
			r := &p.Requests[i]
			verb := r.method()
			if r.WebSocket {
				verb = "WebSocket"
			}
			if r.Level == event.LevelDeep {
				verb = "deep: " + verb
			}
			d.Requests = append(d.Requests, verb+" "+r.Path)
		}
		for _, n := range p.Notes {
			d.Notes[p.noteID(&n)] = n.Text
		}
		out = append(out, d)
	}
	return out
}

// HelperPorts returns the ports on which the helpers of a gateway at the given
// port may show themselves. Helpers that cannot be recognised beside any of the releases
// that the gateway may be are left out.
func (s *Set) HelperPorts(gateway uint16, releases []string) []uint16 {
	var out []uint16
	for _, p := range s.products {
		if !p.Helper || p.Gateways != nil && p.Gateways.all(releases, false) {
			continue
		}
		out = append(out, p.Ports...)
		for _, distance := range p.PortOffsets {
			out = append(out, gateway+distance)
		}
	}
	out = slices.DeleteFunc(out, func(port uint16) bool { return port == gateway || port == 0 })
	slices.Sort(out)
	return slices.Compact(out)
}

// Releases returns the release table of a product, or nil.
func (s *Set) Releases(product string) *release.Table {
	for _, p := range s.products {
		if p.ID == product {
			return p.table
		}
	}
	return nil
}

// markers returns the signals that alone make the identity certain.
func (p *product) markers() []string {
	var out []string
	for _, r := range p.Identity {
		if r.Confidence != event.Certain {
			continue
		}
		out = append(out, r.Any...)
		if len(r.Any) == 0 && len(r.All) == 1 {
			out = append(out, r.All...)
		}
	}
	return out
}

// compiler carries what is needed while a file is compiled.
type compiler struct {
	*product
	allowed paths // nil for what is built in
	used    map[string]bool
	err     error // the first thing that is wrong
}

// refuse notes what is wrong, and where.
func (c *compiler) refuse(at []any, format string, args ...any) {
	if c.err == nil {
		c.err = c.errorf(at, format, args...)
	}
}

// errorf says where an error is.
func (p *product) errorf(at []any, format string, args ...any) error {
	return strict.At(p.file, p.data, fmt.Errorf(format, args...), at...)
}

// place is where a signal stands: below the first request that has it, or among
// the product's own.
func (p *product) place(name string) []any {
	for i := range p.Requests {
		if _, ok := p.Requests[i].Signals[name]; ok {
			return []any{"requests", i, "signals", name}
		}
		if j := slices.Index(p.Requests[i].Shows, name); j >= 0 {
			return []any{"requests", i, "shows", j}
		}
	}
	return []any{"signals", name}
}

func compile(data []byte, file string, allowed paths) (*product, error) {
	p := &product{file: file, data: data, signals: map[string]*signal{}}
	if err := decode(data, file, &p.spec); err != nil {
		return nil, err
	}
	c := &compiler{product: p, allowed: allowed, used: map[string]bool{}}
	// A step may rely on what those before it have not refused.
	for _, step := range []func(){c.words, c.collect, c.basics, c.checkRequests, c.checkSignals, c.surfaces, c.checkRules, c.sources, c.advised, c.unused} {
		if step(); c.err != nil {
			return nil, c.err
		}
	}
	p.markReasons()
	p.resolve()
	return p, nil
}

// resolve has every condition hold the signals that it names: to look each up by its
// name takes longer than to know whether it matches.
func (p *product) resolve() {
	all := slices.Concat([]*cond{&p.Gated.cond}, conditions(p.Identity), conditions(p.Brand), conditions(p.Auth), conditions(p.Version),
		conditions(p.Surfaces), conditions(p.Traits), conditions(p.Notes), conditions(p.NeverAsk))
	for i := range p.Requests {
		all = append(all, &p.Requests[i].When.cond)
	}
	for _, s := range p.ordered {
		all = append(all, &s.cond)
	}
	for _, c := range all {
		c.signals = p.named(c)
	}
}

// named returns the signals that a condition names.
func (p *product) named(c *cond) (out []*signal) {
	for _, name := range c.names() {
		out = append(out, p.signals[name])
	}
	return out
}

// conditions returns those of a list of rules.
func conditions[R any, P interface {
	*R
	condition() *cond
}](rules []R) (out []*cond) {
	for i := range rules {
		out = append(out, P(&rules[i]).condition())
	}
	return out
}

// words refuses the words of the result stream that are none.
func (c *compiler) words() {
	confidences := []event.Confidence{event.Certain, event.Firm, event.Tentative}
	states := []event.AuthState{event.AuthOpen, event.AuthRequired, event.AuthGated, event.AuthBlocked, event.AuthClaimable, event.AuthUnknown}
	for i, r := range c.Requests {
		word(c, "level", r.Level, event.Levels(), "requests", i, "level")
	}
	for i, r := range c.Identity {
		word(c, "confidence", r.Confidence, confidences, "identity", i, "confidence")
	}
	for i, r := range c.Version {
		word(c, "confidence", r.Confidence, confidences, "version", i, "confidence")
	}
	for i, r := range c.Auth {
		word(c, "auth state", r.State, states, "auth", i, "state")
	}
	for _, s := range slices.Sorted(maps.Keys(c.Advice)) {
		word(c, "auth state", s, states, "advice", string(s))
	}
}

// word refuses a word that is not known; whether one may be missing is looked at
// elsewhere.
func word[W ~string](c *compiler, what string, w W, known []W, at ...any) {
	if w != "" && !slices.Contains(known, w) {
		list, last := event.Words(known...), len(known)-1
		c.refuse(at, "unknown %s %q: use %s or %s", what, w, strings.Join(list[:last], ", "), list[last])
	}
}

// collect makes one signal of each name, wherever it stands, and numbers them.
func (c *compiler) collect() {
	for _, name := range slices.Sorted(maps.Keys(c.Signals)) {
		c.signalName([]any{"signals", name}, name)
		c.signals[name] = &signal{cond: c.Signals[name].cond, outside: c.Signals[name].outside}
	}
	for i := range c.Requests {
		r := &c.Requests[i]
		for j, name := range r.Shows {
			c.below(r, []any{"requests", i, "shows", j}, name, signalSpec{Answer: []string{name}})
		}
		for _, name := range slices.Sorted(maps.Keys(r.Signals)) {
			c.below(r, []any{"requests", i, "signals", name}, name, r.Signals[name])
		}
		c.bounds(r)
	}
	for _, name := range slices.Sorted(maps.Keys(c.signals)) {
		c.signals[name].index = len(c.ordered)
		c.ordered = append(c.ordered, c.signals[name])
	}
}

func (c *compiler) signalName(at []any, name string) {
	if !validID(name) {
		c.refuse(at, "signal name %q: use small letters, digits, dots and hyphens", name)
	}
}

// below adds a signal that stands below a request. The same name below several
// requests is one signal, which matches if it matches any of their answers.
func (c *compiler) below(r *requestSpec, at []any, name string, spec signalSpec) {
	c.signalName(at, name)
	s := c.combine(r, at, name, spec)
	first, ok := c.signals[name]
	switch {
	case !ok:
		c.signals[name] = s
	case len(first.On)+len(first.Login) == 0:
		c.refuse(at, "signal %q stands among the signals of no request as well", name)
	case (first.Login == nil) != (s.Login == nil), first.written() != s.written(), first.Secret != s.Secret, first.Common != s.Common:
		c.refuse(at, "signal %q matches something else here than below request %q: give it another name", name, slices.Concat(first.On, first.Login)[0])
	default:
		first.On, first.Login = append(first.On, s.On...), append(first.Login, s.Login...)
	}
}

// combine puts what a signal matches together with the answers that it names.
func (c *compiler) combine(r *requestSpec, at []any, name string, s signalSpec) *signal {
	sum := s.answerSpec
	for _, answer := range s.Answer {
		a, ok := c.Answers[answer]
		if !ok {
			c.refuse(at, "no answer is called %q%s", answer, suggest.DidYouMean(answer, slices.Sorted(maps.Keys(c.Answers))))
		}
		c.used["answer "+answer] = true
		if twice := sum.add(a); twice != "" {
			c.refuse(at, "signal %q: answer %q gives %q a second time", name, answer, twice)
		}
	}
	out := &signal{match: sum.match, Secret: sum.Secret, Common: sum.Common}
	switch {
	case sum.Login && (sum.match.set() || sum.Secret):
		c.refuse(at, "signal %q: login goes with nothing else to match in the answer", name)
	case sum.Login:
		out.Login = []string{r.ID}
	case !sum.match.set():
		c.refuse(at, "signal %q has nothing to match in the answer", name)
	default:
		out.On = []string{r.ID}
	}
	return out
}

// bounds adds the releases of a request to its condition.
func (c *compiler) bounds(r *requestSpec) {
	if r.Releases == nil {
		return
	}
	name := "releases of " + r.ID // with a space: no signal of a file is called so
	c.signals[name] = &signal{outside: outside{Release: &r.Releases.releaseRange}}
	if len(r.Releases.Or) > 0 {
		c.signals[name+", or"] = &signal{cond: cond{Any: append([]string{name}, r.Releases.Or...)}}
		name += ", or"
	}
	r.When.All = append(r.When.All, name)
}

func (c *compiler) basics() {
	if !validID(c.ID) {
		c.refuse([]any{"id"}, "id %q: use small letters, digits, dots and hyphens", c.ID)
	}
	if c.Name == "" {
		c.refuse(nil, "name is missing")
	}
	for i, base := range c.Bases {
		at := []any{"base_paths", i}
		if !strings.HasPrefix(base, "/") || strings.HasSuffix(base, "/") || strings.Trim(base[1:], "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			c.refuse(at, "base path %q: write it as /claw, with small letters, digits and hyphens", base)
		}
		if err := c.allowed.path(base); err != nil {
			c.refuse(at, "base path: %w", err)
		}
	}
	if c.Mount != "" {
		c.cond([]any{"mount"}, cond{All: []string{c.Mount}})
	}
	c.cond([]any{"gated"}, c.Gated.cond)
	if c.Gated.onlyNot() {
		c.refuse([]any{"gated"}, "gated would match where no signal does: add all or any")
	}
	if len(c.Identity) == 0 {
		c.refuse(nil, "identity is missing: nothing would ever be recognised")
	}
}

func validID(s string) bool {
	return s != "" && len(s) <= 40 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789.-") == ""
}

// rootPath is the one page that every target is asked for, rootID the request's id.
const (
	rootPath = "{base}/"
	rootID   = "root"
)

func (c *compiler) checkRequests() {
	if len(c.Requests) == 0 {
		c.refuse(nil, "requests is missing: it begins with GET %s", rootPath)
	}
	questions := []string{"identity", "auth", "version", "surfaces", "passive", "deep"}
	seen := map[string]bool{}
	for i := range c.Requests {
		r, at := &c.Requests[i], []any{"requests", i}
		isRoot := r.key() == (&requestSpec{Path: rootPath}).key()
		switch err := cmp.Or(c.allowed.permit(r), r.permitted()); {
		case !validID(r.ID):
			c.refuse(at, "request id %q: use small letters, digits, dots and hyphens", r.ID)
		case seen[r.ID]:
			c.refuse(at, "request id %q is used twice", r.ID)
		case err != nil:
			c.refuse(at, "request %q: %w", r.ID, err)
		case isRoot != (i == 0) || isRoot != (r.ID == rootID):
			c.refuse(at, "request %q: the first request, and only the first, is GET %s with the id %s", r.ID, rootPath, rootID)
		case !isRoot && strings.TrimSpace(r.Effect) == "":
			c.refuse(at, "request %q: effect is missing: say what the request can change and what the answer gives away", r.ID)
		case r.Releases != nil && r.Releases.From.IsZero() && r.Releases.To.IsZero():
			c.refuse(append(at, "releases"), "request %q: write releases as {from: 2026.3.8, to: 2026.4.14}, or with one of the two", r.ID)
		case r.Releases != nil && c.Table == "":
			c.refuse(append(at, "releases"), "request %q: releases needs a release table: add release_table", r.ID)
		case r.When.onlyNot() || !isRoot && r.When.empty() && !r.SpeaksFirst:
			c.refuse(at, "request %q has no condition: it would be sent to every web server; add when", r.ID)
		case strings.HasPrefix(r.Path, "{mount}") && c.Mount == "":
			c.refuse(at, "request %q: {mount} needs mount: the signal that tells where it is", r.ID)
		case r.SpeaksFirst && len(c.Ports) == 0:
			c.refuse(at, "request %q: speaks_first needs ports: it is made on the product's own alone", r.ID)
		}
		seen[r.ID] = true
		for _, q := range r.For {
			if !slices.Contains(questions, q) {
				c.refuse(append(at, "for"), "unknown question %q: use identity, auth, version, surfaces, passive or deep", q)
			}
		}
		if r.Releases != nil {
			c.cond(append(at, "releases"), cond{Any: r.Releases.Or})
		}
		c.cond(append(at, "when"), r.When.cond)
	}
}

// permitted refuses anything that could harm a target. It is the whole of what a
// fingerprint may ask for.
func (r *requestSpec) permitted() error {
	standard := r.Level.Includes(event.LevelStandard)
	switch method := r.method(); {
	case r.RFB && (r.Path != "" || r.Body != "" || r.WebSocket || len(r.Headers) > 0):
		return errors.New("rfb is no HTTP: it has no path, header or body")
	case r.RFB && !standard:
		return errors.New("rfb needs level: standard")
	case r.RFB:
		return nil
	case method == "POST" && !r.emptyToolCall():
		return errors.New("the only POST that may be sent is the empty /tools/invoke with X-OpenClaw-Scopes: none")
	case method == "POST" && !standard:
		return errors.New("a POST needs level: standard")
	case method != "POST" && method != "GET" && method != "HEAD":
		return fmt.Errorf("method %q may not be sent: use GET or HEAD", method)
	case method != "POST" && r.Body != "":
		return fmt.Errorf("%s has no body", method)
	case r.Reply != "" && (!r.WebSocket || !handshake.Known(r.Reply)):
		return fmt.Errorf("reply %q: use control-ui or rfb, with websocket: true", r.Reply)
	case r.Reply != "" && (!standard || r.Reply != handshake.RFB && !r.Level.Includes(event.LevelDeep)):
		return fmt.Errorf("reply %q needs level: deep (rfb: standard)", r.Reply)
	case r.MaxBody < 0 || r.MaxBody > 1<<20:
		return fmt.Errorf("max_body %d: use at most 1048576 bytes", r.MaxBody)
	}
	for name, value := range r.Headers {
		switch {
		case r.Level == event.LevelDeep && deepHeader(name, value):
		case !slices.Contains([]string{"accept", "content-type", "x-openclaw-scopes"}, strings.ToLower(name)):
			return fmt.Errorf("header %q may not be sent: it could be taken for a credential, an identity or an origin", name)
		case strings.ContainsAny(value, "\r\n\x00"):
			return fmt.Errorf("header %q has a line break", name)
		}
	}
	rest := place(r.Path, "", "")
	rest = strings.Replace(rest, "/{script}", "/script", 1)
	rest = strings.Replace(rest, "{random}", noRandom, 1)
	plain, _, _ := strings.Cut(rest, "?")
	switch why := sideEffect(plain); {
	case !strings.HasPrefix(rest, "/") || strings.ContainsFunc(rest, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '{' || c == '#' }):
		return fmt.Errorf("path %q: use a path that begins with /, {base}/ or {mount}/", r.Path)
	// Other spellings of a path would get around the list of side effects.
	case strings.ContainsAny(plain, "%;\\") || path.Clean(plain) != strings.TrimSuffix(plain, "/") && plain != "/":
		return fmt.Errorf("path %q: write it plainly, without %% and dot segments", r.Path)
	case why != "":
		return fmt.Errorf("path %q may not be asked for: %s", r.Path, why)
	}
	return nil
}

// emptyToolCall reports whether a request is the one that a gateway refuses before it
// looks for a tool: the header declares a scope that permits nothing.
func (r *requestSpec) emptyToolCall() bool {
	headers := maps.Clone(r.Headers)
	maps.DeleteFunc(headers, deepHeader)
	return strings.TrimPrefix(r.Path, "{mount}") == "/tools/invoke" && r.Body == "{}" && !r.WebSocket &&
		maps.Equal(headers, map[string]string{"X-OpenClaw-Scopes": "none", "Content-Type": "application/json"})
}

// deepHeader reports whether a header may be sent at level deep: an origin that
// does not exist, or the target's own; a host that does not exist; a forwarding header
// that names a documentation address (RFC 5737).
func deepHeader(name, value string) bool {
	switch name {
	case "Origin":
		return value == "https://audit.invalid" || value == "http://audit.example" || value == "{origin}"
	case "Host":
		return value == "audit.example"
	case "X-Forwarded-For":
		return value == "203.0.113.7"
	}
	return false
}

// sideEffects are patterns of paths that must not be asked for, by the reason.
var sideEffects = sync.OnceValue(func() map[string]*regexp.Regexp {
	out := map[string]*regexp.Regexp{}
	for why, pattern := range map[string]string{
		"it hands out a pairing code":     `^/pair(/|$)`,
		"it hands out a token":            `^/api/(pico/token|auth/session-token)`,
		"it hands out secrets":            `^/api/(envs|(config|settings)(/|$))`,
		"it is for logging in":            `^/api/auth/(login|register|logout)`,
		"it can act on the host":          `^/api/(pty|terminal|plugins|cron)(/|$)`,
		"it ends a session":               `^/kill(/|$)`,
		"it acts on the browser":          `^/json/(new|close|activate)`,
		"a miss counts as a failed join":  `^/j/`,
		"it takes messages for the agent": `^/webhook(/|$)`,
		"it can change the service":       `^/(stats|reload|restart|shutdown)(/|$)`,
	} {
		out[why] = regexp.MustCompile(pattern)
	}
	return out
})

// sideEffect says why a path must not be asked for: it hands out a secret,
// changes something, or counts against somebody.
func sideEffect(p string) string {
	for why, pattern := range sideEffects() {
		if pattern.MatchString(strings.ToLower(p)) {
			return why
		}
	}
	return ""
}

// checkSignals checks those that do not stand below a request.
func (c *compiler) checkSignals() {
	for _, name := range slices.Sorted(maps.Keys(c.Signals)) {
		s, at := c.signals[name], []any{"signals", name}
		kinds := count(!s.cond.empty(), s.DefaultPort, s.Based, s.Loopback, s.Subject != nil, s.Host != nil, s.Version != nil, s.Release != nil)
		switch v := s.Version; {
		case kinds != 1:
			c.refuse(at, "signal %q must be exactly one of: a condition on other signals, default_port, based, loopback, subject_regex, host_regex, versions, releases", name)
		case s.cond.onlyNot():
			c.refuse(at, "signal %q would match where no signal does: add all or any", name)
		case v != nil && (v.From == "" && v.Before == "" || !v.valid()):
			c.refuse(at, `signal %q: write versions as {from: "1.2.3", before: "1.4"}, or with one of the two`, name)
		case v != nil && c.Table != "":
			c.refuse(at, "signal %q: with a release table use releases", name)
		case s.Release != nil && c.Table == "":
			c.refuse(at, "signal %q needs a release table: add release_table", name)
		}
		c.cond(at, s.cond)
	}
	if c.err == nil {
		c.cycles()
	}
}

// count returns how many are true.
func count(flags ...bool) (n int) {
	for _, is := range flags {
		if is {
			n++
		}
	}
	return n
}

// cycles refuses signals that are conditions on themselves.
func (c *compiler) cycles() {
	const visiting, done = 1, 2
	state := map[string]int{}
	var visit func(name string)
	visit = func(name string) {
		switch state[name] {
		case visiting:
			c.refuse(c.place(name), "signal %q depends on itself", name)
		case done:
		default:
			state[name] = visiting
			for _, next := range c.signals[name].cond.names() {
				visit(next)
			}
			state[name] = done
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.signals)) {
		visit(name)
	}
}

// onlyNot reports whether a condition matches where no signal does.
func (c cond) onlyNot() bool { return len(c.Not) > 0 && len(c.All)+len(c.Any) == 0 }

func (c cond) names() []string { return slices.Concat(c.All, c.Any, c.Not) }

// cond checks that a condition names signals that exist.
func (c *compiler) cond(at []any, cond cond) {
	for _, name := range cond.names() {
		if _, ok := c.signals[name]; !ok {
			known := slices.DeleteFunc(slices.Sorted(maps.Keys(c.signals)), func(s string) bool { return !validID(s) })
			c.refuse(at, "no signal is called %q%s", name, suggest.DidYouMean(name, known))
		}
		c.used[name] = true
	}
}

// checkRules checks the lists of rules. Where the first that matches decides, every
// rule must be able to be that one.
func (c *compiler) checkRules() {
	needs := map[string]string{"identity": "an identity rule needs a confidence", "auth": "an auth rule needs a state"}
	before := map[string][]cond{}
	for _, r := range c.rules() {
		if c.cond(r.at, r.cond); c.err != nil {
			return
		}
		onlyNot := r.cond.onlyNot()
		switch r.list {
		case "identity", "brand", "auth":
			switch {
			case r.says == "" && needs[r.list] != "":
				c.refuse(r.at, "%s", needs[r.list])
			case r.cond.empty():
				c.refuse(r.at, "rule has no condition: it would always match")
			case !c.reachable(before[r.list], r.cond):
				c.refuse(r.at, "rule can never be reached: whenever it matches, a rule before it matches as well")
			}
			before[r.list] = append(before[r.list], r.cond)
		case "surfaces":
			if onlyNot {
				c.refuse(r.at, "surface %q would match where no signal does: add all or any", c.Surfaces[r.index].ID)
			}
		case "traits":
			if !validID(r.says) || onlyNot || r.cond.empty() {
				c.refuse(r.at, "a trait needs an id and a condition with all or any")
			}
		case "notes":
			id := c.Notes[r.index].ID
			if c.Notes[r.index].Text == "" || r.cond.empty() || id != "" && !validID(id) {
				c.refuse(r.at, "a note needs a text and a condition; its id has small letters, digits, dots and hyphens")
			}
			if id != "" && slices.ContainsFunc(c.Notes[:r.index], func(n noteRule) bool { return n.ID == id }) {
				c.refuse(r.at, "note id %q is used twice", id)
			}
		}
		// Many servers answer 200 to everything.
		if r.alarm && len(r.cond.All) <= 1 {
			c.looksAtContent(r.at, r.cond)
		}
	}
}

// surfaces makes a rule of each state that a surface may be in.
func (c *compiler) surfaces() {
	for i, r := range c.Requests {
		for j, s := range r.Surfaces {
			at := []any{"requests", i, "surfaces", j}
			path, _, _ := strings.Cut(cmp.Or(s.Path, r.Path), "?")
			if strings.Contains(path, "{random}") || strings.Contains(path, "{script}") || path == "" {
				c.refuse(at, "surface %q needs a path: that of the request is not always the same", s.ID)
			}
			if !validID(s.ID) || s.Open.empty() && s.Gated.empty() && s.Present.empty() {
				c.refuse(at, "a surface needs an id and a condition: open, gated or present")
			}
			for _, rule := range []surfaceRule{
				{s.ID, path, event.SurfaceOpen, at, s.Open.cond}, {s.ID, path, event.SurfaceGated, at, s.Gated.cond}, {s.ID, path, event.SurfacePresent, at, s.Present.cond},
			} {
				if !rule.cond.empty() {
					c.Surfaces = append(c.Surfaces, rule)
				}
			}
		}
	}
}

// looksAtContent refuses a signal that makes a condition match alone and looks at no
// content.
func (c *compiler) looksAtContent(at []any, cond cond) {
	deciding := cond.Any
	if len(deciding) == 0 {
		deciding = cond.All
	}
	for _, name := range deciding {
		switch s := c.signals[name]; {
		case !s.cond.empty() && len(s.All) > 1:
		case !s.cond.empty():
			c.looksAtContent(at, s.cond)
		case !s.match.content():
			c.refuse(at, "signal %q decides this alone, and looks at no content: a status or a port proves nothing", name)
		}
	}
}

func (c *compiler) advised() {
	for state, a := range c.Advice {
		if a.Means == "" || a.Fix == "" || a.Steps == "" {
			c.refuse([]any{"advice", string(state)}, "advice %q needs means, fix and steps", state)
		}
	}
	for key, given := range map[string]bool{"port_offsets": len(c.PortOffsets) > 0, "gateway_releases": c.Gateways != nil} {
		if given && !c.Helper {
			c.refuse([]any{key}, "%s is for helpers", key)
		}
	}
	if c.Relative && c.Helper {
		c.refuse([]any{"helper"}, "a product is a helper or a relative, not both")
	}
	// A finding on an open product of this kind says what to do.
	for i, r := range c.Auth {
		if _, ok := c.Advice[r.State]; c.Relative && !ok && (r.State == event.AuthOpen || r.State == event.AuthClaimable) {
			c.refuse([]any{"auth", i}, "a relative that can be %s needs advice for it", r.State)
		}
	}
	for i, r := range c.NeverAsk {
		if r.Request == "" || len(r.All)+len(r.Any) == 0 {
			c.refuse([]any{"never_ask", i}, "never_ask needs a request and a condition with all or any")
		}
		c.cond([]any{"never_ask", i}, r.cond)
	}
}

func (c *compiler) sources() {
	for i, v := range c.Version {
		at := []any{"version", i}
		ways := count(v.Attribute != "", len(v.Header) > 0, v.Body != nil, v.JSON != "", v.Assets)
		asked := slices.IndexFunc(c.Requests, func(r requestSpec) bool { return r.ID == v.On })
		switch {
		case v.Source == "" || v.Confidence == "" || ways != 1:
			c.refuse(at, "a version source needs a name, a confidence and exactly one of attribute, header_regex, body_regex, json_path, assets")
		case v.Body != nil && v.Body.NumSubexp() != 1 || slices.ContainsFunc(slices.Collect(maps.Values(v.Header)), func(p *pattern) bool { return p.NumSubexp() != 1 }):
			c.refuse(at, "version source %q: the pattern needs exactly one group, the version", v.Source)
		case asked < 0:
			c.refuse(at, "version source %q: no request is called %q", v.Source, v.On)
		case c.Requests[asked].Secret:
			c.refuse(at, "version source %q: the answer to %q may hold a secret, nothing is read out of it", v.Source, v.On)
		case (v.Assets || v.Stamp) && c.Table == "":
			c.refuse(at, "version source %q needs a release table: add release_table", v.Source)
		case c.onRelease(v.cond):
			c.refuse(at, "version source %q depends on the release, which it is to tell", v.Source)
		}
	}
}

// onRelease reports whether a condition looks at the release.
func (c *compiler) onRelease(cond cond) bool {
	return slices.ContainsFunc(cond.names(), func(name string) bool {
		s := c.signals[name]
		return s.Release != nil || s.Version != nil || c.onRelease(s.cond)
	})
}

func (c *compiler) unused() {
	for _, name := range slices.Sorted(maps.Keys(c.signals)) {
		if !c.used[name] && validID(name) {
			c.refuse(c.place(name), "signal %q is never used", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Answers)) {
		if !c.used["answer "+name] {
			c.refuse([]any{"answers", name}, "answer %q is never used", name)
		}
	}
}

// maxSecret caps an answer that may hold a secret, in bytes.
const maxSecret = 16 << 10

// noRandom stands for the random part of a path where there is no probe.
const noRandom = "000000000000"

// place puts a path where the target has it.
func place(path, base, mount string) string {
	if rest, ok := strings.CutPrefix(path, "{base}"); ok {
		return base + rest
	}
	if rest, ok := strings.CutPrefix(path, "{mount}"); ok {
		return mount + rest
	}
	return path
}

// request makes the request that goes to the target of a case; false when the
// page does not name what the path needs.
func (r *requestSpec) request(c *Case, mount string) (evidence.Request, bool) {
	path := place(r.Path, c.Base, mount)
	if strings.Contains(path, "{script}") {
		script := c.mainScript()
		if script == "" {
			return evidence.Request{}, false
		}
		path = strings.Replace(path, "{script}", script, 1)
	}
	random := cmp.Or(c.Random, noRandom)
	if r.Fresh {
		random = random[len(random)/2:] + random[:len(random)/2]
	}
	path = strings.Replace(path, "{random}", random, 1)
	req := evidence.Request{
		ID: r.ID, Method: r.method(), Path: path,
		Body: r.Body, WebSocket: r.WebSocket, Reply: r.Reply, RFB: r.RFB, Fresh: r.Fresh, MaxBody: r.MaxBody,
	}
	if r.Secret && req.MaxBody == 0 {
		req.MaxBody = maxSecret
	}
	if len(r.Headers) == 0 {
		return req, true
	}
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		value := r.Headers[name]
		if value == "{origin}" {
			value = c.Origin()
		}
		req.Header = append(req.Header, evidence.Field{Name: name, Value: value})
	}
	return req, true
}

// plainName is the name of an asset that may stand in a path as it is.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*\.js$`)

// mainScript returns the name of the first script of the page.
func (c *Case) mainScript() string {
	a := c.answer(rootID)
	if a == nil {
		return ""
	}
	for _, name := range a.assets() {
		if plainName.MatchString(name) {
			return name
		}
	}
	return ""
}
