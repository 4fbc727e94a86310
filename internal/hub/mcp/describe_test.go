package mcp

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

// fill sets every text below a value to the name of its place, between § and §.
func fill(v reflect.Value, place string) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), place)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			name := place
			if f := v.Type().Field(i); !f.Anonymous {
				name = strings.TrimPrefix(place+"."+f.Name, ".")
			}
			fill(v.Field(i), name)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), place)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, place)
		fill(value, place)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString("§" + place + "§")
	}
}

// TestOnlySaid: these fields of a line are passed on, and no other outside said_by_target:
// none of them has a text that a target chose. Ids, words and the texts of findings are of
// fingerprints and checks, summaries of our advisories; a release is numbers and words of
// releases; names, addresses and paths are the client's.
func TestOnlySaid(t *testing.T) {
	ours := []string{
		"Advisories.CVE", "Advisories.Fixed", "Advisories.ID", "Advisories.Reach", "Advisories.Severity", "Advisories.Status", "Advisories.Summary",
		"Auth.Mode", "Auth.State", "Findings.ID", "Findings.Severity", "Findings.Title", "Front.Kind", "Outcome",
		"Product.Confidence", "Product.ID", "Product.Name", "Target.IP", "Target.Name", "Version.Exact",
	}
	theirs := []string{"Evidence.Facts", "TLS.Issuer", "TLS.Names", "TLS.Subject"}
	var line event.Target
	fill(reflect.ValueOf(&line).Elem(), "")
	line.Target.Kind, line.Advisories[0].Suppressed = "", ""
	line.Evidence[0].Facts = map[string]string{"title": "§Evidence.Facts§"}
	found := func(r result) (out []string) {
		raw, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`§([^§]+)§`).FindAllStringSubmatch(string(raw)+r.text(), -1) {
			if !slices.Contains(out, m[1]) {
				out = append(out, m[1])
			}
		}
		slices.Sort(out)
		return out
	}
	r := describe(&line)
	said := r.SaidByTarget
	r.SaidByTarget = ""
	if got := found(r); !slices.Equal(got, ours) {
		t.Errorf("passed on:\n%q\nwant\n%q", got, ours)
	}
	if got := found(result{SaidByTarget: said}); !slices.Equal(got, theirs) {
		t.Errorf("said by the target:\n%q\nwant\n%q", got, theirs)
	}
}

// TestSentences: a sentence that quotes a target is left out, one with numbers is not.
func TestSentences(t *testing.T) {
	for name, tt := range map[string]struct {
		said  []message.Text
		want  string
		whole bool
	}{
		"nothing is known": {},
		"ours":             {[]message.Text{message.Say("auth-missing.let-in")}, "A request without any credential was accepted.", true},
		"a certificate": {[]message.Text{message.Say("tls-self-signed.own-key", message.Of("subject", "CN=x")), message.Say("shown-by", message.Of("signals", "a"))},
			"Shown by a.", false},
		"somebody else's words": {[]message.Text{message.Said("x")}, "", false},
	} {
		var f event.Finding
		f.Say(tt.said...)
		if text, whole := sentences(f.Said().Detail); text != tt.want || whole != tt.whole {
			t.Errorf("%s: %q, %t", name, text, whole)
		}
	}
}

// TestText: the short text says what is only possible as that, and counts all that is not
// judged, also what it does not name.
func TestText(t *testing.T) {
	r := result{Place: "p", Advisories: []vulnerability{
		{ID: "GHSA-1", Status: string(event.StatusPossible), Reach: string(event.Reachable), Summary: "s"},
		{ID: "GHSA-2", Status: string(event.StatusAffected), Reach: string(event.Elsewhere)},
	}}
	if got := r.text(); !strings.Contains(got, "possible GHSA-1, needs no credential: s") || strings.Contains(got, "GHSA-2") {
		t.Errorf("%s", got)
	}
	out := scanned{Judged: 1}
	for i := range maxNotJudged + 7 {
		out.notJudged(fmt.Sprint("place ", i), string(event.OutcomeClosed))
	}
	if got := out.text(); !strings.Contains(got, fmt.Sprintf("Not judged: %d.", maxNotJudged+7)) || !strings.Contains(got, "7 more are not judged") || len(out.NotJudged) != maxNotJudged {
		t.Errorf("%s", got)
	}
}
