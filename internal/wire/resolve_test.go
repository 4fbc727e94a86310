package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/test/nameserver"
)

func addrs(texts ...string) []netip.Addr {
	var out []netip.Addr
	for _, text := range texts {
		out = append(out, netip.MustParseAddr(text))
	}
	return out
}

// A name is asked for once, however many want to know, and not too many are
// asked for at a time.
func TestResolver(t *testing.T) {
	var asked, atOnce, most atomic.Int32
	r := NewResolver(AllAddresses, 0, netip.AddrPort{})
	r.ask = func(_ context.Context, network, name string) ([]netip.Addr, error) {
		if strings.HasPrefix(name, "nowhere.") {
			asked.Add(1)
			return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
		}
		if network == "ip6" {
			return addrs("2001:db8::1"), nil
		}
		n := atOnce.Add(1)
		defer atOnce.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		asked.Add(1)
		return addrs("::ffff:192.0.2.1", "192.0.2.1"), nil
	}
	var group sync.WaitGroup
	for i := range 2000 {
		group.Go(func() {
			a, err := r.Resolve(t.Context(), fmt.Sprintf("host%d.example", i%200))
			if err != nil || fmt.Sprint(a) != "{[192.0.2.1 2001:db8::1] 2 []}" {
				t.Errorf("%v, %v", a, err)
			}
		})
	}
	group.Wait()
	if asked.Load() != 200 || most.Load() > lookupsAtOnce {
		t.Errorf("asked %d times for 200 names, %d at once", asked.Load(), most.Load())
	}
	asked.Store(0)
	for range 2 {
		if a, err := r.Resolve(t.Context(), "nowhere.example"); err != nil || len(a.Addrs)+len(a.Failed) > 0 || a.Trouble().English != "" {
			t.Errorf("%v, %v", a, err)
		}
	}
	if n := asked.Load(); n < 4 || n > 5 { // as it stands, then along the search list
		t.Errorf("asked %d times for what does not exist", n)
	}
	for i := range 2 * maxAnswers {
		if _, err := r.Resolve(t.Context(), fmt.Sprintf("many%d.example", i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.answers.Len(); n != maxAnswers {
		t.Errorf("%d answers are remembered", n)
	}
}

// A look-up that the end of the run cut short says nothing of the name.
func TestResolverInterrupted(t *testing.T) {
	r := NewResolver(AllAddresses, 0, netip.AddrPort{})
	r.ask = func(ctx context.Context, network, _ string) ([]netip.Addr, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if network == "ip6" {
			return nil, &net.DNSError{IsNotFound: true}
		}
		return addrs("192.0.2.1"), nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Resolve(ctx, "gw.example"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if a, err := r.Resolve(t.Context(), "gw.example"); err != nil || len(a.Addrs) != 1 {
		t.Errorf("%v, %v", a, err)
	}
}

// Nor does it fail others who wait for the same name.
func TestResolverOthersWait(t *testing.T) {
	r := NewResolver(AllAddresses, 0, netip.AddrPort{})
	asked := make(chan struct{}, 10)
	r.ask = func(ctx context.Context, network, _ string) ([]netip.Addr, error) {
		if network == "ip6" {
			return nil, &net.DNSError{IsNotFound: true}
		}
		asked <- struct{}{}
		if ctx.Value(first{}) != nil {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return addrs("192.0.2.1"), nil
	}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), first{}, true))
	var group sync.WaitGroup
	group.Go(func() {
		if _, err := r.Resolve(ctx, "gw.example"); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	<-asked
	for range 20 {
		group.Go(func() {
			if a, err := r.Resolve(t.Context(), "gw.example"); err != nil || len(a.Addrs) != 1 {
				t.Errorf("%v, %v", a, err)
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	cancel()
	group.Wait()
}

type first struct{}

// Of many addresses the seed chooses, in any order.
func TestResolverChoice(t *testing.T) {
	var many []netip.Addr
	for i := range 3000 {
		many = append(many, netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}))
	}
	resolve := func(seed uint64, family string, list []netip.Addr) Answer {
		r := NewResolver(family, seed, netip.AddrPort{})
		r.ask = func(_ context.Context, network, _ string) ([]netip.Addr, error) {
			if network == "ip6" {
				return nil, &net.DNSError{IsNotFound: true}
			}
			return slices.Clone(list), nil
		}
		a, err := r.Resolve(t.Context(), "many.example")
		if err != nil {
			t.Fatal(err)
		}
		if all := r.All(t.Context(), "many.example"); len(all.Addrs) != len(list) {
			t.Errorf("a scope entry has %d addresses, want all %d", len(all.Addrs), len(list))
		}
		return a
	}
	one := resolve(1, AllAddresses, many)
	distinct := map[netip.Addr]bool{}
	for _, a := range one.Addrs {
		distinct[a] = slices.Contains(many, a)
	}
	if len(one.Addrs) != MaxAddresses || len(distinct) != MaxAddresses || one.Total != 3000 {
		t.Fatalf("%d addresses, %d distinct, of %d", len(one.Addrs), len(distinct), one.Total)
	}
	turned := slices.Clone(many)
	slices.Reverse(turned)
	if again := resolve(1, AllAddresses, turned); !slices.Equal(one.Addrs, again.Addrs) {
		t.Error("in another order, others are chosen")
	}
	if other := resolve(2, AllAddresses, many); slices.Equal(one.Addrs, other.Addrs) {
		t.Error("another seed chooses the same")
	}
	if few := resolve(1, AllAddresses, many[:MaxAddresses]); few.Total != MaxAddresses || !slices.Equal(few.Addrs, many[:MaxAddresses]) {
		t.Errorf("16 addresses are %v", few)
	}
	if first := resolve(1, FirstAddress, many); first.Total != 1 || !slices.Equal(first.Addrs, many[:1]) {
		t.Errorf("the first is %v", first)
	}
}

// asking returns a resolver that asks a server with that zone.
func asking(t *testing.T, z nameserver.Zone) *net.Resolver {
	t.Helper()
	s, err := nameserver.Start(z)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s.Resolver()
}

// What a server says of one family must not be lost behind what it says of the
// other.
func TestResolverFamilies(t *testing.T) {
	var many []string
	for i := range 3000 {
		many = append(many, fmt.Sprintf("192.0.%d.%d", i>>8, i&255))
	}
	z := nameserver.Zone{
		"both.example A": "192.0.2.1", "both.example AAAA": "2001:db8::1",
		"only4.example A": "192.0.2.1", "only6.example AAAA": "2001:db8::1",
		"fail6.example A": "192.0.2.1", "fail6.example AAAA": "SERVFAIL",
		"fail4.example A": "SERVFAIL", "fail4.example AAAA": "2001:db8::1",
		"fail.example A": "SERVFAIL", "fail.example AAAA": "SERVFAIL",
		"refuse6.example A": "192.0.2.1", "refuse6.example AAAA": "REFUSED",
		"refuse.example A": "REFUSED", "refuse.example AAAA": "REFUSED",
		"none6.example A": "", "none6.example AAAA": "SERVFAIL",
		"nx6.example A": "192.0.2.1", "nx6.example AAAA": "NXDOMAIN",
		"mapped.example AAAA": "::ffff:10.0.0.1", "mixed.example AAAA": "2001:db8::1 ::ffff:10.0.0.1", "mixed.example A": "192.0.2.1",
		"empty.example A": "", "many.example A": strings.Join(many, " "),
	}
	system := asking(t, z)
	for _, c := range []struct{ family, name, want string }{
		{AllAddresses, "both.example", "192.0.2.1 2001:db8::1"},
		{FirstAddress, "both.example", "192.0.2.1"},
		{OnlyIPv4, "both.example", "192.0.2.1"},
		{OnlyIPv6, "both.example", "2001:db8::1"},
		{everyAddress, "both.example", "192.0.2.1 2001:db8::1"},
		{AllAddresses, "only4.example", "192.0.2.1"},
		{AllAddresses, "only6.example", "2001:db8::1"},
		{OnlyIPv6, "only4.example", ""},
		{FirstAddress, "only6.example", "2001:db8::1"},
		{AllAddresses, "fail6.example", "192.0.2.1: its IPv6 addresses could not be looked up: server misbehaving"},
		{everyAddress, "fail6.example", "192.0.2.1: its IPv6 addresses could not be looked up: server misbehaving"},
		{OnlyIPv4, "fail6.example", "192.0.2.1"},
		{FirstAddress, "fail6.example", "192.0.2.1"},
		{AllAddresses, "fail4.example", "2001:db8::1: its IPv4 addresses could not be looked up: server misbehaving"},
		{FirstAddress, "fail4.example", "2001:db8::1: its IPv4 addresses could not be looked up: server misbehaving"},
		{AllAddresses, "fail.example", ": its IPv4 and IPv6 addresses could not be looked up: server misbehaving"},
		{AllAddresses, "refuse6.example", "192.0.2.1: its IPv6 addresses could not be looked up: server misbehaving"},
		{AllAddresses, "refuse.example", ": its IPv4 and IPv6 addresses could not be looked up: server misbehaving"},
		{AllAddresses, "none6.example", ": its IPv6 addresses could not be looked up: server misbehaving"},
		{AllAddresses, "nx6.example", "192.0.2.1"},
		{AllAddresses, "mapped.example", "::ffff:10.0.0.1"},
		{everyAddress, "mapped.example", "::ffff:10.0.0.1"},
		{AllAddresses, "mixed.example", "192.0.2.1 2001:db8::1"},
		{everyAddress, "mixed.example", "192.0.2.1 2001:db8::1 ::ffff:10.0.0.1"},
		{AllAddresses, "empty.example", ""},
		{AllAddresses, "nowhere.example", ""},
		{everyAddress, "nowhere.example", ""},
	} {
		r := NewResolver(c.family, 0, netip.AddrPort{})
		r.ask, r.askGo = system.LookupNetIP, system.LookupNetIP
		a := r.find(t.Context(), c.name, c.family)
		a = r.choose(a)
		got := strings.Trim(fmt.Sprint(a.Addrs), "[]")
		if trouble := a.Trouble().English; trouble != "" {
			got += ": " + trouble
		}
		if got != c.want {
			t.Errorf("%s of %s: %s, want %s", c.family, c.name, got, c.want)
		}
	}
	r := NewResolver(AllAddresses, 0, netip.AddrPort{})
	r.ask = system.LookupNetIP
	if a, err := r.Resolve(t.Context(), "many.example"); err != nil || len(a.Addrs) != MaxAddresses || a.Total != 3000 {
		t.Errorf("%d of %d addresses, %v", len(a.Addrs), a.Total, err)
	}
}

// A server that does not answer for one family is no server that says there are
// no such addresses.
func TestResolverSilentFamily(t *testing.T) {
	system := asking(t, nameserver.Zone{"gw.example A": "192.0.2.1", "gw.example AAAA": "silent"})
	r := NewResolver(AllAddresses, 0, netip.AddrPort{})
	r.ask = func(ctx context.Context, network, name string) ([]netip.Addr, error) {
		if network == "ip6" {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, 100*time.Millisecond)
			defer cancel()
		}
		return system.LookupNetIP(ctx, network, name)
	}
	a, err := r.Resolve(t.Context(), "gw.example")
	if got := fmt.Sprint(a.Addrs, a.Trouble().English); err != nil || got != "[192.0.2.1]its IPv6 addresses could not be looked up: no answer in time" {
		t.Errorf("%s, %v", got, err)
	}
}

// The search list is for names that are not there as they stand, and does not
// mix the addresses of two names on it.
func TestResolverSearchList(t *testing.T) {
	// What the system's resolver finds with a.test and b.test on its list, for each
	// question ("ip" as it does: the first name that has an address of any family).
	data := map[string][]string{
		"gw.test. ip4": {"192.0.2.1"}, "gw.test ip6": {"2001:db8::bad"}, "gw.test ip": {"192.0.2.1"},
		"short ip4": {"192.0.2.2"}, "short ip6": {"2001:db8::bad"}, "short ip": {"192.0.2.2"},
		"sub.host ip4": {"192.0.2.3"}, "sub.host ip6": {"2001:db8::3"}, "sub.host ip": {"192.0.2.3", "2001:db8::3"},
	}
	for name, want := range map[string]string{
		"gw.test": "[192.0.2.1]", "short": "[192.0.2.2]", "sub.host": "[192.0.2.3 2001:db8::3]", "unknown": "[]",
	} {
		r := NewResolver(AllAddresses, 0, netip.AddrPort{})
		r.ask = func(_ context.Context, network, name string) ([]netip.Addr, error) {
			if list := data[name+" "+network]; list != nil {
				return addrs(list...), nil
			}
			return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
		}
		if a, err := r.Resolve(t.Context(), name); err != nil || fmt.Sprint(a.Addrs) != want || len(a.Failed) > 0 {
			t.Errorf("%s: %v, %v, want %s", name, a, err, want)
		}
	}
}

// The C library gives IPv4 addresses as IPv4-mapped ones where it has found no
// IPv6 addresses, whether there are none or its server failed.
func TestResolverOfC(t *testing.T) {
	for name, want := range map[string]string{
		"none.example":   "[192.0.2.1]",
		"half.example":   "[192.0.2.1]its IPv6 addresses could not be looked up: server misbehaving",
		"mapped.example": "[192.0.2.1 ::ffff:192.0.2.9]",
	} {
		r := NewResolver(AllAddresses, 0, netip.AddrPort{})
		system := asking(t, nameserver.Zone{
			"none.example A": "192.0.2.1", "half.example A": "192.0.2.1", "half.example AAAA": "SERVFAIL",
			"mapped.example A": "192.0.2.1", "mapped.example AAAA": "::ffff:192.0.2.9",
		})
		r.askGo = system.LookupNetIP
		r.ask = func(ctx context.Context, network, name string) ([]netip.Addr, error) {
			switch {
			case network == "ip6":
				return nil, &net.AddrError{Err: "no suitable address", Addr: name}
			case network == "ip" && name == "mapped.example.":
				return addrs("192.0.2.1", "::ffff:192.0.2.9"), nil
			case network == "ip":
				return addrs("192.0.2.1", "::ffff:192.0.2.1"), nil
			}
			return system.LookupNetIP(ctx, network, name)
		}
		a, err := r.Resolve(t.Context(), name)
		if got := fmt.Sprint(a.Addrs, a.Trouble().English); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", name, got, err, want)
		}
	}
}

// What names this machine's name servers stays out of the results.
func TestLookupText(t *testing.T) {
	for want, err := range map[string]error{
		"no answer in time":        &net.DNSError{Err: "read udp 10.0.0.7:3344->10.0.0.53:53: i/o timeout", IsTimeout: true},
		"no server could be asked": &net.DNSError{Err: "dial udp 10.0.0.53:53: connect: network is unreachable"},
		"server misbehaving":       &net.DNSError{Err: "server misbehaving", Server: "10.0.0.53:53", IsTemporary: true},
	} {
		if got := lookupText(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}
