package machine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.uber.org/goleak"

	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/access"
	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/hub/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// now is the time of the tests.
func now() time.Time { return time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC) }

// hostile is what a target or a stream might say to break what reads it.
const hostile = "x\"} 1\nevil{a=\"b\\\x1b[31m\u202e<script>"

// fixture is a hub's machine interface on a database with two runs of the watch office,
// in the second of which a gateway is open, and one run of a watch with a hostile name;
// and with the jobs of addJobs.
type fixture struct {
	http.Handler
	t          *testing.T
	view, work string
	store      *store.Store
	routes     []access.Route
}

func setUp(t *testing.T, change func(*Options)) *fixture {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Open(t.Context(), filepath.Join(dir, "board.db"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, dir, "office", 1, gateway("10.0.0.7", event.AuthRequired, "2026.9.6"), gateway("10.0.0.8", event.AuthUnknown, ""))
	put(t, s, dir, "office", 2, gateway("10.0.0.7", event.AuthOpen, "2026.9.6"), gateway("10.0.0.8", event.AuthUnknown, ""), gateway("10.0.0.9", event.AuthRequired, hostile))
	put(t, s, dir, hostile, 3, gateway("10.0.0.7", event.AuthRequired, "2026.9.6"))
	addJobs(t, s)
	o := Options{
		Data: s, Tool: event.Tool{Name: "clawsonar-hub", Version: "1.2"}, Watches: []Watch{{"office", 6 * time.Hour}, {"lab", time.Hour}},
		AdvisoriesAsOf: "2026-11-01", Now: now, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	if change != nil {
		change(&o)
	}
	f := &fixture{t: t, store: s, routes: Routes(o)}
	h, err := access.New(context.Background(), f.routes, access.Options{Store: s, Now: now, Log: o.Log})
	if err != nil {
		t.Fatal(err)
	}
	f.Handler = h
	t.Cleanup(func() {
		h.Close()
		s.Close() // one test has closed it
	})
	return f
}

// addJobs adds a job that was stopped; one that runs, with a unit that was given up and one
// that has begun; and workers, of which one was heard of and one is revoked.
func addJobs(t *testing.T, s *store.Store) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"w1", "w2", "w3"} {
		must(s.AddWorker(ctx, store.Worker{Name: name, Vantage: "fra", Key: name, Made: now()}))
	}
	must(s.SawWorker(ctx, "w1", hostile, "", now()))
	must(s.RevokeWorker(ctx, "w3", now()))
	must(s.AddWorker(ctx, store.Worker{Name: "w4", Vantage: "fra", Key: "w4", Made: now()}))
	must(s.SawWorker(ctx, "w4", "0.1", "", now()))
	must(s.RefusedWorker(ctx, "w4", "it is another version", now()))
	for _, name := range []string{"nightly", "adhoc"} {
		j := store.Job{Name: name, Created: now().Add(-time.Hour), Vantages: []string{"fra", "sgp"}, Rate: 100}
		must(s.AddJob(ctx, &j))
		must(s.StartJob(ctx, j.ID, []byte("record"), []byte("list"), 3, 12, now()))
		if name == "adhoc" {
			_, err := s.WantJob(ctx, j.ID, store.WantStop, hostile, now())
			must(err)
			continue
		}
		giveUp(t, s, job.Unit{Job: j.ID, Vantage: "fra", K: 2})
		_, err := s.BeginUnit(ctx, job.Unit{Job: j.ID, Vantage: "fra", K: 1}, "w1", now())
		must(err)
	}
}

