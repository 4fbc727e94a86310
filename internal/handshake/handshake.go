// Package handshake makes what a client says to the first frame of a WebSocket:
// the first message of the gateway's protocol (method connect), and a VNC client's
// version.
//
// Nothing here can complete, regardless of which server answers. The answer that permits a message may
// have come from another gateway than the one that gets it: a front can lead the API
// and the WebSocket to different ones, one that asks for a credential and one that
// does not. What keeps a message from completing is therefore in the message itself.
//
// The order in which a gateway looks at a connect, from the published packages
// 2026.1.24-3, 2026.1.29, 2026.2.9, 2026.2.26, 2026.3.2, 2026.3.13, 2026.4.15,
// 2026.5.28, 2026.6.11, 2026.7.35, 2026.8.2 and 2026.9.6 (message-handler): schema,
// protocol, role, origin (since 2026.2.2), whether a device may be missing, the
// device's id, time, nonce and signature, the credential, the pairing. So
//
//   - a device without a right signature is refused before the gateway says which
//     credential it misses, and one with a right signature is paired, or left
//     waiting for it, by a gateway that asks for none. There is no asking that
//     question without the risk, on any release;
//   - a connect without device and credential is accepted by no gateway in role node: all
//     exceptions (dangerouslyDisableDeviceAuth, a trusted proxy's user, a shared
//     credential) are for role operator. In that role one is accepted by an open
//     gateway of 2026.3.13 to 2026.7.35 with dangerouslyDisableDeviceAuth, and by one
//     behind a proxy that names a user for everybody.
package handshake

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// The messages that fingerprints can ask for.
const (
	// ControlUI is the Control UI's, without device and credential, in role node. It
	// is refused for its origin, or behind that for the missing device.
	ControlUI = "control-ui"
	// RFB is a VNC client's version: the server's own, sent back (RFC 6143 section
	// 7.1.1).
	RFB = "rfb"
)

// Names returns the names of all messages.
func Names() []string { return []string{ControlUI, RFB} }

// Known reports whether there is a message of that name.
func Known(name string) bool { return slices.Contains(Names(), name) }

// rfbVersion is what a VNC server says first.
var rfbVersion = regexp.MustCompile(`^RFB \d{3}\.\d{3}\n$`)

// connect is what ControlUI says. Only a client that names none of the gateway's
// protocol versions is refused for it, so it names all there are. The operator finds
// the client's version in the gateway's log.
const connect = `{"type":"req","id":"1","method":"connect","params":{"minProtocol":1,"maxProtocol":9,` +
	`"client":{"id":"openclaw-control-ui","version":"clawsonar","platform":"audit","mode":"ui"},"role":"node","scopes":[]}}`

// Message returns the named message in answer to the first frame: the gateway's
// challenge, or a VNC server's version.
func Message(name string, first []byte) ([]byte, error) {
	switch name {
	case ControlUI:
	case RFB:
		if !rfbVersion.Match(first) {
			return nil, errors.New("the first frame is no VNC server's")
		}
		return first, nil
	default:
		return nil, fmt.Errorf("there is no message %q", name)
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
	return []byte(connect), nil
}
