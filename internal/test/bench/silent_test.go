//go:build linux

package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/pace"
	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/target"
)

const (
	silentInFlight = 15_000
	silentBlock    = "10.77.0.0/16"
)

// silence is what scanSilence prints.
type silence struct {
	Skip     string // why there is nothing
	Seconds  float64
	CPU      float64 // s
	PeakMiB  float64
	Outcomes map[event.Outcome]int
	Strained int
}

// BenchmarkSilent scans a /16 from which no answer comes, with 3 s to connect:
// a network namespace of its own, where the block lies behind an interface that
// leads nowhere. There is no route out of it.
func BenchmarkSilent(b *testing.B) {
	skip := func(format string, args ...any) {
		// Without -v, go test does not say that a benchmark was skipped.
		fmt.Fprintf(os.Stderr, "BenchmarkSilent SKIPPED: "+format+"\n", args...)
		b.SkipNow()
	}
	if n := pace.Descriptors(); n < silentInFlight+100 {
		skip("%d connections need more than the %d files that a process may have open here (ulimit -n)", silentInFlight, n)
	}
	for range b.N {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), roleEnv+"=silent")
		cmd.Stderr = os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWNET | syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
		out, err := cmd.Output()
		if err != nil {
			skip("no right to make a network namespace: %v", err)
		}
		var got silence
		if err := json.Unmarshal(out, &got); err != nil {
			b.Fatal(err)
		}
		if got.Skip != "" {
			skip("%s", got.Skip)
		}
		if got.Outcomes["silent"] != 1<<16 || got.Strained > 0 {
			b.Errorf("outcomes %v, %d local errors", got.Outcomes, got.Strained)
		}
		b.ReportMetric((1<<16)/got.Seconds, "targets/s")
		b.ReportMetric(got.CPU*1e6/(1<<16), "cpu-µs/target")
		b.ReportMetric(got.PeakMiB, "peak-MiB")
		b.ReportMetric(float64(got.Strained), "local-errors")
	}
}

// scanSilence is the process of BenchmarkSilent, in its own namespace.
func scanSilence() {
	var out silence
	defer func() { _ = json.NewEncoder(os.Stdout).Encode(out) }()
	for _, args := range [][]string{
		// A cable whose other end nobody has an address at: without ARP everything
		// is sent there, and thrown away.
		{"link", "add", "nowhere", "type", "veth", "peer", "name", "end"},
		{"addr", "add", "10.76.0.1/32", "dev", "nowhere"},
		{"link", "set", "nowhere", "arp", "off", "up"},
		{"link", "set", "end", "up"},
		{"route", "add", silentBlock, "dev", "nowhere", "src", "10.76.0.1"},
	} {
		if text, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			out.Skip = fmt.Sprintf("an interface that leads nowhere cannot be made (ip %v): %v %s", args, err, text)
			return
		}
	}
	prefix := netip.MustParsePrefix(silentBlock)
	space := new(target.Space)
	spec, err := target.Parse(silentBlock, "bench", []uint16{18789})
	if err == nil {
		err = space.Add(spec)
	}
	if err != nil {
		out.Skip = err.Error()
		return
	}
	cfg := engine(new(testing.B), space, silentInFlight)
	cfg.Scope = target.NewScope([]netip.Prefix{prefix}, nil, false)
	cfg.Emit = func(event.Event) error { return nil }
	begin := time.Now()
	summary, err := scan.Run(context.Background(), cfg)
	out.Seconds = time.Since(begin).Seconds()
	if err != nil {
		out.Skip = err.Error()
	}
	out.Outcomes = summary.Outcomes
	_, _, out.Strained = cfg.InFlight.Load()
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	out.CPU = (time.Duration(u.Utime.Nano()) + time.Duration(u.Stime.Nano())).Seconds()
	out.PeakMiB = highWater(os.Getpid())
}
