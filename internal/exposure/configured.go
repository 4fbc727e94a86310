package exposure

import (
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/json5"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/openclaw"
	"github.com/clawsonar/clawsonar/internal/release"
)

// exposed reports whether others than programs of the same machine get to the
// gateway.
func (x *gateway) exposed() bool { return beyond(x.t.Files.Reach) }

// ifExposed is the severity of what matters to those who can connect.
func (x *gateway) ifExposed(severity, otherwise event.Severity) event.Severity {
	if x.exposed() {
		return severity
	}
	return otherwise
}

// configures finds settings of the configuration that open more than a login does.
func (x *gateway) configures() {
	x.controlUI()
	x.surfaces()
	x.hooks()
	x.tools()
	x.channels()
	x.approvals()
	x.withoutEffect()
	x.inClear(x.doc)
}

// inClear finds credentials that the configuration holds itself. The token of the
// webhooks is not one: it cannot be given in another way.
func (x *gateway) inClear(doc *openclaw.Document) {
	for _, keys := range [][]string{{"gateway", "auth", "token"}, {"gateway", "auth", "password"}, {"gateway", "remote", "token"}} {
		n := doc.Get(keys...)
		if n == nil || n.Kind != json5.String || strings.TrimSpace(n.Text) == "" {
			continue
		}
		if _, substituted := doc.Written[n]; substituted || doc.Missing[n] != nil {
			continue
		}
		if _, refers := openclaw.Reference(n, x.release); refers {
			continue
		}
		x.secret(deploy.Secret{What: strings.Join(keys, "."), Kind: deploy.KindConfig, Value: deploy.Value{State: deploy.Set, Text: n.Text, Pos: n.Pos}})
	}
}

func (x *gateway) controlUI() {
	if x.off("gateway", "controlUi", "enabled") {
		return
	}
	if n := x.doc.Get("gateway", "controlUi", "allowedOrigins"); n != nil {
		for _, i := range n.Items {
			if strings.TrimSpace(i.Text) == "*" {
				x.found("origin-wildcard", x.ifExposed(event.High, event.Medium), "allowedOrigins", i.Pos, nil, message.Say("origin-wildcard.declared"))
			}
		}
	}
	if n, on := x.on("gateway", "controlUi", "dangerouslyAllowHostHeaderOriginFallback"); on {
		f := x.found("origin-host-fallback", x.ifExposed(event.High, event.Medium), "fallback", n.Pos, nil, message.Say("origin-host-fallback.declared"))
		x.fix(f, n.Pos, "true", "false")
	}
	if n, on := x.on("gateway", "controlUi", "dangerouslyDisableDeviceAuth"); on {
		// Without effect from a release between 2026.7.35 and 2026.8.2 on.
		switch {
		case x.release.Compare(release.MustParse("2026.8.2")) >= 0:
			x.found("setting-without-effect", event.Info, "dangerouslyDisableDeviceAuth", n.Pos, nil, message.Say("setting-without-effect.device-auth"))
		case x.release.Compare(release.MustParse("2026.1.29")) >= 0:
			f := x.found("device-auth-disabled", event.High, "deviceAuth", n.Pos, nil, message.Say("device-auth-disabled.declared"))
			x.fix(f, n.Pos, "true", "false")
		}
	}
}

func (x *gateway) surfaces() {
	for _, name := range []string{"chatCompletions", "responses"} {
		if n, on := x.on("gateway", "http", "endpoints", name, "enabled"); on {
			f := x.found("openai-api-enabled", event.Info, name, n.Pos, nil, message.Say("openai-api-enabled.declared", message.Of("setting", "gateway.http.endpoints."+name+".enabled")))
			x.fix(f, n.Pos, "true", "false")
		}
	}
	n, on := x.on("gateway", "terminal", "enabled")
	open := x.t.Auth.State == event.AuthOpen
	byDefault := n == nil && x.absent("gateway", "terminal", "enabled") == deploy.No && x.release.Compare(release.MustParse("2026.8.2")) >= 0
	switch {
	case on && open:
		x.found("terminal-enabled", event.Critical, "terminal", n.Pos, nil, message.Say("terminal-enabled.declared.open"))
	case byDefault && open:
		x.found("terminal-enabled", event.Critical, "terminal", x.place("gateway"), nil, message.Say("terminal-enabled.declared.default"))
	case on && x.exposed():
		f := x.found("terminal-enabled", event.Low, "terminal", n.Pos, nil, message.Say("terminal-enabled.declared"))
		x.fix(f, n.Pos, "true", "false")
	}
	if mode, n := x.text("discovery", "mdns", "mode"); mode == "full" {
		off := x.env("OPENCLAW_DISABLE_BONJOUR").Text == "1" || x.off("plugins", "entries", "bonjour", "enabled")
		if off {
			x.found("setting-without-effect", event.Info, "mdns", n.Pos, nil, message.Say("setting-without-effect.mdns"))
		} else {
			f := x.found("mdns-says-too-much", x.ifExposed(event.Medium, event.Low), "mdns", n.Pos, nil, message.Say("mdns-says-too-much.declared"))
			x.fix(f, n.Pos, "full", "minimal")
		}
	}
}

