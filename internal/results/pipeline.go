package results

import (
	"errors"
	"slices"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/geo"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/policy"
	"github.com/clawsonar/clawsonar/internal/redact"
	"github.com/clawsonar/clawsonar/internal/stored"
)

// Pipeline is the way of an event: what files know of its address is added, what is known
// is marked, the gate looks, what identifies is replaced, the reports are written.
//
// A run that continues a jsonl file which holds all before it writes there
// alone while it scans; the gate and the other outputs then get what "report"
// makes of that file. If no file holds the runs before, they get this run alone,
// and are told that this is not all.
type Pipeline struct {
	Geo    *geo.Files // nil: nothing is added
	Filter *policy.Filter
	Gate   *policy.Gate
	Redact *redact.Redactor    // nil: nothing is replaced
	Found  func(*event.Target) // told of each line as it is shown; nil: nobody is

	// For a run that continues a file: a new filter, and the streams of the file.
	Again  func() (*policy.Filter, error)
	Stored func(name string) ([]stored.Source, error)

	*Set
	alone *stored.Alone // nil: what is read has been through it
}

// Open opens the outputs; see the function Open.
func (p *Pipeline) Open(outputs []Output, journal *JournalFile, head *event.Scan) (err error) {
	if journal != nil {
		p.alone = &stored.Alone{}
	}
	var first event.Event = head
	if p.Redact != nil {
		first = p.Redact.Event(first)
	}
	p.Set, err = Open(outputs, journal, first.(*event.Scan))
	return err
}

// Event passes an event on. An error says that there is nowhere left to write to.
func (p *Pipeline) Event(e event.Event) error {
	e = p.Filter.Event(p.Geo.Add(e))
	line := e
	if p.Redact != nil {
		line = p.Redact.Event(e)
	}
	if t, ok := line.(*event.Target); ok && p.Found != nil {
		p.Found(t)
	}
	streams := p.Set.Event(line, true)
	if p.Whole() != "" {
		return streams
	}
	p.Gate.Event(p.alone.Event(e))
	if _, ok := e.(*event.Summary); ok {
		line = p.alone.Event(line)
	}
	return p.Set.Event(line, false)
}

// Finish completes the outputs. If the run went on with a file, that is rendered
// first.
func (p *Pipeline) Finish(complete bool) error {
	var err error
	if name := p.Whole(); name != "" {
		p.CloseStreams()
		err = p.render(name)
	}
	return errors.Join(err, p.Set.Finish(complete && err == nil))
}

// render has the gate and the outputs that are no streams take what a file holds.
func (p *Pipeline) render(name string) error {
	sources, err := p.Stored(name)
	if err != nil {
		return err
	}
	mine := p.Filter.Notes() // of this run alone
	if p.Filter, err = p.Again(); err != nil {
		return err
	}
	return stored.MergeRuns(sources, func(e event.Event) error {
		if s, ok := e.(*event.Summary); ok {
			s.DropNotes(func(n message.Text) bool {
				return slices.ContainsFunc(mine, func(m message.Text) bool { return m.English == n.English })
			})
		}
		e = p.Filter.Event(e)
		p.Gate.Event(e)
		_ = p.Set.Event(e, false) // Finish reports it
		return nil
	})
}
