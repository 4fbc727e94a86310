package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/pkg/twwidth"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"

	"github.com/clawsonar/clawsonar/internal/event"
)

// What the table holds at most, so that its memory does not grow with the
// scan. The other formats hold everything.
const (
	maxRows     = 50  // targets in the overview
	maxBlocks   = 20  // targets whose findings are spelled out
	maxFindings = 8   // of one target
	maxVerbose  = 100 // of one target with Options.Verbose
)

const (
	defaultWidth = 80
	minWidth     = 60  // four columns need it
	proseWidth   = 100 // longer lines of prose are hard to read
	gutter       = 10  // "critical" and two spaces
	staleAfter   = 60 * 24 * time.Hour
)

// table writes what an operator needs in an emergency: an overview of the
// targets, worst first, the findings with their fixes, and last, where a
// terminal stops, the summary. It writes all of it in Flush.
type table struct {
	w     io.Writer
	o     Options
	width int

	rows []row // the worst targets, worst first, at most maxRows
	more int   // targets that would be listed if there were room

	scan    *event.Scan
	summary *event.Summary
	seen    event.Summary // own count, for a stream without summary

	out bytes.Buffer
}

// row is what the table keeps of a target: cleaned, capped text.
type row struct {
	target   event.Address // cleaned; sort key of last resort
	severity event.Severity
	alarm    int

	url, verdict, product string
	tone                  tone
	facts                 []string // more about the target
	remarks               []string // notes, error
	findings              []event.Finding
	hidden                int // findings left out
	suppressed            int
	fine                  bool // judged, and nothing to mend: only listed
}

func newTable(w io.Writer, o Options) Sink {
	width := o.Width
	if width <= 0 {
		width = defaultWidth
	}
	return &table{
		w: w, o: o, width: max(width, minWidth),
		seen: event.Summary{Outcomes: map[string]int{}, Auth: map[string]int{}, Findings: map[string]int{}},
	}
}

func (t *table) Event(e event.Event) error {
	if _, err := payload(e); err != nil {
		return err
	}
	switch {
	case e.Scan != nil:
		t.scan = e.Scan
	case e.Summary != nil:
		t.summary = e.Summary
	default:
		t.add(e.Target)
	}
	return nil
}

// add counts a target and keeps it if it is among the worst so far.
func (t *table) add(x *event.Target) {
	t.seen.Targets++
	outcome := x.Outcome
	if !slices.Contains(outcomes(), outcome) {
		outcome = "unknown" // keeps the map small whatever the stream says
	}
	t.seen.Outcomes[outcome]++
	if outcome == "identified" {
		t.seen.Auth[authState(x)]++
	}
	for _, f := range x.Findings {
		if f.Suppressed != "" {
			t.seen.Suppressed++
		} else if f.Severity.Rank() > 0 {
			t.seen.Findings[string(f.Severity)]++
		}
	}
	if (outcome == "closed" || outcome == "silent") && !t.o.Verbose {
		return
	}
	r := row{
		target:   event.Address{IP: t.text(x.Target.IP, 60), Port: x.Target.Port},
		severity: worstSeverity(x.Findings),
		alarm:    alarm(x),
		url:      t.text(where(x.Target), 200),
	}
	i, _ := slices.BinarySearchFunc(t.rows, r, compareRows)
	if len(t.rows) == maxRows {
		t.more++
		if i == maxRows {
			return
		}
		t.rows = t.rows[:maxRows-1]
	}
	t.fill(&r, x)
	t.rows = slices.Insert(t.rows, i, r)
}

// compareRows puts the worse row first.
func compareRows(a, b row) int {
	return cmp.Or(
		cmp.Compare(b.severity.Rank(), a.severity.Rank()),
		cmp.Compare(a.alarm, b.alarm),
		address(a.target).Compare(address(b.target)),
		cmp.Compare(a.url, b.url),
	)
}

