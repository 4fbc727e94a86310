// Package wire is the only package that opens connections. It dials, speaks
// TLS, makes HTTP/1.1 exchanges and WebSocket openings, and returns what came
// back as evidence. It judges nothing, follows nothing, and contacts no
// address that the scope does not allow.
package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/pace"
	"github.com/clawsonar/clawsonar/internal/target"
)

// Options configure a Wire. The zero value of a limit means its default.
type Options struct {
	Scope   *target.Scope // required
	Limiter *pace.Limiter // nil = no limit
	// InFlight is told when this machine runs short of something; may be nil.
	InFlight       *pace.InFlight
	Resolver       *Resolver     // nil = one for all addresses
	ConnectTimeout time.Duration // bounds one TCP connect; default ConnectTimeout
	// FrameTimeout bounds the wait for the first frame after an accepted
	// WebSocket opening; default 3 s.
	FrameTimeout time.Duration
	UserAgent    string
	Proxy        *Proxy // nil = connect directly
	Source       Source
	Header       evidence.Header // sent with every HTTP request
	Roots        *x509.CertPool  // nil = the system's
}

// ConnectTimeout bounds one TCP connect unless another time is set. It allows
// for one lost SYN (retransmitted after 1 s, RFC 6298).
const ConnectTimeout = 3 * time.Second

// Limits on what a target can make us hold.
const (
	maxHead    = 64 << 10 // bytes of status line and header lines
	maxFields  = 256      // header lines
	maxInterim = 8        // 1xx answers before the final one
	maxBody    = 128 << 10
	bufSize    = 4 << 10
)

// Wire makes connections. It is safe for concurrent use.
type Wire struct {
	opt    Options
	suites []uint16
	dialer net.Dialer
	pool   sync.Pool // of *buffers

	unpacking sync.Mutex // held by the one answer that is decoded with a large window
}

// New returns a Wire.
func New(opt Options) *Wire {
	if opt.ConnectTimeout == 0 {
		opt.ConnectTimeout = ConnectTimeout
	}
	if opt.FrameTimeout == 0 {
		opt.FrameTimeout = 3 * time.Second
	}
	if opt.Resolver == nil {
		opt.Resolver = NewResolver(AllAddresses, 0, netip.AddrPort{})
	}
	w := &Wire{opt: opt}
	// Old servers are what an audit is about, so every suite is offered.
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		w.suites = append(w.suites, s.ID)
	}
	w.pool.New = func() any { return &buffers{r: bufio.NewReaderSize(nil, bufSize)} }
	w.dialer = net.Dialer{
		KeepAlive: -1,
		// The address as the dialer has read it.
		Control: func(_, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil {
				return &scopeError{err}
			}
			if err := opt.Scope.Check(ap.Addr()); err != nil {
				return &scopeError{err}
			}
			return nil
		},
	}
	opt.Source.apply(&w.dialer)
	return w
}

// scopeError is a refusal of our own, not an answer of the network.
type scopeError struct{ err error }

func (e *scopeError) Error() string { return e.err.Error() }
func (e *scopeError) Unwrap() error { return e.err }

// Forget has a name looked up anew the next time.
func (w *Wire) Forget(name string) { w.opt.Resolver.Forget(name) }

// Resolve looks up the addresses of a name. It does not check the scope:
// dialling does.
func (w *Wire) Resolve(ctx context.Context, name string) (Answer, error) {
	return w.opt.Resolver.Resolve(ctx, name)
}

