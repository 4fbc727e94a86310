package inspect

import "testing"

func TestTunnelFiles(t *testing.T) {
	hostCases(t, map[string]struct {
		files map[string]string
		want  string
	}{
		"cloudflared": {
			map[string]string{"config.yml": "tunnel: claw\ningress:\n  - hostname: claw.example.com\n    service: http://127.0.0.1:18789\n  - service: http_status:404\n"},
			"door cloudflared@config.yml:4 name=claw in=:0@3 internet claw.example.com to=127.0.0.1:18789 xff=2 tls=1",
		},
		"frp": {
			map[string]string{"frpc.toml": "serverAddr = \"203.0.113.10\"\nserverPort = 7000\nauth.token = \"made-up\"\n\n[[proxies]]\nname = \"claw\"\ntype = \"tcp\"\nlocalIP = \"127.0.0.1\"\nlocalPort = 18789\nremotePort = 18789\n"},
			"door frp@frpc.toml:9 name=claw in=:18789@10 internet to=127.0.0.1:18789 bytes@7 tls=2",
		},
		"frp of old": {
			map[string]string{"frpc.ini": "[common]\nserver_addr = 203.0.113.10\n[claw]\ntype = tcp\nlocal_port = 18789\nremote_port = 6000\n[web]\ntype = http\nlocal_ip = 127.0.0.1\nlocal_port = 18789\ncustom_domains = a.example.com, b.example.com\nhttp_user = u\nhttp_pwd = p\n[key]\ntype = stcp\nsk = abc\nlocal_port = 18789\n"},
			"door frp@frpc.ini:5 name=claw in=:6000@6 internet to=:18789 bytes@4 tls=2\n" +
				"door frp@frpc.ini:10 name=web in=:0@11 internet a.example.com b.example.com to=127.0.0.1:18789 xff=2 login=basic@12 tls=2",
		},
		"ngrok": {
			map[string]string{"ngrok.yml": "version: 3\nagent:\n  authtoken: made-up\nendpoints:\n  - name: claw\n    url: https://claw.ngrok.app\n    upstream:\n      url: 18789\n"},
			"door ngrok@ngrok.yml:8 name=claw in=:0@6 internet claw.ngrok.app to=:18789 xff=2 tls=1",
		},
		"serve and funnel": {
			map[string]string{"serve.json": "{\n\t\"TCP\": {\"443\": {\"HTTPS\": true}, \"8443\": {\"TCPForward\": \"127.0.0.1:18789\"}},\n \"Web\": {\n  \"${TS_CERT_DOMAIN}:443\": {\"Handlers\": {\"/\":\n   {\"Proxy\": \"http://127.0.0.1:18789\"}}}},\n \"AllowFunnel\": {\n  \"${TS_CERT_DOMAIN}:443\": true}}\n"},
			"door tailscale funnel@serve.json:5 in=tailnet:443@7 internet to=127.0.0.1:18789 path=/ xff=1 tls=1\n" +
				"door tailscale serve@serve.json:2 in=tailnet:8443@2 tailnet to=127.0.0.1:18789 bytes@- tls=0",
		},
	})
}

func TestUnits(t *testing.T) {
	hostCases(t, map[string]struct {
		files map[string]string
		want  string
	}{
		"gateway": {
			map[string]string{"openclaw-gateway.service": "[Unit]\nDescription=OpenClaw Gateway\n[Service]\nUser=root\nEnvironment=OPENCLAW_GATEWAY_TOKEN=7f3c0e9b5d1a48c2a6e4f0937bd8215c\nEnvironment=\"CLAWDBOT_GATEWAY_PORT=18790\"\nExecStart=/usr/bin/env openclaw gateway --port 18789 --bind lan \\\n  --verbose\nRestart=always\n"},
			"gateway systemd@openclaw-gateway.service:7 openclaw-gateway root@4 --bind=lan@7 --port=18789@7 --verbose=true@8 CLAWDBOT_GATEWAY_PORT=18790@6 OPENCLAW_GATEWAY_TOKEN=7f3c0e9b5d1a48c2a6e4f0937bd8215c@5\n" +
				"secret gateway token@openclaw-gateway.service:5",
		},
		"tunnel": {
			map[string]string{"claw-tunnel.service": "[Service]\nExecStart=/usr/bin/ssh -N -R 0.0.0.0:18789:127.0.0.1:18789 tunnel@vps.example.com\n"},
			"door ssh -R@claw-tunnel.service:2 in=0.0.0.0:18789@2 internet vps.example.com to=127.0.0.1:18789 bytes@- tls=2",
		},
		"drop-in": {
			map[string]string{
				"etc/systemd/system/openclaw.service":                 "[Service]\nEnvironmentFile=-/etc/openclaw/env\nEnvironmentFile=/etc/openclaw/more\nExecStart=openclaw gateway --bind $BIND --port ${PORT}\n",
				"etc/systemd/system/openclaw.service.d/override.conf": "[Service]\nExecStart=\nExecStart=-/usr/bin/openclaw gateway --bind ${BIND}\nEnvironment=\"BIND=loopback\" 'X=%h/a b'\n",
				"etc/openclaw/env":                                    "# comment\nBIND=\"lan\"\n",
			},
			"gateway systemd@etc/systemd/system/openclaw.service.d/override.conf:3 openclaw root@3 --bind=lan@3 BIND=lan@etc/openclaw/env:2 X=/root/a b@4 more@etc/systemd/system/openclaw.service:3",
		},
	})
}
