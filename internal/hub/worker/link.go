package worker

import (
	"cmp"
	"context"
	"crypto/subtle"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/clawsonar/clawsonar/internal/hub/job"
)

// link is the connection to the hub, which comes back by itself.
type link struct {
	nc     *nats.Conn
	w      *Worker
	closed chan error // of one: the hub does not want this worker
	lease  time.Duration
	reply  time.Duration
}

// errPin says that somebody else has answered.
var errPin = errors.New("the server does not have the hub's key: either the hub has a new one, then make new credentials, or somebody else answers in its place")

// connect waits until the hub is reached. It returns nil if ctx ends before.
func (w *Worker) connect(ctx context.Context) (*link, error) {
	c := w.Credentials
	pair, err := nkeys.FromSeed([]byte(c.Seed))
	if err != nil {
		return nil, errors.New("not the seed of a key")
	}
	public, err := pair.PublicKey()
	if err != nil {
		return nil, err
	}
	l := &link{w: w, closed: make(chan error, 1), lease: cmp.Or(w.lease, job.Lease), reply: cmp.Or(w.reply, replyTime)}
	opts := []nats.Option{
		nats.Name("clawsonar-hub work"), nats.Secure(pinned(c.Pin)), nats.Nkey(public, pair.Sign),
		nats.CustomInboxPrefix(job.Inbox(c.Worker)), nats.IgnoreDiscoveredServers(), nats.Timeout(10 * time.Second),
		nats.PingInterval(job.Lease / 6), nats.MaxPingsOutstanding(2), nats.NoCallbacksAfterClientClose(),
		// What is said while there is no connection would come too late.
		nats.MaxReconnects(-1), nats.CustomReconnectDelay(backoff), nats.ReconnectBufSize(-1),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err == nil {
				err = io.EOF
			}
			w.say("the connection to the hub is lost, and is made again: %v", err)
		}),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) {
			if errors.Is(err, errPin) {
				w.say("%s: %v", c.Hub, errPin)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { w.say("the hub is reached again") }),
		nats.ClosedHandler(func(nc *nats.Conn) { l.closed <- refused(c, nc.LastError()) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { w.say("hub: %v", err) }),
	}
	said := ""
	for try := 1; ctx.Err() == nil; try++ {
		l.nc, err = nats.Connect(c.Hub, opts...)
		switch {
		case err == nil:
			w.say("worker %s at %s: the hub %s is reached", c.Worker, c.Vantage, c.Hub)
			return l, nil
		case errors.Is(err, errPin), errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired):
			return nil, refused(c, err)
		case err.Error() != said:
			said = err.Error()
			w.say("the hub %s is not reached, and is tried again: %v", c.Hub, err)
		}
		sleep(ctx, backoff(try))
	}
	return nil, nil
}

func refused(c *job.Credentials, err error) error {
	if errors.Is(err, errPin) {
		return fmt.Errorf("%s: %w", c.Hub, errPin)
	}
	return fmt.Errorf("%s: the hub refuses the worker %s: it was revoked, or is one of another hub (%w)", c.Hub, c.Worker, err)
}

// backoff is how long to wait before the hub is tried again.
func backoff(try int) time.Duration {
	d := min(100*time.Millisecond<<min(try, 10), 5*time.Second)
	return d/2 + rand.N(d/2)
}

// pinned takes a server that has the key of the pin, whatever its certificate says.
func pinned(pin string) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, // what follows is stricter
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 ||
				subtle.ConstantTimeCompare([]byte(job.Pin(s.PeerCertificates[0].RawSubjectPublicKeyInfo)), []byte(pin)) != 1 {
				return errPin
			}
			return nil
		},
	}
}

func (l *link) close() {
	_ = l.nc.FlushTimeout(lastWords)
	l.nc.Close()
}

// ask sends a request and returns its reply.
func (l *link) ask(ctx context.Context, v job.Verb, data []byte) ([]byte, error) {
	m, err := l.nc.RequestWithContext(ctx, job.Ask(l.w.Credentials.Vantage, l.w.Credentials.Worker, v), data)
	if err != nil {
		return nil, err
	}
	return m.Data, nil
}

// insist asks until there is a reply, or ctx ends.
func (l *link) insist(ctx context.Context, v job.Verb, data []byte) ([]byte, error) {
	for {
		one, end := context.WithTimeout(ctx, l.reply)
		reply, err := l.ask(one, v, data)
		end()
		if err == nil {
			return reply, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		sleep(ctx, retry)
	}
}

// insistOn is insist with messages of JSON.
func (l *link) insistOn(ctx context.Context, v job.Verb, what, into any) error {
	data, err := json.Marshal(what)
	if err != nil {
		return err
	}
	reply, err := l.insist(ctx, v, data)
	if err != nil {
		return err
	}
	return decode(reply, into)
}

// maxReply is more than any reply of JSON has.
const maxReply = 64 << 10

func decode(data []byte, into any) error {
	if len(data) > maxReply {
		return fmt.Errorf("a message of %d bytes", len(data))
	}
	return json.Unmarshal(data, into)
}

// beat says that a unit is being worked at, until ctx ends. When the hub's server could not
// be told for the time of a lease, counted by this machine's clock, the unit is lost.
func (l *link) beat(ctx context.Context, cancel context.CancelCauseFunc, m *nats.Msg) {
	each := l.lease / (job.Lease / job.Beat)
	lease := time.AfterFunc(l.lease, func() { cancel(errLease) })
	defer lease.Stop()
	heard, wait := time.Now(), each
	for {
		sleep(ctx, wait)
		if ctx.Err() != nil {
			return
		}
		begun := time.Now()
		err := m.Respond([]byte("+WPI"))
		if err == nil {
			one, end := context.WithTimeout(ctx, each)
			err = l.nc.FlushWithContext(one) // the server has read it
			end()
		}
		if time.Since(heard) >= l.lease {
			cancel(errLease)
		}
		if wait = retry; err == nil {
			heard, wait = begun, each
			lease.Reset(l.lease - time.Since(heard))
		}
	}
}

// next waits for a unit. It returns nil if there is none for a while.
func (l *link) next(ctx context.Context) (*nats.Msg, error) {
	vantage := l.w.Credentials.Vantage
	sub, err := l.nc.SubscribeSync(l.nc.NewInbox()) // one a request: what comes late is not taken
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := l.nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+job.UnitsStream+"."+job.Consumer(vantage), sub.Subject,
		fmt.Appendf(nil, `{"batch":1,"expires":%d}`, pullFor)); err != nil {
		return nil, err
	}
	one, end := context.WithTimeout(ctx, pullFor+time.Second)
	defer end()
	m, err := sub.NextMsgWithContext(one)
	switch {
	case err != nil:
		if one.Err() != nil && ctx.Err() == nil {
			err = nil
		}
		return nil, err
	case m.Reply == "": // a status
		if status := m.Header.Get("Status"); status != "404" && status != "408" {
			return nil, fmt.Errorf("the queue says %.40q", status)
		}
		return nil, nil
	}
	return m, nil
}
