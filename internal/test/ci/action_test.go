package ci

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// pinned makes the run one of a commit of the action that has these sums, from which
// nothing can be built.
func (r *run) pinned(sums string) {
	r.t.Helper()
	dir := r.t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "ci"), os.DirFS(filepath.Join(root, "ci"))); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ci", "sums.txt"), []byte(sums), 0o600); err != nil {
		r.t.Fatal(err)
	}
	r.env = append(r.env, "GITHUB_ACTION_PATH="+dir)
	r.program("go", `echo "go $*" >>"$CALLS"; exit 1`)
}

// program is the built program, for an archive.
func program(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(built)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestActionDownloads: with sums in the commit of the action, the program is the listed
// one, and nothing is built; one that is not the listed one is an error, never a reason to
// build.
func TestActionDownloads(t *testing.T) {
	asks := gateway(t, "openclaw-2026.9.6-token")
	good := archive(t, program(t))
	sums := sumLine(good, archiveName())
	inputs := map[string]string{"targets": asks, "inspect-path": "", "version": ""}
	for _, tt := range []struct {
		name, sums, version string
		answer              http.HandlerFunc
		code                int
		says                string
	}{
		{"release", sums, "", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(good) }, 0, "clawsonar " + release + ", SHA-256 "},
		{"wrong sum", sumLine([]byte("x"), archiveName()), "", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(good) }, 1, "do not use it"},
		{"missing", sums, "", http.NotFound, 1, "error: 404"},
		{"another version", sums, "1.0.0", http.NotFound, 1, "not 1.0.0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRun(t)
			os.Remove(filepath.Join(r.bin, "curl")) // this one really downloads
			r.pinned(tt.sums)
			r.env = append(r.env, serve(t, tt.answer).env...)
			inputs["version"] = tt.version
			if code := r.action(inputs, nil); code != tt.code || !strings.Contains(r.log.String(), tt.says) {
				t.Fatalf("exit code %d\n%s", code, r.log.String())
			}
			if calls := r.calls(); calls != "" {
				t.Errorf("it was built: %s", calls)
			}
			for _, used := range r.used {
				if used == "actions/setup-go" {
					t.Error("Go was set up")
				}
			}
			if tt.code != 0 {
				if _, err := os.Stat(filepath.Join(r.temp, "clawsonar-bin")); err == nil {
					t.Error("something was left behind")
				}
			}
		})
	}
	t.Run("no release", func(t *testing.T) {
		r := newRun(t)
		r.pinned("# there is none\n")
		r.program("go", `mkdir -p "${4%/*}" && cp "`+built+`" "$4"`)
		inputs["version"] = ""
		if code := r.action(inputs, nil); code != 0 || r.used[0] != "actions/setup-go" {
			t.Errorf("exit code %d, used %q\n%s", code, r.used, r.log.String())
		}
	})
}

