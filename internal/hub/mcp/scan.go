package mcp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/target"
)

const (
	maxTargets = 16  // of one scan
	maxTarget  = 300 // bytes of one
	maxResults = 50  // places that are described
)

type scanArgs struct {
	Targets []string `json:"targets" jsonschema:"what to look at: host names, addresses, host:port or http(s) URLs, each one by itself; no blocks, ranges, files or flags. Of a host without a port the ports of known gateways and proxies are tried."`
	Level   string   `json:"level,omitempty" jsonschema:"passive: read-only requests only; standard (the default): and the one harmless POST that settles whether authentication is on"`
}

// scanned is the result of a scan. JSON objects of the protocol have their keys in
// alphabetical order, so that judged is the first thing read.
type scanned struct {
	Judged    int         `json:"judged" jsonschema:"places of which it could be told what they are and whether they let clients in without a credential; 0: nothing is known"`
	NotJudged []notJudged `json:"not_judged" jsonschema:"places of which it could not be told: neither safe nor unsafe"`
	Unnamed   int         `json:"not_judged_more,omitempty" jsonschema:"further ones, which are not named: name fewer targets at a time to see them"`
	Notes     []string    `json:"notes"`
	Results   []result    `json:"results" jsonschema:"worst first"`
}

type notJudged struct {
	Place string `json:"place"`
	Why   string `json:"why" jsonschema:"what became of it: closed, silent, excluded (outside the scope, not contacted), unknown and so on"`
}

func (s *Server) addScan(x *sdk.Server) {
	schema, err := jsonschema.For[scanArgs](nil)
	if err != nil {
		panic(err) // of a type of our own
	}
	list, level := schema.Properties["targets"], schema.Properties["level"]
	list.Types, list.Type = nil, "array"
	list.MinItems, list.MaxItems = new(1), new(maxTargets)
	list.Items.MinLength, list.Items.MaxLength = new(1), new(maxTarget)
	level.Enum = []any{event.LevelPassive, event.LevelStandard}
	sdk.AddTool(x, &sdk.Tool{
		Name: "scan", Title: "Look at gateways",
		Description: fmt.Sprintf("Look at up to %d named targets and tell of each what it is, whether it lets in clients without a credential, and what to fix. Sends no credential and changes nothing. Only targets within the scope that was fixed at the start are contacted. One scan runs at a time, for %d seconds at most.", maxTargets, int(s.limit.Seconds())),
		Annotations: looks("Look at gateways", true), InputSchema: schema,
	}, s.scan)
}

func (s *Server) scan(ctx context.Context, _ *sdk.CallToolRequest, in scanArgs) (*sdk.CallToolResult, scanned, error) {
	select {
	case s.busy <- struct{}{}:
		defer func() { <-s.busy }()
	default:
		return nil, scanned{}, errors.New("another scan is running: call again when it has ended")
	}
	out, err := s.look(ctx, in)
	if err != nil {
		return nil, scanned{}, err
	}
	return &sdk.CallToolResult{IsError: out.Judged == 0, Content: text(out.text())}, out, nil
}

// look scans.
func (s *Server) look(ctx context.Context, in scanArgs) (scanned, error) {
	o := s.settings
	o.ScopeFile, o.Level = "", cmp.Or(in.Level, string(event.LevelStandard))
	b := s.builder(&o)
	cfg, err := b.Prepare(ctx)
	if err != nil {
		return scanned{}, err
	}
	defer cfg.Space.Close()
	named, err := s.name(b, cfg, in.Targets)
	if err != nil {
		return scanned{}, err
	}
	b.Finish(cfg)
	cfg.ListAll = true
	cfg.Grace = 250 * time.Millisecond // a client that has gone does not wait
	c := collector{named: named}
	cfg.Emit = c.take
	limited, stop := context.WithTimeout(ctx, s.limit)
	defer stop()
	if _, err := scan.Run(limited, *cfg); err != nil {
		return scanned{}, err
	}
	if ctx.Err() != nil {
		return scanned{}, ctx.Err()
	}
	out := c.result()
	out.Notes = s.aged(out.Notes, cfg.Head.Data)
	return out, nil
}

// name adds the targets, each once, and returns them.
func (s *Server) name(b *audit.Builder, cfg *scan.Config, texts []string) (named []target.Spec, err error) {
	into, err := b.Into(cfg)
	if err != nil {
		return nil, err
	}
	for i, text := range texts {
		if slices.Contains(texts[:i], text) {
			continue
		}
		spec, err := one(text, into.Ports)
		if err != nil {
			return nil, err
		}
		if err := into.Put(spec); err != nil {
			return nil, fmt.Errorf("%w, which only the person who starts this server can do", err)
		}
		named = append(named, spec)
	}
	return named, nil
}

