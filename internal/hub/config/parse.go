package config

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/strict"
	"github.com/clawsonar/clawsonar/internal/suggest"
	"github.com/clawsonar/clawsonar/internal/target"
	"github.com/clawsonar/clawsonar/internal/wire"
)

func at(file string, data []byte, err error, path ...any) error {
	return strict.At(file, data, err, path...)
}

// oneOf refuses a word that is not known.
func oneOf(word string, known []string, what string) error {
	if slices.Contains(known, word) {
		return nil
	}
	return fmt.Errorf("%.60q is %s%s", word, what, suggest.DidYouMean(word, known))
}

// parser carries the document, for the places of errors.
type parser struct {
	*Config
	data []byte
}

// fail places an error, if there is one.
func (p *parser) fail(err error, path ...any) error {
	if err == nil {
		return nil
	}
	return at(p.File, p.data, err, path...)
}

// Parse reads the text of a watch.yaml. It opens no file.
func Parse(file string, data []byte) (*Config, error) {
	var root yaml.Node
	if err := strict.YAML(file, data, &root); err != nil {
		return nil, err
	}
	if err := whole(file, &root); err != nil {
		return nil, err
	}
	var in document
	if err := strict.YAML(file, data, &in); err != nil {
		return nil, err
	}
	p := &parser{&Config{File: file, Dir: filepath.Dir(file)}, data}
	for _, step := range []func(*document) error{p.places, p.access, p.workers, p.watches, p.alerts} {
		if err := step(&in); err != nil {
			return nil, err
		}
	}
	return p.Config, nil
}

// whole refuses a document with a key that has no value.
func whole(file string, root *yaml.Node) error {
	if n := empty(root); n != nil {
		return &strict.Error{File: file, Line: n.Line, Err: errors.New("a value is missing: what is left empty would count as not said, so leave it out")}
	}
	return nil
}

// empty finds a value that is none below a node: "exclude-file:" would exclude nothing.
func empty(n *yaml.Node) *yaml.Node {
	for _, child := range n.Content {
		if child.Tag == "!!null" {
			return child
		}
		if found := empty(child); found != nil {
			return found
		}
	}
	return nil
}

// places takes where things are.
func (p *parser) places(in *document) (err error) {
	p.Store, p.Streams = p.inDir(DefaultStore), p.inDir(DefaultStreams)
	if in.Store != "" {
		if p.Store, err = p.store(string(in.Store)); err != nil {
			return p.fail(err, "store")
		}
	}
	if in.Streams != "" {
		p.Streams = p.inDir(string(in.Streams))
	}
	p.NetworksFile = p.inDir(string(in.Networks))
	p.Geo, p.geoLine = p.each(in.Geo.texts), in.Geo.line
	if in.Lang != "" && in.Lang != "en" && in.Lang != "zh" {
		return p.fail(fmt.Errorf("%.20q is no language that the pages have: use en or zh", string(in.Lang)), "lang")
	}
	p.Lang = string(in.Lang)
	return nil
}

// store reads where the database is.
func (p *parser) store(where string) (string, error) {
	if strings.Contains(where, "${") {
		return "", errors.New("nothing is put in for ${…}: leave the password out, it is taken from PGPASSWORD or the file that PGPASSFILE names")
	}
	scheme, _, isURL := strings.Cut(where, "://")
	if !isURL {
		return p.inDir(where), nil
	}
	u, err := url.Parse(where)
	if err != nil || scheme != "postgres" && scheme != "postgresql" || u.Path == "" {
		// Not quoted: it may hold a password.
		return "", errors.New("not a database: use the name of a file, or postgres://USER@HOST/NAME")
	}
	_, has := u.User.Password()
	if has || u.Query().Has("password") {
		return "", errors.New("a password does not belong here: leave it out, it is taken from PGPASSWORD or the file that PGPASSFILE names")
	}
	return where, nil
}

