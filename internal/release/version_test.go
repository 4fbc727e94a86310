package release

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"2026.1.24", "2026.1.24"},
		{"v2026.1.24-3", "2026.1.24-3"},
		{"2026.7.1-beta.6", "2026.7.1-beta.6"},
		{"2026.1.5.beta.1", "2026.1.5-beta.1"},
		{"2026.1.5-alpha.12", "2026.1.5-alpha.12"},
		{"2026.1.5-rc.1", "2026.1.5-rc.1"},
		{"2026.12.65535-65535", "2026.12.65535-65535"},
		{"1999.10.31", "1999.10.31"},
	} {
		v, err := Parse(tt.in)
		if err != nil || v.String() != tt.want {
			t.Errorf("Parse(%q) = %q, %v, want %q", tt.in, v, err, tt.want)
		}
	}
}

func TestParseRejects(t *testing.T) {
	for _, in := range []string{
		"", "v", "2026", "2026.1", "2026.1.", ".1.2", "2026..2", "2026.1.2.3", "2026.1.2.",
		"2026.01.2", "2026.1.02", "2026.1.2-03", "2026.1.2-beta.01", "0026.1.2",
		"2026.0.2", "2026.1.0", "2026.13.1", "2026.1.2-0", "2026.1.2-beta.0",
		"226.1.2", "20260.1.2", "2026.1.65536", "2026.1.2-65536", "2026.1.99999999999999999999",
		"2026.257.1", "2026.268.1", "2026.65537.1",
		"2026.1.2-", "2026.1.2-beta", "2026.1.2-beta.", "2026.1.2-beta1", "2026.1.2-gamma.1",
		"2026.1.2.beta", "2026.1.2.alpha.1", "2026.1.2.3-beta.1", "2026.1.2-3-beta.1", "2026.1.2-beta.1-2",
		"2026.1.2-Beta.1", "2026.1.2+build", " 2026.1.2", "2026.1.2 ", "2026.1.2\n", "+2026.1.2",
		"2026.+1.2", "2026.1.-2", "2026.1.2--1", "2026.1.2-+1", "vv2026.1.2", "V2026.1.2", "v.1.2",
		"2026.1.2-1_0", "2026.1.0x2", "٢٠٢٦.1.2", "latest", "0.0.1", "1.2.3", "2026.1.2\x00",
		strings.Repeat("2", 1<<20),
	} {
		if v, err := Parse(in); err == nil {
			t.Errorf("Parse(%.40q) = %q, want an error", in, v)
		} else if v != (Version{}) || len(err.Error()) > 300 {
			t.Errorf("Parse(%.40q) = %q, %v: want the zero value and a short error", in, v, err)
		}
	}
}

// TestOrder lists versions in the vendor's order; every pair must agree.
func TestOrder(t *testing.T) {
	ordered := []string{
		"", // unknown
		"2026.1.24", "2026.1.24-3", "2026.1.29-beta.1", "2026.1.29",
		"2026.2.2", "2026.2.2-3", "2026.2.3", "2026.2.19", "2026.2.19-2", "2026.2.19-10",
		"2026.5.3-alpha.2", "2026.5.3-alpha.10", "2026.5.3-beta.1", "2026.5.3-rc.1", "2026.5.3", "2026.5.3-1",
		"2026.6.11-beta.2", "2026.6.11", "2026.6.33", "2026.6.35",
		"2026.7.1-beta.6", "2026.7.1", "2026.7.1-1", "2026.7.1-2", "2026.7.2-beta.1", "2026.7.2", "2026.7.33",
		"2026.9.6", "2026.10.1", "2026.12.31", "2027.1.1",
	}
	for i, a := range ordered {
		for j, b := range ordered {
			v, w := read(t, a), read(t, b)
			if got := v.Compare(w); sign(got) != sign(i-j) {
				t.Errorf("%q.Compare(%q) = %d, want the sign of %d", a, b, got, i-j)
			}
			if (v == w) != (i == j) {
				t.Errorf("%q == %q is %v", a, b, v == w)
			}
		}
	}
}

func TestProperties(t *testing.T) {
	for _, tt := range []struct {
		in                   string
		extended, prerelease bool
	}{
		{"2026.1.31", false, false},
		{"2026.6.32", false, false},
		{"2026.6.33", true, false},
		{"2026.6.33-beta.1", true, true},
		{"2026.7.35-1", true, false},
		{"2026.7.1-alpha.1", false, true},
		{"2026.7.1-rc.1", false, true},
		{"2026.7.1-2", false, false},
		{"", false, false},
	} {
		v := read(t, tt.in)
		if v.Extended() != tt.extended || v.Prerelease() != tt.prerelease || v.IsZero() != (tt.in == "") {
			t.Errorf("%q: Extended %v, Prerelease %v, IsZero %v", tt.in, v.Extended(), v.Prerelease(), v.IsZero())
		}
	}
}

func TestVersionText(t *testing.T) {
	var got struct{ A, B, C Version }
	in := `{"A":"2026.7.1-2","B":"","C":"v2026.1.5.beta.3"}`
	if err := json.Unmarshal([]byte(in), &got); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(got)
	if want := `{"A":"2026.7.1-2","B":"","C":"2026.1.5-beta.3"}`; err != nil || string(out) != want {
		t.Errorf("got %s, %v, want %s", out, err, want)
	}
	got.A = read(t, "2026.1.1")
	if err := got.A.UnmarshalText([]byte("latest")); err == nil || got.A != read(t, "2026.1.1") {
		t.Errorf("UnmarshalText(latest) = %q, %v: want an error and the value untouched", got.A, err)
	}
}

