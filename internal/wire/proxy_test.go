package wire

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/target"
)

// forward passes bytes on between p and the address that it asked for.
func forward(p *peer, addr, before string) {
	up, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer up.Close()
	p.send(before)
	var group sync.WaitGroup
	group.Go(func() {
		_, _ = io.Copy(up, p)
		up.Close()
	})
	_, _ = io.Copy(p, up)
	p.Close()
	group.Wait()
}

// socks is a SOCKS5 proxy that gives the reply, and forwards if that is 0.
func socks(asked *string, method, reply byte) func(*peer) {
	return func(p *peer) {
		var hello [3]byte
		if _, err := io.ReadFull(p, hello[:]); err != nil || hello != [3]byte{5, 1, 0} {
			return
		}
		p.Write([]byte{5, method})
		if method != 0 {
			return
		}
		var request [10]byte // of IPv4
		if _, err := io.ReadFull(p, request[:]); err != nil {
			return
		}
		ip, _ := netip.AddrFromSlice(request[4:8])
		*asked = netip.AddrPortFrom(ip, binary.BigEndian.Uint16(request[8:])).String()
		answer := string([]byte{5, reply, 0, 1, 0, 0, 0, 0, 0, 0})
		if reply != 0 {
			p.send(answer)
			return
		}
		forward(p, *asked, answer)
	}
}

// tunnels is an HTTP proxy that gives the answer, and forwards if that is 200.
func tunnels(asked *string, status string) func(*peer) {
	return func(p *peer) {
		head := p.request()
		*asked = strings.TrimSuffix(strings.TrimPrefix(strings.SplitN(head, "\r\n", 2)[0], "CONNECT "), " HTTP/1.1")
		if status != "200 OK" {
			p.send("HTTP/1.1 " + status + "\r\nContent-Length: 2\r\n\r\nno")
			return
		}
		forward(p, *asked, "HTTP/1.1 200 OK\r\n\r\n")
	}
}

func TestProxy(t *testing.T) {
	site := serve(t, hello)
	secure := serve(t, overTLS(tlsConfig(t, nil), hangUp, hello))
	for _, tt := range []struct {
		name, scheme string
		proxy        func(asked *string) func(*peer)
		target       *server
		want         event.Outcome
		err          string
	}{
		{"SOCKS", "socks5", func(a *string) func(*peer) { return socks(a, 0, 0) }, site, event.OutcomeOther, ""},
		{"SOCKS, TLS", "socks5", func(a *string) func(*peer) { return socks(a, 0, 0) }, secure, event.OutcomeOther, ""},
		{"SOCKS, general failure", "socks5", func(a *string) func(*peer) { return socks(a, 0, 1) }, site, event.OutcomeLocalError, "proxy: it refuses the connection: SOCKS reply 1"},
		{"SOCKS, not allowed", "socks5", func(a *string) func(*peer) { return socks(a, 0, 2) }, site, event.OutcomeLocalError, "proxy: it refuses the connection: SOCKS reply 2"},
		{"SOCKS, no network", "socks5", func(a *string) func(*peer) { return socks(a, 0, 3) }, site, event.OutcomeUnreachable, "no route"},
		{"SOCKS, no host", "socks5", func(a *string) func(*peer) { return socks(a, 0, 4) }, site, event.OutcomeUnreachable, "no route"},
		{"SOCKS, refused", "socks5", func(a *string) func(*peer) { return socks(a, 0, 5) }, site, event.OutcomeClosed, "connection refused"},
		{"SOCKS, no answer", "socks5", func(a *string) func(*peer) { return socks(a, 0, 6) }, site, event.OutcomeSilent, "no answer in time"},
		{"SOCKS with a login", "socks5", func(a *string) func(*peer) { return socks(a, 0xff, 0) }, site, event.OutcomeLocalError, "proxy: it asks for a credential, which is not supported"},
		{"no SOCKS", "socks5", func(*string) func(*peer) { return func(p *peer) { p.send("HTTP/1.1 400 Bad Request\r\n\r\n") } }, site, event.OutcomeLocalError, "proxy: it does not speak SOCKS5"},
		{"a proxy that hangs up", "socks5", func(*string) func(*peer) { return hangUp }, site, event.OutcomeLocalError, "proxy: "},
		{"HTTP", "http", func(a *string) func(*peer) { return tunnels(a, "200 OK") }, site, event.OutcomeOther, ""},
		{"HTTP, TLS", "http", func(a *string) func(*peer) { return tunnels(a, "200 OK") }, secure, event.OutcomeOther, ""},
		{"HTTP, not allowed", "http", func(a *string) func(*peer) { return tunnels(a, "403 Forbidden") }, site, event.OutcomeLocalError, "proxy: it refuses the connection: HTTP status 403"},
		{"HTTP, bad gateway", "http", func(a *string) func(*peer) { return tunnels(a, "502 Bad Gateway") }, site, event.OutcomeLocalError, "HTTP status 502"},
		{"HTTP, no answer", "http", func(a *string) func(*peer) { return tunnels(a, "504 Gateway Timeout") }, site, event.OutcomeSilent, "no answer in time"},
		{"no HTTP", "http", func(*string) func(*peer) { return func(p *peer) { p.request(); p.send("SSH-2.0-x\r\n") } }, site, event.OutcomeLocalError, "proxy: it does not speak HTTP"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var asked string
			to := serve(t, tt.proxy(&asked))
			proxy, err := ParseProxy(tt.scheme + "://" + to.Addr.String())
			if err != nil {
				t.Fatal(err)
			}
			before := tt.target.accepts.Load()
			o := ask(t, newWire(Options{Proxy: proxy}), tt.target.Target, plenty, get("root"))
			if o.Outcome != tt.want || !strings.Contains(o.Err, tt.err) {
				t.Errorf("outcome %s (%s), want %s (%s)", o.Outcome, o.Err, tt.want, tt.err)
			}
			if asked != "" && asked != tt.target.Addr.String() {
				t.Errorf("the proxy was asked for %s", asked)
			}
			if went := tt.target.accepts.Load() - before; went > 0 && tt.want != event.OutcomeOther {
				t.Errorf("%d connections did not go through the proxy", went)
			}
		})
	}
	t.Run("out of scope", func(t *testing.T) {
		var asked string
		to := serve(t, socks(&asked, 0, 0))
		proxy, _ := ParseProxy("socks5://" + to.Addr.String())
		scope := target.NewScope(nil, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, false)
		o := ask(t, newWire(Options{Proxy: proxy, Scope: scope}), site.Target, plenty, get("root"))
		if o.Outcome != event.OutcomeExcluded || to.accepts.Load() != 0 {
			t.Errorf("outcome %s, the proxy was asked %d times", o.Outcome, to.accepts.Load())
		}
	})
	t.Run("no proxy there", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		proxy, _ := ParseProxy("http://" + l.Addr().String())
		l.Close()
		o := ask(t, newWire(Options{Proxy: proxy}), site.Target, plenty, get("root"))
		if o.Outcome != event.OutcomeLocalError || !strings.Contains(o.Err, "proxy: ") {
			t.Errorf("outcome %s (%s): a proxy that is not there says nothing of the target", o.Outcome, o.Err)
		}
	})
}

