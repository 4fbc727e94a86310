package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/pace"
	"github.com/clawsonar/clawsonar/internal/target"
)

// closedPort returns an address at which nothing listens.
func closedPort(t *testing.T) target.Target {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return target.Target{Addr: netip.MustParseAddrPort(l.Addr().String())}
}

func TestOutcomes(t *testing.T) {
	config := tlsConfig(t, nil)
	mutual := tlsConfig(t, nil)
	mutual.ClientAuth = tls.RequireAnyClientCert
	const alert = "\x15\x03\x03\x00\x02\x02\x28" // fatal, handshake_failure
	greet := func(text string) func(*peer) {
		return func(p *peer) { p.request(); p.send(text); p.hold() }
	}
	once := func(handle func(*peer)) func(*peer) {
		return func(p *peer) {
			if p.n == 1 {
				handle(p)
			}
		}
	}
	phrase := func(text string) func(*peer) {
		return func(p *peer) {
			if p.isTLS() {
				return
			}
			p.request()
			p.send(fmt.Sprintf("HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(text), text))
		}
	}
	tests := []struct {
		name        string
		scheme      string
		handle      func(*peer)
		timeout     time.Duration // default plenty
		outcome     event.Outcome
		err         string
		found       string // the observation's scheme
		connections int    // -1: a reset may be seen while connecting, or after
		requests    int
		tls         bool
	}{
		{name: "plain", handle: hello, outcome: event.OutcomeOther, found: "http", connections: 1, requests: 1},
		{name: "silent", handle: (*peer).hold, timeout: 150 * time.Millisecond, outcome: event.OutcomeSilent, err: "no answer in time", connections: 1, requests: 1},
		{name: "closes unread", handle: hangUp, outcome: event.OutcomeReset, connections: 2, requests: 1},
		{name: "closes after the request", handle: func(p *peer) { p.r.ReadString('\n') }, outcome: event.OutcomeReset, err: "closed without an answer", connections: 2, requests: 1},
		{name: "closes after the request, waits for one from TLS", handle: func(p *peer) { p.request() }, timeout: 300 * time.Millisecond, outcome: event.OutcomeReset, err: "closed without an answer", connections: 2, requests: 1},
		{name: "resets", handle: (*peer).reset, outcome: event.OutcomeReset, connections: -1},
		{name: "resets after the request", handle: func(p *peer) { p.r.Peek(1); p.reset() }, outcome: event.OutcomeReset, connections: 2, requests: 1},
		{name: "breaks off by reset", handle: func(p *peer) {
			p.request()
			p.send("HTTP/1.1 200 OK\r\na: b")
			time.Sleep(100 * time.Millisecond) // a reset overtakes what was not read yet
			p.reset()
		}, outcome: event.OutcomeProtocolError, err: "answer breaks off", connections: 1, requests: 1},
		{name: "ssh, greets first", handle: func(p *peer) { p.send("SSH-2.0-x\r\n"); p.hold() }, outcome: event.OutcomeProtocolError, err: "not HTTP", connections: 1, requests: 1},
		{name: "ssh, https asked for", scheme: "https", handle: func(p *peer) { p.send("SSH-2.0-x\r\n"); p.hold() }, outcome: event.OutcomeProtocolError, err: "not HTTP", connections: 2, requests: 1},

		{name: "https asked for", scheme: "https", handle: overTLS(config, hangUp, hello), outcome: event.OutcomeOther, found: "https", connections: 1, requests: 1, tls: true},
		{name: "https asked for, plain found", scheme: "https", handle: func(p *peer) {
			if p.isTLS() {
				p.send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
				return
			}
			hello(p)
		}, outcome: event.OutcomeOther, found: "http", connections: 2, requests: 1},
		{name: "https asked for, plain found, which closes", scheme: "https", handle: func(p *peer) {
			if !p.isTLS() {
				hello(p)
			}
		}, outcome: event.OutcomeOther, found: "http", connections: 2, requests: 1},
		{name: "https asked for, silent", scheme: "https", handle: (*peer).hold, timeout: 150 * time.Millisecond, outcome: event.OutcomeSilent, connections: 1},
		{name: "https asked for, resets", scheme: "https", handle: (*peer).reset, outcome: event.OutcomeReset, connections: -1},

		{name: "TLS found, it closes plain", handle: overTLS(config, hangUp, hello), outcome: event.OutcomeOther, found: "https", connections: 2, requests: 2, tls: true},
		{name: "TLS found, it closes plain read", handle: overTLS(config, func(p *peer) { p.request() }, hello), outcome: event.OutcomeOther, found: "https", connections: 2, requests: 2, tls: true},
		{name: "TLS found, it resets plain", handle: overTLS(config, (*peer).reset, hello), outcome: event.OutcomeOther, found: "https", connections: 2, requests: 2, tls: true},
		{name: "TLS found by an alert", handle: overTLS(config, greet(alert), hello), outcome: event.OutcomeOther, found: "https", connections: 2, requests: 2, tls: true},
		{name: "TLS found by nginx's 400", handle: overTLS(config, phrase("<center>The plain HTTP request was sent to HTTPS port</center>"), hello), outcome: event.OutcomeOther, found: "https", connections: 2, requests: 2, tls: true},
		{name: "TLS found by Apache's 400", handle: overTLS(config, phrase("You're speaking plain HTTP to an SSL-enabled server port."), hello), outcome: event.OutcomeOther, found: "https", connections: 2, requests: 2, tls: true},
		{name: "another 400", handle: phrase("Bad Request"), outcome: event.OutcomeOther, found: "http", connections: 1, requests: 1},

		{name: "rejects every handshake", handle: func(p *peer) {
			if p.isTLS() {
				p.send(alert)
			}
		}, outcome: event.OutcomeTLSError, err: "handshake failure", connections: 2, requests: 1},
		{name: "rejects everything by alert", handle: func(p *peer) { p.r.Peek(1); p.send(alert); p.hold() }, outcome: event.OutcomeTLSError, err: "handshake failure", connections: 2, requests: 1},
		{name: "rejects every handshake, https asked for", scheme: "https", handle: func(p *peer) { p.isTLS(); p.send(alert); p.hold() }, outcome: event.OutcomeTLSError, err: "handshake failure", connections: 1},
		{name: "alert, then closes", handle: once(greet(alert)), outcome: event.OutcomeTLSError, connections: 2, requests: 1},
		{name: "nginx's 400, then no TLS", handle: phrase("The plain HTTP request was sent to HTTPS port"), outcome: event.OutcomeTLSError, connections: 2, requests: 1},
		{name: "nginx's 400, then a stalling handshake", handle: func(p *peer) {
			if p.isTLS() {
				p.hold()
			}
			phrase("The plain HTTP request was sent to HTTPS port")(p)
		}, timeout: 300 * time.Millisecond, outcome: event.OutcomeTLSError, connections: 2, requests: 1},
		{name: "wants a client certificate", scheme: "https", handle: overTLS(mutual, hangUp, hello), outcome: event.OutcomeTLSError, err: "certificate required", connections: 1, requests: 1, tls: true},
		{name: "TLS, then closes", scheme: "https", handle: overTLS(config, hangUp, func(p *peer) { p.request() }), outcome: event.OutcomeReset, connections: 1, requests: 1, tls: true},
		{name: "TLS, then silent", scheme: "https", handle: overTLS(config, hangUp, (*peer).hold), timeout: 500 * time.Millisecond, outcome: event.OutcomeSilent, connections: 1, requests: 1, tls: true},
		{name: "TLS, then garbage", scheme: "https", handle: overTLS(config, hangUp, greet("garbage")), outcome: event.OutcomeProtocolError, connections: 1, requests: 1, tls: true},
		{name: "handshake stalls", scheme: "https", handle: func(p *peer) { p.send("\x16\x03\x03\x40\x00\x02"); p.hold() }, timeout: 150 * time.Millisecond, outcome: event.OutcomeSilent, connections: 1},
		{name: "handshake of garbage", scheme: "https", handle: func(p *peer) { p.isTLS(); p.send("\x16\x03\x03\x00\x04\xff\x00\x00\x00"); p.hold() }, outcome: event.OutcomeTLSError, connections: 1},
	}
	w := newWire(Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, tt.handle)
			if tt.timeout == 0 {
				tt.timeout = plenty
			}
			s.Scheme = tt.scheme
			o := ask(t, w, s.Target, tt.timeout, get("x"))
			if o.Outcome != tt.outcome || !strings.Contains(o.Err, tt.err) {
				t.Errorf("outcome %s %q, want %s %q", o.Outcome, o.Err, tt.outcome, tt.err)
			}
			if tt.connections < 0 {
				tt.connections = o.Connections
			}
			if o.Scheme != tt.found || o.Connections != tt.connections || o.Requests < tt.requests || (o.TLS != nil) != tt.tls {
				t.Errorf("scheme %q, %d connections, %d requests, TLS %t; want %q, %d, %d, %t",
					o.Scheme, o.Connections, o.Requests, o.TLS != nil, tt.found, tt.connections, tt.requests, tt.tls)
			}
			if want := map[bool]int{true: 1}[tt.outcome == event.OutcomeOther]; len(o.Exchanges) != want {
				t.Errorf("%d exchanges, want %d", len(o.Exchanges), want)
			}
		})
	}
}

