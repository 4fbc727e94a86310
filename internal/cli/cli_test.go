package cli_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/clawsonar/clawsonar/internal/cli"
	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/replica"
	"github.com/clawsonar/clawsonar/internal/test/mmdb"
	"github.com/clawsonar/clawsonar/internal/test/nameserver"
	"github.com/clawsonar/clawsonar/internal/test/script"
	"github.com/clawsonar/clawsonar/testdata/captures"
)

var update = flag.Bool("update", false, "write what is printed into the scripts that compare it")

// The scripts run this test binary under the name clawsonar.
func TestMain(m *testing.M) {
	testscript.Main(builtinOnly{m}, map[string]func(){"clawsonar": func() {
		net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: nowhere}
		if addr := os.Getenv(nameServerEnv); addr != "" {
			net.DefaultResolver.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, addr)
			}
		}
		code := cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
		tellPeak()
		os.Exit(code)
	}})
}

// builtinOnly runs tests with the built-in data, whatever this machine has installed.
// Scripts have a home folder of their own.
type builtinOnly struct{ *testing.M }

func (m builtinOnly) Run() int {
	os.Setenv(data.Variable, data.OnlyBuiltin)
	return m.M.Run()
}

// TestScripts runs testdata/cli: what a user types, and what comes of it.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "../../testdata/cli",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup: func(e *testscript.Env) error {
			home := filepath.Join(e.WorkDir, "home")
			e.Setenv("HOME", home)
			e.Setenv("USERPROFILE", home)
			// The race detector holds up the end of each process for 1 s else.
			e.Setenv("GORACE", "atexit_sleep_ms=10")
			e.Values[servers{}] = map[string]*server{}
			return os.Mkdir(home, 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":       script.Exits("clawsonar"),
			"replica":     startReplica,
			"later":       startLater,
			"listen":      startListener,
			"zone":        startNameServer,
			"untouched":   untouched,
			"stream":      stream,
			"document":    document,
			"empty":       empty,
			"geofiles":    geoFiles,
			"nocolor":     noColor,
			"datafile":    dataFile,
			"mirror":      startMirror,
			"nextgateway": startNext,
		},
	})
}

// nowhere stands in for a DNS server, so that no question leaves this machine:
// it answers each that there is no such name (RFC 1035 section 4.1.1).
func nowhere(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		for {
			// A connection that is no net.PacketConn is spoken to as TCP is:
			// two octets of length before each message.
			var size [2]byte
			if _, err := io.ReadFull(server, size[:]); err != nil {
				return
			}
			msg := make([]byte, binary.BigEndian.Uint16(size[:]))
			if _, err := io.ReadFull(server, msg); err != nil || len(msg) < 4 {
				return
			}
			const response, recursion, noSuchName = 0x80, 0x80, 3
			msg[2] |= response
			msg[3] = recursion | noSuchName
			if _, err := server.Write(append(size[:], msg...)); err != nil {
				return
			}
		}
	}()
	return client, nil
}

// replica NAME VAR serves the capture of that name until the script ends, and
// sets VAR to its host:port, VAR_PORT to its port.
func startReplica(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: replica NAME VAR")
	}
	file := args[0] + ".yaml"
	if !strings.Contains(file, "/") {
		file = "openclaw/" + file
	}
	data, err := captures.FS.ReadFile(file)
	ts.Check(err)
	c, err := evidence.LoadCapture(data, file)
	ts.Check(err)
	r, err := replica.Start(c)
	ts.Check(err)
	ts.Defer(r.Close)
	ts.Setenv(args[1], r.Addr.String())
	ts.Setenv(args[1]+"_PORT", strconv.Itoa(int(r.Addr.Port())))
}

// later DELAY KIND NAME VAR sets VAR to a host:port where the capture of that name
// is served once the delay is over. Until then the port is closed, or with the
// kind "starting" a proxy answers 502.
func startLater(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: later DELAY closed|starting NAME VAR")
	}
	delay, err := time.ParseDuration(args[0])
	ts.Check(err)
	startReplica(ts, false, args[2:])
	behind := ts.Getenv(args[3])
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	at := l.Addr().String()
	ts.Setenv(args[3], at)
	if args[1] == "closed" {
		l.Close()
	}
	ready := time.Now().Add(delay)
	ended := make(chan struct{})
	ts.Defer(func() { close(ended) })
	go func() {
		if args[1] == "closed" {
			select {
			case <-time.After(delay):
			case <-ended:
				return
			}
			if l, err = net.Listen("tcp", at); err != nil {
				return
			}
		}
		go func() { <-ended; l.Close() }()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if time.Now().Before(ready) {
					answer(c, "HTTP/1.1 502 Bad Gateway\r\nServer: nginx\r\nContent-Length: 3\r\n\r\nbad")
					return
				}
				d, err := net.Dial("tcp", behind)
				if err != nil {
					return
				}
				defer d.Close()
				go func() { _, _ = io.Copy(d, c); d.Close() }()
				_, _ = io.Copy(c, d)
			}()
		}
	}()
}