// classify turns an error of the network into an outcome and a short text.
func classify(err error) (event.Outcome, message.Text) {
	var scope *scopeError
	var proxy *proxyError
	var timeout net.Error
	var op *net.OpError
	given := err
	err = portable(err)
	switch {
	case errors.As(err, &scope):
		return event.OutcomeExcluded, plain(scope.Error())
	case errors.Is(err, context.Canceled):
		return event.OutcomeInterrupted, plain(stopped)
	case errors.As(err, &proxy):
		return event.OutcomeLocalError, plain(proxy.Error())
	case errors.Is(err, syscall.ECONNREFUSED):
		return event.OutcomeClosed, plain("connection refused")
	case errors.Is(err, io.EOF):
		return event.OutcomeReset, plain("closed without an answer")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return event.OutcomeProtocolError, plain("answer breaks off")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		return event.OutcomeReset, plain("connection reset")
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTDOWN):
		return event.OutcomeUnreachable, plain("no route to the target")
	case scarce(err), errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM),
		errors.Is(err, syscall.EAFNOSUPPORT), errors.Is(err, syscall.EINVAL):
		return event.OutcomeLocalError, message.Say("error.this-machine", message.Of("trouble", text(given)))
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return event.OutcomeSilent, plain("no answer in time")
	case errors.As(given, &op) && op.Op == "dial":
		// Rare answers of routers, such as ENOPROTOOPT: no target has spoken.
		return event.OutcomeUnreachable, plain(text(given))
	}
	return event.OutcomeProtocolError, plain(text(given))
}

// plain is a text that is looked up as it is, or not at all.
func plain(text string) message.Text { return message.Text{English: text} }

// scarce reports whether this machine has run short of something, which may pass.
func scarce(err error) bool {
	err = portable(err)
	for _, no := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, no) {
			return true
		}
	}
	return false
}

// stopped is the text of what the end of the run cut short.
const stopped = "stopped"

// text returns the innermost message of a network error: the outer layers
// repeat addresses that the result line already has. What follows a quotation mark
// or a second colon is left out: there libraries quote what the target has sent.
func text(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			break
		}
		err = inner
	}
	said := err.Error()
	if strings.HasPrefix(said, "x509: ") {
		return "tls: the certificate cannot be read"
	}
	if rest, ok := strings.CutPrefix(said, "tls: "); ok {
		if i := strings.IndexAny(rest, "\":%\\`[{"); i >= 0 {
			rest = rest[:i]
		}
		said = "tls: " + strings.TrimRight(rest, " ")
	}
	return said
}

// conn is one established connection, plain or TLS.
type conn struct {
	net.Conn
	*buffers
	deadline time.Time
	stop     func() bool // ends the watch on the run's context
	used     bool        // at least one exchange was completed on it
}

// buffers are what connections have one after the other.
type buffers struct {
	r       *bufio.Reader
	request []byte
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func dialError(call string, err error) error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError(call, err)}
}

// dialStandard connects by way of the standard library.
func (w *Wire) dialStandard(run context.Context, deadline time.Time, addr netip.AddrPort) (c net.Conn, stop func() bool, err error) {
	dialer := w.dialer
	dialer.Deadline = deadline
	if c, err = dialer.DialContext(run, "tcp", addr.String()); err != nil {
		return nil, nil, err
	}
	return c, context.AfterFunc(run, func() { _ = c.Close() }), nil
}

// open makes a TCP connection to addr in the way that the options say.
func (w *Wire) open(run context.Context, deadline time.Time, addr netip.AddrPort, noDelay bool) (net.Conn, func() bool, error) {
	switch {
	case w.opt.Proxy != nil:
		return w.dialProxy(run, deadline, addr)
	case w.opt.Source.Addr.IsValid() && w.opt.Source.Addr.Is4() != addr.Addr().Unmap().Is4():
		return nil, nil, dialError("bind", syscall.EAFNOSUPPORT)
	case w.opt.Source != Source{}:
		return w.dialStandard(run, deadline, addr)
	}
	return w.connect(run, deadline, addr, noDelay)
}

