package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/geo"
	"github.com/clawsonar/clawsonar/internal/hub/config"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/hub/stream"
	"github.com/clawsonar/clawsonar/internal/replica"
	"github.com/clawsonar/clawsonar/internal/test/mmdb"
	"github.com/clawsonar/clawsonar/testdata/captures"
)

// childDir, in the environment, makes of this program one that makes a run in that
// directory, of the watch in its watch.yaml.
const childDir = "CLAWSONAR_TEST_RUN_IN"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		child(dir)
	}
	goleak.VerifyTestMain(m)
}

func child(dir string) {
	c, err := config.Load(filepath.Join(dir, "watch.yaml"))
	if err == nil {
		var s *store.Store
		if s, err = store.Open(context.Background(), c.Store); err == nil {
			r := runner(c, s)
			if err = r.Open(); err == nil {
				err = r.Run(context.Background(), c.Watches[0])
			}
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func runner(c *config.Config, s Store) *Runner {
	known, err := data.Builtin()
	if err != nil {
		panic(err)
	}
	return &Runner{
		Dir: c.Streams, Store: s, Known: known, Checks: check.Infos(), Tool: event.Tool{Name: "clawsonar-hub", Version: "1"},
		Now: time.Now, Say: func(watch, line string) { fmt.Fprintln(os.Stderr, watch, line) },
	}
}

// hub is a directory with a watch.yaml, and what is needed to run it.
type hub struct {
	*Runner
	t   *testing.T
	dir string
	c   *config.Config
	s   *store.Store
}

// begin has one watch, office, with these settings.
func begin(t *testing.T, dir, settings string) *hub {
	t.Helper()
	h := &hub{t: t, dir: dir}
	h.configure(settings)
	var err error
	if h.s, err = store.Open(t.Context(), h.c.Store); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.s.Close() })
	h.Runner = runner(h.c, h.s)
	return h
}

func (h *hub) configure(settings string) {
	h.t.Helper()
	text := "store: " + filepath.Join(h.t.TempDir(), "board.db") + "\nwatches:\n- {name: office, every: 1h, timeout: 30s, vantage: lan, " + settings + "}\n"
	if h.c != nil {
		text = strings.Replace(text, filepath.Dir(text[7:strings.Index(text, "\n")]), filepath.Dir(h.c.Store), 1)
	}
	file := filepath.Join(h.dir, "watch.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	c, err := config.Load(file)
	if err != nil {
		h.t.Fatal(err)
	}
	h.c = c
}

// open takes the lock.
func (h *hub) open() *hub {
	h.t.Helper()
	if err := h.Open(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(h.Close)
	return h
}

func (h *hub) run() {
	h.t.Helper()
	if err := h.Run(h.t.Context(), h.c.Watches[0]); err != nil {
		h.t.Fatal(err)
	}
}

// files are the names in the directory of the watch's streams.
func (h *hub) files() (out []string) {
	list, err := os.ReadDir(filepath.Join(h.c.Streams, "office"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.t.Fatal(err)
	}
	for _, d := range list {
		out = append(out, d.Name())
	}
	return out
}

// written is a stored stream.
type written struct {
	*stream.Stream
	lines []*event.Target
}

func (h *hub) streams() (out []written) {
	h.t.Helper()
	for _, name := range h.files() {
		x, err := stream.Open(filepath.Join(h.c.Streams, "office", name))
		if err != nil {
			h.t.Fatal(err)
		}
		w := written{Stream: x}
		err = x.Each(func(e event.Event) error {
			if t, ok := e.(*event.Target); ok {
				w.lines = append(w.lines, t)
			}
			return nil
		})
		if err != nil {
			h.t.Fatal(err)
		}
		out = append(out, w)
	}
	return out
}

// verdicts are those of all gateways.
func (h *hub) verdicts() map[string]store.Verdict {
	h.t.Helper()
	list, _, err := h.s.Gateways(h.t.Context(), store.Filter{}, store.Page{Limit: 1000})
	if err != nil {
		h.t.Fatal(err)
	}
	out := map[string]store.Verdict{}
	for _, g := range list {
		out[g.Place] = g.Verdict
	}
	return out
}

func serve(t *testing.T, capture string) *replica.Replica {
	t.Helper()
	all, err := evidence.LoadCaptures(captures.FS, ".")
	if err != nil {
		t.Fatal(err)
	}
	c, ok := all[capture]
	if !ok {
		t.Fatal("no capture ", capture)
	}
	r, err := replica.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sync.OnceFunc(r.Close))
	return r
}

const openGateway = "openclaw/openclaw-2026.3.13-none.yaml"

// TestRun: what a run finds open is looked at again at once, and nothing else is; a
// known gateway that is closed later has a line, other members of the range have none.
func TestRun(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED, NOT TESTED: needs all of 127.0.0.0/8 to be loopback")
	}
	r := serve(t, openGateway)
	port := r.Addr.Port()
	h := begin(t, t.TempDir(), fmt.Sprintf("targets: 127.0.0.1-127.0.0.6, ports: %d", port)).open()
	h.Geo = located(t, "127.0.0.0/8", 64500)
	h.run()
	got := h.streams()
	if len(got) != 2 {
		t.Fatalf("%q", h.files())
	}
	first, second := got[0], got[1]
	if x := first.Head; x.Watch != "office" || x.Vantage != "lan" || x.Again || x.Config == "" || x.Seed == 0 || !first.Summary.Complete ||
		first.Summary.Targets != 6 || first.Summary.Outcomes[event.OutcomeClosed] != 5 || len(first.lines) != 1 {
		t.Errorf("first: %+v, %+v, %d lines", x, first.Summary, len(first.lines))
	}
	place := fmt.Sprint("127.0.0.1:", port)
	if x := second.Head; !x.Again || x.Watch != "office" || x.Vantage != "lan" || second.Summary.Targets != 1 || len(second.lines) != 1 ||
		second.lines[0].Target.Place() != place || second.lines[0].Auth.State != event.AuthOpen {
		t.Errorf("second: %+v, %+v, %d lines", x, second.Summary, len(second.lines))
	}
	for i, s := range got {
		if g := s.lines[0].Geo; g == nil || g.AS != 64500 {
			t.Errorf("stream %d does not say where its gateway is: %+v", i, g)
		}
	}
	if got := h.verdicts(); got[place] != "open" || len(got) != 1 {
		t.Errorf("%v", got)
	}
	// It is known, so that there is no second look.
	h.run()
	if n := len(h.files()); n != 3 {
		t.Errorf("%q", h.files())
	}
	r.Close()
	h.run()
	got = h.streams()
	last := got[len(got)-1]
	if len(got) != 4 || len(last.lines) != 1 || last.lines[0].Target.Place() != place || last.lines[0].Outcome != event.OutcomeClosed ||
		last.Summary.Targets != 6 || last.Summary.Outcomes[event.OutcomeClosed] != 6 || last.Head.Config != first.Head.Config || last.Head.Seed != first.Head.Seed {
		t.Errorf("%d streams, the last: %+v, %+v, %d lines", len(got), last.Head, last.Summary, len(last.lines))
	}
	if got := h.verdicts(); got[place] != store.Gone {
		t.Errorf("%v", got)
	}
}

// located are files that know one AS.
func located(t *testing.T, prefix string, as uint32) *geo.Files {
	t.Helper()
	name := filepath.Join(t.TempDir(), "asn.mmdb")
	if err := os.WriteFile(name, mmdb.File("asn", map[string]mmdb.Map{prefix: mmdb.AS(as, "Net")}), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := geo.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestTake: a stream that others made says where gateways are, unless it did already, and so
// does the history.
func TestTake(t *testing.T) {
	h := begin(t, t.TempDir(), "targets: 127.0.0.1").open()
	h.Geo = located(t, "10.0.0.0/8", 64500)
	gateway := func(ip string, known *event.Geo) *event.Target {
		return &event.Target{
			Type: event.TypeTarget, Target: event.Address{Input: ip, IP: ip, Port: 18789, URL: "http://" + ip + ":18789/"}, Outcome: event.OutcomeIdentified, Geo: known,
			Product: &event.Product{ID: "openclaw", Name: "OpenClaw gateway", Confidence: event.Certain}, Auth: &event.Auth{State: event.AuthRequired, Because: []string{}},
		}
	}
	lines := []*event.Target{gateway("10.0.0.1", nil), gateway("10.0.0.2", &event.Geo{Country: "NZ"}), gateway("192.0.2.1", nil)}
	_, err := h.Take(t.Context(), "office", time.Now(), func(emit func(event.Event) error) error {
		sum := event.NewSummary()
		sum.Type = event.TypeSummary
		errs := []error{emit(&event.Scan{Type: event.TypeScan, Schema: event.Schema, Started: time.Now(), Level: event.LevelStandard, Shard: "1/1", Watch: "office"})}
		for _, l := range lines {
			sum.Add(l)
			errs = append(errs, emit(l))
		}
		return errors.Join(append(errs, emit(sum))...)
	})
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := h.s.Gateways(t.Context(), store.Filter{}, store.Page{})
	if err != nil || len(list) != 3 {
		t.Fatal(list, err)
	}
	want := map[string]event.Geo{"10.0.0.1:18789": {AS: 64500, ASName: "Net"}, "10.0.0.2:18789": {Country: "NZ"}, "192.0.2.1:18789": {}}
	for _, g := range list {
		if g.Geo != want[g.Place] {
			t.Errorf("%s: %+v, want %+v", g.Place, g.Geo, want[g.Place])
		}
	}
	for _, l := range h.streams()[0].lines {
		if l.Target.IP == "10.0.0.1" && (l.Geo == nil || l.Geo.AS != 64500) {
			t.Errorf("%+v", l.Geo)
		}
	}
}

// TestScope: what is excluded is not contacted, in a second look either.
func TestScope(t *testing.T) {
	h := begin(t, t.TempDir(), "targets: 127.0.0.1, exclude: 127.0.0.1").open()
	err := h.again(t.Context(), h.c.Watches[0], []event.Address{{IP: "127.0.0.1", Port: 1, URL: "http://127.0.0.1:1/"}})
	if err != nil {
		t.Fatal(err)
	}
	got := h.streams()
	if len(got) != 1 || len(got[0].lines) != 1 || got[0].lines[0].Outcome != event.OutcomeExcluded || got[0].lines[0].Connections != 0 {
		t.Errorf("%+v", got)
	}
	err = h.again(t.Context(), h.c.Watches[0], []event.Address{{IP: "192.0.0.9", Port: 1, URL: "http://192.0.0.9:1/"}})
	if want := filepath.Join(h.dir, "watch.yaml") + `:3: target "": it is globally reachable`; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v\nwant %s", err, want)
	}
}

// TestCheck: what cannot be run is said at the start, with file and line.
func TestCheck(t *testing.T) {
	h := begin(t, t.TempDir(), "targets: 127.0.0.1,\n  list: missing.txt")
	err := h.Check(t.Context(), h.c.Watches[0])
	if want := filepath.Join(h.dir, "watch.yaml") + ":4: list: open " + filepath.Join(h.dir, "missing.txt"); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v\nwant %s", err, want)
	}
}

// TestStop: a run that is stopped ends, is stored, and counts as incomplete.
func TestStop(t *testing.T) {
	r := serve(t, openGateway)
	h := begin(t, t.TempDir(), fmt.Sprintf("targets: [\"%s\", 127.1.0.0/16], ports: 1, rate-limit: 20", r.Addr)).open()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	time.AfterFunc(2*time.Second, stop)
	if err := h.Run(ctx, h.c.Watches[0]); err != nil {
		t.Fatal(err)
	}
	got := h.streams()
	if len(got) != 1 || got[0].Summary.Complete || got[0].Summary.Targets == 0 {
		t.Errorf("%+v", got)
	}
}

// TestOneProcess: two processes never have the same directory of streams.
func TestOneProcess(t *testing.T) {
	h := begin(t, t.TempDir(), "targets: 127.0.0.1").open()
	if err := runner(h.c, h.s).Open(); err == nil || !strings.Contains(err.Error(), "another clawsonar-hub runs with it") {
		t.Errorf("%v", err)
	}
}

// TestKill: a process that is killed in the middle of a run loses nothing that it wrote,
// and the run closes nothing.
func TestKill(t *testing.T) {
	known, found := serve(t, openGateway), serve(t, openGateway)
	dir := t.TempDir()
	h := begin(t, dir, fmt.Sprintf("targets: \"%s\"", known.Addr)).open()
	h.run()
	h.Close()
	known.Close()
	// Another run, which finds the first one closed, another open, and is then busy.
	targets := fmt.Sprintf("\"%s\", \"%s\"", known.Addr, found.Addr)
	for i := range 200 {
		targets += fmt.Sprintf(", \"127.0.1.%d:1\"", i+1)
	}
	h.configure("targets: [" + targets + "], rate-limit: 20, retries: 0")
	h.Runner.Dir = h.c.Streams
	if err := h.Open(); err != nil {
		t.Fatal(err)
	}
	h.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), childDir+"="+dir), os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	part := func() string {
		for _, name := range h.files() {
			if strings.HasSuffix(name, partEnd) {
				return filepath.Join(h.c.Streams, "office", name)
			}
		}
		return ""
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		data, _ := os.ReadFile(part())
		if strings.Contains(string(data), known.Addr.String()) && strings.Contains(string(data), found.Addr.String()) {
			break // whatever is still to come
		}
		if time.Now().After(end) {
			_ = cmd.Process.Kill()
			t.Fatal("the run writes nothing")
		}
	}
	_ = cmd.Process.Signal(syscall.SIGKILL)
	_ = cmd.Wait()
	name := part()
	before, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, append(before, `{"type":"target","target":{"inp`...), 0o600); err != nil {
		t.Fatal(err)
	}
	h.open()
	if err := h.Adopt(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := h.streams()
	last := got[len(got)-1]
	if s := last.Summary; s == nil || s.Complete || len(s.Notes) != 1 || s.Targets != int64(len(last.lines)) || len(last.lines) != strings.Count(string(before), "\n")-1 || part() != "" {
		t.Errorf("%q: %+v, %d lines", h.files(), s, len(last.lines))
	}
	verdicts := h.verdicts()
	if verdicts[known.Addr.String()] != "open" || verdicts[found.Addr.String()] != "open" {
		t.Errorf("an incomplete run opens, and closes nothing: %v", verdicts)
	}
	// Once more: nothing is left.
	files := h.files()
	if err := h.Adopt(t.Context()); err != nil || !slices.Equal(h.files(), files) {
		t.Errorf("%v, %q", err, h.files())
	}
}

