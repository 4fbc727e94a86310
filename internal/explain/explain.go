// Package explain explains what reports name by an id: checks, states of authentication,
// products and advisories. What it says is built in, none of it a target's.
package explain

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/advisory"
	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/report"
	"github.com/clawsonar/clawsonar/internal/suggest"
)

// Topic is one thing that can be explained.
type Topic struct {
	ID, Title string // in English
	Kind      string // the heading in a list
	About     string // what a list says of it
	write     func(w io.Writer)
}

// Topics are all topics but the advisories, kind by kind.
func Topics(set *fingerprint.Set, t report.Texts) []Topic {
	var out []Topic
	for _, c := range check.Documented() {
		title := oneLine(t.Fixed(c.Doc.ID+".title", c.Doc.Title))
		out = append(out, Topic{c.Doc.ID, c.Doc.Title, t.Say("Checks:"), report.Pad(t.Severity(c.Doc.Severity), 9) + " " + title,
			func(w io.Writer) { ofCheck(w, c.Doc, t) }})
	}
	for _, d := range check.States() {
		id := string(d.State)
		title := oneLine(t.Fixed("state."+id+".title", d.Title))
		out = append(out, Topic{id, d.Title, t.Say("Auth states:"), title,
			func(w io.Writer) {
				fmt.Fprintf(w, "%s\n\n%s\n", t.Say("%s: %s", id, title), t.Fixed("state."+id, d.Text))
			}})
	}
	for _, p := range set.Products() {
		out = append(out, Topic{p.ID, p.Name, t.Say("Fingerprints:"), p.Name, func(w io.Writer) { ofProduct(w, p, t) }})
	}
	for _, u := range set.Unseen() {
		out = append(out, Topic{u.ID, u.Name, t.Say("No fingerprint of their own, and why:"), u.Name,
			func(w io.Writer) {
				fmt.Fprintf(w, "%s\n\n%s\n", t.Say("%s: %s", u.ID, u.Name), t.Fixed("unseen."+u.ID, u.Text))
			}})
	}
	return out
}

// Unknown says that nothing has an id.
type Unknown struct{ ID, Meant string }

func (e *Unknown) Error() string { return fmt.Sprintf("unknown id %q%s", clean.N(e.ID, 60), e.Meant) }

// Write explains a topic, or else an advisory of those that are loaded.
func Write(w io.Writer, set *fingerprint.Set, load func() (*advisory.DB, error), id string, t report.Texts) error {
	var ids []string
	for _, x := range Topics(set, t) {
		if x.ID == id {
			x.write(w)
			return nil
		}
		ids = append(ids, x.ID)
	}
	advisories, err := load()
	if err != nil {
		return err
	}
	if a := advisories.Find(id); a != nil {
		Advisory(w, a, t)
		return nil
	}
	return &Unknown{id, suggest.DidYouMean(id, ids)}
}

func ofCheck(w io.Writer, d event.CheckInfo, t report.Texts) {
	fmt.Fprintf(w, "%s\n%s\n", t.Say("%s (%s)", d.ID, t.Severity(d.Severity)), t.Fixed(d.ID+".title", d.Title))
	for _, part := range []struct{ head, text string }{
		{t.Say("When it appears"), t.Fixed(d.ID+".when", d.When)},
		{t.Say("When inspect finds it in files"), t.Fixed(d.ID+".files", d.Files)},
		{t.Say("Why it matters"), t.Fixed(d.ID+".why", d.Why)},
		{t.Say("What to do"), t.Fixed(d.ID+".fix", d.Fix)}, {t.Say("Step by step"), t.Fixed(d.ID+".steps", d.Steps)},
	} {
		if part.text == "" {
			continue
		}
		fmt.Fprintf(w, "\n%s\n%s\n", part.head, part.text)
	}
	if len(d.Controls) > 0 {
		fmt.Fprintf(w, "\n%s\n", t.Say("Controls: %s", strings.Join(d.Controls, t.Say(", "))))
	}
	for _, ref := range d.References {
		fmt.Fprintln(w, t.Say("See also: %s", ref))
	}
}