// access takes where it listens, and who may use it.
func (p *parser) access(in *document) error {
	p.Listen = DefaultListen
	if in.Listen != "" {
		listen := strings.Replace(string(in.Listen), "localhost:", "127.0.0.1:", 1)
		if ap, err := netip.ParseAddrPort(listen); err != nil || ap.Addr().Zone() != "" {
			return p.fail(fmt.Errorf("%.60q is no address to listen on: write it as 127.0.0.1:8790, 0.0.0.0:8790 or [::]:8790", string(in.Listen)), "listen")
		}
		p.Listen = listen
	}
	if in.URL != "" {
		u, err := webURL(string(in.URL))
		if err != nil {
			return p.fail(err, "url")
		}
		p.URL = strings.TrimRight(u.String(), "/")
	}
	if t := in.TLS; t != nil {
		if t.Cert == "" || t.Key == "" {
			return p.fail(errors.New("name both, cert and key"), "tls")
		}
		p.TLS = &TLS{p.inDir(string(t.Cert)), p.inDir(string(t.Key))}
	}
	switch in.Behind {
	case "":
	case "proxy":
		p.BehindProxy = true
	default:
		return p.fail(fmt.Errorf("%.40q is not known: write proxy, or leave it out", string(in.Behind)), "behind")
	}
	if p.TLS != nil && p.BehindProxy {
		return p.fail(errors.New("tls and behind: proxy: choose who has TLS, the hub or the proxy"), "behind")
	}
	p.Public = in.Public
	if in.Auth == nil || in.Auth.OIDC == nil {
		return nil
	}
	o := in.Auth.OIDC
	p.OIDC = &OIDC{Issuer: string(o.Issuer), ClientID: string(o.ClientID), ClientSecretFile: p.inDir(string(o.ClientSecretFile)), Allow: o.Allow.who(), Work: o.Work.who()}
	fail := func(err error, path ...any) error { return p.fail(err, append([]any{"auth", "oidc"}, path...)...) }
	u, err := webURL(p.OIDC.Issuer)
	switch {
	case err != nil:
		return fail(fmt.Errorf("issuer: %w", err), "issuer")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return fail(errors.New("issuer: use https: anyone who can change its answers decides who may log in"), "issuer")
	case p.OIDC.ClientID == "":
		return fail(errors.New("client_id is missing"), "client_id")
	case p.URL == "":
		return fail(errors.New("url is missing: the provider sends users back to it"))
	case p.OIDC.Allow.None() && p.OIDC.Work.None():
		return fail(errors.New("nobody may log in: list groups or users below allow, or below work"), "allow")
	}
	return nil
}

// webURL reads the URL of a page.
func webURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("not a URL that begins with https:// or http:// and has no user, query or fragment")
	}
	return u, nil
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// workers takes how workers reach the hub.
func (p *parser) workers(in *document) error {
	x := in.Workers
	if x == nil {
		return nil
	}
	fail := func(key, format string, args ...any) error {
		return p.fail(fmt.Errorf(key+": "+format, args...), "workers", key)
	}
	w := &Workers{
		Listen: string(x.Listen), URL: string(x.URL), Dir: p.inDir(cmp.Or(string(x.Dir), DefaultFleet)), Rate: 0,
		NATS: string(x.NATS), Credentials: p.inDir(string(x.NATSCredentials)), CA: p.inDir(string(x.NATSCA)),
	}
	if x.RateLimit != nil {
		if w.Rate = *x.RateLimit; w.Rate < 1 || w.Rate > 1e6 {
			return fail("rate-limit", "use a number from 1 to 1000000")
		}
	}
	for _, set := range []struct{ key, url string }{{"nats", w.NATS}, {"url", w.URL}} {
		u, err := url.Parse(set.url)
		switch {
		case set.url == "":
		case err != nil || u.Scheme != "tls" && (u.Scheme != "nats" || set.key == "url") || u.Hostname() == "" || u.Path != "":
			return fail(set.key, "not the address of a server: write it as tls://HOST:PORT")
		case u.User != nil:
			return fail(set.key, "a password does not belong here: name a file with nats-credentials")
		case u.Scheme == "nats" && !loopback(u.Hostname()):
			return fail(set.key, "use tls: what is sent to workers says what may be scanned")
		}
	}
	if w.NATS != "" {
		if w.Listen != "" {
			return fail("nats", "with a server of your own the hub listens nowhere: leave listen out")
		}
		w.URL = cmp.Or(w.URL, w.NATS)
		p.Workers = w
		return nil
	}
	if w.Credentials+w.CA != "" {
		return p.fail(errors.New("nats-credentials and nats-ca are for a server of your own: name it with nats"), "workers")
	}
	w.Listen = strings.Replace(cmp.Or(w.Listen, DefaultWorkers), "localhost:", "127.0.0.1:", 1)
	ap, err := netip.ParseAddrPort(w.Listen)
	switch {
	case err != nil || ap.Addr().Zone() != "":
		return fail("listen", "%.60q is no address to listen on: write it as 127.0.0.1:8791, 0.0.0.0:8791 or [::]:8791", w.Listen)
	case w.URL == "" && ap.Addr().IsUnspecified():
		return p.fail(errors.New("url is missing: workers need an address to connect to, such as tls://hub.example.org:8791"), "workers")
	}
	w.URL = cmp.Or(w.URL, "tls://"+w.Listen)
	p.Workers = w
	return nil
}

