package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/exposure"
	"github.com/clawsonar/clawsonar/internal/report"
)

// comparison prints how the findings of the official audit relate to ours, one a line.
func (o *inspectOptions) comparison(s streams, known *data.Known, all []deployment, judge judging) error {
	switch {
	case len(all) != 1:
		return usage(errors.New("-compare takes one deployment: an audit is of one configuration"))
	case len(o.output) > 0:
		return usage(errors.New("-compare prints a comparison instead of a report: leave out -output"))
	}
	text, err := bounded.File(o.compare, exposure.MaxAudit)
	if err != nil {
		return usage(fmt.Errorf("-compare: %w", err))
	}
	official, err := exposure.ReadAudit(o.compare, text)
	if err != nil {
		return usage(fmt.Errorf("-compare: %w", err))
	}
	relation, err := known.Audit()
	if err != nil {
		return err
	}
	t, err := o.texts()
	if err != nil {
		return err
	}
	d := all[0]
	tree, err := d.open()
	if err != nil {
		return usage(fmt.Errorf("%s: %w", d.label(), err))
	}
	model, targets := judge(tree, d.Address)
	d.settle(targets, tree)
	target := exposure.Audited(model, targets)
	if target == nil {
		return usage(fmt.Errorf("%s: no gateway is in the files", d.label()))
	}
	lines, counts := comparedLines(t, relation.Compare(target, official, exposure.HasModes(model)))
	fmt.Fprintln(s.out, t.Say("%s and the gateway of %s:", clean.Text(o.compare), clean.Text(target.Target.Place())))
	if n := len(model.Gateways); n > 1 {
		fmt.Fprintln(s.out, t.Say("(the first with a configuration, of %d gateways; the others are not compared)", n))
	}
	fmt.Fprintln(s.out)
	for _, l := range lines {
		fmt.Fprintln(s.out, l)
	}
	if len(lines) > 0 {
		fmt.Fprintln(s.out)
	}
	fmt.Fprintln(s.out, t.Say("%d the same, %d ours only, %d theirs only, %d unexplained",
		counts[exposure.Same], counts[exposure.OursOnly], counts[exposure.TheirsOnly], counts[exposure.Unexplained]))
	return nil
}

// comparedLines writes rows as lines, aligned and each once, and counts them. What the
// audit's file says is cleaned.
func comparedLines(t report.Texts, rows []exposure.Row) ([]string, map[exposure.Agreement]int) {
	const kindWidth, idWidth = 13, 46
	var out []string
	counts, seen := map[exposure.Agreement]int{}, map[string]bool{}
	kinds := map[exposure.Agreement]string{
		exposure.Same: t.Say("same"), exposure.OursOnly: t.Say("ours only"), exposure.TheirsOnly: t.Say("theirs only"), exposure.Unexplained: t.Say("unexplained"),
	}
	for _, r := range rows {
		ours := strings.Join(r.Ours, t.Say(", "))
		id, why := ours, t.Message(r.Why)
		if r.Theirs.ID != "" {
			id = clean.N(r.Theirs.ID, 120)
			if r.Theirs.Severity != "" {
				id = t.Say("%s (%s)", id, clean.N(r.Theirs.Severity, 20))
			}
		}
		switch r.Agreement {
		case exposure.Same:
			why = t.Say("ours: %s", ours)
		case exposure.Unexplained:
			why = t.Say("no reason is known")
		}
		line := report.Pad(kinds[r.Agreement], kindWidth) + report.Pad(id, idWidth) + "  " + why
		if !seen[line] {
			seen[line] = true
			counts[r.Agreement]++
			out = append(out, line)
		}
	}
	return out, counts
}
