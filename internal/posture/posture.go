// Package posture reads what an operator declares of endpoints, and compares it with
// what a scan saw and with what files of the deployment say. What is not declared
// does not pass, and what could not be judged is never as declared.
package posture

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/release"
	"github.com/clawsonar/clawsonar/internal/strict"
	"github.com/clawsonar/clawsonar/internal/suggest"
	"github.com/clawsonar/clawsonar/internal/target"
)

// Version is the version of the format of a posture.
const Version = 1

// Breach is the id of the finding about a target that is not as declared.
const Breach = "not-as-declared"

// Unstated is the reason that is none: the place for one in a posture that was
// generated. Load refuses it.
const Unstated = "TODO"

// Posture is a posture file.
type Posture struct {
	Version   int         `yaml:"version"`
	Vantage   string      `yaml:"vantage"`
	Endpoints []*Endpoint `yaml:"endpoints"`
	Hosts     []*Host     `yaml:"hosts"`

	file string
	data []byte
}

// Endpoint is what is declared of one endpoint.
type Endpoint struct {
	Target string `yaml:"target"` // host:port or URL
	// From lists the verdicts that are meant, by vantage: see Verdicts.
	From     map[string][]string `yaml:"from"`
	TLS      bool                `yaml:"tls"`    // it must be in use
	Oldest   string              `yaml:"oldest"` // release that is acceptable; "" for any
	Surfaces []string            `yaml:"surfaces"`
	Accept   []*Accepted         `yaml:"accept"`

	line   int
	spec   target.Spec
	oldest release.Version
}

// Host is a host of which all ports that are tried and are no endpoints must be closed.
type Host struct {
	Host      string `yaml:"host"`
	AlsoPorts string `yaml:"also_ports"` // tried besides the usual ones: "22,8000-8100"

	line int
	spec target.Spec
	also []uint16
}

// Accepted is a finding that the operator lives with.
type Accepted struct {
	Finding string `yaml:"finding"` // id of the check
	Reason  string `yaml:"reason"`
	Until   string `yaml:"until"` // the last day, 2026-12-31; "" for no end

	line  int
	until time.Time // the first moment at which it no longer counts; zero: none
}

// Verdicts are the words of Endpoint.From: states of authentication, other for
// something that is no gateway, closed for what cannot be reached.
func Verdicts() []string {
	return slices.Concat(
		event.Words(event.AuthRequired, event.AuthGated),
		event.Words(event.OutcomeOther, event.OutcomeClosed),
		event.Words(event.AuthOpen, event.AuthClaimable),
	)
}

var (
	vantageForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
	surfaceForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
)

// Load reads a posture. checks are the ids of findings that there are. An error
// begins with file and line.
func Load(file string, data []byte, checks []string) (*Posture, error) {
	p := &Posture{file: file, data: data}
	if err := strict.YAML(file, data, p); err != nil {
		return nil, err
	}
	switch {
	case p.Version == 0:
		return nil, p.at(fmt.Errorf("version is missing: write version: %d", Version))
	case p.Version != Version:
		return nil, p.at(fmt.Errorf("version %d is not known: this program reads %d", p.Version, Version), "version")
	case p.Vantage != "" && !vantageForm.MatchString(p.Vantage):
		return nil, p.at(badVantage(p.Vantage), "vantage")
	case len(p.Endpoints)+len(p.Hosts) == 0:
		return nil, p.at(errors.New("nothing is declared: list endpoints, or hosts"))
	}
	seen := map[string]string{}
	once := func(s target.Spec) error {
		key := place(s)
		if before, ok := seen[key]; ok {
			return fmt.Errorf("%s is declared twice: first at %s", s.Input, before)
		}
		seen[key] = s.Source
		return nil
	}
	for i, e := range p.Endpoints {
		if e == nil {
			e = new(Endpoint)
			p.Endpoints[i] = e
		}
		path, err := e.complete(p.source(e.line), checks)
		if err == nil {
			path, err = []any{"target"}, once(e.spec)
		}
		if err != nil {
			return nil, p.at(err, append([]any{"endpoints", i}, path...)...)
		}
	}
	for i, h := range p.Hosts {
		if h == nil {
			h = new(Host)
			p.Hosts[i] = h
		}
		key, err := h.complete(p.source(h.line))
		if err == nil {
			key, err = "host", once(h.spec)
		}
		if err != nil {
			return nil, p.at(err, "hosts", i, key)
		}
	}
	return p, nil
}

