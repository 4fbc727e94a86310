package check

import (
	"slices"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func authUnverified() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "auth-unverified",
		Title:    "Whether a credential is needed could not be proven",
		Severity: event.Info,
		Needs:    event.NeedsProduct,
		When: `The product was recognised, but its answers do not tell whether it requires a
credential, or they contradict each other: the configuration is given without
one, which a cache or a copy does as well, and the gateway refuses another
request. The same applies to what looks like OpenClaw and then stalls or breaks
off. This is neither a pass nor an alarm.`,
		Files: `Whether the gateway asks is decided by what is not in the files: a variable that
nothing here sets, a secret of the platform, a configuration that lies
elsewhere, or the release, where none is named and releases differ.`,
		Why: `A gateway that is not proven may be open. -fail-on does not fail for it;
-fail-on-incomplete does.`,
		Fix: `Scan again from a place with direct access to the gateway, at level standard
and with a longer -timeout.`,
		Steps: `Scan again from a place with direct access to the gateway (the host itself, or
its own network), at level standard, without a proxy in between and with a
longer -timeout. If a proxy hides the gateway's answers, scan the port behind
it as well.`,
		Fixes:     map[string]string{event.InFiles: `State what the files lack: the variables with -env, where the deployment lives with -state-dir, its release with -release. Or scan the gateway that runs.`},
		Controls:  []string{"nvdb:N2", "cncert:C2"},
		Relatives: true,
	}, judge: func(c *Check, s *Subject) *event.Finding {
		if !s.gateway() && !s.Verdict.Unfinished || s.Verdict.Auth.State != event.AuthUnknown {
			return nil
		}
		return c.finding(s, event.Info, nil, unverifiedReason(s))
	}}
}

// unverifiedReason says why the requests about authentication gave no usable
// answer.
func unverifiedReason(s *Subject) message.Text {
	o := s.Observation
	var failed, trouble []string
	for i := range o.Exchanges {
		if x := &o.Exchanges[i]; x.Err != "" {
			failed, trouble = append(failed, o.Label(x)), append(trouble, x.Err)
		}
	}
	if len(failed) > 0 {
		return message.Say("auth-unverified.no-answer", message.Of("requests", failed...), message.Of("trouble", trouble...))
	}
	if s.Verdict.Unfinished {
		return message.Say("auth-unverified.time")
	}
	if s.Verdict.Relative {
		return message.Say("auth-unverified.relative")
	}
	if slices.Contains(s.Verdict.Auth.Because, "ways.differ") {
		return message.Say("auth-unverified.ways-differ")
	}
	if o.Exchange("tools") == nil {
		return message.Say("auth-unverified.not-asked")
	}
	return message.Say("auth-unverified.strange")
}
