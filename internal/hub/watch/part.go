package watch

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/hub/stream"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/results"
)

// A stream is written as NAME.jsonl.part, line by line, so that a kill costs a line at
// most. When the run is over it is packed as NAME.jsonl.gz and taken into the history;
// the part is removed last, so that whatever fails is done again.
const (
	partEnd = ".jsonl.part"
	packEnd = ".jsonl.gz"
	tempEnd = packEnd + ".tmp"
	// stamp is the name of a stream: when its run began, in UTC.
	stamp = "20060102T150405.000Z"
)

// part is a stream that is being written.
type part struct {
	*event.Writer
	f       *os.File
	started time.Time
}

// create makes the stream of a run that begins now.
func (r *Runner) create(watch string) (*part, error) {
	dir := filepath.Join(r.Dir, watch)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	started := r.Now().UTC().Truncate(time.Millisecond)
	for range 1000 {
		base := filepath.Join(dir, started.Format(stamp))
		_, err := os.Lstat(base + packEnd)
		if errors.Is(err, fs.ErrNotExist) {
			var f *os.File
			if f, err = os.OpenFile(base+partEnd, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
				return &part{event.NewWriter(f), f, started}, nil
			}
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		started = started.Add(time.Millisecond) // a clock that was set back
	}
	return nil, fmt.Errorf("%s: streams of this time are there already", dir)
}

// hand packs the stream of a run that is over and has it taken into the history.
func (r *Runner) hand(ctx context.Context, name string) (store.Applied, error) {
	packed := strings.TrimSuffix(name, partEnd) + packEnd
	if err := pack(name, packed); err != nil {
		return store.Applied{}, fmt.Errorf("%w: %s is kept, and packed later", err, name)
	}
	applied, err := r.apply(ctx, packed)
	if err != nil {
		return store.Applied{}, err
	}
	return applied, os.Remove(name)
}

// File is the stream of a run that others have made, relative to the directory of streams,
// with slashes; see Take.
func File(watch string, began time.Time) string {
	return watch + "/" + began.UTC().Format(stamp) + packEnd
}

// Take makes the stream of a run that others have made, as one of a watch that began at a
// time, and has it taken into the history. Write writes it. Whatever fails is to be done
// again, with the same watch and time: a stream that is there already is not written again,
// and one that is in the history changes nothing.
func (r *Runner) Take(ctx context.Context, watch string, began time.Time, write func(emit func(event.Event) error) error) (store.Applied, error) {
	packed := filepath.Join(r.Dir, filepath.FromSlash(File(watch, began)))
	if err := os.MkdirAll(filepath.Dir(packed), 0o700); err != nil {
		return store.Applied{}, err
	}
	_, err := os.Lstat(packed)
	if errors.Is(err, fs.ErrNotExist) {
		err = writePacked(packed, func(w io.Writer) error {
			out := event.NewWriter(w)
			return write(func(e event.Event) error { return out.Write(r.Geo.Add(e)) })
		})
	}
	if err != nil {
		return store.Applied{}, err
	}
	return r.apply(ctx, packed)
}

// apply has a packed stream taken into the history.
func (r *Runner) apply(ctx context.Context, packed string) (store.Applied, error) {
	x, err := stream.Open(packed)
	if err != nil {
		return store.Applied{}, err
	}
	file, err := filepath.Rel(r.Dir, packed)
	if err != nil {
		return store.Applied{}, err
	}
	// What was seen is taken in, too, when the hub is being stopped.
	applied, err := r.Store.Apply(context.WithoutCancel(ctx), x, filepath.ToSlash(file), r.Checks)
	if err != nil {
		return store.Applied{}, err
	}
	if r.Applied != nil {
		r.Applied(applied)
	}
	return applied, nil
}

// pack writes a packed copy of a file: a whole one, or none.
func pack(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return writePacked(to, func(w io.Writer) error {
		_, err := io.Copy(w, in)
		return err
	})
}

// writePacked writes a packed file: a whole one, or none.
func writePacked(to string, write func(io.Writer) error) (err error) {
	temp := strings.TrimSuffix(to, packEnd) + tempEnd
	out, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			out.Close()
			os.Remove(temp)
		}
	}()
	z := gzip.NewWriter(out)
	if err := write(z); err != nil {
		return err
	}
	for _, step := range []func() error{z.Close, out.Sync, out.Close, func() error { return os.Rename(temp, to) }} {
		if err := step(); err != nil {
			return err
		}
	}
	results.SyncFolder(filepath.Dir(to))
	return nil
}

// Adopt hands on what earlier processes have left, of all watches that there ever were. A
// run that was cut off counts as incomplete: it opens, but closes nothing. The error
// says what could not be handed on; it is left where it is, and so is whatever of the
// same watch is later: it must not be taken for older than it.
func (r *Runner) Adopt(ctx context.Context) error {
	dirs, err := os.ReadDir(r.Dir)
	var errs []error
	for _, d := range dirs {
		if d.IsDir() && ctx.Err() == nil {
			_, err := r.adopt(ctx, filepath.Join(r.Dir, d.Name()), "")
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, err)...)
}

// adopt is Adopt of one watch, but for the stream of a run that has just ended, if that is
// named. Done reports whether nothing waits that the history has to know first.
func (r *Runner) adopt(ctx context.Context, dir, but string) (done bool, err error) {
	files, err := os.ReadDir(dir) // in the order of their names, and so of time
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	var errs []error
	for _, d := range files {
		name := filepath.Join(dir, d.Name())
		switch {
		case !d.Type().IsRegular(), name == but:
		case strings.HasSuffix(name, tempEnd):
			errs = append(errs, os.Remove(name)) // the part is still there
		case strings.HasSuffix(name, partEnd):
			some, err := r.end(name)
			if err == nil && some {
				if _, err = r.hand(ctx, name); err != nil {
					return false, errors.Join(append(errs, err)...)
				}
			} else if err == nil {
				err = os.Remove(name)
			}
			errs = append(errs, err) // one that is damaged holds up nothing
		}
	}
	return true, errors.Join(errs...)
}

// maxLine is the longest line that is looked for at the end of a stream: more than package
// event takes.
const maxLine = 4 << 20

// end makes a whole stream of one that may have been cut off: without the last line, if
// that is torn, and with a summary. It reports whether there is anything in it.
func (r *Runner) end(name string) (some bool, err error) {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := wholeLines(f)
	if err != nil || size == 0 {
		return false, err
	}
	sum := event.NewSummary()
	ended := false
	err = event.Read(io.NewSectionReader(f, 0, size), name, func(e event.Event) error {
		switch e := e.(type) {
		case *event.Target:
			sum.Add(e)
		case *event.Summary:
			ended = true
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	if err := f.Truncate(size); err != nil || ended {
		return true, err
	}
	if _, err := f.Seek(size, io.SeekStart); err != nil {
		return false, err
	}
	sum.Finished = r.Now().UTC().Truncate(time.Millisecond)
	sum.AddNotes(message.Say("run.cut-off"))
	return true, errors.Join(event.NewWriter(f).Write(sum), f.Sync())
}

// wholeLines is the size of a file without a last line that has no end.
func wholeLines(f *os.File) (int64, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return 0, err
	}
	from := max(0, size-maxLine)
	tail := make([]byte, size-from)
	if _, err := f.ReadAt(tail, from); err != nil {
		return 0, err
	}
	i := bytes.LastIndexByte(tail, '\n')
	if i < 0 && from > 0 {
		return 0, fmt.Errorf("%s: its last line is longer than any that a run writes: it is left alone", f.Name())
	}
	return from + int64(i) + 1, nil
}
