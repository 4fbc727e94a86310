package report

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/test/texts"
)

// TestCataloguesAreComplete names every text of the reports and the commands that a
// language lacks, or has and nobody says. The texts of the checks are looked at in
// internal/cli, which knows them.
func TestCataloguesAreComplete(t *testing.T) {
	used := texts.Used(t, "*.go", "html/*.html", "../cli/*.go", "../explain/*.go")
	if len(used) < 100 {
		t.Fatalf("only %d texts found", len(used))
	}
	for _, lang := range Languages()[1:] {
		texts.Check(t, used, "lang/"+lang+".yaml")
	}
}

// TestTextsOfOthers: another package's texts are found beside those of the reports, and
// it has none of theirs again.
func TestTextsOfOthers(t *testing.T) {
	for _, tt := range []struct{ lang, file, want, err string }{
		{lang: "zh", file: "- {en: Own, text: 自有}", want: "自有 网关"},
		{lang: "en", want: "Own Gateways"},
		{lang: "zh", file: "- {en: Gateways, text: x}", err: `the reports have "Gateways"`},
		{lang: "zh", file: "- {en: a}", err: "empty"},
		{lang: "zh", err: "lang/zh.yaml"},
	} {
		texts, err := NewTexts(tt.lang)
		if err != nil {
			t.Fatal(err)
		}
		files := fstest.MapFS{}
		if tt.file != "" {
			files["lang/zh.yaml"] = &fstest.MapFile{Data: []byte(tt.file)}
		}
		texts, err = texts.With(files)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q: error %v, want %s", tt.file, err, tt.err)
			}
			continue
		}
		if got := texts.Say("Own") + " " + texts.Say("Gateways"); err != nil || got != tt.want {
			t.Errorf("%s: %q, %v", tt.lang, got, err)
		}
	}
}

func TestCatalogueErrors(t *testing.T) {
	for in, want := range map[string]string{
		"- {en: a, text: b}\n- {en: a, text: c}": "duplicate",
		"- {en: a}":                              "empty",
		"- {en: a, txt: b}":                      "txt",
		"en: a":                                  "f:",
	} {
		if _, err := parseWords("f", []byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", in, err, want)
		}
	}
	if _, err := New("table", nil, Options{Lang: "xx"}); err == nil || !strings.Contains(err.Error(), `unknown language "xx": use one of en, zh`) {
		t.Errorf("error %v", err)
	}
}

// TestNoEnglishIsLeft reads the Chinese reports of a real scan, whose texts are
// those of the checks: what is left in Latin letters must be a name, an id, a key,
// a command, or somebody else's words.
func TestNoEnglishIsLeft(t *testing.T) {
	events := replicas(t)
	for i := range events {
		if x, ok := events[i].(*event.Target); ok {
			for j := range x.Findings {
				if by := x.Findings[j].Said().Suppressed; by != nil {
					by.Args["reason"] = []string{"原因"} // the operator's words
				}
			}
			x.Advisories, x.Evidence = nil, nil // published, and answered, in English
		}
	}
	names := strings.Fields("OpenClaw clawsonar scan UTC HTTP TLS HTTPS SSH VPN SHA token mode none standard caddy alive advisories show explain ID http latest assets root blocked nginx NVDB CNCERT OWASP npm install IP auth config tools-get tools data update")
	for format, o := range map[string]Options{"table": {Lang: "zh", Verbose: true, Width: 200}, "markdown": {Lang: "zh"}, "html": {Lang: "zh"}} {
		out := render(t, format, o, events...)
		out = regexp.MustCompile(`(?s)<(style|script|head)>.*?</(style|script|head)>|<[^>]*>|`+"`[^`]*`").ReplaceAllString(out, " ")
		for word := range strings.FieldsFuncSeq(out, func(r rune) bool { return r > '~' || strings.ContainsRune(" \n(){}[],;'\"=", r) }) {
			word = strings.Trim(word, ".:*~&#\\|")
			plain := regexp.MustCompile(`^[A-Za-z]{2,}$`).MatchString(word)
			if plain && !slices.Contains(names, word) {
				t.Errorf("%s: %q is left in English", format, word)
			}
		}
	}
}
