package ci

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// These tests look at every workflow, the action, the component and the examples for what
// has let others take over a pipeline. They are not zizmor, which is neither in Debian nor
// in npm nor a Go module, but look for what most of its audits find without a network:
// unpinned-uses, a version beside each pin and one pin for each action, template-injection,
// artipacked, excessive-permissions, undocumented-permissions, dangerous-triggers,
// cache-poisoning, github-env, insecure-commands, bot-conditions, self-hosted-runner,
// secrets-inherit, secrets-outside-env, overprovisioned-secrets and unpinned-images.

// pipelines are the files that these tests are about.
func pipelines(t *testing.T) map[string]*yaml.Node {
	t.Helper()
	out := map[string]*yaml.Node{}
	for _, pattern := range []string{".github/workflows/*.y*ml", ".github/actions/*/action.y*ml", "action.yml", "templates/*.yml", "examples/github-*.yml", "examples/gitlab-*.yml"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range found {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name, _ := filepath.Rel(root, file)
			name = filepath.ToSlash(name)
			if strings.HasPrefix(name, "templates/") {
				_, after, _ := strings.Cut(string(data), "\n---\n")
				data = []byte(after)
			}
			var n yaml.Node
			if err := yaml.Unmarshal(data, &n); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			out[name] = n.Content[0]
		}
	}
	for _, must := range []string{"action.yml", "templates/scan.yml", "examples/github-workflow.yml", "examples/gitlab-ci.yml", ".github/workflows/ci.yml", ".github/workflows/release.yml"} {
		if out[must] == nil {
			t.Errorf("there is no %s", must)
		}
	}
	return out
}

// entry is the value of a key of a mapping, nil if there is none.
func entry(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// keys calls f with each key of each mapping below n, and the mapping.
func keys(n *yaml.Node, f func(in, key, value *yaml.Node)) {
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			f(n, n.Content[i], n.Content[i+1])
		}
	}
	for _, c := range n.Content {
		keys(c, f)
	}
}

func isWorkflow(name string) bool {
	return strings.HasPrefix(name, ".github/workflows/") || strings.HasPrefix(name, "examples/github-")
}

