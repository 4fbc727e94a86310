//go:build e2e && linux

package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/test/lab"
)

// scannerNet is a namespace that scanners look from, and one with replicas in a network,
// with no way out.
type scannerNet struct {
	*lab.Net
	replicas map[netip.AddrPort]string
	router   string // hardware address of the way to them
}

// pipesNetwork is where the replicas are.
const pipesNetwork = "10.77.0.0/21"

func newScannerNet(t *testing.T, replicas int) *scannerNet {
	t.Helper()
	if missing := missing("netns", "bash", "stdbuf"); len(missing) > 0 {
		t.Skipf("SKIPPED, NOT TESTED: scanners that are piped into clawsonar: %s", strings.Join(missing, ", "))
	}
	n, err := lab.NewNet()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	hardware := func(of *lab.Namespace) string {
		out, err := of.Command("cat", "/sys/class/net/link0/address").Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	s := &scannerNet{Net: n, router: hardware(n.Gateway), replicas: replicaAddrs(netip.MustParsePrefix(pipesNetwork), replicas, 3)}
	for _, set := range []struct {
		n    *lab.Namespace
		args string
	}{
		{n.Gateway, "route add local " + pipesNetwork + " dev lo"},
		{n.Viewer, "route add " + pipesNetwork + " via " + n.Gateway.Addr.String()},
		// Scanners with a network stack of their own may answer no ARP.
		{n.Gateway, fmt.Sprintf("neigh replace %s lladdr %s dev link0 nud permanent", n.Viewer.Addr, hardware(n.Viewer))},
		{n.Viewer, fmt.Sprintf("neigh replace %s lladdr %s dev link0 nud permanent", n.Gateway.Addr, s.router)},
	} {
		if err := set.n.Set(set.args); err != nil {
			t.Fatal(err)
		}
	}
	startReplicas(t, n.Gateway, s.replicas)
	s.keepBusy(t)
	return s
}

// keepBusy sends the scanner's side a datagram now and then: masscan ends only when one
// more packet comes in, and nothing else is on this link.
func (s *scannerNet) keepBusy(t *testing.T) {
	t.Helper()
	conn, err := s.Gateway.DialContext(t.Context(), "udp", netip.AddrPortFrom(s.Viewer.Addr, 9).String())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		defer conn.Close()
		for tick := time.NewTicker(300 * time.Millisecond); ; {
			select {
			case <-t.Context().Done():
				tick.Stop()
				return
			case <-tick.C:
				_, _ = conn.Write([]byte{'\n'}) // refused: nobody listens
			}
		}
	})
	t.Cleanup(wg.Wait)
}

// masscan is the command that scans the network.
func (s *scannerNet) masscan(more string) string {
	return fmt.Sprintf("masscan %s -p18789 -e link0 --source-ip %s --router-mac %s --wait 3 -oL - %s",
		pipesNetwork, s.Viewer.Addr, strings.ReplaceAll(s.router, ":", "-"), more)
}

// in are the replicas with an address in a network.
func (s *scannerNet) in(network string) (out []string) {
	for at := range s.replicas {
		if netip.MustParsePrefix(network).Contains(at.Addr()) {
			out = append(out, at.Addr().String())
		}
	}
	slices.Sort(out)
	return out
}

// piped is what came of "SCANNER | clawsonar scan -stream -f jsonl".
type piped struct {
	codes   []int // exit codes of the scanner, of what copies its output, and of clawsonar
	printed []byte
	stderr  string
	found   []string // addresses that were identified, in order
	summary *event.Summary
	peak    float64 // most memory of clawsonar, in MiB
	took    time.Duration
}

