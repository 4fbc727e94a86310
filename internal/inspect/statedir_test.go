package inspect

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/filetree"
)

func TestStateDirs(t *testing.T) {
	hostCases(t, map[string]struct {
		files map[string]string
		want  string
	}{
		"two": {
			map[string]string{
				"home/.openclaw/openclaw.json":  "{}",
				"home/.clawdbot/clawdbot.json":  "{gateway: {}}",
				"home/.openclaw/openclaw.json~": "{\n gateway: {auth: {token:\n  'abc'}}, channels: {telegram: {botToken: 'def', x: '${Y}'}}}",
			},
			"config home/.clawdbot/clawdbot.json@1+0,0 writes= state=home/.clawdbot \"{gateway: {}}\"\n" +
				"config home/.openclaw/openclaw.json@1+0,0 writes= state=home/.openclaw \"{}\"\n" +
				"secret gateway token@home/.openclaw/openclaw.json~:3\nsecret botToken@home/.openclaw/openclaw.json~:3\n" +
				"file home/.clawdbot 0 state directory of an earlier name",
		},
		"samples": {
			map[string]string{".env.example": "A=b\nOPENCLAW_GATEWAY_TOKEN=123456\nOPENAI_API_KEY=x\n", "openclaw.json": "{}"},
			"config openclaw.json@1+0,0 writes= state= \"{}\"\nsecret gateway token@.env.example:2 example",
		},
	})
	tree := filetree.Map(map[string]string{
		"data/openclaw.json": "{}", "data/openclaw.json.bak.1": "{}", "data/.env": "A=b", "data/credentials/whatsapp/creds.json": "{}",
		"data/agents/main/agent/auth-profiles.json": "{}", "data/agents/main/sessions/a.jsonl": "", "data/state/openclaw.sqlite-wal": "", "data/workspace/x.txt": "",
	}, map[string]fs.FileMode{"data": fs.ModeDir | 0o755, "data/openclaw.json": 0o644})
	got := sketch(readAll(t, tree))
	for _, want := range []string{
		"state=data ", "file data 755 state directory\n", "file data/openclaw.json 644 configuration\n", "file data/.env 600 environment\n",
		"file data/openclaw.json.bak.1 600 backup of the configuration\n", "file data/credentials/whatsapp/creds.json 600 credentials\n",
		"file data/agents/main/agent/auth-profiles.json 600 authentication profiles\n", "file data/agents/main/sessions/a.jsonl 600 sessions\n",
		"file data/state/openclaw.sqlite-wal 600 database\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "workspace") {
		t.Error(got)
	}
}

type fakeProcesses map[int][3]string // cmdline, environ, cgroup

func (f fakeProcesses) IDs() []int { return []int{1, 2, 3, 4} }

func (f fakeProcesses) Read(id int, file string, _ int64) ([]byte, error) {
	text := f[id][0]
	if file == "cgroup" {
		return []byte(f[id][2]), nil
	}
	if file == "environ" {
		if text = f[id][1]; text == "" {
			return nil, errors.New("not allowed")
		}
	}
	return []byte(text), nil
}

func TestProcesses(t *testing.T) {
	m := &deploy.Model{}
	addProcesses(m, fakeProcesses{
		1: {"sh\x00-c\x00openclaw gateway\x00"},
		2: {"node\x00/usr/lib/node_modules/openclaw/openclaw.mjs\x00gateway\x00--bind\x00lan\x00", "HOME=/root\x00OPENCLAW_GATEWAY_PORT=1\x00"},
		3: {"openclaw-gateway\x00"},
		4: {"vim\x00openclaw.json\x00"},
	})
	want := "gateway process@/proc/2/cmdline:1 2 --bind=lan@1 HOME=/root@/proc/2/environ:1 OPENCLAW_GATEWAY_PORT=1@/proc/2/environ:2\n" +
		"gateway process@/proc/3/cmdline:1 3 --auth=?@1 --bind=?@1 --port=?@1 more@/proc/3/environ:1\n"
	if got := sketch(m); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