// giveUp has a unit fail so often that it is given up.
func giveUp(t *testing.T, s *store.Store, u job.Unit) {
	t.Helper()
	for range job.MaxAttempts {
		b, err := s.BeginUnit(t.Context(), u, "w1", now())
		if err == nil {
			_, err = s.FailUnit(t.Context(), job.Fail{At: job.At{Unit: u, Attempt: b.Attempt}, Error: hostile}, "w1", now())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestGivenUpEverywhere: of each vantage some are told, however many another has.
func TestGivenUpEverywhere(t *testing.T) {
	f := setUp(t, nil)
	j := store.Job{Name: "poison", Created: now(), Vantages: []string{"fra", "sgp"}, Rate: 100}
	if err := errors.Join(f.store.AddJob(t.Context(), &j), f.store.StartJob(t.Context(), j.ID, []byte("record"), []byte("list"), maxFailed+1, 100, now())); err != nil {
		t.Fatal(err)
	}
	for k := range uint64(maxFailed + 1) {
		giveUp(t, f.store, job.Unit{Job: j.ID, Vantage: "fra", K: k + 1})
	}
	giveUp(t, f.store, job.Unit{Job: j.ID, Vantage: "sgp", K: 3})
	out, err := ShowJob(t.Context(), f.store, &j, now(), func(_ context.Context, _ string, units []uint64) (out [][]string, err error) {
		for _, k := range units {
			out = append(out, []string{fmt.Sprint(k)})
		}
		return out, nil
	})
	if err != nil || len(out.Vantages) != 2 || len(out.Vantages[0].Failed) != maxFailed || len(out.Vantages[1].Failed) != 1 ||
		out.Vantages[0].Failed[1].Targets[0] != "2" || out.Vantages[1].Failed[0].Targets[0] != "3" {
		t.Errorf("%+v, %v", out, err)
	}
}

// tokens makes one of each role; before that there are no accounts.
func (f *fixture) tokens() *fixture {
	f.t.Helper()
	for role, into := range map[access.Role]*string{access.View: &f.view, access.Work: &f.work} {
		var err error
		if *into, err = access.NewToken(f.t.Context(), f.store, role.String(), role, now()); err != nil {
			f.t.Fatal(err)
		}
	}
	return f
}

func gateway(ip string, state event.AuthState, release string) *event.Target {
	t := &event.Target{Type: event.TypeTarget, Outcome: event.OutcomeIdentified}
	t.Target = event.Address{Input: ip, IP: ip, Port: 18789, URL: "http://" + ip + ":18789/", Member: event.OfRange}
	t.Product = &event.Product{ID: "openclaw", Name: "OpenClaw gateway", Confidence: event.Certain}
	t.Auth = &event.Auth{State: state}
	if release != "" {
		t.Version = &event.Version{Exact: release, Candidates: []string{release}}
	}
	if state == event.AuthOpen {
		t.Geo = &event.Geo{AS: 64500, ASName: "Net " + hostile, Country: "AU"}
		t.Findings = []event.Finding{{ID: "auth-missing", Severity: event.Critical, Key: "k" + ip, Title: "Anyone controls it"}}
	}
	return t
}

// put has a run of a watch taken into the history: at that hour of 29 November.
func put(t *testing.T, s *store.Store, dir, watch string, hour int, lines ...*event.Target) {
	t.Helper()
	start := time.Date(2026, 11, 29, hour, 0, 0, 0, time.UTC)
	var b bytes.Buffer
	w := event.NewWriter(&b)
	sum := event.NewSummary()
	sum.Type, sum.Finished, sum.Complete = event.TypeSummary, start.Add(time.Minute), true
	events := []event.Event{&event.Scan{Type: event.TypeScan, Schema: event.Schema, Started: start, Level: event.LevelStandard, Shard: "1/1", Watch: watch, Vantage: watch,
		Config: "c", Data: event.Data{AdvisoriesAsOf: "2026-11-20"}}}
	for _, l := range lines {
		sum.Add(l)
		events = append(events, l)
	}
	for _, e := range append(events, sum) {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, fmt.Sprintf("%d.jsonl", hour))
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	x, err := stream.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	var checks []event.CheckInfo
	for _, c := range check.All() {
		checks = append(checks, c.Doc)
	}
	if _, err := s.Apply(t.Context(), x, filepath.Base(file), checks); err != nil {
		t.Fatal(err)
	}
}

// ask sends a request from this machine.
func (f *fixture) ask(method, path, token, body string, headers ...string) (int, string, http.Header) {
	f.t.Helper()
	r := httptest.NewRequest(method, "http://localhost:8790"+path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:5"
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	text, err := io.ReadAll(w.Result().Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return w.Code, string(text), w.Result().Header
}

func TestHealth(t *testing.T) {
	f := setUp(t, nil).tokens()
	if code, text, _ := f.ask("GET", "/healthz", "", ""); code != 200 || text != "ok\n" {
		t.Errorf("%d %q", code, text)
	}
	if err := f.store.Close(); err != nil {
		t.Fatal(err)
	}
	if code, text, _ := f.ask("GET", "/healthz", "", ""); code != 503 || text != "the database does not answer\n" {
		t.Errorf("without a database: %d %q", code, text)
	}
}

// samples checks the text of an exposition and returns its values.
func samples(t *testing.T, text string) map[string]string {
	t.Helper()
	sample := regexp.MustCompile(`^([a-z_]+)(\{[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\[\\"n])*")*\})? (-?[0-9.e+-]+|NaN)$`)
	out, now, begun := map[string]string{}, "", map[string]bool{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "# HELP "):
			now = strings.Fields(line)[2]
			if begun[now] {
				t.Errorf("%s is there twice", now)
			}
			begun[now] = true
		case strings.HasPrefix(line, "# TYPE "):
			if line != "# TYPE "+now+" gauge" {
				t.Errorf("after %s: %s", now, line)
			}
		default:
			m := sample.FindStringSubmatch(line)
			if m == nil || m[1] != now {
				t.Errorf("of %s: %q", now, line)
				continue
			}
			if _, ok := out[m[1]+m[2]]; ok {
				t.Errorf("twice: %s", line)
			}
			out[m[1]+m[2]] = m[3]
		}
	}
	promtool(t, text)
	return out
}

// promtool has Prometheus' own tool look at a text, if it is there.
func promtool(t *testing.T, text string) {
	t.Helper()
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Log("SKIPPED: promtool is not installed (Debian's package prometheus): the metrics are not checked by it")
		return
	}
	cmd := exec.Command("promtool", "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s\n%s", err, out, text)
	}
}

func TestMetrics(t *testing.T) {
	f := setUp(t, nil)
	code, text, head := f.ask("GET", "/metrics", "", "") // no accounts: open to this machine
	if code != 200 || head.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
		t.Fatalf("%d %v", code, head)
	}
	got := samples(t, text)
	const strange = `x\"} 1 evil{a=\"b\\<script>`
	for sample, want := range map[string]string{
		`clawsonar_build_info{version="1.2"}`:                              "1",
		`clawsonar_gateways{watch="office",verdict="open"}`:                "1",
		`clawsonar_gateways{watch="office",verdict="unknown"}`:             "1",
		`clawsonar_gateways{watch="office",verdict="required"}`:            "1",
		`clawsonar_gateways{watch="office",verdict="gone"}`:                "0",
		`clawsonar_gateways{watch="lab",verdict="open"}`:                   "0",
		`clawsonar_gateways{watch="` + strange + `",verdict="required"}`:   "1",
		`clawsonar_findings{watch="office",severity="critical"}`:           "1",
		`clawsonar_findings{watch="office",severity="info"}`:               "0",
		`clawsonar_findings{watch="` + strange + `",severity="critical"}`:  "0",
		`clawsonar_releases{release="2026.9.6"}`:                           "1",
		`clawsonar_releases{release="unknown"}`:                            "2", // what is no release is not known
		`clawsonar_releases{release="other"}`:                              "0",
		`clawsonar_run_timestamp_seconds{watch="office"}`:                  fmt.Sprintf("%.9g", float64(time.Date(2026, 11, 29, 2, 1, 0, 0, time.UTC).Unix())),
		`clawsonar_run_timestamp_seconds{watch="lab"}`:                     "0",
		`clawsonar_run_complete{watch="office"}`:                           "1",
		`clawsonar_run_complete{watch="lab"}`:                              "0",
		`clawsonar_run_unjudged{watch="office"}`:                           "1",
		`clawsonar_run_unjudged{watch="lab"}`:                              "NaN", // there is no run of it
		`clawsonar_gateways_unresolved`:                                    "0",
		`clawsonar_watch_interval_seconds{watch="office"}`:                 "21600",
		`clawsonar_watch_interval_seconds{watch="lab"}`:                    "3600",
		`clawsonar_advisories_age_seconds`:                                 "2.5344e+06", // 29 days and 8 hours: lab has had no run, and will have those of the program
		`clawsonar_job_units{job="nightly",vantage="fra",state="failed"}`:  "1",
		`clawsonar_job_units{job="nightly",vantage="fra",state="begun"}`:   "1",
		`clawsonar_job_units{job="nightly",vantage="fra",state="waiting"}`: "1",
		`clawsonar_job_units{job="nightly",vantage="sgp",state="done"}`:    "0",
		`clawsonar_job_units{job="adhoc",vantage="fra",state="waiting"}`:   "", // it has ended
		`clawsonar_workers{vantage="fra",state="seen"}`:                    "1",
		`clawsonar_workers{vantage="fra",state="unheard"}`:                 "1",
		`clawsonar_workers{vantage="fra",state="refused"}`:                 "1", // it is there, and gets no units
		`clawsonar_watch_interval_seconds{watch="` + strange + `"}`:        "",
		`clawsonar_gateways{watch="` + strange + `",verdict="no-verdict"}`: "",
	} {
		if got[sample] != want {
			t.Errorf("%s: %q, want %q", sample, got[sample], want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
	f.tokens()
	if code, _, _ := f.ask("GET", "/metrics", "", ""); code != 401 {
		t.Errorf("without a token: %d", code)
	}
	if code, again, _ := f.ask("GET", "/metrics", f.view, ""); code != 200 || again != text {
		t.Errorf("with one: %d", code)
	}
}

// states is a database whose watches and gateways stand otherwise.
type states struct {
	Data
	change func(*store.Gauges)
}

func (s states) Gauges(ctx context.Context) (store.Gauges, error) {
	g, err := s.Data.Gauges(ctx)
	s.change(&g)
	return g, err
}

// What could not be judged, and what was open and is not proven closed, has a number.
func TestMetricsOfWhatIsNotKnown(t *testing.T) {
	f := setUp(t, func(o *Options) {
		o.Data = states{o.Data, func(g *store.Gauges) {
			g.Unresolved = 3
			for i := range g.Watches {
				g.Watches[i].Last.Unjudged = 4
			}
		}}
	})
	_, text, _ := f.ask("GET", "/metrics", "", "")
	got := samples(t, text)
	for sample, want := range map[string]string{`clawsonar_run_unjudged{watch="office"}`: "4", `clawsonar_gateways_unresolved`: "3"} {
		if got[sample] != want {
			t.Errorf("%s: %q, want %q", sample, got[sample], want)
		}
	}
}

// A watch that has not run is there, and counts of a time that nobody looked at are not
// zeros.
func TestOverviewOfWhatIsNotKnown(t *testing.T) {
	f := setUp(t, nil)
	code, text, _ := f.ask("GET", "/api/v1/overview", "", "")
	var o struct {
		WeekAgo  map[string]int `json:"week_ago"`
		Unclear  []struct{ Place string }
		UnclearN int `json:"unclear_total"`
		Watches  []struct {
			Name string
			Last *struct{}
		}
	}
	if err := json.Unmarshal([]byte(text), &o); err != nil || code != 200 {
		t.Fatal(code, err)
	}
	if o.WeekAgo != nil {
		t.Errorf("a week ago: %v", o.WeekAgo)
	}
	if o.UnclearN != 1 || len(o.Unclear) != 1 || o.Unclear[0].Place != "10.0.0.8:18789" {
		t.Errorf("unclear: %d %v", o.UnclearN, o.Unclear)
	}
	found := false
	for _, w := range o.Watches {
		found = found || w.Name == "lab" && w.Last == nil
	}
	if !found || len(o.Watches) != 3 {
		t.Errorf("watches: %+v", o.Watches)
	}
}

// many is a database of many watches and releases with names that become the same.
type many struct{ Data }

func (many) Gauges(context.Context) (store.Gauges, error) {
	g := store.Gauges{Gateways: map[string]map[store.Verdict]int{}, Others: 3}
	for i := range 1000 {
		g.Gateways[fmt.Sprint("w", i)] = map[store.Verdict]int{store.Verdict(event.AuthOpen): 1, "invented": 1}
	}
	for _, name := range []string{"", "unknown", "other", "a\x00", "a\x01"} {
		g.Releases = append(g.Releases, store.Counted{Name: name, N: 1})
	}
	return g, nil
}

func (many) OpenJobs(context.Context, time.Time) (out []store.Job, err error) {
	for i := range 1000 {
		out = append(out, store.Job{ID: fmt.Sprint(i), Name: fmt.Sprint("j", i), State: store.JobRunning})
	}
	return out, nil
}

func (many) Progress(context.Context, string, time.Time) ([]store.Progress, error) {
	return []store.Progress{{Vantage: "fra", Units: map[store.UnitState]uint64{store.UnitDone: 1}}}, nil
}

func (many) Workers(context.Context) (out []store.Worker, err error) {
	for i := range 1000 {
		out = append(out, store.Worker{Name: fmt.Sprint("w", i), Vantage: fmt.Sprint("v", i)})
	}
	return out, nil
}

func TestMetricsAreBounded(t *testing.T) {
	f := setUp(t, func(o *Options) { o.Data = many{o.Data} })
	_, text, _ := f.ask("GET", "/metrics", "", "")
	got := samples(t, text)
	if n := len(got); n > 5000 {
		t.Errorf("%d samples", n)
	}
	sum, unknown, done, unheard := 0, 0, 0, 0
	for name, value := range got {
		var n int
		fmt.Sscan(value, &n)
		if strings.HasSuffix(name, `verdict="open"}`) {
			sum += n
		}
		if strings.HasSuffix(name, `verdict="unknown"}`) {
			unknown += n
		}
		if strings.HasSuffix(name, `state="done"}`) {
			done += n
		}
		if strings.HasSuffix(name, `state="unheard"}`) {
			unheard += n
		}
	}
	if sum != 1000 || unknown != 1000 || done != 1000 || unheard != 1000 {
		t.Errorf("of 1000 each: %d open gateways and %d unknown ones, %d units, %d workers", sum, unknown, done, unheard)
	}
	for sample, want := range map[string]string{`{release="unknown"}`: "2", `{release="other"}`: "4", `{release="a"}`: "2"} {
		if got["clawsonar_releases"+sample] != want {
			t.Errorf("%s: %s", sample, got["clawsonar_releases"+sample])
		}
	}
}

// description is openapi.json.
func description(t *testing.T) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(openAPI, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func at[T any](t *testing.T, v any, path ...string) T {
	t.Helper()
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	out, ok := v.(T)
	if !ok {
		t.Fatalf("openapi.json: %v is %T", path, v)
	}
	return out
}

// Every route is described, with its role and parameters of the path, and nothing else
// is.
func TestDescriptionIsOfTheRoutes(t *testing.T) {
	doc := description(t)
	described := map[string]string{}
	for path, x := range at[map[string]any](t, doc, "paths") {
		for method := range x.(map[string]any) {
			op := at[map[string]any](t, x, method)
			described[strings.ToUpper(method)+" "+path] = at[string](t, op, "x-role")
			var named []string
			params, _ := op["parameters"].([]any)
			for _, p := range params {
				if at[string](t, p, "in") == "path" {
					named = append(named, "{"+at[string](t, p, "name")+"}")
				}
			}
			if in := regexp.MustCompile(`\{[a-z]+\}`).FindAllString(path, -1); !slices.Equal(in, named) {
				t.Errorf("%s: parameters %v", path, named)
			}
		}
	}
	for _, r := range Routes(Options{}) {
		if described[r.Pattern] != r.Needs.String() {
			t.Errorf("%s needs %s, openapi.json says %q", r.Pattern, r.Needs, described[r.Pattern])
		}
		delete(described, r.Pattern)
	}
	if len(described) > 0 {
		t.Errorf("openapi.json has what is no route: %v", described)
	}
	for name, words := range map[string][]string{
		"Verdict": event.Words(store.Verdicts()...), "Kind": event.Words(store.Kinds()...), "Severity": append([]string{""}, event.Words(event.Severities()...)...),
		"JobState": event.Words(store.JobNew, store.JobRunning, store.JobPaused, store.JobStopped, store.JobDone),
	} {
		var got []string
		for _, x := range at[[]any](t, doc, "components", "schemas", name, "enum") {
			got = append(got, x.(string))
		}
		if !slices.Equal(got, words) {
			t.Errorf("%s: %v, want %v", name, got, words)
		}
	}
}

// valid holds an answer to its description.
func valid(t *testing.T, doc map[string]any, method, path string, code int, text string) {
	t.Helper()
	answer := at[map[string]any](t, doc, "paths", path, strings.ToLower(method), "responses", fmt.Sprint(code))
	pointer := "/paths/" + strings.ReplaceAll(path, "/", "~1") + "/" + strings.ToLower(method) + "/responses/" + fmt.Sprint(code)
	if ref, ok := answer["$ref"].(string); ok {
		pointer = strings.TrimPrefix(ref, "#")
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource("openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("openapi.json#" + pointer + "/content/application~1json/schema")
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err == nil {
		err = schema.Validate(v)
	}
	if err != nil {
		t.Errorf("%s %s: %v\n%s", method, path, err, text)
	}
}

func TestAnswers(t *testing.T) {
	f := setUp(t, func(o *Options) {
		o.UnitTargets = func(_ context.Context, _ string, units []uint64) (out [][]string, err error) {
			for _, k := range units {
				out = append(out, []string{fmt.Sprintf("10.1.0.%d:18789", k)})
			}
			return out, nil
		}
	}).tokens()
	doc := description(t)
	_, list, _ := f.ask("GET", "/api/v1/gateways", f.view, "")
	id := regexp.MustCompile(`"id":"([^"]+)","place":"10\.0\.0\.7:18789"`).FindStringSubmatch(list)
	alone := regexp.MustCompile(`"id":"([^"]+)","place":"10\.0\.0\.9:18789"`).FindStringSubmatch(list)
	if id == nil || alone == nil {
		t.Fatal(list)
	}
	note := strings.Repeat("n", 4001)
	asked := map[string]bool{}
	for _, c := range []struct {
		method, path, query string // path as described
		token, body         string
		code                int
		has                 string
	}{
		{"GET", "/api/v1/openapi.json", "", f.view, "", 200, `"openapi": "3.1.0"`},
		{"GET", "/api/v1/overview", "", f.view, "", 200, `"alarming_total":1`},
		{"GET", "/api/v1/overview", "?x=1", f.view, "", 400, "unknown parameter"},
		{"GET", "/api/v1/gateways", "", f.view, "", 200, `"total":3,"offset":0`},
		{"GET", "/api/v1/gateways", "?q=verdict:open&limit=1", f.view, "", 200, `"total":1,"offset":0,"gateways":[{`},
		{"GET", "/api/v1/gateways", "?offset=2&limit=1", f.view, "", 200, `"total":3,"offset":2,"gateways":[{`},
		{"GET", "/api/v1/gateways", "?offset=9", f.view, "", 200, `"gateways":[]`},
		{"GET", "/api/v1/gateways", "?q=as:64500+country:au", f.view, "", 200, `"country":"AU","owner"`},
		{"GET", "/api/v1/gateways", "?q=as:0", f.view, "", 400, "the number of an AS"},
		{"GET", "/api/v1/overview", "", f.view, "", 200, `"countries":[{"name":"","gateways":2,"alarming":0},{"name":"AU","gateways":1,"alarming":1}]`},
		{"GET", "/api/v1/overview", "", f.view, "", 200, `"systems":[{"as":0,"name":"","gateways":2,"alarming":0},{"as":64500,"name":"Net `},
		{"GET", "/api/v1/gateways", "?q=verdict:opne", f.view, "", 400, "did you mean"},
		{"GET", "/api/v1/gateways", "?Q=verdict:open", f.view, "", 400, "unknown parameter"},
		{"GET", "/api/v1/gateways", "?q=a&q=b", f.view, "", 400, "twice"},
		{"GET", "/api/v1/gateways", "?limit=501", f.view, "", 400, "1 to 500"},
		{"GET", "/api/v1/gateways", "?offset=-1", f.view, "", 400, "0 to"},
		{"GET", "/api/v1/gateways/{id}", id[1], f.view, "", 200, `"sights":[{`},
		{"GET", "/api/v1/gateways/{id}", id[1], f.view, "", 200, `"unseen":[]`},
		{"GET", "/api/v1/gateways/{id}", alone[1], f.view, "", 200, `"unseen":[{"watch":"x`},
		{"GET", "/api/v1/gateways/{id}", id[1] + "?x=1", f.view, "", 400, "unknown parameter"},
		{"GET", "/api/v1/gateways/{id}", "0000000000000", f.view, "", 404, "nothing of that id"},
		{"GET", "/api/v1/gateways/{id}", "..%2f", f.view, "", 404, "nothing of that id"},
		{"GET", "/api/v1/changes", "", f.view, "", 200, `"kinds":["opened","finding"]`},
		{"GET", "/api/v1/changes", "?kind=opened,closed&since=2026-11-29T02:00:00Z&until=2026-11-29T05:00:00%2b02:00&gateway=" + id[1], f.view, "", 200, `"total":1`},
		{"GET", "/api/v1/changes", "?kind=open", f.view, "", 400, "kind: use"},
		{"GET", "/api/v1/changes", "?since=yesterday", f.view, "", 400, "since: use a time"},
		{"GET", "/api/v1/changes", "?gateway=x", f.view, "", 400, "no id"},
		{"GET", "/api/v1/runs", "?watch=office", f.view, "", 200, `"total":2`},
		{"GET", "/api/v1/runs", "?limit=x", f.view, "", 400, "limit: use"},
		{"GET", "/api/v1/jobs", "", f.view, "", 200, `"total":2,"offset":0,"jobs":[{`},
		{"GET", "/api/v1/jobs", "?offset=1&limit=1", f.view, "", 200, `"failed":null`},
		{"GET", "/api/v1/jobs", "?offset=5", f.view, "", 200, `"jobs":[]`},
		{"GET", "/api/v1/jobs", "?state=new", f.view, "", 400, "unknown parameter"},
		{"GET", "/api/v1/jobs/{id}", "nightly", f.view, "", 200, `"failed":[{"unit":2,"worker":"w1",`},
		{"GET", "/api/v1/jobs/{id}", "nightly", f.view, "", 200, `"targets":["10.1.0.2:18789"]`},
		{"GET", "/api/v1/jobs/{id}", "nightly", f.view, "", 200, `"complete":false`},
		{"GET", "/api/v1/jobs/{id}", "adhoc", f.view, "", 200, `"state":"stopped"`},
		{"GET", "/api/v1/jobs/{id}", "none", f.view, "", 404, "nothing of that id"},
		{"GET", "/api/v1/jobs/{id}", "nightly?x=1", f.view, "", 400, "unknown parameter"},
		{"POST", "/api/v1/gateways/{id}/notes", id[1] + "/notes", f.work, `{"text": " known \u001b]0;x\u0007\u001b[31m ", "until": "2027-01-01T00:00:00Z"}`, 201, `"author":"work"`},
		{"POST", "/api/v1/gateways/{id}/notes", id[1] + "/notes", f.work, `{"text": " "}`, 400, "1 to 4000"},
		{"POST", "/api/v1/gateways/{id}/notes", id[1] + "/notes", f.work, `{"text": "` + note + `"}`, 400, "1 to 4000"},
		{"POST", "/api/v1/gateways/{id}/notes", id[1] + "/notes", f.work, `{"text": "a", "until": "2020-01-01T00:00:00Z"}`, 400, "over"},
		{"POST", "/api/v1/gateways/{id}/notes", id[1] + "/notes", f.work, `{"text": "a", "author": "boss"}`, 400, "the body"},
		{"POST", "/api/v1/gateways/{id}/notes", id[1] + "/notes", f.work, `{"text": "a"} {}`, 400, "follows"},
		{"POST", "/api/v1/gateways/{id}/notes", id[1] + "/notes", f.work, "", 400, "application/json"},
		{"POST", "/api/v1/gateways/{id}/notes", "0000000000000/notes", f.work, `{"text": "a"}`, 404, "nothing"},
		{"POST", "/api/v1/gateways/{id}/notes", id[1] + "/notes", f.work, `{"text": "` + strings.Repeat("x", 70000) + `"}`, 413, "too large"},
		{"GET", "/api/v1/gateways/{id}", id[1], f.view, "", 200, `"text":"known"`},
	} {
		asked[c.method+" "+c.path] = true
		path := c.path + c.query
		if before, _, ok := strings.Cut(c.path, "{id}"); ok {
			path = before + c.query
		}
		code, text, head := f.ask(c.method, path, c.token, c.body)
		if code != c.code || !strings.Contains(text, c.has) || head.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %d %s, want %d and %s", c.method, path, code, text, c.code, c.has)
		}
		if i := strings.IndexAny(text, "\x1b\u202e<"); i >= 0 || strings.Contains(text, `\u001b`) || strings.Contains(text, `\u202e`) {
			t.Errorf("%s %s says what is not clean: %s", c.method, path, text)
		}
		if c.code == code {
			valid(t, doc, c.method, c.path, code, text)
		}
	}
	for _, r := range f.routes {
		if strings.Contains(r.Pattern, "/api/") && !asked[r.Pattern] {
			t.Errorf("%s is not asked", r.Pattern)
		}
	}
	if code, _, _ := f.ask("POST", "/api/v1/gateways/"+id[1]+"/notes", f.view, `{"text":"a"}`); code != 403 {
		t.Errorf("a note with the role view: %d", code)
	}
}

// What was given up is told also if nobody can say what was in it: then as not known.
func TestTargetsThatCannotBeNamed(t *testing.T) {
	for _, named := range []UnitTargets{nil, func(context.Context, string, []uint64) ([][]string, error) { return nil, io.ErrUnexpectedEOF }} {
		f := setUp(t, func(o *Options) { o.UnitTargets = named })
		code, text, _ := f.ask("GET", "/api/v1/jobs/nightly", "", "")
		if code != 200 || !strings.Contains(text, `"targets":null`) {
			t.Errorf("%d %s", code, text)
		}
		valid(t, description(t), "GET", "/api/v1/jobs/{id}", code, text)
	}
}

// stub is a Prober that answers from a table.
type stub map[string]func() ([]*event.Target, error)

func (s stub) Probe(ctx context.Context, watch, target string) ([]*event.Target, error) {
	if _, ok := ctx.Deadline(); !ok {
		return nil, fmt.Errorf("a probe without an end")
	}
	return s[watch+" "+target]()
}

func TestProbe(t *testing.T) {
	is := func(lines ...*event.Target) func() ([]*event.Target, error) {
		return func() ([]*event.Target, error) { return lines, nil }
	}
	fails := func(err error) func() ([]*event.Target, error) {
		return func() ([]*event.Target, error) { return nil, err }
	}
	closed := &event.Target{Outcome: event.OutcomeClosed}
	other := gateway("10.0.0.1", "invented", "")
	f := setUp(t, func(o *Options) {
		o.Prober = stub{
			"a open": is(gateway("10.0.0.1", event.AuthOpen, hostile)), "a required": is(gateway("10.0.0.1", event.AuthRequired, "")),
			"a unknown": is(gateway("10.0.0.1", event.AuthUnknown, "")), "a closed": is(closed), "a nothing": is(), "a invented": is(other),
			"a two":    is(gateway("10.0.0.1", event.AuthRequired, ""), gateway("10.0.0.2", event.AuthOpen, ""), closed),
			"a mixed":  is(gateway("10.0.0.1", event.AuthRequired, ""), closed),
			"a refuse": fails(Refusal("10.0.0.1:1 is no target of watch a\x1b")), "a busy": fails(ErrBusy), "a broken": fails(io.ErrUnexpectedEOF),
		}
	})
	if code, _, _ := f.ask("GET", "/probe?watch=a&target=open", "", ""); code != 401 {
		t.Errorf("without accounts: %d", code)
	}
	f.tokens()
	for target, want := range map[string]struct{ success, state, outcome string }{
		"open": {"1", "open", "identified"}, "required": {"1", "required", "identified"}, "unknown": {"0", "unknown", "identified"},
		"closed": {"0", "unknown", "closed"}, "nothing": {"0", "unknown", ""}, "invented": {"0", "unknown", "identified"},
		"two": {"1", "open", "identified"}, "mixed": {"0", "unknown", "closed"},
	} {
		code, text, _ := f.ask("GET", "/probe?watch=a&target="+target, f.view, "", "X-Prometheus-Scrape-Timeout-Seconds", "10")
		if code != 200 {
			t.Errorf("%s: %d %s", target, code, text)
			continue
		}
		got := samples(t, text)
		if got["clawsonar_probe_success"] != want.success || got["clawsonar_probe_duration_seconds"] == "" {
			t.Errorf("%s: %v", target, got)
		}
		for _, s := range event.AuthStates() {
			if v := got[`clawsonar_auth_state{state="`+string(s)+`"}`]; v != map[bool]string{true: "1", false: "0"}[string(s) == want.state] {
				t.Errorf("%s: state %s is %q", target, s, v)
			}
		}
		for _, o := range event.Outcomes() {
			if v := got[`clawsonar_probe_outcome{outcome="`+string(o)+`"}`]; v != map[bool]string{true: "1", false: "0"}[string(o) == want.outcome] {
				t.Errorf("%s: outcome %s is %q", target, o, v)
			}
		}
		if target == "open" && got[`clawsonar_gateway_info{product="OpenClaw gateway",release="x\"} 1 evil{a=\"b\\<script>"}`] != "1" {
			t.Errorf("%v", got)
		}
	}
	for query, want := range map[string]int{
		"watch=a&target=refuse": 403, "watch=a&target=busy": 503, "watch=a&target=broken": 500,
		"target=open": 400, "watch=a": 400, "watch=a&target=open&target=required": 400,
	} {
		code, text, _ := f.ask("GET", "/probe?"+query, f.view, "")
		if code != want || strings.Contains(text, "\x1b") || strings.Contains(text, "clawsonar_") {
			t.Errorf("%s: %d %q", query, code, text)
		}
	}
}

func TestProbeTime(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"": maxProbe, "10": 9500 * time.Millisecond, "0.6": 500 * time.Millisecond, "0.1": 500 * time.Millisecond, "-1": maxProbe, "NaN": maxProbe, "1e9": maxProbe, "x": maxProbe,
	} {
		r := httptest.NewRequest("GET", "/probe", nil)
		r.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", header)
		if got := probeTime(r); got != want {
			t.Errorf("%q: %s", header, got)
		}
	}
}
