package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/target"
)

// Session is the conversation with one target: requests in turn on one
// connection that is kept open where the target allows it, within one absolute
// deadline. It is not safe for concurrent use.
type Session struct {
	w        *Wire
	ctx      context.Context
	t        target.Target
	budget   *Budget
	running  bool      // the budget runs for this session
	deadline time.Time // when it ends, while it runs
	secure   bool      // speak TLS
	settled  bool      // plain or TLS has been found out
	turned   bool      // the other of plain and TLS was tried first and failed
	first    error     // how it failed
	c        *conn
	obs      evidence.Observation
}

// Open begins a conversation with a budget of its own; nothing is sent before the
// first Converse. The timeout covers everything but the waiting for the rate limiter.
func (w *Wire) Open(ctx context.Context, t target.Target, timeout time.Duration) *Session {
	return w.OpenWithin(ctx, t, NewBudget(timeout))
}

// OpenWithin is Open within a budget that others may share.
func (w *Wire) OpenWithin(ctx context.Context, t target.Target, budget *Budget) *Session {
	return &Session{
		w: w, ctx: ctx, t: t, budget: budget,
		secure: t.Scheme == "https",
		obs: evidence.Observation{
			Time: time.Now(), Addr: t.Addr, Name: t.Name, Base: t.Base,
		},
	}
}

// Observation returns what has been seen so far. It stays valid, and grows,
// until the session is closed.
func (s *Session) Observation() *evidence.Observation { return &s.obs }

// Close ends the conversation.
func (s *Session) Close() {
	s.hangUp()
	s.rest()
	s.obs.Duration = time.Since(s.obs.Time)
}

func (s *Session) hangUp() {
	if s.c != nil {
		s.w.release(s.c)
		s.c = nil
	}
}

// Reply makes the answer to the first message that a WebSocket sends. Its error
// is recorded as that of the exchange.
type Reply func(first []byte) ([]byte, error)

// Converse makes one exchange and records it in the observation. The first message
// of a WebSocket is answered if reply is not nil: what is recorded then is the
// message that comes back. Converse reports whether the conversation can continue:
// false after the deadline, an interrupt, or when the target does not speak HTTP at
// all; the observation's outcome then says which.
func (s *Session) Converse(req evidence.Request, reply Reply) bool {
	if req.Fresh {
		s.hangUp()
	}
	for {
		x, err := s.try(req, reply)
		if err == nil && req.RFB {
			s.obs.Exchanges = append(s.obs.Exchanges, x)
			if x.Answered() {
				s.obs.Outcome = event.OutcomeOther
			}
			return s.ctx.Err() == nil && time.Now().Before(s.deadline)
		}
		if err == nil {
			if !s.settled && !s.secure && !s.turned && plainOnTLS(&x) {
				s.turn(errTLSRecord)
				continue
			}
			s.settled = true
			s.obs.Scheme = "http"
			if s.secure {
				s.obs.Scheme = "https"
			}
			s.obs.Outcome = event.OutcomeOther
			if x.Err != "" && s.ctx.Err() != nil {
				x.Err = stopped
				s.fail(event.OutcomeInterrupted, plain(stopped))
			}
			s.obs.Exchanges = append(s.obs.Exchanges, x)
			return s.obs.Outcome != event.OutcomeInterrupted && time.Now().Before(s.deadline)
		}
		again := s.c != nil && s.c.used && dropped(err)
		s.hangUp()
		if again {
			continue // an idle connection that the target had closed meanwhile
		}
		if !s.settled && !s.turned && wrongWay(err, s.secure) {
			s.turn(err)
			continue
		}
		outcome, why := s.outcome(err)
		if s.settled {
			// The target has answered before: this request failed, which is a
			// fact about the request and not the outcome of the target.
			x.Err = why.English
			s.obs.Exchanges = append(s.obs.Exchanges, x)
			if outcome == event.OutcomeInterrupted {
				s.fail(outcome, why)
			}
			return outcome != event.OutcomeInterrupted && time.Now().Before(s.deadline)
		}
		s.fail(outcome, why)
		return false
	}
}

// fail sets the outcome of the target.
func (s *Session) fail(outcome event.Outcome, why message.Text) {
	s.obs.Outcome, s.obs.Err, s.obs.Cause = outcome, why.English, why.Message
}

// turn switches between plain text and TLS, after the first way failed.
func (s *Session) turn(err error) {
	s.hangUp()
	s.secure, s.turned, s.first = !s.secure, true, err
}

