package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Manual returns the man pages of all commands, by file name such as
// "clawsonar-scan.1", in the man macros (man(7)). They are made from what -help
// shows.
func Manual() map[string]string {
	s := streams{sets: map[*cobra.Command]*flags{}}
	pages := map[string]string{}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Hidden || cmd.Name() == "help" || cmd.HasParent() && cmd.Parent().Name() == "completion" {
			return
		}
		pages[strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1"] = manPage(cmd, s.sets[cmd])
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(s))
	return pages
}

func manPage(cmd *cobra.Command, f *flags) string {
	var b strings.Builder
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
	fmt.Fprintf(&b, ".TH %s 1 \"\" clawsonar\n", strings.ToUpper(roff(name)))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(name), roff(cmd.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(cmd.UseLine()))
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	b.WriteString(".SH DESCRIPTION\n" + manText(text))
	if f != nil && len(f.groups) > 0 {
		b.WriteString(".SH OPTIONS\n")
		for _, g := range f.groups {
			fmt.Fprintf(&b, ".SS %s\n", roff(g.title))
			for _, o := range g.flags {
				fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(o.synopsis()), roff(o.meaning()))
			}
		}
	}
	if cmd.Example != "" {
		b.WriteString(".SH EXAMPLES\n" + manText(cmd.Example))
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
		out = append(out, fmt.Sprintf(".BR %s (1)%s", roff(strings.ReplaceAll(c.CommandPath(), " ", "-")), end))
	}
	return out
}

// manText writes prose: a blank line begins a paragraph; lines that are indented
// stay as they are.
func manText(text string) string {
	var b strings.Builder
	literal := false
	set := func(on bool) {
		if on != literal {
			literal = on
			b.WriteString(map[bool]string{true: ".nf\n", false: ".fi\n"}[on])
		}
	}
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
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
