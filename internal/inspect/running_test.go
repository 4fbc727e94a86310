package inspect

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/filetree"
	"github.com/clawsonar/clawsonar/internal/release"
)

// What runs is the gateway of its unit, once; what no unit starts stands for itself.
func TestRunning(t *testing.T) {
	const unit = "[Service]\nEnvironment=OPENCLAW_GATEWAY_TOKEN=from-the-unit\nExecStart=/usr/bin/openclaw gateway --bind loopback --port 19000\n"
	claw := "openclaw\x00gateway\x00--bind\x00lan\x00--port\x0019000\x00"
	for _, tt := range []struct {
		name  string
		files map[string]string
		runs  fakeProcesses
		want  []string
	}{
		{"a unit's, started with other arguments",
			map[string]string{"etc/systemd/system/openclaw.service": unit, "home/a/.openclaw/openclaw.json": "{}"},
			fakeProcesses{2: {claw, "HOME=/home/a\x00OPENCLAW_GATEWAY_TOKEN=from-the-unit\x00X=y\x00"}},
			[]string{"systemd openclaw etc/systemd/system/openclaw.service:3 reads home/a/.openclaw/openclaw.json; bind lan /proc/2/cmdline:1, port 19000 etc/systemd/system/openclaw.service:3, token etc/systemd/system/openclaw.service:2, X /proc/2/environ:3"}},
		{"its title alone",
			map[string]string{"etc/systemd/system/openclaw.service": unit, "home/a/.openclaw/openclaw.json": "{}"},
			fakeProcesses{2: {"openclaw-gateway\x00"}},
			[]string{"systemd openclaw etc/systemd/system/openclaw.service:3 reads home/a/.openclaw/openclaw.json; bind loopback etc/systemd/system/openclaw.service:3, port 19000 etc/systemd/system/openclaw.service:3, token etc/systemd/system/openclaw.service:2"}},
		{"another port than the unit's is another gateway",
			map[string]string{"etc/systemd/system/openclaw.service": unit, "home/a/.openclaw/openclaw.json": "{}"},
			fakeProcesses{2: {"openclaw\x00gateway\x00", "HOME=/home/a\x00"}},
			[]string{"systemd openclaw etc/systemd/system/openclaw.service:3 reads nothing; bind loopback etc/systemd/system/openclaw.service:3, port 19000 etc/systemd/system/openclaw.service:3, token etc/systemd/system/openclaw.service:2",
				"process  home/a/.openclaw/openclaw.json:1 reads home/a/.openclaw/openclaw.json;"}},
		{"two programs of one gateway",
			map[string]string{"home/a/.openclaw/openclaw.json": "{}"},
			fakeProcesses{2: {claw, "HOME=/home/a\x00"}, 3: {"openclaw-gateway\x00", "HOME=/home/a\x00"}},
			[]string{"process  home/a/.openclaw/openclaw.json:1 reads home/a/.openclaw/openclaw.json; bind lan /proc/2/cmdline:1, port 19000 /proc/2/cmdline:1"}},
		{"two state directories, one named by a variable",
			map[string]string{"home/a/.openclaw/openclaw.json": "{}", "srv/claw/openclaw.json": "{}"},
			fakeProcesses{2: {claw, "HOME=/home/a\x00OPENCLAW_STATE_DIR=/srv/claw\x00"}},
			[]string{"process  srv/claw/openclaw.json:1 reads srv/claw/openclaw.json; bind lan /proc/2/cmdline:1, port 19000 /proc/2/cmdline:1",
				"openclaw.json  home/a/.openclaw/openclaw.json:1 reads home/a/.openclaw/openclaw.json;"}},
		{"in a container",
			map[string]string{"home/a/.openclaw/openclaw.json": "{}"},
			fakeProcesses{2: {claw, "HOME=/home/a\x00", "0::/system.slice/docker-0123.scope\n"}},
			[]string{"openclaw.json  home/a/.openclaw/openclaw.json:1 reads home/a/.openclaw/openclaw.json;", "gap.in-container /proc/2/cmdline:1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &deploy.Model{}
			addProcesses(m, tt.runs)
			d := Read(filetree.Map(tt.files, nil), Options{Running: m.Gateways, Gaps: m.Gaps})
			var got []string
			for _, g := range d.Model.Gateways {
				reads := "nothing"
				if g.Config != nil {
					reads = g.Config.File
				}
				s := fmt.Sprintf("%s %s %s reads %s;", g.Kind, g.Name, g.Pos, reads)
				var values []string
				if g.Command != nil {
					for _, f := range []string{"bind", "port"} {
						if v, ok := g.Command.Flags[f]; ok {
							values = append(values, fmt.Sprintf(" %s %s %s:%d", f, tell(v), v.Pos.File, v.Pos.Line))
						}
					}
				}
				for _, e := range [][2]string{{"OPENCLAW_GATEWAY_TOKEN", "token"}, {"X", "X"}} {
					if v, ok := g.Env[e[0]]; ok {
						values = append(values, fmt.Sprintf(" %s %s:%d", e[1], v.Pos.File, v.Pos.Line))
					}
				}
				got = append(got, s+strings.Join(values, ","))
			}
			for _, g := range d.Model.Gaps {
				got = append(got, g.Why+" "+g.Pos.String())
			}
			if g, w := strings.Join(got, "\n"), strings.Join(tt.want, "\n"); g != w {
				t.Errorf("got\n%s\nwant\n%s", g, w)
			}
		})
	}
}

