package web

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/hub/stream"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/report"
)

// The formats of the lists, in the order in which people see them.
func gatewayFormats() []string { return []string{"csv", "jsonl", "markdown", "sarif", "intelmq"} }
func changeFormats() []string {
	return []string{"csv", "json", "jsonl", "markdown", "sarif", "intelmq"}
}
func runFormats() []string { return []string{"csv", "jsonl", "markdown"} }

// known returns what is wrong with a format that a list does not have.
func (l *language) known(format string, formats []string) error {
	if slices.Contains(formats, format) {
		return nil
	}
	return badRequest(l.Say("There is no such format; there are: %s.", strings.Join(formats, ", ")))
}

// name is that of an exported file.
func (b *Board) name(what, format string) string {
	return "clawsonar-" + what + "-" + b.Now().UTC().Format("20060102-1504") + ending(format)
}

// exportGateways writes the last lines of the gateways as a stream of its own, in a
// format of the reports.
func (b *Board) exportGateways(w http.ResponseWriter, r *http.Request, l *language, format, query string, f store.Filter) error {
	if err := l.known(format, gatewayFormats()); err != nil {
		return err
	}
	return send(w, b.name("gateways", format), contentType(format), func(out io.Writer) error {
		if format == "intelmq" {
			return b.intelMQ(r.Context(), out, f)
		}
		sink, err := report.New(format, out, report.Options{Checks: b.Checks, Lang: l.code})
		if err != nil {
			return err
		}
		return b.feed(r.Context(), sink, query, f)
	})
}

// feed gives a sink the gateways of a filter as one stream. Its summary says that it is
// complete only if all gateways are in it, and every watch is configured, in time, and has
// judged all of its targets.
func (b *Board) feed(ctx context.Context, sink report.Sink, query string, f store.Filter) error {
	o, err := b.Data.Overview(ctx, b.Now())
	if err != nil {
		return err
	}
	scan := &event.Scan{Type: event.TypeScan, Schema: event.Schema, Tool: b.Tool, Started: b.Now().UTC(), Shard: "1/1"}
	whole := strings.TrimSpace(query) == "" && len(o.Watches) > 0
	var levels []string
	newest := time.Time{}
	for _, x := range b.watches(b.languages[message.English.Code], o.Watches, b.Now()) {
		whole = whole && len(x.Says) == 0
		if x.Last == nil {
			continue
		}
		if level := string(x.Last.Level); level != "" && !slices.Contains(levels, level) {
			levels = append(levels, level)
		}
		if x.Last.Started.After(newest) {
			newest, scan.Data = x.Last.Started, x.Last.Data
		}
	}
	slices.Sort(levels)
	scan.Level = event.Level(strings.Join(levels, "+"))
	if err := sink.Event(scan); err != nil {
		return err
	}
	sum := event.NewSummary()
	err = b.Data.EachGateway(ctx, f, func(g *store.Gateway, t *event.Target) error {
		if t.Outcome == "" { // there is no line of it, so that the export lacks it
			whole = false
			return nil
		}
		t = asOf(g, t)
		sum.Add(t)
		return sink.Event(t)
	})
	if err != nil {
		return err
	}
	sum.Finished, sum.Complete = scan.Started, whole
	sum.AddNotes(message.Say("board.lines"))
	if q := strings.TrimSpace(query); q != "" {
		sum.AddNotes(message.Say("board.query", message.Of("text", q)))
	}
	if err := sink.Event(sum); err != nil {
		return err
	}
	return sink.Flush()
}

