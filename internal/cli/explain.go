package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/report"
	"github.com/clawsonar/clawsonar/internal/suggest"
)

func newExplain(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain [ID]",
		Short: "Explain a finding, auth state, product or advisory, and the fix",
		ValidArgsFunction: func(_ *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			set, err := audit.Fingerprints()
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var ids []string
			for _, x := range topics(io.Discard, set, report.Texts{}) {
				if strings.HasPrefix(x.id, toComplete) {
					ids = append(ids, x.id+"\t"+x.title)
				}
			}
			return ids, cobra.ShellCompDirectiveNoFileComp
		},
	}
	var o langOption
	f := newFlags("explain")
	f.group("Output")
	o.flag(f, "language")
	return f.attach(s, cmd, func(_ context.Context, args []string) error {
		if len(args) > 1 {
			return usage(errors.New("explain takes one id: see \"clawsonar explain\" for the list"))
		}
		set, err := audit.Fingerprints()
		if err != nil {
			return err
		}
		t, err := o.texts()
		if err != nil {
			return err
		}
		if len(args) == 0 {
			list(s.out, topics(s.out, set, t))
			return nil
		}
		return usage(explain(s.out, set, args[0], t))
	})
}

// topic is one thing that explain explains.
type topic struct {
	id, title string // in English
	kind      string // the heading in the list
	about     string // what the list says of it
	explain   func()
}

// topics are all topics but the advisories, kind by kind. They are explained on w.
func topics(w io.Writer, set *fingerprint.Set, t report.Texts) []topic {
	var out []topic
	for _, c := range check.Documented() {
		title := oneLine(t.Fixed(c.Doc.ID+".title", c.Doc.Title))
		out = append(out, topic{c.Doc.ID, c.Doc.Title, t.Say("Checks:"), report.Pad(t.Severity(c.Doc.Severity), 9) + " " + title,
			func() { explainCheck(w, c.Doc, t) }})
	}
	for _, d := range check.States() {
		id := string(d.State)
		title := oneLine(t.Fixed("state."+id+".title", d.Title))
		out = append(out, topic{id, d.Title, t.Say("Auth states:"), title,
			func() { fmt.Fprintf(w, "%s\n\n%s\n", t.Say("%s: %s", id, title), t.Fixed("state."+id, d.Text)) }})
	}
	for _, p := range set.Products() {
		out = append(out, topic{p.ID, p.Name, t.Say("Fingerprints:"), p.Name, func() { explainProduct(w, p, t) }})
	}
	for _, u := range set.Unseen() {
		out = append(out, topic{u.ID, u.Name, t.Say("No fingerprint of their own, and why:"), u.Name,
			func() { fmt.Fprintf(w, "%s\n\n%s\n", t.Say("%s: %s", u.ID, u.Name), t.Fixed("unseen."+u.ID, u.Text)) }})
	}
	return out
}

func list(w io.Writer, all []topic) {
	kind := ""
	for i, x := range all {
		if x.kind != kind {
			if i > 0 {
				fmt.Fprintln(w)
			}
			fmt.Fprintln(w, x.kind)
			kind = x.kind
		}
		fmt.Fprintf(w, "  %-26s %s\n", x.id, x.about)
	}
}

func explain(w io.Writer, set *fingerprint.Set, id string, t report.Texts) error {
	var ids []string
	for _, x := range topics(w, set, t) {
		if x.id == id {
			x.explain()
			return nil
		}
		ids = append(ids, x.id)
	}
	advisories, err := audit.Advisories()
	if err != nil {
		return err
	}
	if a := advisories.Find(id); a != nil {
		showAdvisory(w, a, t)
		return nil
	}
	return fmt.Errorf("unknown id %q%s: see \"clawsonar explain\" for the list", id, suggest.DidYouMean(id, ids))
}

func explainCheck(w io.Writer, d event.CheckInfo, t report.Texts) {
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

func explainProduct(w io.Writer, p fingerprint.Product, t report.Texts) {
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
