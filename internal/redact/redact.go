// Package redact takes out of a result stream what tells whose gateways they
// are, so that it can be shared. What is put in its place is a pseudonym: the
// same for the same thing, wherever the same key is used, and of no use to whom
// the key is not known to.
package redact

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/message"
)

// MinKey is the least number of bytes of a key.
const MinKey = 16

// Redactor replaces addresses, names, base paths, certificates and free text of
// a target. Loopback addresses stay, and so do ports. It takes the events of one
// stream at a time, in their order.
type Redactor struct {
	key     []byte
	known   func(name, value string) string
	contact string // of the scan
}

// New returns a redactor for a key, which must be kept secret: addresses are so
// few that anyone who has it can try them all. known returns what may be shown of a
// fact of an answer, or of a "version".
func New(key []byte, known func(name, value string) string) (*Redactor, error) {
	if len(key) < MinKey {
		return nil, fmt.Errorf("a key of %d bytes is too short: use %d or more, such as the output of \"openssl rand -hex 32\"", len(key), MinKey)
	}
	return &Redactor{key: slices.Clone(key), known: known}, nil
}

// token is n hex digits for a value of a kind.
func (r *Redactor) token(kind, value string, n int) string {
	mac := hmac.New(sha256.New, r.key)
	mac.Write([]byte(kind + "\x00" + value))
	return hex.EncodeToString(mac.Sum(nil))[:n]
}

// again is token for what is a digest already; "" stays.
func (r *Redactor) again(kind, digest string) string {
	if digest == "" {
		return ""
	}
	return r.token(kind, digest, min(len(digest), 2*sha256.Size))
}

// addr is an address of 2001:db8::/32, which is for documentation and routed
// nowhere (RFC 3849).
func (r *Redactor) addr(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.IsLoopback() || a.IsUnspecified() {
		return a
	}
	out := netip.MustParseAddr("2001:db8::").As16()
	raw, _ := hex.DecodeString(r.token("address", a.String(), 24))
	copy(out[4:], raw)
	return netip.AddrFrom16(out)
}

// name is a name of .invalid, which no resolver knows (RFC 2606).
func (r *Redactor) name(s string) string {
	if s == "" || s == "localhost" {
		return s
	}
	return "n-" + r.token("name", strings.ToLower(strings.TrimSuffix(s, ".")), 12) + ".invalid"
}

// host is the pseudonym of an address or a name.
func (r *Redactor) host(s string) string {
	if a, err := netip.ParseAddr(s); err == nil {
		return r.addr(a).String()
	}
	return r.name(s)
}

// base is the pseudonym of a base path, "/" of none.
func (r *Redactor) base(path string) string {
	if path = strings.Trim(path, "/"); path == "" {
		return "/"
	}
	return "/p-" + r.token("path", path, 8) + "/"
}

// Event returns the event without what identifies; the one given is not changed.
// Every field is named here: what a field of a later day holds is not passed on
// before somebody has decided that it may be.
func (r *Redactor) Event(e event.Event) event.Event {
	switch e := e.(type) {
	case *event.Scan:
		return r.scan(e)
	case *event.Target:
		return r.target(e)
	case *event.Summary:
		return r.summary(e)
	}
	return e
}