func (x *gateway) hooks() {
	n, on := x.on("hooks", "enabled")
	if !on {
		return
	}
	at := n.Pos
	for i := range x.ways {
		if d := x.ways[i].inner(); d != nil && x.partial(&x.ways[i]) { // what lets others get to the webhooks
			if at = d.PathPos; at.IsZero() {
				at = d.Pos
			}
		}
	}
	x.found("hooks-enabled", event.Info, "hooks", at, nil, message.Say("hooks-enabled.declared"))
	token, t := x.text("hooks", "token")
	severity := x.ifExposed(event.High, event.Medium)
	if t != nil && x.doc.Missing[t] == nil {
		if token != "" && len([]rune(token)) < 24 {
			x.found("hooks-weak", severity, "token", t.Pos, nil, message.Say("hooks-weak.short", message.Number("count", len([]rune(token)))))
		}
		if token != "" && token == x.set.Secret.Text {
			x.found("hooks-weak", severity, "reuse", t.Pos, []event.Location{location(x.set.Secret.Pos, "step.credential")}, message.Say("hooks-weak.reused"))
		}
	}
	if path, p := x.text("hooks", "path"); strings.TrimSpace(path) == "/" {
		x.found("hooks-weak", severity, "path", p.Pos, nil, message.Say("hooks-weak.root"))
	}
	if p, on := x.on("hooks", "allowRequestSessionKey"); on && x.doc.Get("hooks", "allowedSessionKeyPrefixes") == nil && x.absent("hooks", "allowedSessionKeyPrefixes") == deploy.No {
		x.found("hooks-weak", x.ifExposed(event.Medium, event.Low), "session", p.Pos, nil, message.Say("hooks-weak.session"))
	}
}

// tools finds what gateway.tools.allow takes off the list of what is not run over
// HTTP.
func (x *gateway) tools() {
	n := x.doc.Get("gateway", "tools", "allow")
	if n == nil {
		return
	}
	var names []string
	for _, i := range n.Items {
		if slices.Contains(dangerousTools(), strings.ToLower(strings.TrimSpace(i.Text))) {
			names = append(names, strings.ToLower(strings.TrimSpace(i.Text)))
		}
	}
	if len(names) > 0 {
		x.found("tools-over-http", x.ifExposed(event.High, event.Medium), "allow", n.Pos, nil, message.Say("tools-over-http.declared", message.Of("signals", names...)))
	}
}

// dangerousTools are those that POST /tools/invoke refuses unless they are allowed,
// as of 2026.9.6.
func dangerousTools() []string {
	return []string{"exec", "spawn", "shell", "fs_write", "fs_delete", "fs_move", "apply_patch", "terminal", "portal", "sessions_spawn",
		"sessions_send", "conversations_list", "conversations_send", "conversations_turn", "automations", "gateway", "plugins", "nodes", "computer", "mobile_ui", "openclaw"}
}

// channels finds chat channels that anyone may write to while the agent may run
// commands or change files.
func (x *gateway) channels() {
	channels := x.doc.Get("channels")
	if channels == nil || channels.Kind != json5.Object {
		return
	}
	exec := x.allowsExec()
	if exec == "" {
		return
	}
	for _, m := range channels.Members {
		for _, policy := range openPolicies(m.Value, 0) {
			severity := event.Medium
			if exec == "full" {
				severity = event.High
			}
			x.found("agent-open-to-channels", severity, m.Key+" "+policy.what, policy.at, nil, message.Say(policy.says, message.Of("setting", "channels."+m.Key)))
		}
	}
}

type openPolicy struct {
	what string // dm or groups
	says string // a message
	at   event.Pos
}

// openPolicies are the settings by which a channel, or an account of it, takes
// messages of everybody.
func openPolicies(n *json5.Node, depth int) []openPolicy {
	if n == nil || n.Kind != json5.Object || depth > 3 {
		return nil
	}
	if e := n.Get("enabled"); e != nil && e.Kind == json5.Bool && !e.Bool {
		return nil
	}
	var out []openPolicy
	for _, p := range []struct{ what, says, key string }{
		{"dm", "agent-open-to-channels.dm", "dmPolicy"}, {"groups", "agent-open-to-channels.groups", "groupPolicy"},
	} {
		if v := n.Get(p.key); v != nil && v.Text == "open" {
			out = append(out, openPolicy{p.what, p.says, v.Pos})
		}
	}
	if v := n.Get("dm", "policy"); v != nil && v.Text == "open" {
		out = append(out, openPolicy{"dm", "agent-open-to-channels.dm", v.Pos})
	}
	if accounts := n.Get("accounts"); accounts != nil {
		for _, a := range accounts.Members {
			out = append(out, openPolicies(a.Value, depth+1)...)
		}
	}
	return out
}

