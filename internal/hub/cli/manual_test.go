package cli

import (
	"flag"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clawsonar/clawsonar/internal/test/manual"
)

var update = flag.Bool("update", false, "write the man pages")

// pages are the man pages of all commands, made from what -help shows.
func pages() map[string]string {
	return manual.Pages(newRoot(streams{io.Discard, io.Discard}), func(cmd *cobra.Command) []manual.Group {
		var g manual.Group
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			value, text := pflag.UnquoteUsage(f)
			g.Flags = append(g.Flags, manual.Flag{Synopsis: strings.TrimSpace("-" + f.Name + " " + value), Meaning: text})
		})
		if g.Flags == nil {
			return nil
		}
		return []manual.Group{g}
	})
}

// The pages in docs/man are those that the commands give. Refresh with: go test
// ./internal/hub/cli -run TestManual -update
func TestManual(t *testing.T) {
	all := pages()
	manual.Compare(t, "../../../docs/man", func(name string) bool { return strings.HasPrefix(name, "clawsonar-hub") }, all, *update)
	if serve := all["clawsonar-hub-serve.1"]; !strings.Contains(serve, `.B \-once`+"\nmake one run") {
		t.Errorf("the page of serve lacks flags:\n%s", serve)
	}
}

func TestManualFormats(t *testing.T) { manual.Format(t, pages()) }

// What a shell is told of a line that is not finished.
func TestCompletion(t *testing.T) {
	for _, c := range []struct {
		line string
		want []string
	}{
		{"se", []string{"serve"}},
		{"serve -", []string{"--once"}},
		{"serve --o", []string{"--once"}},
		{"token ", []string{"new", "list", "revoke"}},
		{"job s", []string{"show", "stop"}},
		{"worker new --v", []string{"--vantage"}},
		{"completion z", []string{"zsh"}},
		{"import -dir", nil},
	} {
		var out, errs strings.Builder
		if code := Main(append([]string{"__complete"}, strings.Split(c.line, " ")...), &out, &errs); code != 0 {
			t.Errorf("%s: exit %d, %s", c.line, code, errs.String())
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			if !strings.HasPrefix(line, ":") {
				got = append(got, strings.Split(strings.TrimSpace(line), "\t")[0])
			}
		}
		if strings.Join(got, " ") != strings.Join(c.want, " ") {
			t.Errorf("%q: %q, want %q", c.line, got, c.want)
		}
	}
}
