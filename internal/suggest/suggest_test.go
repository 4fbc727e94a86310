package suggest

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestClosest(t *testing.T) {
	known := []string{"scan", "report", "diff", "explain", "fail-on", "fail-on-incomplete", "auth-missing", "auth-unverified"}
	for word, want := range map[string]string{
		"scna": "scan", "reprot": "report", "explian": "explain", "fail-no": "fail-on", "fail-on-incomplet": "fail-on-incomplete",
		"auth-mising": "auth-missing", "auth-missing": "", "x": "", "": "", "zebra": "", "sacn": "scan", strings.Repeat("a", 1000): "",
	} {
		if got := Closest(word, known); got != want {
			t.Errorf("Closest(%.20q) = %q, want %q", word, got, want)
		}
	}
	if got := DidYouMean("scna", known); got != `: did you mean "scan"?` {
		t.Errorf("DidYouMean = %q", got)
	}
}

// One letter that is wrong, missing or too many is one step, in either direction.
func TestDistance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.StringMatching(`[a-z-]{1,20}`).Draw(t, "a")
		at := rapid.IntRange(0, len(a)-1).Draw(t, "at")
		for _, b := range []string{a[:at] + "#" + a[at:], a[:at] + "#" + a[at+1:], a[:at] + a[at+1:]} {
			if d, back := distance(a, b), distance(b, a); d != 1 || back != 1 {
				t.Fatalf("distance(%q, %q) = %d, back %d", a, b, d, back)
			}
		}
		if distance(a, a) != 0 {
			t.Fatalf("distance(%q, itself) = %d", a, distance(a, a))
		}
	})
}
