package results

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
)

// Journal is how far a scan has come, as a file: enough to continue from there
// after the process was killed.
type Journal struct {
	Tool    string `json:"tool"`    // version that wrote it
	Config  string `json:"config"`  // digest of all that decides what is asked, and in which order
	Shard   string `json:"shard"`   // K/N
	Targets uint64 `json:"targets"` // of the shard
	Mark
	Runs     []event.Run `json:"runs"` // all until now, this one included
	Finished bool        `json:"finished"`
	Updated  time.Time   `json:"updated"`
}

// Mark is a place in a scan: what is before it is done and its lines are written.
type Mark struct {
	Next     uint64                `json:"next"`              // positions of the shard before it are done
	Pending  []uint64              `json:"pending,omitempty"` // but for these
	Unlisted map[event.Outcome]int `json:"unlisted"`          // of those done: how many have no line
	// Unjudged is what of those was named; Hosts and Names are what package scan
	// knows of hosts that were named without a port, and of names.
	Unjudged *event.Unlisted `json:"unjudged,omitempty"`
	Hosts    []byte          `json:"hosts,omitempty"`
	Names    []byte          `json:"names,omitempty"`
}

// Done is how many targets are done.
func (m Mark) Done() uint64 { return m.Next - uint64(len(m.Pending)) }

// maxJournal is far more than a journal with all it may hold has.
const maxJournal = 64 << 20

// ReadJournal reads a journal and makes sure that it belongs to an unfinished
// scan of want: the same configuration, shard and number of targets.
func ReadJournal(path string, want Journal) (Journal, error) {
	f, err := os.Open(path)
	if err != nil {
		return Journal{}, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > maxJournal {
		return Journal{}, fmt.Errorf("%s is not a journal: name another file", path)
	}
	var j Journal
	dec := json.NewDecoder(f)
	if err := dec.Decode(&j); err != nil || j.Config == "" {
		return Journal{}, fmt.Errorf("%s is not a journal: name another file", path)
	}
	switch {
	case j.Config != want.Config || j.Shard != want.Shard || j.Targets != want.Targets || !j.sane():
		return Journal{}, fmt.Errorf("%s was written by a scan of something else: give the same targets, ports, scope, level, depth, seed and shard, or name another journal", path)
	case j.Finished:
		return Journal{}, fmt.Errorf("%s: this scan is finished: remove that file to scan again; \"clawsonar report\" renders what was found", path)
	}
	return j, nil
}

func (j *Journal) sane() bool {
	if j.Next > j.Targets || uint64(len(j.Pending)) > j.Next {
		return false
	}
	for i, p := range j.Pending {
		if p >= j.Next || i > 0 && p <= j.Pending[i-1] {
			return false
		}
	}
	for _, n := range j.Unlisted {
		if n < 0 {
			return false
		}
	}
	return true
}

// JournalFile is the journal of a run on disk, locked: no other run writes it.
type JournalFile struct {
	Before  Journal // as it was; of a new scan, without runs
	Resumed bool    // it was there

	claim *claim
	mu    sync.Mutex
	now   Journal
	held  bool  // it goes no further: lines are lost
	err   error // of the last time that it was written
}

// OpenJournal takes the journal at path for this run, which began at started: it
// continues one that is there, unless that is finished or of a scan of
// something else than want; must says that there has to be one. A new one is
// not written before Begin.
func OpenJournal(path string, want Journal, must bool, started time.Time) (*JournalFile, error) {
	real, direct := follow(path)
	if direct {
		return nil, fmt.Errorf("%s is not a plain file: name another", path)
	}
	if must {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("open %s: %w", path, plain(err))
		}
	}
	c, err := take(real)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	k := &JournalFile{claim: c, Before: want}
	switch j, err := ReadJournal(path, want); {
	case err == nil:
		k.Before, k.Resumed = j, true
	case !errors.Is(err, fs.ErrNotExist) || must:
		c.release()
		return nil, err
	}
	k.now = k.Before
	k.now.Tool = want.Tool
	k.now.Runs = append(k.now.Runs[:len(k.now.Runs):len(k.now.Runs)], event.Run{Started: started, From: k.Before.Done()})
	return k, nil
}

// Begin writes the journal for the first time: one that cannot be written is
// better known before the scan than after it.
func (k *JournalFile) Begin() error { return k.write(k.now.Mark) }

// write puts a mark on disk.
func (k *JournalFile) write(m Mark) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.held {
		return nil
	}
	k.now.Mark, k.now.Updated = m, time.Now().UTC().Truncate(time.Second)
	data, err := json.Marshal(k.now)
	if err == nil {
		err = k.claim.replace(append(data, '\n'))
	}
	k.err = err
	return err
}

// hold keeps the journal where it is.
func (k *JournalFile) hold() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held = true
}

// finish says that nothing remains to be done, if that is so, and returns the
// error of the last writing.
func (k *JournalFile) finish(finished bool) error {
	k.mu.Lock()
	k.now.Finished = finished && !k.held
	m, retry := k.now.Mark, k.err != nil
	if k.now.Finished {
		m.Next, m.Pending = k.now.Targets, nil
	}
	k.mu.Unlock()
	if k.now.Finished || retry {
		_ = k.write(m)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}

// Close gives the journal up. It may be called more than once.
func (k *JournalFile) Close() {
	if k != nil {
		k.claim.release()
	}
}
