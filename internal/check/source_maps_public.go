package check

import "github.com/clawsonar/clawsonar/internal/event"

func sourceMapsPublic() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "source-maps-public",
		Title:    "Source maps of the Control UI are served",
		Severity: event.Low,
		Needs:    event.NeedsProduct,
		When: `HEAD on the map of the page's main script was answered with 200 and a media type
of its own (releases up to 2026.3.28 ship them).`,
		Why: `The source is public anyway; that the maps are there shows that this is an
unmodified old release, whose vulnerabilities are in the advisories.`,
		Fix: `Update to a current release: it ships no source maps.`,
		Steps: `1. Update: "npm install -g openclaw@latest", or pull the current image.
2. Restart the gateway and scan again.`,
		Controls:   []string{"nvdb:N1", "cncert:C7", "tongbao:T1"},
		References: []string{"https://docs.openclaw.ai/install/updating"},
	}, judge: onSurface("source-maps", "source-map.there", event.Low, "source-maps-public.served")}
}
