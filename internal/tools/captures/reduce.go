//go:build linux

package main

import (
	"bytes"
	"fmt"
	"html"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
)

// smallEnough bounds what counts as a small answer, which stays whole.
const smallEnough = 4 << 10

// reduce turns an answer into what may be kept of it.
func reduce(x *evidence.Exchange) evidence.CapturedExchange {
	out := evidence.CapturedExchange{ID: x.ID, Method: x.Method, Path: x.Path, Status: x.Status}
	for _, f := range x.Header {
		// The framing is the server's own business, and the date passes.
		if !slices.ContainsFunc([]string{"Date", "Connection", "Keep-Alive", "Content-Length", "Transfer-Encoding",
			"Sec-WebSocket-Accept", "Upgrade", "ETag", "Last-Modified"}, func(n string) bool { return strings.EqualFold(n, f.Name) }) {
			out.Header = append(out.Header, f.Name+": "+f.Value)
		}
	}
	kind := x.MediaType()
	switch {
	case x.Method == evidence.RFB:
		out.Body = string(x.Body)
		return out
	case x.Method == "HEAD":
		return out // has none
	case kind == "text/html" && x.Status == 200:
		out.Body = page(x.Body)
	case strings.Contains(kind, "javascript"):
		out.Body = script(x.Body)
	case len(x.Body) <= smallEnough && utf8.Valid(x.Body) &&
		(kind == "application/json" || kind == "text/plain" || x.Status == 101 || x.Status >= 400):
		out.Body = string(steady(x.Body))
		return out // whole
	}
	sum := x.Digest()
	out.Original = &evidence.Digest{Bytes: sum.Bytes, SHA256: sum.SHA256, Icon: x.IconHash()}
	return out
}

// assistantName is where an early page names the assistant.
var assistantName = regexp.MustCompile(`(__[A-Z]+_ASSISTANT_NAME__)=`)

// page rebuilds a page from the facts in it.
func page(body []byte) string {
	p := fingerprint.ParsePage(body)
	var b strings.Builder
	b.WriteString("<!doctype html>\n<html")
	for _, name := range slices.Sorted(maps.Keys(p.Attributes)) {
		fmt.Fprintf(&b, " %s=\"%s\"", name, html.EscapeString(p.Attributes[name]))
	}
	fmt.Fprintf(&b, ">\n<title>%s</title>\n", html.EscapeString(p.Title))
	for _, asset := range p.Assets {
		if strings.HasSuffix(asset, ".css") {
			fmt.Fprintf(&b, "<link rel=\"stylesheet\" href=\"./assets/%s\">\n", asset)
		} else {
			fmt.Fprintf(&b, "<script type=\"module\" src=\"./assets/%s\"></script>\n", asset)
		}
	}
	if m := assistantName.FindSubmatch(body); m != nil {
		fmt.Fprintf(&b, "<script>window.%s=\"Assistant\"</script>\n", m[1])
	}
	for _, e := range p.Elements {
		fmt.Fprintf(&b, "<%s></%s>\n", e, e)
	}
	b.WriteString("</html>\n")
	return b.String()
}

// script keeps the line that names the release.
func script(body []byte) string {
	m := regexp.MustCompile(`(?:EMBEDDED_CACHE_VERSION|CACHE_NAME) = "[^"\n]{1,200}"`).Find(body)
	return string(m) + ";\n"
}

// steady replaces what differs from one answer to the next.
func steady(body []byte) []byte {
	for _, r := range []struct{ pattern, with string }{
		{`"nonce":"[0-9a-f-]{36}"`, `"nonce":"00000000-0000-4000-8000-000000000000"`},
		{`(/devtools/browser/)[0-9a-f-]{36}`, `${1}00000000-0000-4000-8000-000000000000`},
		{`"ts":\d+`, `"ts":1767225600000`},
		{`"(uptimeMs|p99Ms|maxMs|delayMs|intervalMs|cpuCoreRatio|utilization|delayP99Ms|delayMaxMs)":[\d.]+`, `"$1":1000`},
	} {
		body = regexp.MustCompile(r.pattern).ReplaceAll(body, []byte(r.with))
	}
	return body
}

// scrub takes the paths of this machine out of a file.
func scrub(text []byte, work string) []byte {
	text = bytes.ReplaceAll(text, []byte(work), []byte("/home/operator"))
	if home, err := os.UserHomeDir(); err == nil && home != "/" {
		text = bytes.ReplaceAll(text, []byte(home), []byte("/home/operator"))
	}
	return text
}
