package scan

import (
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/target"
)

// event puts everything known about a target into its line of the stream.
func (e *engine) event(t target.Target, o *evidence.Observation, v *fingerprint.Verdict, findings []event.Finding) *event.Target {
	ev := &event.Target{
		Type: "target",
		Target: event.Address{
			Input: t.Input, Source: t.Source, Name: t.Name, Port: int(t.Addr.Port()),
			URL: t.URL(o.Scheme), Reach: e.reach(t), Bound: t.Bound, Process: t.Process,
		},
		Outcome:  string(o.Outcome),
		Findings: findings,
		Notes:    v.Notes,
		Requests: o.Requests, Connections: o.Connections,
		DurationMS: o.Duration.Milliseconds(),
		Error:      o.Err,
	}
	switch t.Part {
	case target.OfHost:
		ev.Target.Member = event.OfHost
	case target.OfRange:
		ev.Target.Member = event.OfRange
	}
	if t.Addr.Addr().IsValid() {
		ev.Target.IP = t.Addr.Addr().String()
	}
	if v.Product != "" {
		ev.Product = &event.Product{ID: v.Product, Brand: v.Brand, Name: v.Name, Confidence: string(v.Confidence), Because: v.Because}
		ev.Version = &event.Version{
			Exact: v.Version.Exact, Candidates: list(v.Version.Candidates), Build: v.Version.Build,
			Source: v.Version.Source, Confidence: string(v.Version.Confidence),
		}
	}
	if v.Auth.State != "" {
		ev.Auth = &event.Auth{State: string(v.Auth.State), Mode: v.Auth.Mode, Because: list(v.Auth.Because)}
	}
	if v.Front.Kind != "" {
		ev.Front = &event.Front{Kind: v.Front.Kind, Because: v.Front.Because}
	}
	if o.Scheme != "" {
		ev.TLS = describeTLS(o)
	}
	for _, s := range v.Surfaces {
		ev.Surfaces = append(ev.Surfaces, event.Surface(s))
	}
	for i := range o.Exchanges {
		ev.Evidence = append(ev.Evidence, shorten(&o.Exchanges[i]))
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

func describeTLS(o *evidence.Observation) *event.TLS {
	i := o.TLS
	if i == nil {
		return &event.TLS{}
	}
	t := &event.TLS{
		Enabled: true, Version: i.Version, Cipher: i.Cipher,
		Subject: i.Subject, Issuer: i.Issuer, Names: i.Names,
		SelfSigned: i.SelfSigned, SHA256: i.SHA256, VerifyError: i.VerifyError,
		NameError: i.NameError, Legacy: i.Legacy,
	}
	if x := o.Exchange("root"); x != nil {
		t.HSTS = x.Header.Get("Strict-Transport-Security")
	}
	if i.SHA256 != "" {
		t.NotBefore = i.NotBefore.UTC().Format(time.RFC3339)
		t.NotAfter = i.NotAfter.UTC().Format(time.RFC3339)
	}
	return t
}

// shorten turns an exchange into what a reader needs to check a verdict. The
// body itself never leaves: it may hold a secret.
func shorten(x *evidence.Exchange) event.Evidence {
	ev := event.Evidence{ID: x.ID, Request: x.Method + " " + x.Path, Status: x.Status, Error: x.Err}
	if x.Status > 0 {
		d := x.Digest()
		ev.Bytes, ev.SHA256 = d.Bytes, d.SHA256
		ev.Facts = fingerprint.Facts(x)
	}
	return ev
}
