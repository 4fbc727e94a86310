package report

import (
	"fmt"
	"html"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
)

const (
	// markdownLimit leaves a caller space in a comment, of which GitHub takes
	// 65,536 characters.
	markdownLimit = 64_000
	markdownCards = 100 // targets that are kept: more do not fit anyway
	markdownOpen  = 3   // targets of which the findings are unfolded
)

// markdown writes a comment for a pull or merge request: the result, the targets
// worst first, and folded up what to do. What does not fit is counted. All of it
// is written in Flush.
type markdown struct {
	*tally
	w    io.Writer
	b    strings.Builder
	used int // characters in b
}

func newMarkdown(w io.Writer, o Options, c *catalogue) Sink {
	if o.View != "" {
		return newControls(w, o, c)
	}
	m := &markdown{tally: newTally(c, o), w: w}
	m.worst.limit, m.worst.named = markdownCards, true
	return m
}

func (m *markdown) Event(e event.Event) error {
	m.tally.event(e)
	return nil
}

func (m *markdown) Flush() error {
	c := m.c
	m.put("## " + md(c.say("clawsonar: %s", m.title())) + "\n\n")
	for _, s := range m.headline() {
		m.put(pick(s.Tone == worst || s.Tone == bad || s.Tone == doubt, "**"+md(s.Text)+"**", md(s.Text)) + "\n\n")
	}
	var facts strings.Builder
	facts.WriteString("| | |\n|---|---|\n")
	for _, f := range m.facts() {
		fmt.Fprintf(&facts, "| %s | %s |\n", md(f.Name), md(f.Text))
	}
	footer := "<details><summary>" + htmlText(c.say("Coverage and data")) + "</summary>\n\n" + facts.String() + "\n</details>\n\n" +
		md(c.say("What a finding means and how it was decided:")) + " `clawsonar explain ID`\n"
	space := markdownLimit - utf8.RuneCountInString(footer) - 500 // and what was left out

	if s := m.conclusion(); s != "" {
		m.put(md(s) + "\n\n")
	}
	m.put(m.doFirst())
	m.put(m.differences())
	cards := m.worst.sorted()
	if len(cards) > 0 {
		m.put(fmt.Sprintf("| %s | %s | %s | %s |\n|---|---|---|---|\n", md(c.say("Worst")), md(c.say("Target")), md(c.say("Verdict")), md(c.say("Product"))))
		rows := 0
		for i := range cards {
			row := m.row(&cards[i])
			// Half of the space is for the findings.
			if !m.fits(row, space/2) {
				break
			}
			m.put(row)
			rows++
		}
		if left := c.moreTargets(len(cards) - rows + m.worst.more); left != "" {
			m.put("\n" + md(left) + "\n")
		}
		m.put("\n")
	}
	left, unfolded := 0, 0
	for i := range cards {
		block := m.block(&cards[i], unfolded < markdownOpen)
		if block == "" {
			continue
		}
		if left > 0 || !m.fits(block, space) {
			left++
			continue
		}
		unfolded++
		m.put(block)
	}
	if left > 0 {
		m.put(md(c.moreBlocks(left)) + "\n\n")
	}
	if totals := m.grouped(); m.fits(totals, space) {
		m.put(totals)
	}
	m.put(footer)
	if _, err := io.WriteString(m.w, m.b.String()); err != nil {
		return fmt.Errorf("write markdown report: %w", err)
	}
	return nil
}

// doFirst is what to do first, with its commands in blocks that can be copied.
func (m *markdown) doFirst() string {
	c, todos := m.c, m.first()
	if len(todos) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n", md(c.say("Do this first")))
	for i, d := range todos {
		fmt.Fprintf(&b, "%d. %s\n", i+1, md(c.todoLine(d)))
		if commands := slices.Concat(d.commands, d.prove); len(commands) > 0 {
			b.WriteString("\n   ```sh\n")
			for _, x := range commands {
				fmt.Fprintf(&b, "   %s\n", x)
			}
			b.WriteString("   ```\n")
		}
	}
	b.WriteString("\n")
	for _, n := range m.firstNotes(todos) {
		fmt.Fprintf(&b, "- %s\n", md(n))
	}
	b.WriteString("\n")
	return b.String()
}

