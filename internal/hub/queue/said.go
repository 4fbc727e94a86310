package queue

import (
	"fmt"
	"sync"
	"time"

	"github.com/clawsonar/clawsonar/internal/clean"
)

// sayings tells the operator what happens, but nothing again and again: strangers who knock
// at the port, or a worker that is wrong, must not fill the log.
type sayings struct {
	say func(line string)
	now func() time.Time

	mu   sync.Mutex
	last map[string]time.Time
}

// sayAgain is how long the same is not said again.
const sayAgain = 5 * time.Minute

// maxKinds is how many different things are remembered.
const maxKinds = 4096

// always says a line.
func (s *sayings) always(format string, v ...any) {
	s.say("workers: " + clean.N(fmt.Sprintf(format, v...), maxSaid))
}

// once says a line, if nothing was said of its kind for a while.
func (s *sayings) once(kind, format string, v ...any) {
	now := s.now()
	s.mu.Lock()
	at, known := s.last[kind]
	if known && now.Sub(at) < sayAgain {
		s.mu.Unlock()
		return
	}
	if len(s.last) >= maxKinds {
		clear(s.last)
	}
	s.last[kind] = now
	s.mu.Unlock()
	s.always(format, v...)
}
