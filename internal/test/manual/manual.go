// Package manual makes the man pages of our programs out of what their commands say of
// themselves, and compares them with those in docs/man. The pages name no version, so
// that they change with the commands alone.
package manual

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// A Group is flags under a title, which may be empty.
type Group struct {
	Title string
	Flags []Flag
}

// A Flag is how a flag is written, such as "-fail-on SEVERITY", and what it means.
type Flag struct{ Synopsis, Meaning string }

// Pages returns the man pages of a program's commands, by file name such as
// "clawsonar-scan.1", in the man macros (man(7)).
func Pages(root *cobra.Command, flags func(*cobra.Command) []Group) map[string]string {
	pages := map[string]string{}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Hidden || cmd.Name() == "help" || cmd.HasParent() && cmd.Parent().Name() == "completion" {
			return
		}
		pages[name(cmd)+".1"] = page(cmd, flags(cmd))
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
	return pages
}

// Compare compares the pages with the files of docs/man that isOurs says are the
// program's, or writes them.
func Compare(t *testing.T, dir string, isOurs func(name string) bool, pages map[string]string, update bool) {
	t.Helper()
	if update {
		for name, text := range pages {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var there []string
	for _, e := range entries {
		if isOurs(e.Name()) {
			there = append(there, e.Name())
		}
	}
	if want := slices.Sorted(maps.Keys(pages)); !slices.Equal(there, want) {
		t.Errorf("docs/man holds %v, want %v", there, want)
	}
	for name, want := range pages {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s differs: refresh with -update and review", name)
		}
	}
}

// Format has groff read the pages: it has nothing to say against them.
func Format(t *testing.T, pages map[string]string) {
	t.Helper()
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("SKIPPED: groff is not installed")
	}
	for name, text := range pages {
		cmd := exec.Command(groff, "-man", "-Tutf8", "-ww", "-z")
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func name(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

func page(cmd *cobra.Command, groups []Group) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1 \"\" clawsonar\n", strings.ToUpper(roff(name(cmd))))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(name(cmd)), roff(cmd.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(cmd.UseLine()))
	description := cmd.Long
	if description == "" {
		description = cmd.Short + "."
	}
	b.WriteString(".SH DESCRIPTION\n" + text(description))
	if len(groups) > 0 {
		b.WriteString(".SH OPTIONS\n")
		for _, g := range groups {
			if g.Title != "" {
				fmt.Fprintf(&b, ".SS %s\n", roff(g.Title))
			}
			for _, f := range g.Flags {
				fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(f.Synopsis), roff(f.Meaning))
			}
		}
	}
	if cmd.Example != "" {
		b.WriteString(".SH EXAMPLES\n" + text(cmd.Example))
	}
	if see := neighbours(cmd); len(see) > 0 {
		b.WriteString(".SH SEE ALSO\n" + strings.Join(see, "\n") + "\n")
	}
	return b.String()
}

// neighbours are the pages of the command above, and of those below.
func neighbours(cmd *cobra.Command) []string {
	var near []*cobra.Command
	if cmd.HasParent() {
		near = append(near, cmd.Parent())
	}
	for _, sub := range cmd.Commands() {
		if !sub.Hidden && sub.Name() != "help" && cmd.Name() != "completion" {
			near = append(near, sub)
		}
	}
	var out []string
	for i, c := range near {
		end := ","
		if i == len(near)-1 {
			end = ""
		}
		out = append(out, fmt.Sprintf(".BR %s (1)%s", roff(name(c)), end))
	}
	return out
}

// text writes prose: a blank line begins a paragraph; lines that are indented stay as
// they are.
func text(s string) string {
	var b strings.Builder
	literal := false
	set := func(on bool) {
		if on != literal {
			literal = on
			b.WriteString(map[bool]string{true: ".nf\n", false: ".fi\n"}[on])
		}
	}
	for line := range strings.SplitSeq(strings.TrimRight(s, "\n"), "\n") {
		if strings.TrimSpace(line) == "" {
			set(false)
			b.WriteString(".PP\n")
			continue
		}
		set(strings.HasPrefix(line, "  "))
		b.WriteString(roff(line) + "\n")
	}
	set(false)
	return b.String()
}

// roff protects what the formatter would take for a command.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}