// differences names what a comparison found.
func (m *markdown) differences() string {
	var b strings.Builder
	for _, x := range m.newsBlocks() {
		fmt.Fprintf(&b, "### %s\n\n", md(x.Title))
		for _, r := range x.Rows {
			line := mdCode(r.Where) + " " + md(r.Text)
			if r.Severity != "" {
				line = severityCell(m.c, r.Severity) + " " + line
			}
			fmt.Fprintf(&b, "- %s %s\n", line, mdCode(r.ID))
		}
		if x.More != "" {
			fmt.Fprintf(&b, "- %s\n", md(x.More))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// grouped are the totals by check, release and network, folded up.
func (m *markdown) grouped() string {
	var b strings.Builder
	for _, k := range m.totalled() {
		fmt.Fprintf(&b, "<details><summary>%s</summary>\n\n| %s | %s | %s |\n|---|---|---|\n", htmlText(k.Title), md(k.Name), md(m.c.say("Targets")), md(m.c.say("Open")))
		for _, g := range k.Groups {
			fmt.Fprintf(&b, "| %s | %d | %d |\n", mdCode(g.Name), g.Targets, g.Open)
		}
		if k.More != "" {
			fmt.Fprintf(&b, "\n%s\n", md(k.More))
		}
		b.WriteString("\n</details>\n\n")
	}
	return b.String()
}

// title is the result in a few words.
func (m *markdown) title() string {
	c, s := m.c, m.totals()
	if d := s.Diff; d != nil {
		if first, second, ok := m.vantages(); ok {
			return m.vantagesTitle(d, first, second)
		}
		if n := m.unjudged.Count; n > 0 {
			return c.say("%d new, %d gone, %d not judged", d.Opened, d.Closed, n)
		}
		return c.say("%d new, %d gone", d.Opened, d.Closed)
	}
	for _, x := range m.graded() {
		if x.N > 0 && x.Severity != event.Info {
			return pick(x.N == 1, c.say("%d %s finding", x.N, c.severity(x.Severity)), c.say("%d %s findings", x.N, c.severity(x.Severity)))
		}
	}
	if n := m.auth()[event.AuthUnknown] + m.auth()[event.AuthBlocked]; n > 0 || m.unjudged.Count > 0 || len(m.failed()) > 0 || !s.Complete || s.Targets == 0 {
		return c.say("not everything could be judged")
	}
	return c.say("nothing to do")
}

func (m *markdown) put(s string) {
	m.b.WriteString(s)
	m.used += utf8.RuneCountInString(s)
}

func (m *markdown) fits(s string, space int) bool { return m.used+utf8.RuneCountInString(s) <= space }

func (m *markdown) row(x *card) string {
	verdict, _ := m.c.verdict(x.Target)
	product := m.c.product(x.Target)
	return fmt.Sprintf("| %s | %s | %s | %s |\n", severityCell(m.c, x.Severity), mdCode(where(x.Target.Target)), md(verdict), pick(product == "", "–", md(product)))
}

func severityCell(c *catalogue, s event.Severity) string {
	switch {
	case s == "":
		return "–"
	case s.Rank() >= event.High.Rank():
		return "**" + md(c.severity(s)) + "**"
	}
	return md(c.severity(s))
}

// block spells out the findings of a target; "" if there is nothing to tell.
func (m *markdown) block(x *card, open bool) string {
	c := m.c
	if len(x.Findings)+len(x.Notes)+len(x.Changes) == 0 && (x.Files == nil || len(x.Files.Unjudged) == 0) {
		return ""
	}
	a := m.account(x.Target)
	var b strings.Builder
	fmt.Fprintf(&b, "<details%s><summary><code>%s</code> %s</summary>\n\n", pick(open, " open", ""), htmlText(a.Where), htmlText(a.heading(c)))
	for _, ch := range a.Changes {
		fmt.Fprintf(&b, "- %s\n", md(ch))
	}
	for _, f := range a.findings {
		b.WriteString(m.finding(x.Target, f))
	}
	if a.Others != "" {
		fmt.Fprintf(&b, "- %s\n", md(a.Others))
	}
	for _, n := range a.Notes {
		fmt.Fprintf(&b, "- %s\n", md(c.say("Note: %s", n)))
	}
	if text := m.advisories(x.Target); text != "" {
		fmt.Fprintf(&b, "- %s\n", text)
	}
	b.WriteString("\n</details>\n\n")
	return b.String()
}

func (m *markdown) finding(x *event.Target, f *event.Finding) string {
	c := m.c
	title := md(c.say("%s: %s", c.severity(f.Severity), c.title(f)))
	switch {
	case f.Suppressed != "":
		return fmt.Sprintf("- ~~%s~~ %s (%s)\n", title, mdCode(f.ID), md(c.say("suppressed: %s", c.suppressed(f))))
	case !f.Active() && !m.across():
		return fmt.Sprintf("- ~~%s~~ %s\n", c.join(md(m.changeMark(f.Change)), title), mdCode(f.ID))
	}
	if f.Change != "" {
		title = c.join(md(m.changeMark(f.Change)), title)
	}
	out := fmt.Sprintf("- **%s** %s\n  <br>%s\n", title, mdCode(f.ID), md(c.detail(f)))
	if f.Remediation != "" && f.Severity.Rank() > event.Info.Rank() {
		out += fmt.Sprintf("  <br>**%s** %s\n", md(c.say("Fix:")), md(c.fix(f, isOpenClaw(x))))
	}
	places, more := c.locations(x, f.Locations)
	for _, p := range places {
		out += fmt.Sprintf("  - %s %s\n", mdCode(p.At), md(p.Says))
	}
	if more != "" {
		out += fmt.Sprintf("  - %s\n", md(more))
	}
	if lines := diffLines(f); len(lines) > 0 {
		out += "\n  ~~~~diff\n"
		for _, l := range lines {
			out += "  " + strings.ReplaceAll(l, "~~~", "~ ~ ~") + "\n"
		}
		out += "  ~~~~\n"
	}
	return out
}

// advisories counts those that stand and names the first.
func (m *markdown) advisories(t *event.Target) string {
	const named = 5
	var names []string
	n := 0
	for i := range t.Advisories {
		a := &t.Advisories[i]
		if a.Suppressed != "" {
			continue
		}
		if n++; len(names) == named {
			continue
		}
		name := mdCode(a.ID)
		if u := advisoryURL(a.ID); u != "" {
			name = "[" + a.ID + "](" + u + ")"
		}
		names = append(names, name+" ("+md(m.c.severity(a.Severity))+")")
	}
	if n == 0 {
		return ""
	}
	return md(m.c.count(n, "%d advisory that concerns the gateway's port:", "%d advisories that concern the gateway's port:")) + " " +
		strings.Join(names, ", ") + pick(n > named, ", ...", "")
}

// Markdown makes hostile text show as it is in Markdown. The caller puts something
// before it in its line.
func Markdown(s string) string { return md(s) }

// md makes clean text show as it is in Markdown as GitHub and GitLab read it: no
// markup, no link, no mention of a user. The caller puts something before it in
// its line.
func md(s string) string { return mdReplacer().Replace(clean.N(s, textLimit)) }

func mdReplacer() *strings.Replacer {
	return strings.NewReplacer(
		`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "|", `\|`, "~", `\~`, "!", `\!`,
		"<", "&lt;", ">", "&gt;", "&", "&amp;", "$", "&#36;",
		"@", "@<!-- -->", "#", "#<!-- -->", "://", "&#58;//", "www.", "www&#46;", "WWW.", "WWW&#46;",
	)
}

// mdCode is clean text as code. What would end a code span, or a table's cell
// even within one, or looks like markup, goes into an element instead.
func mdCode(s string) string {
	s = clean.N(s, 300)
	switch {
	case s == "":
		return ""
	case strings.ContainsAny(s, "`|<>&\\"):
		return "<code>" + strings.NewReplacer("|", "&#124;", "`", "&#96;", `\`, "&#92;", "*", "&#42;", "_", "&#95;", "[", "&#91;", "]", "&#93;", "~", "&#126;").Replace(htmlText(s)) + "</code>"
	}
	return "`" + s + "`"
}

// htmlText is clean text within an element of HTML in Markdown.
func htmlText(s string) string {
	return strings.NewReplacer("@", "@<!-- -->", "://", ":<!-- -->//").Replace(html.EscapeString(clean.N(s, textLimit)))
}