func (r *Redactor) scan(in *event.Scan) *event.Scan {
	out := &event.Scan{
		Type: event.TypeScan, Schema: in.Schema, Tool: tool(in.Tool), Started: in.Started,
		Level: id(in.Level), Kind: id(in.Kind), Seed: in.Seed, Shard: id(in.Shard), Ports: slices.Clone(in.Ports),
		Data: event.Data{
			Version: id(in.Data.Version), File: hide(in.Data.File), Key: r.again("key", in.Data.Key),
			Releases: in.Data.Releases, NewestRelease: id(in.Data.NewestRelease), ReleasesAsOf: id(in.Data.ReleasesAsOf),
			Advisories: in.Data.Advisories, AdvisoriesAsOf: id(in.Data.AdvisoriesAsOf),
		},
		Authorization: event.Authorization{Authorized: in.Authorization.Authorized},
		Config:        r.again("config", in.Config),                                    // small scans could be guessed from it
		Watch:         hide(in.Watch), Vantage: r.vantage(in.Vantage), Again: in.Again, // names are the operator's
		From: in.From, Unlisted: counts(in.Unlisted),
		Earlier: each(in.Earlier, func(e event.Run) event.Run { return event.Run{Started: e.Started, From: e.From} }),
	}
	if in.Authorization.Contact != "" {
		r.contact = in.Authorization.Contact // targets are told it
		out.Authorization.Contact = gone
	}
	if n := in.Network; n != nil {
		// Where the operator stands, and what their network is called.
		out.Network = &event.Network{
			Proxy: hide(n.Proxy), SourceIP: hide(n.SourceIP), Interface: hide(n.Interface), Resolver: hide(n.Resolver),
			Headers: each(n.Headers, hide),
		}
	}
	if in.Compared != nil {
		out.Compared = &event.Compared{Tool: tool(in.Compared.Tool), Started: in.Compared.Started, Vantage: r.vantage(in.Compared.Vantage)}
	}
	return out
}

// hide replaces a value, if there is one.
func hide(s string) string {
	if s == "" {
		return ""
	}
	return gone
}

// vantage is the pseudonym of a vantage, or of several: two stay two, for what one of them
// alone sees is neither opened nor fixed.
func (r *Redactor) vantage(s string) string {
	if s == "" {
		return ""
	}
	names := strings.Split(s, "+")
	for i, name := range names {
		names[i] = "v-" + r.token("vantage", name, 8)
	}
	return strings.Join(names, "+")
}

func tool(in event.Tool) event.Tool { return event.Tool{Name: id(in.Name), Version: id(in.Version)} }

func (r *Redactor) summary(in *event.Summary) *event.Summary {
	out := &event.Summary{
		Type: event.TypeSummary, Finished: in.Finished, Targets: in.Targets,
		Outcomes: counts(in.Outcomes), Auth: counts(in.Auth), Findings: counts(in.Findings),
		Suppressed: in.Suppressed, Complete: in.Complete, Posture: counts(in.Posture),
		MissEstimate: event.MissEstimate{
			Reprobed: in.MissEstimate.Reprobed, Found: in.MissEstimate.Found,
			Missed: in.MissEstimate.Missed, MissedAtMost: in.MissEstimate.MissedAtMost,
		},
		// The notes, and what they were made of, are about the operator's own files.
	}
	if u := in.Unlisted; u != nil {
		out.Unlisted = &event.Unlisted{Count: u.Count, Targets: each(u.Targets, func(p event.Place) event.Place {
			return event.Place{Place: r.place(p.Place), Outcome: id(p.Outcome)}
		})}
	}
	if d := in.Diff; d != nil {
		out.Diff = &event.Diff{Opened: d.Opened, Closed: d.Closed, Unseen: d.Unseen, Changed: d.Changed, Advisories: d.Advisories}
	}
	return out
}

// place is the pseudonym of a host, host:port, or one with a base path.
func (r *Redactor) place(s string) string {
	at, base, _ := strings.Cut(s, "/")
	base = strings.TrimRight(r.base(base), "/")
	if ap, err := netip.ParseAddrPort(at); err == nil {
		return hostPort(r.addr(ap.Addr()).String(), strconv.Itoa(int(ap.Port()))) + base
	}
	host, port, ok := strings.Cut(at, ":")
	if _, err := strconv.ParseUint(port, 10, 16); !ok || err != nil {
		host, port = at, ""
	}
	return hostPort(r.host(host), port) + base
}

func counts[K ~string](in map[K]int) map[K]int {
	if in == nil {
		return nil
	}
	out := map[K]int{}
	for k, n := range in {
		out[id(k)] += n
	}
	return out
}

// gone stands for what has no pseudonym.
const gone = "redacted"

