package ci

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/replica"
	"github.com/clawsonar/clawsonar/testdata/captures"
)

const root = "../../.."

// built is the program of this checkout, built once for all runs.
var built string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "clawsonar-ci")
	if err != nil {
		panic(err)
	}
	built = filepath.Join(dir, "bin", "clawsonar")
	build := exec.Command("go", "build", "-o", built, "./cmd/clawsonar")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		panic(string(out))
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// step is a step of the action.
type step struct {
	ID, Name, If, Uses, Shell, Run string
	Env                            map[string]string
}

type action struct {
	Inputs map[string]struct{ Default string }
	Runs   struct{ Steps []step }
}

func load(t *testing.T, name string, v any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// run is one run of a template's shell steps.
type run struct {
	t                              *testing.T
	dir, bin, temp, output, detail string
	env                            []string
	log                            strings.Builder
}

// newRun prepares a runner: a folder to work in, and programs that stand in for
// docker, gh, curl and go and write down what they were called with.
func newRun(t *testing.T) *run {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("SKIPPED: there is no bash: the shell steps were not run")
	}
	r := &run{t: t, dir: t.TempDir(), bin: t.TempDir(), temp: t.TempDir()}
	r.output, r.detail = filepath.Join(r.temp, "output"), filepath.Join(r.temp, "summary.md")
	for _, name := range []string{"docker", "gh", "curl"} {
		r.program(name, `printf '%s' "`+name+`" >>"$CALLS"; for a; do printf ' <%s>' "$a" >>"$CALLS"; done; echo >>"$CALLS"
case "$*" in *--jq*) printf '%s' "${OLD_COMMENT:-}" ;; esac`)
	}
	// Go builds, "installs" and names what is built already.
	r.program("go", `case $1 in build) mkdir -p "${4%/*}" && cp "`+built+`" "$4" ;; env) echo "`+filepath.Dir(filepath.Dir(built))+`" ;; install) ;; *) exit 1 ;; esac`)
	action, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	r.env = append(os.Environ(),
		"PATH="+r.bin+string(os.PathListSeparator)+os.Getenv("PATH"), "CALLS="+filepath.Join(r.temp, "calls"),
		"RUNNER_TEMP="+r.temp, "GITHUB_ACTION_PATH="+action, "GITHUB_OUTPUT="+r.output, "GITHUB_STEP_SUMMARY="+r.detail,
		"GITHUB_REPOSITORY=someone/something")
	return r
}

func (r *run) program(name, script string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.bin, name), []byte("#!/usr/bin/env bash\n"+script+"\n"), 0o755); err != nil {
		r.t.Fatal(err)
	}
}

// bash runs a script as the runner would and returns its exit code.
func (r *run) bash(script string, env map[string]string) int {
	r.t.Helper()
	cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = r.dir, r.env
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	out, err := cmd.CombinedOutput()
	r.log.Write(out)
	if err != nil && cmd.ProcessState.ExitCode() < 0 {
		r.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode()
}

// openFiles is a configuration without authentication.
const openFiles = `{
  "gateway": {
    "auth": { "mode": "none" },
    "bind": "loopback"
  }
}
`

// put writes a file into the folder of the run.
func (r *run) put(name, text string) {
	r.t.Helper()
	full := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *run) read(name string) string {
	data, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	return string(data)
}

func (r *run) calls() string { return r.read(filepath.Join(r.temp, "calls")) }

// outputs are those of the scan step.
func (r *run) outputs() map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(r.read(r.output)) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
		out[k] = v
	}
	return out
}

var expression = regexp.MustCompile(`\$\{\{ *([^}]*?) *\}\}`)

// action runs the shell steps of action.yml in order, those that a runner would
// run, and returns the code of the first that fails. Steps that use other actions
// are left out.
func (r *run) action(inputs, context map[string]string) int {
	r.t.Helper()
	var a action
	load(r.t, "action.yml", &a)
	value := func(name string) string {
		if v, ok := context[name]; ok {
			return v
		}
		if in, ok := strings.CutPrefix(name, "inputs."); ok {
			if v, ok := inputs[in]; ok {
				return v
			}
			return a.Inputs[in].Default
		}
		for _, step := range []string{"scan", "inspect"} {
			if out, ok := strings.CutPrefix(name, "steps."+step+".outputs."); ok {
				return r.outputs()[out]
			}
		}
		return ""
	}
	holds := func(cond string) bool {
		for part := range strings.SplitSeq(cond, "&&") {
			part = strings.TrimSpace(part)
			switch name, want, ok := strings.Cut(part, "=="); {
			case part == "" || part == "always()":
			case ok && value(strings.TrimSpace(name)) != strings.Trim(want, " '"):
				return false
			case ok:
			case strings.Contains(part, "!="):
				name, want, _ := strings.Cut(part, "!=")
				if value(strings.TrimSpace(name)) == strings.Trim(want, " '") {
					return false
				}
			case value(part) == "":
				return false
			}
		}
		return true
	}
	code := 0
	for _, s := range a.Runs.Steps {
		if s.Run == "" || code != 0 && !strings.Contains(s.If, "always()") || !holds(s.If) {
			continue
		}
		env := map[string]string{}
		for k, v := range s.Env {
			env[k] = expression.ReplaceAllStringFunc(v, func(e string) string { return value(expression.FindStringSubmatch(e)[1]) })
		}
		if got := r.bash(s.Run, env); got != 0 && code == 0 {
			code = got
		}
	}
	return code
}

