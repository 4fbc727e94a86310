package report

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
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
	w      io.Writer
	lang   string
	months map[string]int // gateways by the month of their release
}

func newHTML(w io.Writer, o Options, c *catalogue) Sink {
	h := &htmlSink{tally: newTally(c, o), w: w, lang: pick(c == nil, "en", "zh-Hans"), months: map[string]int{}}
	h.worst.limit, h.worst.named = htmlCards, true
	return h
}

func (h *htmlSink) Event(e event.Event) error {
	h.tally.event(e)
	if t, ok := e.(*event.Target); ok {
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
		Headline      []statement
		Conclusion    string
		First         []firstLine
		FirstNotes    []string
		News          []newsBlock
		Totals        []totalled
		Words         []fact
		Facts         []fact
		Severities    []graded
		Charts        []chart
		Filters       []filter
		More          string
		Cards         []section
	}
	firstLine struct{ Text, Commands string }
	chart     struct {
		ID, Title, Text string
		Height          int
		Bars            []bar
	}
	bar struct {
		Name         string
		Tone         tone
		N, Y, TextY  int
		Width, Label int
	}
	filter struct {
		ID, Name string
		N        int
	}
	section struct {
		account
		Anchor, Group, Severity, Badge string
		Rank, Alarm                    int // to sort by
		Facts                          []fact
		Findings                       []found
		Advisories                     []event.Advisory
		MoreAdv                        string
		Evidence                       []event.Evidence
	}
	found struct {
		ID, Severity, Badge, Mark, Title, Detail, Suppressed string
		Why, Fix, Steps, Commands                            string
		Active                                               bool
		Controls, Evidence, Links                            []string
		Places                                               []placed
		MorePlaces, Diff                                     string
	}
)

func (h *htmlSink) Flush() error {
	tmpl, err := h.c.templates()
	if err != nil {
		return err
	}
	style, err := Style()
	if err != nil {
		return err
	}
	script, err := htmlFiles.ReadFile("html/page.js")
	if err != nil {
		return fmt.Errorf("built-in page: %w", err)
	}
	// The files are ours, so they need no escaping; everything else gets it.
	p := h.page()
	p.Style, p.Script = template.CSS(style), template.JS(script)
	p.Policy = "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-" + digest(style) + "'; script-src 'sha256-" + digest(string(script)) + "'"
	if err := tmpl.ExecuteTemplate(h.w, "page.html", p); err != nil {
		return fmt.Errorf("write html report: %w", err)
	}
	return nil
}

// templates are those of the page and of a target's section, in the language.
func (c *catalogue) templates() (*template.Template, error) {
	tmpl, err := template.New("").Funcs(c.words()).ParseFS(htmlFiles, "html/*.html")
	if err != nil {
		return nil, fmt.Errorf("built-in page: %w", err)
	}
	return tmpl, nil
}

// words are what the template calls to put things into words.
func (c *catalogue) words() template.FuncMap {
	return template.FuncMap{
		"say": c.say, "severity": c.severity, "badge": severityClass, "score": score, "advisoryURL": advisoryURL, "reach": c.reach,
		"next":   func(i int) int { return i + 1 },
		"status": func(s event.AdvisoryStatus) string { return c.word(string(s)) },
	}
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
	todos := h.first()
	for _, d := range todos {
		p.First = append(p.First, firstLine{c.todoLine(d), strings.Join(slices.Concat(d.commands, d.prove), "\n")})
	}
	p.FirstNotes, p.News, p.Totals = h.firstNotes(todos), h.newsBlocks(), h.totalled()
	if h.scan != nil && !h.scan.Started.IsZero() {
		p.Title += " " + minute(h.scan.Started)
	}
	p.Headline, p.Facts = h.headline(), h.facts()
	for _, x := range h.graded() {
		if x.N > 0 || !few {
			p.Severities = append(p.Severities, x)
		}
	}
	groups := map[string]int{}
	for i, x := range h.worst.sorted() {
		x := h.section(x)
		x.Anchor = "t" + strconv.Itoa(i+1)
		p.Cards = append(p.Cards, x)
		groups[x.Group]++
	}
	for _, f := range []filter{{ID: "bad", Name: c.say("critical or high")}, {ID: "some", Name: c.say("medium or low")}, {ID: "unknown", Name: c.say("not judged")}, {ID: "fine", Name: c.say("nothing to do")}} {
		if f.N = groups[f.ID]; f.N > 0 {
			p.Filters = append(p.Filters, f)
		}
	}
	if more := c.moreTargets(h.worst.more); more != "" {
		p.More = c.join(more, c.elsewhere())
	}
	return p
}