// A TLS server written with Go answers plain text politely.
func TestGoTLSServer(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto+r.URL.Path) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	to := target.Target{Addr: netip.MustParseAddrPort(s.Listener.Addr().String())}
	o := ask(t, newWire(Options{}), to, plenty, get("a"), get("b"))
	if o.Outcome != event.OutcomeOther || o.Scheme != "https" || o.Connections != 2 || o.Requests != 3 || len(o.Exchanges) != 2 {
		t.Fatalf("%+v", o)
	}
	if got := string(o.Exchanges[1].Body); got != "HTTP/1.1/b" {
		t.Errorf("body %q", got)
	}
}

func TestClosedPort(t *testing.T) {
	for _, scheme := range []string{"", "http", "https"} {
		to := closedPort(t)
		to.Scheme = scheme
		o := ask(t, newWire(Options{}), to, plenty, get("x"), get("y"))
		if o.Outcome != event.OutcomeClosed || o.Connections != 0 || o.Requests != 0 || len(o.Exchanges) != 0 {
			t.Errorf("scheme %q: %+v", scheme, o)
		}
	}
}

// A service that takes one connection and is gone then was not closed.
func TestGoneAfterFirst(t *testing.T) {
	for _, tt := range []struct {
		name, answer string
		want         event.Outcome
	}{
		{"closes", "", event.OutcomeReset},
		{"alert", "\x15\x03\x03\x00\x02\x02\x28", event.OutcomeTLSError},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				c, err := l.Accept()
				l.Close()
				if err != nil {
					return
				}
				defer c.Close()
				c.Read(make([]byte, 4096))
				io.WriteString(c, tt.answer)
			}()
			o := ask(t, newWire(Options{}), target.Target{Addr: netip.MustParseAddrPort(l.Addr().String())}, plenty, get("x"))
			<-done
			if o.Outcome != tt.want || o.Connections != 1 {
				t.Errorf("outcome %s %q, %d connections", o.Outcome, o.Err, o.Connections)
			}
		})
	}
}

