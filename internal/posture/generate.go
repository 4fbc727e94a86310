package posture

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/release"
	"github.com/clawsonar/clawsonar/internal/target"
)

// maxGenerated is the most endpoints that a generated posture has.
const maxGenerated = 5000

// Generator makes a posture out of a scan or an inspection, for a person to edit: it
// states what was seen.
type Generator struct {
	Vantage string // "" is derived from the addresses
	Reason  string // of every accepted finding; "" is Unstated

	endpoints []*draft
	hosts     []string
	reaches   map[event.Reach]bool
	more      int
}

// draft is an endpoint to be written.
type draft struct {
	target, comment string
	verdicts        []string
	tls             bool
	oldest          string
	surfaces        []string
	findings        []string
}

// Event takes one event of a stream.
func (g *Generator) Event(e event.Event) {
	switch e := e.(type) {
	case *event.Target:
		if e.Target.Kind == event.TargetFiles {
			g.files(e)
		} else {
			g.target(e)
		}
	case *event.Summary:
		if e.Unlisted != nil {
			for _, p := range e.Unlisted.Targets {
				g.host(p.Place)
			}
		}
	}
}

// host adds a host whose ports were tried.
func (g *Generator) host(s string) {
	spec, err := target.Parse(s, "", nil)
	if err == nil && !spec.Exact && spec.First == spec.Last && !slices.Contains(g.hosts, s) && len(g.hosts) < maxGenerated {
		g.hosts = append(g.hosts, s)
	}
}

func (g *Generator) target(t *event.Target) {
	if g.reaches == nil {
		g.reaches = map[event.Reach]bool{}
	}
	a := t.Target
	g.reaches[a.Reach] = true
	how := reach(t.Outcome)
	if a.Member == event.OfHost {
		g.host(a.Input)
	}
	// A port of a host, or an address of a range, is an endpoint only if it is open.
	if (a.Member == event.OfHost || a.Member == event.OfRange) && how != reached {
		return
	}
	d := g.draft(named(a))
	if d == nil {
		return
	}
	is := seen(t)
	switch {
	case is == "":
		d.comment = "it could not be told what it asks: " + t.Why()
		is = ""
	case is == string(event.OutcomeClosed) && t.Target.Member == event.OfName && len(d.verdicts) > 0:
		is = "" // another address of the name answers
	}
	if is != "" && !slices.Contains(d.verdicts, is) {
		d.verdicts = append(d.verdicts, is)
	}
	if t.TLS != nil && t.TLS.Enabled {
		d.tls = true
	}
	if v := t.Version; v != nil && t.Outcome == event.OutcomeIdentified {
		oldest := v.Exact
		if oldest == "" && len(v.Candidates) > 0 {
			oldest = v.Candidates[0]
		}
		if r, err := release.Parse(oldest); err == nil {
			if had, err := release.Parse(d.oldest); err != nil || r.Compare(had) < 0 {
				d.oldest = oldest
			}
		}
	}
	for _, s := range t.Surfaces {
		d.surfaces = add(d.surfaces, s.ID)
	}
	for i := range t.Findings {
		if f := &t.Findings[i]; f.Change != event.Closed && f.Severity != event.Info && f.ID != Breach {
			d.findings = add(d.findings, f.ID)
		}
	}
}

// files adds the ways that files of a deployment declare.
func (g *Generator) files(t *event.Target) {
	if t.Files == nil {
		return
	}
	for _, w := range t.Files.Ways {
		g.seenFrom(w.Reach)
		port := w.Port
		if port == 0 {
			if port = t.Files.Port; port == 0 || w.Through != "" {
				continue
			}
		}
		host := Unstated
		switch {
		case len(w.Names) > 0:
			host = w.Names[0]
		case w.Reach == event.FilesLoopback || w.Reach == event.FilesHostLoopback:
			host = "127.0.0.1"
		}
		d := g.draft(host + ":" + strconv.Itoa(port))
		if d == nil {
			continue
		}
		d.comment = "by the files its reach is " + string(w.Reach)
		if is := string(w.Auth); slices.Contains(Verdicts(), is) {
			d.verdicts = add(d.verdicts, is)
		}
	}
}

