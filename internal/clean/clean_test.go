package clean

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "OpenClaw Control", "OpenClaw Control"},
		{"empty", "", ""},
		{"other scripts", "caf\u00e9 \u4f60\u597d \u0434\u0430 \U0001f600", "caf\u00e9 \u4f60\u597d \u0434\u0430 \U0001f600"},
		{"ipv6 stays", "http://[fd00::1]:18789/", "http://[fd00::1]:18789/"},
		{"lines", "a\r\nb\n\nc\u0085d\u2028e\u2029f\vg\fh", "a b c d e f g h"},
		{"spaces", "\t a \u00a0\u3000 b \u2003", "a b"},
		{"controls", "a\x00b\x07c\x08d\x7fe", "abcde"},
		{"c1", "a\u0080b\u0099c", "abc"},
		{"sgr", "\x1b[1;31mred\x1b[0m", "red"},
		{"cursor", "a\x1b[2J\x1b[10;10Hb\x1b[?25lc", "abc"},
		{"csi with intermediates", "a\x1b[4 qb", "ab"},
		{"c1 csi", "a\u009b31mb", "ab"},
		{"title", "a\x1b]0;owned\x07b", "ab"},
		{"link", "\x1b]8;;http://x/\x1b\\text\x1b]8;;\x1b\\", "text"},
		{"c1 osc", "a\u009d0;owned\u009cb", "ab"},
		{"dcs", "a\x1bPq#0;2;0\x1b\\b", "ab"},
		{"open csi keeps text", "a\x1b[12", "a12"},
		{"open osc keeps text", "a\x1b]0;text", "a0;text"},
		{"osc does not swallow lines", "a\x1b]0;b\nc\x07d", "a0;b cd"},
		{"charset", "a\x1b(0b\x1b)Bc", "abc"},
		{"reset", "a\x1bcb", "ab"},
		{"escape at the end", "a\x1b", "a"},
		{"doubled escape", "a\x1b\x1b[31mb", "ab"},
		{"bidi", "a\u202ab\u202bc\u202dd\u202ee\u202cf\u2066g\u2067h\u2068i\u2069j\u200ek\u200fl\u061cm", "abcdefghijklm"},
		{"zero width", "a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg\u180eh", "abcdefgh"},
		{"private use", "a\ue000b\U000f0000c\U0010fffdd", "abcd"},
		{"tags", "a\U000e0001\U000e0041\U000e007fb", "ab"},
		{"variation selectors", "a\ufe0fb\U000e0100c", "abc"},
		{"fillers", "a\u3164b\u115fc\uffa0d\u034fe", "abcde"},
		{"not characters", "a\ufffeb\U0001ffffc", "abc"},
		{"invalid", "a\xffb\xc3(\x9b", "a\ufffdb\ufffd(\ufffd"},
		{"surrogate", "a\xed\xa0\x80b", "a\ufffd\ufffd\ufffdb"},
		{"overlong escape", "a\xc0\x9b[31m", "a\ufffd\ufffd[31m"},
		{"marks", "e" + strings.Repeat("\u0301", 20) + "f", "e" + strings.Repeat("\u0301", 4) + "f"},
		{"marks around hidden", "e" + strings.Repeat("\u0301\u200b", 20), "e" + strings.Repeat("\u0301", 4)},
		{"mark first", "\u0301a \u0301b", "a b"},
		{"build log commands", "##vso[x] ####[y] #\u200b#", "# #vso[x] # # # #[y] # #"},
	} {
		if got := Text(tt.in); got != tt.want {
			t.Errorf("%s: Text(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

func TestCleanN(t *testing.T) {
	for _, tt := range []struct {
		in    string
		limit int
		want  string
	}{
		{"abcdef", 6, "abcdef"},
		{"abcdefg", 6, "abc..."},
		{"ab cdefg", 6, "ab..."},
		{"\u4f60\u597d\u4f60\u597d\u4f60", 4, "\u4f60..."},
		{"abcdef  ", 6, "abcdef"},
		{"abcdef \x1b[0m\u200b", 6, "abcdef"},
		{"abcdef g", 6, "abc..."},
		{"abcd", 3, "..."},
		{"abcd", 2, ".."},
		{"a", 1, "a"},
		{"a", 0, ""},
		{"a", -1, ""},
		{"a##b", 3, "..."},
	} {
		if got := N(tt.in, tt.limit); got != tt.want {
			t.Errorf("N(%q, %d) = %q, want %q", tt.in, tt.limit, got, tt.want)
		}
	}
	if n := utf8.RuneCountInString(Text(strings.Repeat("x", 1<<20))); n != Limit {
		t.Errorf("Clean lets %d runes through, want %d", n, Limit)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("::error file=a::x\n##[add-mask]y \x1b[2J\x1b]0;owned\x07\u009b31m\u202e\u2066\ufeff\xff\xed\xa0\x80\ue000\U000e0041"+strings.Repeat("\u0301", 50), 80)
	f.Add("\x1b]0;a\x1b\\b##c::d", 5)
	f.Add("e\u0301\u0301 \u0301", 2)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit %= 1000
		got := N(s, limit)
		if !utf8.ValidString(got) {
			t.Errorf("not valid UTF-8: %q", got)
		}
		if n := utf8.RuneCountInString(got); n > max(limit, 0) {
			t.Errorf("%d runes, limit %d: %q", n, limit, got)
		}
		if strings.Contains(got, "##") || strings.Contains(got, "  ") || got != strings.TrimSpace(got) {
			t.Errorf("not clean: %q", got)
		}
		for _, r := range got {
			if r < ' ' || r >= 0x7f && r <= 0x9f ||
				unicode.In(r, unicode.C, unicode.Zl, unicode.Zp, unicode.Bidi_Control, unicode.Variation_Selector) {
				t.Errorf("%U in %q", r, got)
			}
		}
		if again := N(got, limit); again != got {
			t.Errorf("cleaned again it changes: %q, %q", got, again)
		}
	})
}

// BenchmarkClean guards against text made to be slow to clean.
func BenchmarkClean(b *testing.B) {
	for name, unit := range map[string]string{"text": "OpenClaw Control ", "c1 osc": "\u009dx", "open csi": "\x1b[0;0;0;0", "hidden": "\u200b"} {
		s := strings.Repeat(unit, 1<<20/len(unit))
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			for b.Loop() {
				Text(s)
			}
		})
	}
}
