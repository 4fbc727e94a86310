package check

import (
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func authMissing() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "auth-missing",
		Title:    "Anyone who reaches this gateway controls the agent",
		Severity: event.Critical,
		Needs:    event.NeedsAuth,
		When: `The gateway itself accepted a request without a credential. Either it answered a
request for its protected configuration with 200 and required no credential on a
fresh protected path either; or it refused an empty tool call for its missing
scope or name, which it does only after the caller has passed authentication. A
public page, and anything that a cache can give, is never taken as proof.`,
		Files: `The gateway starts with mode none; or without a credential, in a release that
then takes anyone (Clawdbot 2026.1.24 and earlier); or what leads to it adds the
credential, or a user's name, to every request, and asks for no login of its
own. Unset is not none: later releases make a token of their own, or refuse to
start.`,
		Why: `Anyone who can connect can give the agent instructions: read and send its mail,
read and write its files, run commands on the host, and take the keys and tokens
it holds. Being bound to loopback does not help when a proxy, a tunnel or a
container port forwards to it.`,
		Fix: `Cut the exposure now (stop the proxy, tunnel or port mapping, or the gateway),
set gateway.auth.mode to "token" with a fresh random gateway.auth.token,
restart, and replace every key the agent could reach. Runbook: clawsonar
explain auth-missing`,
		Steps: `1. Cut the exposure now: stop the proxy, tunnel or port mapping that forwards
   to the gateway, or stop the gateway ("openclaw gateway stop").
2. Require a credential: in openclaw.json set gateway.auth.mode to "token" and
   gateway.auth.token to a fresh random value of 32 bytes or more ("openssl rand
   -hex 32"); in Clawdbot 2026.1.24 and earlier set gateway.auth.token alone.
   Restart the gateway.
3. If auth.mode is not "none", something on the way adds the credential to every
   request: remove the Authorization or user header that the proxy sets, or put
   a login in front of it.
4. Bind to loopback (gateway.bind: "loopback") and reach it through an SSH or
   VPN tunnel.
5. Assume that everything the agent could reach is known to others: replace its
   API keys, tokens and passwords, check its sessions, skills, cron jobs and
   paired devices for entries that are not yours.
6. Scan again; this finding must be gone.`,
		Fixes: map[string]string{
			event.InFiles: `Set gateway.auth.mode to "token" and gateway.auth.token to a random value that these files only refer to ("${OPENCLAW_GATEWAY_TOKEN}"); where a proxy adds the credential, remove that or put a login in front. If it ever ran so, replace every key the agent could reach. Runbook: clawsonar explain auth-missing`,
			// Of a gateway that nothing seen forwards to.
			"alone": `Set gateway.auth.mode to "token" with a fresh random gateway.auth.token and restart. Keep gateway.bind at "loopback", and make sure that no proxy, tunnel (cloudflared, tailscale, ngrok, ssh -R) or container port leads to it: any of them opens it to others. Runbook: clawsonar explain auth-missing`,
			// Of a front that adds the credential.
			"added": `Cut the exposure now (stop the proxy in front). Remove from it what adds the credential (an Authorization header, a token, a user's name), or give it a login of its own. Then replace gateway.auth.token, which anyone could use, and every key the agent could reach. Runbook: clawsonar explain auth-missing`,
		},
		Controls:   []string{"nvdb:N2", "cncert:C2", "tongbao:T2", "owasp:ASI03"},
		References: []string{"https://docs.openclaw.ai/gateway/security"},
		First: map[string][]string{
			"token": {
				// In this order: recent gateways apply each change at once, and a mode
				// without a token would make them generate one.
				`openclaw config set gateway.auth.token "$(openssl rand -hex 32)"`,
				"openclaw config set gateway.auth.mode token",
				"openclaw gateway restart",
			},
			// Modes begin with a later release.
			"clawdbot-token": {
				`clawdbot config set gateway.auth.token "$(openssl rand -hex 32)"`,
				"clawdbot gateway restart",
			},
		},
		Relatives: true,
		Advised:   true,
	}, judge: func(c *Check, s *Subject) *event.Finding {
		v := s.Verdict
		if !s.gateway() || v.Auth.State != event.AuthOpen {
			return nil
		}
		detail := []message.Text{message.Say("auth-missing.let-in")}
		switch {
		case v.Relative:
			detail[0] = means(v, detail[0])
		case v.Auth.Mode == event.ModeNone:
			detail[0] = message.Say("auth-missing.mode-none")
		case v.Trait("credential-added") != nil:
			detail[0] = message.Say("auth-missing.added")
		case v.Front.Kind != "":
			detail[0] = message.Say("auth-missing.through", message.Of("front", v.Front.Kind))
		}
		if s.alone() {
			detail = append(detail, message.Say("auth-missing.alone", message.Of("address", s.Bound.String())))
		}
		f := c.finding(s, event.Critical, v.Auth.Because, append(detail, shownBy(v.Auth.Because))...)
		switch {
		case s.alone():
			f.Advise(c.OtherFix("alone"))
		case v.Relative, v.Product.Brand == "moltbot":
		case v.Trait("credential-added") != nil:
			f.Advise(c.OtherFix("added"))
		}
		switch {
		case v.Relative, v.Product.Brand == "moltbot", v.Trait("credential-added") != nil:
		case v.Product.Brand == "clawdbot":
			f.Step = "clawdbot-token"
		default:
			f.Step = "token"
		}
		return f
	}}
}
