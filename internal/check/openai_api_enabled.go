package check

import (
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func openaiAPIEnabled() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "openai-api-enabled",
		Title:    "The OpenAI-compatible API is switched on",
		Severity: event.Critical,
		Needs:    event.NeedsProduct,
		When: `GET on /v1/chat/completions or /v1/responses was answered as only an endpoint
that is switched on answers (405, POST alone is allowed), or /v1/models as only
then. No completion was requested. Critical when the gateway requires no
credential, else for information.`,
		Files: `gateway.http.endpoints.chatCompletions.enabled or
gateway.http.endpoints.responses.enabled is true.`,
		Why: `The API takes one request for one turn of the agent, with all its tools: no
device is paired, no origin checked. Any client with the gateway's token, or on
an open gateway any client at all, can make the agent act and spend on its
models.`,
		Fix: `If nothing uses it, set gateway.http.endpoints.chatCompletions.enabled and
gateway.http.endpoints.responses.enabled to false and restart. On an open
gateway fix that first: clawsonar explain auth-missing`,
		Steps: `1. Is the gateway open? Then follow "clawsonar explain auth-missing" first.
2. Find out who uses the API. If nobody does, in openclaw.json:
     gateway.http.endpoints.chatCompletions.enabled: false
     gateway.http.endpoints.responses.enabled: false
3. If somebody does, keep it off the internet and allow only that client's
   address to reach /v1/ through the proxy or firewall.
4. Restart the gateway and scan again.`,
		Controls:   []string{"nvdb:N2", "nvdb:N3", "cncert:C1", "owasp:ASI02"},
		References: []string{"https://docs.openclaw.ai/gateway/openai-http-api", "https://docs.openclaw.ai/gateway/openresponses-http-api"},
	}, judge: func(c *Check, s *Subject) *event.Finding {
		if !s.gateway() {
			return nil
		}
		var on, because []string
		for _, surface := range s.Verdict.Surfaces {
			switch surface.ID {
			case "openai-chat", "openai-responses":
				on, because = append(on, surface.Path), append(because, strings.TrimPrefix(surface.ID, "openai-"))
			case "openai-models":
				because = append(because, "models")
			}
		}
		if len(because) == 0 {
			return nil
		}
		if len(on) == 0 {
			on = []string{"/v1/models"}
		}
		paths := message.Of("paths", on...)
		if s.Verdict.Auth.State == event.AuthOpen {
			return c.finding(s, event.Critical, because, message.Say("openai-api-enabled.open", paths))
		}
		return c.finding(s, event.Info, because, message.Say("openai-api-enabled.on", paths))
	}}
}
