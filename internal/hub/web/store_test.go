package web

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/access"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

var _ Data = (*store.Store)(nil)

// imported is a database made of runs of a watch: one gateway is there all the time, one
// of them opens, and then no longer answers.
func imported(t testing.TB) (s *store.Store, dir string) {
	t.Helper()
	lines, dir := targets(t), t.TempDir()
	required, open := *lines[event.AuthRequired], *lines[event.AuthOpen]
	required.Target.Input, required.Target.IP, required.Target.Port, required.Target.URL = "10.1.0.1", "10.1.0.1", 18789, "http://10.1.0.1:18789/"
	open.Target = required.Target
	open.Target.Input, open.Target.IP, open.Target.URL = "10.1.0.2", "10.1.0.2", "http://10.1.0.2:18789/"
	shut := required
	shut.Target = open.Target
	silent := event.Target{Type: event.TypeTarget, Target: open.Target, Outcome: event.OutcomeSilent}
	for day, second := range []event.Target{shut, open, silent} {
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%d.jsonl", day)))
		if err != nil {
			t.Fatal(err)
		}
		w := event.NewWriter(f)
		begin := now.AddDate(0, 0, day-3)
		sum := event.NewSummary()
		sum.Add(&required)
		sum.Add(&second)
		sum.Complete, sum.Finished = true, begin.Add(time.Minute)
		for _, e := range []event.Event{
			&event.Scan{Type: event.TypeScan, Schema: event.Schema, Tool: event.Tool{Name: "clawsonar", Version: "0.4.0"}, Started: begin, Level: event.LevelStandard, Shard: "1/1", Watch: "office", Vantage: "inside"},
			&required, &second, sum,
		} {
			if err := w.Write(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "board.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if out, err := s.Import(t.Context(), dir, nil, nil); err != nil || out.Runs != 3 || len(out.Refused) > 0 {
		t.Fatal(out, err)
	}
	return s, dir
}

// TestStore: the pages over the real database and behind the real router.
func TestStore(t *testing.T) {
	s, dir := imported(t)
	b := board(t, fleet(t, same))
	b.Data, b.Streams, b.Watches = s, dir, []Watch{{"office", 24 * time.Hour}}
	hub, err := access.New(t.Context(), b.Routes(), access.Options{Store: s, Chrome: b.Chrome, Lang: Lang, Now: b.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Close()
	ask := func(path string) string {
		t.Helper()
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.RemoteAddr, r.Host = "127.0.0.1:5000", "127.0.0.1:8790"
		w := httptest.NewRecorder()
		hub.ServeHTTP(w, r)
		if w.Code != http.StatusOK || w.Header().Get("Content-Security-Policy") == "" {
			t.Errorf("%s: %d %v %.300s", path, w.Code, w.Header(), w.Body)
		}
		return w.Body.String()
	}
	holds := func(text string, all ...string) {
		t.Helper()
		for _, x := range all {
			if !strings.Contains(text, x) {
				t.Errorf("%q is not in %.4000s", x, text)
			}
		}
	}
	overview := ask("/")
	holds(overview, "1 gateway was open, and its last look proved nothing", "10.1.0.2:18789")
	checkPage(t, "overview", overview)
	id := regexp.MustCompile(`/gateways/([0-9a-z]{13})`).FindStringSubmatch(overview)[1]
	one := ask("/gateways/" + id)
	holds(one, "It was open, and its last look proved nothing", "OPEN - no authentication", "This is not of the last look", "auth required")
	checkPage(t, "gateway", one)
	run := regexp.MustCompile(`/runs/([0-9a-z]{13})`).FindStringSubmatch(one)[1]
	holds(ask("/runs/"+run), "Complete, but 1 target that it names could not be judged.", "advisories as of unknown", "10.1.0.2:18789")
	holds(ask("/runs/"+run+"/stream"), `"type":"summary"`)
	for _, query := range []string{"is:unresolved", "verdict:gone", "10.1.0.2"} {
		if page := ask("/gateways?q=" + query); !strings.Contains(page, "10.1.0.2:18789") || strings.Contains(page, "10.1.0.1:18789") {
			t.Errorf("%s finds: %.3000s", query, page)
		}
	}
	for _, o := range store.Orders() {
		holds(ask("/gateways?sort="+string(o)), "1 to 2 of 2")
	}
	holds(ask("/changes"), "new gateway", "opened", "gateway gone")
	holds(ask("/changes?kind=opened"), "1 to 1 of 1")
	holds(ask("/weekly"), "Newly open", "Was open, and is not shown to be closed")
	holds(ask("/public"), "fewer than 5")
	for name, path := range exports(&fake{}) {
		if text := ask(path); len(text) < 100 {
			t.Errorf("%s: %q", name, text)
		}
	}
	holds(ask("/changes?format=sarif"), `"baselineState":"new"`)
	holds(ask("/gateways?format=intelmq"), "openclaw-gateway-was-open")
}

// BenchmarkPages times the pages over a fleet that the benchmark of package store leaves
// in the directory CLAWSONAR_BENCH_FLEET; else over a small one.
func BenchmarkPages(b *testing.B) {
	s, dir := imported(b)
	if large := os.Getenv("CLAWSONAR_BENCH_FLEET"); large != "" {
		dir = large
		if _, err := s.Import(b.Context(), dir, nil, nil); err != nil {
			b.Fatal(err)
		}
	}
	x := board(b, fleet(b, same))
	x.Data, x.Streams = s, dir
	h := handler(x, access.Work)
	list, _, err := s.Gateways(b.Context(), store.Filter{}, store.Page{})
	if err != nil {
		b.Fatal(err)
	}
	for _, path := range []string{"/", "/gateways", "/gateways?q=release:<2026.9&sort=last", "/gateways/" + list[0].ID.String(), "/changes", "/changes.atom", "/weekly", "/runs", "/public", "/gateways?format=csv", "/gateways?format=jsonl", "/gateways?format=sarif", "/changes?format=csv"} {
		b.Run(path, func(b *testing.B) {
			for b.Loop() {
				if w := get(b, h, path); w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
