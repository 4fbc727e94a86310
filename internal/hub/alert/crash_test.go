package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/config"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/hub/stream"
)

// look has a run of the watch find a gateway so, or find nothing there for "".
func look(t *testing.T, s *store.Store, n int, again bool, state event.AuthState) {
	t.Helper()
	var b bytes.Buffer
	w := event.NewWriter(&b)
	at := start.Add(time.Duration(n) * time.Hour)
	sum := event.NewSummary()
	sum.Type, sum.Finished, sum.Complete = event.TypeSummary, at.Add(time.Minute), true
	x := &event.Target{Type: event.TypeTarget, Outcome: event.OutcomeIdentified, Product: &event.Product{ID: "openclaw", Name: "OpenClaw gateway", Confidence: event.Certain}, Auth: &event.Auth{State: state}}
	x.Target = event.Address{Input: "10.0.0.7:18789", IP: "10.0.0.7", Port: 18789, URL: "http://10.0.0.7:18789/", Member: event.OfRange}
	sum.Add(x)
	for _, e := range []event.Event{
		&event.Scan{Type: event.TypeScan, Schema: event.Schema, Started: at, Level: event.LevelStandard, Shard: "1/1", Watch: "office", Config: "c", Again: again}, x, sum,
	} {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), fmt.Sprint(n, ".jsonl"))
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	run, err := stream.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply(context.Background(), run, filepath.Base(file), nil); err != nil {
		t.Fatal(err)
	}
}

