package fingerprint

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/testdata/captures"
)

const relativesPage = "../../docs/relatives.md"

// docs/relatives.md says of each relative and helper what is known of it and how. It is
// made from the fingerprints and captures:
//
//	go test ./internal/fingerprint -run TestRelativesPage -update
func TestRelativesPage(t *testing.T) {
	set, err := Load(fingerprints.FS)
	if err != nil {
		t.Fatal(err)
	}
	all, err := evidence.LoadCaptures(captures.FS, ".")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString(`# Relatives and helpers

What clawsonar can tell of each product besides OpenClaw itself, and what that rests on.
"Recorded" names the real programs whose answers the fingerprint is tested with; "by
hand" stands for answers that were written after its source or documentation. A state in
parentheses is tested by hand alone. This page is made from the fingerprints and their
captures.

`)
	for _, part := range []struct {
		title string
		of    func(*product) bool
	}{
		{"Relatives and dashboards", func(p *product) bool { return p.Relative }},
		{"Helpers", func(p *product) bool { return p.Helper }},
	} {
		fmt.Fprintf(&b, "## %s\n\n| product | ports | rests on | identity | version | states that are told | not told |\n|---|---|---|---|---|---|---|\n", part.title)
		products := slices.DeleteFunc(slices.Clone(set.products), func(p *product) bool { return !part.of(p) })
		slices.SortFunc(products, func(a, b *product) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
		for _, p := range products {
			fmt.Fprintln(&b, p.row(all))
		}
		b.WriteByte('\n')
	}
	b.WriteString("## Not looked for\n\n| product | why |\n|---|---|\n")
	for _, u := range set.Unseen() {
		fmt.Fprintf(&b, "| %s | %s |\n", u.Name, cell(u.Text))
	}
	if *update {
		if err := os.WriteFile(relativesPage, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(relativesPage)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, b.Bytes()) {
		t.Errorf("docs/relatives.md is not what the fingerprints say: refresh it with -update")
	}
}

// row is a product's line.
func (p *product) row(all map[string]evidence.Capture) string {
	programs := map[string]bool{}
	tested := map[event.AuthState]string{} // how, by state
	for _, c := range all {
		if c.Expect.Product != p.ID {
			continue
		}
		if c.Made == "recorded" {
			programs[c.Program] = true
		}
		if tested[c.Expect.Auth] != "recorded" {
			tested[c.Expect.Auth] = c.Made
		}
	}
	rests := "by hand"
	if len(programs) > 0 {
		rests = "recorded: " + strings.Join(slices.Sorted(maps.Keys(programs)), ", ")
	}
	var ports, states, not []string
	for _, port := range p.Ports {
		ports = append(ports, fmt.Sprint(port))
	}
	for _, state := range []event.AuthState{event.AuthOpen, event.AuthRequired, event.AuthClaimable} {
		switch can := slices.ContainsFunc(p.Auth, func(r authRule) bool { return r.State == state }); {
		case can && tested[state] == "recorded":
			states = append(states, string(state))
		case can:
			states = append(states, "("+string(state)+")")
		case state != event.AuthClaimable:
			not = append(not, string(state))
		}
	}
	best := ""
	for _, r := range p.Identity {
		if r.Confidence.Rank() > event.Confidence(best).Rank() {
			best = string(r.Confidence)
		}
	}
	version := "shows"
	if len(p.Version) == 0 {
		version = "does not show"
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s |", p.Name, strings.Join(ports, ", "), rests, best, version, strings.Join(states, ", "), strings.Join(not, ", "))
}

// cell is a text on one line.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", "\\|")
}
