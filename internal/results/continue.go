package results

import (
	"bytes"
	"errors"
	"os"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/stored"
)

// begins is how each stream begins.
const begins = `{"type":"scan"`

// continues looks whether a jsonl file is a stream that a run with that head
// continues, and returns how much of it is whole: the rest is a line that was cut off.
// all reports whether it holds the lines of all earlier runs.
func continues(f *os.File, head *event.Scan) (whole int64, all bool, err error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return 0, false, err
	}
	heads, err := stored.Heads(f)
	if err != nil {
		return 0, false, err
	}
	if whole, err = lastLine(f, info.Size()); err != nil {
		return 0, false, err
	}
	first := make([]byte, min(info.Size(), int64(len(begins))))
	if _, err := f.ReadAt(first, 0); err != nil {
		return 0, false, err
	}
	if whole == 0 && strings.HasPrefix(begins, string(first)) { // killed within the first line
		return 0, false, nil
	}
	if len(heads) == 0 || !stored.Continues(head, heads[len(heads)-1]) {
		return 0, false, errors.New("it is not a stream that this scan was writing: name that, or a new file")
	}
	return whole, len(stored.Missing(head, heads)) == 0, nil
}

// lastLine returns where the last line that is ended ends.
func lastLine(f *os.File, size int64) (int64, error) {
	buf := make([]byte, 64<<10)
	for end := size; end > 0; {
		begin := max(end-int64(len(buf)), 0)
		b := buf[:end-begin]
		if _, err := f.ReadAt(b, begin); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
			return begin + int64(i) + 1, nil
		}
		end = begin
	}
	return 0, nil
}
