package check

import "github.com/clawsonar/clawsonar/internal/event"

func assistantNamePublic() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "assistant-name-public",
		Title:    "The assistant's name is in the public page",
		Severity: event.Low,
		Needs:    event.NeedsProduct,
		When: `The page sets the assistant's name in a script of its own, as releases up to
2026.2.14 do. Later ones have it in the page's configuration: see
bootstrap-config-public.`,
		Why: `Anyone can read the name of the assistant, which often contains that of its
owner: enough to tell whose agent this is, and to write to it as a friend would.`,
		Fix: `Update to a current release.`,
		Steps: `1. Update: "npm install -g openclaw@latest", or pull the current image.
2. Until then give the assistant a name that says nothing of its owner.
3. Restart the gateway and scan again.`,
		Controls:   []string{"nvdb:N1", "cncert:C7", "tongbao:T1"},
		References: []string{"https://docs.openclaw.ai/install/updating"},
	}, judge: onTrait("assistant-public", event.Low, "assistant-name-public.in-page")}
}