func gateway(t *testing.T, name string) string {
	t.Helper()
	file := "openclaw/" + name + ".yaml"
	data, err := captures.FS.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := evidence.LoadCapture(data, file)
	if err != nil {
		t.Fatal(err)
	}
	g, err := replica.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g.Addr.String()
}

// hostile is a web server whose every word is a command to somebody.
func hostile(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	page := "<title>OpenClaw Control\n::error::owned\n::set-output name=exit-code::0\n##[error]owned</title>$(touch owned) `touch owned` @everyone"
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := c.Read(make([]byte, 4096)); err != nil {
					return
				}
				fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nServer: ::warning::owned\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(page), page)
			}()
		}
	}()
	return l.Addr().String()
}

// commands fails if a line of a log is a command to the runner.
func commands(t *testing.T, log string) {
	t.Helper()
	for line := range strings.Lines(log) {
		if strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##[") || strings.Contains(line, "\x1b") {
			t.Errorf("the log holds a command: %q", line)
		}
	}
}

func TestAction(t *testing.T) {
	open, asks := gateway(t, "openclaw-2026.9.6-none"), gateway(t, "openclaw-2026.9.6-token")
	pull := map[string]string{"github.event.pull_request.number": "7"}

	t.Run("findings", func(t *testing.T) {
		r := newRun(t)
		os.Remove(filepath.Join(r.bin, "go")) // this one really builds
		if code := r.action(map[string]string{"targets": open + "\n" + asks, "comment": "true"}, pull); code != 3 {
			t.Fatalf("exit code %d\n%s", code, r.log.String())
		}
		out := r.outputs()
		for _, name := range []string{"scan.jsonl", "report.html", "report.md", "report.sarif", "junit.xml"} {
			if r.read(filepath.Join(out["reports"], name)) == "" {
				t.Errorf("no %s", name)
			}
		}
		if !strings.Contains(r.read(r.detail), "1 of 2 gateways is OPEN") {
			t.Error("the summary of the job does not say it")
		}
		// The steps after the failing one have run.
		if calls := r.calls(); !strings.Contains(calls, "gh <api> <--silent> <--method> <POST> <repos/someone/something/issues/7/comments> <--field> <body=@") {
			t.Errorf("no comment was made: %s", calls)
		}
		if body := r.read(filepath.Join(r.temp, "clawsonar-comment.md")); !regexp.MustCompile(`^<!-- clawsonar report -->\n## clawsonar: [0-9]+ critical finding`).MatchString(body) {
			t.Errorf("the comment is %.200q", body)
		}
		commands(t, r.log.String())
	})
	t.Run("inspection", func(t *testing.T) {
		r := newRun(t)
		r.put("deploy/openclaw.json", openFiles)
		if code := r.action(map[string]string{"inspect": "deploy", "targets": asks}, nil); code != 3 {
			t.Fatalf("exit code %d\n%s", code, r.log.String())
		}
		out := r.outputs()
		for _, name := range []string{"inspect.jsonl", "inspect.html", "inspect.md", "inspect.sarif", "inspect-junit.xml", "scan.jsonl"} {
			if r.read(filepath.Join(out["reports"], name)) == "" {
				t.Errorf("no %s", name)
			}
		}
		if sarif := r.read(filepath.Join(out["reports"], "inspect.sarif")); !strings.Contains(sarif, `"uri":"deploy/openclaw.json","uriBaseId":"%SRCROOT%"},"region":{"startLine":3`) {
			t.Error("no finding points at the line")
		}
		if out["exit-code"] != "0" || out["inspect-exit-code"] != "3" {
			t.Errorf("%v", out)
		}
		r = newRun(t)
		if code := r.action(map[string]string{"inspect": "", "targets": asks}, nil); code != 0 || strings.Contains(r.log.String(), "nothing was contacted") {
			t.Errorf("exit code %d\n%s", code, r.log.String())
		}
		r = newRun(t)
		if code := r.action(map[string]string{"inspect": "no such folder", "targets": asks}, nil); code != 2 {
			t.Errorf("exit code %d\n%s", code, r.log.String())
		}
	})
	t.Run("comment again", func(t *testing.T) {
		r := newRun(t)
		r.env = append(r.env, "OLD_COMMENT=4711")
		if code := r.action(map[string]string{"targets": asks, "comment": "true"}, pull); code != 0 {
			t.Fatalf("exit code %d\n%s", code, r.log.String())
		}
		if calls := r.calls(); !strings.Contains(calls, "<PATCH> <repos/someone/something/issues/comments/4711>") {
			t.Errorf("the comment was not replaced: %s", calls)
		}
	})
	t.Run("compose", func(t *testing.T) {
		r := newRun(t)
		if code := r.action(map[string]string{"compose-file": "a b.yaml", "targets": open, "fail-on": "none"}, nil); code != 0 {
			t.Fatalf("exit code %d\n%s", code, r.log.String())
		}
		if calls := r.calls(); calls != "docker <compose> <up> <--detach> <--wait>\ndocker <compose> <down> <--volumes>\n" {
			t.Errorf("calls: %s", calls)
		}
	})
	t.Run("list and ignore file", func(t *testing.T) {
		r := newRun(t)
		for name, text := range map[string]string{"gateways.txt": "# ours\n" + open + "\n", "known.yaml": "ignore:\n- {check: '*', target: '*', reason: a test}\n"} {
			if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if code := r.action(map[string]string{"list": "gateways.txt", "ignore": "known.yaml"}, nil); code != 0 {
			t.Fatalf("exit code %d\n%s", code, r.log.String())
		}
		if sarif := r.read(filepath.Join(r.outputs()["reports"], "report.sarif")); !strings.Contains(sarif, `"uri":"gateways.txt","uriBaseId":"%SRCROOT%"},"region":{"startLine":2}`) {
			t.Error("the finding does not point at the list's line")
		}
	})
	t.Run("still starting", func(t *testing.T) {
		r := newRun(t)
		if code := r.action(map[string]string{"targets": later(t, 2*time.Second, open)}, nil); code != 3 {
			t.Errorf("an open gateway that starts 2 s later: exit code %d\n%s", code, r.log.String())
		}
		r = newRun(t)
		if code := r.action(map[string]string{"targets": later(t, time.Hour, open), "wait": "1s"}, nil); code != 4 {
			t.Errorf("a gateway that never starts: exit code %d\n%s", code, r.log.String())
		}
	})
	t.Run("nothing to scan", func(t *testing.T) {
		r := newRun(t)
		if code := r.action(map[string]string{"targets": " \n"}, nil); code != 2 || !strings.Contains(r.log.String(), "there is nothing to scan: set targets, list or compose-file") {
			t.Errorf("exit code %d\n%s", code, r.log.String())
		}
	})
	t.Run("hostile", func(t *testing.T) {
		r := newRun(t)
		inputs := map[string]string{
			"targets": hostile(t) + "\n$(touch owned)", "ignore": "`touch owned`", "lang": "en; touch owned", "baseline": "\n::error::owned", "comment": "true",
		}
		if code := r.action(inputs, map[string]string{"github.event.pull_request.number": "7; touch owned"}); code == 0 {
			t.Error("nonsense passed")
		}
		inputs = map[string]string{"targets": hostile(t), "comment": "true", "expect": "0"}
		if code := r.action(inputs, pull); code != 0 {
			t.Errorf("exit code %d\n%s", code, r.log.String())
		}
		commands(t, r.log.String())
		commands(t, r.read(r.detail))
		commands(t, r.read(r.output))
		if got := r.outputs()["exit-code"]; got != "0" {
			t.Errorf("exit-code is %q", got)
		}
		for _, dir := range []string{r.dir, r.temp} {
			if _, err := os.Stat(filepath.Join(dir, "owned")); err == nil {
				t.Error("a target's or an input's text was run by the shell")
			}
		}
	})
}

// later returns an address where to is reached once the delay is over, and nothing
// listens before.
func later(t *testing.T, delay time.Duration, to string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	l.Close()
	ctx, end := context.WithCancel(context.Background())
	var group sync.WaitGroup
	t.Cleanup(func() { end(); group.Wait() })
	group.Go(func() {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return
		}
		l, err := net.Listen("tcp", at)
		if err != nil {
			t.Error(err)
			return
		}
		defer context.AfterFunc(ctx, func() { l.Close() })()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer c.Close()
				d, err := net.Dial("tcp", strings.TrimPrefix(to, "http://"))
				if err != nil {
					return
				}
				defer d.Close()
				defer context.AfterFunc(ctx, func() { c.Close(); d.Close() })()
				group.Go(func() { _, _ = io.Copy(d, c); d.Close() })
				_, _ = io.Copy(c, d)
			})
		}
	})
	return at
}

