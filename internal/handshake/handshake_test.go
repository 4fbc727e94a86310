package handshake_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/handshake"
)

const challenge = `{"type":"event","event":"connect.challenge","payload":{"nonce":"n-1","ts":1}}`

// Params is the part of a connect message that a gateway looks at.
type params struct {
	Client struct{ ID, Mode, Version string }
	Role   string
	Scopes []string
	Auth   any
	Device *struct {
		ID, PublicKey, Signature, Nonce string
		SignedAt                        int64
	}
}

func decode(t *testing.T, raw []byte) params {
	t.Helper()
	var m struct {
		Type, Method string
		Params       params
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	if m.Type != "req" || m.Method != "connect" {
		t.Errorf("%s", raw)
	}
	if m.Params.Auth != nil || strings.Contains(string(raw), "token") || strings.Contains(string(raw), "password") {
		t.Errorf("it holds a credential: %s", raw)
	}
	if len(m.Params.Scopes) != 0 {
		t.Errorf("it asks for scopes: %v", m.Params.Scopes)
	}
	return m.Params
}

func TestDevice(t *testing.T) {
	now := time.UnixMilli(1767225600123)
	ids := map[string]bool{}
	for range 2 {
		raw, err := handshake.Message(handshake.Device, []byte(challenge), now)
		if err != nil {
			t.Fatal(err)
		}
		p := decode(t, raw)
		if p.Client.ID != "fingerprint" || p.Client.Mode != "probe" || p.Client.Version != "clawsonar" {
			t.Errorf("client %+v", p.Client)
		}
		d := p.Device
		key, err := base64.RawURLEncoding.DecodeString(d.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(key)
		if d.ID != hex.EncodeToString(sum[:]) || d.Nonce != "n-1" || d.SignedAt != now.UnixMilli() {
			t.Errorf("device %+v", d)
		}
		// As buildDeviceAuthPayload of the gateway has it.
		signed := fmt.Sprintf("v2|%s|fingerprint|probe|operator||%d||n-1", d.ID, now.UnixMilli())
		signature, err := base64.RawURLEncoding.DecodeString(d.Signature)
		if err != nil || !ed25519.Verify(key, []byte(signed), signature) {
			t.Errorf("the signature does not verify: %v", err)
		}
		ids[d.ID] = true
	}
	if len(ids) != 2 {
		t.Error("a device was used twice")
	}
}

func TestControlUI(t *testing.T) {
	raw, err := handshake.Message(handshake.ControlUI, []byte(challenge), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if p := decode(t, raw); p.Client.ID != "openclaw-control-ui" || p.Device != nil {
		t.Errorf("%s", raw)
	}
}

func TestRFB(t *testing.T) {
	got, err := handshake.Message(handshake.RFB, []byte("RFB 003.008\n"), time.Now())
	if err != nil || string(got) != "RFB 003.008\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// Nothing is said to what is not the program that was looked for.
func TestStrangers(t *testing.T) {
	for _, name := range []string{handshake.Device, handshake.ControlUI, handshake.RFB, "other"} {
		for _, first := range []string{"", "hello", "{}", `{"event":"connect.challenge"}`, `{"event":"other","payload":{"nonce":"x"}}`, "RFB 3.8\n", "RFB 003.008\nmore"} {
			if got, err := handshake.Message(name, []byte(first), time.Now()); err == nil {
				t.Errorf("%s to %q: %s", name, first, got)
			}
		}
	}
	if _, err := handshake.Message("other", []byte(challenge), time.Now()); err == nil || handshake.Known("other") {
		t.Error("there is no such message")
	}
}