// problems are what is wrong with one file, as FILE:LINE: WHAT.
func problems(name string, top *yaml.Node) (out []string) {
	say := func(n *yaml.Node, format string, args ...any) {
		out = append(out, fmt.Sprintf("%s:%d: ", name, n.Line)+fmt.Sprintf(format, args...))
	}
	releases := false
	if isWorkflow(name) {
		on := entry(top, "on")
		if on == nil {
			say(top, "no triggers")
			return out
		}
		releases = entry(on, "release") != nil || entry(entry(on, "push"), "tags") != nil || entry(on, "schedule") != nil
		triggers := []string{on.Value}
		for _, c := range on.Content {
			triggers = append(triggers, c.Value)
		}
		for _, bad := range []string{"pull_request_target", "workflow_run", "issue_comment"} {
			if slices.Contains(triggers, bad) {
				say(on, "%s runs with the rights of the repository on what others wrote", bad)
			}
		}
		if p := entry(top, "permissions"); p == nil {
			say(top, "no permissions at the top: the default may be to write everything")
		} else if p.Kind != yaml.MappingNode || len(p.Content) > 0 && (len(p.Content) != 2 || p.Content[0].Value != "contents" || p.Content[1].Value != "read") {
			say(p, "permissions at the top are more than contents: read")
		}
		if e := entry(top, "env"); e != nil && strings.Contains(flat(e), "secrets.") {
			say(e, "a secret in the environment of every step")
		}
		jobs := entry(top, "jobs")
		for i := 1; jobs != nil && i < len(jobs.Content); i += 2 {
			job := jobs.Content[i]
			if r := entry(job, "runs-on"); r != nil && strings.Contains(flat(r), "self-hosted") && slices.Contains(triggers, "pull_request") &&
				(entry(job, "if") == nil || !regexp.MustCompile(`^github\.event_name == '(schedule|push|workflow_dispatch)'$`).MatchString(entry(job, "if").Value)) {
				say(r, "a pull request runs on a machine of one's own")
			}
			if entry(job, "permissions") == nil {
				say(job, "the job does not say its permissions")
			}
			if e := entry(job, "env"); e != nil && strings.Contains(flat(e), "secrets.") {
				say(e, "a secret in the environment of every step of the job")
			}
		}
	}
	keys(top, func(in, key, v *yaml.Node) {
		switch key.Value {
		case "permissions":
			if v.Kind != yaml.MappingNode {
				say(v, "permissions %s are all or nothing", v.Value)
				return
			}
			for i := 1; i < len(v.Content); i += 2 {
				if p := v.Content[i]; p.Value == "write" && p.LineComment == "" {
					say(p, "nothing says what %s: write is for", v.Content[i-1].Value)
				}
			}
		case "uses":
			if strings.HasPrefix(v.Value, "./") {
				return
			}
			if !regexp.MustCompile(`^[\w.-]+(/[\w.-]+)+@[0-9a-f]{40}$`).MatchString(v.Value) {
				say(v, "%s is not pinned to a commit", v.Value)
			}
			if !regexp.MustCompile(`^# v[0-9]+\.[0-9]+\.[0-9]+$`).MatchString(v.LineComment) {
				say(v, "no version beside %s, as # v1.2.3", v.Value)
			}
			with := entry(in, "with")
			switch action, _, _ := strings.Cut(v.Value, "@"); action {
			case "actions/checkout":
				if p := entry(with, "persist-credentials"); p == nil || p.Value != "false" {
					say(v, "checkout leaves the token in .git: persist-credentials: false")
				}
				if ref := entry(with, "ref"); ref != nil && strings.Contains(ref.Value, "pull_request.head") {
					say(ref, "the code of a pull request")
				}
			case "actions/setup-go":
				if c := entry(with, "cache"); (releases || !isWorkflow(name)) && (c == nil || c.Value != "false") {
					say(v, "what another run left in the cache gets into what is released: cache: false")
				}
			case "actions/cache", "actions/cache/restore":
				if releases {
					say(v, "a cache in a workflow that releases")
				}
			}
		case "run", "script", "before_script", "after_script":
			text := flat(v)
			if strings.Contains(text, "${{") || strings.Contains(text, "$[[") {
				say(v, "an expression in a script: it is pasted before the shell reads it")
			}
			if regexp.MustCompile(`(curl|wget)[^\n|]*\|\s*(sudo\s+)?(ba|da|z)?sh\b`).MatchString(text) || regexp.MustCompile(`(ba|da|z)?sh\s+(-c\s+)?["']?[$<]\((curl|wget)`).MatchString(text) {
				say(v, "what is downloaded is run")
			}
			if regexp.MustCompile(`GITHUB_(ENV|PATH)\b`).MatchString(text) {
				say(v, "sets the environment of later steps")
			}
			if m := regexp.MustCompile(`go (?:install|run) \S+@(\S+)`).FindStringSubmatch(text); m != nil && !regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+$|^\$CI_CLAWSONAR_SOURCE"?$`).MatchString(m[1]) {
				say(v, "Go installs %s", m[1])
			}
		case "if":
			if strings.Contains(v.Value, "github.actor") {
				say(v, "who acted last is not who wrote it")
			}
		case "ACTIONS_ALLOW_UNSECURE_COMMANDS":
			say(v, "commands in the output are obeyed")
		case "secrets":
			say(v, "secrets are handed on")
		case "continue-on-error":
			say(v, "a step that may fail")
		case "image", "container":
			image := v.Value
			if n := entry(v, "name"); n != nil {
				image = n.Value
			}
			if n := entry(v, "image"); n != nil {
				image = n.Value
			}
			if image != "$[[ inputs.image ]]" && !regexp.MustCompile(`@sha256:[0-9a-f]{64}$`).MatchString(image) {
				say(v, "the image %s is not pinned by its digest", image)
			}
		}
	})
	for _, m := range regexp.MustCompile(`secrets\.([A-Za-z_]+)|toJSON\((secrets)|secrets(\[)`).FindAllStringSubmatch(flat(top), -1) {
		if m[1] != "GITHUB_TOKEN" && !slices.Contains(kept, name+" "+m[1]) {
			say(top, "the secret %s", m[1]+m[2]+m[3])
		}
	}
	return out
}