// broken is a store that fails as often as said.
type broken struct {
	Store
	fails int
}

func (b *broken) Apply(ctx context.Context, x *stream.Stream, file string, checks []event.CheckInfo) (store.Applied, error) {
	if b.fails--; b.fails >= 0 {
		return store.Applied{}, errors.New("the database is gone")
	}
	return b.Store.Apply(ctx, x, file, checks)
}

// TestStoreFails: a run that the database did not take is handed on with the next.
func TestStoreFails(t *testing.T) {
	r := serve(t, openGateway)
	h := begin(t, t.TempDir(), fmt.Sprintf("targets: \"%s\"", r.Addr)).open()
	h.Store = &broken{h.s, 1}
	if err := h.Run(t.Context(), h.c.Watches[0]); err == nil || !strings.Contains(err.Error(), "the database is gone") {
		t.Fatal(err)
	}
	if len(h.verdicts()) != 0 {
		t.Error("it is known before it was taken")
	}
	h.run()
	runs, n, err := h.s.Runs(t.Context(), store.RunFilter{}, store.Page{})
	if err != nil || n != 2 || !runs[0].Complete || !runs[1].Complete {
		t.Errorf("%d runs: %+v, %v", n, runs, err)
	}
	if slices.ContainsFunc(h.files(), func(s string) bool { return strings.HasSuffix(s, partEnd) }) {
		t.Errorf("%q", h.files())
	}
}

