package event

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/clean"
)

// maxLine is the longest line that Read takes, in bytes, maxValues how many values
// it may hold. A scan caps what it records far below; the limits keep a foreign
// file from filling the memory.
const (
	maxLine   = 3 << 20
	maxValues = 50_000
)

// Read reads a stored JSONL stream and yields its events one by one, so its
// memory depends on the longest line only. Empty lines are skipped. Errors
// name the place as name:line; events before it have been yielded. A stream
// that an interruption cut off within its last line gives an error for which
// errors.Is(err, io.ErrUnexpectedEOF) holds. An error of yield ends the
// reading and is returned as it is. Read does not check that a scan comes
// first or a summary last: a stream without a summary was cut off.
func Read(r io.Reader, name string, yield func(Event) error) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 0, 64<<10), maxLine)
	n := 0
	for sc.Scan() {
		n++
		line := sc.Bytes()
		if n == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff")) // some editors and shells put one there
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if err := bounded.JSON(line, maxValues); err != nil {
			return fmt.Errorf("%s:%d: %w: give a stream that scan wrote with -o jsonl=FILE", name, n, err)
		}
		e, err := Decode(line)
		if err != nil {
			// The text may quote the file, which may be hostile.
			place := fmt.Sprintf("%s:%d: %s", name, n, clean.N(err.Error(), 200))
			if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) && syntax.Offset >= int64(len(line)) && !sc.Scan() {
				return fmt.Errorf("%s: the last line is cut off (%w): resume the scan, or remove that line", place, io.ErrUnexpectedEOF)
			}
			return fmt.Errorf("%s: give a stream that scan wrote with -o jsonl=FILE", place)
		}
		if err := yield(e); err != nil {
			return err
		}
	}
	switch err := sc.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("%s:%d: line is longer than %d MiB: give a stream that scan wrote with -o jsonl=FILE", name, n+1, maxLine>>20)
	case err != nil:
		return fmt.Errorf("%s:%d: read: %w", name, n+1, err)
	}
	return nil
}

// Decode reads one line of a stream. Fields that this version does not know are
// passed over; another schema is an error.
func Decode(line []byte) (Event, error) {
	var head struct {
		Type   Type `json:"type"`
		Schema int  `json:"schema"`
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return nil, err
	}
	var e Event
	switch head.Type {
	case TypeScan:
		if head.Schema != Schema {
			return nil, fmt.Errorf("schema %d is not known to this version (it knows %d): use the clawsonar that wrote it", head.Schema, Schema)
		}
		e = new(Scan)
	case TypeTarget:
		e = new(Target)
	case TypeSummary:
		e = new(Summary)
	default:
		return nil, fmt.Errorf("unknown event type %q", head.Type)
	}
	if err := json.Unmarshal(line, e); err != nil {
		return nil, err
	}
	return e, nil
}