func (p *Posture) at(err error, path ...any) error { return strict.At(p.file, p.data, err, path...) }

// source is what is declared on a line, as FILE:LINE.
func (p *Posture) source(line int) string { return fmt.Sprintf("%s:%d", p.file, line) }

func badVantage(s string) error {
	return fmt.Errorf("vantage %.40q: use a word such as loopback, lan or outside, of a-z, 0-9 and -", s)
}

// place tells targets apart.
func place(s target.Spec) string {
	port := ""
	if len(s.Ports) == 1 {
		port = fmt.Sprint(s.Ports[0])
	}
	return hostOf(s) + " " + port + " " + s.Base
}

// hostOf is the host as the posture names it: an address or a name.
func hostOf(s target.Spec) string {
	if s.First.IsValid() {
		return s.First.String()
	}
	return s.Name
}

// UnmarshalYAML reads an endpoint, and remembers where it is.
func (e *Endpoint) UnmarshalYAML(n *yaml.Node) error {
	e.line = n.Line
	type plain Endpoint
	return entry(n, (*plain)(e))
}

// UnmarshalYAML reads a host, and remembers where it is.
func (h *Host) UnmarshalYAML(n *yaml.Node) error {
	h.line = n.Line
	type plain Host
	return entry(n, (*plain)(h))
}

// UnmarshalYAML reads an acceptance, and remembers where it is.
func (a *Accepted) UnmarshalYAML(n *yaml.Node) error {
	a.line = n.Line
	type plain Accepted
	return entry(n, (*plain)(a))
}

// entry reads a mapping none of whose values is empty: what was left out must not
// count as said.
func entry(n *yaml.Node, into any) error {
	for i := 1; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
		if n.Content[i].Tag == "!!null" {
			return &strict.Error{Line: n.Content[i].Line, Err: fmt.Errorf("%s is empty", n.Content[i-1].Value)}
		}
	}
	return strict.Node(n, into)
}

// complete derives from the texts what they say; an error is about what the path
// leads to.
func (e *Endpoint) complete(source string, checks []string) (path []any, err error) {
	if e.Target == "" {
		return nil, errors.New("target is missing: an endpoint has target and from")
	}
	if e.spec, err = target.Parse(e.Target, source, nil); err != nil {
		return []any{"target"}, err
	}
	if strings.EqualFold(hostOf(e.spec), Unstated) {
		return []any{"target"}, fmt.Errorf("the host is still %s: name the host that port %d is on", Unstated, e.spec.Ports[0])
	}
	if !e.spec.Exact || e.spec.First != e.spec.Last {
		return []any{"target"}, fmt.Errorf("target %q is not one port of one host: write host:port or a URL, and list hosts under hosts", e.Target)
	}
	if len(e.From) == 0 {
		return nil, errors.New("from is missing: state what is meant, as in from: {outside: [required]}")
	}
	for vantage, words := range e.From {
		path := []any{"from", vantage}
		if !vantageForm.MatchString(vantage) {
			return path, badVantage(vantage)
		}
		if len(words) == 0 {
			return path, fmt.Errorf("%s states nothing: use some of %s", vantage, strings.Join(Verdicts(), ", "))
		}
		for i, w := range words {
			if !slices.Contains(Verdicts(), w) {
				return append(path, i), fmt.Errorf("unknown verdict %.40q%s: use some of %s", w, suggest.DidYouMean(w, Verdicts()), strings.Join(Verdicts(), ", "))
			}
		}
	}
	if e.Oldest != "" {
		if e.oldest, err = release.Parse(e.Oldest); err != nil {
			return []any{"oldest"}, fmt.Errorf("oldest: %w", err)
		}
	}
	for i, s := range e.Surfaces {
		if !surfaceForm.MatchString(s) {
			return []any{"surfaces", i}, fmt.Errorf("%.40q is not the id of a surface", s)
		}
	}
	var seen []string
	for i, a := range e.Accept {
		if a == nil {
			a = new(Accepted)
		}
		key, err := a.complete(checks)
		if err == nil && slices.Contains(seen, a.Finding) {
			key, err = "finding", fmt.Errorf("%s is accepted twice", a.Finding)
		}
		if err != nil {
			return []any{"accept", i, key}, err
		}
		seen = append(seen, a.Finding)
	}
	return nil, nil
}