// nameServerEnv names the server that the program under test asks for names.
const nameServerEnv = "TEST_NAME_SERVER"

// zone FILE has names looked up in a file from there on: lines of a name, A or
// AAAA, and what the server says, see nameserver.Zone.
func startNameServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: zone FILE")
	}
	z := nameserver.Zone{}
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		f := strings.Fields(line)
		if len(f) < 2 {
			ts.Fatalf("zone: %q", line)
		}
		z[f[0]+" "+f[1]] = strings.Join(f[2:], " ")
	}
	s, err := nameserver.Start(z)
	ts.Check(err)
	ts.Defer(s.Close)
	ts.Setenv(nameServerEnv, s.Addr)
}

// servers is the key of a script's listeners, by variable.
type servers struct{}

// server is a listener that does one thing to each client.
type server struct {
	net.Listener
	contacts atomic.Int64
}

// listen KIND VAR starts a listener until the script ends, and sets VAR to its
// host:port.
func startListener(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: listen KIND VAR")
	}
	s, err := serve(args[0])
	ts.Check(err)
	ts.Defer(func() { s.Close() })
	ts.Value(servers{}).(map[string]*server)[args[1]] = s
	ts.Setenv(args[1], s.Addr().String())
}

func serve(kind string) (*server, error) { return serveAt(kind, "127.0.0.1:0") }

func serveAt(kind, addr string) (*server, error) {
	page := "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nServer: nginx\r\n"
	talk, ok := map[string]func(net.Conn){
		"closed":   nil,
		"at-once":  func(net.Conn) {},
		"silent":   func(c net.Conn) { drain(c) },
		"ssh":      func(c net.Conn) { io.WriteString(c, "SSH-2.0-OpenSSH_9.6\r\n"); drain(c) },
		"web":      func(c net.Conn) { answer(c, page+"Content-Length: 14\r\n\r\n<h1>Hello</h1>") },
		"endless":  func(c net.Conn) { answer(c, page+"\r\n"); forever(c, "claw ") },
		"big-head": func(c net.Conn) { answer(c, page+"X-Big: "+strings.Repeat("x", 1<<20)+"\r\n\r\n") },
	}[kind]
	if !ok {
		return nil, fmt.Errorf("listen: no kind %q", kind)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &server{Listener: l}
	if talk == nil {
		return s, l.Close()
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.contacts.Add(1)
			go func() { defer c.Close(); talk(c) }()
		}
	}()
	return s, nil
}

func drain(c net.Conn) { io.Copy(io.Discard, c) }

// answer waits for the end of each request's head before it answers.
func answer(c net.Conn, text string) {
	buf := make([]byte, 4096)
	var head []byte
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		head = append(head, buf[:n]...)
		if !bytes.Contains(head, []byte("\r\n\r\n")) {
			continue
		}
		if _, err := io.WriteString(c, text); err != nil || !strings.Contains(text, "Content-Length") {
			return
		}
		head = nil
	}
}

func forever(c net.Conn, text string) {
	block := []byte(strings.Repeat(text, 1000))
	for {
		if _, err := c.Write(block); err != nil {
			return
		}
	}
}

// [!] untouched VAR checks that nobody has connected to a listener.
func untouched(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: [!] untouched VAR")
	}
	s := ts.Value(servers{}).(map[string]*server)[args[0]]
	if s == nil {
		ts.Fatalf("untouched: no listener %q", args[0])
	}
	if n := s.contacts.Load(); (n == 0) == neg {
		ts.Fatalf("%s has been connected to %d times", args[0], n)
	}
}

// stream FILE N checks that a file is a complete JSON Lines stream of N targets
// with the fields that the README promises.
func stream(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: stream FILE N")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	lines := strings.SplitAfter(ts.ReadFile(args[0]), "\n")
	if last := len(lines) - 1; lines[last] != "" {
		ts.Fatalf("the last line is not ended")
	}
	ts.Check(checkStream(lines[:len(lines)-1], want))
}

func checkStream(lines []string, targets int) error {
	if len(lines) != targets+2 {
		return fmt.Errorf("%d lines, want one for the scan, %d for targets, one for the summary", len(lines), targets)
	}
	for i, line := range lines {
		want := "target"
		switch i {
		case 0:
			want = "scan"
		case len(lines) - 1:
			want = "summary"
		}
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
		if object["type"] != want {
			return fmt.Errorf("line %d: type is %v, want %s", i+1, object["type"], want)
		}
		paths := promised()[want]
		if object["outcome"] == "identified" {
			paths = append(slices.Clone(paths), promised()["identified"]...)
		}
		for _, path := range paths {
			if err := has(object, strings.Split(path, ".")); err != nil {
				return fmt.Errorf("line %d: %s: %w", i+1, path, err)
			}
		}
	}
	return nil
}

