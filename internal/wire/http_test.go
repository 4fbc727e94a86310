package wire

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/target"
)

// Each answer is sent to each request on every connection; after it the server
// hangs up, or holds the connection open.
func TestAnswers(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	z.Write(make([]byte, 1<<20))
	z.Close()
	head := "HTTP/1.1 200 OK\r\n"
	other, broken := event.OutcomeOther, event.OutcomeProtocolError

	tests := []struct {
		name   string
		answer string
		hold   bool
		method string // default GET
		cap    int

		outcome   event.Outcome
		err       string // part of the observation's error
		status    int
		body      string
		truncated bool
		xerr      string // part of the exchange's error
	}{
		{name: "content length", answer: head + "Content-Length: 2\r\n\r\nok", hold: true, outcome: other, status: 200, body: "ok"},
		{name: "bare line feeds", answer: "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", hold: true, outcome: other, status: 200, body: "ok"},
		{name: "no reason", answer: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", hold: true, outcome: other, status: 200},
		{name: "empty", answer: head + "Content-Length: 0\r\n\r\n", hold: true, outcome: other, status: 200},
		{name: "until close", answer: head + "\r\nto the end", outcome: other, status: 200, body: "to the end"},
		{name: "until close, empty", answer: head + "\r\n", outcome: other, status: 200},
		{name: "http/1.0", answer: "HTTP/1.0 200 OK\r\n\r\nold", outcome: other, status: 200, body: "old"},
		{name: "204", answer: "HTTP/1.1 204 No Content\r\n\r\n", hold: true, outcome: other, status: 204},
		{name: "304 with length", answer: "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", hold: true, outcome: other, status: 304},
		{name: "head with length", method: "HEAD", answer: head + "Content-Length: 9\r\n\r\n", hold: true, outcome: other, status: 200},
		{name: "odd lines", answer: head + "no colon\r\n: no name\r\nContent-Length: 2\r\n\r\nok", hold: true, outcome: other, status: 200, body: "ok"},

		{name: "chunked", answer: head + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n3\r\n!!!\r\n0\r\n\r\n", hold: true, outcome: other, status: 200, body: "ok!!!"},
		{name: "chunked beats length", answer: head + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", hold: true, outcome: other, status: 200, body: "ok"},
		{name: "chunked in two lines", answer: head + "Transfer-Encoding: Chunked\r\nTransfer-Encoding: identity\r\n\r\n2\r\nok\r\n0\r\n\r\n", hold: true, outcome: other, status: 200, body: "ok"},
		{name: "chunk extensions and trailers", answer: head + "Transfer-Encoding: chunked\r\n\r\n2;a=\"b\"\r\nok\r\n0;z\r\nX: y\r\nZ: 1\r\n\r\n", hold: true, outcome: other, status: 200, body: "ok"},
		{name: "chunk with bad size", answer: head + "Transfer-Encoding: chunked\r\n\r\nxyz\r\nok\r\n", hold: true, outcome: other, status: 200, xerr: "broken chunked"},
		{name: "chunk with negative size", answer: head + "Transfer-Encoding: chunked\r\n\r\n-2\r\nok\r\n", hold: true, outcome: other, status: 200, xerr: "broken chunked"},
		{name: "chunk with huge size", answer: head + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nok\r\n", hold: true, outcome: other, status: 200, xerr: "broken chunked"},
		{name: "chunk of terabytes", answer: head + "Transfer-Encoding: chunked\r\n\r\nfffffffffff\r\nok", outcome: other, status: 200, body: "ok", xerr: "breaks off"},
		{name: "chunk without line end", answer: head + "Transfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n", hold: true, outcome: other, status: 200, body: "ok", xerr: "broken chunked"},
		{name: "chunk size line endless", answer: head + "Transfer-Encoding: chunked\r\n\r\n2;" + strings.Repeat("x", bufSize), hold: true, outcome: other, status: 200, xerr: "broken chunked"},
		{name: "chunks of one byte", answer: head + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\nx\r\n", 50000) + "0\r\n\r\n", hold: true, outcome: other, status: 200, body: strings.Repeat("x", 50000)},
		{name: "chunks of one byte in padding", answer: head + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1;"+strings.Repeat("p", 2000)+"\r\nx\r\n", 100), hold: true, outcome: other, status: 200, body: strings.Repeat("x", 33), xerr: "broken chunked"},
		{name: "chunks break off", answer: head + "Transfer-Encoding: chunked\r\n\r\n5\r\nok", outcome: other, status: 200, body: "ok", xerr: "breaks off"},
		{name: "chunks without last", answer: head + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", outcome: other, status: 200, body: "ok", xerr: "breaks off"},
		{name: "trailers endless", answer: head + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("a: b\r\n", 20000), hold: true, outcome: other, status: 200, xerr: "header is larger"},
		{name: "chunked beyond cap", cap: 4, answer: head + "Transfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n0\r\n\r\n", hold: true, outcome: other, status: 200, body: "1234", truncated: true},
		{name: "chunked at cap", cap: 4, answer: head + "Transfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n0\r\n\r\n", hold: true, outcome: other, status: 200, body: "1234"},

		{name: "length short of body", answer: head + "Content-Length: 2\r\n\r\nokay", hold: true, outcome: other, status: 200, body: "ok"},
		{name: "length beyond body", answer: head + "Content-Length: 9\r\n\r\nok", outcome: other, status: 200, body: "ok", xerr: "breaks off"},
		{name: "length twice, same", answer: head + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", hold: true, outcome: other, status: 200, body: "ok"},
		{name: "length twice, different", answer: head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nok", hold: true, outcome: broken, err: "broken Content-Length"},
		{name: "length negative", answer: head + "Content-Length: -2\r\n\r\nok", hold: true, outcome: broken, err: "broken Content-Length"},
		{name: "length with sign", answer: head + "Content-Length: +2\r\n\r\nok", hold: true, outcome: broken, err: "broken Content-Length"},
		{name: "length not a number", answer: head + "Content-Length: 0x2\r\n\r\nok", hold: true, outcome: broken, err: "broken Content-Length"},
		{name: "length beyond int64", answer: head + "Content-Length: 9223372036854775808\r\n\r\nok", hold: true, outcome: broken, err: "broken Content-Length"},
		{name: "length of exabytes", answer: head + "Content-Length: 9223372036854775807\r\n\r\nok", outcome: other, status: 200, body: "ok", xerr: "breaks off"},
		{name: "length beyond cap", cap: 4, answer: head + "Content-Length: 8\r\n\r\n12345678", hold: true, outcome: other, status: 200, body: "1234", truncated: true},
		{name: "length at cap", cap: 4, answer: head + "Content-Length: 4\r\n\r\n1234", hold: true, outcome: other, status: 200, body: "1234"},
		{name: "until close beyond cap", cap: 4, answer: head + "\r\n12345678", hold: true, outcome: other, status: 200, body: "1234", truncated: true},
		{name: "until close at cap", cap: 4, answer: head + "\r\n1234", outcome: other, status: 200, body: "1234"},
		{name: "default cap", answer: head + "\r\n" + strings.Repeat("x", maxBody+1), hold: true, outcome: other, status: 200, body: strings.Repeat("x", maxBody), truncated: true},
		{name: "gzip bomb", answer: head + "Content-Encoding: gzip\r\n\r\n" + bomb.String(), outcome: other, status: 200, body: strings.Repeat("\x00", maxBody), truncated: true},

		{name: "1xx before", answer: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + head + "Content-Length: 2\r\n\r\nok", hold: true, outcome: other, status: 200, body: "ok"},
		{name: "1xx by the thousand", answer: strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 3000), hold: true, outcome: broken, err: "interim answers"},
		{name: "101 unasked", answer: "HTTP/1.1 101 Switching Protocols\r\n\r\nxyz", hold: true, outcome: other, status: 101},
		{name: "300 header lines", answer: head + strings.Repeat("a: b\r\n", 300) + "\r\n", hold: true, outcome: broken, err: "more than 256 header lines"},
		{name: "256 header lines", answer: head + strings.Repeat("a: b\r\n", 255) + "Content-Length: 0\r\n\r\n", hold: true, outcome: other, status: 200},
		{name: "header line of a megabyte", answer: head + "a: " + strings.Repeat("b", 1<<20) + "\r\n\r\n", hold: true, outcome: broken, err: "header is larger"},
		{name: "header of a megabyte without a line end", answer: "HTTP/1.1 " + strings.Repeat("2", 1<<20), hold: true, outcome: broken, err: "header is larger"},
		{name: "header breaks off", answer: head + "a: b\r\n", outcome: broken, err: "breaks off"},
		{name: "three letters", answer: "HTT", outcome: broken, err: "breaks off"},
		{name: "http/2 status line", answer: "HTTP/2 200\r\n\r\n", hold: true, outcome: broken, err: "not HTTP"},
		{name: "status of two digits", answer: "HTTP/1.1 20\r\n\r\n", hold: true, outcome: broken, err: "not HTTP"},
		{name: "status below 100", answer: "HTTP/1.1 099 x\r\n\r\n", hold: true, outcome: broken, err: "not HTTP"},
		{name: "status not a number", answer: "HTTP/1.1 2e2 x\r\n\r\n", hold: true, outcome: broken, err: "not HTTP"},
		{name: "blank line first", answer: "\r\n" + head + "\r\n", hold: true, outcome: broken, err: "not HTTP"},
		{name: "ssh", answer: "SSH-2.0-OpenSSH_9.9\r\n", hold: true, outcome: broken, err: "not HTTP"},
		{name: "garbage", answer: "\x00\x01\x02\xff\xfe\x00\x00", hold: true, outcome: broken, err: "not HTTP"},
		{name: "one byte of garbage", answer: "\x00", outcome: broken, err: "not HTTP"},
	}
	w := newWire(Options{})
	good := serve(t, hello)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, func(p *peer) {
				for p.request() != "" {
					p.send(tt.answer)
					if !tt.hold {
						return
					}
				}
			})
			req := get("x")
			req.MaxBody = tt.cap
			if tt.method != "" {
				req.Method = tt.method
			}
			o := ask(t, w, s.Target, plenty, req)
			if o.Outcome != tt.outcome || !strings.Contains(o.Err, tt.err) || (tt.err == "") != (o.Err == "") {
				t.Errorf("outcome %s %q, want %s %q", o.Outcome, o.Err, tt.outcome, tt.err)
			}
			if o.Requests != 1 || o.Connections != 1 {
				t.Errorf("%d requests on %d connections", o.Requests, o.Connections)
			}
			if tt.status == 0 {
				if len(o.Exchanges) != 0 || o.Scheme != "" {
					t.Errorf("scheme %q and exchanges %+v without an answer", o.Scheme, o.Exchanges)
				}
			} else if x := o.Exchange("x"); x == nil {
				t.Error("no exchange")
			} else {
				if x.Status != tt.status || string(x.Body) != tt.body || x.Truncated != tt.truncated {
					t.Errorf("status %d, truncated %t, body of %d bytes %.40q; want %d, %t, %d bytes %.40q",
						x.Status, x.Truncated, len(x.Body), x.Body, tt.status, tt.truncated, len(tt.body), tt.body)
				}
				if !strings.Contains(x.Err, tt.xerr) || (tt.xerr == "") != (x.Err == "") {
					t.Errorf("exchange error %q, want %q", x.Err, tt.xerr)
				}
			}
			// The wire is as good as before.
			if o := ask(t, w, good.Target, plenty, get("x")); o.Outcome != event.OutcomeOther || string(o.Exchanges[0].Body) != "hello" {
				t.Errorf("next target: %+v", o)
			}
		})
	}
}

// What never ends is ended by a cap, not by the deadline.
func TestEndless(t *testing.T) {
	flood := func(p *peer, text string) {
		text = strings.Repeat(text, 1+4096/len(text))
		for {
			if _, err := io.WriteString(p, text); err != nil {
				return
			}
		}
	}
	tests := []struct {
		name    string
		handle  func(p *peer)
		outcome event.Outcome
		cut     bool
	}{
		{"header lines", func(p *peer) { p.send("HTTP/1.1 200 OK\r\n"); flood(p, "a: b\r\n") }, event.OutcomeProtocolError, false},
		{"header line", func(p *peer) { p.send("HTTP/1.1 200 OK\r\n"); flood(p, "a") }, event.OutcomeProtocolError, false},
		{"lines without a colon", func(p *peer) { p.send("HTTP/1.1 200 OK\r\n"); flood(p, "a\r\n") }, event.OutcomeProtocolError, false},
		{"interim answers", func(p *peer) { flood(p, "HTTP/1.1 100 Continue\r\n\r\n") }, event.OutcomeProtocolError, false},
		{"body", func(p *peer) { p.send("HTTP/1.1 200 OK\r\n\r\n"); flood(p, "x") }, event.OutcomeOther, true},
		{"chunks", func(p *peer) {
			p.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			flood(p, "1\r\nx\r\n")
		}, event.OutcomeOther, true},
		{"garbage", func(p *peer) { flood(p, "x") }, event.OutcomeProtocolError, false},
	}
	w := newWire(Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, func(p *peer) { p.request(); tt.handle(p) })
			o := ask(t, w, s.Target, plenty, get("x"))
			if o.Outcome != tt.outcome {
				t.Errorf("outcome %s %q", o.Outcome, o.Err)
			}
			if tt.cut {
				if x := o.Exchange("x"); x == nil || !x.Truncated || len(x.Body) != maxBody || x.Err != "" {
					t.Errorf("exchange %+v", x)
				}
			}
			if o.Duration > plenty/2 {
				t.Errorf("took %v", o.Duration)
			}
		})
	}
}

func TestConnectionReuse(t *testing.T) {
	const body = "Content-Length: 2\r\n\r\nok"
	tests := []struct {
		name, answer string
		method       string
		cap          int
		connections  int
	}{
		{"1.1", "HTTP/1.1 200 OK\r\n" + body, "GET", 0, 1},
		{"1.1 chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n", "GET", 0, 1},
		{"1.1 after 204", "HTTP/1.1 204 x\r\n\r\n", "GET", 0, 1},
		{"1.1 after 304", "HTTP/1.1 304 x\r\n" + "Content-Length: 9\r\n\r\n", "GET", 0, 1},
		{"1.1 after head", "HTTP/1.1 200 x\r\n" + "Content-Length: 9\r\n\r\n", "HEAD", 0, 1},
		{"1.1 at cap", "HTTP/1.1 200 OK\r\n" + body, "GET", 2, 1},
		{"1.1 beyond cap", "HTTP/1.1 200 OK\r\n" + body, "GET", 1, 2},
		{"1.1 close", "HTTP/1.1 200 OK\r\nConnection: x, Close\r\n" + body, "GET", 0, 2},
		{"1.0", "HTTP/1.0 200 OK\r\n" + body, "GET", 0, 2},
		{"1.0 keep-alive", "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n" + body, "GET", 0, 1},
		{"1.1 with more than announced", "HTTP/1.1 200 OK\r\n" + body + "HTTP/1.1 500 smuggled\r\n\r\n", "GET", 0, 2},
		{"101 unasked", "HTTP/1.1 101 x\r\n\r\n", "GET", 0, 2},
	}
	w := newWire(Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, func(p *peer) {
				for p.request() != "" {
					p.send(tt.answer)
				}
			})
			a, b := get("a"), get("b")
			a.Method, a.MaxBody = tt.method, tt.cap
			b.Method, b.MaxBody = tt.method, tt.cap
			o := ask(t, w, s.Target, plenty, a, b)
			if o.Outcome != event.OutcomeOther || len(o.Exchanges) != 2 || o.Requests != 2 {
				t.Fatalf("%+v", o)
			}
			for _, x := range o.Exchanges {
				if x.Err != "" || x.Status == 500 {
					t.Errorf("exchange %+v", x)
				}
			}
			if o.Connections != tt.connections || int(s.accepts.Load()) != tt.connections {
				t.Errorf("%d connections, %d accepted, want %d", o.Connections, s.accepts.Load(), tt.connections)
			}
		})
	}
}

