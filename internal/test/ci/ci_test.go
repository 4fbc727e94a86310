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
	"slices"
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
	With                           map[string]any
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
	t                      *testing.T
	dir, bin, temp, detail string
	env                    []string
	log                    strings.Builder
	used                   []string // other actions
}

// opened opens the scripts: a result of go test is cached as long as the files that a test
// itself opens are the same, and shells open these.
func opened(t *testing.T) {
	t.Helper()
	scripts, err := filepath.Glob(root + "/ci/*")
	if err != nil || len(scripts) == 0 {
		t.Fatal(err)
	}
	for _, name := range scripts {
		if _, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
}

// newRun prepares a runner: a folder to work in, and programs that stand in for
// docker, gh, curl and go and write down what they were called with.
func newRun(t *testing.T) *run {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("SKIPPED: there is no bash: the shell steps were not run")
	}
	opened(t)
	r := &run{t: t, dir: t.TempDir(), bin: t.TempDir(), temp: t.TempDir()}
	r.detail = filepath.Join(r.temp, "summary.md")
	for _, name := range []string{"docker", "gh", "curl"} {
		r.program(name, `printf '%s' "`+name+`" >>"$CALLS"; for a; do printf ' <%s>' "$a" >>"$CALLS"; done; echo >>"$CALLS"
case "$*" in *--jq*) if command -v jq >/dev/null; then printf '%s' "${COMMENTS:-[]}" | jq "${!#}"; fi ;; esac`)
	}
	// Go builds and "installs" what is built already.
	r.program("go", `case $1 in build) to=$4 ;; install) echo "go $2" >>"$CALLS"; to=$GOBIN/clawsonar ;; *) exit 1 ;; esac
mkdir -p "${to%/*}" && cp "`+built+`" "$to"`)
	action, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	r.env = append(os.Environ(),
		"PATH="+r.bin+string(os.PathListSeparator)+os.Getenv("PATH"), "CALLS="+filepath.Join(r.temp, "calls"),
		"RUNNER_TEMP="+r.temp, "GITHUB_ACTION_PATH="+action, "GITHUB_STEP_SUMMARY="+r.detail,
		"GITHUB_REPOSITORY=someone/something", "GITHUB_EVENT_NAME=push", "GITHUB_ACTOR=someone")
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
	return r.shell([]string{"bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"}, script, env)
}

func (r *run) shell(with []string, script string, env map[string]string) int {
	r.t.Helper()
	cmd := exec.Command(with[0], append(with[1:], script)...)
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

// reports is the folder that the first step of the action names.
func (r *run) reports() string { return r.outputs("start")["reports"] }

// outputs are those of a step.
func (r *run) outputs(step string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(r.read(r.outputFile(step))) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
		out[k] = v
	}
	return out
}

func (r *run) outputFile(step string) string { return filepath.Join(r.temp, "output-"+step) }

var expression = regexp.MustCompile(`\$\{\{ *([^}]*?) *\}\}`)

