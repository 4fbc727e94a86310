package report

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
)

var (
	ghsaID = regexp.MustCompile(`^GHSA(-[23456789cfghjmpqrvwx]{4}){3}$`)
	cveID  = regexp.MustCompile(`^CVE-[0-9]{4}-[0-9]{4,19}$`)
)

// advisoryURL is where an advisory is published; "" if its id has not the form
// of those that are.
func advisoryURL(id string) string {
	switch {
	case ghsaID.MatchString(id):
		return "https://github.com/advisories/" + id
	case cveID.MatchString(id):
		return "https://nvd.nist.gov/vuln/detail/" + id
	}
	return ""
}

// webURL returns s if it is a link to the web that can stand as it is in every
// format, else "".
func webURL(s string) string {
	if !strings.HasPrefix(s, "https://") && !strings.HasPrefix(s, "http://") {
		return ""
	}
	for _, r := range s {
		if r <= ' ' || r > '~' || strings.ContainsRune("\"'<>()[]{}|\\^`", r) {
			return ""
		}
	}
	return s
}

// hexKey identifies something across runs: 32 hex digits of a SHA-256.
func hexKey(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])[:32]
}
