package advisory_test

import (
	"math"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/advisory"
	"github.com/clawsonar/clawsonar/internal/event"
)

const (
	v2  = "AV:N/AC:L/Au:N/C:C/I:C/A:C"
	v30 = "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H"
	v31 = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
	v40 = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"
)

func TestGrade(t *testing.T) {
	vector := func(texts ...string) []advisory.Score {
		var out []advisory.Score
		for _, s := range texts {
			out = append(out, advisory.Score{Source: "osv", Vector: s})
		}
		return out
	}
	for _, tt := range []struct {
		name   string
		word   event.Severity
		scores []advisory.Score
		score  float64
		want   event.Severity
	}{
		{"nothing", "", nil, 0, event.Ungraded},
		{"a word", "low", nil, 0, event.Low},
		{"a word goes before the vector", "medium", vector(v31), 9.8, event.Medium},
		{"a score", "", []advisory.Score{{Score: 7.3}}, 7.3, event.High},
		{"a score goes before its vector", "", []advisory.Score{{Score: 6.9, Vector: v31}}, 6.9, event.Medium},
		{"2.0", "", vector(v2), 10, event.Critical},
		{"3.0", "", vector(v30), 10, event.Critical},
		{"3.1", "", vector(v31), 9.8, event.Critical},
		{"3.1, medium", "", vector("CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:L/I:L/A:L"), 5.6, event.Medium},
		{"4.0", "", vector(v40), 9.3, event.Critical},
		{"4.0, low", "", vector("CVSS:4.0/AV:N/AC:H/AT:P/PR:L/UI:P/VC:L/VI:N/VA:N/SC:N/SI:N/SA:N"), 2.1, event.Low},
		{"3.1: the base score, regardless of known attacks", "", vector(v31 + "/E:U/RL:O/RC:U"), 9.8, event.Critical},
		{"4.0: the base score, regardless of known attacks", "", vector(v40 + "/E:U"), 9.3, event.Critical},
		{"4.0: the base score, regardless of the environment", "", vector(v40 + "/E:A/CR:L/MAV:P/MVC:N/MVI:N/MVA:N/S:N/AU:N"), 9.3, event.Critical},
		{"known to be none", "", vector("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N"), 0, event.Low},
		{"the first that is one", "", vector("CVSS:3.1/AV:N", v40, v2), 9.3, event.Critical},
		{"not a vector", "", vector("CVSS:3.1/AV:N", "", "high", "CVSS:5.0/AV:N", "CVSS:", strings.Repeat(v31, 10)), 0, event.Ungraded},
	} {
		a := &advisory.Advisory{Severity: tt.word, Scores: tt.scores}
		if got := a.Grade(); got != tt.want {
			t.Errorf("%s: Grade() = %q, want %q", tt.name, got, tt.want)
		}
		if score, _, _ := a.Score(); score != tt.score {
			t.Errorf("%s: Score() = %v, want %v", tt.name, score, tt.score)
		}
	}
}

// What the built-in data tell as score is what their vectors give.
func TestBuiltinScores(t *testing.T) {
	db, _ := builtin(t)
	computed := 0
	for _, a := range db.All() {
		if a.Grade() == event.Ungraded {
			t.Errorf("%s has neither a severity nor a score", a.ID)
		}
		for _, s := range a.Scores {
			if s.Score == 0 || s.Vector == "" {
				continue
			}
			computed++
			got, err := advisory.Score{Vector: s.Vector}.Base()
			// Another calculator may round the other way.
			if err != nil || math.Abs(got-s.Score) > 0.11 {
				t.Errorf("%s: %s gives %v, %v; told is %v", a.ID, s.Vector, got, err, s.Score)
			}
		}
	}
	if computed < 400 {
		t.Errorf("only %d vectors", computed)
	}
}

// What nobody grades comes before what is known to be less than critical.
func TestUngradedOrder(t *testing.T) {
	without := func(s, rest string) string {
		return strings.Replace(entry(s, `[{"fixed":"2026.3.1"}]`, rest), `"severity":"high",`, "", 1)
	}
	db := load(t, entry(id1, `[{"fixed":"2026.3.1"}]`, ""), without(id2, ""), without(id3, `,"scores":[{"source":"osv","vector":"`+v31+`"}]`))
	a := db.Assess(advisory.Subject{Query: advisory.Query{Versions: versions("2026.2.1")}})
	if got := strings.Join(ids(a.Reachable), " "); got != id3+" "+id2+" "+id1 {
		t.Errorf("order %s", got)
	}
}

