package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/hub/config"
	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// TestGivenUp: a unit that cannot be done is shown with its targets, the job is not
// complete, and waiting for it ends with 4.
func TestGivenUp(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	watch := write("watch.yaml", "workers: {rate-limit: 10, listen: '127.0.0.1:0', url: 'tls://127.0.0.1:1'}\nlisten: 127.0.0.1:0\n")
	run := func(args ...string) (string, string, int) {
		var out, err bytes.Buffer
		code := Main(append(args, "-config", watch), &out, &err)
		return out.String(), err.String(), code
	}
	write("never.txt", "AS64500\n")
	asFile := write("as.txt", "192.0.2.0/24 64500\n")
	if _, text, code := run("job", "add", write("job.yaml", "name: net\ntargets: [127.9.0.0/29]\nports: [18789]\nvantages: [fra, sgp]\nunits: 2\nexclude-file: never.txt\nas-file: as.txt\n")); code != 0 {
		t.Fatal(text)
	}
	c, err := config.Load(watch)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(ctx, c.Store)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	x, err := db.Job(ctx, "net")
	if err != nil {
		t.Fatal(err)
	}
	if len(x.Exclude) != 2 || x.Exclude[asFile] == "" { // a changed one stops the job
		t.Errorf("%v", x.Exclude)
	}
	giveUp := func(vantage string) {
		for k := range x.Units {
			for range job.MaxAttempts {
				u := job.Unit{Job: x.ID, Vantage: vantage, K: k + 1}
				begun, err := db.BeginUnit(ctx, u, "w", time.Now())
				if err != nil || begun.Order != job.Run {
					t.Fatalf("%+v, %v", begun, err)
				}
				if _, err := db.FailUnit(ctx, job.Fail{At: job.At{Unit: u, Attempt: begun.Attempt}, Error: "no\x1b[2J way"}, "w", time.Now()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	giveUp("fra")
	// The hub takes what there is into the history.
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- serve(serving, streams{&bytes.Buffer{}, &bytes.Buffer{}}, c, nil) }()
	for {
		if p, err := db.Progress(ctx, x.ID, time.Now()); err != nil {
			t.Fatal(err)
		} else if p[0].Handed {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	// What is there already is in the results, too.
	if out, text, code := run("job", "results", "net"); code != 0 || strings.Count(out, `"interrupted"`) != 16 {
		t.Errorf("%d\n%s%s", code, out, text)
	}
	giveUp("sgp")
	out, text, code := run("job", "show", "net", "-wait", "-json")
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	var shown struct {
		State    string
		Vantages []struct {
			Units   map[string]int
			Summary struct{ Complete bool }
			Failed  []struct {
				Error   string
				Targets []string
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &shown); err != nil {
		t.Fatalf("%v\n%s%s", err, out, text)
	}
	v := shown.Vantages[0]
	if code != 4 || shown.State != "done" || v.Summary.Complete || v.Units["failed"] != 2 || len(v.Failed) != 2 ||
		len(v.Failed[0].Targets) != 4 || !strings.HasPrefix(v.Failed[0].Targets[0], "127.9.0.") || strings.Contains(v.Failed[0].Error, "\x1b") {
		t.Errorf("code %d\n%s", code, out)
	}
	if out, _, _ := run("job", "show", "net"); !strings.Contains(out, "unit 1 of fra was given up: ") || !strings.Contains(out, "are named): 127.9.0.") {
		t.Error(out)
	}
	if out, _, _ := run("job", "list"); !strings.Contains(out, "done   no        8") {
		t.Error(out)
	}
	if out, text, code := run("job", "results", "net"); code != 0 || strings.Count(out, `"interrupted"`) != 16 {
		t.Errorf("%d\n%s%s", code, out, text)
	}
}

// TestJobOfTheWatch: a watch follows a job of its name only if that is its own scan.
func TestJobOfTheWatch(t *testing.T) {
	for other, own := range map[string]string{"the same": "", "other targets": "targets: [127.9.0.0/28]", "another vantage": "vantages: [sgp]", "another level": "level: passive"} {
		t.Run(other, func(t *testing.T) {
			dir := t.TempDir()
			settings := map[string]string{"targets": "[127.9.0.0/29]", "vantages": "[fra]", "level": "standard"}
			text := func(key, before string) string {
				if strings.HasPrefix(own, key+": ") {
					return before + own
				}
				return before + key + ": " + settings[key]
			}
			file, added := filepath.Join(dir, "watch.yaml"), filepath.Join(dir, "job.yaml")
			for name, text := range map[string]string{
				file:  "workers: {rate-limit: 10, listen: '127.0.0.1:0', url: 'tls://127.0.0.1:1'}\nwatches:\n  - name: net\n    every: 1h" + text("targets", "\n    ") + text("vantages", "\n    ") + text("level", "\n    ") + "\n",
				added: "name: net\ntargets: [127.9.0.0/29]\nvantages: [fra]\nlevel: standard\n",
			} {
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var out, said bytes.Buffer
			if code := Main([]string{"job", "add", added, "-config", file}, &out, &said); code != 0 {
				t.Fatal(said.String())
			}
			c, err := config.Load(file)
			if err != nil {
				t.Fatal(err)
			}
			ctx, end := context.WithTimeout(t.Context(), 5*time.Second)
			defer end()
			err = serveOnce(ctx, streams{&out, &said}, c)
			refused := err != nil && strings.Contains(err.Error(), "another scan than this watch")
			if refused != (own != "") || (ctx.Err() == nil) != refused { // else it waits for the job
				t.Errorf("%v\n%s", err, said.String())
			}
		})
	}
}

// TestNeverBegun: who waits for a job that was stopped before it was handed out is told so,
// and not what an earlier job of its name saw.
func TestNeverBegun(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	file := filepath.Join(dir, "watch.yaml")
	seen := filepath.Join(dir, "streams", "net@fra", "20260101T000000.000Z.jsonl")
	if err := os.MkdirAll(filepath.Dir(seen), 0o700); err != nil {
		t.Fatal(err)
	}
	const earlier = `{"type":"scan","schema":1,"tool":{"name":"clawsonar-hub","version":"1"},"level":"standard","started":"2026-01-01T00:00:00Z","seed":1,"shard":"1/1","config":"c","watch":"net@fra","vantage":"fra","authorization":{"authorized":false,"contact":""},"data":{}}
{"type":"summary","finished":"2026-01-01T00:00:01Z","complete":true,"targets":0,"outcomes":{},"auth":{},"findings":{},"suppressed":0,"miss_estimate":{},"notes":[]}
`
	for name, text := range map[string]string{file: "workers: {rate-limit: 10, listen: '127.0.0.1:0', url: 'tls://127.0.0.1:1'}\n", seen: earlier} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out, text bytes.Buffer
	if code := Main([]string{"import", "-config", file}, &out, &text); code != 0 {
		t.Fatal(text.String())
	}
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(ctx, c.Store)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if runs, _, err := db.Runs(ctx, store.RunFilter{Watch: "net@fra"}, store.Page{}); err != nil || len(runs) != 1 || !runs[0].Complete {
		t.Fatalf("%+v, %v", runs, err)
	}
	x := store.Job{Name: "net", Created: time.Now(), Vantages: []string{"fra"}, Rate: 1}
	if err := db.AddJob(ctx, &x); err != nil {
		t.Fatal(err)
	}
	if _, err := db.WantJob(ctx, x.ID, store.WantStop, "never begun", time.Now()); err != nil {
		t.Fatal(err)
	}
	waiting, end := context.WithTimeout(ctx, 10*time.Second)
	defer end()
	as, err := follow(waiting, db, "net", true)
	if err != nil || as.State != store.JobStopped {
		t.Fatalf("%+v, %v", as, err)
	}
	if ok, err := whole(ctx, db, as); err != nil || ok {
		t.Errorf("whole: %v, %v", ok, err)
	}
}
