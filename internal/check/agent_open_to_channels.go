package check

import "github.com/clawsonar/clawsonar/internal/event"

func agentOpenToChannels() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "agent-open-to-channels",
		Title:    "Strangers in a chat can have the agent run commands",
		Severity: event.High,
		Needs:    event.NeedsFiles,
		When: `A channel takes messages from anyone (dmPolicy "open" with "*" in allowFrom, or
groupPolicy "open", of the channel, one of its accounts or groups, or
channels.defaults), and an agent may use tools that run commands or change files
(exec, process, write, edit, apply_patch), by what tools.profile, tools.allow,
tools.deny and the agent's own settings leave it. A channel with enabled: false
is not counted.`,
		Why: `Anyone who finds the bot in that chat service gives the agent text, and a text
is all that is needed to make it act. The gateway's token and its address do not
matter: the messages come in through the chat service.`,
		Fix: `Set dmPolicy to "pairing" and groupPolicy to "allowlist", or take commands and
files from the agent: tools.profile "messaging".`,
		Steps: `1. Take messages from people you know only, for each channel that is named:
     openclaw config set channels.telegram.dmPolicy pairing
     openclaw config set channels.telegram.groupPolicy allowlist
   and remove "*" from its allowFrom.
2. If it has to stay open, take commands and files from the agent that answers:
     openclaw config set tools.profile messaging
     openclaw config set agents.defaults.sandbox.mode all
3. Look through its sessions, scheduled jobs and files for what you did not ask
   for.
4. Restart the gateway and inspect again.`,
		Controls:   []string{"nvdb:N3", "nvdb:N5", "cncert:C3", "tongbao:T5", "owasp:ASI01", "owasp:ASI05"},
		References: []string{"https://docs.openclaw.ai/gateway/security/access-control", "https://docs.openclaw.ai/channels/pairing"},
	}}
}