// asOf is the line of a gateway as it counts now. One that no longer answers is listed
// as such, with its findings as not seen again: that is no proof that they are fixed. One
// of which the last look proved nothing is not known.
func asOf(g *store.Gateway, t *event.Target) *event.Target {
	state := event.AuthUnknown
	if t.Auth != nil {
		state = t.Auth.State
	}
	if g.Verdict == store.Verdict(state) {
		return t
	}
	out := *t
	said := message.Of("started", iso(g.Last))
	var note message.Text
	switch g.Verdict {
	case store.Gone, store.Other:
		note = message.Say("board.gone", said)
		if g.Verdict == store.Other {
			note = message.Say("board.other", said)
		}
		out.Outcome, out.Auth, out.Advisories = event.OutcomeAbsent, nil, nil
		out.Findings = slices.Clone(t.Findings)
		for i := range out.Findings {
			out.Findings[i].Change = event.Unseen
		}
		out.Changes = []event.Change{{What: event.ChangedTarget, Old: string(state)}}
	default:
		note = message.Say("board.unproven", said)
		out.Auth = &event.Auth{State: event.AuthState(g.Verdict), Because: []string{}}
	}
	out.Notes, out.Messages = slices.Clone(t.Notes), slices.Clone(t.Messages)
	out.AddNotes(note)
	return &out
}

// exportChanges writes all changes of a filter.
func (b *Board) exportChanges(w http.ResponseWriter, r *http.Request, l *language, format string, f store.ChangeFilter) error {
	if err := l.known(format, changeFormats()); err != nil {
		return err
	}
	return send(w, b.name("changes", format), contentType(format), func(out io.Writer) error {
		if format == "intelmq" {
			return b.intelMQChanges(r.Context(), out, f)
		}
		if format == "sarif" {
			sink, err := report.New(format, out, report.Options{Checks: b.Checks})
			if err != nil {
				return err
			}
			return b.feedChanges(r.Context(), sink, f)
		}
		s := newSheet(out, format, []string{
			"time", "kinds", "place", "verdict", "old_verdict", "old_verdict_since", "release", "old_release", "severity", "opened", "closed",
			"advisories", "owner", "contact", "network", "product", "watch", "vantage", "gateway", "run",
		})
		err := b.eachChange(r.Context(), f, func(c *store.Change) error {
			var kinds []string
			for _, k := range c.Kinds {
				kinds = append(kinds, string(k))
			}
			return s.row(c.At, kinds, c.Place, string(c.Verdict), string(c.OldVerdict), c.OldVerdictSince, c.Release, c.OldRelease, string(c.Severity), c.Opened, c.Closed,
				c.Advisories, c.Owner, c.Contact, c.Network, c.Product, c.Watch, c.Vantage, c.Gateway.String(), c.Run.String())
		})
		if err != nil {
			return err
		}
		return s.end()
	})
}

// feedChanges gives a sink the findings that came and went as a comparison, one target a
// change.
func (b *Board) feedChanges(ctx context.Context, sink report.Sink, f store.ChangeFilter) error {
	f.Episodes = true
	scan := &event.Scan{
		Type: event.TypeScan, Schema: event.Schema, Tool: b.Tool, Started: b.Now().UTC(), Shard: "1/1", Compared: &event.Compared{Tool: b.Tool, Started: f.Since},
	}
	if err := sink.Event(scan); err != nil {
		return err
	}
	sum := event.NewSummary()
	err := b.eachChange(ctx, f, func(c *store.Change) error {
		t := b.changed(c)
		sum.Add(t)
		return sink.Event(t)
	})
	if err != nil {
		return err
	}
	sum.Finished = scan.Started
	if err := sink.Event(sum); err != nil {
		return err
	}
	return sink.Flush()
}