func (a *Accepted) complete(checks []string) (key string, err error) {
	a.Reason = strings.Join(strings.Fields(a.Reason), " ")
	switch {
	case a.Finding == "":
		return "finding", errors.New("finding is missing: an acceptance has finding and reason")
	case !slices.Contains(checks, a.Finding):
		return "finding", fmt.Errorf("unknown finding %.40q%s: see \"clawsonar explain\" for the list", a.Finding, suggest.DidYouMean(a.Finding, checks))
	case a.Reason == "":
		return "reason", errors.New("reason is missing: state why the finding is accepted")
	case strings.EqualFold(a.Reason, Unstated):
		return "reason", fmt.Errorf("the reason is still %s: state why %s is accepted, or remove the entry", Unstated, a.Finding)
	}
	if a.Until != "" {
		day, err := time.Parse(time.DateOnly, a.Until)
		if err != nil {
			return "until", fmt.Errorf("until: %.40q is no date: write it as 2026-12-31", a.Until)
		}
		a.until = day.AddDate(0, 0, 1)
	}
	return "", nil
}

func (h *Host) complete(source string) (key string, err error) {
	if h.Host == "" {
		return "host", errors.New("host is missing")
	}
	if h.spec, err = target.Parse(h.Host, source, nil); err != nil {
		return "host", err
	}
	if h.spec.Exact || h.spec.First != h.spec.Last {
		return "host", fmt.Errorf("host %q is not one host: write an address or a name without a port", h.Host)
	}
	if h.AlsoPorts != "" {
		if h.also, err = target.Ports(h.AlsoPorts); err != nil {
			return "also_ports", fmt.Errorf("also_ports: %w", err)
		}
	}
	return "", nil
}

// Stand sets the vantage of the run; "" leaves that of the file. Every endpoint must
// have a statement for it.
func (p *Posture) Stand(vantage string) error {
	if vantage != "" {
		if !vantageForm.MatchString(vantage) {
			return badVantage(vantage)
		}
		p.Vantage = vantage
	}
	if p.Vantage == "" {
		return p.at(errors.New("where this run stands is not stated: write vantage: outside, or use -vantage"))
	}
	for i, e := range p.Endpoints {
		if e.From[p.Vantage] == nil {
			var stated []string
			for v := range e.From {
				stated = append(stated, v)
			}
			slices.Sort(stated)
			return p.at(fmt.Errorf("%s has no statement for the vantage %s%s: it has %s", e.Target, p.Vantage, suggest.DidYouMean(p.Vantage, stated), strings.Join(stated, ", ")),
				"endpoints", i, "from")
		}
	}
	return nil
}

// Specs returns what is to be scanned. usual are the ports that are tried of a host;
// those of its endpoints are left to these.
func (p *Posture) Specs(usual []uint16) []target.Spec {
	var out []target.Spec
	taken := map[string][]uint16{}
	for _, e := range p.Endpoints {
		out = append(out, e.spec)
		host := hostOf(e.spec)
		taken[host] = append(taken[host], e.spec.Ports...)
	}
	for _, h := range p.Hosts {
		spec := h.spec
		spec.Part = event.OfHost
		for _, port := range slices.Concat(usual, h.also) {
			if !slices.Contains(taken[hostOf(spec)], port) && !slices.Contains(spec.Ports, port) {
				spec.Ports = append(spec.Ports, port)
			}
		}
		if len(spec.Ports) > 0 {
			out = append(out, spec)
		}
	}
	return out
}

// endpoint returns the endpoint that a target was named as, or that it is by its
// address.
func (p *Posture) endpoint(a event.Address) *Endpoint {
	ip, err := netip.ParseAddr(a.IP)
	for _, e := range p.Endpoints {
		if a.Source == e.spec.Source && a.Input == e.spec.Input {
			return e
		}
	}
	for _, e := range p.Endpoints {
		if err == nil && e.spec.First == ip && int(e.spec.Ports[0]) == a.Port {
			return e
		}
	}
	return nil
}

// host returns the host that a target was tried for.
func (p *Posture) host(a event.Address) *Host {
	for _, h := range p.Hosts {
		if a.Source == h.spec.Source && a.Input == h.spec.Input {
			return h
		}
	}
	return nil
}
