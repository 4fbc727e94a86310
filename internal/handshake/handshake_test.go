package handshake_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/handshake"
)

const challenge = `{"type":"event","event":"connect.challenge","payload":{"nonce":"n-1","ts":1}}`

// A gateway accepts no client that has neither a device nor a credential and does not
// come as an operator. Nothing else may be said to it, since a gateway that asks
// for no credential may be the one that hears it.
func TestNothingCanComplete(t *testing.T) {
	for _, name := range handshake.Names() {
		raw, err := handshake.Message(name, []byte(challenge))
		if name == handshake.RFB {
			if err == nil {
				t.Errorf("%s to a gateway: %s", name, raw)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var m struct {
			Type, ID, Method string
			Params           map[string]any
		}
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		if m.Type != "req" || m.Method != "connect" {
			t.Errorf("%s: %s", name, raw)
		}
		// What a connect may hold besides is a device, a credential or what is
		// remembered of a client.
		keys := slices.Sorted(maps.Keys(m.Params))
		if !slices.Equal(keys, []string{"client", "maxProtocol", "minProtocol", "role", "scopes"}) {
			t.Errorf("%s holds %v", name, keys)
		}
		if m.Params["role"] != "node" || len(m.Params["scopes"].([]any)) != 0 {
			t.Errorf("%s: role %v, scopes %v", name, m.Params["role"], m.Params["scopes"])
		}
		if strings.Contains(string(raw), "n-1") {
			t.Errorf("%s answers the challenge: %s", name, raw)
		}
	}
}

func TestControlUI(t *testing.T) {
	raw, err := handshake.Message(handshake.ControlUI, []byte(challenge))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"type":"req","id":"1","method":"connect","params":{"minProtocol":1,"maxProtocol":9,` +
		`"client":{"id":"openclaw-control-ui","version":"clawsonar","platform":"audit","mode":"ui"},"role":"node","scopes":[]}}`
	if string(raw) != want {
		t.Errorf("%s\nwant %s", raw, want)
	}
}

func TestRFB(t *testing.T) {
	got, err := handshake.Message(handshake.RFB, []byte("RFB 003.008\n"))
	if err != nil || string(got) != "RFB 003.008\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// Nothing is said to what is not the program that was looked for.
func TestStrangers(t *testing.T) {
	for _, name := range append(handshake.Names(), "device", "other") {
		for _, first := range []string{"", "hello", "{}", `{"event":"connect.challenge"}`, `{"event":"other","payload":{"nonce":"x"}}`, "RFB 3.8\n", "RFB 003.008\nmore"} {
			if got, err := handshake.Message(name, []byte(first)); err == nil {
				t.Errorf("%s to %q: %s", name, first, got)
			}
		}
	}
	for _, name := range []string{"device", "other"} {
		if _, err := handshake.Message(name, []byte(challenge)); err == nil || handshake.Known(name) {
			t.Errorf("there is no message %s", name)
		}
	}
}
