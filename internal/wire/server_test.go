package wire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a listener on loopback whose connections a test handles byte by
// byte. handle's conn is closed when it returns, or when the test ends.
type server struct {
	target.Target
	accepts atomic.Int32
}

func serve(t testing.TB, handle func(c *peer)) *server {
	t.Helper()
	return serveOn(t, "127.0.0.1:0", handle)
}

func serveOn(t testing.TB, addr string, handle func(c *peer)) *server {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{}
	s.Addr = netip.MustParseAddrPort(l.Addr().String())
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	ended := false
	var group sync.WaitGroup
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n := int(s.accepts.Add(1))
			mu.Lock()
			open[c] = true
			if ended {
				c.Close()
			}
			mu.Unlock()
			group.Go(func() {
				handle(&peer{Conn: c, r: bufio.NewReader(c), n: n})
				mu.Lock()
				delete(open, c)
				mu.Unlock()
				c.Close()
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		ended = true
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		group.Wait()
	})
	return s
}

// peer is the server's side of a connection, the nth of its listener.
type peer struct {
	net.Conn
	r *bufio.Reader
	n int
}

// request reads a request's head and returns it, "" at the end.
func (p *peer) request() string {
	var head []byte
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		b, err := p.r.ReadByte()
		if err != nil {
			return ""
		}
		head = append(head, b)
	}
	return string(head)
}

func (p *peer) send(text string) { io.WriteString(p, text) }

// hold waits until the other side, or the test, ends the connection.
func (p *peer) hold() { io.Copy(io.Discard, p.r) }

// isTLS reports whether the other side begins as a TLS client does.
func (p *peer) isTLS() bool {
	b, err := p.r.Peek(1)
	return err == nil && b[0] == 0x16
}

// Read reads through the buffer that isTLS may have filled.
func (p *peer) Read(b []byte) (int, error) { return p.r.Read(b) }

// reset ends the connection with RST.
func (p *peer) reset() {
	p.Conn.(*net.TCPConn).SetLinger(0)
	p.Close()
}

// newWire returns a wire that may contact loopback.
func newWire(opt Options) *Wire {
	if opt.Scope == nil {
		opt.Scope = target.NewScope([]netip.Prefix{
			netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
		}, nil, false)
	}
	return New(opt)
}

func get(id string) evidence.Request { return evidence.Request{ID: id, Method: "GET", Path: "/" + id} }

// plenty is a deadline no test on loopback comes near.
const plenty = 20 * time.Second

// ask opens a session, makes the requests until Do says stop, and closes it.
func ask(t testing.TB, w *Wire, to target.Target, timeout time.Duration, reqs ...evidence.Request) *evidence.Observation {
	t.Helper()
	begin := time.Now()
	s := w.Open(t.Context(), to, timeout)
	for _, r := range reqs {
		if !s.ask(r) {
			break
		}
	}
	s.Close()
	if took := time.Since(begin); took > timeout+3*time.Second {
		t.Errorf("took %v, the deadline is %v", took, timeout)
	}
	return s.Observation()
}

// tlsConfig returns a server's configuration with a self-signed certificate.
func tlsConfig(t testing.TB, change func(*x509.Certificate)) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "gw.example"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		DNSNames:     []string{"gw.example"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// overTLS hands handle the TLS side of a connection; plain is called instead
// when the client does not speak TLS.
func overTLS(config *tls.Config, plain, handle func(*peer)) func(*peer) {
	return func(p *peer) {
		if !p.isTLS() {
			plain(p)
			return
		}
		c := tls.Server(p, config)
		defer c.Close()
		if c.HandshakeContext(context.Background()) == nil {
			handle(&peer{Conn: c, r: bufio.NewReader(c), n: p.n})
		}
	}
}

func hangUp(*peer) {}

// hello answers requests as long as they come.
func hello(p *peer) {
	for p.request() != "" {
		p.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
	}
}

// ask is Converse without a reply.
func (s *Session) ask(req evidence.Request) bool { return s.Converse(req, nil) }
