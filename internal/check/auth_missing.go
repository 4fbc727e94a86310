package check

import (
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
)

func authMissing() Check {
	doc := Doc{
		ID:       "auth-missing",
		Title:    "Anyone who reaches this gateway controls the agent",
		Severity: event.Critical,
		When: `The gateway itself let in a request that carried no credential. Either it
answered its protected configuration with 200 and, on a protected path that nobody
asked for before, did not ask for a credential either; or it refused an empty tool
call for its missing scope or name, which it does only after the caller has passed
authentication. A public page, and what a cache can give, are never taken as proof.`,
		Why: `Whoever can connect can give the agent instructions: read and send its mail,
read and write its files, run commands on the host, and take the keys and tokens
it holds. Being bound to loopback does not help when a proxy, a tunnel or a
container port forwards to it.`,
		Fix: `Cut the exposure now (stop the proxy, tunnel or port mapping, or the gateway),
set gateway.auth.mode to "token" with a fresh random gateway.auth.token,
restart, and replace every key the agent could reach. Runbook: clawsonar
explain auth-missing`,
		Steps: `1. Cut the exposure now: stop the proxy, tunnel or port mapping that forwards
   to the gateway, or stop the gateway ("openclaw gateway stop").
2. Ask for a credential: in openclaw.json set gateway.auth.mode to "token" and
   gateway.auth.token to a fresh random value of 32 bytes or more ("openssl rand
   -hex 32"); in Clawdbot 2026.1.24 and earlier set gateway.auth.token alone.
   Restart the gateway.
3. If auth.mode is not "none", something on the way adds the credential for
   everybody: remove the Authorization or user header that the proxy sets, or
   put a log-in in front of it.
4. Bind to loopback (gateway.bind: "loopback") and reach it through an SSH or
   VPN tunnel.
5. Take it that everything the agent could reach has been seen: replace its API
   keys, tokens and passwords, look through its sessions, skills, cron jobs and
   paired devices for what you did not put there.
6. Scan again; this finding must be gone.`,
		Controls:   []string{"nvdb:N2", "cncert:C2", "tongbao:T2", "owasp:ASI03"},
		References: []string{"https://docs.openclaw.ai/gateway/security"},
		Relatives:  true,
		Advised:    true,
	}
	return Check{doc, func(s Subject) []event.Finding {
		v := s.Verdict
		if !s.gateway() || v.Auth.State != fingerprint.Open {
			return nil
		}
		detail := "A request without any credential was let in"
		switch {
		case v.Relative:
			detail = strings.TrimSuffix(means(v, detail), ".")
		case v.Auth.Mode == "none":
			detail += "; authentication is switched off (mode none)"
		case v.Trait("credential-added") != nil:
			detail += ", although the gateway asks for one: something in front of it adds one, or a user's name, for everybody"
		case v.Front.Kind != "":
			detail += " through " + v.Front.Kind + ", which may be adding a credential for everybody"
		}
		return []event.Finding{doc.finding(s, event.Critical, "",
			detail+". Shown by "+strings.Join(v.Auth.Because, ", ")+".", v.Auth.Because...)}
	}}
}
