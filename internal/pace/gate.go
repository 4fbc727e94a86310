package pace

import (
	"sync"
	"time"
)

// Gate bounds how many targets are in flight: at most a number that goes down
// when this machine runs short of something, and up again, slowly, while it
// does not. It is safe for concurrent use.
type Gate struct {
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

// NewGate returns a gate that at most so many can be inside of, at least one.
func NewGate(most int) *Gate {
	g := &Gate{limit: max(most, 1), most: max(most, 1)}
	g.free = sync.NewCond(&g.mu)
	return g
}

// Enter waits for a place. It reports false once the gate is closed.
func (g *Gate) Enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.inside >= g.limit && !g.over {
		g.free.Wait()
	}
	if g.over {
		return false
	}
	g.inside++
	return true
}

// Leave gives a place back.
func (g *Gate) Leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	// One more after as many targets as may be in flight: a round without trouble.
	if g.good++; g.good >= g.limit && g.limit < g.most {
		g.good = 0
		g.limit++
		g.free.Signal()
	}
	if g.inside < g.limit {
		g.free.Signal()
	}
}

// Outside gives the caller's place back while wait runs, for those whom it waits
// for, and takes one again, also when the gate has been closed meanwhile.
func (g *Gate) Outside(wait func()) {
	g.Leave()
	wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.inside >= g.limit && !g.over {
		g.free.Wait()
	}
	g.inside++
}

// Close lets everybody who waits go.
func (g *Gate) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
	g.free.Broadcast()
}

// Strained says that this machine ran short of descriptors, ports or memory:
// the limit goes down to three quarters. What comes within the next 100 ms is
// taken to be the same shortage.
func (g *Gate) Strained() {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.strained++
	if now := time.Now(); now.Sub(g.shrunk) > 100*time.Millisecond {
		g.limit = max(min(g.limit, g.inside)*3/4, 1)
		g.good, g.shrunk = 0, now
	}
}

// Load returns how many are inside, how many may be, and how often this machine
// has run short of something.
func (g *Gate) Load() (inside, limit, strained int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inside, g.limit, g.strained
}