// ours is how the program's own words look: ids of products, signals, states,
// releases, dates.
var ours = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+/:-]{0,99}$`)

// keep keeps a value of a form.
func keep[S ~string](form *regexp.Regexp, s S) S {
	if s == "" || form.MatchString(string(s)) {
		return s
	}
	return gone
}

// id keeps a word of the program's own.
func id[S ~string](s S) S { return keep(ours, s) }

func ids(in []string) []string { return each(in, id[string]) }

func (r *Redactor) target(in *event.Target) *event.Target {
	u, err := url.Parse(in.Target.URL)
	if err != nil {
		u = &url.URL{}
	}
	x := r.eraser(in, u)
	out := &event.Target{
		Type: event.TypeTarget, Target: r.address(&in.Target, u, x), Geo: optional(in.Geo, r.geo), Outcome: id(in.Outcome), TLS: r.tls(in.TLS),
		Surfaces: each(in.Surfaces, func(s event.Surface) event.Surface {
			return event.Surface{ID: id(s.ID), State: id(s.State), Path: x.text(s.Path)}
		}),
		Findings:   each(in.Findings, func(f event.Finding) event.Finding { return r.finding(&f, x) }),
		Advisories: each(in.Advisories, func(a event.Advisory) event.Advisory { return advisory(&a, x) }),
		Evidence:   each(in.Evidence, func(e event.Evidence) event.Evidence { return r.evidence(&e, x) }),
		Noted:      event.Noted{Notes: each(in.Notes, x.text), Messages: each(in.Messages, x.message)},
		Files:      r.files(in, x),
		Requests:   in.Requests, Connections: in.Connections, DurationMS: in.DurationMS,
		Error: x.text(in.Error), ErrorMessage: optional(in.ErrorMessage, x.message),
		Changes: each(in.Changes, func(c event.Change) event.Change {
			return event.Change{What: id(c.What), Old: x.text(c.Old), New: x.text(c.New),
				OldMessage: optional(c.OldMessage, x.message), NewMessage: optional(c.NewMessage, x.message)}
		}),
	}
	if p := in.Product; p != nil {
		out.Product = &event.Product{ID: id(p.ID), Brand: id(p.Brand), Name: x.text(p.Name), Confidence: id(p.Confidence), Because: ids(p.Because)}
	}
	if v := in.Version; v != nil {
		out.Version = &event.Version{Exact: r.version(v.Exact), Candidates: each(v.Candidates, r.version), Build: keep(commits, v.Build),
			Source: id(v.Source), At: optional(v.At, r.pos), Confidence: id(v.Confidence)}
	}
	if p := in.Posture; p != nil {
		out.Posture = r.posture(p, x)
	}
	if d := in.Discovery; d != nil {
		out.Discovery = &event.Discovery{By: id(d.By), Published: r.bound(d.Published)}
		if d.Announced != nil {
			out.Discovery.Announced = event.AnnouncedKeys(d.Announced)
		}
	}
	if same := in.SameAs; same != nil {
		u, err := url.Parse(same.URL)
		if err != nil {
			u = &url.URL{}
		}
		out.SameAs = &event.SameAs{URL: r.url(u), Confidence: id(same.Confidence), Because: ids(same.Because)}
	}
	if a := in.Auth; a != nil {
		out.Auth = &event.Auth{State: id(a.State), Mode: id(a.Mode), Because: ids(a.Because)}
	}
	if f := in.Front; f != nil {
		out.Front = &event.Front{Kind: id(f.Kind), Because: ids(f.Because)}
	}
	if in.Target.Kind == event.TargetFiles {
		r.inFiles(in, out, x)
	}
	return out
}

func (r *Redactor) version(s string) string {
	if s == "" {
		return ""
	}
	if s = r.known("version", s); s == "" {
		return gone
	}
	return s
}

// commits are the vendor's.
var commits = regexp.MustCompile(`^[0-9a-f]{7,40}$`)

func (r *Redactor) address(in *event.Address, u *url.URL, x *eraser) event.Address {
	out := event.Address{Kind: id(in.Kind), File: r.file(in.File), Gateway: r.service(in.Gateway), Name: r.name(in.Name), Port: in.Port, Source: source(in.Source), Reach: id(in.Reach), Member: id(in.Member), Process: program(in.Process)}
	if in.IP != "" {
		out.IP = r.host(in.IP)
	}
	if in.URL != "" {
		out.URL = r.url(u)
	}
	out.Bound = r.bound(in.Bound)
	if in.Base != "" {
		out.Base = r.folder(in.Base)
	}
	if in.Kind == event.TargetFiles {
		out.Input = r.folder(in.Input)
	} else {
		out.Input = r.input(out, in.Input)
	}
	return out
}

// bound replaces the address of what a listener is bound to.
func (r *Redactor) bound(text string) string {
	b, err := netip.ParseAddrPort(text)
	switch {
	case text == "":
		return ""
	case err != nil:
		return gone
	}
	return netip.AddrPortFrom(r.addr(b.Addr()), b.Port()).String()
}

// geo keeps the country. An AS may be of one organisation alone, and its name then is that
// one's: it becomes one of those for private use (RFC 6996), the same for the same AS, and
// loses its name.
func (r *Redactor) geo(in event.Geo) event.Geo {
	const first, n = 4_200_000_000, 94_967_295
	out := event.Geo{}
	if in.AS != 0 {
		raw, _ := hex.DecodeString(r.token("as", strconv.FormatUint(uint64(in.AS), 10), 16))
		out.AS = uint32(first + binary.BigEndian.Uint64(raw)%n)
	}
	if event.IsCountry(in.Country) {
		out.Country = in.Country
	}
	return out
}

// programs are those that listen where a gateway does and are nobody's own. Linux
// cuts names off after 15 bytes.
var programs = []string{"apache2", "caddy", "chrome", "chromium", "clawdbot", "clawdbot-gatewa", "clawdbot-gateway", "cloudflared", "docker-proxy",
	"envoy", "haproxy", "httpd", "moltbot", "moltbot-gateway", "nginx", "node", "ollama", "openclaw", "openclaw-gatewa", "openclaw-gateway",
	"python", "python3", "rootlessport", "socat", "ssh", "sshd", "tailscaled", "traefik", "websockify", "x11vnc"}

func program(s string) string {
	if s == "" || slices.Contains(programs, s) {
		return s
	}
	return gone
}

func (r *Redactor) tls(in *event.TLS) *event.TLS {
	if in == nil {
		return nil
	}
	return &event.TLS{
		Enabled: in.Enabled, Version: keep(protocols, in.Version), Cipher: keep(protocols, in.Cipher),
		Subject: r.subject(in.Subject), Issuer: r.subject(in.Issuer), Names: each(in.Names, r.host),
		NotBefore: month(in.NotBefore), NotAfter: month(in.NotAfter), SelfSigned: in.SelfSigned,
		SHA256:      r.again("certificate", in.SHA256),
		VerifyError: evidence.Reason(in.VerifyError), NameError: evidence.Reason(in.NameError),
		Legacy: keep(protocols, in.Legacy), HSTS: keep(hstsField, in.HSTS),
	}
}

// protocols are the names of versions of TLS and of cipher suites.
var protocols = regexp.MustCompile(`^(TLS 1\.[0-3]|SSLv3|0x[0-9A-Fa-f]{4}|TLS_[A-Z0-9_]{1,60})$`)

// month is the beginning of the month of a time: the times of a certificate are as
// good as its name, wherever certificates are logged.
func month(s string) string {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return ""
	}
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC).Format(time.RFC3339)
}

var hstsField = regexp.MustCompile(`^(max-age=\d{1,10}(; includeSubDomains)?(; preload)?|other)$`)

// The findings whose details quote a certificate. Texts are cut before they get
// here, so a name in them need not be found by its whole.
const (
	ofName    = "tls-name-mismatch"
	ofSubject = "tls-self-signed"
)

var day = regexp.MustCompile(`\b(\d{4}-\d{2})-\d{2}\b`)

func (r *Redactor) finding(in *event.Finding, x *eraser) event.Finding {
	out := event.Finding{
		ID: id(in.ID), Severity: in.Severity, Title: x.text(in.Title), Detail: x.text(in.Detail), Remediation: x.text(in.Remediation),
		Controls: ids(in.Controls), References: each(in.References, x.text), Evidence: each(in.Evidence, x.exchange),
		Key: r.again("key", in.Key), Change: id(in.Change), Step: id(in.Step), Release: id(in.Release),
		Messages: optional(in.Messages, func(m event.FindingMessages) event.FindingMessages {
			return event.FindingMessages{Detail: each(m.Detail, x.message), Remediation: each(m.Remediation, x.message)}
		}),
		Locations: each(in.Locations, func(l event.Location) event.Location { return r.location(l, x) }),
		Diff:      hide(in.Diff), // lines of the operator's files
		// The reason that follows is the operator's own words; its message holds it, too.
		Suppressed: suppressed(in.Suppressed),
	}
	switch in.ID {
	case "differs-by-vantage":
		// Its text names the vantages.
		if out.Detail = ""; out.Messages != nil {
			out.Detail, _ = message.English.Texts(out.Messages.Detail)
		}
	case ofName:
		out.Detail = "It is for other names than the one that was used."
	case ofSubject:
		out.Detail = "Its certificate is signed with its own key."
	case "tls-expired":
		out.Detail = day.ReplaceAllString(out.Detail, "$1")
	}
	return out
}

// suppressed says what takes a finding back: the reason that follows is left out.
func suppressed(s string) string {
	what, _, _ := strings.Cut(s, ":")
	switch what {
	case "", "ignore file", "posture", "baseline", "not affected", "not_affected", "fixed":
		return what
	}
	return gone
}

// advisory is published, apart from what the operator says of it.
func advisory(in *event.Advisory, x *eraser) event.Advisory {
	return event.Advisory{
		ID: id(in.ID), CVE: id(in.CVE), Severity: in.Severity, Score: in.Score, ScoreSource: x.text(in.ScoreSource), Status: id(in.Status),
		GatewaySurface: in.GatewaySurface, Credential: id(in.Credential), Fixed: id(in.Fixed), Summary: x.text(in.Summary),
		Reach: id(in.Reach), Inherited: in.Inherited, Suppressed: suppressed(in.Suppressed),
	}
}

func (r *Redactor) evidence(in *event.Evidence, x *eraser) event.Evidence {
	return event.Evidence{
		ID: x.exchange(in.ID), Request: x.text(in.Request), Status: in.Status, Bytes: in.Bytes,
		SHA256: r.again("body", in.SHA256), Facts: r.facts(in.Facts), Error: x.text(in.Error),
	}
}

// exchange is the id of an exchange, which may have a base path behind it.
func (x *eraser) exchange(s string) string {
	name, at, ok := strings.Cut(s, "@")
	if !ok {
		return id(s)
	}
	return id(name) + "@" + x.r.base(at)
}

// message treats each argument as the same thing elsewhere.
func (x *eraser) message(in message.Message) message.Message {
	var args []message.Arg
	for name, values := range in.Args {
		if kind := message.KindOf(name); kind != "" {
			args = append(args, message.Of(name, each(values, func(s string) string { return x.argument(kind, s) })...))
		}
	}
	return message.New(id(in.ID), args...)
}

func (x *eraser) argument(kind message.Kind, s string) string {
	switch kind {
	case message.Word:
		return id(s)
	case message.Count:
		if _, err := strconv.ParseUint(s, 10, 64); err == nil {
			return s
		}
	case message.Release:
		return x.r.version(s)
	case message.Protocol:
		return keep(protocols, s)
	case message.Exchange:
		return x.exchange(s)
	case message.Day:
		if day.MatchString(s) {
			return day.ReplaceAllString(day.FindString(s), "$1")
		}
	case message.Place:
		return x.r.place(s)
	case message.URL:
		if u, err := url.Parse(s); err == nil {
			return x.r.url(u)
		}
	case message.Host:
		return x.r.host(s)
	case message.Subject:
		return x.r.subject(s)
	case message.Process:
		return program(s)
	case message.Vantage:
		return x.r.vantage(s)
	case message.Path, message.Trouble, message.Quote:
		return x.text(s)
	}
	return gone
}

func optional[T any](in *T, f func(T) T) *T {
	if in == nil {
		return nil
	}
	out := f(*in)
	return &out
}

func each[T any](in []T, f func(T) T) []T {
	if in == nil {
		return nil
	}
	out := make([]T, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}

func (r *Redactor) url(u *url.URL) string {
	out := url.URL{Scheme: u.Scheme, Path: r.base(u.Path)}
	out.Host = hostPort(r.host(u.Hostname()), u.Port())
	return out.String()
}

func hostPort(host, port string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" {
		host += ":" + port
	}
	return host
}

// input is what a user could have written for a redacted address, of which given
// was written.
func (r *Redactor) input(a event.Address, given string) string {
	host := cmp.Or(a.Name, a.IP)
	if host == "" {
		return "n-" + r.token("name", given, 12) + ".invalid"
	}
	port := ""
	if a.Port != 0 {
		port = strconv.Itoa(a.Port)
	}
	return hostPort(host, port)
}

var line = regexp.MustCompile(`:[0-9]+$`)

// source keeps the line, not the name of the file or of the gateway beside it.
func source(s string) string {
	n := line.FindString(s)
	switch {
	case s == "" || s == "args" || s == "local" || s == "files" || slices.Contains(event.Finders(), event.Finder(s)) || s == "stdin"+n:
		return s
	case strings.HasPrefix(s, "beside "):
		return "beside" + n
	case n != "":
		return "list" + n
	}
	return gone
}

// product is the name that the gateway gives itself.
const product = "openclaw-gateway"

// subject keeps the one name that the product itself puts into certificates.
func (r *Redactor) subject(s string) string {
	if s == "" || s == "CN="+product {
		return s
	}
	return "CN=n-" + r.token("name", s, 12) + ".invalid"
}

// facts keeps what a fingerprint knows, and takes out what the operator chose.
func (r *Redactor) facts(in map[string]string) map[string]string {
	if in == nil {
		return nil
	}
	out := map[string]string{}
	for k, v := range in {
		v = r.known(k, v)
		switch k {
		case "title", "keys", "event", "error.type", "error.message", "server", "www-authenticate", "body":
			if digest, ok := strings.CutPrefix(v, "digest:"); ok {
				v = "digest:" + r.token(k, digest, 12)
			}
			out[k] = v
		case "location":
			out[k] = v
			if u, err := url.Parse(v); err == nil && u.Host != "" {
				u.Host = hostPort(r.host(u.Hostname()), u.Port())
				out[k] = u.String()
			}
		default:
			out["other"] = gone
		}
	}
	return out
}

// eraser replaces in free text what is known to identify a target.
type eraser struct {
	r     *Redactor
	known *strings.Replacer
	// Words of the certificate and the like, in any case; nil for none.
	words   *regexp.Regexp
	domains []string // registrable ones; what lies below them is the target's as well
}

// eraser knows all that names the target.
func (r *Redactor) eraser(t *event.Target, u *url.URL) *eraser {
	x := &eraser{r: r}
	var hosts []string
	add := func(h string) {
		if h == "" || h == "localhost" || slices.Contains(hosts, h) {
			return
		}
		hosts = append(hosts, h)
		if _, err := netip.ParseAddr(h); err == nil {
			return
		}
		if d, err := publicsuffix.EffectiveTLDPlusOne(strings.ToLower(strings.Trim(h, ".*"))); err == nil && !slices.Contains(x.domains, d) {
			x.domains = append(x.domains, d)
		}
	}
	add(t.Target.Name)
	add(t.Target.IP)
	add(u.Hostname())
	var words []string
	word := func(w string) {
		if w = strings.TrimSpace(w); len(w) > 2 && w != product && w != "localhost" {
			words = append(words, regexp.QuoteMeta(w))
		}
	}
	word(r.contact)
	if program(t.Target.Process) == gone {
		word(t.Target.Process)
	}
	if t.TLS != nil {
		for _, n := range t.TLS.Names {
			add(n)
		}
		for _, s := range []string{t.TLS.Subject, t.TLS.Issuer} {
			if s != "" && s != r.subject(s) {
				word(s)
			}
			for _, w := range parts(s) {
				word(w)
			}
		}
	}
	// Longer ones first: one may be part of another.
	longer := func(a, b string) int { return len(b) - len(a) }
	slices.SortFunc(hosts, longer)
	slices.SortFunc(words, longer)
	if len(words) > 0 {
		x.words = regexp.MustCompile(`(?i)` + strings.Join(words, "|"))
	}
	var pairs []string
	for _, h := range hosts {
		port := ":" + strconv.Itoa(t.Target.Port)
		pairs = append(pairs, hostPort(h, "")+port, hostPort(r.host(h), "")+port, h, r.host(h))
	}
	if base := strings.TrimRight(u.Path, "/"); base != "" {
		pairs = append(pairs, base, strings.TrimRight(r.base(base), "/"))
	}
	x.known = strings.NewReplacer(pairs...)
	return x
}

// parts returns the values of a distinguished name (RFC 2253).
func parts(name string) []string {
	var out []string
	for {
		_, value, ok := strings.Cut(name, "=")
		if !ok {
			return out
		}
		var b strings.Builder
		i := 0
		for ; i < len(value) && value[i] != ',' && value[i] != '+'; i++ {
			if value[i] == '\\' && i+1 < len(value) {
				i++
			}
			b.WriteByte(value[i])
		}
		out = append(out, b.String())
		name = value[i:]
	}
}

var (
	ipv4 = regexp.MustCompile(`\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b`)
	ipv6 = regexp.MustCompile(`[0-9a-fA-F]{0,4}:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*`)
	mail = regexp.MustCompile(`[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}`)
	host = regexp.MustCompile(`[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+`)
)

// text replaces what names the target, and what looks like an address.
func (x *eraser) text(s string) string {
	s = x.known.Replace(s)
	address := func(m string) string {
		a, err := netip.ParseAddr(m)
		if err != nil || documentation.Contains(a) {
			return m
		}
		return x.r.addr(a).String()
	}
	s = ipv4.ReplaceAllStringFunc(s, address)
	s = ipv6.ReplaceAllStringFunc(s, func(m string) string {
		// A full stop or colon may end the sentence.
		text := strings.TrimRight(m, ".")
		if _, err := netip.ParseAddr(text); err != nil {
			text = strings.TrimRight(m, ".:")
		}
		return address(text) + m[len(text):]
	})
	s = mail.ReplaceAllStringFunc(s, func(m string) string { return "m-" + x.r.token("mail", m, 12) + "@n.invalid" })
	s = host.ReplaceAllStringFunc(s, func(m string) string {
		plain := strings.ToLower(m)
		for _, d := range x.domains {
			if plain == d || strings.HasSuffix(plain, "."+d) {
				return x.r.name(m)
			}
		}
		return m
	})
	if x.words == nil {
		return s
	}
	// Words that stand by themselves.
	inWord := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	var b strings.Builder
	at := 0
	for _, m := range x.words.FindAllStringIndex(s, -1) {
		left, _ := utf8.DecodeLastRuneInString(s[:m[0]])
		right, _ := utf8.DecodeRuneInString(s[m[1]:])
		if inWord(left) || inWord(right) {
			continue
		}
		b.WriteString(s[at:m[0]])
		b.WriteString("w-" + x.r.token("word", strings.ToLower(s[m[0]:m[1]]), 12))
		at = m[1]
	}
	b.WriteString(s[at:])
	return b.String()
}

// documentation is what addr gives: replaced already.
var documentation = netip.MustParsePrefix("2001:db8::/32")