// changed is a change as a line of a comparison. What ended because its gateway is gone
// was not seen again, which is no proof.
func (b *Board) changed(c *store.Change) *event.Target {
	t := &event.Target{Type: event.TypeTarget, Outcome: event.OutcomeIdentified, Target: event.Address{Input: c.Place, Source: c.Watch}}
	if c.Verdict == store.Gone || c.Verdict == store.Other {
		t.Outcome = event.OutcomeAbsent
	} else {
		t.Auth = &event.Auth{State: event.AuthState(c.Verdict), Because: []string{}}
	}
	if c.OldVerdict != c.Verdict {
		t.Changes = append(t.Changes, event.Change{What: event.ChangedVerdict, Old: string(c.OldVerdict), New: string(c.Verdict)})
	}
	if c.OldRelease != c.Release {
		t.Changes = append(t.Changes, event.Change{What: event.ChangedRelease, Old: c.OldRelease, New: c.Release})
	}
	for _, e := range c.Episodes {
		if e.What != store.OfFinding || e.Why == store.WhyChanged && e.Run != c.Run {
			continue // of another severity: the one that follows says so
		}
		x := event.Finding{ID: e.Value, Severity: e.Severity, Title: e.Value, Key: e.Key, Change: event.Opened}
		for i := range b.Checks {
			if b.Checks[i].ID == e.Value {
				x.Title, x.Remediation, x.Controls, x.References = b.Checks[i].Title, b.Checks[i].Fix, b.Checks[i].Controls, b.Checks[i].References
			}
		}
		switch {
		case e.Run == c.Run:
		case e.Why == store.WhyGone:
			x.Change = event.Unseen
		default:
			x.Change = event.Closed
		}
		seen := message.Say("board.seen", message.Of("text", c.Watch), message.Of("started", iso(c.At)))
		x.Detail, x.Messages = seen.English, &event.FindingMessages{Detail: []message.Message{seen.Message}}
		t.Findings = append(t.Findings, x)
	}
	return t
}

// changesJSON is /changes.json: the list as one document.
func (b *Board) changesJSON(w http.ResponseWriter, r *http.Request) error {
	l := b.language(w, r)
	f, err := b.changeFilter(l, r)
	if err != nil {
		return err
	}
	return b.exportChanges(w, r, l, "json", f)
}

func (b *Board) exportRuns(w http.ResponseWriter, r *http.Request, l *language, format string, f store.RunFilter) error {
	if err := l.known(format, runFormats()); err != nil {
		return err
	}
	return send(w, b.name("runs", format), contentType(format), func(out io.Writer) error {
		columns := []string{"run", "watch", "vantage", "started", "finished", "complete", "again", "level", "targets", "gateways", "unjudged", "changes"}
		for _, s := range event.AuthStates() {
			columns = append(columns, "auth_"+string(s))
		}
		columns = append(columns, "retried", "answered", "missed", "missed_at_most", "newest_release", "advisories_as_of", "file", "sha256")
		s := newSheet(out, format, columns)
		err := each(func(p store.Page) ([]store.Run, int, error) { return b.Data.Runs(r.Context(), f, p) }, func(x *store.Run) error {
			row := []any{x.ID.String(), x.Watch, x.Vantage, x.Started, x.Finished, x.Complete, x.Again, string(x.Level), x.Targets, x.Gateways, x.Unjudged, x.Changes}
			for _, state := range event.AuthStates() {
				row = append(row, x.Auth[state])
			}
			row = append(row, x.Miss.Reprobed, x.Miss.Found, x.Miss.Missed, x.Miss.MissedAtMost, x.Data.NewestRelease, x.Data.AdvisoriesAsOf, x.File, x.SHA256)
			return s.row(row...)
		})
		if err != nil {
			return err
		}
		return s.end()
	})
}

// stream renders the stored stream of a run in any format of the reports.
func (b *Board) stream(w http.ResponseWriter, r *http.Request) error {
	l := b.language(w, r)
	run, err := b.runOf(r)
	if err != nil {
		return err
	}
	format := r.URL.Query().Get("format")
	if format == "" {
		format = "jsonl"
	}
	if err := l.known(format, report.Formats()); err != nil {
		return err
	}
	if !filepath.IsLocal(filepath.FromSlash(run.File)) {
		return fmt.Errorf("run %s: %q is no file in the directory of streams", run.ID, run.File)
	}
	from := stream.Stream{Path: filepath.Join(b.Streams, filepath.FromSlash(run.File))}
	return send(w, b.name("run-"+run.ID.String(), format), contentType(format), func(out io.Writer) error {
		sink, err := report.New(format, out, report.Options{Checks: b.Checks, Lang: l.code, Width: 120})
		if err != nil {
			return err
		}
		if err := from.Each(sink.Event); err != nil {
			return err
		}
		return sink.Flush()
	})
}
