package exposure_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/exposure"
	"github.com/clawsonar/clawsonar/internal/filetree"
	"github.com/clawsonar/clawsonar/internal/inspect"
)

// canary is the secret of the trees of FuzzInspect, wherever CANARY stands.
const canary = "zq7canaryzq7Xk29"

// FuzzInspect reads and judges small trees: nothing breaks, the same comes of it each
// time, every place is in the tree, and no secret is told.
func FuzzInspect(f *testing.F) {
	const (
		compose = "services:\n  openclaw:\n    image: openclaw/openclaw:2026.9.6\n    command: [openclaw, gateway, --token, CANARY, --bind, lan]\n" +
			"    environment:\n      OPENCLAW_GATEWAY_TOKEN: CANARY\n    ports: ['18789:18789', '6080:6080']\n    volumes: ['./.openclaw:/home/node/.openclaw']\n"
		config = "{gateway: {bind: 'lan', auth: {mode: 'none', token: 'CANARY', password: 'CANARY'}, trustedProxies: ['10.0.0.0/8']}, hooks: {enabled: true, token: 'CANARY'}}\n"
		nginx  = "server {\n listen 443 ssl; server_name a.example.com;\n location / { proxy_pass http://127.0.0.1:18789; proxy_set_header Authorization \"Bearer CANARY\"; }\n}\n"
		pod    = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {app: a}}\nspec:\n  containers:\n  - image: openclaw/openclaw:2026.9.6\n    env: [{name: OPENCLAW_GATEWAY_PASSWORD, value: CANARY}]\n" +
			"---\napiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {type: LoadBalancer, selector: {app: a}, ports: [{port: 80, targetPort: 18789}]}\n"
		unit = "[Service]\nEnvironment=OPENCLAW_GATEWAY_TOKEN=CANARY\nExecStart=/usr/bin/openclaw gateway --bind lan --password CANARY\n"
	)
	names := []string{"docker-compose.yml", ".openclaw/openclaw.json", "nginx.conf", "k8s.yaml", "gateway.service", "Caddyfile", "start.sh", ".env"}
	for _, text := range []string{compose, config, nginx, pod, unit} {
		for i := range names {
			f.Add(uint8(i), text, uint8(1), config)
			f.Add(uint8(i), text, uint8(2), nginx)
		}
	}
	f.Add(uint8(7), "OPENCLAW_GATEWAY_TOKEN=CANARY\n", uint8(0), strings.ReplaceAll(compose, "CANARY", "${OPENCLAW_GATEWAY_TOKEN}"))
	releases, keys := releases(f), keys(f)
	f.Fuzz(func(t *testing.T, i uint8, a string, k uint8, b string) {
		if len(a)+len(b) > 1<<16 {
			t.Skip()
		}
		files := map[string]string{
			names[int(i)%len(names)]: strings.ReplaceAll(a, "CANARY", canary), names[int(k)%len(names)]: strings.ReplaceAll(b, "CANARY", canary),
		}
		run := func() string {
			d := inspect.Read(filetree.Map(files), inspect.Options{})
			targets := exposure.Judge(d.Model, exposure.Options{Input: "deployment", Read: d.Read, Load: d.Load, Line: d.Line, Releases: releases, Keys: keys})
			in := func(p event.Pos) {
				text, there := files[p.File]
				if !there && p.File != ".openclaw" || p.Line < 0 || p.Line > strings.Count(text, "\n")+1 {
					t.Fatalf("%s is not in the tree", p)
				}
			}
			for _, x := range targets {
				for _, f := range x.Findings {
					for _, l := range f.Locations {
						in(l.Pos)
					}
				}
				for _, l := range x.Files.Unjudged {
					in(l.Pos)
				}
				for _, w := range x.Files.Ways {
					for _, l := range w.Steps {
						in(l.Pos)
					}
				}
			}
			out, err := json.Marshal(targets)
			if err != nil {
				t.Fatal(err)
			}
			// What stands where a name or an address does is told; so only what is read as
			// a secret is looked for.
			for _, s := range d.Model.Secrets {
				secret(t, string(out), s.Value)
			}
			for _, g := range d.Model.Gateways {
				for _, name := range []string{"OPENCLAW_GATEWAY_TOKEN", "OPENCLAW_GATEWAY_PASSWORD"} {
					secret(t, string(out), g.Env[name])
				}
			}
			return string(out)
		}
		if one, two := run(), run(); one != two {
			t.Fatalf("%s\nand then\n%s", one, two)
		}
	})
}

func secret(t *testing.T, out string, v deploy.Value) {
	t.Helper()
	if v.Text == canary && strings.Contains(out, canary) {
		at := strings.Index(out, canary)
		t.Fatalf("a secret is told: %s", out[max(0, at-200):at+len(canary)])
	}
}
