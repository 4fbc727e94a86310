//go:build e2e && linux

package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/test/lab"
)

// skillFile is the skill, from here.
const skillFile = "../../../skills/clawsonar/SKILL.md"

// skillStatus is what "openclaw skills info --json" says, as far as it matters here.
type skillStatus struct {
	Name     string
	Eligible bool
	Homepage string
	Missing  struct{ Bins []string }
}

// commands are those of a section of the skill, one a line, of its blocks in turn.
func commands(t *testing.T, skill, section string) (out []string) {
	t.Helper()
	_, rest, ok := strings.Cut(skill, "\n## "+section+"\n")
	if !ok {
		t.Fatalf("the skill has no section %q", section)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(rest, -1) {
		out = append(out, strings.Split(strings.TrimSpace(block[1]), "\n")...)
	}
	return out
}

// TestSkill: real gateways take the skill as it is, and know whether the program is there.
// What it tells an agent to run is then run as it stands, in the gateway's environment: it
// does what the skill says, and the gateway's state stays as it is.
func TestSkill(t *testing.T) {
	l, ctx := openLab(t, "lab", "the skill", "npm", "netns")
	data, err := os.ReadFile(skillFile)
	if err != nil {
		t.Fatal(err)
	}
	skill := string(data)
	folder, err := filepath.Abs(filepath.Dir(skillFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		release string
		bind    string
		gateway string // its configuration
		there   bool   // the program, from the start: this release looks for it once
		codes   []int
		says    []string // of scan and inspect
		outside string   // what is seen there
	}{
		{"2026.9.6", "loopback", "bind: \"loopback\", auth: {mode: \"none\"}", false, []int{3, 3}, []string{"auth-missing", "auth-missing"}, `"outcome":"closed"`},
		{"2026.6.11", "lan", "bind: \"lan\", auth: {mode: \"token\", token: \"@SECRET@\"}", true, []int{3, 0}, []string{"advisory-affected", "auth required"}, `"state":"required"`},
	} {
		t.Run(c.release, func(t *testing.T) {
			n, err := lab.NewNet()
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			dir := t.TempDir()
			bin, home := filepath.Join(dir, "bin"), filepath.Join(dir, "gateway", "home")
			units := filepath.Join(home, ".config", "systemd", "user")
			for _, d := range []string{bin, units, filepath.Join(home, ".openclaw")} {
				if err := os.MkdirAll(d, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			install := func() {
				t.Helper()
				if err := os.Symlink(program, filepath.Join(bin, "clawsonar")); err != nil {
					t.Fatal(err)
				}
			}
			if c.there {
				install()
			}
			// The files of an installed one: the configuration where it is by default, and a
			// unit, since a gateway hides its own arguments.
			secret := rand.Text()
			config := strings.NewReplacer("@PORT@", "18789", "@LOG@", filepath.Join(dir, "gateway", "file.log"), "@SECRET@", secret).Replace(openclawJSON(c.gateway)["openclaw.json"])
			file := filepath.Join(home, ".openclaw", "openclaw.json")
			for name, text := range map[string]string{
				filepath.Join(units, "openclaw-gateway.service"): "[Service]\nExecStart=/usr/bin/openclaw gateway run --port 18789 --allow-unconfigured\n",
				file: config,
			} {
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			g, err := l.Start(ctx, filepath.Join(dir, "gateway"), lab.Config{
				Name: "skill", Package: "openclaw", Version: c.release, File: []byte(config), Bind: c.bind, Port: 18789, Net: n.Gateway,
				Env: []string{"PATH=" + bin + ":" + filepath.Dir(l.Node()) + ":/usr/bin:/bin", "OPENCLAW_CONFIG_PATH=" + file},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer g.Stop()
			// run runs a command line in the environment of the gateway, as its agent does.
			run := func(on *lab.Namespace, line string) (string, int) {
				t.Helper()
				cmd := on.Command("sh", "-c", line)
				cmd.Env, cmd.Dir = g.Environ(), g.Home
				var stderr bytes.Buffer
				cmd.Stderr = &stderr
				out, err := cmd.Output()
				if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
					t.Fatal(err)
				}
				t.Log(strings.ReplaceAll(fmt.Sprintf("$ %s\n%s%s(exit code %d)", line, out, stderr.String(), cmd.ProcessState.ExitCode()), secret, "[secret]"))
				return string(out), cmd.ProcessState.ExitCode()
			}
			openclaw := func(args string, into any) {
				t.Helper()
				out, code := run(n.Gateway, strings.Replace(args, "openclaw", l.Node()+" "+g.Entry(), 1))
				if code != 0 {
					t.Fatalf("exit code %d", code)
				}
				if err := json.Unmarshal([]byte(out), into); into != nil && err != nil {
					t.Fatal(err)
				}
			}
			openclaw("openclaw skills install "+folder, nil)
			if !c.there {
				var s skillStatus
				openclaw("openclaw skills info clawsonar --json", &s)
				if s.Eligible || !slices.Equal(s.Missing.Bins, []string{"clawsonar"}) {
					t.Errorf("without the program: %+v", s)
				}
				install()
			}
			var s skillStatus
			openclaw("openclaw skills info clawsonar --json", &s)
			if s.Name != "clawsonar" || !s.Eligible || len(s.Missing.Bins) > 0 || s.Homepage != "https://github.com/clawsonar/clawsonar" {
				t.Errorf("with the program: %+v", s)
			}
			var check struct{ Eligible, ModelVisible []string }
			openclaw("openclaw skills check --json", &check)
			if !slices.Contains(check.Eligible, "clawsonar") || !slices.Contains(check.ModelVisible, "clawsonar") {
				t.Errorf("check: %+v", check)
			}

			// The first request that 2026.9.6 accepts makes it write down its owner's profile,
			// see docs/protocol.md.
			run(n.Gateway, "clawsonar scan 127.0.0.1:18789 "+n.Gateway.Addr.String()+":18789")
			before, err := settle(ctx, g)
			if err != nil {
				t.Fatal(err)
			}
			look := commands(t, skill, "Look")
			if len(look) != len(c.codes) {
				t.Fatalf("%q", look)
			}
			for i, line := range look {
				if out, code := run(n.Gateway, line); code != c.codes[i] || !strings.Contains(out, c.says[i]) || strings.Contains(out, secret) {
					t.Errorf("%s: exit code %d, want %d and %q", line, code, c.codes[i], c.says[i])
				}
			}
			if out, code := run(n.Gateway, "clawsonar explain auth-missing"); code != 0 || !strings.Contains(out, "What to do") {
				t.Errorf("exit code %d", code)
			}
			ask := commands(t, skill, "Ask for a look from outside")
			if len(ask) != 2 {
				t.Fatalf("%q", ask)
			}
			at := netip.AddrPortFrom(n.Gateway.Addr, 18789).String()
			if out, _ := run(n.Viewer, strings.Replace(ask[0], "ADDRESS:PORT", at, 1)+" -f jsonl"); !strings.Contains(out, c.outside) {
				t.Error("the look from outside")
			}
			// Not over the internet: what it would do.
			line := strings.NewReplacer("HOST", "claw.example.org", "MAIL", "me@example.org").Replace(ask[1])
			if _, code := run(n.Viewer, line+" -allow 192.0.2.0/24 -dry-run"); code != 0 {
				t.Errorf("exit code %d", code)
			}
			time.Sleep(2 * time.Second) // what is written late counts, too
			after, err := snapshot(ctx, g)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range withoutIdle(diff(before, after)) {
				// The one line that a WebSocket opening leaves.
				if x.Kind != logLine || !strings.Contains(x.Detail, "closed before connect") {
					t.Errorf("the state changed: %s", x)
				}
			}

			// What the owner does, if at all. This release asks for a pairing first.
			if c.there {
				return
			}
			for _, line := range commands(t, skill, "Regularly") {
				openclaw(line, nil)
			}
			type job struct {
				Name     string
				Schedule struct{ Expr string }
			}
			var jobs struct{ Jobs []job }
			openclaw("openclaw cron list --json", &jobs)
			if !slices.ContainsFunc(jobs.Jobs, func(j job) bool { return j.Name == "clawsonar" && j.Schedule.Expr == "0 7 * * *" }) {
				t.Errorf("%+v", jobs)
			}
		})
	}
}

// TestSkillPinned: the gateway takes the archives that a release puts into the skill, those
// of its own system, with their digests.
func TestSkillPinned(t *testing.T) {
	l, ctx := openLab(t, "lab", "the skill of a release", "npm", "netns")
	const release = "2026.9.6"
	if err := l.Install(ctx, "openclaw", release); err != nil {
		t.Fatal(err)
	}
	n, err := lab.NewNet()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	g := &lab.Gateway{Config: lab.Config{Package: "openclaw", Version: release}, Home: t.TempDir(), Lab: l}
	// The layout of the repository, with sums.
	skills, sums := filepath.Join(g.Home, ".openclaw", "skills"), ""
	for _, archive := range []string{"linux_amd64.tar.gz", "linux_arm64.tar.gz", "darwin_arm64.tar.gz", "windows_amd64.zip"} {
		sums += strings.Repeat("0a", 32) + "  clawsonar_1.2.3_" + archive + "\n"
	}
	data, err := os.ReadFile(skillFile)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"skills/clawsonar/SKILL.md": string(data), "ci/sums.txt": sums} {
		file := filepath.Join(g.Home, ".openclaw", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tool := filepath.Join(t.TempDir(), "skill")
	if out, err := exec.Command("go", "build", "-o", tool, "github.com/clawsonar/clawsonar/internal/tools/skill").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	pin := exec.Command(tool)
	pin.Dir = filepath.Dir(skills)
	if out, err := pin.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := n.Viewer.Command(l.Node(), g.Entry(), "skills", "info", "clawsonar", "--json")
	cmd.Env, cmd.Dir = append(g.Environ(), "PATH="+filepath.Dir(l.Node())+":/usr/bin:/bin"), g.Home
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var s struct {
		Eligible bool
		Install  []struct{ ID, Kind string }
	}
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var ids []string
	for _, x := range s.Install {
		ids = append(ids, x.ID)
	}
	if want := []string{"download-linux-amd64", "download-linux-arm64"}; s.Eligible || !slices.Equal(ids, want) {
		t.Errorf("%s\nwant %q", out, want)
	}
}