// dial connects to the target's address, with TLS when secure is set, of no
// later version than newest unless that is 0.
// The connection lives until the deadline or the end of the run's context. Each
// TCP connection that is established is counted in connections.
func (w *Wire) dial(run context.Context, deadline time.Time, t target.Target, secure bool, newest uint16, connections *int) (*conn, *evidence.TLSInfo, error) {
	// The last check before a packet leaves: however the target was parsed,
	// resolved or redirected, this is the address that is contacted.
	if err := w.opt.Scope.CheckTarget(t); err != nil {
		return nil, nil, &scopeError{err}
	}
	raw, stop, err := w.open(run, earlier(time.Now().Add(w.opt.ConnectTimeout), deadline), t.Addr, secure)
	if err != nil {
		return nil, nil, err
	}
	*connections++
	// One deadline for everything that happens on the connection.
	if err := raw.SetDeadline(deadline); err != nil {
		stop()
		raw.Close()
		return nil, nil, err
	}
	// The end of the run closes it: other than a deadline in the past, that
	// cannot be undone by a later deadline.
	c := &conn{Conn: raw, deadline: deadline, stop: stop}
	var info *evidence.TLSInfo
	if secure {
		tc := tls.Client(raw, &tls.Config{
			ServerName: t.Name, // no SNI for a bare address (RFC 6066 section 3)
			// An auditor looks at any certificate; whether it
			// verifies is found out below and is evidence.
			InsecureSkipVerify: true,
			MinVersion:         tls.VersionTLS10,
			MaxVersion:         newest,
			CipherSuites:       w.suites,
			NextProtos:         []string{"http/1.1"},
		})
		if err := tc.Handshake(); err != nil {
			c.stop()
			raw.Close()
			return nil, nil, &handshakeError{err}
		}
		c.Conn = tc
		info = w.describe(tc.ConnectionState(), t)
	}
	c.buffers = w.pool.Get().(*buffers)
	c.r.Reset(c.Conn)
	return c, info, nil
}

// secure reports whether the connection speaks TLS.
func (c *conn) secure() bool {
	_, ok := c.Conn.(*tls.Conn)
	return ok
}

// handshakeError says that TCP was there but TLS was not agreed on.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return "TLS handshake: " + text(e.err) }
func (e *handshakeError) Unwrap() error { return e.err }

// spokePlain reports whether a handshake failed since the other side does not
// speak TLS at all.
func spokePlain(err error) bool {
	var record tls.RecordHeaderError
	return errors.As(err, &record)
}

func (w *Wire) release(c *conn) {
	c.stop()
	c.Conn.Close()
	c.r.Reset(nil)
	w.pool.Put(c.buffers)
	c.buffers = nil
}

// describe turns a finished handshake into evidence and verifies the chain.
func (w *Wire) describe(state tls.ConnectionState, t target.Target) *evidence.TLSInfo {
	info := &evidence.TLSInfo{
		Version: tls.VersionName(state.Version),
		Cipher:  tls.CipherSuiteName(state.CipherSuite),
		ALPN:    state.NegotiatedProtocol,
	}
	if len(state.PeerCertificates) == 0 {
		return info
	}
	leaf := state.PeerCertificates[0]
	info.Subject = leaf.Subject.String()
	info.CommonName = leaf.Subject.CommonName
	info.Issuer = leaf.Issuer.String()
	info.NotBefore, info.NotAfter = leaf.NotBefore, leaf.NotAfter
	info.SHA256 = evidence.Sum(leaf.Raw).SHA256
	info.Names = append(info.Names, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		info.Names = append(info.Names, ip.String())
	}
	info.SelfSigned = leaf.Subject.String() == leaf.Issuer.String() &&
		leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) == nil
	if t.Name != "" {
		if err := leaf.VerifyHostname(t.Name); err != nil {
			info.NameError = evidence.Reason(err.Error())
		}
	}
	host := t.Name
	if host == "" {
		host = t.Addr.Addr().WithZone("").String()
	}
	chain := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		chain.AddCert(c)
	}
	if w.opt.Roots == nil && (runtime.GOOS == "windows" || runtime.GOOS == "darwin") {
		// There the system verifies, and may fetch what the target's certificate
		// names: a contact outside the scope.
		info.VerifyError = evidence.NotVerified
		return info
	}
	if _, err := leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: w.opt.Roots, Intermediates: chain}); err != nil {
		info.VerifyError = evidence.Reason(err.Error())
	}
	return info
}

// userAgent returns the User-Agent header's value.
func (w *Wire) userAgent() string {
	if w.opt.UserAgent == "" {
		return "clawsonar"
	}
	return w.opt.UserAgent
}