// TestOrder: a run that the database did not take is never taken after a later one: what
// it saw is older.
func TestOrder(t *testing.T) {
	r := serve(t, openGateway)
	h := begin(t, t.TempDir(), fmt.Sprintf("targets: \"%s\"", r.Addr)).open()
	h.Store = &broken{h.s, 2} // the first run, and the same one before the second
	if err := h.Run(t.Context(), h.c.Watches[0]); err == nil {
		t.Fatal("the database is there")
	}
	r.Close()
	if err := h.Run(t.Context(), h.c.Watches[0]); err != nil {
		t.Fatal(err)
	}
	if got := h.verdicts()[r.Addr.String()]; got != store.Gone {
		t.Errorf("%q: what was seen first does not count first", got)
	}
	// It stays so as long as the older one waits; and one that is damaged holds up nothing.
	h.Store = &broken{h.s, 3}
	for range 2 {
		if err := h.Run(t.Context(), h.c.Watches[0]); err == nil {
			t.Error("a run was taken while an older one waits")
		}
	}
	if err := os.WriteFile(filepath.Join(h.c.Streams, "office", "20200101T000000.000Z"+partEnd), []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.run()
	if _, n, err := h.s.Runs(t.Context(), store.RunFilter{}, store.Page{}); err != nil || n != 5 {
		t.Errorf("%d runs, %v", n, err)
	}
}

// TestEnd: a stream that was cut off anywhere becomes a whole one.
func TestEnd(t *testing.T) {
	const (
		head = `{"type":"scan","schema":1,"tool":{"name":"clawsonar-hub","version":"1"},"started":"2026-11-30T03:00:00Z","level":"standard"}` + "\n"
		line = `{"type":"target","target":{"input":"a","ip":"127.0.0.1","port":1},"outcome":"closed"}` + "\n"
		sum  = `{"type":"summary","finished":"2026-11-30T03:01:00Z","complete":true}` + "\n"
	)
	for name, tt := range map[string]struct {
		text string
		some bool
		kept string // of the text
		ends bool   // with a summary of its own
		err  string
	}{
		"nothing":                 {},
		"half a head":             {text: head[:30]},
		"a head":                  {text: head, some: true, kept: head, ends: true},
		"a line":                  {text: head + line, some: true, kept: head + line, ends: true},
		"a torn line":             {text: head + line + line[:40], some: true, kept: head + line, ends: true},
		"a line without its end":  {text: head + line[:len(line)-1], some: true, kept: head, ends: true},
		"a torn summary":          {text: head + line + sum[:20], some: true, kept: head + line, ends: true},
		"whole":                   {text: head + line + sum, some: true, kept: head + line + sum},
		"something else":          {text: "hello\n", err: "x.jsonl.part:1: "},
		"a damaged line":          {text: head + "\x00\x00\x00\n" + line, err: "x.jsonl.part:2: "},
		"a line that never ended": {text: head + strings.Repeat("x", maxLine+1), err: "is left alone"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "x.jsonl.part")
			if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			now := time.Date(2026, 11, 30, 4, 0, 0, 0, time.UTC)
			some, err := (&Runner{Now: func() time.Time { return now }}).end(file)
			got, _ := os.ReadFile(file)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || string(got) != tt.text {
					t.Errorf("%v; %d of %d bytes are left", err, len(got), len(tt.text))
				}
				return
			}
			if err != nil || some != tt.some || !strings.HasPrefix(string(got), tt.kept) {
				t.Fatalf("%t, %v: %s", some, err, got)
			}
			rest := string(got[len(tt.kept):])
			if !some {
				return
			}
			if !tt.ends {
				if rest != "" {
					t.Errorf("added: %s", rest)
				}
				return
			}
			e, err := event.Decode([]byte(rest))
			s, ok := e.(*event.Summary)
			if !ok || s.Complete || !s.Finished.Equal(now) || len(s.Messages) != 1 || s.Targets != int64(strings.Count(tt.kept, line)) {
				t.Errorf("%s, %v", rest, err)
			}
		})
	}
}

// Whatever looks at targets of a watch shares its rate, as long as that stays the same.
func TestRateIsShared(t *testing.T) {
	r := &Runner{}
	w, other := &config.Watch{Name: "office"}, &config.Watch{Name: "lab"}
	w.Settings.Rate, other.Settings.Rate = 100, 100
	first := r.Builder(w).Limiter
	if first == nil || r.Builder(w).Limiter != first || r.Builder(other).Limiter == first {
		t.Error("the limiter is not that of the watch")
	}
	again := *w
	again.Settings.Rate = 50
	if r.Builder(&again).Limiter == first {
		t.Error("another rate has the limiter of the old one")
	}
}
