// Package results writes what a run finds, so that nothing that was found is lost
// and nothing is taken for done that is not written. It is the only place that
// creates, replaces or removes files of results. The order is:
//
//  1. Files are compared (Distinct): no output may be an input, or another
//     output, under whatever name. The journal is locked (Lock).
//  2. Outputs are opened. A stream of lines is written in place, and appended to
//     when a run goes on; what makes sense only as a whole is written to a
//     temporary file in the same folder.
//  3. Each event is written to the streams and flushed before anybody counts its
//     target as done, then to the other outputs. An output that fails is given
//     up; the others go on.
//  4. A checkpoint syncs the streams, then replaces the journal. If a stream has
//     failed, the journal stays where it is.
//  5. At the end each output is flushed, synced and moved to its place, one after
//     the other, whatever becomes of the others; then the journal is written a
//     last time. What was lost is named in one error.
//
// After a kill there are the streams, whole but for the last line, the journal of
// the last checkpoint, and temporary files whose names begin with a dot and that of
// their output. After a signal, a closed pipe or a full disk there are no
// temporary files.
package results

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/clawsonar/clawsonar/internal/event"
)

// Sink is a report that is being written.
type Sink interface {
	Event(event.Event) error
	Flush() error // writes what was kept to the end
}

// Spec is a file to write.
type Spec struct {
	Path   string
	Stream bool // a line an event: written in place as they come
	Append bool // of a stream: go on behind what is there
	New    func(w io.Writer) (Sink, error)
}

// output is one place that events go to.
type output struct {
	name   string
	sink   Sink
	stream bool
	file   *os.File      // nil: not ours to close
	buffer *bufio.Writer // of file
	temp   bool          // file is beside its place until the end
	failed error
}

// Writer writes events to all outputs. It is not safe for concurrent use.
type Writer struct {
	outputs []*output
	// Strict ends the run when a stream cannot be written: a journal would take
	// for done what is not in it.
	Strict bool
}

// Open opens the files. main goes to where it leads already and is called name in
// errors; it may be nil. An error is the user's to correct, and then nothing has
// been changed that was there before.
func Open(name string, main Sink, specs []Spec) (*Writer, error) {
	w := &Writer{}
	if main != nil {
		w.outputs = append(w.outputs, &output{name: name, sink: main})
	}
	for _, s := range specs {
		o, err := open(s)
		if err != nil {
			w.Abandon()
			return nil, err
		}
		w.outputs = append(w.outputs, o)
	}
	return w, nil
}

func open(s Spec) (*output, error) {
	o := &output{name: s.Path, stream: s.Stream}
	info, err := os.Lstat(s.Path)
	// Only a plain file is replaced: a device, pipe or link is written to.
	o.temp = !s.Stream && (err != nil || info.Mode().IsRegular())
	switch {
	case o.temp:
		o.file, err = temporary(s.Path)
	case s.Append:
		o.file, err = openBehind(s.Path)
	default:
		o.file, err = os.OpenFile(s.Path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	}
	if err != nil {
		return nil, cannotWrite(s.Path, err)
	}
	o.buffer = bufio.NewWriter(o.file)
	if o.sink, err = s.New(o.buffer); err != nil {
		o.abandon()
		return nil, err
	}
	return o, nil
}

func cannotWrite(path string, err error) error {
	var cause *fs.PathError
	if errors.As(err, &cause) {
		err = cause.Err
	}
	return fmt.Errorf("%s cannot be written: %w", path, err)
}

// temporary creates a file beside path, with the rights of path, or those that a
// new file gets.
func temporary(path string) (*os.File, error) {
	for {
		name := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text()[:10])
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if info, err := os.Stat(path); err == nil {
			_ = f.Chmod(info.Mode().Perm()) // where a file system knows rights
		}
		return f, nil
	}
}