func openStore(t *testing.T, file string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), file)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A change that flaps is no alert, one that stays is one, over restarts.
func TestFlapping(t *testing.T) {
	file := filepath.Join(t.TempDir(), "board.db")
	var told []string
	hour := 0
	round := func(again bool, state event.AuthState) {
		t.Helper()
		s := openStore(t, file)
		defer s.Close()
		look(t, s, hour, again, state)
		hour++
		b := newBench(t, s, &config.Alert{Name: "r", When: []string{"opened", "closed", "verdict"}})
		b.clock = start.Add(time.Duration(hour) * time.Hour)
		b.run()
		for _, m := range b.sinks["r1"].taken() {
			head, _, _ := strings.Cut(m.Summary, ":")
			told = append(told, fmt.Sprint(hour, " ", head))
		}
	}
	round(false, event.AuthRequired) // 1
	round(false, event.AuthOpen)     // 2: seen once
	round(true, event.AuthRequired)  // 3: the second look does not see it
	round(false, event.AuthRequired) // 4
	round(false, event.AuthOpen)     // 5
	round(true, event.AuthOpen)      // 6: confirmed
	round(false, event.AuthOpen)     // 7
	round(false, event.AuthRequired) // 8
	round(false, event.AuthOpen)     // 9: open again before "closed" was confirmed
	round(true, event.AuthOpen)      // 10
	round(false, event.AuthRequired) // 11
	round(false, event.AuthRequired) // 12
	round(false, event.AuthRequired) // 13: the third look
	round(false, event.AuthRequired) // 14
	want := []string{"6 1 gateway is now open to anyone", "10 1 gateway is now open to anyone", "13 1 gateway is no longer open, by proof"}
	if fmt.Sprint(told) != fmt.Sprint(want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

const (
	crashAt   = "CLAWSONAR_TEST_CRASH"
	crashFile = "CLAWSONAR_TEST_STORE"
	crashTo   = "CLAWSONAR_TEST_TO"
)

// killed is a store that kills the process before or after it does something.
type killed struct {
	*store.Store
	at string
}

func (k killed) die(at string) {
	if k.at == at {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

func (k killed) Begin(ctx context.Context, d store.Digest) error {
	k.die("before it is recorded")
	err := k.Store.Begin(ctx, d)
	k.die("before it is sent")
	return err
}

func (k killed) Delivered(ctx context.Context, id string) error {
	k.die("before its end is recorded")
	err := k.Store.Delivered(ctx, id)
	k.die("after its end")
	return err
}

// crash is the process that is killed.
func crash() {
	if os.Getenv(crashAt) == "" {
		return
	}
	s, err := store.Open(context.Background(), os.Getenv(crashFile))
	if err == nil {
		err = hub(killed{s, os.Getenv(crashAt)}, os.Getenv(crashTo), func(l *Loop) error { return l.Run(context.Background()) })
	}
	fmt.Fprintln(os.Stderr, "it was not killed:", err)
	os.Exit(1)
}

func hub(db DB, to string, run func(*Loop) error) error {
	l, err := New(db, &config.Config{
		Alerts:  []*config.Alert{{Name: "r", When: []string{"opened"}, To: []string{to}}},
		Watches: []*config.Watch{{Name: "office", Confirm: 2, Every: time.Hour}},
	}, time.Now, os.Stderr)
	if err != nil {
		return err
	}
	return run(l)
}

// Whenever the hub is killed, an alert is told: once, or twice as the same delivery if it
// was killed between sending it and recording that.
func TestKilled(t *testing.T) {
	for at, times := range map[string][2]int{ // before and after the restart
		"before it is recorded":      {0, 1},
		"before it is sent":          {0, 1},
		"before its end is recorded": {1, 2},
		"after its end":              {1, 1},
	} {
		t.Run(at, func(t *testing.T) {
			server, got := serve(t, httptest.NewServer, func(int, http.ResponseWriter) {})
			file := filepath.Join(t.TempDir(), "board.db")
			s := openStore(t, file)
			look(t, s, 0, false, event.AuthRequired)
			look(t, s, 1, false, event.AuthOpen)
			look(t, s, 2, true, event.AuthOpen)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^$")
			cmd.Env = append(os.Environ(), crashAt+"="+at, crashFile+"="+file, crashTo+"="+server.URL)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("%v: %s", err, out)
			}
			if n := len(got()); n != times[0] {
				t.Errorf("sent %d times before the restart, want %d", n, times[0])
			}
			for range 3 { // restarts
				s := openStore(t, file)
				err := hub(s, server.URL, func(l *Loop) error {
					for range 3 {
						if _, err := l.step(t.Context()); err != nil {
							return err
						}
						l.workers.Wait()
					}
					return nil
				})
				if err := errors.Join(err, s.Close()); err != nil {
					t.Fatal(err)
				}
			}
			all := got()
			if len(all) != times[1] {
				t.Fatalf("sent %d times, want %d", len(all), times[1])
			}
			for _, r := range all {
				d := valid(t, r.body)
				if d.Delivery != r.Get("X-Clawsonar-Delivery") || !bytes.Equal(r.body, all[0].body) || len(d.Changes) != 1 || d.Changes[0].Place != "10.0.0.7:18789" {
					t.Errorf("%s", r.body)
				}
			}
		})
	}
}

// Run sends what a run found when it is woken, ends when it is told to, and leaves the
// try that it interrupts for the next start.
func TestRun(t *testing.T) {
	begun, release := make(chan struct{}, 10), make(chan struct{})
	server, got := serve(t, httptest.NewServer, func(n int, w http.ResponseWriter) {
		begun <- struct{}{}
		if n == 2 {
			<-release
		}
	})
	defer close(release)
	file := filepath.Join(t.TempDir(), "board.db")
	s := openStore(t, file)
	defer s.Close()
	var l *Loop
	if err := hub(s, server.URL, func(x *Loop) error { l = x; return nil }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- l.Run(ctx) }()
	for i, state := range []event.AuthState{event.AuthRequired, event.AuthOpen, event.AuthOpen, event.AuthRequired, event.AuthOpen, event.AuthOpen} {
		look(t, s, i, i == 2 || i == 5, state)
		l.Wake()
		if i == 2 || i == 5 {
			select {
			case <-begun:
			case <-time.After(20 * time.Second):
				t.Fatal("nothing was sent")
			}
		}
	}
	cancel() // during the second
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("Run does not end")
	}
	open, err := s.Unfinished(t.Context(), 10)
	if err != nil || len(open) != 1 || open[0].Tries != 0 || open[0].ID != got()[1].Get("X-Clawsonar-Delivery") {
		t.Errorf("%+v, %v", open, err)
	}
}

// last is a sink that takes a delivery at the moment when the hub is told to end.
type last struct{ end func() }

func (s last) send(context.Context, *message) error {
	s.end()
	return nil
}

// What was taken at the last moment is recorded.
func TestTakenAtTheEnd(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "board.db"))
	defer s.Close()
	look(t, s, 0, false, event.AuthRequired)
	look(t, s, 1, false, event.AuthOpen)
	look(t, s, 2, true, event.AuthOpen)
	b := newBench(t, s, &config.Alert{Name: "r", When: []string{"opened"}})
	ctx, cancel := context.WithCancel(t.Context())
	b.rules[0].places[0].sink = last{cancel}
	if err := b.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if open, err := s.Unfinished(t.Context(), 10); err != nil || len(open) != 0 || b.errors.Len() > 0 {
		t.Errorf("%+v, %v, %s", open, err, b.errors)
	}
}

