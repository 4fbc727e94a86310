package json5

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
)

// show writes a value as one line, with keys in the order of the document.
func show(n *Node) string {
	switch n.Kind {
	case Bool:
		return fmt.Sprint(n.Bool)
	case Number:
		if n.Number == 0 && math.Signbit(n.Number) {
			return "-0"
		}
		return fmt.Sprint(n.Number)
	case String:
		return fmt.Sprintf("%+q", n.Text)
	case Array:
		var parts []string
		for _, i := range n.Items {
			parts = append(parts, show(i))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case Object:
		var parts []string
		for _, m := range n.Members {
			parts = append(parts, fmt.Sprintf("%+q:%s", m.Key, show(m.Value)))
		}
		return "{" + strings.Join(parts, " ") + "}"
	}
	return "null"
}

func TestParse(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty object", `{}`, `{}`},
		{"trailing commas", `{a:[1,2,],}`, `{"a":[1 2]}`},
		{"keys", `{$_:1,_$:2,a\u200C:3,ümlåt:4,'b c':5,"d":6}`, `{"$_":1 "_$":2 "a\u200c":3 "\u00fcml\u00e5t":4 "b c":5 "d":6}`},
		{"escape that is not four digits", `{\u0061\u0062:1,a\u{:2}`, "1:20"},
		{"keys by escape", `{\u0061\u0062:1,\u0024\u005F:2}`, `{"ab":1 "$_":2}`},
		{"same keys", `{a:1,b:2,a:3}`, `{"a":1 "b":2 "a":3}`},
		{"proto", `{"__proto__":1}`, `{"__proto__":1}`},
		{"comments", "/* a **/ [ // b\n1,/*,*/2] // c", `[1 2]`},
		{"byte order mark", "\uFEFF{\"a\":1}", `{"a":1}`},
		{"white space", "\t\v\f \u00A0\uFEFF\n\r\u2028\u2029\u1680\u2003\u202F\u205F\u3000[]", `[]`},
		{"numbers", `[0,-0,+1,.5,5.,-.5e1,1e3,1E-3,5.e2,0.0]`, `[0 -0 1 0.5 5 -5 1000 0.001 500 0]`},
		{"hexadecimal", `[0x1F,-0Xff,0xFFFFFFFFFFFFFFFFFF]`, `[31 -255 4.722366482869645e+21]`},
		{"no numbers", `[Infinity,-Infinity,+Infinity,NaN,-NaN,1e999]`, `[+Inf -Inf +Inf NaN NaN +Inf]`},
		{"strings", `['a"b',"a'b",'\'\"\b\f\n\r\t\v\0\x41\u0042\q']`, `["a\"b" "a'b" "'\"\b\f\n\r\t\v\x00ABq"]`},
		{"continued", "'a\\\nb\\\r\nc\\\rd\\\u2028e\\\u2029f'", `"abcdef"`},
		{"separators in a string", "'\u2028\u2029'", `"\u2028\u2029"`},
		{"pairs", `'\ud83d\ude00 \ud83d\` + "\n" + `\ude00 \ud83d \ude00 \ud83d\ud83d\ude00'`, `"\U0001f600 \U0001f600 \ufffd \ufffd \ufffd\U0001f600"`},
		{"half at the end", `'\ud83d'`, `"\ufffd"`},
		{"not UTF-8", "'\xff \xe2\x82 \xf0\x9f\x98x \xed\xa0\x80 \xc3'", `"\ufffd \ufffd \ufffdx \ufffd\ufffd\ufffd \ufffd"`},
		{"top level", ` null `, `null`},

		{"nothing", ``, `1:1 end`},
		{"comment alone", `// a`, `1:5 end`},
		{"open comment", "\n/* *", `2:5 end`},
		{"slash", `{/}`, `1:3`},
		{"open object", `{a:1`, `1:5 end`},
		{"open string", "'a\n'", `1:3`},
		{"two commas", `[1,,2]`, `1:4`},
		{"comma alone", `{,}`, `1:2`},
		{"leading zero", `01`, `1:2`},
		{"point alone", `.`, `1:2 end`},
		{"exponent alone", `1e+`, `1:4 end`},
		{"hexadecimal without digits", `0xg`, `1:3`},
		{"sign apart", `- 1`, `1:2`},
		{"octal escape", `'\01'`, `1:4`},
		{"decimal escape", `'\1'`, `1:3`},
		{"short escape", `'\u00G0'`, `1:6`},
		{"escape that is no identifier", `{a\u0020:1}`, `1:3`},
		{"digit before", `{1a:1}`, `1:2`},
		{"no colon", `{a 1}`, `1:4`},
		{"more behind", "{}\n\U0001F600", `2:1`},
		{"behind a wide character", "'\U0001F600' x", `1:6`},
		{"letters that Unicode got later", "{\u0560:1}", `1:2`},
		{"almost a word", `[nul]`, `1:5`},
		{"object behind", `{} {}`, `1:4`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, err := Parse("f", []byte(tt.text))
			got := ""
			var e *Error
			switch {
			case errors.As(err, &e):
				got = fmt.Sprintf("%d:%d", e.Pos.Line, e.Pos.Column)
				if e.Why == EndOfText {
					got += " end"
				}
				if n != nil {
					t.Error("a node and an error")
				}
			case err != nil:
				t.Fatalf("%T", err)
			default:
				got = show(n)
			}
			if got != tt.want {
				t.Errorf("%q\n got %s\nwant %s", tt.text, got, tt.want)
			}
		})
	}
}

