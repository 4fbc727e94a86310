package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/clawsonar/clawsonar/internal/event"
)

// jsonl is the stream itself.
type jsonl struct{ w *event.Writer }

func newJSONL(w io.Writer, _ Options, _ *catalogue) Sink { return jsonl{event.NewWriter(w)} }

func (s jsonl) Event(e event.Event) error { return s.w.Write(e) }

func (s jsonl) Flush() error { return nil }

// document writes one JSON document as the scan goes:
//
//	{"scan":…,"targets":[…],"totals":…,"summary":…}
//
// It keeps only the totals and the summary, for any number of targets.
// Scan and summary are null if they never came.
type document struct {
	w       io.Writer
	enc     event.Encoder
	begun   bool // the targets' bracket is open
	targets bool // at least one target is written
	groups  totals
	summary *event.Summary
}

func newJSON(w io.Writer, _ Options, _ *catalogue) Sink { return &document{w: w} }

func (d *document) Event(e event.Event) error {
	switch e := e.(type) {
	case *event.Scan:
		if d.begun {
			return errors.New("write json report: a second scan event, or one after a target: merge the streams first")
		}
		return d.begin(e)
	case *event.Target:
		d.groups.add(e)
		if !d.begun {
			if err := d.begin(nil); err != nil {
				return err
			}
		}
		before := ",\n"
		if !d.targets {
			before = "\n"
			d.targets = true
		}
		return d.write(before, e, "")
	case *event.Summary:
		if d.summary != nil {
			return errors.New("write json report: a second summary event: merge the streams first")
		}
		d.summary = e
	}
	return nil
}

func (d *document) Flush() error {
	if !d.begun {
		if err := d.begin(nil); err != nil {
			return err
		}
	}
	before := "],\n\"totals\":"
	if d.targets {
		before = "\n" + before
	}
	groups := struct {
		Checks   []group `json:"checks"`
		Releases []group `json:"releases"`
		Networks []group `json:"networks"`
		// Only where they are known of any.
		Systems   []group `json:"as,omitempty"`
		Countries []group `json:"countries,omitempty"`
	}{
		sorted(d.groups.checks), sorted(d.groups.releases), sorted(d.groups.networks),
		sortedIf(d.groups.known.as, d.groups.systems), sortedIf(d.groups.known.country, d.groups.countries),
	}
	if err := d.write(before, groups, ",\n"); err != nil {
		return err
	}
	return d.write("\"summary\":", d.summary, "}\n")
}

func (d *document) begin(scan any) error {
	d.begun = true
	return d.write(`{"scan":`, scan, ",\n\"targets\":[")
}

// write puts the encoded v between two pieces of the document.
func (d *document) write(before string, v any, after string) error {
	b, err := d.enc.Encode(v)
	if err != nil {
		return err
	}
	b = bytes.TrimSuffix(b, []byte("\n"))
	if _, err := d.w.Write(slices.Concat([]byte(before), b, []byte(after))); err != nil {
		return fmt.Errorf("write json report: %w", err)
	}
	return nil
}