func (p *parser) watches(in *document) error {
	if len(in.Watches) == 0 && (in.Workers == nil || in.Watches != nil) { // there may be jobs alone
		return p.fail(errNothing, "watches")
	}
	seen := map[string]bool{}
	for i, w := range in.Watches {
		out := &Watch{
			Name: string(w.Name), Every: time.Duration(w.Every), Confirm: DefaultConfirm, Vantage: string(w.Vantage), Vantages: w.Vantages,
			file: p.File, line: w.line, lines: w.lines,
		}
		path, err := w.complete(p.Config, out)
		if err == nil && seen[out.Name] {
			path, err = []any{"name"}, fmt.Errorf("a second watch %s: give it another name", out.Name)
		}
		if err != nil {
			return p.fail(err, append([]any{"watches", i}, path...)...)
		}
		seen[out.Name] = true
		p.Watches = append(p.Watches, out)
	}
	return nil
}

// complete checks a watch and takes its settings; path is where the error is in it.
func (w *watch) complete(c *Config, out *Watch) (path []any, err error) {
	if path, err := w.named(out); err != nil {
		return path, err
	}
	switch {
	case w.Every == 0:
		return []any{"every"}, errors.New("every is missing: write it as 6h, 15m or 1d")
	case out.Every < time.Second:
		return []any{"every"}, errors.New("every: use at least 1s")
	case w.Confirm != nil && (*w.Confirm < 1 || *w.Confirm > 100):
		return []any{"confirm"}, errors.New("confirm: use a number of runs, from 1 to 100")
	case out.Vantage != "" && job.CheckName(out.Vantage) != nil:
		return []any{"vantage"}, fmt.Errorf("vantage: %w", job.CheckName(out.Vantage))
	case out.Vantage != "" && out.Vantages != nil:
		return []any{"vantage"}, errors.New("vantage is where this hub stands, vantages where workers do: give one of them")
	case out.Vantages != nil && c.Workers == nil:
		return []any{"vantages"}, errors.New("vantages: there is no workers, which says how they reach the hub")
	}
	if w.Confirm != nil {
		out.Confirm = *w.Confirm
	}
	return w.settings(c, out)
}

// named checks the names of a watch or a job.
func (w *watch) named(out *Watch) (path []any, err error) {
	if err := job.CheckName(out.Name); err != nil {
		return []any{"name"}, fmt.Errorf("name: %w", err)
	}
	for i, v := range out.Vantages {
		if err := job.CheckName(v); err != nil {
			return []any{"vantages", i}, fmt.Errorf("vantages: %w", err)
		}
		if slices.Contains(out.Vantages[:i], v) {
			return []any{"vantages", i}, fmt.Errorf("vantages: %s is named twice", v)
		}
	}
	switch {
	case w.Units == nil:
	case len(out.Vantages) == 0:
		return []any{"units"}, errors.New("units are what workers make: there is no vantages, which says where they stand")
	case *w.Units < 1 || *w.Units > job.MaxUnits:
		return []any{"units"}, fmt.Errorf("units: use a number from 1 to %d", job.MaxUnits)
	default:
		out.Units = uint64(*w.Units)
	}
	return nil, nil
}

