//go:build e2e && linux

package e2e

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/replica"
	"github.com/clawsonar/clawsonar/internal/test/lab"
	"github.com/clawsonar/clawsonar/testdata/captures"
)

// replicasOf is an environment variable that makes this program serve replicas instead of
// running tests: names of captures and addresses, as CAPTURE=ADDRESS, separated by commas.
const replicasOf = "CLAWSONAR_E2E_REPLICAS"

// openings are the connections that were opened to a namespace, as its own side saw them.
type openings struct {
	Count   int // of different ones: what the kernel sends again is the same
	Again   int
	Peak    int // most in any one second
	Seconds int // from the first to the last
}

// startReplicas serves replicas in a namespace; stop ends that and tells what was opened.
func startReplicas(t *testing.T, n *lab.Namespace, all map[netip.AddrPort]string) (stop func() openings) {
	t.Helper()
	var list []string
	for at, name := range all {
		list = append(list, name+"="+at.String())
	}
	cmd := n.Command(os.Args[0])
	cmd.Env = append(os.Environ(), replicasOf+"="+strings.Join(list, ","))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make([]byte, 6)
	if _, err := io.ReadFull(out, ready); err != nil {
		t.Fatalf("replicas: %v", err)
	}
	var once sync.Once
	var seen openings
	stop = func() openings {
		once.Do(func() {
			in.Close()
			if err := json.NewDecoder(out).Decode(&seen); err != nil {
				t.Errorf("replicas: %v", err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("replicas: %v", err)
			}
		})
		return seen
	}
	t.Cleanup(func() { stop() })
	return stop
}

// serveReplicas is the other side of startReplicas.
func serveReplicas(list string) error {
	all, err := evidence.LoadCaptures(captures.FS, ".")
	if err != nil {
		return err
	}
	count, err := countOpenings("link0")
	if err != nil {
		return err
	}
	for entry := range strings.SplitSeq(list, ",") {
		name, at, _ := strings.Cut(entry, "=")
		c, ok := all[name]
		if !ok {
			return fmt.Errorf("no capture %s", name)
		}
		addr, err := netip.ParseAddrPort(at)
		if err != nil {
			return err
		}
		if _, err := replica.StartAt(addr, c); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return json.NewEncoder(os.Stdout).Encode(count())
}

// countOpenings counts the SYNs that come in at an interface, until the function that it
// returns is called.
func countOpenings(link string) (func() openings, error) {
	device, err := net.InterfaceByName(link)
	if err != nil {
		return nil, err
	}
	const ip = 0x0800
	network := int(binary.BigEndian.Uint16([]byte{ip & 0xff, ip >> 8}))
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_DGRAM, network)
	if err != nil {
		return nil, err
	}
	_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 8<<20)
	// When the kernel had it, not when this busy process comes to read it.
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TIMESTAMPNS, 1); err != nil {
		return nil, err
	}
	if err := syscall.Bind(fd, &syscall.SockaddrLinklayer{Protocol: uint16(network), Ifindex: device.Index}); err != nil {
		return nil, err
	}
	var mu sync.Mutex
	seen := map[[16]byte]bool{}
	var times []time.Time
	var o openings
	go func() {
		packet, control := make([]byte, 128), make([]byte, 128)
		for {
			n, cn, _, _, err := syscall.Recvmsg(fd, packet, control, 0)
			if err != nil && err != syscall.EINTR {
				return
			}
			now := time.Now()
			if list, err := syscall.ParseSocketControlMessage(control[:cn]); err == nil {
				for _, m := range list {
					if m.Header.Type == syscall.SO_TIMESTAMPNS && len(m.Data) >= 16 {
						now = time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
					}
				}
			}
			if n < 40 || packet[9] != syscall.IPPROTO_TCP {
				continue
			}
			tcp := packet[int(packet[0]&15)*4:]
			if len(tcp) < 14 || tcp[13]&0x12 != 0x02 { // SYN without ACK
				continue
			}
			var key [16]byte
			copy(key[:8], packet[12:20])
			copy(key[8:], tcp[:8])
			mu.Lock()
			if seen[key] {
				o.Again++
			} else {
				seen[key] = true
				times = append(times, now)
			}
			mu.Unlock()
		}
	}()
	return func() openings {
		mu.Lock()
		defer mu.Unlock()
		o.Count = len(times)
		slices.SortFunc(times, time.Time.Compare)
		for from, to := 0, 0; to < len(times); to++ {
			for times[to].Sub(times[from]) >= time.Second {
				from++
			}
			o.Peak = max(o.Peak, to-from+1)
		}
		if len(times) > 0 {
			o.Seconds = int(times[len(times)-1].Sub(times[0]).Seconds())
		}
		return o
	}, nil
}
