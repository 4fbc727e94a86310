package cli_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/replica"
	"github.com/clawsonar/clawsonar/testdata/captures"
)

// A scan of a /16 in two shards, each killed at random points with SIGKILL and
// taken up again from its journal, finds together, merged by finding key, every
// gateway exactly once, and skips no target: for each shard, the targets that
// the last run has counted and the journal's mark at its start make all of it.
func TestKill(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs all of 127.0.0.0/8 to be loopback")
	}
	t.Parallel()
	const (
		shards = 2
		kills  = 10 // of each shard
	)
	// Gateways that look alike, at addresses of the block, on one port.
	port, want := gateways(t, 40, 256)
	var mu sync.Mutex
	var group sync.WaitGroup
	keys := map[string]int{}
	shard := func(k int) {
		dir := t.TempDir()
		args := []string{"scan", "127.77.0.0/16", "-p", strconv.Itoa(port), "-silent", "-f", "jsonl",
			"-shard", fmt.Sprintf("%d/%d", k, shards), "-seed", "7", "-c", "50"}
		journal := filepath.Join(dir, "journal")
		start := func(n int, flag string) (*exec.Cmd, string) {
			out := filepath.Join(dir, fmt.Sprintf("%d.jsonl", n))
			// Evenly, so that there is something to kill; each run is slower than
			// the kills are far apart.
			cmd := exec.Command("clawsonar", append(args, flag, journal, "-rl", "6000", "-o", "jsonl="+out)...)
			cmd.Stderr = os.Stderr
			if err := cmd.Start(); err != nil {
				t.Error(err)
			}
			return cmd, out
		}
		random := rand.New(rand.NewPCG(uint64(k), 0))
		var outputs []string
		for n := range kills {
			flag := "-resume"
			if n == 0 {
				flag = "-journal"
			}
			cmd, out := start(n, flag)
			outputs = append(outputs, out)
			// The journal is written about once a second.
			time.Sleep(time.Duration(random.IntN(1700)) * time.Millisecond)
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			if _, err := os.Stat(journal); err != nil {
				// Killed before it had begun: there is nothing to continue from yet.
				first, out := start(100+n, "-journal")
				outputs = append(outputs, out)
				for range 100 {
					if _, err := os.Stat(journal); err == nil {
						break
					}
					time.Sleep(20 * time.Millisecond)
				}
				_ = first.Process.Kill()
				_ = first.Wait()
			}
		}
		var mark struct{ Next, Targets int64 }
		data, err := os.ReadFile(journal)
		if err == nil {
			err = json.Unmarshal(data, &mark)
		}
		if err != nil {
			t.Errorf("the journal after a kill: %v", err)
			return
		}
		cmd, out := start(kills, "-resume")
		outputs = append(outputs, out)
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		t.Logf("shard %d: killed %d times, continued from %d of %d", k, kills, mark.Next, mark.Targets)
		mu.Lock()
		defer mu.Unlock()
		for i, out := range outputs {
			summary := collectKeys(t, out, keys)
			if last := i == len(outputs)-1; last && summary != mark.Targets-mark.Next {
				t.Errorf("shard %d: the last run has %d targets, want %d of %d from %d on", k, summary, mark.Targets-mark.Next, mark.Targets, mark.Next)
			}
		}
		if mark.Targets != 1<<16/shards {
			t.Errorf("shard %d has %d targets", k, mark.Targets)
		}
	}
	for k := range shards {
		group.Go(func() { shard(k + 1) })
	}
	group.Wait()
	if len(keys) != want {
		t.Errorf("%d gateways are in the results of all runs, want %d", len(keys), want)
	}
}

// collectKeys adds the finding keys of auth-missing in a stream, of which the
// last line may be cut, and returns the summary's number of targets, -1 if there
// is no summary.
func collectKeys(t *testing.T, file string, keys map[string]int) int64 {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		return -1 // killed before it was there
	}
	defer f.Close()
	targets := int64(-1)
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	var lines [][]byte
	for sc.Scan() {
		lines = append(lines, bytes.Clone(sc.Bytes()))
	}
	for i, line := range lines {
		var e struct {
			Type     string
			Targets  int64
			Findings json.RawMessage // a list of a target, counts of a summary
		}
		if err := json.Unmarshal(line, &e); err != nil {
			if i < len(lines)-1 {
				t.Errorf("%s:%d: %v", file, i+1, err)
			}
			continue
		}
		if e.Type == "summary" {
			targets = e.Targets
		}
		if e.Type != "target" || e.Findings == nil {
			continue
		}
		var findings []struct{ ID, Key string }
		if err := json.Unmarshal(e.Findings, &findings); err != nil {
			t.Errorf("%s:%d: %v", file, i+1, err)
		}
		for _, f := range findings {
			if f.ID == "auth-missing" {
				keys[f.Key]++
			}
		}
	}
	return targets
}

// gateways has a recorded open gateway answer at n addresses of the first nets
// /24 of 127.77.0.0/16, all on one port, which it returns.
func gateways(t *testing.T, n, nets int) (port, count int) {
	t.Helper()
	backend := openReplica(t)
	random := rand.New(rand.NewPCG(77, 0))
	used := map[[2]byte]bool{}
	for len(used) < n {
		host := [2]byte{byte(random.IntN(nets)), byte(random.IntN(256))}
		if used[host] {
			continue
		}
		used[host] = true
		l, err := net.Listen("tcp4", fmt.Sprintf("127.77.%d.%d:%d", host[0], host[1], port))
		if err != nil {
			t.Fatal(err)
		}
		port = l.Addr().(*net.TCPAddr).Port
		t.Cleanup(func() { l.Close() })
		go forward(l, backend)
	}
	return port, n
}

// openReplica starts the replica of a gateway without authentication and
// returns its address.
func openReplica(t *testing.T) string {
	t.Helper()
	const file = "openclaw/openclaw-2026.9.6-none.yaml"
	data, err := captures.FS.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := evidence.LoadCapture(data, file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := replica.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r.Addr.String()
}

// forward passes connections on.
func forward(l net.Listener, to string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			d, err := net.Dial("tcp", to)
			if err != nil {
				return
			}
			defer d.Close()
			go func() { _, _ = io.Copy(d, c); d.Close() }()
			_, _ = io.Copy(c, d)
		}()
	}
}
