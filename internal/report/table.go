package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/pkg/twwidth"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
)

// What the table holds at most, so that its memory does not grow with the
// scan. The other formats hold everything.
const (
	maxRows     = 50  // targets in the overview
	maxBlocks   = 20  // targets whose findings are shown in detail
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
	more int   // targets that would be listed without the limit

	*tally
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
	others                int // findings of a severity that is not shown
	suppressed            int
	fine                  bool // judged, and nothing to do: only listed
	gateway               string
}

func newTable(w io.Writer, o Options, c *catalogue) Sink {
	width := o.Width
	if width <= 0 {
		width = defaultWidth
	}
	t := &table{w: w, o: o, width: max(width, minWidth), tally: newTally(c, o)}
	t.clean = t.ascii
	return t
}

func (t *table) Event(e event.Event) error {
	t.tally.event(e)
	if x, ok := e.(*event.Target); ok {
		t.add(x)
	}
	return nil
}

// add keeps a target if it is among the worst so far.
func (t *table) add(x *event.Target) {
	if (x.Outcome == event.OutcomeClosed || x.Outcome == event.OutcomeSilent) && !t.o.Verbose && len(x.Changes) == 0 {
		return
	}
	r := row{
		target:   event.Address{IP: t.ascii(x.Target.IP, 60), Port: x.Target.Port},
		severity: worstSeverity(x.Findings),
		alarm:    alarm(x),
		url:      t.ascii(where(x.Target), 200),
		gateway:  gatewayURL(x),
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
	v, tone := t.c.verdict(x)
	r.fine = tone == good && r.severity.Rank() <= event.Info.Rank() && len(x.Notes) == 0
	r.verdict, r.tone = t.ascii(v, 60), tone
	r.product = t.ascii(t.c.product(x), 100)

	if x.Target.Name != "" && x.Target.IP != "" {
		r.facts = append(r.facts, t.c.say("address %s", r.target.IP))
	}
	if x.Target.Reach == event.ReachPublic {
		r.facts = append(r.facts, t.c.say("globally reachable"))
	}
	if x.Target.Bound != "" {
		r.facts = append(r.facts, t.c.say("listens on %s", t.ascii(x.Target.Bound, 60)))
	}
	if x.Target.Process != "" {
		r.facts = append(r.facts, t.c.say("process %s", t.ascii(x.Target.Process, 60)))
	}
	if x.Front != nil && x.Front.Kind != "" {
		r.facts = append(r.facts, t.c.say("behind %s", t.ascii(x.Front.Kind, 60)))
	}

	for _, ch := range x.Changes[:min(len(x.Changes), 3)] {
		r.remarks = append(r.remarks, t.ascii(t.c.change(ch), 200))
	}
	limit := 3
	if t.o.Verbose {
		limit = maxVerbose
	}
	notes := x.AllNotes()
	for _, n := range notes[:min(limit, len(notes))] {
		r.remarks = append(r.remarks, t.c.say("Note: %s", t.ascii(t.c.messages(n.English, n.Message), clean.Limit)))
	}
	if x.Error != "" && t.o.Verbose {
		r.remarks = append(r.remarks, t.c.say("Error: %s", t.ascii(t.c.optional(x.Error, x.ErrorMessage), clean.Limit)))
	}

	var fs []*event.Finding
	for i := range x.Findings {
		f := &x.Findings[i]
		if !t.o.shows(f) {
			r.others++
			continue
		}
		if f.Suppressed != "" {
			if r.suppressed++; !t.o.Verbose {
				continue
			}
		}
		fs = append(fs, f)
	}
	slices.SortStableFunc(fs, func(a, b *event.Finding) int {
		if a, b := a.Active(), b.Active(); a != b {
			return pick(a, -1, 1)
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
			ID:          t.ascii(f.ID, 60),
			Severity:    f.Severity,
			Title:       t.ascii(t.c.title(f), 200),
			Detail:      t.ascii(t.c.detail(f), clean.Limit),
			Remediation: t.ascii(t.c.fix(f, isOpenClaw(x)), 2*clean.Limit),
			Suppressed:  t.ascii(t.c.suppressed(f), 100),
			Change:      f.Change,
		}
		if t.o.Verbose {
			for _, ref := range f.References[:min(10, len(f.References))] {
				g.References = append(g.References, t.ascii(ref, 200))
			}
		}
		r.findings = append(r.findings, g)
	}
}

func (t *table) Flush() error {
	t.rows = together(t.rows, func(r *row) string { return r.gateway })
	if err := t.overview(); err != nil {
		return err
	}
	t.doFirst()
	if err := t.differences(); err != nil {
		return err
	}
	t.details()
	if err := t.grouped(); err != nil {
		return err
	}
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
	rows := [][]cell{{{t.c.say("WORST"), plain}, {t.c.say("TARGET"), plain}, {t.c.say("VERDICT"), plain}, {t.c.say("PRODUCT"), plain}}}
	for _, r := range t.rows {
		rows = append(rows, []cell{
			t.severity(r.severity),
			{clean.N(strings.TrimSuffix(r.url, "/"), 120), plain},
			{r.verdict, r.tone},
			{cmp.Or(r.product, "-"), plain},
		})
	}
	if err := t.grid(rows, t.width, verdictColumn); err != nil {
		return err
	}
	if t.more > 0 {
		t.prose(0, t.c.join(t.c.count(t.more, "... and %d more target, no worse than these.", "... and %d more targets, none of them worse than these."), t.elsewhere()), plain)
	}
	t.line("")
	return nil
}

// doFirst writes what to do first, each command on a line of its own.
func (t *table) doFirst() {
	todos := t.first()
	if len(todos) == 0 {
		return
	}
	t.line(t.paint(t.c.say("DO THIS FIRST"), strong))
	for i, d := range todos {
		number := strconv.Itoa(i+1) + ". "
		for j, l := range t.wrap(t.ascii(t.c.todoLine(d), 2*clean.Limit), len(number)) {
			t.line(pick(j == 0, number, strings.Repeat(" ", len(number))) + l)
		}
		for _, c := range d.commands {
			t.command(c)
		}
		if len(d.prove) > 0 {
			t.prose(3, t.c.say("Then scan again:"), plain)
		}
		for _, c := range d.prove {
			t.command(c)
		}
	}
	for _, n := range t.firstNotes(todos) {
		t.prose(3, n, faint)
	}
	t.line("")
}

// command writes a command so that it can be copied: what does not fit continues in
// the next line behind a backslash, which a shell joins again.
func (t *table) command(c string) {
	const indent = "     "
	lines := wrap(c, t.width-len(indent)-4)
	for i, l := range lines {
		t.line(pick(i == 0, indent, indent+"  ") + t.paint(l, strong) + pick(i < len(lines)-1, " \\", ""))
	}
}

// differences names what a comparison found.
func (t *table) differences() error {
	for _, b := range t.newsBlocks() {
		t.line(t.paint(strings.ToUpper(t.ascii(b.title, 100)), b.tone))
		var rows [][]cell
		for _, r := range b.rows {
			text := t.ascii(r.text, 200)
			if r.id != "" {
				text += " [" + t.ascii(r.id, 60) + "]"
			}
			row := []cell{t.severity(r.severity), {t.ascii(r.where, 120), plain}, {text, plain}}
			if r.severity == "" {
				row = row[1:]
			}
			rows = append(rows, row)
		}
		if err := t.grid(rows, t.width); err != nil {
			return err
		}
		if b.more > 0 {
			t.prose(0, t.c.say("... and %d more", b.more), plain)
		}
		t.line("")
	}
	return nil
}

// grouped writes the totals by check, release and network.
func (t *table) grouped() error {
	for _, k := range t.totalled() {
		head := []cell{{strings.ToUpper(t.ascii(k.title, 60)), plain}, {t.c.say("TARGETS"), plain}, {t.c.say("OPEN"), plain}}
		if k.check {
			head = append([]cell{{t.c.say("WORST"), plain}}, head...)
		}
		rows := [][]cell{head}
		for _, g := range k.groups {
			row := []cell{{t.ascii(g.Name, 100), plain}, {strconv.Itoa(g.Targets), plain}, {strconv.Itoa(g.Open), pick(g.Open > 0, worst, plain)}}
			if k.check {
				row = append([]cell{t.severity(g.Severity)}, row...)
			}
			rows = append(rows, row)
		}
		if err := t.grid(rows, min(t.width, proseWidth)); err != nil {
			return err
		}
		if k.more > 0 {
			t.prose(0, t.c.say("... and %d more", k.more), plain)
		}
		t.line("")
	}
	return nil
}

func (t *table) elsewhere() string { return t.c.say("The formats jsonl and json contain everything.") }

// details writes a block for each of the worst targets that has something to
// tell.
func (t *table) details() {
	blocks, left := 0, 0
	for _, r := range t.rows {
		if len(r.findings) == 0 && len(r.remarks) == 0 && r.others == 0 || r.fine && !t.o.Verbose {
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
		t.prose(2, strings.Join(append(facts, r.facts...), t.c.say("; ")), r.tone)
		for _, m := range r.remarks {
			t.prose(2, m, plain)
		}
		for _, f := range r.findings {
			t.finding(f)
		}
		if r.hidden > 0 {
			t.prose(gutter, t.c.join(t.c.count(r.hidden, "... and %d more finding, no worse.", "... and %d more findings, none of them worse."), t.elsewhere()), plain)
		}
		if r.others > 0 {
			t.prose(gutter, t.c.count(r.others, "%d finding of another severity is not shown.", "%d findings of other severities are not shown."), plain)
		}
		if r.suppressed > 0 && !t.o.Verbose {
			t.prose(gutter, t.c.count(r.suppressed, "%d finding is suppressed.", "%d findings are suppressed."), plain)
		}
		t.line("")
	}
	if left > 0 {
		t.prose(0, t.c.join(t.c.count(left, "The findings of %d more listed target are not shown in detail here.", "The findings of %d more listed targets are not shown in detail here."), t.elsewhere()), plain)
		t.line("")
	}
}

func (t *table) finding(f event.Finding) {
	sev := t.severity(f.Severity)
	title := f.Title
	if f.ID != "" {
		title += " [" + f.ID + "]"
	}
	switch {
	case f.Suppressed != "":
		sev.tone = faint
		title = t.c.say("%s - suppressed: %s", title, f.Suppressed)
	case f.Change != "":
		title = t.c.join(t.c.changeMark(f.Change), title)
		if !f.Active() {
			sev.tone = faint
		}
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
		detail := f.Detail
		if !t.o.Verbose {
			detail = t.short(detail)
		}
		t.prose(gutter, detail, plain)
	}
	if f.Remediation != "" && f.Change != event.Closed && (f.Severity.Rank() > event.Info.Rank() || t.o.Verbose) {
		t.prose(gutter, t.c.say("Fix: %s", f.Remediation), plain)
	}
	for _, ref := range f.References {
		t.prose(gutter, ref, plain)
	}
}

const (
	detailLines = 3 // of a finding, without Options.Verbose
	detailMost  = 6 // where a sentence says what must not be lost
)

// keepWhole matches what is of no use in part: a release, and what is quoted,
// which is a command or a setting.
var keepWhole = regexp.MustCompile(`\b20[0-9]{2}\.[0-9]+\.[0-9]+|"[^"]+"`)

// short is a detail in a few lines: whole sentences from its beginning. One that
// names a release or a command is not left out for want of space.
func (t *table) short(s string) string {
	if len(t.wrap(s, gutter)) <= detailLines {
		return s
	}
	out := ""
	for i, part := range clauses(s) {
		n := len(t.wrap(out+part+clean.CutMark, gutter))
		if n <= detailLines || i > 0 && n <= detailMost && keepWhole.MatchString(part) {
			out += part
			continue
		}
		if i > 0 {
			break
		}
		// One sentence without an end: no check of ours writes one so long.
		if lines := t.wrap(part, gutter); len(lines) > detailMost {
			part = strings.Join(lines[:detailMost-1], " ")
		}
		out = part
	}
	return strings.TrimRight(out, " ") + " " + clean.CutMark
}

// clauses splits a text after full stops, the spaces that follow included.
func clauses(s string) []string {
	var out []string
	start := 0
	for i, r := range s {
		end := i + utf8.RuneLen(r)
		if r == '。' || r == '.' && strings.HasPrefix(s[end:], " ") && (end+1 == len(s) || !unicode.IsLower(rune(s[end+1]))) {
			if r == '.' {
				end++
			}
			out = append(out, s[start:end])
			start = end
		}
	}
	if start < len(s) {
		out = append(out, s[start:])
	}
	return out
}

// ascii cleans a string from the stream.
func (t *table) ascii(s string, limit int) string {
	s = clean.N(s, limit)
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

// summing writes what a manager asks: how many, how bad, how sure.
func (t *table) summing() error {
	t.line(t.c.say("SUMMARY"))
	for _, s := range t.headline() {
		t.prose(0, s.text, s.tone)
	}
	if s := t.conclusion(); s != "" {
		t.line("")
		t.prose(0, t.ascii(s, 2*clean.Limit), plain)
	}
	t.line("")
	var rows [][]cell
	for _, f := range t.facts() {
		rows = append(rows, []cell{{f.name, pick(f.tone == doubt, doubt, plain)}, {f.text, f.tone}})
	}
	if err := t.grid(rows, min(t.width, proseWidth)); err != nil {
		return err
	}
	if len(t.totals().Findings) > 0 {
		t.line("")
		t.prose(0, t.c.say("What a finding means and how it was decided: %s", "clawsonar explain ID"), plain)
	}
	return nil
}

// severity returns a severity as a cell; "-" for none.
func (t *table) severity(s event.Severity) cell {
	if s == "" {
		return cell{"-", plain}
	}
	tones := [...]tone{plain, plain, plain, doubt, bad, worst}
	return cell{t.ascii(t.c.severity(s), 8), tones[s.Rank()]}
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

// wrap breaks s at spaces, and between wide characters, into lines of at most
// width columns; a word that is wider is broken where the line is full. It
// returns at least one line.
func wrap(s string, width int) []string {
	var lines []string
	var line strings.Builder
	used := 0
	end := func() {
		lines = append(lines, line.String())
		line.Reset()
		used = 0
	}
	for _, u := range units(s) {
		w := twwidth.WidthNoCache(u.text)
		gap := 0
		if u.spaced && used > 0 {
			gap = 1
		}
		if used > 0 && used+gap+w > width {
			end()
			gap = 0
		}
		if gap > 0 {
			line.WriteByte(' ')
			used++
		}
		if w <= width {
			line.WriteString(u.text)
			used += w
			continue
		}
		for _, r := range u.text {
			w := twwidth.WidthNoCache(string(r))
			if used > 0 && used+w > width {
				end()
			}
			line.WriteRune(r)
			used += w
		}
	}
	return append(lines, line.String())
}

// unit is what a line is not broken within.
type unit struct {
	text   string
	spaced bool // a space goes before it
}

// units splits s into words, and those at wide characters, which scripts without
// spaces use. Punctuation stays with what it closes or opens.
func units(s string) []unit {
	const closing, opening = "，。；：、！？）】》”’", "（【《“‘"
	var out []unit
	for word := range strings.FieldsSeq(s) {
		cur, spaced := "", true
		flush := func() {
			if cur != "" {
				out = append(out, unit{cur, spaced})
				cur, spaced = "", false
			}
		}
		last := rune(0)
		for _, r := range word {
			wide := twwidth.WidthNoCache(string(r)) > 1 && r != last
			if wide || twwidth.WidthNoCache(string(last)) > 1 {
				glued := strings.ContainsRune(closing, r) || strings.ContainsRune(opening, last)
				if !glued && cur != "" {
					flush()
				}
			}
			cur += string(r)
			last = r
		}
		flush()
	}
	return out
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
