//go:build e2e && linux

package e2e

import (
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/test/lab"
	"os"
	"strings"
	"testing"
)

// misleading returns instances whose front gives answers that are not the
// gateway's answers to an unauthenticated client, or not those of one
// gateway. They share the gateways of lab.Matrix.
func misleading() []lab.Instance {
	var list []lab.Instance
	add := func(version string, mode lab.Mode, front lab.FrontKind, state event.AuthState, note string) *lab.Instance {
		c := lab.ConfigOf(version, string(mode), mode)
		t := lab.TruthOf(version, state, "nginx")
		t.Note = note
		if state == event.AuthOpen {
			t.AuthMode = lab.None // of the backend that is open to anyone
		}
		list = append(list, lab.Instance{Name: c.Name + "-" + string(front), Gateway: c, Front: front, Truth: t})
		return &list[len(list)-1]
	}
	const differ = "The ways in differ"
	add(lab.Newest, lab.Token, lab.NginxCacheFront, event.AuthUnknown, differ)
	add(lab.Newest, lab.Token, lab.NginxCopyFront, event.AuthUnknown, differ)
	for _, version := range []string{lab.Spring, lab.Newest} {
		for _, first := range []lab.Mode{lab.None, lab.Token} {
			second := lab.Token
			if first == lab.Token {
				second = lab.None
			}
			i := add(version, first, lab.NginxPoolFront, event.AuthOpen, "")
			peer := lab.ConfigOf(version, string(second), second)
			i.Peer = &peer
		}
	}
	// The page is behind the login, and so is all that tells the release.
	hidden := add(lab.Newest, lab.Token, lab.NginxSkipLoginFront, event.AuthUnknown, "skipped for WebSocket")
	hidden.Truth.Candidates, hidden.Truth.Brand = nil, ""
	for _, front := range []lab.FrontKind{lab.NginxRootLoginFront, lab.NginxRedirectFront} {
		add(lab.Newest, lab.None, front, event.AuthOpen, "asked for at / alone")
		add(lab.Newest, lab.Token, front, event.AuthRequired, "asked for at / alone")
	}
	return list
}

// allReleases lists the releases of the standard matrices, the oldest first.
func allReleases() []string {
	return []string{lab.Oldest, lab.Rebrand, lab.Spring, lab.Summer, lab.Newest}
}

// some returns the releases with which a slow test runs: all with CLAWSONAR_E2E_ALL=1, else
// the last two, whose answers differ most from the others'.
func some(t *testing.T, releases []string) []string {
	t.Helper()
	if os.Getenv("CLAWSONAR_E2E_ALL") != "" || len(releases) <= 2 {
		return releases
	}
	left := releases[:len(releases)-2]
	t.Logf("NOT with %s: set CLAWSONAR_E2E_ALL=1", strings.Join(left, ", "))
	return releases[len(left):]
}

// openMatrix returns gateways of one release that are open to anyone, with
// every safeguard of the Control UI switched off that the release lets one switch
// off, behind every front there is. Behind lab.NginxSplitFront the API is that of a
// gateway which asks for a token.
//
// 2026.1.29 knows no mode none, so that one asks for a token everywhere.
func openMatrix(n *lab.Net, version string) []lab.Instance {
	controlUI := map[string]any{"allowInsecureAuth": true, "dangerouslyDisableDeviceAuth": true}
	mode := lab.None
	switch version {
	case lab.Oldest:
		delete(controlUI, "dangerouslyDisableDeviceAuth")
	case lab.Rebrand:
		mode = lab.Token
	default:
		controlUI["allowedOrigins"] = []string{"*"}
		controlUI["dangerouslyAllowHostHeaderOriginFallback"] = true
	}
	if version == lab.Newest {
		delete(controlUI, "allowInsecureAuth")
	}
	config := func(suffix string, mode lab.Mode) lab.Config {
		c := lab.ConfigOf(version, suffix, mode)
		c.Net, c.Extra = n.Gateway, map[string]any{"gateway": map[string]any{"controlUi": controlUI}}
		return c
	}
	open, token := config("loose", mode), config("loose-api", lab.Token)
	var list []lab.Instance
	add := func(c lab.Config, front lab.FrontKind) {
		i := lab.Instance{Name: c.Name, Gateway: c, Front: front, Truth: lab.TruthOf(version, "", "")}
		if front != lab.NoFront {
			i.Name += "-" + string(front)
		}
		if front == lab.NginxSplitFront {
			i.API = &token
		}
		list = append(list, i)
	}
	for _, front := range []lab.FrontKind{
		lab.NoFront, lab.NginxFront, lab.CaddyFront, lab.NginxUpgradeFront, lab.NginxForwardedFront, lab.NginxUserFront, lab.NginxBelowFront,
		lab.NginxTokenFront, lab.NginxLoginFront, lab.NginxSplitFront,
	} {
		add(open, front)
	}
	if version != lab.Oldest && version != lab.Rebrand {
		// Its front names a user for everybody.
		c := config("loose-user", lab.TrustedProxy)
		c.TrustedProxies = []string{"127.0.0.1"}
		if version != lab.Spring { // where that needs no leave
			c.Extra["gateway"].(map[string]any)["auth"] = map[string]any{"trustedProxy": map[string]any{"allowLoopback": true}}
		}
		add(c, lab.NginxUserFront)
	}
	return list
}