// What is said of a watch is valid, too.
func TestSilentDocument(t *testing.T) {
	server, got := serve(t, httptest.NewServer, func(int, http.ResponseWriter) {})
	s := openStore(t, filepath.Join(t.TempDir(), "board.db"))
	defer s.Close()
	clock := start
	l, err := New(s, &config.Config{
		URL:     "https://hub.example",
		Alerts:  []*config.Alert{{Name: "r", When: []string{config.SilentWatch}, To: []string{server.URL}}},
		Watches: []*config.Watch{{Name: "office", Every: time.Hour}},
	}, func() time.Time { return clock }, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	step := func() {
		t.Helper()
		if _, err := l.step(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.workers.Wait()
	}
	step()
	clock = start.Add(3 * time.Hour)
	step()
	look(t, s, 3, false, event.AuthOpen)
	step()
	all := got()
	if len(all) != 2 {
		t.Fatalf("%d documents", len(all))
	}
	for i, want := range []string{eventSilent, eventBack} {
		d := valid(t, all[i].body)
		if d.Event != want || all[i].Get("X-Clawsonar-Event") != want || d.Watch.Name != "office" || d.URL != "https://hub.example/runs" {
			t.Errorf("%s", all[i].body)
		}
		if never := d.Watch.Never; never != (i == 0) {
			t.Errorf("%s", all[i].body)
		}
	}
}

// The schema has the fields and words of the code.
func TestSchema(t *testing.T) {
	data, err := os.ReadFile("../../../schema/alert.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	type object struct {
		Properties map[string]json.RawMessage
		Enum       []string
	}
	var s struct {
		object
		Defs map[string]object `json:"$defs"`
	}
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	now := start
	keys := func(v any) map[string]json.RawMessage {
		t.Helper()
		var out map[string]json.RawMessage
		data, err := json.Marshal(v)
		if err == nil {
			err = json.Unmarshal(data, &out)
		}
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	all := document{
		URL: "x", Severity: "x", Kinds: []store.Kind{"x"}, Total: 1, Counts: map[class]int{"x": 1}, Watch: &watch{Never: true, Back: &now},
		Changes: []change{{
			URL: "x", Vantage: "x", Owner: "x", Contact: "x", Network: "x", Product: "x", OldVerdict: "x", OldSince: &now, Verdict: "x", OldRelease: "x", Release: "x", Severity: "x",
			Episodes: []episode{{}}, Notes: []note{{}},
		}},
	}
	for name, pair := range map[string][2]map[string]json.RawMessage{
		"document": {keys(all), s.Properties}, "change": {keys(all.Changes[0]), s.Defs["change"].Properties},
	} {
		for _, side := range []int{0, 1} {
			for key := range pair[side] {
				if _, ok := pair[1-side][key]; !ok {
					t.Errorf("%s: %q is only in the %s", name, key, []string{"code", "schema"}[side])
				}
			}
		}
	}
	if got, want := s.Defs["kind"].Enum, event.Words(store.Kinds()...); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("kinds %q, want %q", got, want)
	}
}
