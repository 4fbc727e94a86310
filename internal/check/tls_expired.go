package check

import (
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func tlsExpired() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "tls-expired",
		Title:    "The certificate is out of date",
		Severity: event.Medium,
		Needs:    event.NeedsTLS,
		When: `At the time of the scan the certificate's period of validity had ended, or not
begun.`,
		Why: `Clients refuse it, or their users click the warning away and would do so for
any certificate. A renewal that has failed once is likely to keep failing.`,
		Fix: `Renew the certificate, restart what serves it, and see why the renewal did not
run.`,
		Steps: `1. Renew: "certbot renew", "tailscale cert NAME", or with
   gateway.tls.autoGenerate remove the old files and restart the gateway.
2. Restart or reload what serves it: many programs read certificates only at
   start.
3. Find out why the renewal did not run by itself (systemctl list-timers).
4. Scan again.`,
		Controls:   []string{"nvdb:N2", "tongbao:T2"},
		References: []string{"https://docs.openclaw.ai/gateway/config-gateway"},
		Relatives:  true,
	}, judge: func(c *Check, s *Subject) *event.Finding {
		i := s.Observation.TLS
		if !s.recognised() || i == nil || i.SHA256 == "" || !s.Observation.Time.Before(i.NotBefore) && !s.Observation.Time.After(i.NotAfter) {
			return nil
		}
		detail := message.Say("tls-expired.ended", message.Of("day", i.NotAfter.UTC().Format(time.DateOnly)))
		if s.Observation.Time.Before(i.NotBefore) {
			detail = message.Say("tls-expired.begins", message.Of("day", i.NotBefore.UTC().Format(time.DateOnly)))
		}
		return c.finding(s, event.Medium, nil, detail)
	}}
}
