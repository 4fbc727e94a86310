//go:build linux

package lab

import (
	"crypto/rand"
	"path/filepath"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
)

// SurfaceMatrix returns instances that show more than a gateway does by default,
// and one that shows nothing to fix, to be looked at over loopback. The
// authority that signs their certificates, and these, are written below dir.
func SurfaceMatrix(dir string) ([]Instance, *Authority, error) {
	authority, err := NewAuthority(dir)
	if err != nil {
		return nil, nil, err
	}
	var list []Instance
	add := func(version, suffix string, mode Mode, state event.AuthState, extra map[string]any, findings ...string) *Instance {
		c := ConfigOf(version, suffix, mode)
		c.Extra = extra
		i := Instance{Name: c.Name, Gateway: c, Truth: TruthOf(version, state, "")}
		i.Truth.Findings = append(i.Truth.Findings, findings...)
		list = append(list, i)
		return &list[len(list)-1]
	}
	// Two ports below those that are given to outgoing connections and above those
	// of gateways.
	sandboxPorts := map[Mode]int{None: 32401, Token: 32402}
	for _, version := range []string{Spring, Summer, Newest} {
		for _, mode := range []Mode{None, Token} {
			state := event.AuthRequired
			if mode == None {
				state = event.AuthOpen
			}
			add(version, string(mode)+"-extras", mode, state, map[string]any{
				"gateway": map[string]any{"http": map[string]any{"endpoints": map[string]any{
					"chatCompletions": map[string]any{"enabled": true}, "responses": map[string]any{"enabled": true},
				}}},
				"hooks": map[string]any{"enabled": true, "token": rand.Text()},
			}, "openai-api-enabled", "hooks-enabled")
			extra := list[len(list)-1].Gateway.Extra
			if version != Spring {
				extra["plugins"] = map[string]any{"entries": map[string]any{"admin-http-rpc": map[string]any{"enabled": true}}}
			}
			if version == Newest {
				extra["mcp"] = map[string]any{"apps": map[string]any{"enabled": true, "sandboxPort": sandboxPorts[mode]}}
			}
		}
	}
	tls := func(suffix, host string, until time.Time, findings ...string) error {
		certificate, key, err := authority.Issue(filepath.Join(dir, suffix), host, until)
		if err != nil {
			return err
		}
		i := add(Newest, suffix, Token, event.AuthRequired, map[string]any{"gateway": map[string]any{
			"terminal": map[string]any{"enabled": false},
			"tls":      map[string]any{"autoGenerate": false, "certPath": certificate, "keyPath": key},
		}})
		i.Gateway.TLS = true
		i.Truth.Findings = findings
		return nil
	}
	// Nothing to fix: a credential is asked for, the certificate verifies, the
	// terminal is off.
	if err := tls("secure", "", time.Now().Add(40*time.Hour)); err != nil {
		return nil, nil, err
	}
	if err := tls("expired", "", time.Now().Add(-48*time.Hour), "tls-expired"); err != nil {
		return nil, nil, err
	}
	if err := tls("other-name", "other.example", time.Now().Add(40*time.Hour), "tls-name-mismatch"); err != nil {
		return nil, nil, err
	}
	list[len(list)-1].Host = "localhost"
	i := add(Newest, "generated", Token, event.AuthRequired, map[string]any{"gateway": map[string]any{"terminal": map[string]any{"enabled": false}}})
	i.Gateway.TLS = true
	i.Truth.Findings = []string{"tls-self-signed"}
	return list, authority, nil
}
