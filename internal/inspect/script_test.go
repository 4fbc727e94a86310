package inspect

import "testing"

func TestScripts(t *testing.T) {
	hostCases(t, map[string]struct {
		files map[string]string
		want  string
	}{
		"writes a configuration": {
			map[string]string{"start.sh": "#!/bin/sh\nmkdir -p /data/.openclaw\ncat > /data/.openclaw/openclaw.json << 'EOF'\n{\"gateway\":{\"mode\":\"local\",\n \"token\":\"${A}\"}}\nEOF\nexec node openclaw.mjs gateway --allow-unconfigured --bind lan\n"},
			"gateway script@start.sh:7  --allow-unconfigured=true@7 --bind=lan@7\n" +
				"config start.sh@4+3,0 writes=/data/.openclaw/openclaw.json state= \"{\\\"gateway\\\":{\\\"mode\\\":\\\"local\\\",\\n \\\"token\\\":\\\"${A}\\\"}}\\n\"",
		},
		"expands": {
			map[string]string{"run": "#!/usr/bin/env bash\nDIR=${STATE:-/data}\nPORT=18790\nTOKEN=$(openssl rand -hex 16)\ncat <<EOF | tee \"$DIR/openclaw.json\" >/dev/null\n{\"a\":\"$OPENCLAW_GATEWAY_TOKEN\",\"b\":$PORT,\n \"c\":\"$TOKEN\",\"d\":\"\\${X}\"}\nEOF\n"},
			"config run@6+5,0 writes=/data/openclaw.json state= \"{\\\"a\\\":\\\"${OPENCLAW_GATEWAY_TOKEN}\\\",\\\"b\\\":18790,\\n \\\"c\\\":\\\"${SET_BY_A_SCRIPT}\\\",\\\"d\\\":\\\"${X}\\\"}\\n\"\n" +
				"gap script gap.script-text@run:6",
		},
		"echo": {
			map[string]string{"a.sh": "set -e\necho '{\"gateway\": {}}' > ~/.openclaw/openclaw.json\nopenclaw config set gateway.bind lan\nnpm install -g openclaw@2026.9.6\n"},
			"config a.sh@2+1,6 writes=~/.openclaw/openclaw.json state= \"{\\\"gateway\\\": {}}\"\nrelease 2026.9.6@a.sh:4\ngap script gap.script-config@a.sh:3",
		},
		"socat": {
			map[string]string{"forward.sh": "#!/bin/sh\nexec socat TCP-LISTEN:8080,fork,reuseaddr TCP:127.0.0.1:18789\n"},
			"door socat@forward.sh:2 in=:8080@2 to=127.0.0.1:18789 bytes@- tls=2",
		},
		"tunnels": {
			map[string]string{"up.sh": "PORT=18789\nngrok http --basic-auth=u:p $PORT &\ncpolar http 18789\ncloudflared tunnel --url http://localhost:$PORT\nsudo tailscale funnel --bg 18789\ntailscale serve --https=8443 --set-path /x http://127.0.0.1:18789\nfrpc tcp -s h -l 18789 -r 6000\nssh -fNTR 18789:localhost:18789 me@h\ncloudflared tunnel run --token abc\nssh -L 18789:localhost:18789 me@h\n"},
			"door ngrok@up.sh:2 in=:0@2 internet to=:18789 xff=2 login=basic@2 tls=1\n" +
				"door cpolar@up.sh:3 in=:0@3 internet to=:18789 xff=2 tls=1\n" +
				"door cloudflared@up.sh:4 in=:0@4 internet to=localhost:18789 xff=2 tls=1\n" +
				"door tailscale funnel@up.sh:5 in=tailnet:443@5 internet to=:18789 xff=1 tls=1\n" +
				"door tailscale serve@up.sh:6 in=tailnet:8443@6 tailnet to=127.0.0.1:18789 path=/x xff=1 tls=1\n" +
				"door frp@up.sh:7 in=:6000@7 internet to=:18789 bytes@7 tls=2\n" +
				"door ssh -R@up.sh:8 in=:18789@8 unknown h to=localhost:18789 bytes@- tls=2\n" +
				"gap cloudflared gap.tunnel-elsewhere@up.sh:9",
		},
		"docker": {
			map[string]string{"run.sh": "docker run -d --name claw -p 127.0.0.1:18789:18789 \\\n  -p 18790:18790 -e OPENCLAW_GATEWAY_TOKEN=abc -v ~/.openclaw:/home/node/.openclaw \\\n  openclaw/openclaw:2026.9.6 node dist/index.js gateway --bind lan\n"},
			"door published port@run.sh:1 name=claw in=127.0.0.1:18789@1 to=:18789 tls=0\n" +
				"door published port@run.sh:2 name=claw in=:18790@2 to=:18790 tls=0\n" +
				"gateway script@run.sh:1 claw space=container:./claw image=openclaw/openclaw:2026.9.6 release=2026.9.6 --bind=lan@3 OPENCLAW_GATEWAY_TOKEN=abc@2 /home/node/.openclaw<-outside\n" +
				"secret gateway token@run.sh:2",
		},
		"quadlet": {
			map[string]string{"openclaw.container": "[Container]\nImage=openclaw/openclaw:latest\nPublishPort=127.0.0.1:18789:18789\nEnvironment=OPENCLAW_GATEWAY_TOKEN=abc\nEnvironmentFile=%h/.openclaw/.env\nVolume=%h/.openclaw:/home/node/.openclaw:Z\nUser=0\nExec=node dist/index.js gateway \\\n  --bind lan\n", "home/.openclaw/.env": "X=y\n"},
			"door published port@openclaw.container:3 name=openclaw in=127.0.0.1:18789@3 to=:18789 tls=0\n" +
				"gateway quadlet@openclaw.container:2 openclaw space=container:./openclaw image=openclaw/openclaw:latest root@7 --bind=lan@9 OPENCLAW_GATEWAY_TOKEN=abc@4 X=y@home/.openclaw/.env:1 /home/node/.openclaw<-home/.openclaw\n" +
				"secret gateway token@openclaw.container:4",
		},
		"launchd": {
			map[string]string{"Library/LaunchAgents/ai.openclaw.plist": "<?xml version=\"1.0\"?>\n<plist version=\"1.0\"><dict>\n<key>Label</key><string>ai.openclaw</string>\n<key>ProgramArguments</key><array>\n<string>/usr/local/bin/openclaw</string>\n<string>gateway</string><string>--bind</string>\n<string>lan</string></array>\n<key>EnvironmentVariables</key><dict><key>OPENCLAW_GATEWAY_TOKEN</key>\n<string>a&amp;b</string></dict>\n</dict></plist>\n"},
			"gateway launchd@Library/LaunchAgents/ai.openclaw.plist:5 ai.openclaw --bind=lan@7 OPENCLAW_GATEWAY_TOKEN=a&b@9\n" +
				"secret gateway token@Library/LaunchAgents/ai.openclaw.plist:9",
		},
	})
}