// Nothing outside the scope is contacted, no matter how it is asked for.
func TestScope(t *testing.T) {
	s := serve(t, hello)
	w := newWire(Options{Scope: target.NewScope(nil, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, true)})
	mapped := s.Target
	mapped.Addr = netip.AddrPortFrom(netip.AddrFrom16(s.Addr.Addr().As16()), s.Addr.Port())
	for _, to := range []target.Target{s.Target, mapped} {
		o := ask(t, w, to, plenty, get("x"), get("y"))
		if o.Outcome != event.OutcomeExcluded || !strings.Contains(o.Err, "is excluded by 127.0.0.0/8") || o.Connections != 0 || o.Requests != 0 {
			t.Errorf("%v: %+v", to.Addr, o)
		}
		// The dialer refuses by itself, too.
		var n int
		_, _, err := w.dial(t.Context(), time.Now().Add(plenty), to, false, 0, &n)
		if outcome, _ := classify(err); outcome != event.OutcomeExcluded || n != 0 {
			t.Errorf("%v: dialer: %v", to.Addr, err)
		}
	}
	if n := s.accepts.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
	// The unresolved target of a name is no address.
	o := ask(t, w, target.Target{Name: "gw.example", Addr: netip.AddrPortFrom(netip.Addr{}, 80)}, plenty, get("x"))
	if o.Outcome != event.OutcomeExcluded {
		t.Errorf("without an address: %+v", o)
	}
}