// settings takes what is scanned, and how.
func (w *watch) settings(c *Config, out *Watch) (path []any, err error) {
	s := &out.Settings
	*s = audit.Defaults()
	s.Seed = seed(out.Name)
	s.Targets, s.Lists, s.Ports = w.Targets, w.List, strings.Join(w.Ports, ",")
	for i, name := range s.Lists {
		if name == "-" || name == "" {
			return []any{"list", i}, errors.New("list: name a file")
		}
	}
	if len(s.Targets)+len(s.Lists) == 0 {
		return nil, fmt.Errorf("%s has nothing to scan: give targets, or a list", out.Name)
	}
	s.Allow, s.Exclude, s.Headers, s.Advisories = w.Allow, w.Exclude, w.Header, w.Advisories
	s.Authorized, s.Helpers, s.Bases, s.Family = w.Authorized, w.Helpers, w.BasePaths, w.Family
	for _, set := range []struct {
		from text
		to   *string
	}{
		{w.Level, &s.Level}, {w.Contact, &s.Contact}, {w.Addresses, &s.Addresses}, {w.BasePath, &s.BasePath}, {w.ExcludeUnresolved, &s.Unresolved},
		{w.Proxy, &s.Proxy}, {w.SourceIP, &s.SourceIP}, {w.Interface, &s.Interface}, {w.Resolver, &s.Resolver},
		{w.Scope, &s.ScopeFile}, {w.ExcludeFile, &s.ExcludeFile}, {w.ASFile, &s.ASFile}, {w.VEX, &s.VEX},
	} {
		if set.from != "" {
			*set.to = string(set.from)
		}
	}
	for _, set := range []struct {
		key     string
		from    *int
		to      *int
		atLeast int
	}{
		{"concurrency", w.Concurrency, &s.Concurrency, 1}, {"rate-limit", w.RateLimit, &s.Rate, 0},
		{"rate-limit-host", w.RateLimitHost, &s.HostRate, 0}, {"retries", w.Retries, &s.Retries, 0},
	} {
		if set.from == nil {
			continue
		}
		if *set.from < set.atLeast || *set.from > 1e6 {
			return []any{set.key}, fmt.Errorf("%s: use a number from %d to 1000000", set.key, set.atLeast)
		}
		*set.to = *set.from
	}
	if w.Timeout != 0 {
		s.Timeout = time.Duration(w.Timeout)
	}
	if path, err := check(s); err != nil {
		return path, err
	}
	for _, name := range []*string{&s.ScopeFile, &s.ExcludeFile, &s.ASFile, &s.VEX} {
		*name = c.inDir(*name)
	}
	s.Lists = c.each(s.Lists)
	s.Advisories = c.each(s.Advisories, audit.AllAdvisories)
	return nil, nil
}

// LoadJob reads the file of a job: the keys of one watch, without those of its times, and
// the vantages that make it.
func LoadJob(file string) (*Watch, error) {
	data, err := bounded.File(file, bounded.MaxYAML)
	if err != nil {
		return nil, err
	}
	var root yaml.Node
	if err := strict.YAML(file, data, &root); err != nil {
		return nil, err
	}
	if err := whole(file, &root); err != nil {
		return nil, err
	}
	var in watch
	if err := strict.YAML(file, data, &in); err != nil {
		return nil, err
	}
	out := &Watch{Name: string(in.Name), Vantages: in.Vantages, file: file, line: in.line, lines: in.lines}
	for _, key := range []string{"every", "confirm", "vantage"} {
		if in.lines[key] > 0 {
			return nil, at(file, data, fmt.Errorf("%s is for a watch: a job is made once, by the workers of its vantages", key), key)
		}
	}
	path, err := in.named(out)
	if err == nil && len(out.Vantages) == 0 {
		err = errors.New("vantages is missing: list where the workers stand that make it")
	}
	if err == nil {
		path, err = in.settings(&Config{File: file, Dir: filepath.Dir(file)}, out)
	}
	if err != nil {
		return nil, at(file, data, err, path...)
	}
	return out, nil
}

// each is inDir of several names, but for words that are none.
func (c *Config) each(names []string, words ...string) (out []string) {
	for _, name := range names {
		if !slices.Contains(words, name) {
			name = c.inDir(name)
		}
		out = append(out, name)
	}
	return out
}