// TestActionForks: what the token of a fork may not do is left out and said once, and the
// gate decides as ever.
func TestActionForks(t *testing.T) {
	open, asks := gateway(t, "openclaw-2026.9.6-none"), gateway(t, "openclaw-2026.9.6-token")
	for _, tt := range []struct {
		name, event, actor, from string
		inputs                   map[string]string
		notice                   string // "" for none
		writes                   bool
	}{
		{"fork", "pull_request", "stranger", "stranger/something", map[string]string{"targets": open, "comment": "true"}, "comes from a fork, so its token may only read: nothing is uploaded to code scanning and no comment is made.", false},
		{"fork that is gone", "pull_request", "stranger", "", map[string]string{"targets": open, "comment": "true"}, "comes from a fork", false},
		{"fork, no comment wanted", "pull_request", "stranger", "stranger/something", map[string]string{"targets": open}, "may only read: nothing is uploaded to code scanning.", false},
		{"fork, nothing wanted", "pull_request", "stranger", "stranger/something", map[string]string{"targets": open, "upload-sarif": "false"}, "", false},
		{"fork that passes", "pull_request", "stranger", "stranger/something", map[string]string{"targets": asks, "comment": "true"}, "comes from a fork", false},
		{"Dependabot", "pull_request", "dependabot[bot]", "someone/something", map[string]string{"targets": open}, "is one of Dependabot", false},
		{"of the repository", "pull_request", "someone", "someone/something", map[string]string{"targets": open, "comment": "true"}, "", true},
		{"push", "push", "someone", "", map[string]string{"targets": open}, "", true},
		{"a name that is a command", "pull_request", "stranger", "x\n::warning::owned", map[string]string{"targets": open}, "comes from a fork", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRun(t)
			r.env = append(r.env, "GITHUB_EVENT_NAME="+tt.event, "GITHUB_ACTOR="+tt.actor)
			tt.inputs["inspect-path"] = ""
			want := 3
			if tt.inputs["targets"] == asks {
				want = 0
			}
			code := r.action(tt.inputs, map[string]string{"github.event.pull_request.number": "7", "github.event.pull_request.head.repo.full_name": tt.from})
			if code != want {
				t.Fatalf("exit code %d\n%s", code, r.log.String())
			}
			var notices []string
			for line := range strings.Lines(r.log.String()) {
				if strings.HasPrefix(line, "::") {
					notices = append(notices, line)
				}
			}
			if tt.notice == "" && len(notices) > 0 || tt.notice != "" && (len(notices) != 1 || !strings.HasPrefix(notices[0], "::notice title=clawsonar::This pull request ") || !strings.Contains(notices[0], tt.notice)) {
				t.Errorf("notices %q", notices)
			}
			uploads, comments := 0, strings.Count(r.calls(), "gh ")
			for _, used := range r.used {
				if used == "github/codeql-action/upload-sarif" {
					uploads++
				}
			}
			if tt.writes && uploads == 0 || !tt.writes && (uploads > 0 || comments > 0) || tt.writes && tt.inputs["comment"] == "true" && comments == 0 {
				t.Errorf("%d uploads, %d calls of gh", uploads, comments)
			}
			if r.read(r.detail) == "" || r.read(filepath.Join(r.reports(), "report.sarif")) == "" {
				t.Error("the findings are nowhere")
			}
		})
	}
}

// TestActionArgs: each line is one argument, whatever is in it.
func TestActionArgs(t *testing.T) {
	asks := gateway(t, "openclaw-2026.9.6-token")
	r := newRun(t)
	extra := filepath.Join(r.temp, "with a space; touch owned.csv")
	if code := r.action(map[string]string{"targets": asks, "inspect-path": "", "args": "-o=csv=" + extra + "\n\n-header=X-Team: $(touch owned) *\n-silent"}, nil); code != 0 {
		t.Fatalf("exit code %d\n%s", code, r.log.String())
	}
	if r.read(extra) == "" {
		t.Error("an argument with a space was split")
	}
	if stream := r.read(filepath.Join(r.reports(), "scan.jsonl")); !strings.Contains(stream, `"X-Team: $(touch owned) *"`) {
		t.Errorf("the header arrived otherwise: %.400s", stream)
	}
	if _, err := os.Stat(filepath.Join(r.dir, "owned")); err == nil {
		t.Error("an argument was run by the shell")
	}
	r = newRun(t)
	if code := r.action(map[string]string{"targets": asks, "inspect-path": "", "args": "-no-such-flag"}, nil); code != 2 {
		t.Errorf("a flag that there is not: exit code %d\n%s", code, r.log.String())
	}
}

