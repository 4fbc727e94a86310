package wire

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Families say which of a name's addresses are taken.
const (
	AllAddresses = "all"
	FirstAddress = "first" // IPv4 if there is one
	OnlyIPv4     = "ipv4"
	OnlyIPv6     = "ipv6"
)

const (
	lookupsAtOnce = 50
	lookupTimeout = 10 * time.Second // for one lookup: two attempts of the system's resolver
	maxAnswers    = 1 << 14          // names whose answers are remembered
)

// Resolver looks names up: each once, as long as it is remembered, and only so
// many at a time. It is safe for concurrent use.
type Resolver struct {
	family string
	turns  chan struct{}
	ask    func(ctx context.Context, network, name string) ([]netip.Addr, error)

	mu      sync.Mutex
	answers map[string]*answer
	oldest  []string // names in the order they came; a ring once it is full
	next    int
}

type answer struct {
	ready chan struct{} // closed when the rest is there
	addrs []netip.Addr
	err   error
}

// NewResolver returns a resolver that takes those addresses of a name.
func NewResolver(family string) *Resolver {
	return &Resolver{
		family: family, turns: make(chan struct{}, lookupsAtOnce),
		ask: net.DefaultResolver.LookupNetIP, answers: map[string]*answer{},
	}
}

// Resolve looks up the addresses of a name, IPv4 first, each once. It does not
// check the scope: dialling does.
func (r *Resolver) Resolve(ctx context.Context, name string) ([]netip.Addr, error) {
	r.mu.Lock()
	a, known := r.answers[name]
	if !known {
		a = &answer{ready: make(chan struct{})}
		r.remember(name, a)
	}
	r.mu.Unlock()
	if !known {
		a.addrs, a.err = r.lookup(ctx, name)
		if ctx.Err() != nil {
			r.forget(name, a) // it says nothing of the name
		}
		close(a.ready)
	}
	select {
	case <-a.ready:
		return a.addrs, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// NoSuchName reports whether an error of Resolve says that a name has no
// address, rather than that this could not be found out.
func NoSuchName(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}

// remember stores an answer in the place of the oldest. The caller holds mu.
func (r *Resolver) remember(name string, a *answer) {
	if len(r.oldest) < maxAnswers {
		r.oldest = append(r.oldest, name)
	} else {
		delete(r.answers, r.oldest[r.next])
		r.oldest[r.next] = name
		r.next = (r.next + 1) % maxAnswers
	}
	r.answers[name] = a
}

func (r *Resolver) forget(name string, a *answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answers[name] == a {
		delete(r.answers, name)
	}
}

func (r *Resolver) lookup(ctx context.Context, name string) ([]netip.Addr, error) {
	select {
	case r.turns <- struct{}{}:
		defer func() { <-r.turns }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	network := "ip"
	switch r.family {
	case OnlyIPv4:
		network = "ip4"
	case OnlyIPv6:
		network = "ip6"
	}
	addrs, err := r.ask(ctx, network, name)
	if err != nil {
		return nil, err
	}
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	slices.SortStableFunc(addrs, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
	var out []netip.Addr
	for _, a := range addrs {
		if !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	if r.family == FirstAddress && len(out) > 1 {
		out = out[:1]
	}
	return out, nil
}