// pipe runs a scanner and clawsonar in a pipe of the shell, as users do; what clawsonar writes goes through a further program, unless that is "". during is
// called every now and then with what the scanner has printed and its process.
func (s *scannerNet) pipe(t *testing.T, scanner, reader string, during func(printed []byte, scanner int)) piped {
	t.Helper()
	dir := t.TempDir()
	file := func(name string) []byte {
		b, _ := os.ReadFile(filepath.Join(dir, name))
		return b
	}
	script := "sh -c 'echo $$ >scanner.pid; exec " + scanner + " 2>scanner.err' | tee printed | " +
		"sh -c 'echo $$ >clawsonar.pid; exec \"$CLAWSONAR\" scan -stream -f jsonl 2>said'"
	if reader != "" {
		script += " | " + reader
	}
	script += " >found; echo ${PIPESTATUS[@]} >codes"
	cmd := s.Viewer.Command("bash", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CLAWSONAR="+program)
	// All of the pipe can be ended at once.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var p piped
	deadline := time.After(2 * time.Minute)
	for running := true; running; {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("%s: %v", script, err)
			}
			running = false
		case <-deadline:
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-ended
			t.Fatalf("%s: has not ended; clawsonar said %s", script, file("said"))
		case <-time.After(50 * time.Millisecond):
			p.peak = max(p.peak, highWater(file("clawsonar.pid")))
			if pid, err := strconv.Atoi(strings.TrimSpace(string(file("scanner.pid")))); err == nil && during != nil {
				during(file("printed"), pid)
			}
		}
	}
	p.took = time.Since(begun)
	for code := range strings.FieldsSeq(string(file("codes"))) {
		n, err := strconv.Atoi(code)
		if err != nil {
			t.Fatal(err)
		}
		p.codes = append(p.codes, n)
	}
	p.printed, p.stderr = file("printed"), string(file("said"))
	if t.Failed() || p.codes[0] != 0 {
		t.Logf("the scanner said %s", tail(file("scanner.err"), 500))
	}
	lines := bufio.NewScanner(bytes.NewReader(file("found")))
	for lines.Buffer(nil, 1<<20); lines.Scan(); {
		e, err := event.Decode(lines.Bytes())
		if err != nil {
			t.Fatalf("%v in %s", err, lines.Text())
		}
		switch e := e.(type) {
		case *event.Target:
			if e.Outcome == event.OutcomeIdentified {
				p.found = append(p.found, e.Target.IP)
			}
		case *event.Summary:
			p.summary = e
		}
	}
	slices.Sort(p.found)
	return p
}

// highWater returns the most memory that a process has had, in MiB; 0 when it is gone.
func highWater(pid []byte) float64 {
	status, _ := os.ReadFile(filepath.Join("/proc", strings.TrimSpace(string(pid)), "status"))
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kib float64
	_, _ = fmt.Sscan(rest, &kib)
	return kib / 1024
}

// whole holds that a pipe ended well, and that all of these were found, once each.
func (p piped) whole(t *testing.T, want []string) {
	t.Helper()
	t.Logf("%d found in %s; clawsonar took at most %.0f MiB", len(p.found), p.took.Round(100*time.Millisecond), p.peak)
	if !slices.Equal(p.codes, []int{0, 0, 0}) {
		t.Errorf("exit codes %v; %s", p.codes, p.stderr)
	}
	if !slices.Equal(p.found, want) {
		t.Errorf("%d found, %d are there:\n%v\n%v", len(p.found), len(want), p.found, want)
	}
	if p.summary == nil || !p.summary.Complete || p.summary.Targets != int64(len(want)) {
		t.Errorf("summary %+v", p.summary)
	}
	p.flat(t)
}

// flat holds that memory does not grow with the list: a scan of one target takes some
// 40 MiB as well.
func (p piped) flat(t *testing.T) {
	t.Helper()
	if p.peak < 5 || p.peak > 120 {
		t.Errorf("clawsonar took at most %.0f MiB", p.peak)
	}
}

// cut holds that clawsonar has noticed that the scanner did not end by itself, and keeps what
// it was told before.
func (p piped) cut(t *testing.T, want []string) {
	t.Helper()
	t.Logf("%d found of %d until then; %s", len(p.found), len(want), strings.TrimSpace(p.stderr))
	if !slices.Equal(p.codes, []int{128 + int(syscall.SIGKILL), 0, 2}) || !strings.Contains(p.stderr, "the list is cut") || !strings.Contains(p.stderr, "incomplete") {
		t.Errorf("exit codes %v; %s", p.codes, p.stderr)
	}
	slices.Sort(want)
	if len(want) == 0 || !slices.Equal(p.found, want) || p.summary == nil || p.summary.Complete {
		t.Errorf("%v were printed, %v found, summary %+v", want, p.found, p.summary)
	}
}

// masscanAddrs are the addresses in masscan's list.
func masscanAddrs(printed []byte) (out []string) {
	for line := range strings.Lines(string(printed)) {
		if f := strings.Fields(line); len(f) == 5 && f[0] == "open" && strings.HasSuffix(line, "\n") {
			out = append(out, f[3])
		}
	}
	slices.Sort(out)
	return out
}

