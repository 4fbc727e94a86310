package alert

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/config"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// version is that of schema/alert.schema.json. New fields do not change it.
const version = 1

// The events of a document.
const (
	eventChanges = "changes"
	eventSilent  = config.SilentWatch
	eventBack    = "watch-back"
)

const (
	maxSpelled = 50 // changes that a digest spells out
	maxNotes   = 3  // of one gateway
	maxNote    = 200
)

// document is what one delivery says, as JSON. All texts in it are clean.
type document struct {
	Schema   int       `json:"schema"`
	Delivery string    `json:"delivery"`
	Rule     string    `json:"rule"`
	Event    string    `json:"event"`
	At       time.Time `json:"at"`
	Summary  string    `json:"summary"`
	Text     string    `json:"text"`
	URL      string    `json:"url,omitempty"`

	Severity event.Severity `json:"severity,omitempty"`
	Kinds    []store.Kind   `json:"kinds,omitempty"`
	Total    int            `json:"total,omitempty"`
	Counts   map[class]int  `json:"counts,omitempty"` // each change counts once
	Changes  []change       `json:"changes,omitempty"`

	Watch *watch `json:"watch,omitempty"`
}

type change struct {
	At         time.Time      `json:"at"`
	Run        string         `json:"run"`
	Gateway    string         `json:"gateway"`
	URL        string         `json:"url,omitempty"`
	Watch      string         `json:"watch"`
	Vantage    string         `json:"vantage,omitempty"`
	Place      string         `json:"place"`
	Owner      string         `json:"owner,omitempty"`
	Contact    string         `json:"contact,omitempty"`
	Network    string         `json:"network,omitempty"`
	Product    string         `json:"product,omitempty"`
	Class      class          `json:"class"`
	Kinds      []store.Kind   `json:"kinds"`
	OldVerdict store.Verdict  `json:"old_verdict,omitempty"`
	OldSince   *time.Time     `json:"old_since,omitempty"`
	Verdict    store.Verdict  `json:"verdict,omitempty"`
	OldRelease string         `json:"old_release,omitempty"`
	Release    string         `json:"release,omitempty"`
	Severity   event.Severity `json:"severity,omitempty"`
	Opened     int            `json:"opened"`
	Closed     int            `json:"closed"`
	Advisories int            `json:"advisories"`
	Episodes   []episode      `json:"episodes,omitempty"`
	Notes      []note         `json:"notes,omitempty"`
}

type episode struct {
	What     store.What     `json:"what"`
	Value    string         `json:"value"`
	Severity event.Severity `json:"severity,omitempty"`
	Opened   time.Time      `json:"opened"`
	Closed   *time.Time     `json:"closed,omitempty"`
	Why      store.Why      `json:"why,omitempty"`
}

type note struct {
	Author string     `json:"author"`
	Text   string     `json:"text"`
	Until  *time.Time `json:"until,omitempty"`
}

type watch struct {
	Name  string    `json:"name"`
	Since time.Time `json:"since"` // the last complete run, or when the hub first knew the watch
	// Never says that the watch has completed no run yet.
	Never bool       `json:"never,omitempty"`
	Back  *time.Time `json:"back,omitempty"` // the complete run that ended the silence
}

// class is what is most urgent of a change: a kind, or claimable.
type class string

const classClaimable = class(event.AuthClaimable)

// classes returns the classes, most urgent first.
func classes() []class {
	out := []class{class(store.KindOpened), classClaimable}
	for _, k := range store.Kinds() {
		if k != store.KindOpened {
			out = append(out, class(k))
		}
	}
	return out
}

func classOf(c *store.Change) class {
	if c.Has(store.KindOpened) || c.Has(store.KindNew) {
		switch c.Verdict {
		case store.Verdict(event.AuthOpen):
			return class(store.KindOpened)
		case store.Verdict(event.AuthClaimable):
			return classClaimable
		}
	}
	for _, k := range store.Kinds() {
		if c.Has(k) {
			return class(k)
		}
	}
	return class(store.KindVerdict)
}

