package check

import "github.com/clawsonar/clawsonar/internal/event"

func filesystemPathsPublic() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "filesystem-paths-public",
		Title:    "Paths of the host are public",
		Severity: event.Low,
		Needs:    event.NeedsProduct,
		When: `The page's configuration, given without a credential, names the folders from
which media may be shown (localMediaPreviewRoots, 2026.4.14 to 2026.4.21). The
paths themselves are not in the report.`,
		Why: `The paths hold the name of the user that runs the gateway, and where its files
are: half of what a targeted attack needs to know.`,
		Fix: `Update to 2026.4.22 or later, which requires a credential there.`,
		Steps: `1. Update: "npm install -g openclaw@latest", or pull the current image.
2. Until then have the proxy refuse /__openclaw/control-ui-config.json to all
   but your own addresses.
3. Restart the gateway and scan again.`,
		Controls:   []string{"nvdb:N1", "cncert:C7", "tongbao:T1"},
		References: []string{"https://docs.openclaw.ai/install/updating"},
	}, judge: onTrait("paths-public", event.Low, "filesystem-paths-public.listed")}
}