func TestPlaces(t *testing.T) {
	m := &deploy.Model{}
	addProcesses(m, fakeProcesses{
		1: {"openclaw\x00gateway\x00--profile\x00work\x00", "HOME=/home/a\x00"},
		2: {"openclaw\x00gateway\x00", "HOME=/home/a\x00OPENCLAW_CONFIG_PATH=~/conf/x.json\x00"},
		3: {"openclaw\x00gateway\x00", "OPENCLAW_STATE_DIR=relative\x00"},
		4: {"openclaw\x00gateway\x00"},
	})
	if got := strings.Join(Places(m.Gateways), " "); got != "/home/a/.openclaw-work /home/a/conf/x.json" {
		t.Error(got)
	}
}

// Copied files are where the user says.
func TestCopied(t *testing.T) {
	config := `{"gateway": {"auth": {"token": "${TOKEN}"}}}`
	for _, tt := range []struct {
		name  string
		files map[string]string
		o     Options
		want  string
	}{
		{"no directory is named", map[string]string{"copy/openclaw.json": config, "copy/.env": "TOKEN=state"}, Options{}, ""},
		{"the state directory", map[string]string{"copy/openclaw.json": config, "copy/.env": "TOKEN=state"}, Options{StateDir: "copy"}, "state"},
		{"another than the default one has no gateway.env", map[string]string{"copy/openclaw.json": config, ".config/openclaw/gateway.env": "TOKEN=home"}, Options{StateDir: "copy"}, ""},
		{"the default one of a home", map[string]string{"h/.openclaw/openclaw.json": config, "h/.config/openclaw/gateway.env": "TOKEN=home"}, Options{Home: "h", StateDir: "h/.openclaw"}, "home"},
		{"a profile's is not the default one", map[string]string{"h/.openclaw-x/openclaw.json": config, "h/.config/openclaw/gateway.env": "TOKEN=home"}, Options{}, ""},
		{"~ is the home", map[string]string{"h/.openclaw/openclaw.json": config, "h/x.env": "TOKEN=unit", "x.env": "TOKEN=other",
			"u/openclaw.service": "[Service]\nUser=claw\nEnvironmentFile=%h/x.env\nExecStart=openclaw gateway\n"}, Options{Home: "h", StateDir: "h/.openclaw"}, "unit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := Read(filetree.Map(tt.files, nil), tt.o)
			if len(d.Model.Gateways) != 1 {
				t.Fatal(len(d.Model.Gateways))
			}
			g := d.Model.Gateways[0]
			_, env := d.Load(g.Config, func(name string) deploy.Value { return g.Env[name] }, release.MustParse("2026.9.6"))
			if got := env("TOKEN").Text; got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
