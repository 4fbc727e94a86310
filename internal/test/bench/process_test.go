//go:build linux

package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/target"
)

// baseEnv names another clawsonar, to be measured in the same run.
const baseEnv = "CLAWSONAR_BENCH_BASE"

// processInFlight is what the command does unless told otherwise.
const processInFlight = 100

// process is one run of a program, as the one who started it sees it.
type process struct {
	took, cpu time.Duration
	peak      float64 // MiB
	out       []byte
}

// run runs a command to its end. Its output goes to a file: to read it from a
// pipe would take time from it.
func run(b *testing.B, cmd *exec.Cmd) process {
	b.Helper()
	out, err := os.Create(filepath.Join(b.TempDir(), "out"))
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = out, &stderr
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	stop, most := make(chan struct{}), make(chan float64)
	go func() {
		// The kernel's ru_maxrss begins with that of the process that started
		// this one, so it is asked while it runs.
		peak := 0.0
		for {
			peak = max(peak, highWater(cmd.Process.Pid))
			select {
			case <-stop:
				most <- peak
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	err = cmd.Wait()
	p := process{took: time.Since(begin)}
	close(stop)
	p.peak = <-most
	if err != nil {
		b.Fatalf("%v: %v\n%s", cmd, err, &stderr)
	}
	u := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	p.cpu = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	if p.out, err = os.ReadFile(out.Name()); err != nil {
		b.Fatal(err)
	}
	return p
}

// highWater returns the most memory that a process has had, in MiB; 0 when it is gone.
func highWater(pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kib float64
	_, _ = fmt.Sscan(rest, &kib)
	return kib / 1024
}

// build returns the path of the command, built from this tree.
func build(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "clawsonar")
	if out, err := exec.Command("go", "build", "-trimpath", "-o", path, "../../../cmd/clawsonar").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return path
}

// floorProcess is the least Go client: a connection and a request for each
// target, read to the end and closed. Its arguments are what the targets speak,
// how many there are, and their port.
func floorProcess(speaks, targets, port string) error {
	n, err := strconv.Atoi(targets)
	if err != nil {
		return err
	}
	p, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return err
	}
	talk := map[string]func(net.Conn) error{
		"web": getAll, "tls": func(c net.Conn) error { return getAll(clientTLS(c)) }, "closed": nil,
	}[speaks]
	return floor(block(n, target.Spec{Ports: []uint16{uint16(p)}}), processInFlight, talk)
}

func getAll(c net.Conn) error {
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: floor\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	buf := make([]byte, 4096)
	for {
		if _, err := c.Read(buf); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// BenchmarkProcess measures the command from outside beside a floor that is a
// process as well, and beside the command that CLAWSONAR_BENCH_BASE names: CPU
// time is that of the whole process, its start included.
func BenchmarkProcess(b *testing.B) {
	ours, base := build(b), os.Getenv(baseEnv)
	for _, c := range []struct {
		name, speaks string
		port         uint16 // 0: any
		n            int
		outcome      string
	}{
		{"web", "web", 0, 1 << 16, "other"},
		{"web-18789", "web", 18789, 1 << 16, "other"},
		{"closed", "closed", 9, 1 << 16, "closed"},
		{"tls", "tls", 0, 1 << 11, "other"},
	} {
		b.Run(c.name, func(b *testing.B) {
			if c.speaks != "closed" {
				c.port = start(b, c.speaks, c.port)
			}
			targets := targetArgs(b, c.speaks, c.n, c.port)
			scan := func(program string) process {
				p := run(b, exec.Command(program, append(targets, "-f", "jsonl", "-silent")...))
				if got := lastOutcomes(p.out); len(got) != 1 || got[c.outcome] != c.n {
					b.Fatalf("%s: outcomes %v, want %d %s", program, got, c.n, c.outcome)
				}
				return p
			}
			for range b.N {
				t := table{}
				for range rounds {
					floor := exec.Command(os.Args[0], c.speaks, strconv.Itoa(c.n), strconv.Itoa(int(c.port)))
					floor.Env = append(os.Environ(), roleEnv+"=floor")
					f := run(b, floor)
					t.add("floor-targets/s", float64(c.n)/f.took.Seconds())
					t.add("floor-cpu-µs/target", float64(f.cpu.Microseconds())/float64(c.n))
					o := scan(ours)
					t.add("targets/s", float64(c.n)/o.took.Seconds())
					t.add("cpu-µs/target", float64(o.cpu.Microseconds())/float64(c.n))
					t.add("peak-MiB", o.peak)
					t.add("×floor-rate", f.took.Seconds()/o.took.Seconds())
					t.add("×floor-cpu", o.cpu.Seconds()/f.cpu.Seconds())
					if base == "" {
						continue
					}
					before := scan(base)
					t.add("×base-rate", before.took.Seconds()/o.took.Seconds())
					t.add("×base-cpu", o.cpu.Seconds()/before.cpu.Seconds())
					t.add("base×floor-rate", f.took.Seconds()/before.took.Seconds())
					t.add("base×floor-cpu", before.cpu.Seconds()/f.cpu.Seconds())
					t.add("base-peak-MiB", before.peak)
				}
				t.report(b)
			}
		})
	}
}

// targetArgs returns the arguments that have n targets scanned. Over TLS each is a
// URL in a list: a range has no scheme.
func targetArgs(b *testing.B, speaks string, n int, port uint16) []string {
	b.Helper()
	first, last := blockOf(n)
	if speaks != "tls" {
		return []string{"scan", first.String() + "-" + last.String(), "-p", strconv.Itoa(int(port))}
	}
	var urls bytes.Buffer
	for addr := first; addr.Compare(last) <= 0; addr = addr.Next() {
		fmt.Fprintf(&urls, "https://%s:%d\n", addr, port)
	}
	list := filepath.Join(b.TempDir(), "list")
	if err := os.WriteFile(list, urls.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	return []string{"scan", "-l", list}
}

// lastOutcomes returns the outcomes that the last line of a stream counts.
func lastOutcomes(stream []byte) map[string]int {
	stream = bytes.TrimRight(stream, "\n")
	var summary struct{ Outcomes map[string]int }
	_ = json.Unmarshal(stream[bytes.LastIndexByte(stream, '\n')+1:], &summary)
	return summary.Outcomes
}
