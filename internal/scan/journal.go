package scan

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/clawsonar/clawsonar/internal/bounded"
)

// Journal is how far a run has come, as a file: enough to go on from there
// after the process was killed. Results are written before their targets count
// as done, so a run that goes on repeats some targets and skips none.
type Journal struct {
	Tool    string    `json:"tool"`    // version that wrote it
	Config  string    `json:"config"`  // digest of all that decides what is scanned, and in which order
	Targets uint64    `json:"targets"` // of this run's shard
	Next    uint64    `json:"next"`    // positions before it are done
	Updated time.Time `json:"updated"`
}

// ReadJournal reads a journal and makes sure that it belongs to a run of the
// same configuration.
func ReadJournal(path, config string, targets uint64) (Journal, error) {
	data, err := bounded.File(path, 64<<10)
	if err != nil {
		return Journal{}, err
	}
	var j Journal
	if err := json.Unmarshal(data, &j); err != nil {
		return Journal{}, fmt.Errorf("%s is not a journal: %w", path, err)
	}
	if j.Config != config || j.Targets != targets || j.Next > targets {
		return Journal{}, fmt.Errorf("%s was written by a scan of something else: give the same targets, ports, scope, level, seed and shard, or start anew without -resume", path)
	}
	return j, nil
}

// Write replaces the file in one step, so that it is whole at any moment.
func (j Journal) Write(path string) error {
	data, err := json.Marshal(j)
	if err != nil {
		return err
	}
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a plain file: name another", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
