package cli

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/report"
)

// outputs are all the places the stream goes to.
type outputs struct {
	sinks []report.Sink
	files []*outFile
}

// outFile is a file that is written. One that makes sense only as a whole is
// written beside its place and moved there at the end.
type outFile struct {
	f     *os.File
	w     *bufio.Writer
	path  string
	moved bool // f is beside path until the end
}

func openOutputs(s streams, o *outputOptions) (*outputs, error) {
	out := &outputs{}
	sink, err := report.New(o.format, s.out, terminalOptions(s.out, o))
	if err != nil {
		return nil, fmt.Errorf("-format: %w", err)
	}
	out.sinks = append(out.sinks, sink)
	for _, spec := range o.output {
		format, path, err := parseOutput(spec)
		if err == nil {
			err = out.open(cmp.Or(format, o.format), path, o)
		}
		if err != nil {
			out.abandon()
			return nil, fmt.Errorf("-output: %w", err)
		}
	}
	return out, nil
}

// parseOutput reads "FILE" or "FORMAT=FILE". A file whose name has a "=" in it
// is written as ./NAME.
func parseOutput(spec string) (format, path string, err error) {
	format, path, ok := strings.Cut(spec, "=")
	if !ok || strings.ContainsAny(format, "./\\") {
		format, path = "", spec
	} else if !slices.Contains(report.Formats(), format) {
		return "", "", fmt.Errorf("%q is no format: use one of %s, or write a file's name as ./%s", format, strings.Join(report.Formats(), ", "), spec)
	}
	if path == "" {
		return "", "", errors.New("no file is named: write FILE or FORMAT=FILE")
	}
	return format, path, nil
}

func checkOutput(spec string) error {
	_, _, err := parseOutput(spec)
	return err
}

func (out *outputs) open(format, path string, o *outputOptions) error {
	for _, other := range out.files {
		if filepath.Clean(other.path) == filepath.Clean(path) {
			return fmt.Errorf("%s is named twice: give each report a file of its own", path)
		}
	}
	file := &outFile{path: path}
	info, err := os.Lstat(path)
	// Only a plain file is replaced: a device, pipe or link is written to. Nor is
	// jsonl, of which each line stands for itself: what is there after a crash
	// counts.
	file.moved = format != "jsonl" && (err != nil || info.Mode().IsRegular())
	if file.moved {
		temp := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d", filepath.Base(path), os.Getpid()))
		file.f, err = os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	} else {
		file.f, err = os.Create(path)
	}
	if err != nil {
		var cause *fs.PathError
		if errors.As(err, &cause) {
			err = cause.Err
		}
		return fmt.Errorf("%s cannot be written: %w", path, err)
	}
	out.files = append(out.files, file)
	file.w = bufio.NewWriter(file.f)
	options := o.reportOptions()
	options.Width = 100
	sink, err := report.New(format, file.w, options)
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
		if err == nil && file.moved {
			err = os.Rename(file.f.Name(), file.path)
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
		if file.moved {
			os.Remove(file.f.Name())
		}
	}
}

// terminalOptions fits a report to where it is shown.
func terminalOptions(w io.Writer, o *outputOptions) report.Options {
	opt := o.reportOptions()
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return opt
	}
	// https://no-color.org: set to anything but the empty string.
	opt.Color = os.Getenv("NO_COLOR") == "" && !o.monochro && os.Getenv("TERM") != "dumb"
	if width, _, err := term.GetSize(int(f.Fd())); err == nil {
		opt.Width = width
	}
	// The first that is set counts (POSIX, Base Definitions, section 8.2).
	locale := cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_CTYPE"), os.Getenv("LANG"))
	opt.ASCII = opt.Lang == "en" && !strings.Contains(strings.ToUpper(strings.ReplaceAll(locale, "-", "")), "UTF8")
	return opt
}