// check checks settings by the rules of the flags.
func check(s *audit.Settings) (path []any, err error) {
	one := func(key, text string, ok func(string) error) {
		if err == nil && text != "" {
			if e := ok(text); e != nil {
				path, err = []any{key}, fmt.Errorf("%s: %w", key, e)
			}
		}
	}
	words := func(known ...string) func(string) error {
		return func(s string) error { return oneOf(s, known, "not known: use "+strings.Join(known, ", ")) }
	}
	one("level", s.Level, words(event.Words(event.Levels()...)...))
	one("addresses", s.Addresses, words(wire.AllAddresses, wire.FirstAddress, wire.OnlyIPv4, wire.OnlyIPv6))
	one("exclude-unresolved", s.Unresolved, words(audit.UnresolvedFails, audit.UnresolvedOK))
	one("ports", s.Ports, audit.CheckPorts)
	one("contact", s.Contact, audit.CheckContact)
	one("base-path", s.BasePath, parses(audit.ParseBase))
	one("proxy", s.Proxy, parses(wire.ParseProxy))
	one("source-ip", s.SourceIP, parses(audit.ParseAddress))
	one("resolver", s.Resolver, parses(audit.ParseResolver))
	if err != nil {
		return path, err
	}
	for _, list := range []struct {
		key   string
		texts []string
		ok    func(string) error
	}{
		{"targets", s.Targets, func(text string) error { _, err := target.Parse(text, "", audit.WebPorts()); return err }},
		{"allow", s.Allow, parses(target.ParseEntry)},
		{"exclude", s.Exclude, parses(target.ParseEntry)},
		{"header", s.Headers, parses(wire.ParseHeader)},
	} {
		for i, text := range list.texts {
			if err := list.ok(text); err != nil {
				return []any{list.key, i}, fmt.Errorf("%s: %w", list.key, err)
			}
		}
	}
	return nil, nil
}

// parses makes a check of what reads a value.
func parses[T any](read func(string) (T, error)) func(string) error {
	return func(s string) error { _, err := read(s); return err }
}

// seed is the seed of the order of a watch's runs, from 1.
func seed(name string) int {
	h := fnv.New32a()
	h.Write([]byte(name))
	return int(h.Sum32()>>1) + 1
}

func (p *parser) alerts(in *document) error {
	var watches []string
	for _, w := range p.Watches {
		watches = append(watches, w.Name)
	}
	seen := map[string]bool{}
	for i, a := range in.Alerts {
		out := &Alert{
			Name: string(a.Name), When: a.When, Severity: event.Severity(a.Severity), Watches: a.Watches, Owners: a.Owners, To: a.To, SecretFile: p.inDir(string(a.SecretFile)),
			Digest: DefaultDigest, After: time.Duration(a.After),
		}
		if a.Digest != nil {
			out.Digest = time.Duration(*a.Digest)
		}
		path, err := out.check(watches)
		if err == nil && seen[out.Name] {
			path, err = []any{"name"}, fmt.Errorf("a second alert %s: give it another name", out.Name)
		}
		if err != nil {
			return p.fail(err, append([]any{"alerts", i}, path...)...)
		}
		seen[out.Name] = true
		p.Alerts = append(p.Alerts, out)
	}
	return nil
}

// check checks an alert; path is where the error is in it.
func (a *Alert) check(watches []string) (path []any, err error) {
	if err := job.CheckName(a.Name); err != nil {
		return []any{"name"}, fmt.Errorf("name: %w", err)
	}
	if len(a.When) == 0 {
		return []any{"when"}, errors.New("when is missing: list some of " + strings.Join(Words(), ", "))
	}
	if len(a.To) == 0 {
		return []any{"to"}, errors.New("to is missing: list URLs, or exec:COMMAND")
	}
	for i, word := range a.When {
		if err := oneOf(word, Words(), "nothing that happens: use "+strings.Join(Words(), ", ")); err != nil {
			return []any{"when", i}, fmt.Errorf("when: %w", err)
		}
	}
	for i, name := range a.Watches {
		if err := oneOf(name, watches, "no watch"); err != nil {
			return []any{"watches", i}, fmt.Errorf("watches: %w", err)
		}
	}
	for i, to := range a.To {
		if scheme, rest, ok := strings.Cut(to, ":"); !ok || scheme == "" || rest == "" {
			// Not quoted: these hold tokens.
			return []any{"to", i}, errors.New("to: not a URL, nor exec:COMMAND")
		}
	}
	if a.Severity != "" {
		if _, err := event.ParseSeverity(string(a.Severity)); err != nil {
			return []any{"severity"}, fmt.Errorf("severity: %w", err)
		}
	}
	if a.After != 0 && !slices.Contains(a.When, SilentWatch) {
		return []any{"after"}, errors.New("after is for " + SilentWatch + ": add that to when, or leave it out")
	}
	return nil, nil
}