// seenFrom takes a way of the files for the place that it is open to.
func (g *Generator) seenFrom(r event.FilesReach) {
	if g.reaches == nil {
		g.reaches = map[event.Reach]bool{}
	}
	switch {
	case r == event.FilesInternet:
		g.reaches[event.ReachPublic] = true
	case r.Rank() >= event.FilesTailnet.Rank():
		g.reaches[event.ReachPrivate] = true
	}
}

func add(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// named is a target as a posture names it.
func named(a event.Address) string {
	if spec, err := target.Parse(a.Input, "", nil); err == nil && spec.Exact {
		return a.Input
	}
	place := a.Place()
	if strings.Contains(place, "/") {
		return a.URL
	}
	return place
}

// draft returns the endpoint of that name, a new one if there is none; nil if there
// are too many, or if it names no endpoint.
func (g *Generator) draft(name string) *draft {
	for _, d := range g.endpoints {
		if d.target == name {
			return d
		}
	}
	if spec, err := target.Parse(name, "", nil); err != nil || !spec.Exact || len(g.endpoints) == maxGenerated {
		g.more++
		return nil
	}
	d := &draft{target: name}
	g.endpoints = append(g.endpoints, d)
	return d
}

// vantage is the word for where the run stood.
func (g *Generator) vantage() string {
	switch {
	case g.Vantage != "":
		return g.Vantage
	case g.reaches[event.ReachPublic]:
		return "outside"
	case g.reaches[event.ReachPrivate] || g.reaches[event.ReachShared] || g.reaches[event.ReachLinkLocal]:
		return "lan"
	}
	return "loopback"
}

// Write returns the posture; an error says that there is nothing to state.
func (g *Generator) Write() ([]byte, error) {
	if len(g.endpoints)+len(g.hosts) == 0 {
		return nil, fmt.Errorf("nothing to state: no target was seen")
	}
	// A scan has its targets in no order.
	slices.SortFunc(g.endpoints, func(a, b *draft) int { return strings.Compare(a.target, b.target) })
	slices.Sort(g.hosts)
	var b bytes.Buffer
	b.WriteString("# What was seen. State what is meant, and a reason for each accepted finding.\n")
	fmt.Fprintf(&b, "version: %d\nvantage: %s\n", Version, g.vantage())
	if len(g.endpoints) > 0 {
		b.WriteString("endpoints:\n")
	}
	for _, d := range g.endpoints {
		if d.comment != "" {
			fmt.Fprintf(&b, "  # %s\n", d.comment)
		}
		verdicts := d.verdicts
		if len(verdicts) == 0 {
			verdicts = event.Words(event.AuthRequired, event.AuthGated)
		}
		fmt.Fprintf(&b, "  - target: %s\n    from: {%s: [%s]}\n", quoted(d.target), g.vantage(), strings.Join(verdicts, ", "))
		if d.tls {
			b.WriteString("    tls: true\n")
		}
		if d.oldest != "" {
			fmt.Fprintf(&b, "    oldest: %s\n", d.oldest)
		}
		surfaces := slices.DeleteFunc(d.surfaces, func(s string) bool { return !surfaceForm.MatchString(s) })
		if len(surfaces) > 0 {
			fmt.Fprintf(&b, "    surfaces: [%s]\n", strings.Join(surfaces, ", "))
		}
		reason := g.Reason
		if reason == "" {
			reason = Unstated
		}
		for i, f := range d.findings {
			if i == 0 {
				b.WriteString("    accept:\n")
			}
			fmt.Fprintf(&b, "      - {finding: %s, reason: %s}\n", f, quoted(reason))
		}
	}
	if len(g.hosts) > 0 {
		b.WriteString("hosts: # all other ports are closed\n")
	}
	for _, h := range g.hosts {
		fmt.Fprintf(&b, "  - host: %s\n", quoted(h))
	}
	if g.more > 0 {
		fmt.Fprintf(&b, "# %d more targets are left out.\n", g.more)
	}
	return b.Bytes(), nil
}

// quoted is a text as YAML. The escapes of Go are some of YAML's.
func quoted(s string) string { return strconv.QuoteToGraphic(s) }
