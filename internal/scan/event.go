package scan

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/target"
)

// event puts everything known about a target into its line of the stream.
func (e *engine) event(t target.Target, c *fingerprint.Case, findings []event.Finding) *event.Target {
	o, v := c.Observation, c.Verdict()
	ev := &event.Target{
		Type: event.TypeTarget,
		Target: event.Address{
			Input: t.Input, Source: t.Source, Name: t.Name, Port: int(t.Addr.Port()),
			URL: t.URL(o.Scheme), Reach: e.reach(t), Member: t.Part, Bound: t.Bound, Process: t.Process,
		},
		Discovery: t.Found,
		Outcome:   o.Outcome,
		Surfaces:  v.Surfaces,
		Evidence:  c.Describe(e.sealed),
		Findings:  findings,
		Requests:  o.Requests, Connections: o.Connections,
		DurationMS: o.Duration.Milliseconds(),
		Error:      o.Err,
	}
	ev.AddNotes(v.Notes...)
	if o.Cause.ID != "" {
		ev.ErrorMessage = &o.Cause
	}
	if t.Addr.Addr().IsValid() {
		ev.Target.IP = t.Addr.Addr().String()
	}
	if v.Product.ID != "" {
		ev.Product = &v.Product
		version := v.Version
		version.Candidates = list(version.Candidates)
		ev.Version = &version
	}
	if v.Auth.State != "" {
		auth := v.Auth
		auth.Because = list(auth.Because)
		ev.Auth = &auth
	}
	if v.Front.Kind != "" {
		ev.Front = &v.Front
	}
	if o.Scheme != "" {
		ev.TLS = describeTLS(o)
	}
	return ev
}

// list makes a nil slice an empty one: the stream has [] where a list is.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// What is taken of a certificate, which is public by its nature: everybody who
// connects is shown it.
const (
	maxSubject = 512 // bytes
	maxName    = 253 // bytes: of a host name (RFC 1035 section 2.3.4)
	maxNames   = 100
)

func upTo(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

func describeTLS(o *evidence.Observation) *event.TLS {
	i := o.TLS
	if i == nil {
		return &event.TLS{}
	}
	t := &event.TLS{
		Enabled: true, Version: i.Version, Cipher: i.Cipher,
		Subject: upTo(i.Subject, maxSubject), Issuer: upTo(i.Issuer, maxSubject),
		SelfSigned: i.SelfSigned, SHA256: i.SHA256, VerifyError: evidence.Reason(i.VerifyError),
		NameError: evidence.Reason(i.NameError), Legacy: i.Legacy,
	}
	for _, name := range i.Names[:min(len(i.Names), maxNames)] {
		t.Names = append(t.Names, upTo(name, maxName))
	}
	if x := o.Exchange("root"); x != nil {
		t.HSTS = fingerprint.HSTS(x.Header.Get("Strict-Transport-Security"))
	}
	if i.SHA256 != "" {
		t.NotBefore = i.NotBefore.UTC().Format(time.RFC3339)
		t.NotAfter = i.NotAfter.UTC().Format(time.RFC3339)
	}
	return t
}

// mac is kept for the next target: a new one costs more than what it does.
type mac struct {
	hash.Hash
	buf []byte
}

// sealed stands for a text that must not be shown. The key dies with the run: it
// tells which texts of a run are equal, and nothing of what they are.
func (e *engine) sealed(text string) string {
	m, ok := e.macs.Get().(*mac)
	if !ok {
		m = &mac{Hash: hmac.New(sha256.New, e.key[:])}
	}
	defer e.macs.Put(m)
	m.Reset()
	m.buf = append(m.buf[:0], text...)
	m.Write(m.buf)
	m.buf = m.Sum(m.buf[:0])
	return "digest:" + hex.EncodeToString(m.buf[:6])
}
