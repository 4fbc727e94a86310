package access

import (
	"context"
	"net/http"
	"regexp"
	"time"

	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// What the audit log says somebody did. Of anything else it has the method.
const (
	didLogin  = "login"
	didFail   = "login failed"
	didLogout = "logout"
	didMake   = "token made"
	didRevoke = "token revoked"
	didLook   = "looked"
	didRefuse = "refused"
)

// auditLife is how long an entry of the audit log is kept.
const auditLife = 400 * 24 * time.Hour

func (h *Hub) entry(r *http.Request, u User, what, object string) store.AuditEntry {
	// Somebody may have put a token into an address.
	object = tokenText().ReplaceAllString(object, tokenPrefix+"...")
	return store.AuditEntry{At: h.o.Now(), Who: u.Name, Via: string(u.Via), Addr: h.client(r), What: what, Object: object}
}

func tokenText() *regexp.Regexp { return regexp.MustCompile(`clawsonar(?:_|%5[Ff])[A-Za-z0-9_%-]{8,}`) }

// note writes an entry, and returns only when it is written.
func (h *Hub) note(r *http.Request, u User, what, object string) error {
	return h.o.Store.Audit(r.Context(), h.entry(r, u, what, object))
}

// noteLater writes an entry soon: a page is not held up by a run that is being written
// into the database.
func (h *Hub) noteLater(r *http.Request, u User, what, object string) {
	e := h.entry(r, u, what, object)
	h.later(func(ctx context.Context) error { return h.o.Store.Audit(ctx, e) })
}

// later has something written by the goroutine that writes. If more waits than it can
// take, the request waits too.
func (h *Hub) later(write func(context.Context) error) {
	h.closing.RLock()
	defer h.closing.RUnlock()
	if !h.closed {
		h.queue <- write
	}
}

// write runs until the hub is closed: it writes what is queued, and once a day forgets
// what is old.
func (h *Hub) write() {
	defer close(h.written)
	do := func(what string, f func(context.Context) error) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := f(ctx); err != nil {
			h.o.Log.Error(what, "error", err)
		}
	}
	prune := func(ctx context.Context) error {
		now := h.o.Now()
		return h.o.Store.Prune(ctx, now.Add(-auditLife), now.Add(-sessionLife))
	}
	do("the audit log could not be pruned", prune)
	daily := time.NewTicker(24 * time.Hour)
	defer daily.Stop()
	for {
		select {
		case f, ok := <-h.queue:
			if !ok {
				return
			}
			do("the audit log could not be written", f)
		case <-daily.C:
			do("the audit log could not be pruned", prune)
		}
	}
}

// Close ends the hub's sessions with the database: it returns when all that was noted is
// written. The handler must not be served any more.
func (h *Hub) Close() {
	h.stop()
	h.rest.Wait()
	h.closing.Lock()
	if !h.closed {
		h.closed = true
		close(h.queue)
	}
	h.closing.Unlock()
	<-h.written
}