// drawVersion draws a valid version from its text, so that versions come from the
// parser alone.
func drawVersion(t *rapid.T, label string) Version {
	text := rapid.StringMatching(`(202[67])\.(1|2|12)\.([1-3]|33)(|-[1-3]|-alpha\.[12]|-beta\.[12]|\.beta\.[12]|-rc\.1)`).Draw(t, label)
	v, err := Parse(text)
	if err != nil {
		t.Fatalf("Parse(%q): %v", text, err)
	}
	return v
}

func TestOrderIsTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawVersion(t, "a"), drawVersion(t, "b"), drawVersion(t, "c")
		if sign(a.Compare(b)) != -sign(b.Compare(a)) {
			t.Errorf("%v and %v: not antisymmetric", a, b)
		}
		if (a.Compare(b) == 0) != (a == b) {
			t.Errorf("%v and %v: Compare and == disagree", a, b)
		}
		if a.Compare(b) <= 0 && b.Compare(c) <= 0 && a.Compare(c) > 0 {
			t.Errorf("%v, %v, %v: not transitive", a, b, c)
		}
		if (Version{}).Compare(a) >= 0 {
			t.Errorf("%v is not later than unknown", a)
		}
	})
}

func TestParsePrintIdentity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawVersion(t, "v")
		if w, err := Parse(v.String()); err != nil || w != v {
			t.Errorf("Parse(%q) = %q, %v", v, w, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"2026.7.1-beta.6", "v2026.2.2-3", "2026.1.5.beta.1", "2026.13.1", "2026.1.2-", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := Parse(s)
		if err != nil {
			if v != (Version{}) || len(err.Error()) > 300 {
				t.Fatalf("Parse(%q) = %q, %v", s, v, err)
			}
			return
		}
		if v.IsZero() || v.Compare(v) != 0 {
			t.Fatalf("Parse(%q) = %q", s, v)
		}
		if w, err := Parse(v.String()); err != nil || w != v {
			t.Fatalf("Parse(%q) = %q, which reads back as %q, %v", s, v, w, err)
		}
		canonical := strings.Replace(strings.TrimPrefix(s, "v"), ".beta.", "-beta.", 1)
		if v.String() != canonical {
			t.Fatalf("Parse(%q) prints as %q", s, v)
		}
	})
}

func TestParseBuild(t *testing.T) {
	at := time.Date(2026, 9, 23, 16, 33, 12, 144e6, time.UTC)
	for _, tt := range []struct {
		in, version, commit string
		time                time.Time
	}{
		{"2026.5.28-e93216080aa1", "2026.5.28", "e93216080aa1", time.Time{}},
		{"2026.7.1-2-0790d9f593ad", "2026.7.1-2", "0790d9f593ad", time.Time{}},
		{"2026.6.1-beta.3-0123456789ab", "2026.6.1-beta.3", "0123456789ab", time.Time{}},
		{"2026.9.6-eb377ac59e6c-2026-09-23T16-33-12.144Z", "2026.9.6", "eb377ac59e6c", at},
		{"2026.9.6-release-eb377ac59e6c-2026-09-23T16-33-12.144Z", "2026.9.6", "eb377ac59e6c", at},
		{"2026.9.6-release-eb377ac59e6c-2026-09-23T16-33-12.144Z-" + strings.Repeat("0f", 32), "2026.9.6", "eb377ac59e6c", at},
		{"2026.9.1-beta.1-release-eb377ac59e6c-2026-09-23T16-33-12.144Z", "2026.9.1-beta.1", "eb377ac59e6c", at},
		{"2026.5.28-e93216080aa1-whatever", "2026.5.28", "e93216080aa1", time.Time{}},
		{"2026.5.28-e93216080aa1-9999-99-99T99-99-99.999Z", "2026.5.28", "e93216080aa1", time.Time{}},
		// A commit may look like a number.
		{"2026.7.1-2-012345678901", "2026.7.1-2", "012345678901", time.Time{}},
	} {
		got, err := ParseBuild(tt.in)
		if err != nil || got.Version.String() != tt.version || got.Commit != tt.commit || !got.Time.Equal(tt.time) {
			t.Errorf("ParseBuild(%q) = %+v, %v", tt.in, got, err)
		}
	}
	for _, in := range []string{
		"", "-", "2026.5.28", "2026.5.28-", "2026.5.28-release", "2026.5.28-e93216080aa", "2026.5.28-E93216080AA1",
		"2026.5.28-e93216080aa1f", "e93216080aa1", "-e93216080aa1", "release-e93216080aa1", "dev-e93216080aa1",
		"2026.5.28-dev-e93216080aa1", "__OPENCLAW_CONTROL_UI_BUILD_ID__", strings.Repeat("-e93216080aa1", 1<<16),
	} {
		if got, err := ParseBuild(in); err == nil || got != (Build{}) {
			t.Errorf("ParseBuild(%.60q) = %+v, %v, want an error", in, got, err)
		}
	}
}

// read parses a version; empty is the unknown one.
func read(t *testing.T, s string) Version {
	t.Helper()
	var v Version
	if err := v.UnmarshalText([]byte(s)); err != nil {
		t.Fatal(err)
	}
	return v
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}
