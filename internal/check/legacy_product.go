package check

import (
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/release"
)

func legacyProduct() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "legacy-product",
		Title:    "This is a predecessor of OpenClaw that gets no fixes",
		Severity: event.High,
		Needs:    event.NeedsRelease,
		When: `The gateway's own page says Clawdbot or Moltbot, or every release that matches
its answers is older than 2026.1.29, the first under the name OpenClaw.`,
		Files: `An image, a package or a command names Clawdbot or Moltbot, or a release before
2026.1.29.`,
		Why: `Nothing is published under the old names any more. All security fixes since
the end of January 2026 are missing, and with no token set these releases start
without authentication.`,
		Fix: `Move to OpenClaw: back up the state folder, npm install -g openclaw@latest,
set gateway.auth.mode to "token", remove the old package.`,
		Steps: `Move to OpenClaw: back up the state folder (~/.clawdbot or ~/.moltbot), install
the current release ("npm install -g openclaw@latest"), let "openclaw doctor"
take over the old configuration, set gateway.auth.mode to "token", and remove
the old package ("npm uninstall -g clawdbot"). Scan again.`,
		Controls:   []string{"nvdb:N1", "cncert:C7", "tongbao:T1", "owasp:ASI04"},
		References: []string{"https://docs.openclaw.ai/install/updating"},
	}, judge: func(c *Check, s *Subject) *event.Finding {
		first := release.MustParse("2026.1.29")
		if !s.recognised() || s.Verdict.Product.ID != "openclaw" {
			return nil
		}
		brand := s.Verdict.Product.Brand
		if brand == "clawdbot" || brand == "moltbot" {
			return c.finding(s, event.High, []string{"root"}, message.Say("legacy-product.page", message.Of("brand", brand)))
		}
		candidates := s.Verdict.Version.Candidates
		for _, c := range candidates {
			if v, err := release.Parse(c); err != nil || v.Compare(first) >= 0 {
				return nil
			}
		}
		if len(candidates) == 0 {
			return nil
		}
		return c.finding(s, event.High, []string{s.Verdict.Version.Source}, message.Say("legacy-product.release", message.Of("last", candidates[len(candidates)-1])))
	}}
}
