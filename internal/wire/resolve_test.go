package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
)

// A name is asked for once, however many want to know, and not too many are
// asked for at a time.
func TestResolver(t *testing.T) {
	var asked, atOnce, most atomic.Int32
	r := NewResolver(AllAddresses)
	r.ask = func(_ context.Context, network, name string) ([]netip.Addr, error) {
		n := atOnce.Add(1)
		defer atOnce.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		asked.Add(1)
		if name == "nowhere.example" {
			return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
		}
		return []netip.Addr{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("::ffff:192.0.2.1"), netip.MustParseAddr("192.0.2.1")}, nil
	}
	var group sync.WaitGroup
	for i := range 2000 {
		group.Go(func() {
			addrs, err := r.Resolve(t.Context(), fmt.Sprintf("host%d.example", i%200))
			if err != nil || fmt.Sprint(addrs) != "[192.0.2.1 2001:db8::1]" {
				t.Errorf("%v, %v", addrs, err)
			}
		})
	}
	group.Wait()
	if asked.Load() != 200 || most.Load() > lookupsAtOnce {
		t.Errorf("asked %d times for 200 names, %d at once", asked.Load(), most.Load())
	}
	for range 2 {
		if _, err := r.Resolve(t.Context(), "nowhere.example"); !NoSuchName(err) {
			t.Errorf("error %v", err)
		}
	}
	if asked.Load() != 201 {
		t.Errorf("what does not exist is asked for again")
	}
	for i := range 2 * maxAnswers {
		if _, err := r.Resolve(t.Context(), fmt.Sprintf("many%d.example", i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.answers) > maxAnswers || len(r.oldest) > maxAnswers {
		t.Errorf("%d answers are remembered, %d names", len(r.answers), len(r.oldest))
	}
}

func TestResolverFamilies(t *testing.T) {
	for family, want := range map[string]string{
		AllAddresses: "ip [192.0.2.1 192.0.2.2]", FirstAddress: "ip [192.0.2.1]", OnlyIPv4: "ip4 [192.0.2.1 192.0.2.2]", OnlyIPv6: "ip6 [192.0.2.1 192.0.2.2]",
	} {
		r := NewResolver(family)
		var network string
		r.ask = func(_ context.Context, n, _ string) ([]netip.Addr, error) {
			network = n
			return []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}, nil
		}
		addrs, err := r.Resolve(t.Context(), "gw.example")
		if got := fmt.Sprint(network, " ", addrs); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", family, got, err, want)
		}
	}
}

// A look-up that the end of the run cut short says nothing of the name.
func TestResolverInterrupted(t *testing.T) {
	r := NewResolver(AllAddresses)
	r.ask = func(ctx context.Context, _, _ string) ([]netip.Addr, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Resolve(ctx, "gw.example"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if addrs, err := r.Resolve(t.Context(), "gw.example"); err != nil || len(addrs) != 1 {
		t.Errorf("%v, %v", addrs, err)
	}
}