func TestRequestBytes(t *testing.T) {
	local := netip.MustParseAddrPort("127.0.0.1:18789")
	w := newWire(Options{UserAgent: "clawsonar/1 (+https://example.org/)"})
	tests := []struct {
		name   string
		t      target.Target
		secure bool
		host   string
	}{
		{"v4", target.Target{Addr: local}, false, "127.0.0.1:18789"},
		{"name", target.Target{Addr: local, Name: "gw.example"}, false, "gw.example:18789"},
		{"name, plain on 80", target.Target{Addr: netip.MustParseAddrPort("127.0.0.1:80"), Name: "gw.example"}, false, "gw.example"},
		{"name, plain on 443", target.Target{Addr: netip.MustParseAddrPort("127.0.0.1:443"), Name: "gw.example"}, false, "gw.example:443"},
		{"name, TLS on 443", target.Target{Addr: netip.MustParseAddrPort("127.0.0.1:443"), Name: "gw.example"}, true, "gw.example"},
		{"v6", target.Target{Addr: netip.MustParseAddrPort("[::1]:18789")}, false, "[::1]:18789"},
		{"v6 on 80", target.Target{Addr: netip.MustParseAddrPort("[2001:db8::80]:80")}, false, "[2001:db8::80]"},
		{"zone", target.Target{Addr: netip.MustParseAddrPort("[fe80::1%eth0]:18789")}, false, "[fe80::1]:18789"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := string(w.encode(nil, tt.t, tt.secure, evidence.Request{Method: "GET", Path: "/claw/"}, ""))
			want := "GET /claw/ HTTP/1.1\r\nHost: " + tt.host + "\r\nUser-Agent: clawsonar/1 (+https://example.org/)\r\n" +
				"Accept: */*\r\nAccept-Encoding: identity\r\n\r\n"
			if got != want {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
	got := string(newWire(Options{}).encode(nil, target.Target{Addr: local}, false, evidence.Request{
		Method: "POST", Path: "/tools/invoke", Body: "{}",
		Header: evidence.Header{{Name: "Content-Type", Value: "application/json"}, {Name: "X-A", Value: "b"}},
	}, ""))
	want := "POST /tools/invoke HTTP/1.1\r\nHost: 127.0.0.1:18789\r\nUser-Agent: clawsonar\r\nAccept: */*\r\nAccept-Encoding: identity\r\n" +
		"Content-Type: application/json\r\nX-A: b\r\nContent-Length: 2\r\n\r\n{}"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestHeaderAsReceived(t *testing.T) {
	s := serve(t, func(p *peer) {
		p.request()
		p.send("HTTP/1.1 401 No\r\nX-b:  1 \r\nx-B:\t2\r\nServer: a:b\r\nContent-Length: 0\r\n\r\n")
	})
	o := ask(t, newWire(Options{}), s.Target, plenty, get("x"))
	want := fmt.Sprint(evidence.Header{{Name: "X-b", Value: "1"}, {Name: "x-B", Value: "2"}, {Name: "Server", Value: "a:b"}, {Name: "Content-Length", Value: "0"}})
	if got := fmt.Sprint(o.Exchanges[0].Header); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A header that drips is cut off by the deadline, however many bytes come.
func TestDrip(t *testing.T) {
	s := serve(t, func(p *peer) {
		p.request()
		for _, b := range []byte("HTTP/1.1 200 OK\r\na: " + strings.Repeat("b", 10000)) {
			if _, err := p.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	o := ask(t, newWire(Options{}), s.Target, 200*time.Millisecond, get("x"), get("y"))
	if o.Outcome != event.OutcomeSilent || o.Connections != 1 || len(o.Exchanges) != 0 {
		t.Errorf("%+v", o)
	}
}

// A body that does not come is a fact about the exchange; the conversation
// then has no time left.
func TestBodyBeyondDeadline(t *testing.T) {
	s := serve(t, func(p *peer) {
		p.request()
		p.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
		p.hold()
	})
	o := ask(t, newWire(Options{}), s.Target, 200*time.Millisecond, get("x"), get("y"))
	if o.Outcome != event.OutcomeOther || len(o.Exchanges) != 1 || o.Requests != 1 {
		t.Fatalf("%+v", o)
	}
	if x := o.Exchanges[0]; string(x.Body) != "half" || x.Err != "no answer in time" {
		t.Errorf("%+v", x)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), false, uint16(8))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nok\r\n0\r\nA: b\r\n\r\n"), false, uint16(8))
	f.Add([]byte("HTTP/1.1 100 x\r\n\r\nHTTP/1.0 200 OK\r\n\r\nuntil close"), false, uint16(4))
	f.Add([]byte("HTTP/1.1 204 x\r\n\r\n"), true, uint16(1))
	f.Add([]byte("\x15\x03\x01\x00\x02\x02\x46"), false, uint16(1))
	f.Fuzz(func(t *testing.T, answer []byte, isHead bool, max uint16) {
		method := "GET"
		if isHead {
			method = "HEAD"
		}
		limit := int(max) + 1
		read := func(in io.Reader) (h head, x evidence.Exchange, whole bool, headErr, err error) {
			r := bufio.NewReaderSize(in, bufSize)
			if h, headErr = readHead(r); headErr == nil {
				whole, err = readBody(r, h, method, limit, &x)
			}
			return h, x, whole, headErr, err
		}
		h, x, whole, headErr, err := read(bytes.NewReader(answer))
		// It does not matter in which pieces an answer comes.
		h1, x1, whole1, headErr1, err1 := read(iotest.OneByteReader(bytes.NewReader(answer)))
		if headErr != headErr1 || whole != whole1 || err != err1 || headErr == nil && fmt.Sprint(h, x) != fmt.Sprint(h1, x1) {
			t.Fatalf("at once:        %v %v %t %v %v\nbyte after byte: %v %v %t %v %v", h, x, whole, headErr, err, h1, x1, whole1, headErr1, err1)
		}
		if headErr != nil {
			return
		}
		if h.status < 100 || h.status > 999 || len(h.fields) > maxFields {
			t.Fatalf("status %d, %d header lines", h.status, len(h.fields))
		}
		if len(x.Body) > limit {
			t.Fatalf("body of %d bytes, the cap is %d", len(x.Body), limit)
		}
		if whole && (err != nil || x.Truncated) {
			t.Fatalf("whole, but error %v, truncated %t", err, x.Truncated)
		}
		if x.Truncated && len(x.Body) != limit {
			t.Fatalf("truncated at %d, the cap is %d", len(x.Body), limit)
		}
		if h.status >= 200 && err == nil && !x.Truncated {
			asStandard(t, answer, method, h, x.Body)
		}
	})
}

// asStandard compares an answer with what the standard library reads, where that
// reads it at all: it refuses more.
func asStandard(t *testing.T, answer []byte, method string, h head, body []byte) {
	// Lines that begin with white space continue the one before there.
	if bytes.Contains(answer, []byte("\n ")) || bytes.Contains(answer, []byte("\n\t")) {
		return
	}
	res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), &http.Request{Method: method})
	if err != nil {
		return
	}
	want, err := io.ReadAll(res.Body)
	if err != nil {
		return
	}
	if res.StatusCode != h.status || !bytes.Equal(body, want) {
		t.Fatalf("%q: %d %q, the standard library has %d %q", answer, h.status, body, res.StatusCode, want)
	}
	got := http.Header{}
	for _, f := range h.fields {
		got.Add(f.Name, f.Value)
	}
	for name, values := range res.Header {
		if !slices.Equal(got[name], values) {
			t.Fatalf("%q: %s: %q, the standard library has %q", answer, name, got[name], values)
		}
	}
}
