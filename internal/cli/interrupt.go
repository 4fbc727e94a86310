package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"unicode"

	"github.com/clawsonar/clawsonar/internal/results"
)

// interruptible returns a context that ends with the first signal to stop; the
// second ends the process at once.
func interruptible() (ctx context.Context, stop func()) {
	var wanted []os.Signal
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		if !signal.Ignored(sig) { // as nohup has it
			wanted = append(wanted, sig)
		}
	}
	var end context.CancelFunc
	if len(wanted) > 0 {
		ctx, end = signal.NotifyContext(context.Background(), wanted...)
	} else { // Notify without signals means all
		ctx, end = context.WithCancel(context.Background())
	}
	undo := context.AfterFunc(ctx, end)
	return ctx, func() { undo(); end() }
}

// inOrder makes a signal only cancel the context from now on: the command writes
// results, and completes them by itself. Without it, a signal ends the process.
//
// A closed pipe then does not end the process: writing to it fails, and the other
// outputs are completed.
func (s streams) inOrder() (undo func()) {
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	s.ordered.Store(true)
	return func() { signal.Stop(pipe) }
}

// sayState prints what the user needs to know about the journal before the scan.
func (o *scanOptions) sayState(s streams, p *results.Pipeline, journal *results.JournalFile) {
	if journal == nil || o.silent {
		return
	}
	b := journal.Before
	switch {
	case journal.Resumed && p.Whole() == "" && b.Done() > 0 && p.Has(false):
		fmt.Fprintf(s.err, "clawsonar: continuing from target %d of %d: all outputs except jsonl contain this part only, and are incomplete; name the jsonl file of the earlier part with -o, or merge all parts with \"clawsonar report\"\n", b.Done(), b.Targets)
	case journal.Resumed:
		fmt.Fprintf(s.err, "clawsonar: continuing from target %d of %d\n", b.Done(), b.Targets)
	case !p.Has(true):
		fmt.Fprintln(s.err, "clawsonar: a journal without -o jsonl=FILE: if the scan is killed, its results are lost")
	}
}

// sayHowToContinue prints the command that continues a scan that has a journal.
func (o *scanOptions) sayHowToContinue(s streams) {
	if o.silent {
		return
	}
	words := []string{quote(os.Args[0])}
	for _, arg := range s.args {
		words = append(words, quote(arg))
	}
	// An existing journal is continued, so the command is the same.
	line := "clawsonar: continue with: " + strings.Join(words, " ")
	if slices.Contains(o.Lists, "-") || len(o.Lists) == 0 && isPipe(s.in) {
		line += "  (with the same targets on stdin)"
	}
	fmt.Fprintln(s.err, line)
}

// quote quotes a word for a shell.
func quote(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_./:=,@%+", r)
	}) {
		return word
	}
	if strings.ContainsFunc(word, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		var b strings.Builder
		for _, c := range []byte(word) {
			switch {
			case c == '\'' || c == '\\':
				b.WriteString("\\" + string(rune(c)))
			case c < ' ' || c > '~':
				fmt.Fprintf(&b, "\\x%02x", c)
			default:
				b.WriteByte(c)
			}
		}
		return "$'" + b.String() + "'"
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
