package wire

import (
	"crypto/tls"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
)

// readText reads one message of the client's.
func readText(t *testing.T, p *peer) (ws.OpCode, string) {
	t.Helper()
	h, err := ws.ReadHeader(p)
	if err != nil || !h.Masked {
		t.Errorf("header %+v, %v", h, err)
		return 0, ""
	}
	body := make([]byte, h.Length)
	if _, err := io.ReadFull(p, body); err != nil {
		t.Error(err)
	}
	ws.Cipher(body, h.Mask, 0)
	return h.OpCode, string(body)
}

// What is said answers the first message, in a frame of the same kind; what
// comes back for it is recorded, and the goodbye is in order.
func TestConverse(t *testing.T) {
	for _, tt := range []struct {
		name  string
		first ws.Frame
		next  string
		reply Reply

		body, err string
	}{
		{name: "text", first: textFrame("nonce"), next: frame(textFrame("refused")), body: "refused"},
		{name: "binary", first: ws.NewBinaryFrame([]byte("nonce")), next: frame(ws.NewBinaryFrame([]byte{1, 2})), body: "\x01\x02"},
		{name: "closes instead", first: textFrame("nonce"), next: frame(ws.NewCloseFrame(ws.NewCloseFrameBody(1008, "no"))), err: "closed before"},
		{name: "says nothing more", first: textFrame("nonce"), err: "no answer in time"},
		{name: "nothing to say", first: textFrame("nonce"), reply: func([]byte) ([]byte, error) { return nil, errors.New("not a challenge") }, err: "not a challenge"},
		{name: "hostile second frame", first: textFrame("nonce"), next: "\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", err: "larger than its cap"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			codes := make(chan ws.StatusCode, 1)
			s := serve(t, func(p *peer) {
				p.send(accepted(p.request()) + frame(tt.first))
				if tt.reply == nil {
					if kind, text := readText(t, p); kind != tt.first.Header.OpCode || text != "re: nonce" {
						t.Errorf("the server was told %q in a frame of kind %d", text, kind)
					}
				}
				p.send(tt.next)
				codes <- closeCode(p)
			})
			reply := tt.reply
			if reply == nil {
				reply = func(first []byte) ([]byte, error) { return append([]byte("re: "), first...), nil }
			}
			timeout := plenty
			if strings.Contains(tt.err, "in time") {
				timeout = 100 * time.Millisecond
			}
			session := newWire(Options{FrameTimeout: timeout}).Open(t.Context(), s.Target, plenty)
			req := get("ws")
			req.WebSocket, req.Reply = true, "x"
			if !session.Converse(req, reply) {
				t.Error("the session cannot continue")
			}
			session.Close()
			x := session.Observation().Exchanges[0]
			if x.Status != 101 || string(x.Body) != tt.body || !strings.Contains(x.Err, tt.err) || (tt.err == "") != (x.Err == "") {
				t.Errorf("status %d, body %q, error %q; want %q, %q", x.Status, x.Body, x.Err, tt.body, tt.err)
			}
			if code := <-codes; code != ws.StatusNormalClosure {
				t.Errorf("the server saw close code %d", code)
			}
		})
	}
}

// The opening of RFB stops at the list of security types; what does not speak
// RFB is asked for its page after that.
func TestRFB(t *testing.T) {
	for _, tt := range []struct{ name, version, types, body, err string }{
		{"none and password", "RFB 003.008\n", "\x02\x01\x02", "RFB 003.008\nsecurity types: 1 2\n", ""},
		{"3.7", "RFB 003.007\n", "\x01\x02", "RFB 003.007\nsecurity types: 2\n", ""},
		{"3.3 chooses", "RFB 003.003\n", "\x00\x00\x00\x01", "RFB 003.003\nsecurity types: 1\n", ""},
		{"refuses", "RFB 003.008\n", "\x00\x00\x00\x00\x04busy", "RFB 003.008\nsecurity types: \n", ""},
		{"breaks off", "RFB 003.008\n", "\x09\x01", "", "breaks off"},
		{"another protocol", "SSH-2.0-xxxxx\r\n", "", "", "does not speak RFB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(p *peer) {
				if p.n > 1 {
					hello(p)
					return
				}
				p.send(tt.version)
				said := make([]byte, 12)
				if n, _ := io.ReadFull(p, said); n > 0 && string(said) != tt.version {
					t.Errorf("the server was told %q", said[:n])
				}
				p.send(tt.types)
				if tt.err == "" {
					if more, _ := io.ReadAll(p.r); len(more) > 0 {
						t.Errorf("a security type was chosen: %q", more)
					}
				}
			})
			session := newWire(Options{}).Open(t.Context(), s.Target, plenty)
			more := session.ask(evidence.Request{ID: "rfb", Method: evidence.RFB, RFB: true})
			o := session.Observation()
			x := o.Exchanges[0]
			if !more || string(x.Body) != tt.body || !strings.Contains(x.Err, tt.err) || x.Answered() != (tt.body != "") {
				t.Errorf("continues %t, body %q, error %q; want %q, %q", more, x.Body, x.Err, tt.body, tt.err)
			}
			if tt.body == "" && (!session.ask(get("x")) || o.Outcome != event.OutcomeOther || o.Exchanges[1].Status != 200) {
				t.Errorf("no page after that: %+v", o)
			}
			session.Close()
		})
	}
}

// Whether an outdated version of TLS is accepted is found out on a connection of
// its own.
func TestLegacy(t *testing.T) {
	for _, tt := range []struct {
		name     string
		min, max uint16
		want     string
	}{
		{"1.0 to 1.3", tls.VersionTLS10, tls.VersionTLS13, "TLS 1.1"},
		{"1.0 only", tls.VersionTLS10, tls.VersionTLS10, "TLS 1.0"},
		{"1.2 to 1.3", tls.VersionTLS12, tls.VersionTLS13, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			config := tlsConfig(t, nil)
			config.MinVersion, config.MaxVersion = tt.min, tt.max
			config.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
			s := serve(t, overTLS(config, hangUp, hello))
			s.Scheme = "https"
			session := newWire(Options{}).Open(t.Context(), s.Target, plenty)
			if !session.ask(get("x")) {
				t.Fatal(session.Observation().Err)
			}
			version := session.Observation().TLS.Version
			session.Legacy()
			session.Close()
			if i := session.Observation().TLS; i.Legacy != tt.want || i.Version != version {
				t.Errorf("legacy %q, version %s; want %q, %s", i.Legacy, i.Version, tt.want, version)
			}
		})
	}
	plain := serve(t, hello)
	session := newWire(Options{}).Open(t.Context(), plain.Target, plenty)
	session.ask(get("x"))
	session.Legacy()
	session.Close()
	if n := plain.accepts.Load(); n != 1 {
		t.Errorf("%d connections to a server without TLS, want 1", n)
	}
}

// A Host that a request brings replaces the target's; there is one in any case.
func TestHostOfRequest(t *testing.T) {
	heads := make(chan string, 2)
	s := serve(t, func(p *peer) {
		for {
			head := p.request()
			if head == "" {
				return
			}
			heads <- head
			p.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	other := get("b")
	other.Header = evidence.Header{{Name: "Host", Value: "audit.example"}}
	ask(t, newWire(Options{}), s.Target, plenty, get("a"), other)
	for _, want := range []string{"\r\nHost: " + s.Addr.String() + "\r\n", "\r\nHost: audit.example\r\n"} {
		if head := <-heads; strings.Count(head, "\r\nHost: ") != 1 || !strings.Contains(head, want) {
			t.Errorf("%q, want one %q", head, want)
		}
	}
}