// kept are the secrets that live longer than a job, with the file that needs each.
var kept = []string{".github/workflows/data.yml DATA_KEY"}

// flat is all text below a node.
func flat(n *yaml.Node) string {
	var b strings.Builder
	var walk func(*yaml.Node)
	walk = func(n *yaml.Node) {
		b.WriteString(n.Value + "\n")
		for _, c := range n.Content {
			walk(c)
		}
	}
	walk(n)
	return b.String()
}

// TestPipelines holds all of them to the rules above.
func TestPipelines(t *testing.T) {
	pins := map[string]string{}
	for name, top := range pipelines(t) {
		for _, p := range problems(name, top) {
			t.Error(p)
		}
		keys(top, func(_, key, v *yaml.Node) {
			if key.Value != "uses" || strings.HasPrefix(v.Value, "./") {
				return
			}
			// Parts of one repository have one commit.
			action, commit, _ := strings.Cut(v.Value, "@")
			parts := strings.SplitN(action, "/", 3)
			repository := strings.Join(parts[:2], "/")
			pin := commit + " " + v.LineComment
			if other, ok := pins[repository]; ok && other != pin {
				t.Errorf("%s:%d: %s is %s, elsewhere %s", name, v.Line, repository, pin, other)
			}
			pins[repository] = pin
		})
	}
	if len(pins) < 5 {
		t.Errorf("only these are used: %v", pins)
	}
	// The input's default is the image of the component.
	data, err := os.ReadFile(filepath.Join(root, "templates", "scan.yml"))
	if err != nil || !regexp.MustCompile(`(?m)^    image:\n(?:      .*\n)*?      default: \S+@sha256:[0-9a-f]{64}$`).Match(data) {
		t.Errorf("the component's image is not pinned by its digest: %v", err)
	}
}

