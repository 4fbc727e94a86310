package check

import "github.com/clawsonar/clawsonar/internal/event"

func configInvalid() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "config-invalid",
		Title:    "The release does not accept this configuration",
		Severity: event.Medium,
		Needs:    event.NeedsFiles,
		When: `openclaw.json, or a file that it includes, is not what the release takes: it is
no JSON5, it has a key that the release does not know or a value of another
kind, or an include that is missing, goes round in a circle, or leads out of its
directory. Where the files do not name the release, only what no known release
takes is named.`,
		Why: `The gateway does not start with it. One that runs already goes on with what it
had, so that a protection written here is not in force.`,
		Fix: `Correct the line that is named, check with "openclaw config validate", and
restart.`,
		Steps: `1. Correct the line that is named. A key of an earlier release: "openclaw doctor
   --fix" rewrites those that it knows.
2. Check with the release that runs ("openclaw config validate"; before
   2026.3.28 "openclaw doctor").
3. Restart the gateway, see that it starts ("openclaw gateway status"), and
   inspect again.`,
		Controls:   []string{"nvdb:N6", "tongbao:T2"},
		References: []string{"https://docs.openclaw.ai/gateway/configuration", "https://docs.openclaw.ai/gateway/doctor"},
	}}
}