// gathered is what a rule has to tell.
type gathered struct {
	rows   []store.RowID
	worst  []*store.Change // at most maxSpelled, worst first
	counts map[class]int
	kinds  map[store.Kind]bool
	severe event.Severity
	urgent bool
}

func (g *gathered) add(r *rule, c *store.Change) {
	if g.counts == nil {
		g.counts, g.kinds = map[class]int{}, map[store.Kind]bool{}
	}
	g.rows = append(g.rows, store.RowID{Run: c.Run, Gateway: c.Gateway})
	g.counts[classOf(c)]++
	for _, k := range c.Kinds {
		g.kinds[k] = true
	}
	if c.Severity.Rank() > g.severe.Rank() {
		g.severe = c.Severity
	}
	g.urgent = g.urgent || r.urgent(c)
	i, _ := slices.BinarySearchFunc(g.worst, c, worse)
	if i < maxSpelled {
		g.worst = slices.Insert(g.worst, i, c)
		g.worst = g.worst[:min(len(g.worst), maxSpelled)]
	}
}

// worse orders changes, the worst first.
func worse(a, b *store.Change) int {
	return cmp.Or(
		cmp.Compare(slices.Index(classes(), classOf(a)), slices.Index(classes(), classOf(b))),
		cmp.Compare(b.Severity.Rank(), a.Severity.Rank()),
		a.At.Compare(b.At),
		strings.Compare(a.Place, b.Place),
		cmp.Compare(a.Run, b.Run),
	)
}

// document makes the document of a digest, without what is its delivery's own.
func (l *Loop) document(r *rule, g *gathered, now time.Time, notes map[string][]store.Note) *document {
	d := &document{
		Schema: version, Rule: clean.Text(r.Name), Event: eventChanges, At: now, URL: l.link("/changes"),
		Severity: g.severe, Total: len(g.rows), Counts: g.counts,
	}
	for _, k := range store.Kinds() {
		if g.kinds[k] {
			d.Kinds = append(d.Kinds, k)
		}
	}
	for _, c := range g.worst {
		x := change{
			At: c.At, Run: c.Run.String(), Gateway: c.Gateway.String(), URL: l.link("/gateways/" + c.Gateway.String()),
			Watch: clean.Text(c.Watch), Vantage: clean.Text(c.Vantage), Place: clean.Text(c.Place),
			Owner: clean.Text(c.Owner), Contact: clean.Text(c.Contact), Network: clean.Text(c.Network), Product: clean.Text(c.Product),
			Class: classOf(c), Kinds: c.Kinds, OldVerdict: clean.N(c.OldVerdict, 40), OldSince: moment(c.OldVerdictSince), Verdict: clean.N(c.Verdict, 40),
			OldRelease: clean.N(c.OldRelease, 100), Release: clean.N(c.Release, 100), Severity: c.Severity,
			Opened: c.Opened, Closed: c.Closed, Advisories: c.Advisories,
		}
		for _, e := range c.Episodes {
			x.Episodes = append(x.Episodes, episode{
				What: e.What, Value: clean.N(e.Value, 100), Severity: e.Severity, Opened: e.Opened, Closed: moment(e.Closed), Why: e.Why,
			})
		}
		for _, n := range notes[c.Place] {
			if (n.Until.IsZero() || n.Until.After(now)) && len(x.Notes) < maxNotes {
				x.Notes = append(x.Notes, note{clean.N(n.Author, 100), clean.N(n.Text, maxNote), moment(n.Until)})
			}
		}
		d.Changes = append(d.Changes, x)
	}
	return d
}

// link is a page of the hub; "" if its address is not known.
func (l *Loop) link(path string) string {
	if l.config.URL == "" {
		return ""
	}
	return l.config.URL + path
}

// moment is a time for a field that may be left out.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// word is the event in a word, or its kinds: for a header or a variable.
func (d *document) word() string {
	if d.Event != eventChanges {
		return d.Event
	}
	return strings.Join(event.Words(d.Kinds...), ",")
}
