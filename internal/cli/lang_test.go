package cli

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/explain"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/report"
)

// TestFixedTexts names every text of a check, a state or a product that a language
// lacks, whose English has changed since it was translated, or that is no longer
// there. A text that stands on several lines in English does so in the translation.
func TestFixedTexts(t *testing.T) {
	set, err := fingerprint.Load(fingerprints.FS)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	put := func(id, english string) {
		if english != "" {
			texts[id] = english
		}
	}
	for _, c := range check.Documented() {
		d := c.Doc
		for part, text := range map[string]string{"title": d.Title, "when": d.When, "files": d.Files, "why": d.Why, "fix": d.Fix, "steps": d.Steps, "fix-any": d.FixAny} {
			put(d.ID+"."+part, text)
		}
		for which, text := range d.Fixes {
			put(d.ID+".fix-"+which, text)
		}
	}
	for _, d := range check.States() {
		put("state."+string(d.State), d.Text)
		put("state."+string(d.State)+".title", d.Title)
	}
	for _, p := range set.Products() {
		put("product."+p.ID, p.About)
		for state, a := range p.Advice {
			id := "product." + p.ID + "." + string(state)
			put(id, a.Steps)
			put(id+".means", a.Means)
			put(id+".fix", a.Fix)
		}
		for id, note := range p.Notes {
			put(id, note)
		}
	}
	for _, u := range set.Unseen() {
		put("unseen."+u.ID, u.Text)
	}
	for _, l := range message.Languages()[1:] {
		for id, english := range texts {
			if _, ok := l.FixedOf(id, english); !ok {
				t.Errorf("internal/message/%s.yaml lacks %s, or has that of another English text; the digest of this one is %s", l.Code, id, message.Digest(english))
			}
		}
		file, err := os.ReadFile("../message/" + l.Code + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(file)) {
			if id, ok := strings.CutPrefix(line, "- id: "); ok && texts[strings.TrimSpace(id)] == "" {
				t.Errorf("internal/message/%s.yaml: %s is the id of no text", l.Code, id)
			}
		}
	}
}

func TestLocaleLanguage(t *testing.T) {
	for _, tt := range []struct {
		env  map[string]string
		want string
	}{
		{nil, "en"},
		{map[string]string{"LANG": "zh_CN.UTF-8"}, "zh"},
		{map[string]string{"LANG": "zh_CN.utf8"}, "zh"},
		{map[string]string{"LANG": "zh_CN"}, "zh"},
		{map[string]string{"LANG": "zh_SG.UTF-8@pinyin"}, "zh"},
		{map[string]string{"LANG": "zh_CN.GB18030"}, "en"}, // the reports are UTF-8
		{map[string]string{"LANG": "zhx_CN.UTF-8"}, "en"},
		{map[string]string{"LANG": "C.UTF-8"}, "en"},
		{map[string]string{"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, "en"},
		{map[string]string{"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"}, "zh"},
		{map[string]string{"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"},
		{map[string]string{"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, "zh"},
		{map[string]string{"LC_ALL": "zh_CN.UTF-8", "LANG": "C"}, "zh"},
	} {
		if got := localeLanguage(func(name string) (string, bool) { s, ok := tt.env[name]; return s, ok }); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.env, got, tt.want)
		}
	}
}

// TestExplainInChinese: nothing that explain prints is left in English, for all it
// explains: no sentence, and no word that is neither a name nor a command's.
func TestExplainInChinese(t *testing.T) {
	known, err := data.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	texts, err := report.NewTexts("zh")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, c := range check.Documented() {
		ids = append(ids, c.Doc.ID)
	}
	for _, d := range check.States() {
		ids = append(ids, string(d.State))
	}
	for _, p := range known.Set.Products() {
		ids = append(ids, p.ID)
	}
	for _, u := range known.Set.Unseen() {
		ids = append(ids, u.ID)
	}
	english := regexp.MustCompile(`\b(the|is|are|of|not|and|be|with|for|its|that)\b`)
	halfWidth := regexp.MustCompile(`\p{Han}[,;:!?()]|[,;:!?()]\p{Han}`)
	for _, id := range ids {
		var b bytes.Buffer
		if err := explain.Write(&b, known.Set, known.Advisories, id, texts); err != nil {
			t.Fatal(err)
		}
		for i, line := range slices.Collect(strings.Lines(b.String())) {
			plain := strings.ReplaceAll(regexp.MustCompile(`"[^"]*"`).ReplaceAllString(line, ""), "everyone-is-local", "")
			if english.MatchString(plain) && i > 0 && !strings.Contains(line, "http") {
				t.Errorf("%s: English is left: %s", id, line)
			}
			if halfWidth.MatchString(plain) {
				t.Errorf("%s: half-width punctuation beside Chinese: %s", id, line)
			}
		}
	}
}
