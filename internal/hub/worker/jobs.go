package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/target"
)

// jobs holds the records and targets of the last few jobs.
type jobs struct {
	mu    sync.Mutex
	held  []*held // the last used first
	ended bool
}

// maxHeld is how many are held that nobody uses.
const maxHeld = 3

// held is a job of which there is at least the record.
type held struct {
	id    string
	users int // guarded by jobs.mu

	mu     sync.Mutex
	record *job.Record
	space  *target.Space
}

// use returns the place of a job, which is the caller's until leave.
func (j *jobs) use(id string) *held {
	j.mu.Lock()
	defer j.mu.Unlock()
	h := &held{id: id}
	for i, x := range j.held {
		if x.id == id {
			h = x
			j.held = append(j.held[:i], j.held[i+1:]...)
			break
		}
	}
	h.users++
	j.held = append([]*held{h}, j.held...)
	return h
}

func (j *jobs) leave(h *held) {
	j.mu.Lock()
	defer j.mu.Unlock()
	h.users--
	j.tidy()
}

// tidy forgets those that nobody uses, but for the last few. The caller holds mu.
func (j *jobs) tidy() {
	idle, kept := 0, j.held[:0]
	for _, h := range j.held {
		if h.users == 0 {
			if idle++; idle > maxHeld || j.ended {
				if h.space != nil {
					h.space.Close()
				}
				continue
			}
		}
		kept = append(kept, h)
	}
	j.held = kept
}

func (j *jobs) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended = true
	j.tidy()
}

// errNoRecord says that the hub does not know the job.
var errNoRecord = errors.New("the hub has no record of the job")

// open returns the job's record, as the hub has signed it for this worker.
func (h *held) open(ctx context.Context, w *Worker) (*job.Record, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.record != nil {
		return h.record, nil
	}
	data, err := io.ReadAll(io.LimitReader(&fetcher{ctx: ctx, l: w.link, verb: job.AskRecord, at: job.Fetch{Job: h.id}}, job.MaxSigned+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) == 0:
		return nil, errNoRecord
	}
	r, err := w.Credentials.Open(data)
	if err != nil {
		return nil, err
	}
	if r.ID != h.id {
		return nil, errors.New("the record is of another job")
	}
	if v := w.Credentials.Vantage; !slices.Contains(r.Vantages, v) {
		return nil, fmt.Errorf("the job is not for %s, but for %s", v, strings.Join(r.Vantages, ", "))
	}
	if r.Data != w.data {
		return nil, errors.New("the fingerprints or advisories of this program are not those of the job: use the same clawsonar-hub at the hub and at its workers")
	}
	h.record = r
	return r, nil
}

// targets returns the job's targets, after open.
func (h *held) targets(ctx context.Context, w *Worker) (*target.Space, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.space != nil {
		return h.space, nil
	}
	var err error
	h.space, err = h.record.Unpack(&fetcher{ctx: ctx, l: w.link, verb: job.AskList, at: job.Fetch{Job: h.id}})
	return h.space, err
}

// fetcher reads what the hub sends piece by piece.
type fetcher struct {
	ctx  context.Context
	l    *link
	verb job.Verb
	at   job.Fetch
	left []byte
	end  bool
}

func (f *fetcher) Read(p []byte) (int, error) {
	if len(f.left) == 0 && !f.end {
		data, err := json.Marshal(f.at)
		if err != nil {
			return 0, err
		}
		if f.left, err = f.l.insist(f.ctx, f.verb, data); err != nil {
			return 0, err
		}
		if len(f.left) > job.MaxPart {
			return 0, fmt.Errorf("a piece of %d bytes", len(f.left))
		}
		f.at.Offset += int64(len(f.left))
		f.end = len(f.left) == 0
	}
	if len(f.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, f.left)
	f.left = f.left[n:]
	return n, nil
}
