package inspect

import "strings"

// secretName reports whether a variable of a gateway's environment holds a secret, by its
// name, and what to call it.
func secretName(name string) (what string, ok bool) {
	upper := strings.ToUpper(name)
	for _, product := range []string{"OPENCLAW_", "CLAWDBOT_", "MOLTBOT_"} {
		switch strings.TrimPrefix(upper, product) {
		case "GATEWAY_TOKEN":
			return "gateway token", true
		case "GATEWAY_PASSWORD":
			return "gateway password", true
		case "HOOKS_TOKEN", "HOOK_TOKEN":
			return "hooks token", true
		}
	}
	for _, suffix := range []string{"_API_KEY", "_APIKEY", "_TOKEN", "PASSWORD", "_SECRET", "_SECRET_KEY", "_ACCESS_KEY", "_PRIVATE_KEY", "_PASSPHRASE", "_CREDENTIALS"} {
		if strings.HasSuffix(upper, suffix) {
			return name, true
		}
	}
	return "", false
}

// isExampleFile reports whether a file is there to be copied: .env.example and its like.
func isExampleFile(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"example", "sample", "template", "dist"} {
		for _, sep := range []string{".", "-", "_"} {
			if strings.HasSuffix(name, sep+word) || strings.Contains(name, sep+word+".") || strings.Contains(name, "/"+word+sep) || strings.HasPrefix(name, word+sep) {
				return true
			}
		}
	}
	return false
}