// fill copies into r what the report says about x.
func (t *table) fill(r *row, x *event.Target) {
	v, tone := verdict(x)
	r.fine = tone == good && r.severity.Rank() <= event.Info.Rank() && len(x.Notes) == 0
	r.verdict, r.tone = t.text(v, 60), tone
	r.product = t.text(product(x), 100)

	if x.Target.Name != "" && x.Target.IP != "" {
		r.facts = append(r.facts, "address "+r.target.IP)
	}
	if x.Target.Reach == "public" {
		r.facts = append(r.facts, "globally reachable")
	}
	if x.Target.Bound != "" {
		r.facts = append(r.facts, "bound to "+t.text(x.Target.Bound, 60))
	}
	if x.Target.Process != "" {
		r.facts = append(r.facts, "process "+t.text(x.Target.Process, 60))
	}
	if x.Front != nil && x.Front.Kind != "" && x.Front.Kind != "none" {
		r.facts = append(r.facts, "behind "+t.text(x.Front.Kind, 60))
	}

	limit := 3
	if t.o.Verbose {
		limit = maxVerbose
	}
	for _, n := range x.Notes[:min(limit, len(x.Notes))] {
		r.remarks = append(r.remarks, "Note: "+t.text(n, cleanLimit))
	}
	if x.Error != "" && t.o.Verbose {
		r.remarks = append(r.remarks, "Error: "+t.text(x.Error, cleanLimit))
	}

	var fs []event.Finding
	for _, f := range x.Findings {
		if f.Suppressed != "" {
			if r.suppressed++; !t.o.Verbose {
				continue
			}
		}
		fs = append(fs, f)
	}
	slices.SortStableFunc(fs, func(a, b event.Finding) int {
		if a, b := a.Suppressed != "", b.Suppressed != ""; a != b {
			return pick(b, -1, 1)
		}
		return cmp.Compare(b.Severity.Rank(), a.Severity.Rank())
	})
	limit = maxFindings
	if t.o.Verbose {
		limit = maxVerbose
	}
	r.hidden = max(len(fs)-limit, 0)
	for _, f := range fs[:len(fs)-r.hidden] {
		g := event.Finding{
			ID:          t.text(f.ID, 60),
			Severity:    f.Severity,
			Title:       t.text(f.Title, 200),
			Detail:      t.text(f.Detail, cleanLimit),
			Remediation: t.text(f.Remediation, 2*cleanLimit),
			Suppressed:  t.text(f.Suppressed, 100),
		}
		if t.o.Verbose {
			for _, ref := range f.References[:min(10, len(f.References))] {
				g.References = append(g.References, t.text(ref, 200))
			}
		}
		r.findings = append(r.findings, g)
	}
}

func (t *table) Flush() error {
	if err := t.overview(); err != nil {
		return err
	}
	t.details()
	if err := t.summing(); err != nil {
		return err
	}
	var out bytes.Buffer
	for line := range bytes.Lines(t.out.Bytes()) {
		// The last column is padded, before a second reset if it is coloured.
		line = bytes.TrimRight(line, " \n")
		if rest := bytes.TrimRight(bytes.TrimSuffix(line, []byte(reset)), " "); bytes.HasSuffix(rest, []byte(reset)) {
			line = rest
		}
		// Text that a target chose may come to stand first in a line, where
		// "::" makes it a command to GitHub Actions.
		if rest := bytes.TrimLeft(line, " "); bytes.HasPrefix(rest, []byte("::")) {
			rest[0] = '.'
		}
		out.Write(line)
		out.WriteByte('\n')
	}
	if _, err := t.w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("write table report: %w", err)
	}
	return nil
}

// overview writes one table row a target.
func (t *table) overview() error {
	if len(t.rows) == 0 {
		return nil
	}
	const verdictColumn = 2
	rows := [][]cell{{{"WORST", plain}, {"TARGET", plain}, {"VERDICT", plain}, {"PRODUCT", plain}}}
	for _, r := range t.rows {
		rows = append(rows, []cell{
			t.severity(r.severity),
			{CleanN(strings.TrimSuffix(r.url, "/"), 120), plain},
			{r.verdict, r.tone},
			{cmp.Or(r.product, "-"), plain},
		})
	}
	if err := t.grid(rows, t.width, verdictColumn); err != nil {
		return err
	}
	if t.more > 0 {
		t.prose(0, fmt.Sprintf("... and %s, none of them worse than these. %s", count(t.more, "more target", "more targets"), elsewhere), plain)
	}
	t.line("")
	return nil
}

const elsewhere = "The formats jsonl and json hold everything."

