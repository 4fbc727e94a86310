package cli_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// wholeFormats are those whose file is there as a whole or not at all.
func wholeFormats() []string {
	return []string{"table", "json", "csv", "markdown", "html", "sarif", "junit", "codequality"}
}

// A scan that is killed and interrupted, three times each, and continued, into
// the same jsonl file or into another each time, is complete in the end: report
// has every gateway once, each target once, and fails on nothing. With the same
// file the other outputs of the last run show all of it as well.
func TestResume(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs all of 127.0.0.0/8 to be loopback")
	}
	for _, c := range []struct {
		name    string
		same    bool
		verbose bool
	}{
		{"same file", true, false}, {"another file, all listed", false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			resume(t, c.same, c.verbose)
		})
	}
}

func resume(t *testing.T, same, verbose bool) {
	const (
		nets  = 16
		total = nets * 256
		found = 30
	)
	port, _ := gateways(t, found, nets)
	// Some that are silent: in the end they are tried again.
	silent := 0
	for i := range 6 {
		l, err := serveAt("silent", fmt.Sprintf("127.77.%d.%d:%d", i*2, 1+i, port))
		if err != nil {
			continue // a gateway has it
		}
		silent++
		t.Cleanup(func() { l.Close() })
	}
	dir := t.TempDir()
	command := func(n int) *exec.Cmd {
		stream := "all.jsonl"
		if !same {
			stream = fmt.Sprintf("%d.jsonl", n)
		}
		cmd := exec.Command("clawsonar", "scan", "127.77.0.0/20", "-p", strconv.Itoa(port), "-c", "40", "-rl", "800", "-timeout", "700ms",
			"-journal", "the journal", "-o", "jsonl="+stream)
		for _, f := range wholeFormats() {
			cmd.Args = append(cmd.Args, "-o", f+"=out."+f)
		}
		if verbose {
			cmd.Args = append(cmd.Args, "-v")
		}
		cmd.Dir = dir
		return cmd
	}
	random := rand.New(rand.NewPCG(3, uint64(port)))
	var goOn string
	for n := range 6 {
		cmd := command(n)
		var stderr bytes.Buffer
		cmd.Stderr, cmd.Stdout = &stderr, io.Discard
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		await(t, filepath.Join(dir, "the journal"), n+1)
		if n%2 == 0 {
			time.Sleep(time.Duration(900+random.IntN(500)) * time.Millisecond)
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			// What is there is whole: of the run before, if any.
			if data, err := os.ReadFile(filepath.Join(dir, "out.json")); err == nil {
				parsed(t, data)
			} else if n > 0 {
				t.Errorf("run %d: %v", n, err)
			}
			continue
		}
		time.Sleep(time.Duration(300+random.IntN(200)) * time.Millisecond)
		_ = cmd.Process.Signal(os.Interrupt)
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 130 {
			t.Fatalf("run %d: ended with %v, want 130: %s", n, err, stderr.String())
		}
		if part, begun := strings.Contains(stderr.String(), "contain this part only"), !strings.Contains(stderr.String(), "from target 0 of"); part != (begun && !same) {
			t.Errorf("run %d: wrong message about the outputs: %s", n, stderr.String())
		}
		_, rest, ok := strings.Cut(stderr.String(), "clawsonar: continue with: ")
		goOn, _, _ = strings.Cut(rest, "\n")
		if !ok || !strings.Contains(goOn, "-journal 'the journal'") {
			t.Errorf("run %d does not say how to continue: %s", n, stderr.String())
		}
		if table, err := os.ReadFile(filepath.Join(dir, "out.table")); err != nil || !bytes.Contains(table, []byte("INCOMPLETE")) {
			t.Errorf("run %d: the table does not say that it is incomplete: %v\n%s", n, err, table)
		}
	}
	last := command(6)
	if same {
		last = exec.Command("sh", "-c", goOn) // exactly what was printed
		last.Dir = dir
	}
	if out, err := last.CombinedOutput(); err != nil {
		t.Fatalf("the last run: %v\n%s", err, out)
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}

	streams, _ := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if same != (len(streams) == 1) {
		t.Errorf("streams: %v", streams)
	}
	whole := reported(t, 0, streams...)
	whole.check(t, "report", total, found, silent, true)
	if same {
		data, err := os.ReadFile(filepath.Join(dir, "out.json"))
		if err != nil {
			t.Fatal(err)
		}
		parsed(t, data).check(t, "json of the last run", total, found, silent, true)
		for _, f := range wholeFormats() {
			data, err := os.ReadFile(filepath.Join(dir, "out."+f))
			if err != nil || f == "table" && bytes.Contains(data, []byte("INCOMPLETE")) {
				t.Errorf("%s of the last run: %v, or incomplete", f, err)
			}
			if n := bytes.Count(data, []byte("127.77.")); n < found {
				t.Errorf("%s of the last run names %d addresses", f, n)
			}
		}
		return
	}
	// Without one of the parts that found something, it is not complete.
	lost := 0
	for i, name := range streams {
		rest := slices.Delete(slices.Clone(streams), i, i+1)
		if d := reported(t, -1, rest...); !d.Summary.Complete {
			lost++
			if i < len(streams)-1 && !slices.ContainsFunc(d.Summary.Notes, func(n string) bool { return strings.Contains(n, "is missing") }) {
				t.Errorf("without %s: notes %v", name, d.Summary.Notes)
			}
		}
	}
	if lost < 4 { // the three interrupted ones and the last at least
		t.Errorf("only %d of %d parts are missed", lost, len(streams))
	}
}

// scanned is the json document of a scan.
type scanned struct {
	Targets []struct {
		Target  struct{ IP string }
		Outcome string
	}
	Summary struct {
		Targets  int
		Outcomes map[string]int
		Auth     map[string]int
		Complete bool
		Notes    []string
	}
}

func parsed(t *testing.T, data []byte) (d scanned) {
	t.Helper()
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// reported is what report makes of files; it must end with that code, if it is
// not negative.
func reported(t *testing.T, code int, files ...string) scanned {
	t.Helper()
	cmd := exec.Command("clawsonar", append([]string{"report", "-f", "json", "-fail-on-incomplete"}, files...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if code == 0 && err != nil {
		t.Errorf("report: %v\n%s", err, stderr.String())
	}
	return parsed(t, out)
}

func (d scanned) check(t *testing.T, what string, total, found, silent int, complete bool) {
	t.Helper()
	lines := map[string]int{}
	for _, x := range d.Targets {
		if x.Outcome == "identified" {
			lines[x.Target.IP]++
		}
	}
	for ip, n := range lines {
		if n != 1 {
			t.Errorf("%s: %s is there %d times", what, ip, n)
		}
	}
	want := map[string]int{"identified": found, "silent": silent, "closed": total - found - silent}
	if silent == 0 {
		delete(want, "silent")
	}
	if len(lines) != found || d.Summary.Targets != total || !maps.Equal(d.Summary.Outcomes, want) || d.Summary.Auth["open"] != found || d.Summary.Complete != complete {
		t.Errorf("%s: %d gateways, want %d; %+v, want %d targets, %v", what, len(lines), found, d.Summary, total, want)
	}
}

// await waits until a journal names so many runs.
func await(t *testing.T, name string, runs int) {
	t.Helper()
	for range 2000 {
		var j struct{ Runs []any }
		if data, err := os.ReadFile(name); err == nil && json.Unmarshal(data, &j) == nil && len(j.Runs) >= runs {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%s does not come", name)
}
