package check

import "github.com/clawsonar/clawsonar/internal/event"

func leftoverState() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "leftover-state",
		Title:    "State of an earlier name, or a backup, was left behind",
		Severity: event.Info,
		Needs:    event.NeedsFiles,
		When: `Beside ~/.openclaw there is a state directory of an earlier name (.clawdbot,
.moltbot, .moldbot), or a backup of the configuration (openclaw.json.bak and its
numbers). Secrets in clear in it are secret-in-file as well.`,
		Why: `Nobody looks after these files: their tokens, keys and conversations stay
readable, often still hold, and an older release would start with them.`,
		Fix: `Delete what is not needed ("rm -r ~/.clawdbot"), after a look into it, and
replace the credentials in it that still hold.`,
		Steps: `1. See that the gateway uses ~/.openclaw ("openclaw config file").
2. Move what you want to keep, then delete the directory or backup that is
   named.
3. Replace tokens and keys in it that still hold, and inspect again.`,
		Controls:   []string{"nvdb:N6", "cncert:C4"},
		References: []string{"https://docs.openclaw.ai/gateway/security/secrets-and-storage"},
	}}
}
