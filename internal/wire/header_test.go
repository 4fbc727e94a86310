package wire

import (
	"strings"
	"testing"
)

func TestParseHeader(t *testing.T) {
	for _, text := range []string{"X-Scan: ours", "x-bug-bounty:  researcher 7 ", "From: me@example.org", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "X-HackerOne-Research: a", "X-Request-Id: 7", "Accept-Language: de"} {
		f, err := ParseHeader(text)
		if err != nil || f.Name+":"+f.Value == "" || strings.TrimSpace(f.Value) != f.Value {
			t.Errorf("%s: %+v, %v", text, f, err)
		}
	}
	for _, name := range []string{
		"Authorization", "Cookie", "Proxy-Authorization", "X-Api-Key", "X-Auth-Token", "X-Openclaw-Scopes", "X-Openclaw-Token",
		"X-Forwarded-For", "X-Forwarded-User", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-IP", "X-Client-IP", "True-Client-IP",
		"CF-Connecting-IP", "Cf-Access-Jwt-Assertion", "Tailscale-User-Login", "Remote-User", "X-Remote-User", "X-WebAuth-User", "X-Email", "X-Goog-Authenticated-User-Email",
		"X-Amzn-Oidc-Data", "X-MS-Client-Principal", "X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override", "X-Host", "X-Proxy-User", "X-Cluster-Client-IP", "X-Session-Id", "X-CSRF-Token",
		"Host", "Connection", "Upgrade", "Content-Length", "Transfer-Encoding", "TE", "Expect", "Origin", "Referer", "User-Agent", "Accept-Encoding", "Sec-WebSocket-Key", "Via", "X-", "",
	} {
		if f, err := ParseHeader(name + ": x"); err == nil {
			t.Errorf("%s is sent: %+v", name, f)
		}
	}
	for _, bad := range []string{"X-Scan", "X-Scan: a\r\nCookie: b", "X-Scan\r\nCookie: b", "X Scan: a", "X-Scan : a", "X-Scän: a", "X-Scan: ä", "X-Scan: \x00", ": a", "X-Scan: " + strings.Repeat("a", MaxHeader)} {
		if f, err := ParseHeader(bad); err == nil {
			t.Errorf("%q is sent: %+v", bad, f)
		} else if strings.ContainsAny(err.Error(), "\r\n\x00") {
			t.Errorf("%q: the error is not clean: %q", bad, err)
		}
	}
}

func FuzzParseHeader(f *testing.F) {
	f.Add("X-Scan: ours")
	f.Add("From:me@example.org")
	f.Fuzz(func(t *testing.T, text string) {
		field, err := ParseHeader(text)
		if err == nil && strings.ContainsAny(field.Name, "\r\n\x00: ") {
			t.Errorf("%q: name %q", text, field.Name)
		}
		if err == nil && strings.ContainsAny(field.Value, "\r\n\x00") {
			t.Errorf("%q: value %q", text, field.Value)
		}
	})
}
