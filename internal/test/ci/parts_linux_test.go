package ci

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/replica"
	"github.com/clawsonar/clawsonar/testdata/captures"
)

// slowGateways has an open gateway answer, late, at n addresses of loopback, and returns
// them as a list: what looks at them takes long enough to be stopped on the way.
func slowGateways(t *testing.T, n int) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: needs all of 127.0.0.0/8 to be loopback")
	}
	const file = "openclaw/openclaw-2026.9.6-none.yaml"
	data, err := captures.FS.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := evidence.LoadCapture(data, file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := replica.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	var list strings.Builder
	for i := range n {
		l, err := net.Listen("tcp4", fmt.Sprintf("127.88.0.%d:0", i+1))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		fmt.Fprintln(&list, l.Addr())
		go func() {
			for {
				in, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer in.Close()
					time.Sleep(200 * time.Millisecond)
					out, err := net.Dial("tcp", r.Addr.String())
					if err != nil {
						return
					}
					defer out.Close()
					go func() { _, _ = io.Copy(out, in); out.Close() }()
					_, _ = io.Copy(in, out)
				}()
			}
		}()
	}
	return list.String()
}

// whole holds what a report of these streams says: every gateway once, and complete.
func whole(t *testing.T, gateways int, streams string) {
	t.Helper()
	out, err := exec.Command(built, "report", streams, "-f", "jsonl").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	var head struct{ Shard string }
	var sum struct {
		Type     string
		Targets  int
		Outcomes map[string]int
		Complete bool
		Notes    []string
	}
	if err := errors.Join(json.Unmarshal(lines[0], &head), json.Unmarshal(lines[len(lines)-1], &sum)); err != nil {
		t.Fatal(err)
	}
	if head.Shard != "1/1" || !sum.Complete || sum.Targets != gateways || sum.Outcomes["identified"] != gateways || len(sum.Outcomes) != 1 || len(lines) != gateways+2 {
		t.Errorf("shard %s, %d lines, %+v", head.Shard, len(lines), sum)
	}
}

// appears waits for a file.
func appears(t *testing.T, name string) {
	t.Helper()
	for range 1500 {
		if _, err := os.Stat(name); err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("there is no %s", name)
}

// job is what our examples say of a Job: a field that is not here is an error, so that
// one that the API does not know is noticed. Fields and their meaning are those of
// batch/v1 in Kubernetes 1.36: its own types, decoded strictly, took the examples.
type job struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct{ Name string }
	Spec       struct {
		CompletionMode        string `yaml:"completionMode"`
		Completions           int
		Parallelism           int
		BackoffLimit          *int                   `yaml:"backoffLimit"`
		BackoffLimitPerIndex  int                    `yaml:"backoffLimitPerIndex"`
		MaxFailedIndexes      int                    `yaml:"maxFailedIndexes"`
		ActiveDeadlineSeconds int                    `yaml:"activeDeadlineSeconds"`
		PodReplacementPolicy  string                 `yaml:"podReplacementPolicy"`
		PodFailurePolicy      struct{ Rules []rule } `yaml:"podFailurePolicy"`
		Template              struct {
			Metadata struct{ Labels map[string]string }
			Spec     pod
		}
	}
}

type rule struct {
	Action          string
	OnPodConditions []struct{ Type, Status string } `yaml:"onPodConditions"`
	OnExitCodes     *struct {
		ContainerName string `yaml:"containerName"`
		Operator      string
		Values        []int
	} `yaml:"onExitCodes"`
}

type pod struct {
	RestartPolicy                 string `yaml:"restartPolicy"`
	AutomountServiceAccountToken  *bool  `yaml:"automountServiceAccountToken"`
	EnableServiceLinks            *bool  `yaml:"enableServiceLinks"`
	TerminationGracePeriodSeconds int    `yaml:"terminationGracePeriodSeconds"`
	SecurityContext               struct {
		RunAsNonRoot   bool                  `yaml:"runAsNonRoot"`
		RunAsUser      int                   `yaml:"runAsUser"`
		RunAsGroup     int                   `yaml:"runAsGroup"`
		FSGroup        int                   `yaml:"fsGroup"`
		SeccompProfile struct{ Type string } `yaml:"seccompProfile"`
	} `yaml:"securityContext"`
	Containers []container
	Volumes    []struct {
		Name                  string
		ConfigMap             struct{ Name string } `yaml:"configMap"`
		PersistentVolumeClaim struct {
			ClaimName string `yaml:"claimName"`
		} `yaml:"persistentVolumeClaim"`
		EmptyDir struct {
			SizeLimit string `yaml:"sizeLimit"`
		} `yaml:"emptyDir"`
	}
}