func TestPositions(t *testing.T) {
	n, err := Parse("dir/openclaw.json", []byte("\uFEFF{ // x\n  gateway: {\r\n\t\"port\": 0x4A, bind: '\U0001F600', auth: [-1,\n true]}\n}"))
	if err != nil {
		t.Fatal(err)
	}
	at := func(p event.Pos) string { return fmt.Sprintf("%s %d:%d", p.File, p.Line, p.Column) }
	g := n.Get("gateway")
	auth := g.Get("auth")
	for _, tt := range []struct {
		what string
		got  event.Pos
		want string
	}{
		{"root", n.Pos, "1:1"},
		{"end of root", n.End, "5:2"},
		{"key", n.Members[0].Pos, "2:3"},
		{"object", g.Pos, "2:12"},
		{"quoted key", g.Members[0].Pos, "3:2"},
		{"number", g.Get("port").Pos, "3:10"},
		{"end of number", g.Get("port").End, "3:14"},
		{"string", g.Get("bind").Pos, "3:22"},
		{"end of string", g.Get("bind").End, "3:26"},
		{"behind a wide character", g.Members[2].Pos, "3:28"},
		{"sign", auth.Items[0].Pos, "3:35"},
		{"literal", auth.Items[1].Pos, "4:2"},
		{"end of array", auth.End, "4:7"},
	} {
		if got := at(tt.got); got != "dir/openclaw.json "+tt.want {
			t.Errorf("%s: %s, want %s", tt.what, got, tt.want)
		}
	}
}

func TestGet(t *testing.T) {
	n, err := Parse("f", []byte(`{a:{b:1},a:{b:2},c:[]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := n.Get("a", "b"); got == nil || got.Number != 2 {
		t.Errorf("a.b: %v, want the last", got)
	}
	for _, keys := range [][]string{{"x"}, {"a", "x", "y"}, {"c", "0"}} {
		if n.Get(keys...) != nil {
			t.Errorf("%v: not nil", keys)
		}
	}
}

func TestBounds(t *testing.T) {
	nested := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	listed := func(n int) []byte { return []byte("[" + strings.Repeat("0,", n-1) + "]") }
	for _, tt := range []struct {
		name string
		text []byte
		want Why
		ok   bool
	}{
		{"levels", nested(MaxDepth), 0, true},
		{"one level more", nested(MaxDepth + 1), TooDeep, false},
		{"values", listed(MaxValues), 0, true},
		{"one value more", listed(MaxValues + 1), TooMany, false},
	} {
		_, err := Parse("f", tt.text)
		var e *Error
		if errors.As(err, &e) == tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		} else if !tt.ok && (e.Why != tt.want || !e.Limit()) {
			t.Errorf("%s: %v", tt.name, e)
		}
	}
}

func TestErrorHoldsNothingOfTheText(t *testing.T) {
	_, err := Parse("f", []byte(`{token: secret}`))
	if got, want := err.Error(), "f:1:9: unexpected character"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{a:[1,-0x1F,.5e-3,Infinity,NaN,],'b':"\u0041\x41\` + "\n" + `",\u0061:null,/*x*/} // y`,
		"\uFEFF[\xff'\\ud83d\\ude00\u2028']", `[[[[{}]]]]`, `{"__proto__":{"a":true}}`, "'\U0001F600", "\xf0\x9f",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := Parse("f", data)
		lines := strings.Split(Decode(data), "\n")
		within := func(p event.Pos) {
			if p.File != "f" || p.Line < 1 || p.Line > len(lines) || p.Column < 1 || p.Column > len(lines[p.Line-1])+1 {
				t.Fatalf("%+v is not in the text", p)
			}
		}
		if err != nil {
			within(err.(*Error).Pos)
			return
		}
		values := 0
		var walk func(*Node, int)
		walk = func(n *Node, depth int) {
			if values++; values > MaxValues || depth > MaxDepth+1 {
				t.Fatal("beyond the bounds")
			}
			within(n.Pos)
			within(n.End)
			if n.End.Line < n.Pos.Line || n.End.Line == n.Pos.Line && n.End.Column <= n.Pos.Column {
				t.Fatalf("%+v ends at %+v", n.Pos, n.End)
			}
			for _, i := range n.Items {
				walk(i, depth+1)
			}
			for _, m := range n.Members {
				within(m.Pos)
				walk(m.Value, depth+1)
			}
		}
		walk(n, 1)
	})
}
