package queue

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// Limits of the server: what all workers together, or one that means harm, can cost.
const (
	maxConnections = 1024
	maxSubs        = 64       // of a connection; a worker has two
	maxPending     = 64 << 20 // bytes that wait to be read by a client, until it is cut off
	maxControl     = 4096     // bytes of a line of the protocol
	handshakes     = 5 * time.Second
	startWithin    = 30 * time.Second
	maxSaid        = 400 // characters of a line for the operator
)

// embedded is the server that runs in this process.
type embedded struct {
	*server.Server
	auth *auth
	pin  string
}

// listen starts a server on an address, IP:PORT, with its store in dir/queue.
func listen(o *Options, guard *auth) (*embedded, error) {
	addr, err := netip.ParseAddrPort(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("workers: listen %.100q: use an address and a port, such as 127.0.0.1:8791", o.Listen)
	}
	pair, err := certificate(o.Dir, o.Now())
	if err != nil {
		return nil, err
	}
	port := int(addr.Port())
	if port == 0 {
		port = server.RANDOM_PORT
	}
	log := &serverLog{said: o.said}
	s, err := server.NewServer(&server.Options{
		ServerName: "clawsonar-hub",
		Host:       addr.Addr().String(), Port: port,
		NoSigs: true, NoLog: false,
		TLSConfig:  &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13},
		TLSTimeout: handshakes.Seconds(), AuthTimeout: handshakes.Seconds(),
		CustomClientAuthentication: guard, AlwaysEnableNonce: true,
		MaxConn: maxConnections, MaxSubs: maxSubs, MaxPending: maxPending, MaxControlLine: maxControl,
		MaxPayload: job.MaxPayload, WriteDeadline: 10 * time.Second,
		PingInterval: job.Lease / 3, MaxPingsOut: 2,
		JetStream: true, StoreDir: filepath.Join(o.Dir, storeDir), SyncAlways: true,
		JetStreamMaxMemory: 16 << 20, JetStreamMaxStore: 1 << 30,
		DisableJetStreamBanner: true,
	})
	if err != nil {
		return nil, err
	}
	s.SetLoggerV2(log, false, false, false)
	guard.server = s
	e := &embedded{Server: s, auth: guard, pin: job.Pin(pair.Leaf.RawSubjectPublicKeyInfo)}
	if err := guard.offer(); err != nil {
		return nil, err
	}
	s.Start()
	if err := log.failed(); err != nil {
		e.stop()
		return nil, err
	}
	if !s.ReadyForConnections(startWithin) {
		e.stop()
		return nil, errors.New("it does not start, and does not say why")
	}
	return e, nil
}

func (e *embedded) stop() {
	e.Shutdown()
	e.WaitForShutdown()
}

// Stored units are in this folder of Options.Dir; what was set aside has a date behind it.
const storeDir = "queue"

// options are those of every connection of the hub.
func (o *Options) options() []nats.Option {
	return []nats.Option{
		nats.Name("clawsonar-hub"), nats.MaxReconnects(-1), nats.ReconnectWait(100 * time.Millisecond),
		nats.Timeout(handshakes), nats.ReconnectBufSize(-1), nats.DrainTimeout(2 * time.Second),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			o.said.once("client", "%v", err)
		}),
	}
}

// connectInProcess connects the hub to its own server.
func (o *Options) connectInProcess(e *embedded) (*nats.Conn, error) {
	return nats.Connect("", append(o.options(), nats.InProcessServer(e), nats.Nkey(e.auth.hub, e.auth.sign))...)
}

// connectTo connects the hub to a server of one's own.
func (o *Options) connectTo() (*nats.Conn, error) {
	opts := append(o.options(), nats.RetryOnFailedConnect(false))
	if o.CA != "" {
		opts = append(opts, nats.RootCAs(o.CA))
	}
	if o.Credentials != "" {
		text, err := os.ReadFile(o.Credentials)
		switch {
		case err != nil:
			return nil, fmt.Errorf("workers: nats-credentials: %w", err)
		case strings.Contains(string(text), "NATS USER JWT"):
			opts = append(opts, nats.UserCredentials(o.Credentials))
		default:
			key, err := nats.NkeyOptionFromSeed(o.Credentials)
			if err != nil {
				return nil, fmt.Errorf("workers: nats-credentials %s has neither the credentials of a user nor the seed of an NKey", o.Credentials)
			}
			opts = append(opts, key)
		}
	}
	nc, err := nats.Connect(o.URL, opts...)
	if errors.Is(err, nats.ErrNoServers) { // the library does not say why
		err = errors.New("nothing answers there: is the server started, and the address right?")
	}
	if err != nil {
		return nil, fmt.Errorf("workers: nats %s: %w", clean.Text(o.URL), err)
	}
	if err := usable(nc.ConnectedServerVersion()); err != nil {
		nc.Close()
		return nil, fmt.Errorf("workers: nats %s: %w", clean.Text(o.URL), err)
	}
	if nc.MaxPayload() < job.MaxPayload {
		nc.Close()
		return nil, fmt.Errorf("workers: nats %s takes messages of %d bytes: set its max_payload to %d", clean.Text(o.URL), nc.MaxPayload(), job.MaxPayload)
	}
	return nc, nil
}

