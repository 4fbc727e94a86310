package ci

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// gitlabJob is the job of the component.
type gitlabJob struct {
	Stage     string
	Image     struct{ Name string }
	Variables map[string]string
	Script    []string
	Artifacts struct {
		Reports struct{ Junit, Codequality string }
	}
}

// component returns the name and the job that GitLab makes of the component: it checks
// inputs, pastes them into the text after the header, and then reads that as YAML.
func component(t *testing.T, sums string, inputs map[string]any) (string, gitlabJob, error) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "templates", "scan.yml"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	if sums != "" {
		begin, end := strings.Index(text, "'END-OF-SUMS'\n")+len("'END-OF-SUMS'\n"), strings.Index(text, "      END-OF-SUMS\n")
		text = text[:begin] + "      " + strings.ReplaceAll(strings.TrimSpace(sums), "\n", "\n      ") + "\n" + text[end:]
	}
	header, body, ok := strings.Cut(text, "\n---\n")
	if !ok {
		t.Fatal("no header")
	}
	var spec struct {
		Spec struct {
			Inputs map[string]struct {
				Type, Regex string
				Default     any
				Options     []string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(header), &spec); err != nil {
		t.Fatal(err)
	}
	for name := range inputs {
		if _, ok := spec.Spec.Inputs[name]; !ok {
			return "", gitlabJob{}, fmt.Errorf("there is no input %s", name)
		}
	}
	values := map[string]string{}
	for name, in := range spec.Spec.Inputs {
		v, ok := inputs[name]
		if !ok {
			v = in.Default
		}
		values[name] = fmt.Sprint(v)
		switch kind := fmt.Sprintf("%T", v); {
		case in.Type == "" && kind != "string", in.Type == "boolean" && kind != "bool", in.Type == "number" && kind != "int":
			return "", gitlabJob{}, fmt.Errorf("%s is a %s", name, kind)
		case in.Type == "" && in.Options == nil && in.Regex == "":
			t.Errorf("the input %s takes anything", name)
		case in.Options != nil && !slices.Contains(in.Options, values[name]):
			return "", gitlabJob{}, fmt.Errorf("%s is none of %q", name, in.Options)
		case in.Regex != "" && !regexp.MustCompile(in.Regex).MatchString(values[name]):
			return "", gitlabJob{}, fmt.Errorf("%s does not match %s", name, in.Regex)
		}
	}
	used := map[string]bool{}
	body = regexp.MustCompile(`\$\[\[\s*(.*?)\s*\]\]`).ReplaceAllStringFunc(body, func(block string) string {
		name := strings.TrimPrefix(strings.Trim(block, "$[] "), "inputs.")
		v, ok := values[name]
		if !ok {
			t.Errorf("%s is no input", block)
		}
		used[name] = true
		return v
	})
	for name := range values {
		if !used[name] {
			t.Errorf("the input %s does nothing", name)
		}
	}
	var jobs map[string]gitlabJob
	if err := yaml.Unmarshal([]byte(body), &jobs); err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	if len(jobs) != 1 {
		t.Fatalf("%d jobs", len(jobs))
	}
	for name, job := range jobs {
		return name, job, nil
	}
	return "", gitlabJob{}, nil
}

// TestComponentIsEmbedded: the component has get.sh and the sums of its own commit.
func TestComponentIsEmbedded(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"ci", "templates"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(root, name))); err != nil {
			t.Fatal(err)
		}
	}
	embed := func() []byte {
		t.Helper()
		if out, err := exec.Command("sh", filepath.Join(dir, "ci", "embed.sh"), dir).CombinedOutput(); err != nil {
			t.Skipf("SKIPPED: ci/embed.sh does not run here: %v %s", err, out)
		}
		data, err := os.ReadFile(filepath.Join(dir, "templates", "scan.yml"))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	want, err := os.ReadFile(filepath.Join(root, "templates", "scan.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(embed(), want) {
		t.Error("templates/scan.yml does not have what is in ci/get.sh and ci/sums.txt: run ci/embed.sh")
	}
	sums := sumLine(nil, archiveName())
	if err := os.WriteFile(filepath.Join(dir, "ci", "sums.txt"), []byte(sums), 0o600); err != nil {
		t.Fatal(err)
	}
	if once := embed(); !strings.Contains(string(once), "<<'END-OF-SUMS'\n      "+sums+"      END-OF-SUMS\n") || !bytes.Equal(once, embed()) {
		t.Error("ci/embed.sh does not put new sums into the component, or not twice alike")
	}
}

// TestComponentInputs: what would be more than a value in the YAML is refused.
func TestComponentInputs(t *testing.T) {
	for name, bad := range map[string]any{"targets": "a'\n  script: [touch owned]\n  x: '", "args": "-o\n-x", "list": "it's", "fail-on": "lowest", "expect": "1; x", "fail-on-incomplete": "true", "no-such": "x", "job-name": "a'b"} {
		if _, _, err := component(t, "", map[string]any{name: bad}); err == nil {
			t.Errorf("%s: %q is taken", name, bad)
		}
	}
	name, job, err := component(t, "", map[string]any{"job-name": "look: at it", "stage": "verify", "targets": `"$(touch owned)" # \n {}`})
	if err != nil || name != "look: at it" || job.Stage != "verify" || job.Variables["CI_CLAWSONAR_TARGETS"] != `"$(touch owned)" # \n {}` {
		t.Errorf("%v, %q, %q", err, name, job.Variables)
	}
}

func TestGitLab(t *testing.T) {
	open, asks := gateway(t, "openclaw-2026.9.6-none"), gateway(t, "openclaw-2026.9.6-token")
	good := archive(t, program(t))
	sums := sumLine(good, archiveName())
	note := map[string]string{"CI_CLAWSONAR_NOTE_TOKEN": "t", "CI_MERGE_REQUEST_IID": "3", "CI_API_V4_URL": "https://gitlab.example.org/api/v4", "CI_PROJECT_ID": "9"}
	posture := "version: 1\nvantage: loopback\nendpoints:\n  - target: " + open + "\n    from: {loopback: [required]}\n"
	for _, tt := range []struct {
		name   string
		sums   string
		inputs map[string]any
		env    map[string]string
		want   int
		call   string
		says   string
		files  int // of JUnit and of Code Quality
	}{
		{"findings", sums, map[string]any{"targets": open + " " + asks, "inspect-path": "."}, note, 3,
			"<--data-urlencode> <body@clawsonar-reports/report.md> <https://gitlab.example.org/api/v4/projects/9/merge_requests/3/notes>\nPRIVATE-TOKEN: t", "", 2},
		{"passes", sums, map[string]any{"targets": asks}, nil, 0, "", "SHA-256", 2},
		{"compose", sums, map[string]any{"targets": asks, "compose-file": "a b.yaml"}, nil, 0,
			"docker <compose> <--file> <a b.yaml> <up> <--detach> <--wait>\ndocker <compose> <--file> <a b.yaml> <down> <--volumes>\n", "", 2},
		{"arguments", sums, map[string]any{"targets": asks, "args": "-header=X-Team:*  -silent"}, nil, 0, "", "", 2},
		{"posture alone", sums, map[string]any{"verify": "posture.yaml", "inspect-path": ""}, nil, 3, "", "", 1},
		{"posture beside a scan that passes", sums, map[string]any{"verify": "posture.yaml", "targets": asks}, nil, 3, "", "", 3},
		{"targets beside a list", sums, map[string]any{"list": "list.txt", "targets": open}, nil, 3, "", "", 2},
		{"a list alone", sums, map[string]any{"list": "list.txt"}, nil, 0, "", "", 2},
		{"arguments that scan nothing", sums, map[string]any{"targets": open, "args": "-dry-run"}, nil, 1, "", "nothing was scanned", 1},
		{"blank paths", sums, map[string]any{"targets": asks, "inspect-path": " "}, nil, 2, "", "inspect-path names nothing", 0},
		{"nothing to scan", sums, map[string]any{}, nil, 2, "", "there is nothing to scan: set targets, list or verify", 0},
		{"nothing there", sums, map[string]any{"targets": later(t, 1<<40, open), "wait": "0s"}, nil, 4, "", "", 2},
		{"hostile", sums, map[string]any{"targets": hostile(t) + " $(touch owned)", "args": "`touch owned`"}, nil, 2, "", "", 0},
		{"no release", "# none", map[string]any{"targets": asks}, nil, 2, "", "this commit of the component has no archive for this machine", 0},
		{"wrong sum", sumLine(nil, archiveName()), map[string]any{"targets": asks}, nil, 1, "", "do not use it", 0},
		{"from source", "# none", map[string]any{"targets": asks, "source": "v1.2.3"}, nil, 0, "go github.com/clawsonar/clawsonar/cmd/clawsonar@v1.2.3\n", "", 2},
		{"from the latest source", "# none", map[string]any{"targets": asks, "source": "latest"}, nil, 2, "", "source is no release and no commit", 0},
		{"from a command", "# none", map[string]any{"targets": asks, "source": "v1;touch owned"}, nil, 2, "", "source is no release and no commit", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRun(t)
			r.put("posture.yaml", posture)
			r.put("list.txt", asks+"\n")
			curl, err := exec.LookPath("curl")
			if err != nil {
				t.Skip("SKIPPED: there is no curl")
			}
			// The note is not sent, archives are really downloaded.
			r.program("curl", `case "$*" in *notes*) printf curl >>"$CALLS"; for a; do printf ' <%s>' "$a" >>"$CALLS"; done; echo >>"$CALLS"; sed -n 's/^header = "\(.*\)"$/\1/p' >>"$CALLS" ;; *) exec `+curl+` "$@" ;; esac`)
			m := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(good) })
			_, job, err := component(t, tt.sums, tt.inputs)
			if err != nil {
				t.Fatal(err)
			}
			env := job.Variables
			for _, more := range []map[string]string{tt.env, {"GET_CLAWSONAR_FROM": strings.TrimPrefix(m.env[0], "GET_CLAWSONAR_FROM="), "CURL_CA_BUNDLE": strings.TrimPrefix(m.env[1], "CURL_CA_BUNDLE=")}} {
				for k, v := range more {
					env[k] = v
				}
			}
			// The runner runs the lines of a script in one shell, which in many images is no bash.
			if code := r.shell([]string{"sh", "-e", "-c"}, strings.Join(job.Script, "\n"), env); code != tt.want || !strings.Contains(r.log.String(), tt.says) {
				t.Fatalf("exit code %d, want %d\n%s", code, tt.want, r.log.String())
			}
			if calls := r.calls(); tt.call == "" && calls != "" || !strings.Contains(calls, tt.call) {
				t.Errorf("calls: %s", calls)
			}
			for _, pattern := range []string{job.Artifacts.Reports.Junit, job.Artifacts.Reports.Codequality} {
				found, err := filepath.Glob(filepath.Join(r.dir, pattern))
				if err != nil || tt.want != 2 && len(found) != tt.files {
					t.Errorf("%s: %q", pattern, found)
				}
				for _, name := range found {
					if text := strings.TrimSpace(r.read(name)); !strings.HasSuffix(text, "]") && !strings.HasSuffix(text, "</testsuites>") {
						t.Errorf("%s is not whole", name)
					}
				}
			}
			if tt.name == "arguments" && !strings.Contains(r.read(filepath.Join(r.dir, "clawsonar-reports", "scan.jsonl")), `"X-Team: *"`) {
				t.Error("an argument did not arrive as it was")
			}
			if _, err := os.Stat(filepath.Join(r.dir, "owned")); err == nil {
				t.Error("an input was run by the shell")
			}
			commands(t, r.log.String())
		})
	}
}

// TestComponentScript: the job's script is a shell's, and says what is wrong with it.
func TestComponentScript(t *testing.T) {
	_, job, err := component(t, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "job.sh")
	// Words are split on purpose in two places, within set -f.
	if err := os.WriteFile(file, []byte("#!/bin/sh\n# shellcheck disable=SC2086,SC2154\n"+strings.Join(job.Script, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	shellcheck(t, file)
}
