package wire

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
)

// accepted is the answer to a WebSocket opening.
func accepted(request string) string {
	_, rest, _ := strings.Cut(request, "Sec-WebSocket-Key: ")
	key, _, _ := strings.Cut(rest, "\r\n")
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + acceptFor(key) + "\r\n\r\n"
}

func frame(f ws.Frame) string { return string(ws.MustCompileFrame(f)) }

func textFrame(s string) ws.Frame { return ws.NewTextFrame([]byte(s)) }

func TestWebSocket(t *testing.T) {
	ping := ws.NewPingFrame([]byte("are you there"))
	closing := ws.NewCloseFrame(ws.NewCloseFrameBody(1008, "no"))
	masked := textFrame("x")
	masked.Header.Masked = true
	tests := []struct {
		name    string
		frames  string
		cap     int
		timeout time.Duration // of the first frame
		hangUp  bool          // after the frames

		body      string
		truncated bool
		err       string
	}{
		{name: "text", frames: frame(textFrame("challenge")), body: "challenge"},
		{name: "binary", frames: frame(ws.NewBinaryFrame([]byte("b"))), body: "b"},
		{name: "empty", frames: frame(textFrame(""))},
		{name: "after a ping", frames: frame(ping) + frame(textFrame("challenge")), body: "challenge"},
		{name: "in fragments", frames: frame(ws.NewFrame(ws.OpText, false, []byte("chal"))) + frame(ping) +
			frame(ws.NewFrame(ws.OpContinuation, false, nil)) + frame(ws.NewFrame(ws.OpContinuation, true, []byte("lenge"))), body: "challenge"},
		{name: "two messages", frames: frame(textFrame("one")) + frame(textFrame("two")), body: "one"},
		{name: "at cap", cap: 4, frames: frame(textFrame("1234")), body: "1234"},
		{name: "beyond cap", cap: 4, frames: frame(textFrame("12345")), truncated: true, err: "larger than its cap"},
		{name: "fragments beyond cap", cap: 4, frames: frame(ws.NewFrame(ws.OpText, false, []byte("123"))) + frame(ws.NewFrame(ws.OpContinuation, true, []byte("45"))),
			body: "123", truncated: true, err: "larger than its cap"},
		{name: "huge", frames: "\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", truncated: true, err: "larger than its cap"},
		{name: "length beyond int64", frames: "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", err: "most significant bit"},
		{name: "huge ping", frames: "\x89\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", err: "oversized control frame"},
		{name: "masked", frames: frame(masked), err: "masked frame"},
		{name: "pings only", frames: strings.Repeat(frame(ping), 100), err: "too many frames"},
		{name: "empty fragments only", frames: strings.Repeat(frame(ws.NewFrame(ws.OpContinuation, false, nil)), 100), err: "too many frames"},
		{name: "close", frames: frame(closing), err: "closed before the first message"},
		{name: "never", timeout: 100 * time.Millisecond, err: "no answer in time"},
		{name: "half a frame", timeout: 100 * time.Millisecond, frames: "\x81\x05ab", err: "no answer in time"},
		{name: "hangs up", hangUp: true, err: "breaks off"},
		{name: "hangs up in a frame", hangUp: true, frames: "\x81\x05ab", err: "breaks off"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			heads := make(chan string, 1)
			codes := make(chan ws.StatusCode, 1)
			s := serve(t, func(p *peer) {
				head := p.request()
				heads <- head
				p.send(accepted(head) + tt.frames)
				if tt.hangUp {
					codes <- 0
					return
				}
				codes <- closeCode(p)
			})
			req := get("ws")
			req.WebSocket, req.MaxBody = true, tt.cap
			if tt.timeout == 0 {
				tt.timeout = plenty
			}
			o := ask(t, newWire(Options{FrameTimeout: tt.timeout}), s.Target, plenty, req)
			if o.Outcome != event.OutcomeOther || len(o.Exchanges) != 1 || o.Connections != 1 || o.Requests != 1 {
				t.Fatalf("%+v", o)
			}
			x := o.Exchanges[0]
			if x.Status != 101 || string(x.Body) != tt.body || x.Truncated != tt.truncated {
				t.Errorf("status %d, body %q, truncated %t; want %q, %t", x.Status, x.Body, x.Truncated, tt.body, tt.truncated)
			}
			if !strings.Contains(x.Err, tt.err) || (tt.err == "") != (x.Err == "") {
				t.Errorf("error %q, want %q", x.Err, tt.err)
			}
			head := <-heads
			for _, line := range []string{"GET /ws HTTP/1.1\r\n", "\r\nConnection: Upgrade\r\n", "\r\nUpgrade: websocket\r\n", "\r\nSec-WebSocket-Version: 13\r\n"} {
				if !strings.Contains(head, line) {
					t.Errorf("no %q in %q", line, head)
				}
			}
			if code := <-codes; !tt.hangUp && code != ws.StatusNormalClosure {
				t.Errorf("the server saw close code %d", code)
			}
		})
	}
}

