// Package report renders the result stream: one file a format, each a Sink.
// Every format is made from the events alone, so a stored stream (see event.Read)
// can be rendered again at any time.
//
// Much of what a stream holds was chosen by the targets, and targets may be
// hostile. The JSON formats escape it, every other format passes it through
// package clean.
package report

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
)

// Sink takes the events of one stream in their order. It is not safe for
// concurrent use.
type Sink interface {
	// Event writes one event, or keeps what the format needs of it.
	Event(event.Event) error
	// Flush is called once, after the last event, and writes what the format
	// keeps to the end. It does not close the writer.
	Flush() error
}

// Options say how the formats made for people look. The zero value is plain
// text, 80 columns wide.
type Options struct {
	Color   bool // colour with SGR escape sequences
	Width   int  // columns; 0 means 80, fewer than 60 are taken as 60
	ASCII   bool // nothing but ASCII, for terminals that cannot show more
	Verbose bool // also list what the short view only counts

	// Checks are those that a scan makes: sarif describes them, junit has a
	// case for each, html says why they matter.
	Checks []event.CheckInfo
	Lang   string // of table, markdown and html, see Languages; "" is English
	View   string // of markdown, see Views; "" is the usual one
	// Root is the directory of the run, to which sarif and codequality make names of files relative; "" if
	// that is not known.
	Root string
	// Severities of the findings that table, markdown and html spell out; none for
	// all. Counts, and what is worst at a target, are always of all of them.
	Severities []event.Severity
}

type format struct {
	name    string
	endings string // of files
	make    func(io.Writer, Options, *catalogue) Sink
}

// formats lists the formats in the order in which users see them.
func formats() []format {
	return []format{
		{"table", ".txt", newTable},
		{"jsonl", ".jsonl .ndjson", newJSONL},
		{"json", ".json", newJSON},
		{"csv", ".csv", newCSV},
		{"markdown", ".md .markdown", newMarkdown},
		{"html", ".html .htm", newHTML},
		{"sarif", ".sarif", newSARIF},
		{"junit", ".xml", newJUnit},
		{"codequality", "", newCodeQuality},
	}
}

// Formats returns the names that New knows.
func Formats() []string {
	var names []string
	for _, f := range formats() {
		names = append(names, f.name)
	}
	return names
}

// ParseOutput reads "FILE", whose ending says the format, or "FORMAT=FILE". The
// format is "" if neither says one. A file whose name has a "=" in it is written as
// ./NAME.
func ParseOutput(spec string) (format, path string, err error) {
	format, path, ok := strings.Cut(spec, "=")
	if !ok || strings.ContainsAny(format, "./\\") {
		format, path = "", spec
	} else if !slices.Contains(Formats(), format) {
		return "", "", fmt.Errorf("%q is no format: use one of %s, or write a file's name as ./%s", format, strings.Join(Formats(), ", "), spec)
	}
	if path == "" {
		return "", "", errors.New("the name of a file is missing: write FILE or FORMAT=FILE")
	}
	if format == "" {
		format, err = formatOf(path)
	}
	return format, path, err
}

// formatOf returns the format that the ending of a file's name says; "" for a name
// without one.
func formatOf(path string) (string, error) {
	name := strings.ToLower(filepath.Base(path))
	ending := filepath.Ext(name)
	if ending == "" || ending == name { // a hidden file
		return "", nil
	}
	if strings.HasSuffix(name, ".sarif.json") {
		ending = ".sarif"
	}
	for _, f := range formats() {
		if slices.Contains(strings.Fields(f.endings), ending) {
			return f.name, nil
		}
	}
	return "", fmt.Errorf("%s: %q is no ending of a format: write FORMAT=FILE, with one of %s", path, ending, strings.Join(Formats(), ", "))
}

// Views returns the names of the views that markdown has besides the usual one.
func Views() []string { return []string{"nvdb"} }

// New returns a sink that writes the named format to w. jsonl, json, csv,
// junit and codequality write each event at once; table, markdown, html and sarif, which put the
// worst first and have a limit, in Flush.
func New(format string, w io.Writer, o Options) (Sink, error) {
	if o.View != "" && !slices.Contains(Views(), o.View) {
		return nil, fmt.Errorf("unknown view %q: use %s", clean.N(o.View, 40), strings.Join(Views(), ", "))
	}
	c, err := loadCatalogue(o.Lang)
	if err != nil {
		return nil, err
	}
	for _, f := range formats() {
		if f.name == format {
			return f.make(w, o, c), nil
		}
	}
	return nil, fmt.Errorf("unknown report format %q: use one of %s", clean.N(format, 40), strings.Join(Formats(), ", "))
}

// shows reports whether a finding is shown in detail.
func (o *Options) shows(f *event.Finding) bool {
	return len(o.Severities) == 0 || slices.Contains(o.Severities, f.Severity)
}
