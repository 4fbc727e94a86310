package check

import (
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/release"
)

// How much older than the newest release one must be to count more, in days
// between the builds. The vendor releases every few days, and most releases fix
// vulnerabilities.
const (
	outdatedMedium = 30
	outdatedHigh   = 90
)

func releaseOutdated() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "release-outdated",
		Title:    "A newer release is available",
		Severity: event.High,
		Needs:    event.NeedsRelease,
		When: `The exact release, or every release that matches what the gateway serves, is
older than the newest one this version of clawsonar knows. Low when less than 30
days lie between the two, medium from 30, high from 90 days on. On an
extended-stable line (patch number 33 and up) it is the newest of that line that
counts.`,
		Files: `The tag of an image, a package.json, an install command or -release names a
release that is older in the same way. A tag such as latest names none.`,
		Why: `Fixes for published vulnerabilities come with new releases only. The older the
release, the more of them can be exploited by anyone who reads the advisories.`,
		Fix: `Back up the state folder, update ("npm install -g openclaw@latest", or pull the
current image), restart the gateway and scan again.`,
		Steps: `1. Back up ~/.openclaw.
2. Update: "npm install -g openclaw@latest"; with Docker pull the current image
   and recreate the container. On an extended-stable line: its newest patch.
3. Restart the gateway and let "openclaw doctor" look at the configuration.
4. Scan again: the release that is reported must be the new one. If it is not,
   an older process is still running.`,
		Controls:   []string{"nvdb:N1", "cncert:C7", "tongbao:T1", "owasp:ASI04"},
		References: []string{"https://docs.openclaw.ai/install/updating"},
		First:      updating(),
	}, judge: func(c *Check, s *Subject) *event.Finding {
		if !s.gateway() || s.Releases == nil || len(s.Verdict.Version.Candidates) == 0 {
			return nil
		}
		// The newest of those that match decides: it is at least as old.
		candidates := s.Verdict.Version.Candidates
		have, err := release.Parse(candidates[len(candidates)-1])
		if err != nil {
			return nil
		}
		want, ok := newestOfLine(s.Releases, have)
		if !ok || want.Version.Compare(have) <= 0 {
			return nil
		}
		runs, newest := message.Of("have", candidates...), message.Of("newest", want.Version.String())
		detail := message.Say("release-outdated.newer", runs, newest)
		severity := event.Low
		if known, ok := s.Releases.Find(have); ok && !known.Date.IsZero() && !want.Date.IsZero() {
			days := int(want.Date.Sub(known.Date) / (24 * time.Hour))
			detail = message.Say("release-outdated.days", runs, newest, message.Number("days", days))
			switch {
			case days >= outdatedHigh:
				severity = event.High
			case days >= outdatedMedium:
				severity = event.Medium
			}
		}
		f := c.finding(s, severity, []string{s.Verdict.Version.Source}, detail)
		goTo(f, s, want.Version)
		return f
	}}
}

// updating are the commands of every finding that a newer release fixes.
func updating() map[string][]string {
	return map[string][]string{"update": {
		"openclaw gateway stop",
		"npm install -g openclaw@{release}",
		"openclaw doctor --fix", // without it a newer release may refuse to start on old files
		"openclaw gateway start",
	}}
}

// goTo names the release to update to, if there is one, and how. The configuration
// of a predecessor has to be moved first, which no command does by itself.
func goTo(f *event.Finding, s *Subject, v release.Version) {
	if v.IsZero() {
		return
	}
	f.Release = v.String()
	if b := s.Verdict.Product.Brand; b != "clawdbot" && b != "moltbot" {
		f.Step = "update"
	}
}

// newestOfLine returns the release to update to: the newest one, or for an
// extended-stable release the newest of its year and month.
func newestOfLine(t *release.Table, have release.Version) (release.Release, bool) {
	if !have.Extended() {
		newest := t.Newest()
		return newest, !newest.Version.IsZero()
	}
	var newest release.Release
	for r := range t.Releases() {
		if r.Version.Extended() && r.Version.SameLine(have) && r.Version.Compare(newest.Version) > 0 {
			newest = r
		}
	}
	return newest, !newest.Version.IsZero()
}
