package wire

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/target"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
)

// Families say which of a name's addresses are taken.
const (
	AllAddresses = "all"
	FirstAddress = "first" // IPv4 if there is one
	OnlyIPv4     = "ipv4"
	OnlyIPv6     = "ipv6"
)

// MaxAddresses is how many addresses of one name are taken: the name's
// server chooses how many there are, and a message has space for thousands.
const MaxAddresses = 16

const (
	lookupsAtOnce = 50
	lookupTimeout = 10 * time.Second // for one name: two attempts of the system's resolver
	maxAnswers    = 1 << 14          // names whose answers are remembered
)

// Answer is what is known of a name's addresses. With neither an address nor a
// family that failed, the name has none.
type Answer struct {
	// Addrs has each address once, IPv4 first. One that an AAAA record writes as
	// an IPv4-mapped address is left like that.
	Addrs []netip.Addr
	Total int // how many there are; Addrs may be a choice of them
	// Failed says of which families it could not be found out.
	Failed []FamilyError
}

// FamilyError says why the addresses of one family could not be found out.
type FamilyError struct {
	Family string // "IPv4" or "IPv6"
	Err    error
}

// Trouble says in words what could not be found out, without the name; "" when
// everything was.
func (a *Answer) Trouble() message.Text {
	var families, why []string
	for _, f := range a.Failed {
		families = append(families, f.Family)
		if text := lookupText(f.Err); !slices.Contains(why, text) {
			why = append(why, text)
		}
	}
	if len(families) == 0 {
		return message.Text{}
	}
	return message.Say("name.failed", message.Of("families", families...), message.Of("trouble", why...))
}

// lookupText is the text of an error of a look-up. What names the servers of
// this machine's network is left out: it goes into results.
func lookupText(err error) string {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.As(err, &dns) && !strings.ContainsAny(dns.Err, ":0123456789"):
		return dns.Err
	}
	return "no server could be asked"
}

// Resolver looks names up: each once, as long as it is remembered, and only so
// many at a time. IPv4 and IPv6 are asked for apart, so that a failure of one is
// not taken for the lack of such addresses. It is safe for concurrent use.
type Resolver struct {
	family string
	seed   uint64
	turns  chan struct{}
	ask    lookup // as the system does
	askGo  lookup // without the system's library

	answers *lru.Cache[string, Answer]
	flight  singleflight.Group
}

// lookup is net.Resolver.LookupNetIP.
type lookup func(ctx context.Context, network, name string) ([]netip.Addr, error)

// NewResolver returns a resolver that takes those addresses of a name, and of
// more than MaxAddresses those that the seed chooses. It asks the server, or those
// of the system if that is zero.
func NewResolver(family string, seed uint64, server netip.AddrPort) *Resolver {
	// The system's resolver, but with StrictErrors: a temporary failure ends the
	// look-up, instead of being passed over on the way along the search list.
	system := &net.Resolver{PreferGo: net.DefaultResolver.PreferGo, Dial: net.DefaultResolver.Dial, StrictErrors: true}
	own := &net.Resolver{PreferGo: true, Dial: net.DefaultResolver.Dial, StrictErrors: true}
	if server.IsValid() {
		own.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server.String())
		}
		system = own
	}
	answers, _ := lru.New[string, Answer](maxAnswers) // fails only for a size below 1
	return &Resolver{
		family: family, seed: seed, turns: make(chan struct{}, lookupsAtOnce),
		ask: system.LookupNetIP, askGo: own.LookupNetIP, answers: answers,
	}
}

// Resolve looks up the addresses of a name. It does not check the scope: dialling
// does. The error is that of ctx.
func (r *Resolver) Resolve(ctx context.Context, name string) (Answer, error) {
	for {
		select {
		case x := <-r.flight.DoChan(name, func() (any, error) {
			a, known := r.answers.Get(name)
			if !known {
				a = r.choose(r.find(ctx, name, r.family))
				if ctx.Err() == nil { // else it says nothing of the name
					r.answers.Add(name, a)
				}
			}
			return a, ctx.Err()
		}):
			// If only the one who asked was interrupted, it is this one's turn.
			if x.Err == nil || ctx.Err() != nil {
				return x.Val.(Answer), ctx.Err()
			}
		case <-ctx.Done():
			return Answer{}, ctx.Err()
		}
	}
}

// All looks up all addresses of a name, of any family: what
// a scope entry is about. Nothing of it is remembered.
func (r *Resolver) All(ctx context.Context, name string) Answer {
	return r.find(ctx, name, everyAddress)
}

// everyAddress is AllAddresses, and also those that no ordinary look-up shows.
const everyAddress = "every"

// Forget has a name looked up anew the next time.
func (r *Resolver) Forget(name string) { r.answers.Remove(name) }