// closeCode reads frames until the client's close frame and returns its code;
// 0 when the connection ends without one.
func closeCode(p *peer) ws.StatusCode {
	for {
		h, err := ws.ReadHeader(p)
		if err != nil {
			return 0
		}
		body := make([]byte, h.Length)
		if _, err := io.ReadFull(p, body); err != nil || !h.Masked {
			return 0
		}
		ws.Cipher(body, h.Mask, 0)
		if h.OpCode == ws.OpClose {
			code, _ := ws.ParseCloseFrameData(body)
			return code
		}
	}
}

func TestWebSocketRefused(t *testing.T) {
	for _, status := range []string{"200 OK", "401 Unauthorized", "403 Forbidden", "426 Upgrade Required"} {
		t.Run(status, func(t *testing.T) {
			s := serve(t, func(p *peer) {
				for p.request() != "" {
					p.send("HTTP/1.1 " + status + "\r\nContent-Length: 4\r\n\r\npage")
				}
			})
			req := get("ws")
			req.WebSocket = true
			o := ask(t, newWire(Options{}), s.Target, plenty, req, get("x"))
			if len(o.Exchanges) != 2 || o.Connections != 1 {
				t.Fatalf("%+v", o)
			}
			if x := o.Exchanges[0]; !strings.HasPrefix(status, strconv.Itoa(x.Status)) || string(x.Body) != "page" || x.Err != "" {
				t.Errorf("%+v", x)
			}
		})
	}
}

// An opening on a connection that was used before, over TLS, and a request
// after it on a new one.
func TestWebSocketOverTLS(t *testing.T) {
	codes := make(chan ws.StatusCode, 1)
	s := serve(t, overTLS(tlsConfig(t, nil), hangUp, func(p *peer) {
		for {
			head := p.request()
			if head == "" {
				return
			}
			if strings.Contains(head, "Upgrade: websocket") {
				p.send(accepted(head) + frame(textFrame("challenge")))
				codes <- closeCode(p)
				return
			}
			p.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	}))
	s.Scheme = "https"
	req := get("ws")
	req.WebSocket = true
	o := ask(t, newWire(Options{}), s.Target, plenty, get("a"), req, get("b"))
	if len(o.Exchanges) != 3 || o.Connections != 2 || string(o.Exchanges[1].Body) != "challenge" || o.Exchanges[2].Status != 200 {
		t.Errorf("%+v", o)
	}
	if code := <-codes; code != ws.StatusNormalClosure {
		t.Errorf("the server saw close code %d", code)
	}
}

// The wait for a frame ends with the target's deadline, if that is sooner.
func TestFrameWithinDeadline(t *testing.T) {
	s := serve(t, func(p *peer) { p.send(accepted(p.request())); p.hold() })
	req := get("ws")
	req.WebSocket = true
	o := ask(t, newWire(Options{FrameTimeout: plenty}), s.Target, 150*time.Millisecond, req)
	if o.Duration > plenty/2 || o.Exchanges[0].Err != "no answer in time" {
		t.Errorf("%+v", o)
	}
}

func FuzzReadMessage(f *testing.F) {
	f.Add([]byte(frame(textFrame("challenge"))), uint16(16))
	f.Add([]byte(frame(ws.NewPingFrame(nil))+frame(ws.NewFrame(ws.OpText, false, []byte("a")))), uint16(1))
	f.Add([]byte("\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"), uint16(1))
	f.Fuzz(func(t *testing.T, data []byte, limit uint16) {
		var x evidence.Exchange
		_, err := readMessage(bytes.NewReader(data), int(limit), &x)
		if len(x.Body) > int(limit) {
			t.Fatalf("%d bytes, the cap is %d", len(x.Body), limit)
		}
		if x.Truncated && err == nil {
			t.Fatal("truncated without an error")
		}
	})
}