// TestPipelineProblems: each of these is found, so that finding nothing means something.
func TestPipelineProblems(t *testing.T) {
	const sha = "3d3c42e5aac5ba805825da76410c181273ba90b1"
	good := `on: {push: {tags: ["v*"]}}
permissions: {}
jobs:
  a:
    runs-on: ubuntu-24.04
    permissions:
      contents: write # make the release
    steps:
      - uses: actions/checkout@` + sha + ` # v7.0.1
        with: {persist-credentials: false}
      - uses: actions/setup-go@` + sha + ` # v7.0.0
        with: {cache: false}
      - run: go install example.org/x@v1.2.3
        env: {TOKEN: "${{ github.token }}"}
`
	parse := func(text string) *yaml.Node {
		var n yaml.Node
		if err := yaml.Unmarshal([]byte(text), &n); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		return n.Content[0]
	}
	const file = ".github/workflows/x.yml"
	if p := problems(file, parse(good)); len(p) != 0 {
		t.Fatal(p)
	}
	for _, tt := range []struct{ old, new, want string }{
		{"checkout@" + sha, "checkout@v7", "is not pinned"},
		{"checkout@" + sha, "checkout@" + sha[:12], "is not pinned"},
		{" # v7.0.1", " # v7", "no version beside"},
		{" # v7.0.1", "", "no version beside"},
		{"{persist-credentials: false}", "{persist-credentials: true}", "leaves the token"},
		{"with: {persist-credentials: false}", "name: x", "leaves the token"},
		{"{cache: false}", "{cache: true}", "left in the cache"},
		{"with: {cache: false}", "name: x", "left in the cache"},
		{"permissions: {}\n", "", "no permissions at the top"},
		{"permissions: {}\n", "permissions: write-all\n", "all or nothing"},
		{"permissions: {}\n", "permissions: {contents: write}\n", "more than contents: read"},
		{" # make the release", "", "nothing says what contents: write is for"},
		{"    permissions:\n      contents: write # make the release\n", "", "does not say its permissions"},
		{`on: {push: {tags: ["v*"]}}`, "on: pull_request_target", "runs with the rights"},
		{`on: {push: {tags: ["v*"]}}`, "on: [push, pull_request_target]", "runs with the rights"},
		{`on: {push: {tags: ["v*"]}}`, "on: {workflow_run: {workflows: [ci]}}", "runs with the rights"},
		{"run: go install example.org/x@v1.2.3", `run: "echo ${{ github.head_ref }}"`, "an expression in a script"},
		{"example.org/x@v1.2.3", "example.org/x@latest", "Go installs latest"},
		{"go install example.org/x@v1.2.3", "curl -fsSL https://example.org/x | sudo bash", "what is downloaded is run"},
		{"go install example.org/x@v1.2.3", `bash -c "$(curl -fsSL https://example.org/x)"`, "what is downloaded is run"},
		{"go install example.org/x@v1.2.3", "echo A=b >>$GITHUB_ENV", "sets the environment"},
		{"github.token", "secrets.RELEASE_KEY", "the secret RELEASE_KEY"},
		{"github.token", "toJSON(secrets)", "the secret"},
		{"permissions: {}\n", "permissions: {}\nenv: {A: \"${{ secrets.GITHUB_TOKEN }}\"}\n", "in the environment of every step"},
		{"    runs-on: ubuntu-24.04\n", "    runs-on: ubuntu-24.04\n    container: debian:12\n", "is not pinned by its digest"},
		{"    runs-on: ubuntu-24.04\n", "    runs-on: ubuntu-24.04\n    services: {db: {image: postgres}}\n", "is not pinned by its digest"},
		{"    runs-on: ubuntu-24.04\n", "    runs-on: ubuntu-24.04\n    continue-on-error: true\n", "may fail"},
		{"    runs-on: ubuntu-24.04\n", "    runs-on: ubuntu-24.04\n    secrets: inherit\n", "handed on"},
		{"    runs-on: ubuntu-24.04\n", "    runs-on: ubuntu-24.04\n    if: github.actor == 'dependabot[bot]'\n", "is not who wrote it"},
		{"env: {TOKEN", "env: {ACTIONS_ALLOW_UNSECURE_COMMANDS: 1, TOKEN", "are obeyed"},
		{"on: {push: {tags: [\"v*\"]}}\npermissions: {}\njobs:\n  a:\n    runs-on: ubuntu-24.04", "on: [push, pull_request]\npermissions: {}\njobs:\n  a:\n    runs-on: [self-hosted]", "a machine of one's own"},
	} {
		text := strings.Replace(good, tt.old, tt.new, 1)
		if text == good {
			t.Fatalf("%q is not in it", tt.old)
		}
		if p := problems(file, parse(text)); !strings.Contains(strings.Join(p, "\n"), tt.want) {
			t.Errorf("%q for %q: %q, want %q", tt.new, tt.old, p, tt.want)
		}
	}
}