// outcome classifies a failure in the light of the way that was tried before:
// a service that closes at once does so in plain text and TLS alike, and that
// is then what it is, not a TLS server.
func (s *Session) outcome(err error) (event.Outcome, message.Text) {
	outcome, why := classify(err)
	if outcome == event.OutcomeExcluded {
		return outcome, why
	}
	if s.ctx.Err() != nil {
		// However it shows: a dial given up, a connection closed under a read.
		return event.OutcomeInterrupted, plain(stopped)
	}
	var handshake *handshakeError
	var op *net.OpError
	switch {
	case outcome == event.OutcomeLocalError:
	case errors.As(err, &handshake):
		silent := outcome == event.OutcomeSilent
		if s.turned && s.first != errTLSRecord && (silent || dropped(err) || spokePlain(err)) {
			return classify(s.first)
		}
		if silent && !s.turned {
			return outcome, why
		}
		return event.OutcomeTLSError, message.Say("error.handshake", message.Of("trouble", why.English))
	case errors.As(err, &op) && op.Op == "remote error":
		// A TLS 1.3 server's refusal, such as of a client without a
		// certificate, comes after the client's side of the handshake is done.
		return event.OutcomeTLSError, message.Say("error.handshake", message.Of("trouble", why.English))
	case s.turned && errors.As(err, &op) && op.Op == "dial":
		// There was a connection before: this port is not closed or silent.
		if s.first == errTLSRecord {
			return event.OutcomeTLSError, message.Say("error.handshake", message.Of("trouble", why.English))
		}
		return classify(s.first)
	}
	return outcome, why
}

// try makes one attempt at an exchange on the current connection, opening one
// if there is none.
func (s *Session) try(req evidence.Request, reply Reply) (evidence.Exchange, error) {
	x := evidence.Exchange{ID: req.ID, Method: req.Method, Path: req.Path}
	if s.c == nil {
		if err := s.connect(); err != nil {
			return x, err
		}
	}
	s.obs.Requests++
	keep, err := s.w.exchange(s.c, s.t, req, reply, &x)
	if err != nil {
		return x, err
	}
	s.c.used = true
	if !keep {
		s.hangUp()
	}
	return x, nil
}

// run has the session's budget run, rest has it stand still.
func (s *Session) run() {
	if !s.running {
		s.running, s.deadline = true, s.budget.run()
	}
}

func (s *Session) rest() {
	if s.running {
		s.running = false
		s.budget.rest()
	}
}

func (s *Session) connect() error {
	if err := s.w.opt.Scope.Check(s.t.Addr.Addr()); err != nil {
		return &scopeError{err}
	}
	// Waiting for one's turn is not the target's slowness.
	first := s.deadline.IsZero()
	s.rest()
	if err := s.w.opt.Limiter.Wait(s.ctx, s.t.Addr.Addr()); err != nil {
		// The limiter's error has its own words: here the run has no more time.
		return context.Canceled
	}
	if first {
		s.obs.Time = time.Now()
	}
	s.run()
	c, info, err := s.dial(s.secure, 0)
	if err != nil {
		return err
	}
	s.c = c
	if info != nil {
		if s.obs.TLS != nil {
			info.Legacy = s.obs.TLS.Legacy
		}
		s.obs.TLS = info
	}
	return nil
}

// Legacy finds out whether the target, which has been found to speak TLS, also
// agrees on a version below 1.2, and records it. It makes one connection.
func (s *Session) Legacy() {
	s.hangUp()
	s.rest()
	if s.obs.TLS == nil || s.w.opt.Limiter.Wait(s.ctx, s.t.Addr.Addr()) != nil {
		return
	}
	s.run()
	c, info, err := s.dial(true, tls.VersionTLS11)
	if err != nil {
		return
	}
	s.obs.TLS.Legacy = info.Version
	s.w.release(c)
}

// maxScarce is how long a connection is tried again while this machine is short
// of something.
const maxScarce = 5 * time.Second

// dial connects. That this machine has run short of descriptors, ports or
// memory says nothing of the target: the connection is tried again, with fewer
// others beside it.
func (s *Session) dial(secure bool, newest uint16) (*conn, *evidence.TLSInfo, error) {
	waited := time.Duration(0)
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		c, info, err := s.w.dial(s.ctx, s.deadline, s.t, secure, newest, &s.obs.Connections)
		if err == nil || !scarce(err) {
			return c, info, err
		}
		s.w.opt.InFlight.Strained()
		if waited >= maxScarce {
			return nil, nil, err
		}
		s.rest()
		select {
		case <-time.After(pause):
		case <-s.ctx.Done():
			return nil, nil, context.Canceled
		}
		waited += pause
		s.run()
	}
}

// dropped reports whether a connection ended before any byte of an answer.
func dropped(err error) bool {
	outcome, _ := classify(err)
	return errors.Is(err, io.EOF) || outcome == event.OutcomeReset
}

// wrongWay reports whether an error is what one sees when plain text is spoken
// to a TLS server (it closes, resets, or answers with a TLS alert record) or
// TLS to a plain one. A handshake that succeeded proves TLS, regardless of what follows.
func wrongWay(err error, secure bool) bool {
	if secure {
		var handshake *handshakeError
		return errors.As(err, &handshake) && (spokePlain(err) || dropped(err))
	}
	return dropped(err) || errors.Is(err, errTLSRecord)
}

// plainOnTLS recognises the courtesy answers of TLS servers to plain text:
// nginx and Apache, and everything written with Go (Caddy, Traefik).
func plainOnTLS(x *evidence.Exchange) bool {
	if x.Status != 400 {
		return false
	}
	for _, phrase := range []string{
		"plain HTTP request was sent to HTTPS port",
		"HTTP request to an HTTPS server",
		"speaking plain HTTP to an SSL-enabled server port",
	} {
		if bytes.Contains(x.Body, []byte(phrase)) {
			return true
		}
	}
	return false
}