// details writes a block for each of the worst targets that has something to
// tell.
func (t *table) details() {
	blocks, left := 0, 0
	for _, r := range t.rows {
		if len(r.findings) == 0 && len(r.remarks) == 0 || r.fine && !t.o.Verbose {
			continue
		}
		if blocks == maxBlocks {
			left++
			continue
		}
		blocks++
		t.prose(0, r.url, strong)
		facts := []string{r.verdict}
		if r.product != "" {
			facts = append(facts, r.product)
		}
		t.prose(2, strings.Join(append(facts, r.facts...), "; "), r.tone)
		for _, m := range r.remarks {
			t.prose(2, m, plain)
		}
		for _, f := range r.findings {
			t.finding(f)
		}
		if r.hidden > 0 {
			t.prose(gutter, fmt.Sprintf("... and %s, none of them worse. %s", count(r.hidden, "more finding", "more findings"), elsewhere), plain)
		}
		if r.suppressed > 0 && !t.o.Verbose {
			t.prose(gutter, count(r.suppressed, "finding is", "findings are")+" suppressed.", plain)
		}
		t.line("")
	}
	if left > 0 {
		t.prose(0, fmt.Sprintf("The findings of %s are not spelled out here. %s", count(left, "more listed target", "more listed targets"), elsewhere), plain)
		t.line("")
	}
}

func (t *table) finding(f event.Finding) {
	sev := t.severity(f.Severity)
	title := f.Title
	if f.ID != "" {
		title += " [" + f.ID + "]"
	}
	if f.Suppressed != "" {
		sev.tone = faint
		title += " - suppressed: " + f.Suppressed
	}
	pad := strings.Repeat(" ", max(gutter-2-twwidth.WidthNoCache(sev.text), 0)+2)
	for i, l := range t.wrap(title, gutter) {
		if i == 0 {
			t.line(t.paint(sev.text, sev.tone) + pad + l)
		} else {
			t.line(strings.Repeat(" ", gutter) + l)
		}
	}
	if f.Detail != "" {
		detail := t.wrap(f.Detail, gutter)
		if len(detail) > 2 && !t.o.Verbose {
			detail = append(detail[:1], t.wrap(detail[1]+cutMark, gutter)[0])
			detail[1] = strings.TrimSuffix(detail[1], cutMark) + cutMark
		}
		for _, l := range detail {
			t.line(strings.Repeat(" ", gutter) + l)
		}
	}
	if f.Remediation != "" && (f.Severity.Rank() > event.Info.Rank() || t.o.Verbose) {
		t.prose(gutter, "Fix: "+f.Remediation, plain)
	}
	for _, ref := range f.References {
		t.prose(gutter, ref, plain)
	}
}

// outcomes lists the outcomes that this version knows, in the order in which
// the summary names them.
func outcomes() []string {
	return []string{
		"identified", "other", "closed", "silent", "excluded",
		"unreachable", "reset", "dns-error", "tls-error", "protocol-error", "local-error", "interrupted",
	}
}