// TestNoExpressionInShell: what stands in a script as ${{ }} is pasted into it
// before the shell reads it, and so can be a command.
func TestNoExpressionInShell(t *testing.T) {
	var a action
	load(t, "action.yml", &a)
	n := 0
	for _, s := range a.Runs.Steps {
		if s.Run == "" {
			continue
		}
		n++
		if strings.Contains(s.Run, "${{") || s.Shell != "bash" {
			t.Errorf("step %q: an expression in the script, or another shell", s.Name)
		}
	}
	if n < 5 {
		t.Errorf("only %d shell steps", n)
	}
	scripts, err := filepath.Glob(root + "/ci/*.sh")
	if err != nil || len(scripts) < 3 {
		t.Fatalf("scripts: %v, %v", scripts, err)
	}
	for _, name := range scripts {
		info, err := os.Stat(name)
		if err != nil || info.Mode()&0o111 == 0 {
			t.Errorf("%s cannot be run: %v", name, err)
		}
	}
}

func TestGitLab(t *testing.T) {
	var file struct {
		Clawsonar struct {
			Script    []string
			Variables map[string]string
			Artifacts struct{ Reports struct{ Junit string } }
		}
	}
	load(t, "ci/gitlab.yml", &file)
	job := file.Clawsonar
	open, asks := gateway(t, "openclaw-2026.9.6-none"), gateway(t, "openclaw-2026.9.6-token")
	for _, tt := range []struct {
		name string
		env  map[string]string
		want int
		call string
	}{
		{"findings", map[string]string{"TARGETS": open + " " + asks, "CLAWSONAR_NOTE_TOKEN": "t", "CI_MERGE_REQUEST_IID": "3", "CI_API_V4_URL": "https://gitlab.example.org/api/v4", "CI_PROJECT_ID": "9"}, 3,
			"<body@clawsonar-reports/report.md> <https://gitlab.example.org/api/v4/projects/9/merge_requests/3/notes>"},
		{"passes", map[string]string{"TARGETS": asks}, 0, ""},
		{"compose", map[string]string{"TARGETS": asks, "COMPOSE_FILE": "compose.yaml"}, 0, "docker <compose> <up> <--detach> <--wait>\ndocker <compose> <down> <--volumes>\n"},
		{"hostile", map[string]string{"TARGETS": hostile(t) + " $(touch owned)"}, 2, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRun(t)
			env := map[string]string{}
			for k, v := range job.Variables {
				env[k] = v
			}
			for k, v := range tt.env {
				env[k] = v
			}
			// The runner runs the lines of a script in one shell.
			if code := r.bash(strings.Join(job.Script, "\n"), env); code != tt.want {
				t.Fatalf("exit code %d, want %d\n%s", code, tt.want, r.log.String())
			}
			if calls := r.calls(); tt.call == "" && calls != "" || !strings.Contains(calls, tt.call) {
				t.Errorf("calls: %s", calls)
			}
			if found, err := filepath.Glob(filepath.Join(r.dir, job.Artifacts.Reports.Junit)); tt.want != 2 && (err != nil || len(found) != 2 || !strings.Contains(r.read(found[1]), "<testsuites>")) {
				t.Errorf("not two JUnit reports where the job says they are: %q", found)
			}
			if _, err := os.Stat(filepath.Join(r.dir, "owned")); err == nil {
				t.Error("a target was run by the shell")
			}
			commands(t, r.log.String())
		})
	}
}

// TestExamples: the examples name inputs, files and jobs that there are.
func TestExamples(t *testing.T) {
	var a action
	load(t, "action.yml", &a)
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct {
				Uses string
				With map[string]string
			}
		}
	}
	load(t, "examples/github-workflow.yml", &workflow)
	n := 0
	for _, job := range workflow.Jobs {
		for _, s := range job.Steps {
			if !strings.HasPrefix(s.Uses, "clawsonar/clawsonar@") {
				continue
			}
			n++
			for in := range s.With {
				if _, ok := a.Inputs[in]; !ok {
					t.Errorf("the example uses the input %q, which there is not", in)
				}
			}
		}
	}
	if n == 0 {
		t.Error("the example does not use the action")
	}
	var pipeline struct {
		Include   []struct{ Remote string }
		Clawsonar struct{ Variables map[string]string }
	}
	load(t, "examples/gitlab-ci.yml", &pipeline)
	if len(pipeline.Include) != 1 || !strings.HasSuffix(pipeline.Include[0].Remote, "/ci/gitlab.yml") || pipeline.Clawsonar.Variables["TARGETS"] == "" {
		t.Errorf("the example of GitLab: %+v", pipeline)
	}
}
