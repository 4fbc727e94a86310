package worker

import (
	"context"
	"sync"
	"time"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/target"
)

// own is what a worker is told itself about what may be contacted. Its files are read again
// when they change: until they can be read, nothing is scanned.
type own struct {
	builder audit.Builder
	say     func(format string, args ...any)
	files   []string
	seen    map[string]job.File // by watch alone

	mu      sync.Mutex
	scope   *target.Scope // nil while it is not known
	changed chan struct{} // closed when there is another one
}

// lookEvery is how often files are looked at.
const lookEvery = time.Second

func newOwn(ctx context.Context, w *Worker) (*own, error) {
	o := &own{
		builder: audit.Builder{Settings: &w.Settings, Naming: w.Naming, Say: func(text string) { w.say("%s", text) }},
		say:     w.say, seen: map[string]job.File{}, changed: make(chan struct{}),
	}
	for _, file := range []string{w.Settings.ScopeFile, w.Settings.ExcludeFile, w.Settings.ASFile} {
		if file != "" {
			o.files = append(o.files, file)
		}
	}
	if _, err := o.differs(time.Now()); err != nil {
		return nil, err
	}
	var err error
	o.scope, err = o.read(ctx)
	return o, err
}

func (o *own) read(ctx context.Context) (*target.Scope, error) {
	l, err := o.builder.Limits(ctx)
	if err != nil {
		return nil, err
	}
	l.Public = true // who states the right to probe stands in the record
	return l.Scope(), nil
}

// get returns the scope, and what is closed when it is no longer the one.
func (o *own) get() (*target.Scope, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.scope, o.changed
}

func (o *own) set(s *target.Scope) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.scope = s
	close(o.changed)
	o.changed = make(chan struct{})
}

// ready waits until the scope is known. It reports false if ctx ends before.
func (o *own) ready(ctx context.Context) bool {
	for {
		s, changed := o.get()
		if s != nil {
			return ctx.Err() == nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// watch reads the files again when they change, until ctx ends.
func (o *own) watch(ctx context.Context) {
	said := ""
	for len(o.files) > 0 {
		sleep(ctx, lookEvery)
		if ctx.Err() != nil {
			return
		}
		old, _ := o.get()
		differs, err := o.differs(time.Now())
		if err == nil && !differs && old != nil {
			continue
		}
		var s *target.Scope
		if err == nil {
			if differs && old != nil {
				o.set(nil) // at once: looking up names may take a while
			}
			s, err = o.read(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			o.set(s)
			said = ""
			o.say("what this worker may scan was read again")
		case old != nil || err.Error() != said:
			o.set(nil)
			said = err.Error()
			o.say("nothing is scanned until this can be read: %v", err)
		}
	}
}

// differs looks at the files, and reports whether any has other content.
func (o *own) differs(now time.Time) (bool, error) {
	differs := false
	for _, name := range o.files {
		before := o.seen[name]
		x, err := before.Look(name, now)
		if err != nil {
			return true, err
		}
		differs = differs || x.SHA256 != before.SHA256
		o.seen[name] = x
	}
	return differs, nil
}
