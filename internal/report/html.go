package report

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
)

//go:embed html
var htmlFiles embed.FS

// What a page holds at most. A browser that has to lay out more is no help.
const (
	htmlCards      = 500 // targets with a section of their own
	htmlAdvisories = 100 // of one target
)

// htmlSink writes one self-contained page: no script is needed to read it, and
// nothing is loaded. All of it is written in Flush.
type htmlSink struct {
	*tally
	o       Options
	w       io.Writer
	lang    string
	ranking ranking
	months  map[string]int // gateways by the month of their release
}

func newHTML(w io.Writer, o Options, c *catalogue) Sink {
	h := &htmlSink{
		tally: newTally(c, o), o: o, w: w, lang: pick(c == nil, "en", "zh-Hans"),
		ranking: ranking{limit: htmlCards, quiet: o.Verbose}, months: map[string]int{},
	}
	return h
}

func (h *htmlSink) Event(e event.Event) error {
	h.tally.event(e)
	if t, ok := e.(*event.Target); ok {
		h.ranking.add(t)
		if m, ok := releaseMonth(t); ok {
			h.months[m]++
		}
	}
	return nil
}

// month matches the year and month at the beginning of a release.
var month = regexp.MustCompile(`^(20[0-9]{2})\.(1[0-2]|[1-9])\.`)

// releaseMonth is the month of a gateway's release, of the newest that fits, as
// 2026-09; "" if the release is not known. ok is false for what is no gateway.
func releaseMonth(t *event.Target) (m string, ok bool) {
	if t.Outcome != event.OutcomeIdentified {
		return "", false
	}
	if t.Version == nil {
		return "", true
	}
	v := t.Version.Exact
	if n := len(t.Version.Candidates); v == "" && n > 0 {
		v = t.Version.Candidates[n-1]
	}
	return monthOf(v), true
}

func monthOf(release string) string {
	m := month.FindStringSubmatch(release)
	if m == nil {
		return ""
	}
	return fmt.Sprintf("%s-%02s", m[1], m[2])
}

// The page as the template sees it. Everything in it is clean and in the page's
// language; the template escapes it.
type (
	page struct {
		Lang, Title   string
		Policy        string
		Style, Script any
		Headline      []badge
		Conclusion    string
		First         []firstLine
		FirstNotes    []string
		News          []newsPart
		Totals        []totalPart
		Words         []fact2
		Facts         []fact2
		Severities    []tile
		Charts        []chart
		Rows          []row2
		Filters       []filter
		More          string
		Cards         []section
	}
	badge     struct{ Text, Tone string }
	firstLine struct{ Text, Commands string }
	newsPart  struct {
		Title string
		Rows  []newsItem
		More  string
	}
	newsItem  struct{ Severity, Tone, Where, Text, ID string }
	totalPart struct {
		ID, Title, Name string
		Check           bool
		Rows            []totalRow
		More            string
	}
	totalRow struct {
		Severity, Tone, Name string
		Rank, Targets, Open  int
	}
	fact2 struct{ Name, Text, Tone string }
	tile  struct {
		Name, Tone string
		N          int
	}
	chart struct {
		ID, Title, Text string
		Height          int
		Bars            []bar
	}
	bar struct {
		Name, Tone   string
		N, Y, TextY  int
		Width, Label int
	}
	filter struct {
		ID, Name string
		N        int
	}
	row2 struct {
		Anchor, Severity, Tone, Where, Verdict, VerdictTone, Product, Group string
		Rank, Alarm                                                         int // to sort by
	}
	section struct {
		row2
		Facts      []fact2
		Changes    []string
		Notes      []string
		Findings   []found
		Advisories []advised
		MoreAdv    string
		Others     string // findings that are not shown
		Evidence   []seen
	}
	found struct {
		ID, Severity, Tone, Mark, Title, Detail, Why, Fix, Suppressed string
		Steps, Commands                                               string
		Active                                                        bool
		Controls, Evidence                                            []string
		References                                                    []string
	}
	advised struct {
		ID, URL, CVE, Severity, Tone, Score, Status, Reach, Fixed, Summary, Suppressed string
	}
	seen struct {
		ID, Request, Status, Bytes, Digest string
		Facts                              []string
	}
)