// openBehind opens a stream to append to it. A last line that was cut off is
// ended, so that what follows begins a line of its own; readers pass it over.
func openBehind(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() > 0 {
		var last [1]byte
		if _, err = f.ReadAt(last[:], info.Size()-1); err == nil && last[0] != '\n' {
			err = truncateToLine(f, info.Size())
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// truncateToLine takes away a last line that was cut off: half a line is no
// result.
func truncateToLine(f *os.File, size int64) error {
	buffer := make([]byte, 64<<10)
	for end := size; end > 0; {
		from := max(0, end-int64(len(buffer)))
		part := buffer[:end-from]
		if _, err := f.ReadAt(part, from); err != nil {
			return err
		}
		for i := len(part) - 1; i >= 0; i-- {
			if part[i] == '\n' {
				return f.Truncate(from + int64(i) + 1)
			}
		}
		end = from
	}
	return f.Truncate(0)
}

// Event writes one event. Its error ends the run: there is nothing left to write
// to, or a stream has failed and Strict is set.
func (w *Writer) Event(e event.Event) error {
	alive := false
	for _, o := range w.outputs {
		if o.failed == nil {
			o.event(e)
		}
		if o.failed != nil && o.stream && w.Strict {
			return fmt.Errorf("%s: %w", o.name, o.failed)
		}
		alive = alive || o.failed == nil
	}
	if !alive && len(w.outputs) > 0 {
		return w.lost()
	}
	return nil
}

func (o *output) event(e event.Event) {
	err := o.sink.Event(e)
	if err == nil && o.stream && o.buffer != nil {
		err = o.buffer.Flush()
	}
	o.failed = err
}

// Sync has what the streams hold written to disk.
func (w *Writer) Sync() error {
	for _, o := range w.outputs {
		if !o.stream || o.file == nil {
			continue
		}
		if o.failed != nil {
			return fmt.Errorf("%s: %w", o.name, o.failed)
		}
		if err := syncFile(o.file); err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
	}
	return nil
}

// Finish completes each output, whatever becomes of the others. The error names
// those that could not be written, all in one line.
func (w *Writer) Finish() error {
	for _, o := range w.outputs {
		o.finish()
	}
	return w.lost()
}

func (o *output) finish() {
	if o.failed == nil {
		o.failed = o.sink.Flush()
	}
	if o.file == nil {
		return
	}
	if o.failed == nil {
		o.failed = o.buffer.Flush()
	}
	if o.failed == nil {
		o.failed = syncFile(o.file)
	}
	name := o.file.Name()
	if err := o.file.Close(); o.failed == nil {
		o.failed = err
	}
	if o.temp {
		if o.failed == nil {
			o.failed = os.Rename(name, o.name)
		}
		if o.failed != nil {
			_ = os.Remove(name)
		}
	}
	o.file = nil
}

// lost names the outputs that have failed; nil if there is none.
func (w *Writer) lost() error {
	var out []error
	for _, o := range w.outputs {
		if o.failed != nil {
			out = append(out, cannotWrite(o.name, o.failed))
		}
	}
	return joined(out)
}

// joined puts errors into one line.
func joined(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	err := errs[0]
	for _, next := range errs[1:] {
		err = fmt.Errorf("%w; %w", err, next)
	}
	return err
}

// Abandon removes what Finish has not completed.
func (w *Writer) Abandon() {
	for _, o := range w.outputs {
		o.abandon()
	}
}

func (o *output) abandon() {
	if o.file == nil {
		return
	}
	name := o.file.Name()
	_ = o.file.Close()
	if o.temp {
		_ = os.Remove(name)
	}
	o.file = nil
}

// Replace writes a file in one step: at any moment it is whole, the old one or
// the new one.
func Replace(path string, data []byte) error {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a plain file: name another", path)
	}
	f, err := temporary(path)
	if err != nil {
		return cannotWrite(path, err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = syncFile(f)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return cannotWrite(path, err)
	}
	return nil
}

// syncFile has a file written to disk. What cannot be synced, such as a pipe or a
// terminal, is as written as it gets.
func syncFile(f *os.File) error {
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	return f.Sync()
}

// Named is a file and what it is to the run, such as "-list".
type Named struct{ Role, Path string }

// Distinct makes sure that no output is also an input or another output, whatever
// it is called: the same path, a link, another spelling. Only plain files count:
// several reports may go to a terminal or to /dev/null.
func Distinct(outputs, inputs []Named) error {
	for i, out := range outputs {
		for _, other := range outputs[:i] {
			if same(out.Path, other.Path) {
				return fmt.Errorf("%s: %s is %s of this run as well: give each a file of its own", out.Role, out.Path, other.Role)
			}
		}
		for _, in := range inputs {
			if same(out.Path, in.Path) {
				return fmt.Errorf("%s: %s is %s of this run as well: it would be overwritten", out.Role, out.Path, in.Role)
			}
		}
	}
	return nil
}

// same reports whether two paths are one plain file, or will be.
func same(a, b string) bool {
	x, errA := os.Stat(a)
	y, errB := os.Stat(b)
	switch {
	case errA == nil && errB == nil:
		return x.Mode().IsRegular() && os.SameFile(x, y)
	case errA == nil || errB == nil:
		return false
	}
	// Neither is there yet: the same name in the same folder.
	if filepath.Base(a) != filepath.Base(b) {
		return false
	}
	x, errA = os.Stat(filepath.Dir(a))
	y, errB = os.Stat(filepath.Dir(b))
	return errA == nil && errB == nil && os.SameFile(x, y)
}