// promised lists the fields of each kind of line. [] after a name says that it
// is a list, of which each member has what follows.
func promised() map[string][]string {
	return map[string][]string{
		"scan": {
			"schema", "tool.name", "tool.version", "started", "level", "seed", "shard",
			"data.releases", "data.newest_release", "authorization.authorized", "authorization.contact",
		},
		"target": {
			"target.input", "target.source", "target.name", "target.ip", "target.port", "target.url", "target.reach",
			"outcome", "requests", "connections", "duration_ms", "error",
		},
		"identified": {
			"product.id", "product.brand", "product.name", "product.confidence", "product.because[]",
			"version.exact", "version.candidates[]", "version.build", "version.source", "version.confidence",
			"auth.state", "auth.mode", "auth.because[]", "tls.enabled",
			"findings[].id", "findings[].severity", "findings[].title", "findings[].detail", "findings[].remediation",
			"findings[].controls[]", "findings[].references[]", "findings[].key",
			"evidence[].id", "evidence[].request", "evidence[].status", "evidence[].bytes",
		},
		"summary": {
			"finished", "targets", "outcomes", "auth", "findings", "suppressed", "complete",
			"miss_estimate.reprobed", "miss_estimate.found",
		},
	}
}

func has(object map[string]any, path []string) error {
	name, isList := strings.CutSuffix(path[0], "[]")
	v, ok := object[name]
	if !ok {
		return fmt.Errorf("%s is missing", name)
	}
	members := []any{v}
	if isList {
		if members, ok = v.([]any); !ok {
			return fmt.Errorf("%s is no list", name)
		}
	}
	if len(path) == 1 {
		return nil
	}
	for _, m := range members {
		inner, ok := m.(map[string]any)
		if !ok {
			return fmt.Errorf("%s is no object", name)
		}
		if err := has(inner, path[1:]); err != nil {
			return err
		}
	}
	return nil
}

// document FILE N checks that a file is one JSON document with a scan, N
// targets and a summary.
func document(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: document FILE N")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	var d struct {
		Scan    *struct{ Schema int }
		Targets []struct{ Outcome string }
		Summary *struct{ Targets int }
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &d)) // refuses a second document, too
	if d.Scan == nil || d.Scan.Schema != 1 || len(d.Targets) != want || d.Summary == nil || d.Summary.Targets != want {
		ts.Fatalf("not the document of a scan of %d targets", want)
	}
}

// empty FOLDER checks that nothing is in a folder.
func empty(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: empty FOLDER")
	}
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	for _, e := range entries {
		ts.Fatalf("%s holds %s", args[0], e.Name())
	}
}

// geofiles writes as.mmdb and country.mmdb, which know loopback and addresses for
// documentation.
func geoFiles(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: geofiles")
	}
	for name, records := range map[string]map[string]mmdb.Map{
		"as.mmdb":      {"127.0.0.0/8": mmdb.AS(64500, "Example Net"), "198.51.100.0/24": mmdb.AS(64501, "Acme Ltd")},
		"country.mmdb": {"127.0.0.0/8": mmdb.Country("AU"), "198.51.100.0/24": mmdb.Country("NZ")},
	} {
		ts.Check(os.WriteFile(ts.MkAbs(name), mmdb.File(name, records), 0o600))
	}
}

// [!] nocolor FILE checks that a file has no escape sequence in it.
func noColor(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: [!] nocolor FILE")
	}
	if strings.Contains(ts.ReadFile(args[0]), "\x1b") != neg {
		ts.Fatalf("escape sequences in %s: want %t", args[0], neg)
	}
}

// The worked example of docs/fingerprints.md is what its script follows.
func TestHowTo(t *testing.T) {
	manual, err := os.ReadFile("../../docs/fingerprints.md")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("../../testdata/cli/adding-a-product.txtar")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(manual), "\n## A worked example\n")
	for _, name := range []string{"toyclaw.yaml", "open.yaml", "someones.yaml"} {
		_, rest, found := strings.Cut(text, "```yaml\n")
		block, after, closed := strings.Cut(rest, "```")
		if _, tried, _ := strings.Cut(string(script), "\n-- "+name+" --\n"); !found || !closed || !strings.HasPrefix(tried, block) {
			t.Errorf("%s in docs/fingerprints.md is not the one that testdata/cli/adding-a-product.txtar tries", name)
		}
		text = after
	}
}