// action runs the shell steps of action.yml in order, those that a runner would
// run, and returns the code of the first that fails. Steps that use other actions
// are left out, but said in the log of calls. If no version is given, it is built.
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
			if in == "version" {
				return "source"
			}
			d, ok := a.Inputs[in]
			if !ok {
				r.t.Errorf("there is no input %s", in)
			}
			return d.Default
		}
		if of, ok := strings.CutPrefix(name, "steps."); ok {
			id, out, ok := strings.Cut(of, ".outputs.")
			if !ok || !slices.ContainsFunc(a.Runs.Steps, func(s step) bool { return s.ID == id }) {
				r.t.Errorf("there is no %s", name)
			}
			return r.outputs(id)[out]
		}
		if !strings.HasPrefix(name, "github.") {
			r.t.Errorf("what is %s?", name)
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
		if code != 0 && !strings.Contains(s.If, "always()") || !holds(s.If) {
			continue
		}
		if s.Uses != "" {
			name, _, _ := strings.Cut(s.Uses, "@")
			r.used = append(r.used, name)
			continue
		}
		env := map[string]string{"GITHUB_OUTPUT": r.outputFile(s.ID)}
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

// commands fails if a line of a log is a command to the runner, or says that a variable of
// ours is taken for a flag.
func commands(t *testing.T, log string) {
	t.Helper()
	for line := range strings.Lines(log) {
		if strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##[") || strings.Contains(line, "\x1b") {
			t.Errorf("the log holds a command: %q", line)
		}
		if strings.Contains(line, "is not a setting") {
			t.Error(line)
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
		for _, name := range []string{"scan.jsonl", "report.html", "report.md", "report.sarif", "junit.xml"} {
			if r.read(filepath.Join(r.reports(), name)) == "" {
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
		if want := []string{"actions/setup-go", "actions/upload-artifact", "github/codeql-action/upload-sarif", "github/codeql-action/upload-sarif"}; !slices.Equal(r.used, want) {
			t.Errorf("used %q, want %q", r.used, want)
		}
		commands(t, r.log.String())
	})
	t.Run("inspection", func(t *testing.T) {
		r := newRun(t)
		r.put("deploy/openclaw.json", openFiles)
		if code := r.action(map[string]string{"inspect-path": "deploy", "targets": asks}, nil); code != 3 {
			t.Fatalf("exit code %d\n%s", code, r.log.String())
		}
		for _, name := range []string{"inspect.jsonl", "inspect.html", "inspect.md", "inspect.sarif", "inspect-junit.xml", "scan.jsonl"} {
			if r.read(filepath.Join(r.reports(), name)) == "" {
				t.Errorf("no %s", name)
			}
		}
		if sarif := r.read(filepath.Join(r.reports(), "inspect.sarif")); !strings.Contains(sarif, `"uri":"deploy/openclaw.json","uriBaseId":"%SRCROOT%"},"region":{"startLine":3`) {
			t.Error("no finding points at the line")
		}
		if scan, files := r.outputs("scan")["exit-code"], r.outputs("inspect")["exit-code"]; scan != "0" || files != "3" {
			t.Errorf("%s, %s", scan, files)
		}
		r = newRun(t)
		if code := r.action(map[string]string{"inspect-path": "", "targets": asks}, nil); code != 0 || strings.Contains(r.log.String(), "nothing was contacted") {
			t.Errorf("exit code %d\n%s", code, r.log.String())
		}
		r = newRun(t)
		if code := r.action(map[string]string{"inspect-path": "no such folder", "targets": asks}, nil); code != 2 {
			t.Errorf("exit code %d\n%s", code, r.log.String())
		}
	})
	t.Run("comment again", func(t *testing.T) {
		r := newRun(t)
		if _, err := exec.LookPath("jq"); err != nil {
			t.Skip("SKIPPED: there is no jq to stand in for that of gh")
		}
		comments := `COMMENTS=[
			{"id":1,"user":{"type":"User"},"author_association":"NONE","body":"<!-- clawsonar report -->\nall is well"},
			{"id":2,"user":{"type":"Bot"},"author_association":"NONE","body":"coverage <!-- clawsonar report -->"},
			{"id":4711,"user":{"type":"Bot"},"author_association":"NONE","body":"<!-- clawsonar report -->\n## old"},
			{"id":4712,"user":{"type":"User"},"author_association":"MEMBER","body":"<!-- clawsonar report -->\n## older"}]`
		r.env = append(r.env, comments)
		if code := r.action(map[string]string{"targets": asks, "comment": "true"}, pull); code != 0 {
			t.Fatalf("exit code %d\n%s", code, r.log.String())
		}
		if calls := r.calls(); !strings.Contains(calls, "<PATCH> <repos/someone/something/issues/comments/4711>") {
			t.Errorf("the comment was not replaced: %s", calls)
		}
		// That of another use in the workflow stays.
		r = newRun(t)
		r.env = append(r.env, comments)
		if code := r.action(map[string]string{"targets": asks, "comment": "true", "name": "other"}, pull); code != 0 || !strings.Contains(r.calls(), "<POST>") || strings.Contains(r.calls(), "<PATCH>") {
			t.Errorf("exit code %d, calls: %s", code, r.calls())
		}
		// What an earlier run said does not stand for one that looked at nothing.
		r = newRun(t)
		r.env = append(r.env, comments)
		r.put("deploy/openclaw.json", openFiles)
		if code := r.action(map[string]string{"targets": "", "inspect-path": "deploy", "comment": "true"}, pull); code != 2 {
			t.Fatalf("exit code %d\n%s", code, r.log.String())
		}
		body := r.read(filepath.Join(r.temp, "clawsonar-comment.md"))
		if !strings.Contains(r.calls(), "<PATCH>") || !strings.HasPrefix(body, "<!-- clawsonar report -->\n**The scan failed: nothing is known from it.**") {
			t.Errorf("the comment is %.300s, by %s", body, r.calls())
		}
		if !strings.Contains(body, strings.TrimSpace(r.read(filepath.Join(r.reports(), "inspect.md")))) {
			t.Errorf("the comment does not have the inspection: %.300s", body)
		}
	})
	t.Run("names", func(t *testing.T) {
		var a action
		load(t, "action.yml", &a)
		n := 0
		for _, s := range a.Runs.Steps {
			for _, key := range []string{"name", "category"} {
				if v, ok := s.With[key].(string); ok {
					n++
					if !strings.HasPrefix(v, "${{ inputs.name }}") {
						t.Errorf("two uses of the action share %s", v)
					}
				}
			}
		}
		if n != 4 {
			t.Errorf("%d names, want those of the artifact and of three uploads", n)
		}
		r := newRun(t)
		if code := r.action(map[string]string{"targets": asks, "name": "a --> \"b"}, nil); code != 2 || !strings.Contains(r.log.String(), "the input name takes letters") {
			t.Errorf("exit code %d\n%s", code, r.log.String())
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
		if sarif := r.read(filepath.Join(r.reports(), "report.sarif")); !strings.Contains(sarif, `"uri":"gateways.txt","uriBaseId":"%SRCROOT%"},"region":{"startLine":2}`) {
			t.Error("the finding does not point at the list's line")
		}
	})
	t.Run("targets beside a list", func(t *testing.T) {
		r := newRun(t)
		r.put("gateways.txt", asks+"\n")
		if code := r.action(map[string]string{"list": "gateways.txt", "targets": open}, nil); code != 3 {
			t.Errorf("exit code %d\n%s", code, r.log.String())
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
		if code := r.action(map[string]string{"targets": " \n"}, nil); code != 2 || !strings.Contains(r.log.String(), "there is nothing to scan: set targets, list, compose-file or verify") {
			t.Errorf("exit code %d\n%s", code, r.log.String())
		}
	})
	t.Run("hostile", func(t *testing.T) {
		r := newRun(t)
		inputs := map[string]string{
			"targets": hostile(t) + "\n$(touch owned)", "ignore": "`touch owned`", "lang": "en; touch owned", "baseline": "\n::error::owned", "comment": "true", "version": "$(touch owned)",
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
		commands(t, r.read(r.outputFile("scan")))
		if got := r.outputs("scan")["exit-code"]; got != "0" {
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