// choose leaves of many addresses as many as are taken: the same for the same
// addresses and seed, in any order the server gave them.
func (r *Resolver) choose(a Answer) Answer {
	if r.family == FirstAddress && len(a.Addrs) > 0 {
		// IPv6 goes without saying once there is an IPv4 address.
		if a.Addrs[0].Is4() {
			a.Failed = nil
		}
		a.Addrs, a.Total = a.Addrs[:1:1], 1
		return a
	}
	n := len(a.Addrs)
	if n <= MaxAddresses {
		return a
	}
	all := slices.Clone(a.Addrs)
	slices.SortFunc(all, netip.Addr.Compare)
	order := target.NewOrder(uint64(n), r.seed)
	a.Addrs = make([]netip.Addr, MaxAddresses)
	for i := range a.Addrs {
		a.Addrs[i] = all[order.At(uint64(i))]
	}
	return a
}

func (r *Resolver) find(ctx context.Context, name, family string) Answer {
	select {
	case r.turns <- struct{}{}:
		defer func() { <-r.turns }()
	case <-ctx.Done():
		return Answer{}
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	var absolute Answer
	if strings.Contains(name, ".") {
		// As it stands at first: the search list is for short names, and IPv6
		// addresses of another name on it are none of this one.
		absolute = r.askFor(ctx, name+".", family)
		if len(absolute.Addrs) > 0 || slices.ContainsFunc(absolute.Failed, FamilyError.temporary) {
			return absolute
		}
	}
	a := r.askFor(ctx, name, family)
	if len(a.Addrs) == 0 && len(a.Failed) == 0 {
		return absolute
	}
	return a
}

// temporary reports whether the same question may have an answer later.
func (e FamilyError) temporary() bool {
	var dns *net.DNSError
	return !errors.As(e.Err, &dns) || dns.IsTemporary || dns.IsTimeout
}

// askFor asks for the families of a name apart.
func (r *Resolver) askFor(ctx context.Context, name, family string) Answer {
	type reply struct {
		addrs []netip.Addr
		err   error
	}
	var v4, v6, both reply
	var group sync.WaitGroup
	get := func(to *reply, network string) {
		group.Go(func() { to.addrs, to.err = r.ask(ctx, network, name) })
	}
	if family != OnlyIPv6 {
		get(&v4, "ip4")
	}
	if family != OnlyIPv4 {
		get(&v6, "ip6")
	}
	group.Wait()
	// An ordinary look-up of IPv6 addresses leaves out those that are IPv4-mapped,
	// and calls it an error if there are no others. The C library, where Go uses it,
	// is asked to give IPv4 addresses like that, also when it could not find out
	// the IPv6 ones: then only a look-up without it tells.
	var unfit *net.AddrError
	mapped := errors.As(v6.err, &unfit)
	if mapped {
		v6.addrs, v6.err = r.askGo(ctx, "ip6", name)
	}
	var out Answer
	for _, x := range []struct {
		family string
		err    error
	}{{"IPv4", v4.err}, {"IPv6", v6.err}} {
		if x.err != nil && !noSuchName(x.err) {
			out.Failed = append(out.Failed, FamilyError{x.family, x.err})
		}
	}
	// Along the search list the families may have been found under two names: one
	// look-up of both has not.
	relative := !strings.HasSuffix(name, ".")
	if (relative || family == everyAddress || mapped) && len(out.Failed) == 0 {
		if both.addrs, both.err = r.ask(ctx, "ip", name); both.err != nil && !noSuchName(both.err) {
			return Answer{Failed: []FamilyError{{"IPv4", both.err}, {"IPv6", both.err}}}
		}
	}
	whole := map[netip.Addr]bool{}
	for _, a := range both.addrs {
		whole[a.Unmap()] = true
	}
	seen := map[netip.Addr]bool{}
	add := func(a netip.Addr) {
		if !seen[a.Unmap()] {
			seen[a.Unmap()] = true
			out.Addrs = append(out.Addrs, a)
		}
	}
	for _, a := range v4.addrs {
		if a = a.Unmap(); len(whole) == 0 || !relative || whole[a] {
			add(a)
		}
	}
	for _, a := range v6.addrs {
		if len(whole) == 0 || !relative || whole[a] {
			add(a)
		}
	}
	if family != OnlyIPv4 && family != OnlyIPv6 {
		for _, a := range both.addrs {
			if a.Is4In6() {
				add(a)
			}
		}
	}
	out.Total = len(out.Addrs)
	return out
}

// noSuchName reports whether an error says that a name has no address of the
// kind, rather than that this could not be found out.
func noSuchName(err error) bool {
	var dns *net.DNSError
	var unfit *net.AddrError // it has, but only of the other family
	return errors.As(err, &dns) && dns.IsNotFound || errors.As(err, &unfit)
}