type container struct {
	Name, Image     string
	Command, Args   []string
	Resources       struct{ Requests, Limits map[string]string }
	SecurityContext struct {
		AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
		ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
		Capabilities             struct{ Drop []string }
	} `yaml:"securityContext"`
	VolumeMounts []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
		ReadOnly  bool   `yaml:"readOnly"`
	} `yaml:"volumeMounts"`
}

// documents reads the Job of a file, and the data of its ConfigMap.
func documents(t *testing.T, name string) (j job, settings map[string]string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	for text := range strings.SplitSeq(string(data), "\n---\n") {
		var kind struct {
			Kind string
			Data map[string]string
		}
		if err := yaml.Unmarshal([]byte(text), &kind); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		switch kind.Kind {
		case "ConfigMap":
			settings = kind.Data
		case "Job":
			dec := yaml.NewDecoder(strings.NewReader(text))
			dec.KnownFields(true)
			if err := dec.Decode(&j); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	if j.APIVersion != "batch/v1" || len(j.Spec.Template.Spec.Containers) != 1 {
		t.Fatalf("%s: no Job with a container: %+v", name, j)
	}
	return j, settings
}

// hardened holds what every pod of ours has.
func hardened(t *testing.T, j job) {
	t.Helper()
	p, c := j.Spec.Template.Spec, j.Spec.Template.Spec.Containers[0]
	no := func(b *bool) bool { return b != nil && !*b }
	if !no(p.AutomountServiceAccountToken) || !no(p.EnableServiceLinks) || !p.SecurityContext.RunAsNonRoot || p.SecurityContext.RunAsUser == 0 ||
		p.SecurityContext.SeccompProfile.Type != "RuntimeDefault" || !no(c.SecurityContext.AllowPrivilegeEscalation) || !c.SecurityContext.ReadOnlyRootFilesystem ||
		!slices.Equal(c.SecurityContext.Capabilities.Drop, []string{"ALL"}) || c.Resources.Limits["memory"] == "" {
		t.Errorf("%s is not hardened: %+v", j.Metadata.Name, p)
	}
	if p.RestartPolicy != "Never" {
		t.Errorf("%s: a failure policy of pods needs the restart policy Never", j.Metadata.Name)
	}
	for _, m := range c.VolumeMounts {
		if !slices.ContainsFunc(p.Volumes, func(v struct {
			Name                  string
			ConfigMap             struct{ Name string } `yaml:"configMap"`
			PersistentVolumeClaim struct {
				ClaimName string `yaml:"claimName"`
			} `yaml:"persistentVolumeClaim"`
			EmptyDir struct {
				SizeLimit string `yaml:"sizeLimit"`
			} `yaml:"emptyDir"`
		}) bool {
			return v.Name == m.Name
		}) {
			t.Errorf("%s: there is no volume %s", j.Metadata.Name, m.Name)
		}
	}
}

// command is what a pod of that index runs, with folders of ours for what is mounted.
func (j job) command(t *testing.T, index int, mounted map[string]string) *exec.Cmd {
	t.Helper()
	c := j.Spec.Template.Spec.Containers[0]
	if !slices.Equal(c.Command, []string{"clawsonar"}) {
		t.Fatalf("the command is %q", c.Command)
	}
	cmd := exec.Command(built)
	for _, arg := range c.Args {
		arg = strings.ReplaceAll(arg, "$(JOB_COMPLETION_INDEX)", strconv.Itoa(index))
		for _, m := range c.VolumeMounts {
			if at := strings.Index(arg, m.MountPath); at == 0 || at > 0 && arg[at-1] == '=' {
				arg = arg[:at] + mounted[m.Name] + arg[at+len(m.MountPath):]
				break
			}
		}
		cmd.Args = append(cmd.Args, arg)
	}
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"JOB_COMPLETION_INDEX=" + strconv.Itoa(index), "TMPDIR=" + mounted["tmp"]}
	return cmd
}

// after is what becomes of an index whose pod has ended so: an action, or "count" for
// one more of its attempts.
func (j job) after(code int, disrupted bool) string {
	for _, r := range j.Spec.PodFailurePolicy.Rules {
		for _, c := range r.OnPodConditions {
			if disrupted && c.Type == "DisruptionTarget" && c.Status == "True" {
				return r.Action
			}
		}
		if x := r.OnExitCodes; x != nil && x.Operator == "In" && x.ContainerName == j.Spec.Template.Spec.Containers[0].Name && slices.Contains(x.Values, code) {
			return r.Action
		}
	}
	return "count"
}

// TestKubernetesJob runs what the example's pods run, for every index, with one that is
// killed and one that is stopped on the way; the other example reports all, or says
// which index is missing.
func TestKubernetesJob(t *testing.T) {
	t.Parallel()
	scan, settings := documents(t, "examples/kubernetes-job.yaml")
	report, _ := documents(t, "examples/kubernetes-report.yaml")
	hardened(t, scan)
	hardened(t, report)
	n := scan.Spec.Completions
	if scan.Spec.CompletionMode != "Indexed" || n < 3 || scan.Spec.BackoffLimitPerIndex < 1 || scan.Spec.PodReplacementPolicy != "Failed" {
		t.Fatalf("not an Indexed Job of which each index is tried again by itself: %+v", scan.Spec)
	}
	if b := report.Spec.BackoffLimit; b == nil || *b != 0 {
		t.Error("a report that is incomplete would be tried again")
	}

	const gateways = 24
	mounted := map[string]string{"settings": t.TempDir(), "results": t.TempDir(), "tmp": t.TempDir()}
	ours := map[string]string{"targets.txt": slowGateways(t, gateways), "scope.txt": "127.88.0.0/24\n", "exclude.txt": "127.88.0.255\n"}
	for name := range settings {
		if err := os.WriteFile(filepath.Join(mounted["settings"], name), []byte(ours[name]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	results := func(index int, ending string) string {
		return filepath.Join(mounted["results"], strconv.Itoa(index)+ending)
	}
	code := func(cmd *exec.Cmd) int {
		t.Helper()
		out, err := cmd.CombinedOutput()
		if ended := (*exec.ExitError)(nil); err != nil && !errors.As(err, &ended) {
			t.Fatal(err)
		}
		t.Logf("%s\n%s", strings.Join(cmd.Args[1:], " "), out)
		return cmd.ProcessState.ExitCode()
	}
	stopped := func(index int, sig os.Signal) int {
		t.Helper()
		cmd := scan.command(t, index, mounted)
		cmd.Stderr = t.Output()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		appears(t, results(index, ".journal"))
		_ = cmd.Process.Signal(sig)
		_ = cmd.Wait()
		return cmd.ProcessState.ExitCode()
	}

	stopped(1, os.Kill)
	if got := scan.after(137, false); got != "count" {
		t.Errorf("after a kill: %s", got)
	}
	if c := stopped(2, syscall.SIGTERM); c != 130 || scan.after(c, false) != "Ignore" || scan.after(c, true) != "Ignore" {
		t.Errorf("after a signal to stop: exit code %d, %s", c, scan.after(c, false))
	}
	if scan.after(137, true) != "Ignore" || scan.after(1, false) != "count" {
		t.Error("a disruption counts, or a failure does not")
	}
	// One more index than there are shards: nothing that another attempt gets right.
	if c := code(scan.command(t, n, mounted)); c != 2 || scan.after(c, false) != "FailIndex" {
		t.Errorf("an index without a shard: exit code %d, %s", c, scan.after(c, false))
	}
	last := n - 1
	for index := range last {
		if c := code(scan.command(t, index, mounted)); c != 0 {
			t.Fatalf("index %d: exit code %d", index, c)
		}
	}
	if c := code(report.command(t, 0, mounted)); c != 4 {
		t.Errorf("the last index is missing, and the report's exit code is %d", c)
	}
	if c := code(scan.command(t, last, mounted)); c != 0 {
		t.Fatalf("exit code %d", c)
	}
	if c := code(report.command(t, 0, mounted)); c != 0 {
		t.Errorf("all is there, and the report's exit code is %d", c)
	}
	whole(t, gateways, mounted["results"])
	for index := range n - 1 {
		if err := os.Remove(results(index, ".jsonl")); err != nil {
			t.Fatal(err)
		}
	}
	if c := code(report.command(t, 0, mounted)); c != 4 {
		t.Errorf("one index alone is there, and the report's exit code is %d", c)
	}
}

// TestFleetOverSSH runs the example with something in the place of ssh that runs what it
// is given here, a folder for each host: this script killed, a host that is down, a scan
// that is killed there, and at last all of it.
func TestFleetOverSSH(t *testing.T) {
	t.Parallel()
	const gateways = 30
	list := slowGateways(t, gateways)
	dir, bin, hosts := t.TempDir(), t.TempDir(), t.TempDir()
	calls := filepath.Join(t.TempDir(), "calls")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(bin, "ssh"), `#!/bin/sh
printf '%s\n' "$1 $2 $3 $4 $5" >>"$CALLS"
while [ "$1" != -- ]; do shift; done
[ "$2" != "$DOWN" ] || { echo "ssh: $2 is down" >&2; exit 255; }
HOME=$HOSTS/$2
mkdir -p "$HOME" && cd "$HOME" || exit 1
shift 2
exec sh -c "$*"
`)
	write(filepath.Join(bin, "clawsonar"), `#!/bin/sh
echo $$ >"$HOME/pid"
exec '`+built+`' "$@"
`)
	write(filepath.Join(dir, "hosts"), "# ours\nada@alpha\n\n  beta # the second\ngamma")
	write(filepath.Join(dir, "list"), list)
	script, err := filepath.Abs(filepath.Join(root, "examples/ssh-fleet.sh"))
	if err != nil {
		t.Fatal(err)
	}
	const header = `X-Scan: it's $(touch owned) "ours" \`
	start := func(down string, args ...string) (*exec.Cmd, *bytes.Buffer) {
		t.Helper()
		cmd := exec.Command("sh", append([]string{script}, args...)...)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + dir, "HOSTS=" + hosts, "CALLS=" + calls, "DOWN=" + down}
		out := new(bytes.Buffer)
		cmd.Stdout, cmd.Stderr = out, out
		cmd.WaitDelay = time.Minute // for hosts that still hold its stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd, out
	}
	scan := []string{"hosts", "list", "first", "-c", "1", "-H", header}
	ends := func(cmd *exec.Cmd, out *bytes.Buffer, want int) {
		t.Helper()
		_ = cmd.Wait()
		t.Logf("%s", out)
		if code := cmd.ProcessState.ExitCode(); code != want {
			t.Fatalf("exit code %d, want %d", code, want)
		}
	}
	at := func(host, name string) string { return filepath.Join(hosts, host, name) }

	for _, wrong := range [][]string{{"hosts", "list"}, {"hosts", "none", "first"}, {"hosts", "list", "../first"}, {"hosts", "list", "-first"}, {"hosts", "list", ""}} {
		cmd, out := start("", wrong...)
		ends(cmd, out, 2)
	}
	write(filepath.Join(dir, "twice"), "alpha\nbeta\nalpha\n")
	cmd, out := start("", "twice", "list", "first")
	ends(cmd, out, 2)
	if _, err := os.Stat(calls); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal("a host was contacted all the same")
	}

	// The script is killed: the hosts stop by themselves.
	cmd, _ = start("gamma", scan...)
	for _, host := range []string{"ada@alpha", "beta"} {
		appears(t, at(host, "clawsonar/first/journal"))
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	for _, host := range []string{"ada@alpha", "beta"} {
		for range 500 {
			if _, err = os.Stat(at(host, "clawsonar/first/.journal.lock")); err != nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		journal, _ := os.ReadFile(at(host, "clawsonar/first/journal"))
		if !errors.Is(err, fs.ErrNotExist) || !bytes.Contains(journal, []byte(`"finished":false`)) {
			t.Fatalf("%s goes on, or was finished: %v, %s", host, err, journal)
		}
		_ = os.Remove(at(host, "pid"))
	}

	// A host is down, and the scan of another is killed.
	cmd, out = start("gamma", scan...)
	appears(t, at("beta", "pid"))
	appears(t, at("beta", "clawsonar/first/.journal.lock"))
	text, err := os.ReadFile(at("beta", "pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	ends(cmd, out, 4)
	if s := out.String(); !strings.Contains(s, "gamma: shard 3/3 ended with 255") || !strings.Contains(s, "beta: shard 2/3 ended with 137") || !strings.Contains(s, "INCOMPLETE") || !strings.Contains(s, "missing: 3/3") {
		t.Error("what is missing is not said")
	}

	// All of them, and once more where nothing is left to do.
	for range 2 {
		cmd, out = start("", scan...)
		ends(cmd, out, 0)
		whole(t, gateways, filepath.Join(dir, "first"))
	}
	var head struct{ Network struct{ Headers []string } }
	data, err := os.ReadFile(filepath.Join(dir, "first", "3.jsonl"))
	if err == nil {
		line, _, _ := bytes.Cut(data, []byte("\n"))
		if err = json.Unmarshal(line, &head); err == nil && !slices.Contains(head.Network.Headers, header) {
			t.Errorf("the header arrived as %q: %s", head.Network.Headers, line)
		}
	}
	if err != nil {
		t.Error(err)
	}
	for _, folder := range []string{dir, at("beta", ""), at("beta", "clawsonar/first")} {
		if _, err := os.Stat(filepath.Join(folder, "owned")); err == nil {
			t.Error("an argument was run by a shell")
		}
	}
	said, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(said)) {
		if !strings.HasPrefix(line, "-a -x -T -o BatchMode=yes") {
			t.Errorf("ssh was called with %s", line)
		}
	}
}