func ofProduct(w io.Writer, p fingerprint.Product, t report.Texts) {
	fmt.Fprintln(w, t.Say("%s: %s (%s)", p.ID, p.Name, p.File))
	if p.About != "" {
		fmt.Fprintf(w, "\n%s\n", t.Fixed("product."+p.ID, p.About))
	}
	fmt.Fprintf(w, "\n%s\n", t.Say("Requests, each sent only if the answers before it call for it:"))
	for _, r := range p.Requests {
		fmt.Fprintf(w, "  %s\n", r)
	}
	if len(p.Markers) > 0 {
		fmt.Fprintf(w, "\n%s\n", t.Say("It is certain when one of these matches: %s.", strings.Join(p.Markers, t.Say(", "))))
	}
	if p.Helper {
		fmt.Fprintf(w, "\n%s\n", t.Say("It is a helper service of a gateway: its ports are tried where a gateway was found, or with -helpers."))
	}
	if p.Relative {
		fmt.Fprintf(w, "\n%s\n", t.Say("It is a relative of OpenClaw: it is looked for on its own ports and where / gives a hint, and everywhere with -family."))
	}
	for _, state := range []event.AuthState{event.AuthOpen, event.AuthClaimable, event.AuthRequired} {
		a, ok := p.Advice[state]
		if !ok {
			continue
		}
		title := map[event.AuthState]string{
			event.AuthOpen: t.Say("If it is open"), event.AuthClaimable: t.Say("If it has no owner yet"), event.AuthRequired: t.Say("If it has its default password"),
		}[state]
		id := "product." + p.ID + "." + string(state)
		fmt.Fprintf(w, "\n%s\n%s\n%s\n", title, t.Fixed(id+".means", a.Means), t.Fixed(id, a.Steps))
	}
	for _, ref := range references(p) {
		fmt.Fprintln(w, t.Say("See also: %s", ref))
	}
}

// references returns where a product's advice points, each once.
func references(p fingerprint.Product) []string {
	var out []string
	for _, state := range []event.AuthState{event.AuthOpen, event.AuthClaimable, event.AuthRequired} {
		for _, ref := range p.Advice[state].References {
			if !slices.Contains(out, ref) {
				out = append(out, ref)
			}
		}
	}
	return out
}

// oneLine undoes the wrapping of a title, which stands in a list. Lines of a
// script without spaces were broken between characters.
func oneLine(s string) string { return strings.ReplaceAll(s, "\n", "") }

// Advisory explains one advisory. A file of the user's may hold anything, so texts are
// cleaned.
func Advisory(w io.Writer, a *advisory.Advisory, t report.Texts) {
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s %s\n", report.Pad(name, 11), clean.Text(value))
		}
	}
	fmt.Fprintf(w, "%s\n%s\n\n", t.Say("%s (%s)", a.ID, t.Severity(a.Grade())), clean.Text(a.Summary))
	row("CVE", a.CVE)
	row(t.Say("Published"), a.Published+map[string]string{"upper-bound": t.Say(" at the latest"), "cve": t.Say(" (CVE record)"), "vendor-batch": t.Say(" (vendor's list)")}[a.DateOf])
	for _, score := range a.Scores {
		if n, err := score.Base(); err == nil {
			row(t.Say("Score"), strings.TrimSpace(t.Say("%s by %s %s", fmt.Sprintf("%.1f", n), score.Source, cmp.Or(score.Vector, score.Version))))
		}
	}
	row("CWE", strings.Join(a.CWEs, ", "))
	row(t.Say("Package"), strings.Join(append([]string{a.Package}, a.Also...), ", "))
	for _, r := range a.Ranges {
		row(t.Say("Affected"), r.String())
	}
	row(t.Say("Concerns"), t.Say("%s (through the gateway's port: %s)", a.Surface, a.Gateway))
	row(t.Say("Credential"), t.Word(string(a.Credential)))
	for _, n := range a.Notes {
		row(t.Say("Note"), n)
	}
	row(t.Say("See"), a.URL())
}