// summing writes what a manager asks: how many, how bad, how sure.
func (t *table) summing() error {
	s := t.summary
	if s == nil {
		s = &t.seen
	}
	gateways := s.Outcomes["identified"]
	auth := map[string]int{}
	known := 0
	for _, state := range authStates() {
		auth[state] = s.Auth[state]
		known += s.Auth[state]
	}
	auth["unknown"] += max(gateways-known, 0)

	all, shown := 0, 0
	for _, n := range s.Outcomes {
		all += n
	}
	var targets, failed []string
	for i, o := range outcomes() {
		n := s.Outcomes[o]
		shown += n
		if n == 0 {
			continue
		}
		switch {
		case i == 0:
			targets = append(targets, count(n, "gateway", "gateways"))
		case o == "other":
			targets = append(targets, fmt.Sprintf("%d no known product", n))
		case o == "silent":
			targets = append(targets, fmt.Sprintf("%d no answer", n))
		case i <= 4:
			targets = append(targets, fmt.Sprintf("%d %s", n, o))
		default:
			failed = append(failed, fmt.Sprintf("%d %s", n, o))
		}
	}
	if n := all - shown; n > 0 {
		failed = append(failed, fmt.Sprintf("%d of a kind this version does not know", n))
	}

	t.line("SUMMARY")
	t.headline(s, gateways, auth, len(failed) > 0)
	t.line("")
	rows := [][]cell{{{"Targets", plain}, {listing(s.Targets, slices.Concat(targets, failed)), plain}}}

	if gateways > 0 {
		words := map[string]string{
			"open": "open", "claimable": "claimable", "required": "auth required", "gated": "gated in front",
			"blocked": "refusing the proxy", "unknown": "auth unclear",
		}
		var parts []string
		for _, state := range authStates() {
			if auth[state] > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", auth[state], words[state]))
			}
		}
		rows = append(rows, []cell{{"Gateways", plain}, {listing(int64(gateways), parts), plain}})
	}

	var found []string
	for _, sev := range slices.Backward(event.Severities()) {
		if n := s.Findings[string(sev)]; n > 0 {
			found = append(found, fmt.Sprintf("%d %s", n, sev))
		}
	}
	findings := cmp.Or(strings.Join(found, ", "), "none")
	if s.Suppressed > 0 {
		findings += fmt.Sprintf(" (%d suppressed)", s.Suppressed)
	}
	rows = append(rows, []cell{{"Findings", plain}, {findings, plain}})

	if n := auth["unknown"] + auth["blocked"]; n > 0 {
		failed = append([]string{count(n, "gateway", "gateways")}, failed...)
	}
	if len(failed) > 0 {
		rows = append(rows, []cell{{"Not judged", doubt}, {strings.Join(failed, ", ") + ". Not judged does not mean safe.", doubt}})
	}
	if m := s.MissEstimate; m.Reprobed > 0 {
		text := fmt.Sprintf("%s tried again, none answered", count(m.Reprobed, "silent target", "silent targets"))
		mood := plain
		if m.Found > 0 {
			text = fmt.Sprintf("%s tried again, %d answered: others may be missed too", count(m.Reprobed, "silent target", "silent targets"), m.Found)
			mood = doubt
		}
		rows = append(rows, []cell{{"Retried", plain}, {text, mood}})
	}
	switch {
	case t.summary == nil:
		rows = append(rows, []cell{{"Coverage", doubt}, {"INCOMPLETE: the stream ends without a summary; the numbers are those of the targets in it", doubt}})
	case !s.Complete:
		rows = append(rows, []cell{{"Coverage", doubt}, {"INCOMPLETE: not every target was judged", doubt}})
	default:
		rows = append(rows, []cell{{"Coverage", plain}, {"complete", plain}})
	}
	if t.scan != nil {
		rows = append(rows, t.provenance(s)...)
	}
	if err := t.grid(rows, min(t.width, proseWidth)); err != nil {
		return err
	}
	if len(found) > 0 {
		t.line("")
		t.prose(0, "What a finding means and how it was decided: clawsonar explain ID", plain)
	}
	return nil
}

// headline writes the result in one or two sentences; failed says that some
// targets could not be judged.
func (t *table) headline(s *event.Summary, gateways int, auth map[string]int, failed bool) {
	dark := auth["unknown"] + auth["blocked"]
	if n := auth["open"]; n > 0 {
		t.prose(0, fmt.Sprintf("%d of %s %s OPEN: whoever can reach %s is let in.",
			n, count(gateways, "gateway", "gateways"), pick(n == 1, "stands", "stand"), pick(n == 1, "it", "them")), worst)
	}
	if n := auth["claimable"]; n > 0 {
		t.prose(0, fmt.Sprintf("%d of %s %s CLAIMABLE: whoever comes first owns %s.",
			n, count(gateways, "gateway", "gateways"), pick(n == 1, "is", "are"), pick(n == 1, "it", "them")), worst)
	}
	if auth["open"]+auth["claimable"] > 0 {
		return
	}
	text, mood := "", plain
	switch {
	case dark > 0:
		text, mood = fmt.Sprintf("No gateway was seen open, but %d of %d could not be judged: do not take %s for safe.",
			dark, gateways, pick(dark == 1, "it", "them")), doubt
	case gateways > 0:
		text = fmt.Sprintf("No gateway stands open: %s a credential.", pick(gateways == 1, "the one found asks for", fmt.Sprintf("all %d found ask for", gateways)))
		if n := auth["gated"]; n > 0 {
			text += fmt.Sprintf(" For %d of them it is something in front that asks.", n)
		}
		mood = good
	case s.Targets == 0 && t.summary == nil:
		text = "There is no result: the stream holds no target."
	case s.Targets == 0:
		text = "Nothing was scanned: there was no target."
	case int64(s.Outcomes["closed"]) == s.Targets:
		text = "No gateway was found: every target refused the connection."
	case int64(s.Outcomes["silent"]) == s.Targets:
		text = "No gateway was found: no target answered."
	case int64(s.Outcomes["silent"]+s.Outcomes["closed"]) == s.Targets:
		text = "No gateway was found: every target refused the connection or did not answer."
	case failed:
		text, mood = "No gateway was found, but not every target could be judged.", doubt
	default:
		text = "No gateway was found."
	}
	if !s.Complete && s.Targets > 0 {
		text, mood = text+" The scan is incomplete.", doubt
	}
	t.prose(0, text, mood)
}

