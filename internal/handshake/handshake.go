// Package handshake makes what a client says to the first frame of a WebSocket:
// the first message of the gateway's protocol (method connect), in the two forms
// that level deep uses, and a VNC client's version. None holds a token, a password or a key that anybody knows, so a
// gateway refuses it; how it words that shows its set-up.
//
// The protocol's facts are from the published packages: protocol/schema/frames.js
// of 2026.1.24-3 and its successors up to 2026.9.6.
package handshake

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// The messages that fingerprints can ask for.
const (
	// Device introduces a device whose key was made a moment ago and is thrown
	// away, without a credential. A gateway that asks for one says which kind is
	// missing before it looks at the device, and keeps nothing of it.
	Device = "device"
	// ControlUI is the Control UI's own, without device and credential. It is
	// refused for its origin, or behind that for the missing device.
	ControlUI = "control-ui"
	// RFB is a VNC client's version: the server's own, sent back (RFC 6143 section
	// 7.1.1).
	RFB = "rfb"
)

// Known reports whether there is a message of that name.
func Known(name string) bool { return name == Device || name == ControlUI || name == RFB }

// rfbVersion is what a VNC server says first.
var rfbVersion = regexp.MustCompile(`^RFB \d{3}\.\d{3}\n$`)

type message struct {
	Type   string `json:"type"`
	ID     string `json:"id"`
	Method string `json:"method"`
	Params params `json:"params"`
}

type params struct {
	MinProtocol int      `json:"minProtocol"`
	MaxProtocol int      `json:"maxProtocol"`
	Client      client   `json:"client"`
	Role        string   `json:"role"`
	Scopes      []string `json:"scopes"`
	Device      *device  `json:"device,omitempty"`
}

type client struct {
	ID       string `json:"id"`
	Version  string `json:"version"`
	Platform string `json:"platform"`
	Mode     string `json:"mode"`
}

type device struct {
	ID        string `json:"id"` // hex SHA-256 of the raw public key
	PublicKey string `json:"publicKey"`
	Signature string `json:"signature"`
	SignedAt  int64  `json:"signedAt"` // Unix time, ms
	Nonce     string `json:"nonce"`
}

// Message returns the named message in answer to the first frame: the gateway's
// challenge, or a VNC server's version.
func Message(name string, first []byte, now time.Time) ([]byte, error) {
	if name == RFB {
		if !rfbVersion.Match(first) {
			return nil, errors.New("the first frame is no VNC server's")
		}
		return first, nil
	}
	var challenge struct {
		Event   string `json:"event"`
		Payload struct {
			Nonce string `json:"nonce"`
		} `json:"payload"`
	}
	if err := json.Unmarshal(first, &challenge); err != nil || challenge.Event != "connect.challenge" || challenge.Payload.Nonce == "" {
		return nil, errors.New("the first frame is not the gateway's challenge")
	}
	m := message{Type: "req", ID: "1", Method: "connect", Params: params{
		// All protocol versions there are: only a client that names none of the
		// gateway's is refused for it.
		MinProtocol: 1, MaxProtocol: 9,
		// The operator finds the version in the gateway's log.
		Client: client{Version: "clawsonar", Platform: "audit"},
		Role:   "operator", Scopes: []string{},
	}}
	switch name {
	case Device:
		// Of the ids and modes that every release knows, the ones that are given
		// no privileges.
		m.Params.Client.ID, m.Params.Client.Mode = "fingerprint", "probe"
		d, err := newDevice(&m.Params, challenge.Payload.Nonce, now)
		if err != nil {
			return nil, err
		}
		m.Params.Device = d
	case ControlUI:
		m.Params.Client.ID, m.Params.Client.Mode = "openclaw-control-ui", "ui"
	default:
		return nil, fmt.Errorf("there is no message %q", name)
	}
	return json.Marshal(m)
}

// newDevice makes a key, signs the challenge with it and forgets it. The text
// that is signed is version 2, which every release accepts.
func newDevice(p *params, nonce string, now time.Time) (*device, error) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("make a device key: %w", err)
	}
	id := sha256.Sum256(public)
	d := &device{
		ID: hex.EncodeToString(id[:]), PublicKey: base64.RawURLEncoding.EncodeToString(public),
		SignedAt: now.UnixMilli(), Nonce: nonce,
	}
	const token = "" // none
	text := strings.Join([]string{
		"v2", d.ID, p.Client.ID, p.Client.Mode, p.Role, strings.Join(p.Scopes, ","), fmt.Sprint(d.SignedAt), token, nonce,
	}, "|")
	d.Signature = base64.RawURLEncoding.EncodeToString(ed25519.Sign(private, []byte(text)))
	return d, nil
}
