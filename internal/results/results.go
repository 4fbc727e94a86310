// Package results keeps what a run finds: it alone writes result files and the
// journal, and nothing that it has written is lost by what happens later.
//
// The order of writes:
//
//  1. Every output is compared with every input and every other output
//     (Distinct), before anything is opened.
//  2. The journal is locked and read (OpenJournal), the outputs are locked and
//     opened. Only when all are open is a jsonl file emptied, or, when the run
//     continues it, cut after its last whole line; then the journal is written
//     for the first time.
//  3. The line of a target goes to each jsonl output, with one write, then to the
//     other formats; only then does the target count as done.
//  4. About once a second the jsonl files are put on disk, and after them the
//     journal, up to a mark before which all is done and written. If a jsonl
//     file can no longer be written, the journal stays where it is.
//  5. At the end the jsonl files are put on disk, then each other file, which was
//     written beside its place, is put on disk and moved there in one step; an
//     output that fails takes no other with it. Last, and only if all is there,
//     the journal says that the scan is finished.
//
// A file that is replaced, and the journal, are claimed by a lock on ".NAME.lock"
// beside it, written as ".NAME.part" and moved; both names are gone after a run
// that ended in good order, and taken over by the next one otherwise. A jsonl
// file is written in place, and is itself locked. Where the operating system has
// no locks that end with their process, the lock is that the file exists.
package results

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/report"
)

// Stream is the format of which each line stands for itself: what is there after
// a crash counts.
const Stream = "jsonl"

// Output is one place that results go to.
type Output struct {
	Format  string
	Path    string    // of a file
	Writer  io.Writer // stdout, instead of Path
	Options report.Options
}

// Set is the outputs of a run. Its methods but Checkpoint are not safe for
// concurrent use.
type Set struct {
	sinks   []*sink
	journal *JournalFile
	whole   string // the file that the run continues and that holds all before

	mu     sync.Mutex // guards what follows
	broken bool       // a stream that the journal relies on is lost
}

// sink is one output.
type sink struct {
	report.Sink
	name string
	err  error // why it is lost

	f      *os.File // nil for stdout
	w      *bufio.Writer
	claim  *claim // f is beside its place until the end
	stream bool
	closed bool
}

// Open opens the outputs. With a journal that is continued, a jsonl file that is
// there must be of the same scan, whose head is head as it will be written, and is
// continued. No file is changed if an error is returned.
func Open(outputs []Output, journal *JournalFile, head *event.Scan) (*Set, error) {
	s := &Set{journal: journal}
	cut := map[*sink]int64{}
	for _, o := range outputs {
		k := &sink{name: "stdout", stream: o.Format == Stream}
		w := o.Writer
		if w == nil {
			k.name = o.Path
			size, err := s.open(k, o.Path, head)
			if err != nil {
				s.Abandon()
				return nil, fmt.Errorf("%s cannot be written: %w", o.Path, err)
			}
			cut[k] = size
			if w = k.f; !k.stream {
				k.w = bufio.NewWriter(k.f)
				w = k.w
			}
		}
		var err error
		if k.Sink, err = report.New(o.Format, w, o.Options); err != nil {
			k.drop()
			s.Abandon()
			return nil, err
		}
		s.sinks = append(s.sinks, k)
	}
	for k, size := range cut {
		if size < 0 {
			continue
		}
		if err := k.f.Truncate(size); err != nil {
			s.Abandon()
			return nil, fmt.Errorf("%s cannot be written: %w", k.name, plain(err))
		}
	}
	if journal != nil {
		if err := journal.Begin(); err != nil {
			s.Abandon()
			return nil, fmt.Errorf("the journal cannot be written: %w", plain(err))
		}
	}
	return s, nil
}

// open opens the file of a sink, and says how much of it stays; -1 is all.
func (s *Set) open(k *sink, path string, head *event.Scan) (keep int64, err error) {
	real, direct := follow(path)
	switch {
	case direct:
		k.f, err = openDirect(path)
		return -1, err
	case !k.stream:
		if info, err := os.Stat(real); err == nil && info.IsDir() {
			return 0, errors.New("is a directory")
		}
		if k.claim, err = take(real); err != nil {
			return 0, err
		}
		if k.f, err = k.claim.part(); err != nil {
			k.claim.release()
		}
		return -1, err
	}
	// Read, too, to see whether it can be continued.
	if k.f, err = os.OpenFile(real, os.O_RDWR|os.O_CREATE, 0o666); errors.Is(err, fs.ErrPermission) {
		k.f, err = os.OpenFile(real, os.O_WRONLY, 0)
	}
	if err != nil {
		return 0, plain(err)
	}
	if err = lock(k.f); err == nil && s.journal != nil && s.journal.Resumed {
		var all bool
		if keep, all, err = continues(k.f, head); all {
			s.whole = real
		}
	}
	if err == nil {
		_, err = k.f.Seek(keep, io.SeekStart)
	}
	if err != nil {
		k.f.Close()
		return 0, err
	}
	return keep, nil
}

