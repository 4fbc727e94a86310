package access

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"
)

// limits bounds attempts to log in: of each client, and of all together. A token cannot
// be guessed; this keeps guessing from filling the log and the machine.
type limits struct {
	mu      sync.Mutex
	all     *rate.Limiter
	clients *simplelru.LRU[string, *rate.Limiter]
}

// Of one client 5 attempts and then one in 12 s, of all 100 and then 20 a second; 4096
// clients are remembered.
func newLimits() *limits {
	clients, _ := simplelru.NewLRU[string, *rate.Limiter](4096, nil) // fails only for a size below 1
	return &limits{all: rate.NewLimiter(20, 100), clients: clients}
}

// wait returns how long a client has to wait before its next attempt; 0 is an attempt.
func (l *limits) wait(client string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	own, ok := l.clients.Get(client)
	if !ok {
		own = rate.NewLimiter(rate.Every(12*time.Second), 5)
		l.clients.Add(client, own)
	}
	r := own.ReserveN(now, 1)
	if d := r.DelayFrom(now); d > 0 {
		r.CancelAt(now)
		return d
	}
	if !l.all.AllowN(now, 1) {
		return time.Second
	}
	return 0
}

// good forgives a client its failed attempts.
func (l *limits) good(client string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clients.Remove(client)
}

// client is the address of who sent a request, without a port. Behind a proxy it is what
// the proxy says, which is the last hop; any before that is the client's own word.
func (h *Hub) client(r *http.Request) string {
	if h.o.Proxy {
		lines := r.Header.Values("X-Forwarded-For")
		if len(lines) > 0 {
			hops := strings.Split(lines[len(lines)-1], ",")
			last := strings.TrimSpace(hops[len(hops)-1])
			if a, err := netip.ParseAddr(last); err == nil {
				return a.Unmap().String()
			}
			if a, err := netip.ParseAddrPort(last); err == nil {
				return a.Addr().Unmap().String()
			}
		}
	}
	if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return a.Addr().Unmap().String()
	}
	return "local" // a socket of unix
}

// ofClient is what counts as one client: of IPv6, where everybody has many addresses, a
// network of 64 bits.
func ofClient(addr string) string {
	a, err := netip.ParseAddr(addr)
	if err != nil || a.Is4() {
		return addr
	}
	p, _ := a.WithZone("").Prefix(64) // fails only for a length that the address does not have
	return p.String()
}
