package results

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
)

// Journal is how far a run has come, as a file: enough to go on from there after
// the process was killed. A run that goes on repeats some targets and skips none.
type Journal struct {
	Tool    string `json:"tool"`   // version that wrote it
	Config  string `json:"config"` // digest of all that decides what is scanned, asked, and in which order
	Shard   string `json:"shard"`
	Targets uint64 `json:"targets"` // of the shard
	Next    uint64 `json:"next"`    // positions before it are done
	// Parts are the positions at which the runs so far began, the present one
	// last.
	Parts []uint64 `json:"parts"`
	// Outcomes counts the targets before Next that have no line.
	Outcomes map[string]int  `json:"outcomes,omitempty"`
	Unlisted *event.Unlisted `json:"unlisted,omitempty"`
	// Hosts is what is known of hosts that were named without a port; only
	// package scan knows what it means.
	Hosts   []byte    `json:"hosts,omitempty"`
	Updated time.Time `json:"updated"`
}

// maxJournal bounds a journal that is read.
const maxJournal = 64 << 20

// ReadJournal reads a journal and makes sure that it belongs to a run of the
// same configuration, and that there is something left to do. The error is
// fs.ErrNotExist if there is none; an empty file is none.
func ReadJournal(path, config, shard string, targets uint64) (Journal, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return Journal{}, err
	case !info.Mode().IsRegular():
		return Journal{}, fmt.Errorf("%s is not a plain file: name another", path)
	case info.Size() > maxJournal:
		return Journal{}, fmt.Errorf("%s is not a journal: it is too large", path)
	case info.Size() == 0:
		return Journal{}, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return Journal{}, err
	}
	var j Journal
	if err := json.Unmarshal(data, &j); err != nil || j.Tool == "" {
		return Journal{}, fmt.Errorf("%s is not a journal: name another file", path)
	}
	switch {
	case j.Config != config || j.Shard != shard || j.Targets != targets || j.Next > targets:
		return Journal{}, fmt.Errorf("%s was written by a scan of something else: give the same targets, ports, scope, level, seed, shard and other settings of what is asked, or name another file", path)
	case j.Next == targets && targets > 0:
		return Journal{}, fmt.Errorf("%s: this scan is finished: remove the file to scan again", path)
	}
	return j, nil
}

// Write replaces the file in one step.
func (j Journal) Write(path string) error {
	data, err := json.Marshal(j)
	if err != nil {
		return err
	}
	return Replace(path, append(data, '\n'))
}

// IsNone reports whether an error of ReadJournal says that there is no journal.
func IsNone(err error) bool { return errors.Is(err, fs.ErrNotExist) }