// usable refuses servers that are too old: they cannot sync each message to the disk, and do
// not know consumers as they are used here.
func usable(version string) error {
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d.", &major, &minor); err != nil || major < 2 || major == 2 && minor < 10 {
		return fmt.Errorf("it is nats-server %s, and 2.10 or later is needed: older ones lose what they have acknowledged when the power fails", clean.N(version, 40))
	}
	return nil
}

// auth decides who may connect to the hub's own server.
type auth struct {
	ledger Ledger
	said   *sayings

	hub  string // the public key of the hub itself, made at each start
	sign nats.SignatureHandler

	mu    sync.Mutex
	conns map[string][]uint64 // of the keys of workers, the oldest first

	server *server.Server
}

// maxConns is how many connections a worker may have: one, and those that it does not know
// to be gone. The oldest is closed for a new one.
const maxConns = 4

func newAuth(o *Options) (*auth, error) {
	key, err := nkeys.CreateUser()
	if err != nil {
		return nil, err
	}
	public, err := key.PublicKey()
	if err != nil {
		return nil, err
	}
	return &auth{ledger: o.Ledger, said: o.said, hub: public, sign: key.Sign, conns: map[string][]uint64{}}, nil
}

// Check implements server.Authentication.
func (a *auth) Check(c server.ClientAuthentication) bool {
	opts := c.GetOpts()
	if c.Kind() != server.CLIENT || !signed(opts.Nkey, opts.Sig, c.GetNonce()) {
		return false
	}
	if opts.Nkey == a.hub {
		c.RegisterUser(&server.User{Username: "hub"})
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), handshakes)
	defer cancel()
	w, err := a.ledger.WorkerOf(ctx, opts.Nkey)
	if err != nil {
		a.said.once("key", "%s was refused: its key is not that of a worker", c.RemoteAddress())
		return false
	}
	allowed := Permissions(w.Vantage, w.Name)
	if len(allowed.Publish) == 0 {
		return false
	}
	account, err := a.account(w, allowed)
	if err != nil {
		a.said.once("account", "%s was refused: %v", w.Name, err)
		return false
	}
	c.RegisterUser(&server.User{Username: w.Name, Account: account, Permissions: &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: allowed.Publish},
		Subscribe: &server.SubjectPermission{Allow: allowed.Subscribe},
	}})
	a.mu.Lock()
	ids := append(a.conns[opts.Nkey], c.GetID())
	var old []uint64
	if len(ids) > maxConns {
		old, ids = ids[:len(ids)-maxConns], ids[len(ids)-maxConns:]
	}
	a.conns[opts.Nkey] = ids
	a.mu.Unlock()
	a.drop(old)
	return true
}

// account returns that of a worker, which has nothing but what it may use. In one account
// with the hub it could do harm in spite of its permissions: who asks for a unit says where
// the server is to send it, and an answer sent to a subject of JetStream's API, with nothing
// in it, deletes the stream.
func (a *auth) account(w store.Worker, allowed Allowed) (*server.Account, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	account, fresh := a.server.LookupOrRegisterAccount("worker-" + w.Key)
	if !fresh {
		return account, nil
	}
	hub := a.server.GlobalAccount()
	for _, subject := range allowed.Publish {
		if err := account.AddServiceImport(hub, subject, subject); err != nil {
			return nil, err
		}
	}
	return account, account.AddStreamImport(hub, job.Control(w.Vantage), "")
}

// offer lets the accounts of workers have what account says.
func (a *auth) offer() (err error) {
	hub := a.server.GlobalAccount()
	services, streams := exports()
	for _, subject := range services {
		err = errors.Join(err, hub.AddServiceExport(subject, nil))
	}
	for _, subject := range streams {
		err = errors.Join(err, hub.AddStreamExport(subject, nil))
	}
	return err
}

// only closes the connections of all whose key is not among these.
func (a *auth) only(keys map[string]bool) {
	var gone []uint64
	a.mu.Lock()
	for key, ids := range a.conns {
		if !keys[key] {
			gone = append(gone, ids...)
			delete(a.conns, key)
		}
	}
	a.mu.Unlock()
	a.drop(gone)
}

// drop closes connections, of which some may be gone.
func (a *auth) drop(ids []uint64) {
	for _, id := range ids {
		_ = a.server.DisconnectClientByID(id)
	}
}

// signed reports whether a nonce was signed, as clients do it, with the private key of a
// user's public key.
func signed(public, sig string, nonce []byte) bool {
	raw, err := base64.RawURLEncoding.DecodeString(sig)
	if err != nil || len(nonce) == 0 || !nkeys.IsValidPublicUserKey(public) {
		return false
	}
	key, err := nkeys.FromPublicKey(public)
	return err == nil && key.Verify(nonce, raw) == nil
}

// serverLog says what the server says that is more than a notice.
type serverLog struct {
	said *sayings

	mu    sync.Mutex
	fatal error
}

func (l *serverLog) Noticef(string, ...any) {}
func (l *serverLog) Debugf(string, ...any)  {}
func (l *serverLog) Tracef(string, ...any)  {}

// Warnf implements server.Logger.
func (l *serverLog) Warnf(format string, v ...any) { l.said.once(format, format, v...) }

// Errorf implements server.Logger.
func (l *serverLog) Errorf(format string, v ...any) { l.said.once(format, format, v...) }

// Fatalf keeps why the server does not start. It must not end the process.
func (l *serverLog) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fatal == nil {
		l.fatal = errors.New(clean.N(fmt.Sprintf(format, v...), maxSaid))
	}
}

func (l *serverLog) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatal
}
