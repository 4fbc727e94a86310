package check

import "github.com/clawsonar/clawsonar/internal/event"

func toolsOverHTTP() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "tools-over-http",
		Title:    "Tools that run commands can be called over HTTP",
		Severity: event.High,
		Needs:    event.NeedsFiles,
		When: `gateway.tools.allow names tools that the gateway keeps from POST /tools/invoke
by default: those that run commands, change files, start sessions, or control
the gateway, its plug-ins and nodes (exec, spawn, shell, fs_write, fs_delete,
fs_move, apply_patch, terminal, sessions_spawn, sessions_send, gateway, plugins,
nodes and others of that kind). gateway.tools.deny takes precedence.`,
		Why: `POST /tools/invoke runs a tool at once: no agent decides, nobody approves the
command. Anyone with the gateway's token has a shell on its host then, and so
has anyone at all if the gateway is open.`,
		Fix: `Remove these names from gateway.tools.allow (openclaw config unset
gateway.tools.allow) and restart.`,
		Steps: `1. See what is allowed, and remove it:
     openclaw config get gateway.tools.allow
     openclaw config unset gateway.tools.allow
2. If one of them is needed, keep gateway.bind at "loopback", with nothing that
   forwards to it, and treat the token as a root password.
3. Restart the gateway and inspect again.`,
		Controls:   []string{"nvdb:N3", "cncert:C3", "tongbao:T5", "owasp:ASI02", "owasp:ASI05"},
		References: []string{"https://docs.openclaw.ai/gateway/tools-invoke-http-api"},
	}}
}
