package fingerprint

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/clawsonar/clawsonar/internal/evidence"
)

func TestParsePage(t *testing.T) {
	p := ParsePage([]byte(`<!DOCTYPE html>
<HTML lang=en data-x='a "b"'><head><title>
  OpenClaw   Control
</title><title>second</title>
<!-- <openclaw-fake></openclaw-fake> <script src="/assets/no.js"></script> -->
<script>var s = "<title>no</title><other-app>";</script>
<link rel=stylesheet href="./assets/index-a.css?v=1"><link href="/claw/assets/lib-b.js">
<script src="https://cdn.example/assets/index-c.js"></script><script src="/js/none.js"></script>
<link href="assets/index-a.css"><link href="/favicon.ico">
<body><openclaw-app></openclaw-app><svg><title>icon</title></svg>`))
	if p.Title != "OpenClaw Control" {
		t.Errorf("title %q", p.Title)
	}
	if p.Attributes["lang"] != "en" || p.Attributes["data-x"] != `a "b"` {
		t.Errorf("attributes %v", p.Attributes)
	}
	if !slices.Equal(p.Elements, []string{"openclaw-app"}) {
		t.Errorf("elements %v", p.Elements)
	}
	if want := []string{"index-a.css", "lib-b.js", "index-c.js"}; !slices.Equal(p.Assets, want) {
		t.Errorf("assets %v, want %v", p.Assets, want)
	}
}

// A title is found as a browser shows it, however it is written.
func TestTitleAsWritten(t *testing.T) {
	m := match{Title: oneOrMore{"Nothing", "Mission Control — AI"}}
	for title, want := range map[string]bool{
		"Mission Control — AI":                true,
		"\n  Mission\n\tControl  — AI ":       true,
		"Mission Control &mdash; AI":          true,
		"&#77;ission Control&#32;&#x2014;AI":  false,
		"&#77;ission&#32;Control &#x2014; AI": true,
		"Mission Control &amp;mdash; AI":      false,
		"Mission Control":                     false,
		"Nothing":                             true,
		"nothing":                             false,
	} {
		body := []byte("<html><head><TITLE>" + title + "</title></head><svg><title>x</title></svg>")
		if got := m.matchesPage(&answer{index: new(index), Exchange: &evidence.Exchange{Body: body}}); got != want {
			t.Errorf("%q: %t, want %t", title, got, want)
		}
	}
}

// However a page begins, its title is the one that the tokenizer finds.
func TestParseTitle(t *testing.T) {
	parts := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"<title>", "</title>", "</title >", "<TITLE>", "<title lang=en>", "<title/>", "</titles>", "</", "<", ">", "a", " ", "&amp;", "&lt;title>", "\r\n",
		"<html>", "<!doctype html>", "<!-- ", "-->", "<!x>", "<?xml?>", "<script>", "</script>", "<style>", "<noscript>", "<svg>", "<p a=", "<p ", `"`, "'", "=", "/", `="`, `" `, "=\f'",
	}))
	quick := 0
	rapid.Check(t, func(t *rapid.T) {
		page := []byte(strings.Join(rapid.SliceOfN(parts, 1, 12).Draw(t, "page"), ""))
		if rapid.Bool().Draw(t, "ends") {
			page = append(page, "<title>the end</title>"...)
		}
		if got, want := parseTitle(page), ParsePage(page).Title; got != want {
			t.Fatalf("%q: %q, want %q", page, got, want)
		}
		if _, ok := plainTitle(page); ok {
			quick++
		}
	})
	if quick == 0 {
		t.Error("no page was plain")
	}
}

func FuzzParsePage(f *testing.F) {
	f.Add("<title>a</title><x-y></x-y><html a=b>")
	f.Add("<script src=/assets/a.js>")
	f.Add("<HTML LANG=en data-A=b><script src=&#97;ssets/a.js>")
	f.Add(strings.Repeat("<a-b c=d", 100))
	f.Fuzz(func(t *testing.T, body string) {
		p := ParsePage([]byte(body))
		a := answer{index: new(index), Exchange: &evidence.Exchange{Body: []byte(body)}}
		if got := a.assets(); !slices.Equal(got, p.Assets) {
			t.Errorf("assets %q, want %q", got, p.Assets)
		}
		for _, name := range []string{"lang", "data-a"} {
			a.html = nil
			got, ok := a.attribute(name)
			if want, has := p.Attributes[name]; got != want || ok != has {
				t.Errorf("attribute %s %q, want %q", name, got, want)
			}
		}
		if title := parseTitle([]byte(body)); title != p.Title {
			t.Errorf("title %q, want %q", title, p.Title)
		}
		if len(p.Title) > maxText || len(p.Attributes) > maxThings || len(p.Elements) > maxThings || len(p.Assets) > maxThings {
			t.Error("a cap is not kept")
		}
		for _, s := range slices.Concat(p.Elements, p.Assets) {
			if len(s) > maxText {
				t.Error("a cap is not kept")
			}
		}
	})
}

// The one look at the tags finds what many would find.
func FuzzScanTags(f *testing.F) {
	f.Add("<title>a</title><x-y></x-y><html a=b>")
	f.Add("<<openclaw-app/><TITLE x>b</Title><title>c")
	f.Add("</title><openclaw-ap")
	known := []string{"openclaw-app", "x-y", "x"}
	f.Fuzz(func(t *testing.T, body string) {
		got := scanTags([]byte(body), known)
		for _, name := range known {
			if has := strings.Contains(body, "<"+name); has != slices.Contains(got.elements, name) {
				t.Errorf("%s: %v in %q", name, got.elements, body)
			}
		}
		if title := ParsePage([]byte(body)).Title; title != "" && bytes.Count([]byte(body), []byte("<")) == 2 &&
			strings.Contains(body, ">"+title+"</") && !bytes.Contains(got.title, []byte(title)) {
			t.Errorf("title %q is not in %q", title, got.title)
		}
	})
}