func TestInterrupt(t *testing.T) {
	config := tlsConfig(t, nil)
	tests := []struct {
		name      string
		scheme    string
		handle    func(*peer)
		webSocket bool
		exchanges int
	}{
		{"before the answer", "", (*peer).hold, false, 0},
		{"in the header", "", func(p *peer) { p.request(); p.send("HTTP/1.1 200 OK\r\n"); p.hold() }, false, 0},
		{"in the body", "", func(p *peer) { p.request(); p.send("HTTP/1.1 200 OK\r\n\r\nx"); p.hold() }, false, 1},
		{"in the handshake", "https", (*peer).hold, false, 0},
		{"before the answer over TLS", "https", overTLS(config, hangUp, (*peer).hold), false, 0},
		{"before the first frame", "", func(p *peer) { p.send(accepted(p.request())); p.hold() }, true, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			began := make(chan struct{}, 9)
			s := serve(t, func(p *peer) { p.r.Peek(1); began <- struct{}{}; tt.handle(p) })
			s.Scheme = tt.scheme
			go func() {
				<-began
				time.Sleep(50 * time.Millisecond)
				cancel()
			}()
			session := newWire(Options{FrameTimeout: plenty}).Open(ctx, s.Target, plenty)
			req := get("x")
			req.WebSocket = tt.webSocket
			more := session.ask(req)
			session.Close()
			o := session.Observation()
			if more || o.Outcome != event.OutcomeInterrupted || o.Err != stopped || len(o.Exchanges) != tt.exchanges {
				t.Errorf("continues %t, %+v", more, o)
			}
			if o.Duration > plenty/2 {
				t.Errorf("took %v", o.Duration)
			}
		})
	}
}

// Between two requests, before the first one, and while waiting for the pace.
func TestInterruptOutsideExchange(t *testing.T) {
	s := serve(t, hello)
	ctx, cancel := context.WithCancel(t.Context())
	w := newWire(Options{Limiter: pace.New(1, 0)})
	session := w.Open(ctx, s.Target, plenty)
	if !session.ask(get("a")) {
		t.Fatal("first request")
	}
	cancel()
	if session.ask(get("b")) {
		t.Error("continues")
	}
	session.Close()
	if o := session.Observation(); o.Outcome != event.OutcomeInterrupted || o.Exchange("a").Err != "" {
		t.Errorf("%+v", o)
	}

	session = w.Open(ctx, s.Target, plenty)
	if session.ask(get("a")) {
		t.Error("continues")
	}
	session.Close()
	if o := session.Observation(); o.Outcome != event.OutcomeInterrupted || o.Connections != 0 {
		t.Errorf("%+v", o)
	}

	// Less time than the pace allows for is the run's end, not the target's.
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	session = w.Open(ctx, s.Target, plenty)
	if session.ask(get("a")) {
		t.Error("continues")
	}
	session.Close()
	if o := session.Observation(); o.Outcome != event.OutcomeInterrupted || o.Connections != 0 {
		t.Errorf("%+v", o)
	}
}

// The wait for the limiter is not the target's time.
func TestPaceIsNotTheTargetsTime(t *testing.T) {
	s := serve(t, func(p *peer) { p.request(); p.send("HTTP/1.0 200 OK\r\n\r\n") })
	w := newWire(Options{Limiter: pace.New(2, 0)})
	ask(t, w, s.Target, plenty, get("x")) // takes the token
	o := ask(t, w, s.Target, 400*time.Millisecond, get("a"), get("b"), get("c"))
	if len(o.Exchanges) != 3 || o.Connections != 3 {
		t.Fatalf("%+v", o)
	}
	for _, x := range o.Exchanges {
		if x.Err != "" || x.Status != 200 {
			t.Errorf("%+v", x)
		}
	}
}

// An idle connection that the target has closed is opened again, once.
func TestIdleClosed(t *testing.T) {
	for _, end := range []func(*peer){hangUp, (*peer).reset} {
		s := serve(t, func(p *peer) {
			p.request()
			p.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			time.Sleep(20 * time.Millisecond)
			end(p)
		})
		session := newWire(Options{}).Open(t.Context(), s.Target, plenty)
		for _, id := range []string{"a", "b"} {
			if !session.ask(get(id)) {
				t.Fatal("stopped")
			}
			time.Sleep(100 * time.Millisecond)
		}
		session.Close()
		o := session.Observation()
		if len(o.Exchanges) != 2 || o.Exchanges[1].Status != 200 || o.Connections != 2 || o.Requests != 3 {
			t.Errorf("%+v", o)
		}
	}

	s := serve(t, func(p *peer) {
		p.request()
		if p.n == 1 {
			p.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			p.request()
		}
	})
	o := ask(t, newWire(Options{}), s.Target, plenty, get("a"), get("b"))
	if o.Outcome != event.OutcomeOther || o.Scheme != "http" || o.Connections != 2 || len(o.Exchanges) != 2 {
		t.Fatalf("%+v", o)
	}
	if x := o.Exchanges[1]; x.Status != 0 || x.Err != "closed without an answer" {
		t.Errorf("second exchange %+v", x)
	}
}