// TestScannerPipes: real scanners, piped into "clawsonar scan -stream": each gateway that is
// there is found, and the pipe ends in order whichever of its programs ends first.
func TestScannerPipes(t *testing.T) {
	t.Parallel()
	s := newScannerNet(t, 200)
	needs := func(t *testing.T, tool string) {
		t.Helper()
		if missing := missing(tool); len(missing) > 0 {
			t.Skipf("SKIPPED, NOT TESTED: a pipe of %s: %s", tool, missing[0])
		}
	}
	t.Run("masscan", func(t *testing.T) {
		needs(t, "masscan")
		p := s.pipe(t, s.masscan("--rate 2000 --retries 3"), "", nil)
		// What masscan misses is not ours to find: it misses some if it asks once.
		if printed := masscanAddrs(p.printed); !slices.Equal(p.found, printed) {
			t.Errorf("masscan printed %d, %d were found", len(printed), len(p.found))
		}
		p.whole(t, s.in(pipesNetwork))
	})
	t.Run("zmap", func(t *testing.T) {
		needs(t, "zmap")
		// The list that comes with it excludes private networks.
		p := s.pipe(t, fmt.Sprintf("zmap -q -b /dev/null -p 18789 -r 1000 -P 2 -c 2 -i link0 -S %s -G %s -f saddr,sport -o - 10.77.0.0/22", s.Viewer.Addr, s.router), "", nil)
		p.whole(t, s.in("10.77.0.0/22"))
	})
	t.Run("nmap", func(t *testing.T) {
		needs(t, "nmap")
		p := s.pipe(t, "nmap -n -Pn -sT -T4 -p18789 -oX - 10.77.0.0/24", "", nil)
		p.whole(t, s.in("10.77.0.0/24"))
	})
	t.Run("masscan is killed", func(t *testing.T) {
		needs(t, "masscan")
		p := s.pipe(t, "stdbuf -oL "+s.masscan("--rate 300"), "", func(printed []byte, scanner int) {
			if len(masscanAddrs(printed)) >= 5 {
				_ = syscall.Kill(scanner, syscall.SIGKILL)
			}
		})
		p.cut(t, masscanAddrs(p.printed))
	})
	t.Run("nmap is killed", func(t *testing.T) {
		needs(t, "nmap")
		p := s.pipe(t, "nmap -n -Pn -sT --max-rate 50 --max-hostgroup 32 -p18789 -oX - 10.77.0.0/24", "", func(printed []byte, scanner int) {
			if bytes.Contains(printed, []byte(`state="open"`)) {
				_ = syscall.Kill(scanner, syscall.SIGKILL)
			}
		})
		var printed []string
		for host := range strings.SplitSeq(string(p.printed), "</host>") {
			if _, rest, ok := strings.Cut(host, `<address addr="`); ok && strings.Contains(host, `state="open"`) {
				addr, _, _ := strings.Cut(rest, `"`)
				printed = append(printed, addr)
			}
		}
		p.cut(t, printed)
	})
	t.Run("the reader ends", func(t *testing.T) {
		needs(t, "masscan")
		// It would take a minute and a half.
		p := s.pipe(t, "stdbuf -oL "+s.masscan("--rate 25"), "head -n 2", nil)
		t.Logf("ended after %s with %v; %s", p.took.Round(100*time.Millisecond), p.codes, strings.TrimSpace(p.stderr))
		if len(p.codes) != 4 || p.codes[2] != 1 || !strings.Contains(p.stderr, "write results: stdout: broken pipe") {
			t.Errorf("exit codes %v; %s", p.codes, p.stderr)
		}
		if len(p.found) != 1 || p.took > 45*time.Second {
			t.Errorf("%v found in %s", p.found, p.took)
		}
	})
	t.Run("200000 lines", func(t *testing.T) {
		list := filepath.Join(t.TempDir(), "list")
		var b bytes.Buffer
		b.WriteString("#masscan\n")
		for i := range 200_000 {
			fmt.Fprintf(&b, "open tcp 18789 127.%d.%d.%d 1764490000\n", 1+i>>16, i>>8&255, i&255)
		}
		b.WriteString("# end\n")
		if err := os.WriteFile(list, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		p := s.pipe(t, "cat "+list, "", nil)
		t.Logf("%s; clawsonar took at most %.0f MiB", p.took.Round(100*time.Millisecond), p.peak)
		if p.summary == nil || !p.summary.Complete || p.summary.Outcomes[event.OutcomeClosed] != 200_000 || !slices.Equal(p.codes, []int{0, 0, 0}) {
			t.Errorf("exit codes %v, %s, summary %+v", p.codes, p.stderr, p.summary)
		}
		p.flat(t)
	})
}
