package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/report"
	"github.com/clawsonar/clawsonar/internal/scan"
)

// outputs are all the places the stream goes to.
type outputs struct {
	sinks []report.Sink
	files []*outFile
}

// outFile is a file that is written. One that makes sense only as a whole is
// written beside its place and moved there at the end.
type outFile struct {
	f    *os.File
	w    *bufio.Writer
	path string
}

func openOutputs(s streams, o *scanOptions) (*outputs, error) {
	out := &outputs{}
	sink, err := report.New(o.format, s.out, terminalOptions(s.out, o))
	if err != nil {
		return nil, fmt.Errorf("-format: %w", err)
	}
	out.sinks = append(out.sinks, sink)
	for _, spec := range o.output {
		format, path, ok := strings.Cut(spec, "=")
		if !ok || !slices.Contains(report.Formats(), format) {
			if ok && !strings.ContainsAny(format, "./\\") {
				_, err := report.New(format, io.Discard, report.Options{})
				out.abandon()
				return nil, fmt.Errorf("-output: %w", err)
			}
			format, path = o.format, spec
		}
		if err := out.open(format, path, o); err != nil {
			out.abandon()
			return nil, fmt.Errorf("-output: %w", err)
		}
	}
	return out, nil
}

func (out *outputs) open(format, path string, o *scanOptions) error {
	file := &outFile{path: path}
	var err error
	if format == "jsonl" {
		// Each line stands for itself, so what is there after a crash counts.
		file.f, err = os.Create(path)
		file.path = ""
	} else {
		file.f, err = os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	}
	if err != nil {
		return err
	}
	out.files = append(out.files, file)
	file.w = bufio.NewWriter(file.f)
	sink, err := report.New(format, file.w, report.Options{Width: 100, Verbose: o.verbose})
	if err != nil {
		return err
	}
	if format == "jsonl" {
		sink = flushing{sink, file.w}
	}
	out.sinks = append(out.sinks, sink)
	return nil
}

// flushing puts every event on disk as it comes.
type flushing struct {
	report.Sink
	w *bufio.Writer
}

func (f flushing) Event(e event.Event) error {
	if err := f.Sink.Event(e); err != nil {
		return err
	}
	return f.w.Flush()
}

func (out *outputs) event(e event.Event) error {
	for _, sink := range out.sinks {
		if err := sink.Event(e); err != nil {
			return err
		}
	}
	return nil
}

// finish writes what is kept to the end and moves files to their places.
func (out *outputs) finish() error {
	for _, sink := range out.sinks {
		if err := sink.Flush(); err != nil {
			return fmt.Errorf("write results: %w", err)
		}
	}
	for _, file := range out.files {
		err := errors.Join(file.w.Flush(), file.f.Close())
		if err == nil && file.path != "" {
			// CreateTemp makes files that only their owner may read.
			if err = os.Chmod(file.f.Name(), 0o644); err == nil {
				err = os.Rename(file.f.Name(), file.path)
			}
		}
		if err != nil {
			return fmt.Errorf("write results: %w", err)
		}
		file.f = nil
	}
	return nil
}

// abandon removes what finish has not completed.
func (out *outputs) abandon() {
	for _, file := range out.files {
		if file.f == nil {
			continue
		}
		file.f.Close()
		if file.path != "" {
			os.Remove(file.f.Name())
		}
	}
}

// terminalOptions fits a report to where it is shown.
func terminalOptions(w io.Writer, o *scanOptions) report.Options {
	opt := report.Options{Verbose: o.verbose}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return opt
	}
	// https://no-color.org: set to anything but the empty string.
	opt.Color = os.Getenv("NO_COLOR") == "" && !o.monochro && os.Getenv("TERM") != "dumb"
	if width, _, err := term.GetSize(int(f.Fd())); err == nil {
		opt.Width = width
	}
	locale := os.Getenv("LC_ALL") + os.Getenv("LC_CTYPE") + os.Getenv("LANG")
	opt.ASCII = !strings.Contains(strings.ToUpper(strings.ReplaceAll(locale, "-", "")), "UTF8")
	return opt
}

// progress keeps one line on a terminal up to date; the function it returns
// ends that.
func progress(s streams, o *scanOptions, c *scan.Count) (finish func()) {
	f, ok := s.err.(*os.File)
	if !ok || o.silent || !term.IsTerminal(int(f.Fd())) {
		return func() {}
	}
	stop, done := make(chan struct{}), make(chan struct{})
	start := time.Now()
	go func() {
		defer close(done)
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				fmt.Fprint(f, "\r\x1b[K")
				return
			case <-tick.C:
				fmt.Fprint(f, "\r\x1b[K"+progressLine(c, time.Since(start)))
			}
		}
	}()
	return func() { close(stop); <-done }
}

func progressLine(c *scan.Count, elapsed time.Duration) string {
	done, total := c.Done.Load(), c.Total.Load()
	line := fmt.Sprintf("%d of %d targets, %d gateways, %.0f/s", done, total, c.Found.Load(), float64(done)/elapsed.Seconds())
	if done > 0 && done < total {
		left := time.Duration(float64(elapsed) / float64(done) * float64(total-done))
		line += ", about " + left.Round(time.Second).String() + " left"
	}
	return line
}
