package check

import "github.com/clawsonar/clawsonar/internal/event"

// StateDoc explains one state of authentication.
type StateDoc struct {
	State       event.AuthState
	Title, Text string
}

// States explains the states of authentication.
func States() []StateDoc {
	return []StateDoc{
		{event.AuthOpen, "a stranger is let in, proven",
			`The gateway let in a request that carried no credential. Said only when its own
answers show it, and at least one that no cache can give; a page that anybody may
see is no proof. Where one of several backends lets strangers in, this is what is
said. See auth-missing.`},
		{event.AuthRequired, "the gateway asks for a credential, proven",
			`The gateway itself refused a request for want of a credential. This says nothing
about how good the credential is, and no credential was tried.`},
		{event.AuthGated, "something in front asks first",
			`A proxy or log-in service answered before the gateway was reached: at / and to a
request to the API, and the WebSocket did not open. What the gateway behind it
would say is not known: if there is another way to it, scan that as well. A log-in
that is asked for at / alone, or skipped for WebSockets, is none.`},
		{event.AuthBlocked, "the gateway refuses because of its proxy set-up",
			`Since 2026.8.1 a gateway refuses requests that carry forwarding headers from a
proxy it has not been told to trust, whatever its authentication. So that cannot
be seen through this proxy. Name the proxy's own address, and nothing wider, in
gateway.trustedProxies, then scan again.`},
		{event.AuthClaimable, "there is no account yet",
			`The product is waiting for its first user: whoever comes first owns it. See claimable.`},
		{event.AuthUnknown, "not proven either way",
			`None of the answers tells, they contradict each other, or they did not come.
Unknown is not safe, and not open. See auth-unverified.`},
	}
}