// A failure after the first answer is a fact about its request alone.
func TestLaterFailure(t *testing.T) {
	const courtesy = "The plain HTTP request was sent to HTTPS port"
	answers := map[int]string{
		1: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
		2: "garbage",
		3: "\x15\x03\x03\x00\x02\x02\x28",
		4: fmt.Sprintf("HTTP/1.1 400 x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(courtesy), courtesy),
		5: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
	}
	s := serve(t, func(p *peer) { p.request(); p.send(answers[p.n]) })
	o := ask(t, newWire(Options{}), s.Target, plenty, get("1"), get("2"), get("3"), get("4"), get("5"))
	if o.Outcome != event.OutcomeOther || o.Err != "" || o.Scheme != "http" || o.Connections != 5 || o.Requests != 5 || len(o.Exchanges) != 5 {
		t.Fatalf("%+v", o)
	}
	for i, want := range []string{"200 ", "0 answer is not HTTP", "0 answer is a TLS record", "400 ", "200 "} {
		if got := fmt.Sprintf("%d %s", o.Exchanges[i].Status, o.Exchanges[i].Err); got != want {
			t.Errorf("exchange %d: %s, want %s", i+1, got, want)
		}
	}
}

func TestIPv6(t *testing.T) {
	if l, err := net.Listen("tcp", "[::1]:0"); err != nil {
		t.Skip("no IPv6 on loopback")
	} else {
		l.Close()
	}
	hosts := make(chan string, 1)
	s := serveOn(t, "[::1]:0", func(p *peer) {
		hosts <- p.request()
		p.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	})
	o := ask(t, newWire(Options{}), s.Target, plenty, get("x"))
	if o.Outcome != event.OutcomeOther {
		t.Errorf("%+v", o)
	}
	if head := <-hosts; !strings.Contains(head, fmt.Sprintf("\r\nHost: [::1]:%d\r\n", s.Addr.Port())) {
		t.Errorf("request %q", head)
	}
}

func TestTLSInfo(t *testing.T) {
	good := tlsConfig(t, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
	})
	root, err := x509.ParseCertificate(good.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	expired := tlsConfig(t, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
	})
	named := tlsConfig(t, func(c *x509.Certificate) { c.IPAddresses = nil })
	old := tlsConfig(t, nil)
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS10
	old.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
	hostile := tlsConfig(t, func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: "\x1b[2Jx\r\n"}
		c.DNSNames = nil
		for i := range 200 {
			c.DNSNames = append(c.DNSNames, fmt.Sprintf("h%d.example", i))
		}
	})
	tests := []struct {
		name, target string
		config       *tls.Config
		roots        *x509.CertPool
		verify       string // part of VerifyError
		version      string
	}{
		{"trusted, by address", "", good, pool, "", "TLS 1.3"},
		{"trusted, by name", "gw.example", good, pool, "", "TLS 1.3"},
		{"self-signed", "", good, x509.NewCertPool(), "unknown authority", "TLS 1.3"},
		{"name mismatch", "other.example", good, pool, evidence.WrongName, "TLS 1.3"},
		{"address mismatch", "", named, pool, evidence.WrongName, "TLS 1.3"},
		{"expired", "", expired, pool, "expired", "TLS 1.3"},
		{"old", "", old, pool, "unknown authority", "TLS 1.0"},
		{"hostile", "", hostile, pool, "unknown authority", "TLS 1.3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			names := make(chan string, 1)
			tt.config.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) { names <- h.ServerName; return nil, nil }
			s := serve(t, overTLS(tt.config, hangUp, hello))
			s.Scheme, s.Name = "https", tt.target
			o := ask(t, newWire(Options{Roots: tt.roots}), s.Target, plenty, get("x"))
			if o.Outcome != event.OutcomeOther || o.TLS == nil {
				t.Fatalf("%+v", o)
			}
			if sni := <-names; sni != tt.target {
				t.Errorf("SNI %q, want %q", sni, tt.target)
			}
			leaf, err := x509.ParseCertificate(tt.config.Certificates[0].Certificate[0])
			if err != nil {
				t.Fatal(err)
			}
			i := o.TLS
			if !strings.Contains(i.VerifyError, tt.verify) || (tt.verify == "") != (i.VerifyError == "") {
				t.Errorf("verify error %q, want %q", i.VerifyError, tt.verify)
			}
			if i.Version != tt.version || i.Cipher == "" || !i.SelfSigned || i.CommonName != leaf.Subject.CommonName || i.Subject != i.Issuer ||
				!i.NotBefore.Equal(leaf.NotBefore) || !i.NotAfter.Equal(leaf.NotAfter) || i.SHA256 != evidence.Sum(leaf.Raw).SHA256 ||
				len(i.Names) != len(leaf.DNSNames)+len(leaf.IPAddresses) {
				t.Errorf("%+v", i)
			}
		})
	}
}