// one reads a target that is one host, with or without a port, or a URL.
func one(text string, ports []uint16) (target.Spec, error) {
	spec, err := target.Parse(text, audit.FromArgs, ports)
	if err != nil {
		return spec, err
	}
	if spec.Exact || spec.Name != "" {
		return spec, nil
	}
	if _, err := netip.ParseAddr(strings.Trim(text, "[]")); err != nil {
		return spec, fmt.Errorf("target %q: blocks and ranges are not scanned here: name up to %d hosts, each by itself", clean.N(text, 60), maxTargets)
	}
	return spec, nil
}

// collector makes a result of a stream in which every place has a line.
type collector struct {
	named    []target.Spec
	lines    []*event.Target
	complete bool
	notes    []string
}

func (c *collector) take(e event.Event) error {
	switch e := e.(type) {
	case *event.Target:
		c.lines = append(c.lines, e)
	case *event.Summary:
		c.complete, c.notes = e.Complete, ofOurs(e.Noted)
	}
	return nil
}

func (c *collector) result() scanned {
	out := scanned{NotJudged: []notJudged{}, Notes: c.notes, Results: []result{}}
	if !c.complete {
		out.note("The scan was stopped before it was done: not all was looked at.")
	}
	for _, t := range c.named {
		if why := c.missing(t); why != "" {
			out.notJudged(t.Input, why)
		}
	}
	slices.SortStableFunc(c.lines, func(a, b *event.Target) int { return worst(b) - worst(a) })
	loopback, more := false, 0
	for _, t := range c.lines {
		loopback = loopback || t.Target.Reach == event.ReachLoopback
		switch {
		case !t.Judged():
			out.notJudged(t.Target.Place(), t.Why())
		case answered(t):
			out.Judged++
		}
		switch {
		case !answered(t):
		case len(out.Results) < maxResults:
			out.Results = append(out.Results, describe(t))
		default:
			more++
		}
	}
	if more > 0 {
		out.note("%d more places are not described here: scan fewer targets at a time.", more)
	}
	if loopback {
		out.note("Seen over loopback: this does not show what strangers see. Ask the owner for a scan from another machine.")
	}
	return out
}

// missing says why there is no answer of a target that was named, or of one of its
// addresses, and no line that says so by itself; "" if there is. Lines of the ports tried
// of a host say that only together.
func (c *collector) missing(t target.Spec) string {
	why := event.OutcomeInterrupted
	heard := false
	for _, l := range c.lines {
		switch {
		case !c.of(l, t):
		case l.Target.Member != "" && l.Outcome == event.OutcomeExcluded:
			return string(event.OutcomeExcluded) // whatever else answers: this was not looked at
		case answered(l) || !l.Judged():
			heard = true
		case why != event.OutcomeSilent:
			why = l.Outcome // closed or silent
		}
	}
	if heard {
		return ""
	}
	return string(why)
}

// of reports whether a line is of a target that was named. One that was named in two ways
// has one line.
func (c *collector) of(l *event.Target, t target.Spec) bool {
	if l.Target.Input == t.Input || !c.complete {
		return l.Target.Input == t.Input
	}
	host := l.Target.IP == t.First.String()
	if t.Name != "" {
		host = l.Target.Name == t.Name
	}
	return host && slices.Contains(t.Ports, uint16(l.Target.Port))
}

// maxNotJudged is how many places are named that are not judged.
const maxNotJudged = 100

func (out *scanned) notJudged(place, why string) {
	n := notJudged{clean.N(place, maxTarget), why}
	switch {
	case slices.Contains(out.NotJudged, n):
	case len(out.NotJudged) < maxNotJudged:
		out.NotJudged = append(out.NotJudged, n)
	default:
		out.Unnamed++
	}
}

func (out *scanned) note(format string, args ...any) {
	out.Notes = append(out.Notes, fmt.Sprintf(format, args...))
}

// answered reports whether there was an answer to describe.
func answered(t *event.Target) bool {
	switch t.Outcome {
	case event.OutcomeIdentified, event.OutcomeHelper, event.OutcomeOther:
		return true
	}
	return false
}

// worst ranks a line by its worst finding.
func worst(t *event.Target) int {
	rank := 0
	for i := range t.Findings {
		rank = max(rank, t.Findings[i].Severity.Rank())
	}
	return rank
}

// text says a result in a few lines, and nothing that a target has said.
func (out *scanned) text() string {
	var b strings.Builder
	if out.Judged == 0 {
		b.WriteString("NOTHING COULD BE JUDGED. This does not say that anything is safe.\n")
	} else {
		fmt.Fprintf(&b, "Judged: %d. Not judged: %d.\n", out.Judged, len(out.NotJudged)+out.Unnamed)
	}
	for _, n := range out.NotJudged {
		fmt.Fprintf(&b, "Not judged, so neither safe nor unsafe: %s (%s)\n", n.Place, n.Why)
	}
	if out.Unnamed > 0 {
		fmt.Fprintf(&b, "%d more are not judged and not named here.\n", out.Unnamed)
	}
	for _, r := range out.Results {
		b.WriteString(r.text())
	}
	for _, n := range out.Notes {
		fmt.Fprintln(&b, n)
	}
	return strings.TrimRight(b.String(), "\n")
}