// provenance says what was run, when, and with which data.
func (t *table) provenance(s *event.Summary) [][]cell {
	scan := []string{t.text(strings.TrimSpace(t.scan.Tool.Name+" "+t.scan.Tool.Version), 60)}
	if t.scan.Level != "" {
		scan = append(scan, "level "+t.text(t.scan.Level, 20))
	}
	if t.scan.Shard != "" && t.scan.Shard != "1/1" {
		scan = append(scan, "only shard "+t.text(t.scan.Shard, 20))
	}
	if !t.scan.Started.IsZero() {
		scan = append(scan, t.scan.Started.UTC().Format("2006-01-02 15:04 UTC"))
		if d := s.Finished.Sub(t.scan.Started); !s.Finished.IsZero() && d >= 0 {
			unit := time.Second
			if d < 10*time.Second {
				unit = 100 * time.Millisecond
			}
			scan = append(scan, "took "+d.Round(unit).String())
		}
	}
	d := t.scan.Data
	mood := plain
	dated := func(name, asOf string) string {
		if asOf == "" {
			return ""
		}
		text := " as of " + t.text(asOf, 30)
		// By the scan's own clock: a stored report must not change with age.
		day, err := time.Parse(time.DateOnly, asOf[:min(10, len(asOf))])
		if err == nil && t.scan.Started.Sub(day) > staleAfter {
			mood = doubt
			text += fmt.Sprintf(" (%d days old then)", int(t.scan.Started.Sub(day).Hours()/24))
		}
		return text
	}
	data := count(d.Releases, "release", "releases")
	if d.NewestRelease != "" {
		data += " up to " + t.text(d.NewestRelease, 40)
	}
	data += dated("releases", d.ReleasesAsOf)
	if d.Advisories > 0 {
		data += ", " + count(d.Advisories, "advisory", "advisories") + dated("advisories", d.AdvisoriesAsOf)
	}
	if mood == doubt {
		data += ": update clawsonar, newer ones are not in here"
	}
	return [][]cell{{{"Scan", plain}, {strings.Join(scan, ", "), plain}}, {{"Data", plain}, {data, mood}}}
}

// listing is a total and what it is made of.
func listing(total int64, parts []string) string {
	if len(parts) == 0 {
		return fmt.Sprint(total)
	}
	return fmt.Sprintf("%d: %s", total, strings.Join(parts, ", "))
}

func pick[T any](cond bool, yes, no T) T {
	if cond {
		return yes
	}
	return no
}

// text cleans a string from the stream.
func (t *table) text(s string, limit int) string {
	s = CleanN(s, limit)
	if !t.o.ASCII {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r > '~' {
			return '?'
		}
		return r
	}, s)
}

// severity returns a severity as a cell; "-" for none.
func (t *table) severity(s event.Severity) cell {
	switch s {
	case "":
		return cell{"-", plain}
	case event.Critical:
		return cell{string(s), worst}
	case event.High:
		return cell{string(s), bad}
	case event.Medium:
		return cell{string(s), doubt}
	}
	return cell{t.text(string(s), 8), plain}
}

// cell is text in a grid. It must be clean.
type cell struct {
	text string
	tone tone
}

