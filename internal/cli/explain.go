package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/suggest"
)

func newExplain(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain [ID]",
		Short: "What a finding, auth state or product means; how to fix it",
		ValidArgsFunction: func(_ *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			var ids []string
			for _, c := range check.All() {
				ids = append(ids, c.Doc.ID+"\t"+c.Doc.Title)
			}
			for _, d := range check.States() {
				ids = append(ids, string(d.State)+"\t"+d.Title)
			}
			if set, err := fingerprint.Load(fingerprints.FS); err == nil {
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
	return flagless(s, "explain", cmd, func(args []string) error {
		if len(args) > 1 {
			return usage(errors.New("explain takes one id: see \"clawsonar explain\" for the list"))
		}
		set, err := fingerprint.Load(fingerprints.FS)
		if err != nil {
			return fmt.Errorf("built-in fingerprints: %w", err)
		}
		if len(args) == 0 {
			listTopics(s.out, set)
			return nil
		}
		return usage(explain(s.out, set, args[0]))
	})
}

func listTopics(w io.Writer, set *fingerprint.Set) {
	fmt.Fprintln(w, "Checks:")
	for _, c := range check.All() {
		fmt.Fprintf(w, "  %-26s %-9s %s\n", c.Doc.ID, c.Doc.Severity, c.Doc.Title)
	}
	fmt.Fprintln(w, "\nAuth states:")
	for _, d := range check.States() {
		fmt.Fprintf(w, "  %-26s %s\n", d.State, d.Title)
	}
	fmt.Fprintln(w, "\nFingerprints:")
	for _, p := range set.Products() {
		fmt.Fprintf(w, "  %-26s %s\n", p.ID, p.Name)
	}
	fmt.Fprintln(w, "\nNo fingerprint of their own, and why:")
	for _, u := range set.Unseen() {
		fmt.Fprintf(w, "  %-26s %s\n", u.ID, u.Name)
	}
}

func explain(w io.Writer, set *fingerprint.Set, id string) error {
	for _, c := range check.All() {
		if c.Doc.ID == id {
			explainCheck(w, c.Doc)
			return nil
		}
	}
	for _, d := range check.States() {
		if string(d.State) == id {
			fmt.Fprintf(w, "%s: %s\n\n%s\n", d.State, d.Title, d.Text)
			return nil
		}
	}
	for _, p := range set.Products() {
		if p.ID == id {
			explainProduct(w, p)
			return nil
		}
	}
	for _, u := range set.Unseen() {
		if u.ID == id {
			fmt.Fprintf(w, "%s: %s\n\n%s\n", u.ID, u.Name, strings.TrimSpace(u.Text))
			return nil
		}
	}
	advisories, err := builtinAdvisories()
	if err != nil {
		return err
	}
	if a := advisories.Find(id); a != nil {
		showAdvisory(w, a)
		return nil
	}
	return fmt.Errorf("nothing is known about %q%s: see \"clawsonar explain\" for the list", id, suggest.DidYouMean(id, topics(set)))
}

// topics are the ids that explain knows, those of advisories apart.
func topics(set *fingerprint.Set) []string {
	var ids []string
	for _, c := range check.All() {
		ids = append(ids, c.Doc.ID)
	}
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

func explainCheck(w io.Writer, d check.Doc) {
	fmt.Fprintf(w, "%s (%s)\n%s\n", d.ID, d.Severity, d.Title)
	for _, part := range []struct{ head, text string }{
		{"When it appears", d.When}, {"Why it matters", d.Why}, {"What to do", d.Fix}, {"Step by step", d.Steps},
	} {
		if part.text == "" {
			continue
		}
		fmt.Fprintf(w, "\n%s\n%s\n", part.head, part.text)
	}
	if len(d.Controls) > 0 {
		fmt.Fprintf(w, "\nControls: %s\n", strings.Join(d.Controls, ", "))
	}
	for _, ref := range d.References {
		fmt.Fprintf(w, "See also: %s\n", ref)
	}
}

func explainProduct(w io.Writer, p fingerprint.Product) {
	fmt.Fprintf(w, "%s: %s (%s)\n", p.ID, p.Name, p.File)
	if p.About != "" {
		fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(p.About))
	}
	fmt.Fprint(w, "\nRequests, each made only if the answers before it call for it:\n")
	for _, r := range p.Requests {
		fmt.Fprintf(w, "  %s\n", r)
	}
	if len(p.Markers) > 0 {
		fmt.Fprintf(w, "\nIt is certain when one of these shows: %s.\n", strings.Join(p.Markers, ", "))
	}
	if p.Helper {
		fmt.Fprintln(w, "\nIt stands beside a gateway: its ports are tried where one was found, or with -helpers.")
	}
	if p.Relative {
		fmt.Fprintln(w, "\nIt is a relative of OpenClaw: it is looked for where / gives a hint or on its own ports, and everywhere with -family.")
	}
	for _, state := range []fingerprint.State{fingerprint.Open, fingerprint.Claimable, fingerprint.Required} {
		a, ok := p.Advice[state]
		if !ok {
			continue
		}
		title := map[fingerprint.State]string{
			fingerprint.Open: "If it stands open", fingerprint.Claimable: "If nobody owns it yet", fingerprint.Required: "If it has its default password",
		}[state]
		fmt.Fprintf(w, "\n%s\n%s\n%s\n", title, a.Means, strings.TrimSpace(a.Steps))
	}
	for _, ref := range references(p) {
		fmt.Fprintf(w, "See also: %s\n", ref)
	}
}

// references returns where a product's advice points, each once.
func references(p fingerprint.Product) []string {
	var out []string
	for _, state := range []fingerprint.State{fingerprint.Open, fingerprint.Claimable, fingerprint.Required} {
		for _, ref := range p.Advice[state].References {
			if !slices.Contains(out, ref) {
				out = append(out, ref)
			}
		}
	}
	return out
}