func (h *htmlSink) Flush() error {
	files := map[string]string{}
	for _, name := range []string{"page.html", "page.css", "page.js"} {
		b, err := htmlFiles.ReadFile("html/" + name)
		if err != nil {
			return fmt.Errorf("built-in page: %w", err)
		}
		files[name] = string(b)
	}
	tmpl, err := template.New("page").Funcs(template.FuncMap{"say": h.c.say}).Parse(files["page.html"])
	if err != nil {
		return fmt.Errorf("built-in page: %w", err)
	}
	// The files are ours, so they need no escaping; everything else gets it.
	p := h.page()
	p.Style, p.Script = template.CSS(files["page.css"]), template.JS(files["page.js"])
	p.Policy = "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-" + digest(files["page.css"]) + "'; script-src 'sha256-" + digest(files["page.js"]) + "'"
	if err := tmpl.Execute(h.w, p); err != nil {
		return fmt.Errorf("write html report: %w", err)
	}
	return nil
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func (h *htmlSink) page() *page {
	c, s := h.c, h.totals()
	p := &page{Lang: h.lang, Title: c.say("clawsonar report"), Conclusion: h.conclusion(), Words: c.glossary()}
	// Of one or two gateways a chart says nothing that the list does not.
	few := s.Outcomes[event.OutcomeIdentified] <= fewTargets
	if !few {
		p.Charts = []chart{h.verdicts(), h.releases()}
	}
	h.sections(p)
	if h.scan != nil && !h.scan.Started.IsZero() {
		p.Title += " " + minute(h.scan.Started)
	}
	for _, x := range h.headline() {
		p.Headline = append(p.Headline, badge{x.text, x.tone.class()})
	}
	for _, x := range h.facts() {
		p.Facts = append(p.Facts, fact2{x.name, x.text, x.tone.class()})
	}
	for _, x := range h.graded() {
		if x.n > 0 || !few {
			p.Severities = append(p.Severities, tile{c.severity(x.Severity), severityClass(x.Severity), x.n})
		}
	}
	groups := map[string]int{}
	h.ranking.cards = h.ranking.sorted()
	for i := range h.ranking.cards {
		x := h.section(i)
		p.Rows = append(p.Rows, x.row2)
		p.Cards = append(p.Cards, x)
		groups[x.Group]++
	}
	for _, f := range []filter{{ID: "bad", Name: c.say("critical or high")}, {ID: "some", Name: c.say("medium or low")}, {ID: "unknown", Name: c.say("not judged")}, {ID: "fine", Name: c.say("nothing to do")}} {
		if f.N = groups[f.ID]; f.N > 0 {
			p.Filters = append(p.Filters, f)
		}
	}
	if n := h.ranking.more; n > 0 {
		p.More = c.join(c.count(n, "... and %d more target, no worse than these.", "... and %d more targets, none of them worse than these."), c.say("The formats jsonl and json contain everything."))
	}
	return p
}

// sections fills in what to do first, what a comparison found, and the totals.
func (h *htmlSink) sections(p *page) {
	c := h.c
	todos := h.first()
	for _, d := range todos {
		p.First = append(p.First, firstLine{c.todoLine(d), strings.Join(slices.Concat(d.commands, d.prove), "\n")})
	}
	p.FirstNotes = h.firstNotes(todos)
	more := func(n int) string {
		if n <= 0 {
			return ""
		}
		return c.say("... and %d more", n)
	}
	for _, b := range h.newsBlocks() {
		x := newsPart{Title: b.title, More: more(b.more)}
		for _, r := range b.rows {
			x.Rows = append(x.Rows, newsItem{c.severity(r.severity), severityClass(r.severity), r.where, r.text, r.id})
		}
		p.News = append(p.News, x)
	}
	for i, k := range h.totalled() {
		x := totalPart{ID: "totals" + strconv.Itoa(i+1), Title: k.title, Name: k.name, Check: k.check, More: more(k.more)}
		for _, g := range k.groups {
			x.Rows = append(x.Rows, totalRow{c.severity(g.Severity), severityClass(g.Severity), g.Name, g.Severity.Rank(), g.Targets, g.Open})
		}
		p.Totals = append(p.Totals, x)
	}
}

// glossary says what the words of a report mean to who has not met them.
func (c *catalogue) glossary() []fact2 {
	return []fact2{
		{Name: c.say("gateway"), Text: c.say("the program that the agent's owner talks to, and through which the agent is controlled")},
		{Name: c.say("credential"), Text: c.say("a token or password that the gateway requires")},
		{Name: c.say("open"), Text: c.say("a request without a credential was accepted: the gateway's own answer proves it")},
		{Name: c.say("UNKNOWN"), Text: c.say("no answer proves it either way: neither safe nor open")},
		{Name: c.say("finding"), Text: c.say("something to fix or to know about; the command clawsonar explain takes its id")},
		{Name: c.say("advisory"), Text: c.say("a published vulnerability of certain releases")},
		{Name: c.say("evidence"), Text: c.say("the requests that were sent and what was used of the answers; findings refer to it by id")},
	}
}

// class is the name of a tone in the style sheet.
func (t tone) class() string {
	return [...]string{plain: "plain", good: "good", doubt: "doubt", bad: "bad", worst: "worst", strong: "strong", faint: "faint"}[t]
}

// severityClass is the name of a severity in the style sheet.
func severityClass(s event.Severity) string {
	if s.Rank() == event.Critical.Rank() {
		return string(event.Critical)
	}
	return cmp.Or(string(s), "none")
}

// filterOf says which filter shows a target.
func filterOf(x *card) string {
	_, mood := (*catalogue)(nil).verdict(x.Target)
	switch {
	case x.severity.Rank() >= event.High.Rank(), mood == worst:
		return "bad"
	case x.severity.Rank() >= event.Low.Rank():
		return "some"
	case mood == doubt, !x.Target.Judged():
		return "unknown"
	}
	return "fine"
}

// section puts a target into words.
func (h *htmlSink) section(i int) section {
	c, x := h.c, &h.ranking.cards[i]
	t := x.Target
	verdict, mood := c.verdict(t)
	out := section{row2: row2{
		Anchor: "t" + strconv.Itoa(i+1), Severity: c.severity(x.severity), Tone: severityClass(x.severity), Where: where(t.Target),
		Verdict: verdict, VerdictTone: mood.class(), Product: c.product(t), Group: filterOf(x),
		Rank: x.severity.Rank(), Alarm: x.alarm,
	}}
	if x.severity == "" {
		out.Severity = "–"
	}
	add := func(name, text string) {
		if text != "" {
			out.Facts = append(out.Facts, fact2{Name: name, Text: text})
		}
	}
	add(c.say("Product"), out.Product)
	if v := t.Version; v != nil {
		add(c.say("Release seen in"), v.Source)
		if v.Exact == "" && len(v.Candidates) > 3 {
			add(c.say("Releases that fit"), strings.Join(v.Candidates, c.say(", ")))
		}
	}
	if t.Auth != nil {
		add(c.say("What proves the verdict"), strings.Join(t.Auth.Because, c.say(", ")))
	}
	add(c.say("Address"), strings.Join(c.about(t), c.say("; ")))
	if t.Target.Source != "args" {
		add(c.say("Target from"), t.Target.Source)
	}
	if t.TLS != nil {
		add("TLS", h.tls(t.TLS))
	}
	var surfaces []string
	for _, s := range t.Surfaces {
		surfaces = append(surfaces, s.ID+" ("+c.word(string(s.State))+")")
	}
	add(c.say("Parts that answer"), strings.Join(surfaces, c.say(", ")))
	add(c.say("Sent"), c.say("%s on %s", c.count(t.Requests, "%d request", "%d requests"), c.count(t.Connections, "%d connection", "%d connections")))
	if t.Error != "" {
		add(c.say("Error"), c.optional(t.Error, t.ErrorMessage))
	}
	for _, ch := range t.Changes {
		out.Changes = append(out.Changes, c.change(ch))
	}
	for _, n := range t.AllNotes() {
		out.Notes = append(out.Notes, c.messages(n.English, n.Message))
	}
	others := 0
	for j := range t.Findings {
		if !h.o.shows(&t.Findings[j]) {
			others++
			continue
		}
		out.Findings = append(out.Findings, h.found(&t.Findings[j], t.Product != nil && t.Product.ID == "openclaw"))
	}
	if others > 0 {
		out.Others = c.count(others, "%d finding of another severity is not shown.", "%d findings of other severities are not shown.")
	}
	for j := range t.Advisories {
		if j == htmlAdvisories {
			out.MoreAdv = c.count(len(t.Advisories)-j, "... and %d more", "... and %d more")
			break
		}
		out.Advisories = append(out.Advisories, h.advised(&t.Advisories[j]))
	}
	for j := range t.Evidence {
		out.Evidence = append(out.Evidence, h.seen(&t.Evidence[j]))
	}
	return out
}

func (h *htmlSink) tls(t *event.TLS) string {
	c := h.c
	if !t.Enabled {
		return c.say("not in use")
	}
	parts := []string{t.Version}
	if t.Subject != "" {
		parts = append(parts, c.say("certificate of %s", t.Subject))
	}
	if t.SelfSigned {
		parts = append(parts, c.say("self-signed"))
	}
	if t.NotAfter != "" {
		parts = append(parts, c.say("valid until %s", t.NotAfter))
	}
	if t.VerifyError != "" {
		parts = append(parts, c.word(t.VerifyError))
	}
	return strings.Join(parts, c.say("; "))
}

func (h *htmlSink) found(f *event.Finding, openclaw bool) found {
	c := h.c
	out := found{
		ID: f.ID, Severity: c.severity(f.Severity), Tone: severityClass(f.Severity), Mark: c.changeMark(f.Change),
		Title: c.title(f), Detail: c.detail(f), Fix: c.fix(f, openclaw), Active: f.Active(),
		Controls: f.Controls, Evidence: f.Evidence,
	}
	if f.Suppressed != "" {
		out.Suppressed = c.say("suppressed: %s", c.suppressed(f))
	}
	if i := h.place(f.ID); i < len(h.checks) {
		r := &h.checks[i]
		out.Why = c.fixed(r.ID+".why", squeeze(r.Why))
		// A product that is not OpenClaw has steps of its own, see the finding's text.
		if openclaw {
			out.Steps = c.fixed(r.ID+".steps", r.Steps)
		}
	}
	out.Commands = strings.Join(h.commands(f), "\n")
	for _, ref := range f.References {
		if u := webURL(ref); u != "" {
			out.References = append(out.References, u)
		}
	}
	return out
}

func (h *htmlSink) advised(a *event.Advisory) advised {
	c := h.c
	out := advised{
		ID: a.ID, URL: advisoryURL(a.ID), CVE: a.CVE, Severity: c.severity(a.Severity), Tone: severityClass(a.Severity), Score: score(a.Score),
		Status: c.word(string(a.Status)), Reach: c.reach(a.Reach), Fixed: a.Fixed, Summary: a.Summary,
	}
	if a.Suppressed != "" {
		out.Suppressed = c.say("suppressed: %s", a.Suppressed)
	}
	return out
}

func (h *htmlSink) seen(e *event.Evidence) seen {
	out := seen{ID: e.ID, Request: e.Request, Status: strconv.Itoa(e.Status), Bytes: strconv.Itoa(e.Bytes), Digest: e.SHA256[:min(16, len(e.SHA256))]}
	if e.Status == 0 {
		out.Status, out.Bytes = "–", "–"
	}
	for _, k := range slices.Sorted(maps.Keys(e.Facts)) {
		out.Facts = append(out.Facts, k+": "+e.Facts[k])
	}
	if e.Error != "" {
		out.Facts = append(out.Facts, e.Error)
	}
	return out
}

// verdicts is the chart of verdicts.
func (h *htmlSink) verdicts() chart {
	c, s, auth := h.c, h.totals(), h.auth()
	names := map[event.AuthState]string{
		event.AuthOpen: c.say("open"), event.AuthClaimable: c.say("claimable"), event.AuthRequired: c.say("auth required"), event.AuthGated: c.say("gated in front"),
		event.AuthBlocked: c.say("refusing the proxy"), event.AuthUnknown: c.say("auth unclear"),
	}
	tones := map[event.AuthState]tone{event.AuthOpen: worst, event.AuthClaimable: worst, event.AuthBlocked: doubt, event.AuthUnknown: doubt, event.AuthGated: plain, event.AuthRequired: good}
	var bars []bar
	for _, state := range event.AuthStates() {
		bars = append(bars, bar{Name: names[state], Tone: tones[state].class(), N: auth[state]})
	}
	failed, rest := 0, 0
	for o, n := range s.Outcomes {
		switch o {
		case event.OutcomeIdentified:
		case event.OutcomeHelper, event.OutcomeOther, event.OutcomeClosed, event.OutcomeSilent, event.OutcomeExcluded:
			rest += n
		default:
			failed += n
		}
	}
	bars = append(bars, bar{Name: c.say("could not be probed"), Tone: doubt.class(), N: failed}, bar{Name: c.say("no gateway"), Tone: faint.class(), N: rest})
	return draw("verdicts", c.say("Verdicts"), c.say("targets by verdict"), bars)
}

// releases is the chart of releases by age. What is a year behind the newest
// known release, and more, is one bar.
func (h *htmlSink) releases() chart {
	c := h.c
	newest := ""
	if h.scan != nil {
		newest = monthOf(h.scan.Data.NewestRelease)
	}
	last := newest
	for m := range h.months {
		last = max(last, m)
	}
	var bars []bar
	if last != "" {
		year, _ := strconv.Atoi(last[:4])
		at, _ := strconv.Atoi(last[5:])
		left := 0
		for m, n := range h.months {
			if m != "" {
				left += n
			}
		}
		for age := 0; left > 0 && age < 12; age++ {
			m := fmt.Sprintf("%04d-%02d", year, at)
			left -= h.months[m]
			bars = append(bars, bar{Name: m, Tone: pick(age == 0, good, pick(age <= 3, doubt, bad)).class(), N: h.months[m]})
			if at--; at == 0 {
				at, year = 12, year-1
			}
		}
		if left > 0 {
			bars = append(bars, bar{Name: c.say("older"), Tone: bad.class(), N: left})
		}
	}
	bars = append(bars, bar{Name: c.say("release unknown"), Tone: doubt.class(), N: h.months[""]})
	return draw("releases", c.say("Gateways by month of their release"), c.say("gateways by release"), bars)
}

// draw lays the bars out in a drawing 320 units wide. Empty bars at the end are
// left out.
func draw(id, title, what string, bars []bar) chart {
	const line, left, wide = 24, 134, 140 // page.html has the same numbers
	for len(bars) > 1 && bars[len(bars)-1].N == 0 {
		bars = bars[:len(bars)-1]
	}
	most := 1
	var text []string
	for _, b := range bars {
		most = max(most, b.N)
		text = append(text, fmt.Sprintf("%s: %d", b.Name, b.N))
	}
	for i := range bars {
		b := &bars[i]
		b.Y, b.TextY = i*line+4, i*line+17
		b.Width = b.N * wide / most
		if b.N > 0 {
			b.Width = max(b.Width, 2)
		}
		b.Label = left + b.Width + 6
	}
	return chart{ID: id, Title: title, Text: what + ": " + strings.Join(text, ", "), Height: len(bars)*line + 4, Bars: bars}
}
