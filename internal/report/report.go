// Package report renders the result stream: one file a format, each a Sink.
// Every format is made from the events alone, so a stored stream (see event.Read)
// can be rendered again at any time.
//
// Much of what a stream holds was chosen by the targets, and targets may be
// hostile. The JSON formats escape it, every other format passes it through
// Clean.
package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

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

	// Rules are the checks that a scan makes: sarif describes them, junit has a
	// case for each, html says why they matter.
	Rules []event.Rule
	Lang  string // of table, markdown and html, see Languages; "" is English
	View  string // of markdown, see Views; "" is the usual one
	// Severities of the findings that table, markdown and html spell out; none for
	// all. Counts, and what is worst at a target, are always of all of them.
	Severities []event.Severity
}

type format struct {
	name string
	make func(io.Writer, Options, *catalogue) Sink
}

// formats lists the formats in the order in which users see them.
func formats() []format {
	return []format{
		{"table", newTable},
		{"jsonl", newJSONL},
		{"json", newJSON},
		{"csv", newCSV},
		{"markdown", newMarkdown},
		{"html", newHTML},
		{"sarif", newSARIF},
		{"junit", newJUnit},
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

// Views returns the names of the views that markdown has besides the usual one.
func Views() []string { return []string{"nvdb"} }

// New returns a sink that writes the named format to w. jsonl, json, csv and
// junit write each event at once; table, markdown, html and sarif, which put the
// worst first and have a limit, in Flush.
func New(format string, w io.Writer, o Options) (Sink, error) {
	if o.View != "" && !slices.Contains(Views(), o.View) {
		return nil, fmt.Errorf("unknown view %q: use %s", CleanN(o.View, 40), strings.Join(Views(), ", "))
	}
	c, err := loadCatalogue(o.Lang, o.Rules)
	if err != nil {
		return nil, err
	}
	for _, f := range formats() {
		if f.name == format {
			return f.make(w, o, c), nil
		}
	}
	return nil, fmt.Errorf("unknown report format %q: use one of %s", CleanN(format, 40), strings.Join(Formats(), ", "))
}

// shows reports whether a finding is spelled out.
func (o *Options) shows(f *event.Finding) bool {
	return len(o.Severities) == 0 || slices.Contains(o.Severities, f.Severity)
}