func TestParseProxy(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"socks5://127.0.0.1:1080", ""},
		{"http://proxy.example:3128/", ""},
		{"socks5://[::1]:1080", ""},
		{"127.0.0.1:1080", "that is no proxy"},
		{"", "that is no proxy"},
		{"https://proxy.example:443", `scheme "https" is not supported`},
		{"socks4://proxy.example:1", `scheme "socks4" is not supported`},
		{"socks5://proxy.example", "names no port"},
		{"socks5://me:hush@proxy.example:1", "not supported"},
		{"http://proxy.example:3128/a", "has a path"},
		{"http://proxy.example:3128?a", "has a path, query"},
	} {
		p, err := ParseProxy(tt.in)
		switch {
		case tt.want == "" && (err != nil || p.String() != strings.TrimSuffix(tt.in, "/")):
			t.Errorf("%s: %v, %v", tt.in, p, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: error %v, want %q", tt.in, err, tt.want)
		case err != nil && strings.Contains(err.Error(), "hush"):
			t.Errorf("%s: the error repeats the password: %v", tt.in, err)
		}
	}
}

func TestSource(t *testing.T) {
	from := make(chan string, 1)
	s := serve(t, func(p *peer) {
		from <- p.RemoteAddr().(*net.TCPAddr).IP.String()
		hello(p)
	})
	// Linux has the whole of 127.0.0.0/8.
	source := Source{Addr: netip.MustParseAddr("127.0.0.77")}
	if err := source.Check(); err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	o := ask(t, newWire(Options{Source: source}), s.Target, plenty, get("root"))
	if got := <-from; got != "127.0.0.77" || o.Outcome != event.OutcomeOther {
		t.Errorf("connected from %s: %s %s", got, o.Outcome, o.Err)
	}
	// An address of the other family cannot be used: this machine's fault.
	o = ask(t, newWire(Options{Source: Source{Addr: netip.MustParseAddr("::1")}}), s.Target, time.Second, get("root"))
	if o.Outcome != event.OutcomeLocalError {
		t.Errorf("IPv6 source for an IPv4 target: %s %s", o.Outcome, o.Err)
	}
	for _, bad := range []Source{{Addr: netip.MustParseAddr("203.0.113.9")}, {Interface: "no-such-interface"}} {
		if err := bad.Check(); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestSourceInterface(t *testing.T) {
	if !bindable {
		t.Skip("SKIPPED: this system cannot bind to an interface")
	}
	s := serve(t, hello)
	source := Source{Interface: "lo"}
	if err := source.Check(); err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	if o := ask(t, newWire(Options{Source: source}), s.Target, plenty, get("root")); o.Outcome != event.OutcomeOther {
		t.Errorf("through lo: %s %s", o.Outcome, o.Err)
	}
}

func TestOwnHeader(t *testing.T) {
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
	w := newWire(Options{Header: evidence.Header{{Name: "X-Scan", Value: "yes, ours"}}})
	ask(t, w, s.Target, plenty, get("root"), evidence.Request{ID: "ws", Method: "GET", Path: "/", WebSocket: true})
	for i := range 2 {
		if head := <-heads; !strings.Contains(head, "\r\nX-Scan: yes, ours\r\n") {
			t.Errorf("request %d:\n%s", i, fmt.Sprintf("%q", head))
		}
	}
}
