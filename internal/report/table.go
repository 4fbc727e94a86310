package report

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
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
)

// table writes what an operator needs in an emergency: an overview of the
// targets, worst first, the findings with their fixes, and last, where a
// terminal stops, the summary. It writes all of it in Flush.
type table struct {
	w     io.Writer
	o     Options
	width int

	*tally
	postures
	out bytes.Buffer
	err error // of laying out a grid
}

func newTable(w io.Writer, o Options, c *catalogue) Sink {
	width := o.Width
	if width <= 0 {
		width = defaultWidth
	}
	t := &table{w: w, o: o, width: max(width, minWidth), tally: newTally(c, o)}
	t.clean = t.ascii
	t.worst.limit = maxRows
	return t
}

func (t *table) Event(e event.Event) error {
	t.tally.event(e)
	t.postures.add(e)
	return nil
}

func (t *table) Flush() error {
	all := t.postures.sorted()
	if len(all)+len(t.totals().Posture) > 0 {
		t.declared(all)
	}
	if len(all)+len(t.totals().Posture) == 0 || t.o.Verbose {
		t.scanned()
	}
	if t.err != nil {
		return fmt.Errorf("lay out table: %w", t.err)
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

// scanned writes what a scan found.
func (t *table) scanned() {
	cards := t.worst.sorted()
	t.overview(cards)
	t.doFirst()
	t.differences()
	t.details(cards)
	t.grouped()
	t.summing()
}

// overview writes one table row a target.
func (t *table) overview(cards []card) {
	if len(cards) == 0 {
		return
	}
	const verdictColumn = 2
	rows := [][]cell{{{t.c.say("WORST"), plain}, {t.c.say("TARGET"), plain}, {t.c.say("VERDICT"), plain}, {t.c.say("PRODUCT"), plain}}}
	for _, x := range cards {
		verdict, tone := t.c.verdict(x.Target)
		rows = append(rows, []cell{
			t.severity(x.Severity),
			{t.ascii(shownURL(where(x.Target.Target)), 120), plain},
			{t.ascii(verdict, 60), tone},
			{cmp.Or(t.ascii(t.c.product(x.Target), 100), "-"), plain},
		})
	}
	t.grid(rows, t.width, verdictColumn)
	if more := t.c.moreTargets(t.worst.more); more != "" {
		t.prose(0, t.c.join(more, t.c.elsewhere()), plain)
	}
	t.line("")
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
	lines := Wrap(c, t.width-len(indent)-4)
	for i, l := range lines {
		t.line(pick(i == 0, indent, indent+"  ") + t.paint(l, strong) + pick(i < len(lines)-1, " \\", ""))
	}
}

// differences names what a comparison found.
func (t *table) differences() {
	for _, b := range t.newsBlocks() {
		t.line(t.paint(strings.ToUpper(t.ascii(b.Title, 100)), b.Tone))
		var rows [][]cell
		for _, r := range b.Rows {
			text := t.ascii(r.Text, 200)
			if r.ID != "" {
				text += " [" + t.ascii(r.ID, 60) + "]"
			}
			row := []cell{t.severity(r.Severity), {t.ascii(r.Where, 120), plain}, {text, plain}}
			if r.Severity == "" {
				row = row[1:]
			}
			rows = append(rows, row)
		}
		t.grid(rows, t.width)
		if b.More != "" {
			t.prose(0, b.More, plain)
		}
		t.line("")
	}
}

// grouped writes the totals by check, release and network.
func (t *table) grouped() {
	for _, k := range t.totalled() {
		head := []cell{{strings.ToUpper(t.ascii(k.Title, 60)), plain}, {t.c.say("TARGETS"), plain}, {t.c.say("OPEN"), plain}}
		if k.Check {
			head = append([]cell{{t.c.say("WORST"), plain}}, head...)
		}
		rows := [][]cell{head}
		for _, g := range k.Groups {
			row := []cell{{t.ascii(g.Name, 100), plain}, {strconv.Itoa(g.Targets), plain}, {strconv.Itoa(g.Open), pick(g.Open > 0, worst, plain)}}
			if k.Check {
				row = append([]cell{t.severity(g.Severity)}, row...)
			}
			rows = append(rows, row)
		}
		t.grid(rows, min(t.width, proseWidth))
		if k.More != "" {
			t.prose(0, k.More, plain)
		}
		t.line("")
	}
}

// details writes a block for each of the worst targets that has something to
// tell.
func (t *table) details(cards []card) {
	blocks, left := 0, 0
	for _, x := range cards {
		a := t.account(x.Target)
		suppressed := 0
		if !t.o.Verbose {
			all := len(a.findings)
			a.findings = slices.DeleteFunc(a.findings, func(f *event.Finding) bool { return f.Suppressed != "" })
			suppressed = all - len(a.findings)
		}
		fine := a.Tone == good && x.Severity.Rank() <= event.Info.Rank() && len(x.Notes) == 0 && !differs(x.Target)
		empty := len(a.findings)+len(a.Changes)+len(a.Notes) == 0 && a.Others == "" && (x.Error == "" || !t.o.Verbose)
		if empty || fine && !t.o.Verbose {
			continue
		}
		if blocks == maxBlocks {
			left++
			continue
		}
		blocks++
		t.block(x.Target, a, suppressed)
	}
	if left > 0 {
		t.prose(0, t.c.join(t.c.moreBlocks(left), t.c.elsewhere()), plain)
		t.line("")
	}
}

// block tells all about a target, of which some findings were left out.
func (t *table) block(x *event.Target, a account, suppressed int) {
	c := t.c
	notes, findings := 3, maxFindings
	if t.o.Verbose {
		notes, findings = maxVerbose, maxVerbose
	}
	t.prose(0, t.ascii(a.Where, 200), strong)
	t.prose(2, t.ascii(a.heading(c), clean.Limit), a.Tone)
	for _, s := range a.Changes[:min(len(a.Changes), 3)] {
		t.prose(2, t.ascii(s, 200), plain)
	}
	for _, s := range a.Notes[:min(len(a.Notes), notes)] {
		t.prose(2, c.say("Note: %s", t.ascii(s, clean.Limit)), plain)
	}
	if x.Error != "" && t.o.Verbose {
		t.prose(2, c.say("Error: %s", t.ascii(c.optional(x.Error, x.ErrorMessage), clean.Limit)), plain)
	}
	for _, f := range a.findings[:min(len(a.findings), findings)] {
		t.finding(x, f)
	}
	if n := len(a.findings) - findings; n > 0 {
		t.prose(gutter, c.join(c.count(n, "... and %d more finding, no worse.", "... and %d more findings, none of them worse."), c.elsewhere()), plain)
	}
	if a.Others != "" {
		t.prose(gutter, a.Others, plain)
	}
	if suppressed > 0 {
		t.prose(gutter, c.count(suppressed, "%d finding is suppressed.", "%d findings are suppressed."), plain)
	}
	t.line("")
}

func (t *table) finding(x *event.Target, f *event.Finding) {
	sev := t.severity(f.Severity)
	title := t.ascii(t.c.title(f), 200)
	if f.ID != "" {
		title += " [" + t.ascii(f.ID, 60) + "]"
	}
	switch {
	case f.Suppressed != "":
		sev.tone = faint
		title = t.c.say("%s - suppressed: %s", title, t.ascii(t.c.suppressed(f), 100))
	case f.Change != "":
		title = t.c.join(t.ascii(t.changeMark(f.Change), 100), title)
		if !f.Active() && !t.across() {
			sev.tone = faint
		}
	}
	for i, l := range t.wrap(title, gutter) {
		before := strings.Repeat(" ", gutter)
		if i == 0 {
			before = t.paint(sev.text, sev.tone) + strings.TrimPrefix(Pad(sev.text, gutter-2)+"  ", sev.text)
		}
		t.line(before + l)
	}
	if detail := t.ascii(t.c.detail(f), clean.Limit); detail != "" {
		if !t.o.Verbose {
			detail = t.short(detail)
		}
		t.prose(gutter, detail, plain)
	}
	places, more := t.c.locations(x, f.Locations)
	for i, p := range places {
		t.prose(pick(i == 0, gutter, gutter+2), t.ascii(t.c.inFile(p), 300), pick(i == 0, strong, plain))
	}
	if more != "" {
		t.prose(gutter+2, more, plain)
	}
	fix := t.ascii(t.c.fix(f, isOpenClaw(x)), 2*clean.Limit)
	if fix != "" && f.Change != event.Closed && (f.Severity.Rank() > event.Info.Rank() || t.o.Verbose) {
		t.prose(gutter, t.c.say("Fix: %s", fix), plain)
		t.change(f)
	}
	if t.o.Verbose {
		for _, ref := range f.References[:min(10, len(f.References))] {
			t.prose(gutter, t.ascii(ref, 200), plain)
		}
	}
}

// change writes the lines of the change that fixes a finding.
func (t *table) change(f *event.Finding) {
	for _, l := range diffLines(f) {
		if t.o.ASCII {
			l = strings.Map(func(r rune) rune { return pick(r > '~', '?', r) }, l)
		}
		lines := Wrap(l, t.width-gutter)
		if len(lines) == 1 { // with its indent
			lines[0] = l
		}
		for _, part := range lines {
			t.line(strings.Repeat(" ", gutter) + t.paint(part, pick(strings.HasPrefix(l, "+"), good, pick(strings.HasPrefix(l, "-"), bad, plain))))
		}
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
func (t *table) summing() {
	t.line(t.c.say("SUMMARY"))
	for _, s := range t.headline() {
		t.prose(0, s.Text, s.Tone)
	}
	if s := t.conclusion(); s != "" {
		t.line("")
		t.prose(0, t.ascii(s, 2*clean.Limit), plain)
	}
	t.line("")
	var rows [][]cell
	for _, f := range t.facts() {
		rows = append(rows, []cell{{f.Name, pick(f.Tone == doubt, doubt, plain)}, {f.Text, f.Tone}})
	}
	t.grid(rows, min(t.width, proseWidth))
	if len(t.totals().Findings) > 0 {
		t.line("")
		t.prose(0, t.c.say("What a finding means and how it was decided: %s", "clawsonar explain ID"), plain)
	}
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
func (t *table) grid(rows [][]cell, width int, firm ...int) {
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
			parts := Wrap(c.text, widths[i])
			for j := range parts {
				parts[j] = t.paint(parts[j], c.tone)
			}
			line[i] = strings.Join(parts, "\n")
		}
		t.err = errors.Join(t.err, tb.Append(line...))
	}
	t.err = errors.Join(t.err, tb.Render())
	t.out.Write(buf.Bytes())
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
	return Wrap(s, min(t.width, proseWidth)-indent)
}

// Wrap breaks s at spaces, and between wide characters, into lines of at most
// width columns; a word that is wider is broken where the line is full. It
// returns at least one line.
func Wrap(s string, width int) []string {
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
