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
	} else { // to Notify none would mean all
		ctx, end = context.WithCancel(context.Background())
	}
	undo := context.AfterFunc(ctx, end)
	return ctx, func() { undo(); end() }
}

// inOrder has a signal end the context alone from here on: the command writes
// results, and completes them by itself. Without it, a signal ends the process.
//
// A closed pipe is no signal then: writing to it fails, and what goes elsewhere
// is completed.
func (s streams) inOrder() (undo func()) {
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	s.ordered.Store(true)
	return func() { signal.Stop(pipe) }
}

// sayState says what is to be known of the journal before the scan.
func (o *scanOptions) sayState(s streams, p *results.Pipeline, journal *results.JournalFile) {
	if journal == nil || o.silent {
		return
	}
	b := journal.Before
	switch {
	case journal.Resumed && p.Whole() == "" && b.Done() > 0 && p.Has(false):
		fmt.Fprintf(s.err, "clawsonar: going on from target %d of %d: the outputs but jsonl hold this part only, and are incomplete; name the jsonl file of the earlier part with -o, or put all together with \"clawsonar report\"\n", b.Done(), b.Targets)
	case journal.Resumed:
		fmt.Fprintf(s.err, "clawsonar: going on from target %d of %d\n", b.Done(), b.Targets)
	case !p.Has(true):
		fmt.Fprintln(s.err, "clawsonar: a journal without -o jsonl=FILE: should the scan be killed, what it has found until then is lost")
	}
}

// sayHowToGoOn prints the command that goes on with a scan that has a journal.
func (o *scanOptions) sayHowToGoOn(s streams) {
	if o.silent {
		return
	}
	words := []string{quote(os.Args[0])}
	for _, arg := range s.args {
		words = append(words, quote(arg))
	}
	// A journal that is there is gone on from, so the command is the same.
	line := "clawsonar: go on with: " + strings.Join(words, " ")
	if slices.Contains(o.lists, "-") || len(o.lists) == 0 && isPipe(s.in) {
		line += "  (with the same targets on stdin)"
	}
	fmt.Fprintln(s.err, line)
}

// quote writes a word so that a shell takes it as it is.
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
