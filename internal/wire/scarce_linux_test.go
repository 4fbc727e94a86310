package wire

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/pace"
	"github.com/clawsonar/clawsonar/internal/target"
)

// scarceEnv has TestScarceChild contact the address it names, with hardly any
// descriptors left.
const scarceEnv = "CLAWSONAR_TEST_SCARCE"

// A process that runs out of descriptors does with fewer connections at a time;
// each target still gets its own outcome.
func TestScarce(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run", "^TestScarceChild$", "-test.v")
	cmd.Env = append(os.Environ(), scarceEnv+"="+serve(t, answerer).Addr.String())
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestScarceChild") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestScarceChild(t *testing.T) {
	addr, err := netip.ParseAddrPort(os.Getenv(scarceEnv))
	if err != nil {
		t.Skip("run by TestScarce")
	}
	inFlight := pace.NewInFlight(100)
	w := newWire(Options{InFlight: inFlight})
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	limit := syscall.Rlimit{Cur: uint64(len(fds) + 20), Max: before.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 100 {
		group.Go(func() {
			for range 5 {
				if !inFlight.Enter() {
					return
				}
				session := w.Open(t.Context(), target.Target{Addr: addr}, plenty)
				session.ask(get("x"))
				session.Close()
				inFlight.Leave()
				if o := session.Observation(); o.Outcome != event.OutcomeOther {
					t.Errorf("outcome %s (%s)", o.Outcome, o.Err)
				}
			}
		})
	}
	group.Wait()
	if _, limit, strained := inFlight.Load(); strained == 0 {
		t.Errorf("never short of descriptors: the test tests nothing (limit %d)", limit)
	}
}

// A shortage that does not pass is this machine's fault, and said to be so.
func TestScarceForGood(t *testing.T) {
	for _, no := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.ENOMEM} {
		err := dialError("socket", no)
		outcome, why := classify(err)
		if !scarce(err) || outcome != event.OutcomeLocalError || why.ID != "error.this-machine" || !strings.HasPrefix(why.English, "this machine: ") {
			t.Errorf("%v: scarce %t, outcome %s (%s)", no, scarce(err), outcome, why)
		}
	}
	for _, err := range []error{dialError("connect", syscall.ECONNREFUSED), dialError("connect", syscall.EACCES), errors.New("x")} {
		if scarce(err) {
			t.Errorf("%v is a shortage", err)
		}
	}
}

// The end of the run ends a connect that is under way. The listener's queue is
// full, so that the last connect waits.
func TestConnectInterrupted(t *testing.T) {
	addr := deaf(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer time.AfterFunc(50*time.Millisecond, cancel).Stop()
	w := newWire(Options{ConnectTimeout: plenty})
	begin := time.Now()
	session := w.Open(ctx, addr, plenty)
	session.ask(get("x"))
	session.Close()
	if o := session.Observation(); o.Outcome != event.OutcomeInterrupted || time.Since(begin) > plenty/2 {
		t.Errorf("outcome %s (%s) after %v", o.Outcome, o.Err, time.Since(begin))
	}
	w = newWire(Options{ConnectTimeout: 50 * time.Millisecond})
	session = w.Open(t.Context(), addr, plenty)
	session.ask(get("x"))
	session.Close()
	if o := session.Observation(); o.Outcome != event.OutcomeSilent || o.Connections != 0 {
		t.Errorf("outcome %s (%s), %d connections", o.Outcome, o.Err, o.Connections)
	}
}

// deaf returns a target whose listener has no space for another connection, so
// that a connect to it gets no answer.
func deaf(t *testing.T) target.Target {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(sa.(*syscall.SockaddrInet4).Port))
	for range 10 {
		c, err := net.DialTimeout("tcp", addr.String(), 100*time.Millisecond)
		if err != nil {
			return target.Target{Addr: addr}
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Fatal("the queue of a listener is never full")
	return target.Target{}
}
