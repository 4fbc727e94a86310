package inspect

import (
	"fmt"
	"strings"
	"testing"
)

func nginxText(list []*nginxDirective) string {
	var b strings.Builder
	for _, d := range list {
		fmt.Fprintf(&b, "%d:%d %s", d.pos.Line, d.pos.Column, d.name)
		for _, a := range d.args {
			fmt.Fprintf(&b, " %d:%d %q", a.pos.Line, a.pos.Column, a.text)
		}
		if d.block != nil {
			fmt.Fprintf(&b, " {%s}", nginxText(d.block))
		}
		b.WriteString("; ")
	}
	return strings.TrimSpace(b.String())
}

func TestParseNginx(t *testing.T) {
	for _, c := range []struct{ name, text, want, err string }{
		{"directive", "listen 80;", `1:1 listen 1:8 "80";`, ""},
		{"block", "a {\n b c;\n}", `1:1 a {2:2 b 2:4 "c";};`, ""},
		{"quotes", `a "b c" 'd"e';`, `1:1 a 1:3 "b c" 1:9 "d\"e";`, ""},
		{"variable in braces", "a ${b}c d{e;}", `1:1 a 1:3 "${b}c" 1:9 "d" {1:11 e;};`, ""},
		{"escapes", `a b\;c "d\"e" f\.g;`, `1:1 a 1:3 "b\\;c" 1:8 "d\"e" 1:15 "f\\.g";`, ""},
		{"comment", "# x;\na b#c; # d", `2:1 a 2:3 "b#c";`, ""},
		{"wide", "a \"\U0001f99e\" b;", `1:1 a 1:3 "🦞" 1:8 "b";`, ""},
		{"mark", "\ufeffa b;", `1:1 a 1:3 "b";`, ""},
		{"lua", "a_by_lua_block { if '}' then -- }\n {} }\nb c;", `1:1 a_by_lua_block; 3:1 b 3:3 "c";`, ""},
		{"open", "a {", `1:1 a;`, "line 1, column 4: the file ends within a directive or block"},
		{"closed", "}", ``, "line 1, column 1: a closing brace without a block"},
		{"quote", "a 'b", ``, "line 1, column 3: quotes without an end"},
		{"deep", strings.Repeat("a {", 100), "", "line 1, column 99: a block without a name, or blocks too deep"},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, err := parseNginx("f", []byte(c.text))
			if got := nginxText(list); c.name != "deep" && got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
			if fmt.Sprint(err) != c.err && (err != nil || c.err != "") {
				t.Errorf("error %v, want %s", err, c.err)
			}
		})
	}
}