// glossary says what the words of a report mean to who has not met them.
func (c *catalogue) glossary() []fact {
	return []fact{
		{Name: c.say("gateway"), Text: c.say("the program that the agent's owner talks to, and through which the agent is controlled")},
		{Name: c.say("credential"), Text: c.say("a token or password that the gateway requires")},
		{Name: c.say("open"), Text: c.say("a request without a credential was accepted: the gateway's own answer proves it")},
		{Name: c.say("UNKNOWN"), Text: c.say("no answer proves it either way: neither safe nor open")},
		{Name: c.say("finding"), Text: c.say("something to fix or to know about; the command clawsonar explain takes its id")},
		{Name: c.say("advisory"), Text: c.say("a published vulnerability of certain releases")},
		{Name: c.say("evidence"), Text: c.say("the requests that were sent and what was used of the answers; findings refer to it by id")},
	}
}

// severityClass is the name of a severity in the style sheet.
func severityClass(s event.Severity) string {
	if s.Rank() == event.Critical.Rank() {
		return string(event.Critical)
	}
	return cmp.Or(string(s), "none")
}

// filterOf says which filter shows a target.
func filterOf(x card, mood tone) string {
	switch {
	case x.Severity.Rank() >= event.High.Rank(), mood == worst:
		return "bad"
	case x.Severity.Rank() >= event.Low.Rank():
		return "some"
	case mood == doubt, !x.Target.Judged():
		return "unknown"
	}
	return "fine"
}

// section puts a target into words.
func (h *htmlSink) section(x card) section {
	c, t := h.c, x.Target
	out := section{
		account: h.account(t), Severity: cmp.Or(c.severity(x.Severity), "–"), Badge: severityClass(x.Severity),
		Rank: x.Severity.Rank(), Alarm: x.Alarm, Advisories: t.Advisories, Evidence: t.Evidence,
	}
	out.Group = filterOf(x, out.Tone)
	add := func(name, text string) {
		if text != "" {
			out.Facts = append(out.Facts, fact{Name: name, Text: text})
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
	add(pick(inFiles(t), c.say("Reach"), c.say("Address")), strings.Join(out.About, c.say("; ")))
	if t.Target.Source != "args" && !inFiles(t) {
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
	if !inFiles(t) {
		add(c.say("Sent"), c.say("%s on %s", c.count(t.Requests, "%d request", "%d requests"), c.count(t.Connections, "%d connection", "%d connections")))
	}
	for _, w := range filesWays(t) {
		add(c.say("Way in"), c.way(t, w))
	}
	if t.Error != "" {
		add(c.say("Error"), c.optional(t.Error, t.ErrorMessage))
	}
	for _, f := range out.findings {
		out.Findings = append(out.Findings, h.found(t, f))
	}
	if n := len(t.Advisories) - htmlAdvisories; n > 0 {
		out.Advisories, out.MoreAdv = t.Advisories[:htmlAdvisories], c.more(n)
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

func (h *htmlSink) found(t *event.Target, f *event.Finding) found {
	c, openclaw := h.c, isOpenClaw(t)
	out := found{
		ID: f.ID, Severity: c.severity(f.Severity), Badge: severityClass(f.Severity), Mark: h.changeMark(f.Change), Title: c.title(f), Detail: c.detail(f),
		Fix: c.fix(f, openclaw), Commands: strings.Join(h.commands(f), "\n"), Active: f.Active() || f.Suppressed == "" && h.across(), Controls: f.Controls, Evidence: f.Evidence,
	}
	out.Places, out.MorePlaces = c.locations(t, f.Locations)
	out.Diff = f.Diff
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
	for _, ref := range f.References {
		if u := webURL(ref); u != "" {
			out.Links = append(out.Links, u)
		}
	}
	return out
}

// verdicts is the chart of verdicts.
func (h *htmlSink) verdicts() chart {
	c, s, auth := h.c, h.totals(), h.auth()
	tones := map[event.AuthState]tone{event.AuthOpen: worst, event.AuthClaimable: worst, event.AuthBlocked: doubt, event.AuthUnknown: doubt, event.AuthGated: plain, event.AuthRequired: good}
	var bars []bar
	for _, state := range event.AuthStates() {
		bars = append(bars, bar{Name: c.state(state), Tone: tones[state], N: auth[state]})
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
	bars = append(bars, bar{Name: c.say("could not be probed"), Tone: doubt, N: failed}, bar{Name: c.say("no gateway"), Tone: faint, N: rest})
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
			bars = append(bars, bar{Name: m, Tone: pick(age == 0, good, pick(age <= 3, doubt, bad)), N: h.months[m]})
			if at--; at == 0 {
				at, year = 12, year-1
			}
		}
		if left > 0 {
			bars = append(bars, bar{Name: c.say("older"), Tone: bad, N: left})
		}
	}
	bars = append(bars, bar{Name: c.say("release unknown"), Tone: doubt, N: h.months[""]})
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