// grid writes rows as columns that fit into width, without lines between them.
// Columns named in firm are wrapped only if nothing else helps.
func (t *table) grid(rows [][]cell, width int, firm ...int) error {
	const gap = "  "
	widths := columns(rows, width-len(gap)*(len(rows[0])-1), firm)

	// tablewriter drops the errors of its writer and wraps by other rules, so
	// it gets a buffer and cells that fit.
	var buf bytes.Buffer
	tb := tablewriter.NewTable(&buf,
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders:  tw.BorderNone,
			Settings: tw.Settings{Separators: tw.SeparatorsNone, Lines: tw.LinesNone},
		})),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithRowAlignment(tw.AlignLeft),
		tablewriter.WithPadding(tw.Padding{Right: gap, Overwrite: true}),
	)
	for _, r := range rows {
		line := make([]any, len(r))
		for i, c := range r {
			parts := wrap(c.text, widths[i])
			for j := range parts {
				parts[j] = t.paint(parts[j], c.tone)
			}
			line[i] = strings.Join(parts, "\n")
		}
		if err := tb.Append(line...); err != nil {
			return fmt.Errorf("lay out table: %w", err)
		}
	}
	if err := tb.Render(); err != nil {
		return fmt.Errorf("lay out table: %w", err)
	}
	t.out.Write(buf.Bytes())
	return nil
}

// columns returns the widths of the columns, at most total together. The widest
// gives way first; one that is firm, or would have to break words, gives way
// last.
func columns(rows [][]cell, total int, firm []int) []int {
	const longWord = 28 // the longest IPv4 URL with a port; beyond it a word is broken like text
	widths := make([]int, len(rows[0]))
	words := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, c := range r {
			widths[i] = max(widths[i], twwidth.WidthNoCache(c.text))
			for word := range strings.FieldsSeq(c.text) {
				words[i] = max(words[i], min(twwidth.WidthNoCache(word), longWord))
			}
		}
	}
	for _, i := range firm {
		words[i] = widths[i]
	}
	sum := 0
	for _, w := range widths {
		sum += w
	}
	for _, least := range [][]int{words, make([]int, len(widths))} {
		for sum > total {
			widest := -1
			for i, w := range widths {
				if w > least[i] && w > 1 && (widest < 0 || w > widths[widest]) {
					widest = i
				}
			}
			if widest < 0 {
				break
			}
			widths[widest]--
			sum--
		}
	}
	return widths
}

// line writes a line as it is.
func (t *table) line(s string) {
	t.out.WriteString(s)
	t.out.WriteByte('\n')
}

// prose writes text wrapped and indented.
func (t *table) prose(indent int, s string, mood tone) {
	for _, l := range t.wrap(s, indent) {
		t.line(strings.Repeat(" ", indent) + t.paint(l, mood))
	}
}

func (t *table) wrap(s string, indent int) []string {
	return wrap(s, min(t.width, proseWidth)-indent)
}

// wrap breaks s at spaces into lines of at most width columns; a word that is
// wider is broken where the line is full. It returns at least one line.
func wrap(s string, width int) []string {
	var lines []string
	var line strings.Builder
	used := 0
	for word := range strings.FieldsSeq(s) {
		w := twwidth.WidthNoCache(word)
		if used > 0 && used+1+w > width {
			lines = append(lines, line.String())
			line.Reset()
			used = 0
		}
		if used > 0 {
			line.WriteByte(' ')
			used++
		}
		if w <= width {
			line.WriteString(word)
			used += w
			continue
		}
		for _, r := range word {
			w := twwidth.WidthNoCache(string(r))
			if used > 0 && used+w > width {
				lines = append(lines, line.String())
				line.Reset()
				used = 0
			}
			line.WriteRune(r)
			used += w
		}
	}
	return append(lines, line.String())
}

const reset = "\x1b[0m"

// paint colours s, if colours are wanted.
func (t *table) paint(s string, mood tone) string {
	code := ""
	switch mood {
	case good:
		code = "32"
	case doubt:
		code = "33"
	case bad:
		code = "31"
	case worst:
		code = "1;31"
	case strong:
		code = "1"
	case faint:
		code = "2"
	}
	if code == "" || s == "" || !t.o.Color {
		return s
	}
	return "\x1b[" + code + "m" + s + reset
}
