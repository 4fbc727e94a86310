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
	fronts   []frontRule
	// Fronts that require a login, and words that lead to one.
	loginFronts []frontRule
	loginWords  []string
	unseen      []Unseen
	index       *index
	known       *known
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
	// Either may be missing; what is there and cannot be read is an error.
	if data, err := fs.ReadFile(fsys, frontsFile); err == nil {
		if err := s.loadFronts(data); err != nil {
			return nil, err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if data, err := fs.ReadFile(fsys, unseenFile); err == nil {
		if s.unseen, err = loadUnseen(data); err != nil {
			return nil, err
		}
	}
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
	var extra knownSpec
	if data, err := fs.ReadFile(fsys, knownFile); err == nil {
		if err := decode(data, knownFile, &extra); err != nil {
			return nil, err
		}
	}
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

func (s *Set) loadFronts(data []byte) error {
	var f frontSpec
	if err := decode(data, frontsFile, &f); err != nil {
		return err
	}
	s.fronts, s.loginFronts, s.loginWords = f.Fronts, f.LoginFronts, f.LoginWords
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
	add := func(port uint16) {
		if port != gateway && port > 0 && !slices.Contains(out, port) {
			out = append(out, port)
		}
	}
	for _, p := range s.products {
		if !p.Helper || p.Gateways != nil && p.Gateways.excludes(releases) {
			continue
		}
		for _, port := range p.Ports {
			add(port)
		}
		for _, distance := range p.PortOffsets {
			add(gateway + distance)
		}
	}
	slices.Sort(out)
	return out
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
	for _, step := range []func() error{c.words, c.collect, c.basics, c.requests, c.signalNames, c.rules, c.sources, c.proof, c.advised, c.unused} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	p.markReasons()
	return p, nil
}

// words refuses the words of the result stream that are none.
func (c *compiler) words() error {
	for i, r := range c.Requests {
		if r.Level != "" && !slices.Contains(event.Levels(), r.Level) {
			return c.errorf([]any{"requests", i, "level"}, "unknown level %q: use passive, standard or deep", r.Level)
		}
	}
	confidence := func(grade event.Confidence, at ...any) error {
		if grade == "" || grade.Rank() > 0 {
			return nil
		}
		return c.errorf(append(at, "confidence"), "unknown confidence %q: use certain, firm or tentative", grade)
	}
	for i, r := range c.Identity {
		if err := confidence(r.Confidence, "identity", i); err != nil {
			return err
		}
	}
	for i, r := range c.Version {
		if err := confidence(r.Confidence, "version", i); err != nil {
			return err
		}
	}
	state := func(s event.AuthState, at ...any) error {
		if s == "" || slices.Contains(event.AuthStates(), s) {
			return nil
		}
		return c.errorf(at, "unknown auth state %q: use open, required, gated, blocked, claimable or unknown", s)
	}
	for i, r := range c.Auth {
		if err := state(r.State, "auth", i, "state"); err != nil {
			return err
		}
	}
	for _, s := range slices.Sorted(maps.Keys(c.Advice)) {
		if err := state(s, "advice", string(s)); err != nil {
			return err
		}
	}
	return nil
}

// collect makes one signal of each name, wherever it stands, and numbers them.
func (c *compiler) collect() error {
	for _, name := range slices.Sorted(maps.Keys(c.Signals)) {
		if !validID(name) {
			return c.errorf([]any{"signals", name}, badName, name)
		}
		c.signals[name] = &signal{cond: c.Signals[name].cond, outside: c.Signals[name].outside}
	}
	for i := range c.Requests {
		r := &c.Requests[i]
		for j, name := range r.Shows {
			if err := c.below(r, []any{"requests", i, "shows", j}, name, signalSpec{Answer: []string{name}}); err != nil {
				return err
			}
		}
		for _, name := range slices.Sorted(maps.Keys(r.Signals)) {
			if err := c.below(r, []any{"requests", i, "signals", name}, name, r.Signals[name]); err != nil {
				return err
			}
		}
		c.bounds(r)
	}
	for _, name := range slices.Sorted(maps.Keys(c.signals)) {
		c.signals[name].index = len(c.ordered)
		c.ordered = append(c.ordered, c.signals[name])
	}
	return nil
}

const badName = "signal name %q: use small letters, digits, dots and hyphens"

// below adds a signal that stands below a request. The same name below several
// requests is one signal, which matches if it matches any of their answers.
func (c *compiler) below(r *requestSpec, at []any, name string, spec signalSpec) error {
	if !validID(name) {
		return c.errorf(at, badName, name)
	}
	s, err := c.combine(r, at, name, spec)
	if err != nil {
		return err
	}
	first, ok := c.signals[name]
	switch {
	case !ok:
		c.signals[name] = s
	case len(first.On)+len(first.Login) == 0:
		return c.errorf(at, "signal %q stands among the signals of no request as well", name)
	case (first.Login == nil) != (s.Login == nil), first.written() != s.written(), first.Secret != s.Secret, first.Common != s.Common:
		return c.errorf(at, "signal %q matches something else here than below request %q: give it another name", name, slices.Concat(first.On, first.Login)[0])
	default:
		first.On, first.Login = append(first.On, s.On...), append(first.Login, s.Login...)
	}
	return nil
}

// combine puts what a signal matches together with the answers that it names.
func (c *compiler) combine(r *requestSpec, at []any, name string, s signalSpec) (*signal, error) {
	sum := s.answerSpec
	for _, answer := range s.Answer {
		a, ok := c.Answers[answer]
		if !ok {
			return nil, c.errorf(at, "no answer is called %q%s", answer, suggest.DidYouMean(answer, slices.Sorted(maps.Keys(c.Answers))))
		}
		c.used["answer "+answer] = true
		if twice := sum.add(a); twice != "" {
			return nil, c.errorf(at, "signal %q: answer %q gives %q a second time", name, answer, twice)
		}
	}
	switch {
	case sum.Login && (sum.match.set() || sum.Secret):
		return nil, c.errorf(at, "signal %q: login goes with nothing else to match in the answer", name)
	case sum.Login:
		return &signal{Login: []string{r.ID}, Common: sum.Common}, nil
	case !sum.match.set():
		return nil, c.errorf(at, "signal %q has nothing to match in the answer", name)
	}
	return &signal{On: []string{r.ID}, match: sum.match, Secret: sum.Secret, Common: sum.Common}, nil
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

func (c *compiler) basics() error {
	if !validID(c.ID) {
		return c.errorf([]any{"id"}, "id %q: use small letters, digits, dots and hyphens", c.ID)
	}
	if c.Name == "" {
		return c.errorf(nil, "name is missing")
	}
	for i, base := range c.Bases {
		if !strings.HasPrefix(base, "/") || strings.HasSuffix(base, "/") || strings.Trim(base[1:], "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return c.errorf([]any{"base_paths", i}, "base path %q: write it as /claw, with small letters, digits and hyphens", base)
		}
		if c.allowed != nil {
			if err := c.allowed.path(base); err != nil {
				return c.errorf([]any{"base_paths", i}, "base path: %w", err)
			}
		}
	}
	if c.Mount != "" {
		if err := c.cond([]any{"mount"}, cond{All: []string{c.Mount}}); err != nil {
			return err
		}
	}
	if err := c.cond([]any{"gated"}, c.Gated.cond); err != nil {
		return err
	}
	if c.Gated.onlyNot() {
		return c.errorf([]any{"gated"}, "gated would match where no signal does: add all or any")
	}
	if len(c.Identity) == 0 {
		return c.errorf(nil, "identity is missing: nothing would ever be recognised")
	}
	return nil
}

func validID(s string) bool {
	return s != "" && len(s) <= 40 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789.-") == ""
}

// rootPath is the one page that every target is asked for, rootID the request's id.
const (
	rootPath = "{base}/"
	rootID   = "root"
)

func (c *compiler) requests() error {
	seen := map[string]bool{}
	for i := range c.Requests {
		r := &c.Requests[i]
		at := []any{"requests", i}
		if !validID(r.ID) {
			return c.errorf(at, "request id %q: use small letters, digits, dots and hyphens", r.ID)
		}
		if seen[r.ID] {
			return c.errorf(at, "request id %q is used twice", r.ID)
		}
		seen[r.ID] = true
		if c.allowed != nil {
			if err := c.allowed.permit(r); err != nil {
				return c.errorf(at, "request %q: %w", r.ID, err)
			}
		}
		if err := r.permitted(); err != nil {
			return c.errorf(at, "request %q: %w", r.ID, err)
		}
		isRoot := r.key() == (&requestSpec{Path: rootPath}).key()
		if isRoot != (i == 0) || isRoot != (r.ID == rootID) {
			return c.errorf(at, "request %q: the first request, and only the first, is GET %s with the id %s", r.ID, rootPath, rootID)
		}
		if err := c.outOf(at, r); err != nil {
			return err
		}
		if r.When.onlyNot() || !isRoot && r.When.empty() && !r.SpeaksFirst {
			return c.errorf(at, "request %q has no condition: it would be sent to every web server; add when", r.ID)
		}
		if strings.HasPrefix(r.Path, "{mount}") && c.Mount == "" {
			return c.errorf(at, "request %q: {mount} needs mount: the signal that tells where it is", r.ID)
		}
		if r.SpeaksFirst && len(c.Ports) == 0 {
			return c.errorf(at, "request %q: speaks_first needs ports: it is made on the product's own alone", r.ID)
		}
		for _, q := range r.For {
			if !slices.Contains([]string{"identity", "auth", "version", "surfaces", "passive", "deep"}, q) {
				return c.errorf(append(at, "for"), "unknown question %q: use identity, auth, version, surfaces, passive or deep", q)
			}
		}
		if err := c.cond(append(at, "when"), r.When.cond); err != nil {
			return err
		}
	}
	if len(c.Requests) == 0 {
		return c.errorf(nil, "requests is missing: it begins with GET %s", rootPath)
	}
	return nil
}

// permitted refuses anything that could harm a target. It is the whole of what a
// fingerprint may ask for.
func (r *requestSpec) permitted() error {
	switch r.method() {
	case evidence.RFB:
		if r.Path != "" || r.Body != "" || r.WebSocket || len(r.Headers) > 0 {
			return fmt.Errorf("rfb is no HTTP: it has no path, header or body")
		}
		if !r.Level.Includes(event.LevelStandard) {
			return fmt.Errorf("rfb needs level: standard")
		}
		return nil
	case "GET", "HEAD":
		if r.Body != "" {
			return fmt.Errorf("%s has no body", r.method())
		}
	case "POST":
		// The gateway refuses this before it looks for a tool: the header
		// declares a scope that permits nothing.
		headers := maps.Clone(r.Headers)
		maps.DeleteFunc(headers, deepHeader)
		if strings.TrimPrefix(r.Path, "{mount}") != "/tools/invoke" || r.Body != "{}" || r.WebSocket ||
			len(headers) != 2 || headers["X-OpenClaw-Scopes"] != "none" || headers["Content-Type"] != "application/json" {
			return fmt.Errorf("the only POST that may be sent is the empty /tools/invoke with X-OpenClaw-Scopes: none")
		}
		if !r.Level.Includes(event.LevelStandard) {
			return fmt.Errorf("a POST needs level: standard")
		}
	default:
		return fmt.Errorf("method %q may not be sent: use GET or HEAD", r.Method)
	}
	if r.Reply != "" && (!r.WebSocket || !handshake.Known(r.Reply)) {
		return fmt.Errorf("reply %q: use control-ui or rfb, with websocket: true", r.Reply)
	}
	if r.Reply != "" && (!r.Level.Includes(event.LevelStandard) || r.Reply != handshake.RFB && !r.Level.Includes(event.LevelDeep)) {
		return fmt.Errorf("reply %q needs level: deep (rfb: standard)", r.Reply)
	}
	rest := place(r.Path, "", "")
	rest = strings.Replace(rest, "/{script}", "/script", 1)
	rest = strings.Replace(rest, "{random}", noRandom, 1)
	if !strings.HasPrefix(rest, "/") || strings.ContainsFunc(rest, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '{' || c == '#' }) {
		return fmt.Errorf("path %q: use a path that begins with /, {base}/ or {mount}/", r.Path)
	}
	// Other spellings of a path would get around the list below.
	if plain, _, _ := strings.Cut(rest, "?"); strings.ContainsAny(plain, "%;\\") || path.Clean(plain) != strings.TrimSuffix(plain, "/") && plain != "/" {
		return fmt.Errorf("path %q: write it plainly, without %% and dot segments", r.Path)
	}
	if why := sideEffect(rest); why != "" {
		return fmt.Errorf("path %q may not be asked for: %s", r.Path, why)
	}
	for name, value := range r.Headers {
		if r.Level == event.LevelDeep && deepHeader(name, value) {
			continue
		}
		if !slices.Contains([]string{"accept", "content-type", "x-openclaw-scopes"}, strings.ToLower(name)) {
			return fmt.Errorf("header %q may not be sent: it could be taken for a credential, an identity or an origin", name)
		}
		if strings.ContainsAny(value, "\r\n\x00") {
			return fmt.Errorf("header %q has a line break", name)
		}
	}
	if r.MaxBody < 0 || r.MaxBody > 1<<20 {
		return fmt.Errorf("max_body %d: use at most 1048576 bytes", r.MaxBody)
	}
	return nil
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

// sideEffect says why a path must not be asked for: it hands out a secret,
// changes something, or counts against somebody.
func sideEffect(p string) string {
	p, _, _ = strings.Cut(p, "?")
	p = strings.ToLower(p)
	for _, d := range []struct{ pattern, why string }{
		{`^/pair(/|$)`, "it hands out a pairing code"},
		{`^/api/pico/token`, "it hands out a token"},
		{`^/api/config(/|$)`, "it hands out secrets"},
		{`^/api/envs`, "it hands out secrets"},
		{`^/api/settings(/|$)`, "it hands out secrets"},
		{`^/api/auth/session-token`, "it hands out a token"},
		{`^/api/auth/(login|register|logout)`, "it is for logging in"},
		{`^/api/(pty|terminal|plugins|cron)(/|$)`, "it can act on the host"},
		{`^/kill(/|$)`, "it ends a session"},
		{`^/json/(new|close|activate)`, "it acts on the browser"},
		{`^/j/`, "a miss counts as a failed join"},
		{`^/webhook(/|$)`, "it takes messages for the agent"},
		{`^/(stats|reload|restart|shutdown)(/|$)`, "it can change the service"},
	} {
		if regexp.MustCompile(d.pattern).MatchString(p) {
			return d.why
		}
	}
	return ""
}

// outOf checks the releases of a request.
func (c *compiler) outOf(at []any, r *requestSpec) error {
	switch {
	case r.Releases == nil:
		return nil
	case r.Releases.From.IsZero() && r.Releases.To.IsZero():
		return c.errorf(append(at, "releases"), "request %q: write releases as {from: 2026.3.8, to: 2026.4.14}, or with one of the two", r.ID)
	case c.Table == "":
		return c.errorf(append(at, "releases"), "request %q: releases needs a release table: add release_table", r.ID)
	}
	return c.cond(append(at, "releases"), cond{Any: r.Releases.Or})
}

func (c *compiler) signalNames() error {
	for _, name := range slices.Sorted(maps.Keys(c.signals)) {
		s := c.signals[name]
		if _, own := c.Signals[name]; !own {
			continue
		}
		at := []any{"signals", name}
		kinds := 0
		for _, is := range []bool{!s.cond.empty(), s.DefaultPort, s.Based, s.Loopback, s.Subject != nil, s.Host != nil, s.Version != nil, s.Release != nil} {
			if is {
				kinds++
			}
		}
		if kinds != 1 {
			return c.errorf(at, "signal %q must be exactly one of: a condition on other signals, default_port, based, loopback, subject_regex, host_regex, versions, releases", name)
		}
		if s.cond.onlyNot() {
			return c.errorf(at, "signal %q would match where no signal does: add all or any", name)
		}
		if v := s.Version; v != nil && (v.From == "" && v.Before == "" || !v.valid()) {
			return c.errorf(at, `signal %q: write versions as {from: "1.2.3", before: "1.4"}, or with one of the two`, name)
		}
		if s.Version != nil && c.Table != "" {
			return c.errorf(at, "signal %q: with a release table use releases", name)
		}
		if s.Release != nil && c.Table == "" {
			return c.errorf(at, "signal %q needs a release table: add release_table", name)
		}
		if err := c.cond(at, s.cond); err != nil {
			return err
		}
	}
	return c.cycles()
}

// cycles finds signals that are conditions on themselves.
func (c *compiler) cycles() error {
	state := map[string]int{} // 1 being visited, 2 done
	var visit func(name string) error
	visit = func(name string) error {
		switch state[name] {
		case 1:
			return c.errorf(c.place(name), "signal %q depends on itself", name)
		case 2:
			return nil
		}
		state[name] = 1
		for _, next := range c.signals[name].cond.names() {
			if err := visit(next); err != nil {
				return err
			}
		}
		state[name] = 2
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(c.signals)) {
		if err := visit(name); err != nil {
			return err
		}
	}
	return nil
}

// onlyNot reports whether a condition matches where no signal does.
func (c cond) onlyNot() bool { return len(c.Not) > 0 && len(c.All)+len(c.Any) == 0 }

func (c cond) names() []string { return slices.Concat(c.All, c.Any, c.Not) }

// cond checks that a condition names signals that exist.
func (c *compiler) cond(at []any, cond cond) error {
	for _, name := range cond.names() {
		if _, ok := c.signals[name]; !ok {
			known := slices.DeleteFunc(slices.Sorted(maps.Keys(c.signals)), func(s string) bool { return !validID(s) })
			return c.errorf(at, "no signal is called %q%s", name, suggest.DidYouMean(name, known))
		}
		c.used[name] = true
	}
	return nil
}

// rules checks the ordered lists: every rule must be able to be the first that
// matches.
func (c *compiler) rules() error {
	lists := map[string][]cond{}
	for i, r := range c.Identity {
		if r.Confidence == "" {
			return c.errorf([]any{"identity", i}, "an identity rule needs a confidence")
		}
		lists["identity"] = append(lists["identity"], r.cond)
	}
	for _, r := range c.Brand {
		lists["brand"] = append(lists["brand"], r.cond)
	}
	for i, r := range c.Auth {
		if r.State == "" {
			return c.errorf([]any{"auth", i}, "an auth rule needs a state")
		}
		lists["auth"] = append(lists["auth"], r.cond)
	}
	for _, key := range []string{"identity", "brand", "auth"} {
		for i, cond := range lists[key] {
			at := []any{key, i}
			if cond.empty() {
				return c.errorf(at, "rule has no condition: it would always match")
			}
			if err := c.cond(at, cond); err != nil {
				return err
			}
			if !c.reachable(lists[key][:i], cond) {
				return c.errorf(at, "rule can never be reached: whenever it matches, a rule before it matches as well")
			}
		}
	}
	for i, r := range c.Requests {
		for j, s := range r.Surfaces {
			if err := c.surface([]any{"requests", i, "surfaces", j}, &r, &s); err != nil {
				return err
			}
		}
	}
	for i, r := range c.Traits {
		at := []any{"traits", i}
		if !validID(r.ID) || len(r.All)+len(r.Any) == 0 {
			return c.errorf(at, "a trait needs an id and a condition with all or any")
		}
		if err := c.cond(at, r.cond); err != nil {
			return err
		}
	}
	for i, r := range c.Notes {
		at := []any{"notes", i}
		if r.Text == "" || r.cond.empty() || r.ID != "" && !validID(r.ID) {
			return c.errorf(at, "a note needs a text and a condition; its id has small letters, digits, dots and hyphens")
		}
		if r.ID != "" && slices.ContainsFunc(c.Notes[:i], func(n noteRule) bool { return n.ID == r.ID }) {
			return c.errorf(at, "note id %q is used twice", r.ID)
		}
		if err := c.cond(at, r.cond); err != nil {
			return err
		}
	}
	return nil
}

// surface makes a rule of each state that a surface may be in.
func (c *compiler) surface(at []any, r *requestSpec, s *surfaceSpec) error {
	path, _, _ := strings.Cut(cmp.Or(s.Path, r.Path), "?")
	if strings.Contains(path, "{random}") || strings.Contains(path, "{script}") || path == "" {
		return c.errorf(at, "surface %q needs a path: that of the request is not always the same", s.ID)
	}
	n := len(c.Surfaces)
	for _, rule := range []surfaceRule{
		{s.ID, path, event.SurfaceOpen, at, s.Open.cond}, {s.ID, path, event.SurfaceGated, at, s.Gated.cond}, {s.ID, path, event.SurfacePresent, at, s.Present.cond},
	} {
		if rule.cond.empty() {
			continue
		}
		if rule.cond.onlyNot() {
			return c.errorf(at, "surface %q would match where no signal does: add all or any", s.ID)
		}
		if err := c.cond(at, rule.cond); err != nil {
			return err
		}
		c.Surfaces = append(c.Surfaces, rule)
	}
	if !validID(s.ID) || len(c.Surfaces) == n {
		return c.errorf(at, "a surface needs an id and a condition: open, gated or present")
	}
	return nil
}

// proof makes sure that a signal that decides alone, on what a product is or that it
// is open to anyone, looks at an answer's content: many servers answer 200 to
// everything.
func (c *compiler) proof() error {
	for i, r := range c.Identity {
		if r.Confidence == event.Certain && len(r.All) <= 1 {
			if err := c.looksAtContent([]any{"identity", i}, r.cond); err != nil {
				return err
			}
		}
	}
	for i, r := range c.Auth {
		if (r.State == event.AuthOpen || r.State == event.AuthClaimable) && len(r.All) <= 1 {
			if err := c.looksAtContent([]any{"auth", i}, r.cond); err != nil {
				return err
			}
		}
	}
	return nil
}

// looksAtContent checks that each signal that makes a condition match looks at content.
func (c *compiler) looksAtContent(at []any, cond cond) error {
	deciding := cond.Any
	if len(deciding) == 0 {
		deciding = cond.All
	}
	for _, name := range deciding {
		s := c.signals[name]
		if !s.cond.empty() {
			if len(s.All) <= 1 {
				if err := c.looksAtContent(at, s.cond); err != nil {
					return err
				}
			}
			continue
		}
		if !s.match.content() {
			return c.errorf(at, "signal %q decides this alone, and looks at no content: a status or a port proves nothing", name)
		}
	}
	return nil
}

func (c *compiler) advised() error {
	for state, a := range c.Advice {
		at := []any{"advice", string(state)}
		if a.Means == "" || a.Fix == "" || a.Steps == "" {
			return c.errorf(at, "advice %q needs means, fix and steps", state)
		}
	}
	for key, given := range map[string]bool{"port_offsets": len(c.PortOffsets) > 0, "gateway_releases": c.Gateways != nil} {
		if given && !c.Helper {
			return c.errorf([]any{key}, "%s is for helpers", key)
		}
	}
	if c.Relative && c.Helper {
		return c.errorf([]any{"helper"}, "a product is a helper or a relative, not both")
	}
	// A finding on an open product of this kind says what to do.
	for i, r := range c.Auth {
		if _, ok := c.Advice[r.State]; c.Relative && !ok && (r.State == event.AuthOpen || r.State == event.AuthClaimable) {
			return c.errorf([]any{"auth", i}, "a relative that can be %s needs advice for it", r.State)
		}
	}
	for i, r := range c.NeverAsk {
		at := []any{"never_ask", i}
		if r.Request == "" || len(r.All)+len(r.Any) == 0 {
			return c.errorf(at, "never_ask needs a request and a condition with all or any")
		}
		if err := c.cond(at, r.cond); err != nil {
			return err
		}
	}
	return nil
}

// advice returns what to do about a product in a state.
func (p *product) advice(s event.AuthState) Advice {
	a := p.Advice[s]
	a.Means, a.Fix = oneLine(a.Means), oneLine(a.Fix)
	return a
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func (c *compiler) sources() error {
	for i, v := range c.Version {
		at := []any{"version", i}
		ways := 0
		for _, is := range []bool{v.Attribute != "", len(v.Header) > 0, v.Body != nil, v.JSON != "", v.Assets} {
			if is {
				ways++
			}
		}
		switch {
		case v.Source == "" || v.Confidence == "" || ways != 1:
			return c.errorf(at, "a version source needs a name, a confidence and exactly one of attribute, header_regex, body_regex, json_path, assets")
		case v.Body != nil && v.Body.NumSubexp() != 1 || slices.ContainsFunc(slices.Collect(maps.Values(v.Header)), func(p *pattern) bool { return p.NumSubexp() != 1 }):
			return c.errorf(at, "version source %q: the pattern needs exactly one group, the version", v.Source)
		case !slices.ContainsFunc(c.Requests, func(r requestSpec) bool { return r.ID == v.On }):
			return c.errorf(at, "version source %q: no request is called %q", v.Source, v.On)
		case slices.ContainsFunc(c.Requests, func(r requestSpec) bool { return r.ID == v.On && r.Secret }):
			return c.errorf(at, "version source %q: the answer to %q may hold a secret, nothing is read out of it", v.Source, v.On)
		case (v.Assets || v.Stamp) && c.Table == "":
			return c.errorf(at, "version source %q needs a release table: add release_table", v.Source)
		}
		if err := c.cond(at, v.cond); err != nil {
			return err
		}
		if c.onRelease(v.cond) {
			return c.errorf(at, "version source %q depends on the release, which it is to tell", v.Source)
		}
	}
	return nil
}

// onRelease reports whether a condition looks at the release.
func (c *compiler) onRelease(cond cond) bool {
	return slices.ContainsFunc(cond.names(), func(name string) bool {
		s := c.signals[name]
		return s.Release != nil || s.Version != nil || c.onRelease(s.cond)
	})
}

func (c *compiler) unused() error {
	for _, name := range slices.Sorted(maps.Keys(c.signals)) {
		if !c.used[name] && validID(name) {
			return c.errorf(c.place(name), "signal %q is never used", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Answers)) {
		if !c.used["answer "+name] {
			return c.errorf([]any{"answers", name}, "answer %q is never used", name)
		}
	}
	return nil
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