func TestALPN(t *testing.T) {
	config := tlsConfig(t, nil)
	config.NextProtos = []string{"h2", "http/1.1"}
	s := serve(t, overTLS(config, hangUp, hello))
	s.Scheme = "https"
	if o := ask(t, newWire(Options{}), s.Target, plenty, get("x")); o.TLS == nil || o.TLS.ALPN != "http/1.1" {
		t.Errorf("%+v", o.TLS)
	}
}

func TestClassify(t *testing.T) {
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
	}
	read := func(err error) error {
		return &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", err)}
	}
	tests := []struct {
		err  error
		want event.Outcome
	}{
		{dial(syscall.ECONNREFUSED), event.OutcomeClosed},
		{dial(syscall.EHOSTUNREACH), event.OutcomeUnreachable},
		{dial(syscall.ENETUNREACH), event.OutcomeUnreachable},
		{dial(syscall.ETIMEDOUT), event.OutcomeSilent},
		{dial(syscall.ENOPROTOOPT), event.OutcomeUnreachable},
		{dial(syscall.EMFILE), event.OutcomeLocalError},
		{dial(syscall.EADDRNOTAVAIL), event.OutcomeLocalError},
		{dial(syscall.ENOBUFS), event.OutcomeLocalError},
		{dial(syscall.EPERM), event.OutcomeLocalError},
		{dial(context.DeadlineExceeded), event.OutcomeSilent},
		{read(syscall.ECONNRESET), event.OutcomeReset},
		{read(os.ErrDeadlineExceeded), event.OutcomeSilent},
		{io.EOF, event.OutcomeReset},
		{io.ErrUnexpectedEOF, event.OutcomeProtocolError},
		{context.Canceled, event.OutcomeInterrupted},
		{fmt.Errorf("x: %w", &scopeError{errors.New("no")}), event.OutcomeExcluded},
		{errNotHTTP, event.OutcomeProtocolError},
	}
	for _, tt := range tests {
		if got, text := classify(tt.err); got != tt.want || text.English == "" {
			t.Errorf("%v: %s %q, want %s", tt.err, got, text, tt.want)
		}
	}
}

// One wire serves many sessions at a time.
func TestConcurrentSessions(t *testing.T) {
	s := serve(t, hello)
	tlsServer := serve(t, overTLS(tlsConfig(t, nil), hangUp, hello))
	w := newWire(Options{})
	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() {
			to := s.Target
			if i%4 == 0 {
				to = tlsServer.Target
			}
			o := ask(t, w, to, plenty, get("a"), get("b"), get("c"))
			if len(o.Exchanges) != 3 || string(o.Exchanges[2].Body) != "hello" {
				t.Errorf("%+v", o)
			}
		})
	}
	group.Wait()
}

func TestResolve(t *testing.T) {
	answer, err := newWire(Options{}).Resolve(t.Context(), "localhost")
	addrs := answer.Addrs
	if err != nil || len(addrs) == 0 {
		t.Skip("this machine does not know localhost")
	}
	seen := map[netip.Addr]bool{}
	for i, a := range addrs {
		if seen[a] || a.Is4In6() || i > 0 && a.Is4() && addrs[i-1].Is6() {
			t.Errorf("addresses %v", addrs)
		}
		seen[a] = true
	}
}

// An interrupt holds even when a new deadline is set right after it.
func TestInterruptOutlastsDeadlines(t *testing.T) {
	s := serve(t, (*peer).hold)
	ctx, cancel := context.WithCancel(t.Context())
	w := newWire(Options{})
	var n int
	c, _, err := w.dial(ctx, time.Now().Add(plenty), s.Target, false, 0, &n)
	if err != nil {
		t.Fatal(err)
	}
	defer w.release(c)
	cancel()
	if _, err := c.r.ReadByte(); err == nil {
		t.Fatal("a byte came")
	}
	begin := time.Now()
	c.until(plenty)
	c.r.ReadByte()
	if took := time.Since(begin); took > plenty/2 {
		t.Errorf("the read went on for %v", took)
	}
}
