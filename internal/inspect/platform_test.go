package inspect

import "testing"

func TestPlatforms(t *testing.T) {
	hostCases(t, map[string]struct {
		files map[string]string
		want  string
	}{
		"fly": {
			map[string]string{"fly.toml": "app = \"my-claw\"\n[env]\n  OPENCLAW_STATE_DIR = \"/data\"\n[processes]\n  app = \"node dist/index.js gateway --allow-unconfigured --port 3000 --bind lan\"\n[http_service]\n  internal_port = 3000\n  force_https = true\n"},
			"door fly@fly.toml:6 name=my-claw in=:443@6 internet to=:3000 xff=2 tls=1\n" +
				"gateway fly@fly.toml:5 app space=fly:fly.toml/app --allow-unconfigured=true@5 --bind=lan@5 --port=3000@5 OPENCLAW_STATE_DIR=/data@3 more@2",
		},
		"fly services": {
			map[string]string{"fly.toml": "app = 'x'\n[build]\nimage = 'openclaw/openclaw:2026.9.6'\n[[services]]\ninternal_port = 18789\nprotocol = 'tcp'\n[[services.ports]]\nport = 443\nhandlers = ['tls', 'http']\n[[services.ports]]\nport = 18789\n"},
			"door fly@fly.toml:4 name=x in=:443@7 internet to=:18789 xff=2 tls=1\n" +
				"door fly@fly.toml:4 name=x in=:18789@10 internet to=:18789 bytes@10 tls=2\n" +
				"gateway fly@fly.toml:1 app space=fly:fly.toml/app image=openclaw/openclaw:2026.9.6 release=2026.9.6 --allow-unconfigured=true~@3 more@1",
		},
		"render": {
			map[string]string{"render.yaml": "services:\n  - type: web\n    name: claw\n    runtime: docker\n    envVars:\n      - key: OPENCLAW_GATEWAY_TOKEN\n        generateValue: true\n      - fromGroup: shared\n"},
			"door render@render.yaml:2 name=claw in=:443@2 internet to=:0 xff=2 tls=1\n" +
				"gateway render@render.yaml:2 claw space=render:render.yaml/claw candidate OPENCLAW_GATEWAY_TOKEN=present@6 more@8",
		},
		"railway": {
			map[string]string{"railway.json": "{\n \"deploy\": {\n  \"startCommand\": \"openclaw gateway --bind lan --port 8080\"\n }\n}\n"},
			"door railway@railway.json:3 in=:443@3 internet to=:0 xff=2 tls=1\n" +
				"gateway railway@railway.json:3  space=railway:railway.json/ --bind=lan@3 --port=8080@3 more@2",
		},
		"procfile": {
			map[string]string{"Procfile": "release: echo\nweb: npx openclaw gateway --port $PORT --bind lan\n"},
			"door railway@Procfile:2 name=web in=:443@2 internet to=:0 xff=2 tls=1\n" +
				"gateway railway@Procfile:2 web space=railway:Procfile/web --bind=lan@2 --port=$PORT@2 more@2",
		},
		"releases": {
			map[string]string{
				"a/package.json":      "{\n \"dependencies\": {\n  \"openclaw\": \"2026.9.6\"}}",
				"b/package.json":      "{\"dependencies\": {\"openclaw\": \"^2026.9.1\"}}",
				"c/package.json":      "{\"dependencies\": {\"openclaw\": \"^2026.9.1\"}}",
				"c/package-lock.json": "{\"packages\": {\n\t\"node_modules/openclaw\": {\n\t\t\"version\": \"2026.9.4\"}}}",
			},
			"release 2026.9.6@a/package.json:3\nrelease 2026.9.4@c/package-lock.json:3\ngap package.json gap.release-range@b/package.json:1",
		},
	})
}