// TestUpdateGrades: what a record says of its severity, and how it is graded.
func TestUpdateGrades(t *testing.T) {
	cvss := func(vectors ...string) string {
		var parts []string
		for _, v := range vectors {
			parts = append(parts, `{"type":"CVSS_V3","score":"`+v+`"}`)
		}
		return `,"severity":[` + strings.Join(parts, ",") + `]`
	}
	long := "CVSS:3.1/" + strings.Repeat("x", 5000)
	for _, tt := range []struct {
		name, word, rest string
		grade            string
		notes            []string
	}{
		{"a vector alone", "", cvss(v31), "critical", nil},
		{"a vector of 2.0", "", cvss(v2), "critical", nil},
		{"nothing", "", "", "unknown", nil},
		{"a word", "MODERATE", cvss(v31), "medium", nil},
		{"a word that is none", "Grave", "", "unknown", []string{newID + `: severity "grave" passed over`}},
		{"a word that is none, and a vector", "Grave", cvss(v31), "critical", []string{newID + `: severity "grave" passed over`}},
		{"not a vector", "", cvss("CVSS:3.1/AV:L"), "unknown", []string{newID + `: severity passed over: vector "CVSS:3.1/AV:L": base metric AC is not defined`}},
		{"one of two", "", cvss("CVSS:9.9/AV:L", v40), "critical", []string{newID + `: severity passed over: vector "CVSS:9.9/AV:L": not of CVSS 2.0, 3.0, 3.1 or 4.0`}},
		{"a long one", "", cvss(long), "unknown", []string{newID + `: severity passed over: vector "` + long[:100] + `…": longer than 300 bytes`}},
		{"control characters", "", cvss(`CVSS:3.1/\u001b[31m`), "unknown", []string{newID + `: severity passed over: vector "CVSS:3.1/\x1b[31m": not printable ASCII`}},
		{"of another kind", "", `,"severity":[{"type":"Ubuntu","score":"high"}]`, "unknown", []string{newID + `: severity of type "Ubuntu" passed over`}},
		{"said of the package", "", `@` + cvss(v31), "critical", nil},
		{"the same of each package", "", `@` + cvss(strings.Split(strings.Repeat(v31+" ", 300), " ")[:300]...), "critical", nil},
	} {
		rest, inPackage := strings.CutPrefix(tt.rest, "@")
		text := record(newID, fixedEvents, "")
		if inPackage {
			text = strings.Replace(text, `"ranges":`, strings.TrimPrefix(rest, ",")+`,"ranges":`, 1)
		} else {
			text = record(newID, fixedEvents, rest)
		}
		text = strings.Replace(text, `"MODERATE"`, `"`+tt.word+`"`, 1)
		// If one record is wrong, the others are taken in.
		db := known(t)
		c := add(t, "["+text+","+record("GHSA-ffff-ffff-ffff", fixedEvents, "")+"]").Apply(db)
		want := "+ " + newID + " " + tt.grade + ", openclaw fixed in 2026.9.7: A hole"
		if len(c.Lines) != 2 || c.Lines[0] != want {
			t.Errorf("%s: %q, want %q", tt.name, c.Lines, want)
		}
		if strings.Join(c.Notes, "\n") != strings.Join(tt.notes, "\n") {
			t.Errorf("%s: notes %q, want %q", tt.name, c.Notes, tt.notes)
		}
		data, err := advisory.Encode(db.AsOf(), db.Newest(), c.All)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		written, err := advisory.Load("f", data)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if got := string(written.Find(newID).Grade()); got != tt.grade {
			t.Errorf("%s: written and read again it is %s, want %s", tt.name, got, tt.grade)
		}
	}
}

// A vector is taken in where no score is known.
func TestUpdateTakesVectors(t *testing.T) {
	in := strings.Replace(record(id2, `{"introduced":"0"},{"fixed":"2026.3.1"}`, `,"severity":[{"type":"CVSS_V3","score":"`+v31+`"},{"type":"CVSS_V4","score":"`+v40+`"}]`), "MODERATE", "HIGH", 1)
	c := add(t, in).Apply(known(t))
	if want := "~ " + id2 + " vector none → " + v31 + "; vector none → " + v40; len(c.Lines) != 1 || c.Lines[0] != want {
		t.Errorf("%q, want %q", c.Lines, want)
	}
}

func FuzzVector(f *testing.F) {
	for _, s := range []string{"", v2, v30, v31, v40, v40 + "/E:U/MAV:P", "CVSS:4.0/", "CVSS:3.1", v31 + "/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := advisory.Score{Vector: s}.Base()
		if err == nil && !(n >= 0 && n <= 10) || err != nil && len(err.Error()) > 1000 {
			t.Errorf("%v, %v", n, err)
		}
	})
}
