package pace

import (
	"sync"
	"time"
)

// InFlight bounds how many targets are in flight: at most a number that goes down
// when this machine runs short of something, and up again, slowly, while it
// does not. It is safe for concurrent use.
type InFlight struct {
	mu       sync.Mutex
	free     *sync.Cond
	limit    int
	most     int
	inside   int
	good     int       // targets since the limit was last changed
	shrunk   time.Time // when it last went down
	strained int
	over     bool
}

// NewInFlight returns a bound of most targets, at least one.
func NewInFlight(most int) *InFlight {
	f := &InFlight{limit: max(most, 1), most: max(most, 1)}
	f.free = sync.NewCond(&f.mu)
	return f
}

// Enter waits for a place. It reports false after Close.
func (f *InFlight) Enter() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.inside >= f.limit && !f.over {
		f.free.Wait()
	}
	if f.over {
		return false
	}
	f.inside++
	return true
}

// Leave gives a place back.
func (f *InFlight) Leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inside--
	// One more after as many targets as may be in flight: a round without trouble.
	if f.good++; f.good >= f.limit && f.limit < f.most {
		f.good = 0
		f.limit++
		f.free.Signal()
	}
	if f.inside < f.limit {
		f.free.Signal()
	}
}

// Outside gives the caller's place back while wait runs, for those it waits
// for, and takes one again, also after Close.
func (f *InFlight) Outside(wait func()) {
	f.Leave()
	wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.inside >= f.limit && !f.over {
		f.free.Wait()
	}
	f.inside++
}

// Close ends all waiting: Enter reports false from now on.
func (f *InFlight) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	f.free.Broadcast()
}

// Strained says that this machine ran short of descriptors, ports or memory:
// the limit goes down to three quarters. What comes within the next 100 ms is
// taken to be the same shortage.
func (f *InFlight) Strained() {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.strained++
	if now := time.Now(); now.Sub(f.shrunk) > 100*time.Millisecond {
		f.limit = max(min(f.limit, f.inside)*3/4, 1)
		f.good, f.shrunk = 0, now
	}
}

// Load returns how many are inside, how many may be, and how often this machine
// has run short of something.
func (f *InFlight) Load() (inside, limit, strained int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.inside, f.limit, f.strained
}