// TestActionVerify: a posture is part of the gate, alone or beside a scan.
func TestActionVerify(t *testing.T) {
	open, asks := gateway(t, "openclaw-2026.9.6-none"), gateway(t, "openclaw-2026.9.6-token")
	posture := func(target, verdict string) string {
		return "version: 1\nvantage: loopback\nendpoints:\n  - target: " + target + "\n    from: {loopback: [" + verdict + "]}\n"
	}
	// One of what is seen, with a reason for each finding.
	seen, err := exec.Command(built, "verify", "-init", "-vantage", "loopback", "-reason", "a test", asks).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, posture string
		inputs        map[string]string
		code          int
		scan, verify  string
	}{
		{"as declared, alone", string(seen), nil, 0, "", "0"},
		{"not as declared, alone", posture(open, "required"), nil, 3, "", "3"},
		{"not judged, alone", posture(later(t, 1<<40, open), "required"), nil, 4, "", "4"},
		{"not as declared beside a scan that passes", posture(open, "required"), map[string]string{"targets": asks}, 3, "0", "3"},
		{"as declared beside a scan with findings", string(seen), map[string]string{"targets": open}, 3, "3", "0"},
		{"no posture", "version: 2\n", map[string]string{"targets": asks}, 2, "0", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRun(t)
			r.put("ops/posture.yaml", tt.posture)
			inputs := map[string]string{"inspect-path": "", "verify": "ops/posture.yaml", "comment": "true"}
			for k, v := range tt.inputs {
				inputs[k] = v
			}
			code := r.action(inputs, map[string]string{"github.event.pull_request.number": "7"})
			if scan, verify := r.outputs("scan")["exit-code"], r.outputs("verify")["exit-code"]; code != tt.code || scan != tt.scan || verify != tt.verify {
				t.Fatalf("exit code %d, scan %q, verify %q\n%s", code, scan, verify, r.log.String())
			}
			if tt.verify == "" {
				return
			}
			for _, name := range []string{"verify.jsonl", "verify.html", "verify.md", "verify.sarif", "verify-junit.xml"} {
				if r.read(filepath.Join(r.reports(), name)) == "" {
					t.Errorf("no %s", name)
				}
			}
			if body := r.read(filepath.Join(r.temp, "clawsonar-comment.md")); !strings.Contains(body, strings.TrimSpace(r.read(filepath.Join(r.reports(), "verify.md")))) {
				t.Errorf("the comment does not have the comparison: %.300s", body)
			}
			if tt.verify == "3" && !strings.Contains(r.read(filepath.Join(r.reports(), "verify.sarif")), `"uri":"ops/posture.yaml"`) {
				t.Error("no finding points at the posture")
			}
		})
	}
}

// TestGate: what the three looks returned, and what the job ends with.
func TestGate(t *testing.T) {
	for _, tt := range []struct {
		scan, verify, inspect string
		want                  int
	}{
		{"0", "", "", 0}, {"0", "0", "0", 0}, {"", "", "0", 0}, {"3", "", "0", 3}, {"0", "", "3", 3}, {"4", "", "3", 3}, {"3", "4", "4", 3}, {"4", "0", "0", 4}, {"0", "0", "4", 4}, {"0", "4", "", 4},
		{"", "", "", 1}, {"2", "0", "0", 1}, {"0", "x", "0", 1}, {"0", "0", "0\n0", 1},
	} {
		r := newRun(t)
		if got := r.bash(`"$GITHUB_ACTION_PATH/ci/gate.sh"`, map[string]string{"SCAN": tt.scan, "VERIFY": tt.verify, "INSPECT": tt.inspect}); got != tt.want {
			t.Errorf("%q, %q, %q: %d, want %d", tt.scan, tt.verify, tt.inspect, got, tt.want)
		}
	}
}

// TestScripts: all that the action runs is there, can be run, and says what is wrong with it
// to shellcheck.
func TestScripts(t *testing.T) {
	var a action
	load(t, "action.yml", &a)
	named := regexp.MustCompile(`\$GITHUB_ACTION_PATH/(ci/[a-z-]+\.sh)`)
	n := 0
	for _, s := range a.Runs.Steps {
		if s.Run == "" {
			continue
		}
		if s.Shell != "bash" {
			t.Errorf("step %q: another shell", s.Name)
		}
		for _, m := range named.FindAllStringSubmatch(s.Run, -1) {
			n++
			if info, err := os.Stat(filepath.Join(root, m[1])); err != nil || runtime.GOOS != "windows" && info.Mode()&0o111 == 0 {
				t.Errorf("%s cannot be run: %v", m[1], err)
			}
		}
	}
	if n < 7 {
		t.Errorf("the action names only %d scripts", n)
	}
	scripts, err := filepath.Glob(root + "/ci/*.sh")
	if err != nil || len(scripts) < n {
		t.Fatalf("scripts: %v, %v", scripts, err)
	}
	for _, name := range scripts {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if head := string(data); !strings.HasPrefix(head, "#!/bin/sh\n") && !strings.HasPrefix(head, "#!/usr/bin/env bash\n") || !strings.Contains(head, "\nset -eu") {
			t.Errorf("%s does not stop at what fails", name)
		}
	}
	shellcheck(t, scripts...)
}
