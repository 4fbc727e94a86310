package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

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
			var ids []string
			for _, c := range check.All() {
				ids = append(ids, c.Doc.ID+"\t"+c.Doc.Title)
			}
			for _, d := range check.States() {
				ids = append(ids, string(d.State)+"\t"+d.Title)
			}
			if set, err := builtinFingerprints(); err == nil {
				for _, p := range set.Products() {
					ids = append(ids, p.ID+"\t"+p.Name)
				}
				for _, u := range set.Unseen() {
					ids = append(ids, u.ID+"\t"+u.Name)
				}
			}
			ids = slices.DeleteFunc(ids, func(id string) bool { return !strings.HasPrefix(id, toComplete) })
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
		set, err := builtinFingerprints()
		if err != nil {
			return err
		}
		t, err := o.texts()
		if err != nil {
			return err
		}
		if len(args) == 0 {
			listTopics(s.out, set, t)
			return nil
		}
		return usage(explain(s.out, set, args[0], t))
	})
}

func listTopics(w io.Writer, set *fingerprint.Set, t report.Texts) {
	fmt.Fprintln(w, t.Say("Checks:"))
	for _, c := range check.All() {
		fmt.Fprintf(w, "  %-26s %s %s\n", c.Doc.ID, report.Pad(t.Severity(c.Doc.Severity), 9), oneLine(t.Fixed(c.Doc.ID+".title", c.Doc.Title)))
	}
	fmt.Fprintln(w, "\n"+t.Say("Auth states:"))
	for _, d := range check.States() {
		fmt.Fprintf(w, "  %-26s %s\n", d.State, oneLine(t.Fixed("state."+string(d.State)+".title", d.Title)))
	}
	fmt.Fprintln(w, "\n"+t.Say("Fingerprints:"))
	for _, p := range set.Products() {
		fmt.Fprintf(w, "  %-26s %s\n", p.ID, p.Name)
	}
	fmt.Fprintln(w, "\n"+t.Say("No fingerprint of their own, and why:"))
	for _, u := range set.Unseen() {
		fmt.Fprintf(w, "  %-26s %s\n", u.ID, u.Name)
	}
}

func explain(w io.Writer, set *fingerprint.Set, id string, t report.Texts) error {
	for _, c := range check.All() {
		if c.Doc.ID == id {
			explainCheck(w, c.Doc, t)
			return nil
		}
	}
	for _, d := range check.States() {
		if string(d.State) == id {
			fmt.Fprintln(w, t.Say("%s: %s", string(d.State), oneLine(t.Fixed("state."+string(d.State)+".title", d.Title))))
			fmt.Fprintf(w, "\n%s\n", t.Fixed("state."+string(d.State), d.Text))
			return nil
		}
	}
	for _, p := range set.Products() {
		if p.ID == id {
			explainProduct(w, p, t)
			return nil
		}
	}
	for _, u := range set.Unseen() {
		if u.ID == id {
			fmt.Fprintf(w, "%s\n\n%s\n", t.Say("%s: %s", u.ID, u.Name), t.Fixed("unseen."+u.ID, u.Text))
			return nil
		}
	}
	advisories, err := builtinAdvisories()
	if err != nil {
		return err
	}
	if a := advisories.Find(id); a != nil {
		showAdvisory(w, a, t)
		return nil
	}
	return fmt.Errorf("unknown id %q%s: see \"clawsonar explain\" for the list", id, suggest.DidYouMean(id, topics(set)))
}

// topics are the ids that explain knows, those of advisories apart.
func topics(set *fingerprint.Set) []string {
	ids := check.IDs()
	for _, d := range check.States() {
		ids = append(ids, string(d.State))
	}
	for _, p := range set.Products() {
		ids = append(ids, p.ID)
	}
	for _, u := range set.Unseen() {
		ids = append(ids, u.ID)
	}
	return ids
}

func explainCheck(w io.Writer, d event.CheckInfo, t report.Texts) {
	fmt.Fprintf(w, "%s\n%s\n", t.Say("%s (%s)", d.ID, t.Severity(d.Severity)), t.Fixed(d.ID+".title", d.Title))
	for _, part := range []struct{ head, text string }{
		{t.Say("When it appears"), t.Fixed(d.ID+".when", d.When)}, {t.Say("Why it matters"), t.Fixed(d.ID+".why", d.Why)},
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
