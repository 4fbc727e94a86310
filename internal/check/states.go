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
		{event.AuthOpen, "anyone is accepted, proven",
			`The gateway accepted a request without a credential. Reported only when its own
answers prove it, at least one of which no cache can give; a public page is no
proof. Where one of several backends accepts anyone, this is reported. See
auth-missing.`},
		{event.AuthRequired, "the gateway requires a credential, proven",
			`The gateway itself refused a request for want of a credential. This says nothing
about how good the credential is, and no credential was tried.`},
		{event.AuthGated, "something in front requires a login",
			`A proxy or login service answered before the gateway was reached: at / and to a
request to the API, and the WebSocket did not open. How the gateway behind it
would answer is not known: if it can be reached in another way, scan that as
well. A login that is required at / alone, or skipped for WebSockets, does not
count.`},
		{event.AuthBlocked, "the gateway refuses because of its proxy set-up",
			`Since 2026.8.1 a gateway refuses requests that carry forwarding headers from a
proxy it has not been told to trust, regardless of its authentication, which
therefore cannot be seen through this proxy. Name the proxy's own address, and
nothing wider, in gateway.trustedProxies, then scan again.`},
		{event.AuthClaimable, "there is no account yet",
			`The product is waiting for its first user: the first to connect owns it. See
claimable.`},
		{event.AuthUnknown, "not proven either way",
			`The answers do not tell, contradict each other, or did not come. Unknown is not
safe, and not open. See auth-unverified.`},
	}
}