// allowsExec says how far the agent may run commands: "" not at all, "full" without
// asking.
func (x *gateway) allowsExec() string {
	for _, key := range []string{"deny"} {
		if n := x.doc.Get("tools", key); n != nil {
			for _, i := range n.Items {
				if i.Text == "*" || i.Text == "exec" || i.Text == "group:runtime" {
					return ""
				}
			}
		}
	}
	if profile, _ := x.text("tools", "profile"); profile == "minimal" || profile == "messaging" {
		return ""
	}
	if sandbox, _ := x.text("agents", "defaults", "sandbox", "mode"); sandbox == "all" {
		return ""
	}
	for _, key := range []string{"security", "mode"} {
		switch v, _ := x.text("tools", "exec", key); v {
		case "full":
			return "full"
		case "deny":
			return ""
		}
	}
	return "asks"
}

// approvals finds devices and nodes that are let in without anybody's look.
func (x *gateway) approvals() {
	if _, on := x.on("gateway", "auth", "trustedProxy", "deviceAutoApprove", "enabled"); on {
		n := x.doc.Get("gateway", "auth", "trustedProxy", "deviceAutoApprove", "scopes")
		if n != nil {
			for _, i := range n.Items {
				if i.Text == "operator.admin" {
					x.found("device-auto-approve", x.ifExposed(event.High, event.Medium), "admin", i.Pos, nil, message.Say("device-auto-approve.admin"))
				}
			}
		}
	}
	if n := x.doc.Get("gateway", "nodes", "pairing", "autoApproveCidrs"); n != nil {
		for _, i := range n.Items {
			p, ok := prefix(i.Text)
			if ok && !p.Addr().IsLoopback() && p.Addr().BitLen()-p.Bits() >= 16 {
				severity := event.Medium
				if everywhere(p) {
					severity = x.ifExposed(event.High, event.Medium)
				}
				x.found("device-auto-approve", severity, "cidrs", i.Pos, nil, message.Say("device-auto-approve.cidrs", message.Of("setting", i.Text)))
			}
		}
	}
}

// withoutEffect finds settings that people rely on and that do nothing.
func (x *gateway) withoutEffect() {
	if x.set.Mode.Value == openclaw.ModeNone {
		for _, key := range []string{"token", "password"} {
			if n := x.doc.Get("gateway", "auth", key); n != nil {
				x.found("setting-without-effect", event.Info, "auth."+key, n.Pos, []event.Location{location(x.set.Mode.Pos, "step.mode")}, message.Say("setting-without-effect.mode-none", message.Of("setting", "gateway.auth."+key)))
			}
		}
	}
}

// credential judges the token or password.
func (x *gateway) credential() {
	s := x.set.Secret
	if s.Where != openclaw.KnownText || x.set.Mode.Value == openclaw.ModeNone || x.set.Mode.Value == openclaw.ModeTrustedProxy || x.set.Starts == event.StartsNo {
		return
	}
	var id, says string
	severity := event.High
	switch openclaw.Weakness(s, x.set.Mode.Value, x.release) {
	case openclaw.WeakPlaceholder:
		id, says, severity = "token-published-example", "token-published-example.placeholder", event.Critical
	case openclaw.WeakPublished:
		id, says, severity = "token-published-example", "token-published-example.published", event.Critical
	case openclaw.WeakLiteral:
		id, says, severity = "token-published-example", "token-published-example.literal", event.Critical
	case openclaw.WeakShort:
		id, says = "token-weak", "token-weak.short"
	case openclaw.WeakGuessable:
		id, says = "token-weak", "token-weak.guessable"
	default:
		return
	}
	var args []message.Arg
	if says == "token-weak.short" {
		args = append(args, message.Number("count", len([]rune(s.Text))))
	}
	x.found(id, severity, "credential", s.Pos, nil, message.Say(says, args...))
}

// environment finds variables that do nothing, and that the gateway runs as root.
func (x *gateway) environment() {
	if x.g == nil {
		return
	}
	names := make([]string, 0, len(x.g.Env))
	for name := range x.g.Env {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		v := x.g.Env[name]
		old := strings.HasPrefix(name, "CLAWDBOT_") || strings.HasPrefix(name, "MOLTBOT_")
		switch {
		// Between 2026.3.28 and 2026.4.5 they stopped to count.
		case old && x.release.Compare(release.MustParse("2026.4.5")) >= 0 && v.State != deploy.Unset:
			x.found("setting-without-effect", event.Info, name, v.Pos, nil, message.Say("setting-without-effect.old-name", message.Of("setting", name)))
		case name == "OPENCLAW_GATEWAY_BIND" && v.State != deploy.Unset:
			x.found("setting-without-effect", event.Info, name, v.Pos, nil, message.Say("setting-without-effect.bind-variable"))
		}
	}
	if x.g.Root != nil {
		severity := event.Medium
		if x.g.Space != deploy.Host {
			severity = event.Low
		}
		x.found("runs-as-root", severity, "root", *x.g.Root, nil, message.Say("runs-as-root.declared"))
	}
	switch {
	case x.set.Starts == event.StartsNo:
	case x.set.Saved:
		x.note("inspect.token-saved", message.Of("release", x.release.String()))
	case x.set.Generated:
		x.note("inspect.token-generated", message.Of("release", x.release.String()))
	}
}
