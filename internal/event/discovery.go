package event

import "slices"

// Discovery is what led to a target without contacting it, and what that told of it.
type Discovery struct {
	By Finder `json:"by" yaml:"by"`
	// Announced is what an announcement on the local link tells, by the keys of its TXT
	// record that gateways use, without the values; nil if that was not seen.
	Announced []string `json:"announced,omitzero" yaml:"announced,omitempty,flow"`
	// Published is the address and port of the host at which a container engine says that
	// it publishes the target.
	Published string `json:"published,omitempty" yaml:"published,omitempty"`
}

// Keys of announcements that mean something here.
const (
	AnnouncedPort    = "gatewayPort"
	AnnouncedTLS     = "gatewayTls" // 1: the port speaks TLS
	AnnouncedCLI     = "cliPath"    // where the program lies, often below a user's folder
	AnnouncedSSH     = "sshPort"
	AnnouncedTailnet = "tailnetDns" // the name in the tailnet
)

// AnnouncedKeys returns of keys those that gateways use, each once and in one order. Any
// other is somebody's text.
func AnnouncedKeys(keys []string) []string {
	out := []string{}
	for _, key := range []string{
		"role", "transport", "displayName", "lanHost", AnnouncedPort, AnnouncedTLS, "gatewayTlsSha256", "gatewayDirectReachable",
		"canvasPort", AnnouncedTailnet, AnnouncedSSH, AnnouncedCLI,
	} {
		if slices.Contains(keys, key) {
			out = append(out, key)
		}
	}
	return out
}
