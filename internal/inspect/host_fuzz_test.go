package inspect

import (
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/filetree"
)

// FuzzHost shows every reader of this part one text under the names of its kinds: nothing breaks, and
// every place is within the file.
func FuzzHost(f *testing.F) {
	names := []string{
		"a.service", "a.service.d/b.conf", "a.container", "a.pod", "a.plist", "a.sh", "config.yml", "frpc.toml", "frpc.ini", "frpc.json", "ngrok.yml",
		"cpolar.yml", "serve.json", "fly.toml", "render.yaml", "railway.json", "Procfile", "northflank.json", "package.json", "package-lock.json",
		".openclaw/openclaw.json.bak", ".env.example", ".openclaw/openclaw.json",
	}
	for i := range names {
		for _, text := range []string{
			"[Service]\nEnvironment=A=b \"C=%h\"\nExecStart=-openclaw gateway --bind ${A} \\\n --port 1\n[Container]\nImage=openclaw\nPublishPort=1:2\nVolume=%h:/x\n",
			"#!/bin/sh\ncat > $X/openclaw.json <<EOF\n{\"a\": \"$B\"}\nEOF\necho '{}' > openclaw.json\nssh -R 1:a:2 h; socat TCP-LISTEN:1 TCP:a:2; docker run -p 1:2 -e A=b openclaw\nngrok http 1\ntailscale serve 443\nfrpc tcp -l 1\n",
			"serverAddr = 'x'\n[[proxies]]\ntype = 'tcp'\nlocalPort = 1\n[env]\nA = '😀'\n[processes]\nx = \"openclaw gateway\"\n[[services]]\n[[services.ports]]\nport = 1\n[http_service]\n",
			"tunnel: x\ningress:\n - service: http://a:1\ntunnels:\n a: {addr: 1, proto: tcp, authtoken: x}\nservices:\n - {type: web, envVars: [{key: A}]}\n",
			`{"Web": {"a:443": {"Handlers": {"/": {"Proxy": "http://a:1"}}}}, "dependencies": {"openclaw": "1"}, "deployment": {}, "ports": [{"public": true}]}`,
			"<plist><dict><key>ProgramArguments</key><array><string>openclaw</string><string>gateway</string></array></dict></plist>",
		} {
			f.Add(i, text)
		}
	}
	f.Fuzz(func(t *testing.T, i int, text string) {
		if i < 0 {
			i = -(i + 1)
		}
		name := names[i%len(names)]
		tree := filetree.Map(map[string]string{name: text})
		m := &deploy.Model{}
		for _, r := range readers() {
			if r.match(name, []byte(text)) {
				_ = r.read(&source{name: name, data: []byte(text), tree: tree, m: m})
				break
			}
		}
		lines := strings.Count(text, "\n") + 1
		within := func(p event.Pos) {
			if p.File == name && (p.Line < 1 || p.Line > lines) {
				t.Fatalf("%s:%d of %d lines", p.File, p.Line, lines)
			}
		}
		for _, d := range m.Doors {
			within(d.Pos)
			within(d.In.Pos)
			if d.Pos.IsZero() {
				t.Fatalf("a door without a place: %+v", d)
			}
		}
		for _, g := range m.Gateways {
			within(g.Pos)
			for _, v := range g.Env {
				within(v.Pos)
			}
			if g.Pos.IsZero() {
				t.Fatalf("a gateway without a place: %+v", g)
			}
		}
		for _, g := range m.Gaps {
			within(g.Pos)
		}
		for _, v := range m.Secrets {
			within(v.Value.Pos)
		}
		for _, c := range m.Configs {
			if c.Line < 0 || c.Line+strings.Count(string(c.Data), "\n") > lines {
				t.Fatalf("configuration at %d of %d lines", c.Line, lines)
			}
		}
	})
}