// Whole returns the jsonl file that this run continues, if it holds all that
// earlier runs have written, and else "".
func (s *Set) Whole() string { return s.whole }

// Has reports whether there is an output of which the lines are a stream, or one
// of which they are not.
func (s *Set) Has(stream bool) bool {
	return slices.ContainsFunc(s.sinks, func(k *sink) bool { return k.stream == stream })
}

// Event writes to the outputs that are streams, or to the others. One that fails
// gets no more; an error says that none is left.
func (s *Set) Event(e event.Event, stream bool) error {
	for _, k := range s.sinks {
		if k.stream != stream || k.err != nil {
			continue
		}
		if err := k.Event(e); err != nil {
			s.lose(k, err)
		}
	}
	if slices.ContainsFunc(s.sinks, func(k *sink) bool { return k.err == nil }) {
		return nil
	}
	return errLost
}

// errLost: each has said why by itself.
var errLost = errors.New("no output is left")

// lose gives a sink up.
func (s *Set) lose(k *sink, err error) {
	k.err = fmt.Errorf("write results: %s: %w", k.name, plain(err))
	if !k.stream || s.journal == nil {
		return
	}
	// Another run can continue without what went to stdout if a file has it.
	if k.f == nil && slices.ContainsFunc(s.sinks, func(o *sink) bool { return o.stream && o.f != nil && o.err == nil }) {
		return
	}
	s.mu.Lock()
	s.broken = true
	s.mu.Unlock()
	s.journal.hold()
}

// Broken reports whether the run should end: what it finds from now on would
// have to be found once more.
func (s *Set) Broken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

// Checkpoint puts on disk what is written, and then how far that is. One that
// fails is tried again, and reported at the end.
func (s *Set) Checkpoint(m Mark) {
	for _, k := range s.sinks {
		if k.stream && k.f != nil {
			_ = k.f.Sync() // not every kind of file can
		}
	}
	_ = s.journal.write(m)
}

// CloseStreams ends the outputs that are streams: what they hold can be read.
func (s *Set) CloseStreams() {
	for _, k := range s.sinks {
		if k.stream && k.f != nil {
			s.end(k)
		}
	}
}

// Finish completes the outputs, each by itself, then the journal, which says
// that the scan is finished if it is complete and nothing is lost. The error
// joins one for each that is lost.
func (s *Set) Finish(complete bool) error {
	s.CloseStreams()
	for _, k := range s.sinks {
		s.end(k)
	}
	var errs []error
	for _, k := range s.sinks {
		if k.err != nil {
			errs = append(errs, k.err)
		}
	}
	if s.journal != nil {
		if err := s.journal.finish(complete && len(errs) == 0); err != nil {
			errs = append(errs, fmt.Errorf("write the journal: %w", plain(err)))
		}
		s.journal.Close()
	}
	return errors.Join(errs...)
}

// end completes a sink.
func (s *Set) end(k *sink) {
	if k.closed {
		return
	}
	k.closed = true
	err := k.err
	if err == nil {
		err = k.Flush()
	}
	if err == nil && k.w != nil {
		err = k.w.Flush()
	}
	switch {
	case k.f == nil:
	case err != nil:
		k.drop()
	case k.claim != nil:
		err = k.claim.place(k.f)
		k.claim.release()
	default:
		if info, e := k.f.Stat(); e == nil && info.Mode().IsRegular() {
			err = k.f.Sync()
		}
		err = errors.Join(err, k.f.Close())
	}
	if k.err == nil && err != nil {
		s.lose(k, err)
	}
}

// drop closes a sink without completing it.
func (k *sink) drop() {
	if k.f == nil {
		return
	}
	k.f.Close()
	if k.claim != nil {
		_ = os.Remove(k.f.Name())
		k.claim.release()
	}
}

// Abandon removes what Finish has not completed, and leaves the journal as it is.
func (s *Set) Abandon() {
	for _, k := range s.sinks {
		if !k.closed {
			k.closed = true
			k.drop()
		}
	}
	s.journal.Close()
}