// shellcheck fails with what shellcheck says of scripts.
func shellcheck(t *testing.T, scripts ...string) {
	t.Helper()
	if _, err := exec.LookPath("shellcheck"); err != nil {
		t.Skip("SKIPPED: there is no shellcheck: the scripts were not checked")
	}
	if out, err := exec.Command("shellcheck", scripts...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// actionlintVersion is the release that TestActionlint runs; its sum is in Go's database.
const actionlintVersion = "v1.7.12"

// TestActionlint: actionlint finds nothing in any workflow. The examples use the action of
// this checkout there, so that their inputs are looked at, and the steps of the action are
// made a job, since actionlint looks at workflows only.
func TestActionlint(t *testing.T) {
	lint := filepath.Join(t.TempDir(), "actionlint")
	install := exec.Command("go", "install", "github.com/rhysd/actionlint/cmd/actionlint@"+actionlintVersion)
	install.Dir, install.Env = t.TempDir(), append(os.Environ(), "GOBIN="+filepath.Dir(lint), "GOFLAGS=-trimpath")
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: actionlint %s cannot be had: the workflows were not checked by it: %v %s", actionlintVersion, err, out)
	}
	dir := t.TempDir()
	workflows := filepath.Join(dir, ".github", "workflows")
	if err := os.MkdirAll(workflows, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, ".git"), 0o755); err != nil { // what makes it a project
		t.Fatal(err)
	}
	write := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ours := regexp.MustCompile(`clawsonar/clawsonar@[0-9a-f]{40}`)
	for name := range pipelines(t) {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if isWorkflow(name) {
			write(filepath.Join(workflows, strings.ReplaceAll(name, "/", "-")), ours.ReplaceAll(data, []byte("./")))
		}
	}
	data, err := os.ReadFile(filepath.Join(root, "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(dir, "action.yml"), data)
	var whole struct {
		Inputs map[string]any
		Runs   struct{ Steps yaml.Node }
	}
	if err := yaml.Unmarshal(data, &whole); err != nil {
		t.Fatal(err)
	}
	inputs := map[string]any{}
	for name := range whole.Inputs {
		inputs[name] = map[string]any{"type": "string"}
	}
	steps, err := yaml.Marshal(map[string]any{
		"on":          map[string]any{"workflow_call": map[string]any{"inputs": inputs}},
		"permissions": map[string]any{},
		"jobs":        map[string]any{"action": map[string]any{"runs-on": "ubuntu-24.04", "steps": &whole.Runs.Steps}},
	})
	if err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(workflows, "steps-of-the-action.yml"), steps)
	run := func() string {
		cmd := exec.Command(lint, "-no-color")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if (err != nil) != (len(out) > 0) {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	if out := run(); out != "" {
		t.Errorf("actionlint:\n%s", out)
	}
	// It does look at them.
	bad := regexp.MustCompile(`inputs\.verify\b`).ReplaceAll(steps, []byte("inputs.verfy"))
	write(filepath.Join(workflows, "steps-of-the-action.yml"), bad)
	example := filepath.Join(workflows, "examples-github-workflow.yml")
	data, err = os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	write(example, []byte(strings.Replace(string(data), "inspect-path:", "inspect:", 1)))
	if out := run(); !strings.Contains(out, `property "verfy" is not defined`) || !strings.Contains(out, `input "inspect" is not defined`) {
		t.Errorf("mistakes are not found: %s", out)
	}
}

// TestGitLabExample: the example gives the component inputs that there are, and adds to a
// job that there is.
func TestGitLabExample(t *testing.T) {
	var example struct {
		Include []struct {
			Component string
			Inputs    map[string]any
		}
		Clawsonar struct{ Services []any }
	}
	load(t, "examples/gitlab-ci.yml", &example)
	if len(example.Include) != 1 || !regexp.MustCompile(`^\$CI_SERVER_FQDN/\S+/scan@[0-9a-f]{40}$`).MatchString(example.Include[0].Component) || len(example.Clawsonar.Services) == 0 {
		t.Fatalf("%+v", example)
	}
	if name, _, err := component(t, "", example.Include[0].Inputs); err != nil || name != "clawsonar" {
		t.Errorf("%q, %v", name, err)
	}
}

// TestPreCommit: the hooks run commands that there are, and none of them scans.
func TestPreCommit(t *testing.T) {
	var hooks []struct {
		ID, Entry, Language, Description string
		Args                             []string
		PassFilenames                    bool `yaml:"pass_filenames"`
	}
	load(t, ".pre-commit-hooks.yaml", &hooks)
	r := newRun(t)
	r.put("deploy/openclaw.json", openFiles)
	r.put("posture.yaml", "version: 1\nvantage: loopback\nendpoints:\n  - target: "+gateway(t, "openclaw-2026.9.6-none")+"\n    from: {loopback: [required]}\n")
	var ids []string
	for _, h := range hooks {
		ids = append(ids, h.ID)
		words := append(strings.Fields(h.Entry), h.Args...)
		if words[0] != "clawsonar" || words[1] == "scan" || h.Language != "golang" || h.PassFilenames || h.Description == "" {
			t.Errorf("%+v", h)
		}
		cmd := exec.Command(built, words[1:]...)
		cmd.Dir = r.dir
		if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 3 {
			t.Errorf("%s does not fail: %d\n%s", h.ID, cmd.ProcessState.ExitCode(), out)
		}
		// Where nothing is that could be looked at, nothing is fine.
		cmd = exec.Command(built, words[1:]...)
		cmd.Dir = t.TempDir()
		if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() == 0 {
			t.Errorf("%s passes in an empty folder:\n%s", h.ID, out)
		}
	}
	if !slices.Equal(ids, []string{"clawsonar-inspect", "clawsonar-verify"}) {
		t.Errorf("hooks %q", ids)
	}
}
