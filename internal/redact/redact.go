// Package redact takes out of a result stream what tells whose gateways they
// are, so that it can be shared. What is put in its place is a pseudonym: the
// same for the same thing, wherever the same key is used, and of no use to whom
// the key is not known to.
package redact

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
)

// MinKey is the least number of bytes of a key.
const MinKey = 16

// Redactor replaces addresses, names, base paths, certificates and free text of
// a target. Loopback addresses stay, and so do ports.
type Redactor struct{ key []byte }

// New returns a redactor for a key, which must be kept secret: addresses are so
// few that whoever has it can try them all.
func New(key []byte) (*Redactor, error) {
	if len(key) < MinKey {
		return nil, fmt.Errorf("a key of %d bytes is too short: use %d or more, such as the output of \"openssl rand -hex 32\"", len(key), MinKey)
	}
	return &Redactor{slices.Clone(key)}, nil
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
func (r *Redactor) Event(e event.Event) event.Event {
	switch {
	case e.Scan != nil:
		s := *e.Scan
		if s.Authorization.Contact != "" {
			s.Authorization.Contact = "redacted"
		}
		s.Config = r.again("config", s.Config) // small scans could be guessed from it
		return event.Event{Scan: &s}
	case e.Target != nil:
		return event.Event{Target: r.target(e.Target)}
	case e.Summary != nil:
		s := *e.Summary
		s.Notes = nil // they are about the operator's own files
		return event.Event{Summary: &s}
	}
	return e
}

// eraser replaces in free text what is known to identify a target.
type eraser struct {
	r     *Redactor
	known *strings.Replacer
}

func (r *Redactor) target(in *event.Target) *event.Target {
	t := *in
	u, err := url.Parse(t.Target.URL)
	if err != nil {
		u = &url.URL{}
	}
	x := r.eraser(in, u)

	t.Target.Name = r.name(t.Target.Name)
	if t.Target.IP != "" {
		t.Target.IP = r.host(t.Target.IP)
	}
	if t.Target.URL != "" {
		t.Target.URL = r.url(u)
	}
	if t.Target.Bound != "" {
		if b, err := netip.ParseAddrPort(t.Target.Bound); err == nil {
			t.Target.Bound = netip.AddrPortFrom(r.addr(b.Addr()), b.Port()).String()
		} else {
			t.Target.Bound = x.text(t.Target.Bound)
		}
	}
	t.Target.Input = r.input(t.Target)
	t.Target.Source = source(t.Target.Source)
	t.Target.Process = x.text(t.Target.Process)

	if t.TLS != nil {
		c := *t.TLS
		c.Subject, c.Issuer = r.subject(c.Subject), r.subject(c.Issuer)
		c.Names = each(c.Names, r.host)
		c.SHA256 = r.again("certificate", c.SHA256)
		c.VerifyError = x.text(c.VerifyError)
		t.TLS = &c
	}
	t.Surfaces = each(t.Surfaces, func(s event.Surface) event.Surface { s.Path = x.text(s.Path); return s })
	t.Findings = each(t.Findings, func(f event.Finding) event.Finding {
		f.Key = r.again("key", f.Key)
		f.Detail = x.text(f.Detail)
		// The reason that follows is the operator's own words.
		f.Suppressed, _, _ = strings.Cut(f.Suppressed, ":")
		return f
	})
	t.Advisories = each(t.Advisories, func(a event.Advisory) event.Advisory {
		a.Suppressed, _, _ = strings.Cut(a.Suppressed, ":")
		return a
	})
	t.Evidence = each(t.Evidence, func(e event.Evidence) event.Evidence {
		e.Request, e.Error = x.text(e.Request), x.text(e.Error)
		e.SHA256 = r.again("body", e.SHA256)
		e.Facts = r.facts(e.Facts, x)
		return e
	})
	t.Notes = each(t.Notes, x.text)
	t.Error = x.text(t.Error)
	return &t
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

// input is what a user could have written for a redacted address.
func (r *Redactor) input(a event.Address) string {
	host := a.Name
	if host == "" {
		host = a.IP
	}
	if host == "" {
		return "n-" + r.token("name", a.Input, 12) + ".invalid"
	}
	port := ""
	if a.Port != 0 {
		port = strconv.Itoa(a.Port)
	}
	return hostPort(host, port)
}

var line = regexp.MustCompile(`:[0-9]+$`)

// source keeps the line, not the name of the file.
func source(s string) string {
	if n := line.FindString(s); n != "" && !strings.HasPrefix(s, "stdin:") {
		return "list" + n
	}
	return s
}

// subject keeps the one name that the product itself puts into certificates.
func (r *Redactor) subject(s string) string {
	if s == "" || s == "CN=openclaw-gateway" {
		return s
	}
	return "CN=n-" + r.token("name", s, 12) + ".invalid"
}

// facts keeps what the product says and takes out what the operator chose.
func (r *Redactor) facts(in map[string]string, x *eraser) map[string]string {
	if in == nil {
		return nil
	}
	out := map[string]string{}
	for k, v := range in {
		switch k {
		case "keys", "event", "error.type", "error.message", "server":
			out[k] = x.text(v)
		case "title":
			if !productTitle.MatchString(v) {
				v = "t-" + r.token("title", v, 12)
			}
			out[k] = v
		case "www-authenticate":
			out[k], _, _ = strings.Cut(v, " ")
		default:
			out[k] = "redacted"
		}
	}
	return out
}

var productTitle = regexp.MustCompile(`^(OpenClaw|Clawdbot|Moltbot)( Control)?$`)

// eraser knows all that names the target.
func (r *Redactor) eraser(t *event.Target, u *url.URL) *eraser {
	var hosts []string
	add := func(h string) {
		if h != "" && h != "localhost" && !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	add(t.Target.Name)
	add(t.Target.IP)
	add(u.Hostname())
	if t.TLS != nil {
		for _, n := range t.TLS.Names {
			add(n)
		}
	}
	// Longer ones first: one may be part of another.
	slices.SortFunc(hosts, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, h := range hosts {
		port := ":" + strconv.Itoa(t.Target.Port)
		pairs = append(pairs, hostPort(h, "")+port, hostPort(r.host(h), "")+port, h, r.host(h))
	}
	if t.TLS != nil {
		for _, s := range []string{t.TLS.Subject, t.TLS.Issuer} {
			if s != "" && s != r.subject(s) {
				pairs = append(pairs, s, r.subject(s))
			}
		}
	}
	if base := strings.TrimRight(u.Path, "/"); base != "" {
		pairs = append(pairs, base, strings.TrimRight(r.base(base), "/"))
	}
	return &eraser{r, strings.NewReplacer(pairs...)}
}

var (
	ipv4 = regexp.MustCompile(`\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b`)
	ipv6 = regexp.MustCompile(`[0-9a-fA-F]{0,4}:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*`)
	mail = regexp.MustCompile(`[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}`)
)

// text replaces what names the target, and whatever looks like an address.
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
	return mail.ReplaceAllStringFunc(s, func(m string) string { return "m-" + x.r.token("mail", m, 12) + "@n.invalid" })
}

// documentation is what addr gives: replaced already.
var documentation = netip.MustParsePrefix("2001:db8::/32")
