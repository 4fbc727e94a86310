package openclaw

import (
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/deploy"
)

func TestSubstitute(t *testing.T) {
	set := vars("X", "one", "Y_2", "two", "EMPTY", "", "my", "no", "OPEN", "?", "SECRET", "!", "GUESS?", "three", "NONE?", "")
	tests := []struct{ text, release, want, missing, said string }{
		{text: "${X}", want: "one"},
		{text: "a${X}-${Y_2}b", want: "aone-twob"},
		{text: "$${X}", want: "${X}"},
		{text: "$${X}-is-literal", want: "${X}-is-literal"},
		{text: "$$${X}", want: "$${X}"},
		{text: "$$$${X}", want: "$$${X}"},
		{text: "$X ${x} ${my} ${X:-fallback} ${X", want: "$X ${x} ${my} ${X:-fallback} ${X"},
		{text: "${1X} ${} $ {X} ${X }", want: "${1X} ${} $ {X} ${X }"},
		{text: "${NOT}", want: "${NOT}", missing: "NOT", said: "config.variable-missing NOT"},
		{text: "${NOT}", release: "2026.2.26", want: "${NOT}", missing: "NOT", said: "config.variable-missing NOT !"},
		{text: "${NOT}", release: "2026.1.24-3", want: "${NOT}", missing: "NOT", said: "config.variable-missing NOT !"},
		{text: "${NOT}", release: "2026.3.13", want: "${NOT}", missing: "NOT", said: "config.variable-missing NOT"},
		{text: "${NOT}", release: "2026.9.6", want: "${NOT}", missing: "NOT", said: "config.variable-missing NOT"},
		{text: "${EMPTY}", release: "2026.2.26", want: "${EMPTY}", missing: "EMPTY", said: "config.variable-missing EMPTY !"},
		{text: "${OPEN} ${X}", release: "2026.2.26", want: "${OPEN} one", missing: "OPEN"},
		{text: "${SECRET}", release: "2026.2.26", want: "${SECRET}", missing: "SECRET"},
		{text: "${GUESS}", want: "three", missing: "GUESS"},
		{text: "${NONE}", want: "${NONE}", missing: "NONE"},
	}
	for _, tt := range tests {
		d := Load(&deploy.Config{File: "c", Data: []byte(`{k: "` + tt.text + `"}`)}, nil, set, version(tt.release))
		n := d.Get("k")
		if n.Text != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.text, tt.release, n.Text, tt.want)
		}
		if got := strings.Join(d.Missing[n], " "); got != tt.missing {
			t.Errorf("%s: missing %q, want %q", tt.text, got, tt.missing)
		}
		if got := strings.TrimPrefix(said(d), "c:1:5 k "); got != tt.said {
			t.Errorf("%s %s: said %q, want %q", tt.text, tt.release, got, tt.said)
		}
		if written, ok := d.Written[n]; ok != (strings.Contains(tt.want, "one") || tt.missing != "" || strings.Contains(tt.text, "$$")) || ok && written != tt.text {
			t.Errorf("%s: written %q, %v", tt.text, written, ok)
		}
		messages(t, d)
	}
}

func TestSubstituteOnlyValues(t *testing.T) {
	d := Load(&deploy.Config{File: "c", Data: []byte(`{gateway: {bind: "${X}", "${X}": ["${X}", 1, true, null]}}`)}, nil, vars("X", "lan"), version(""))
	if got, want := show(d.Root), "{gateway:{bind:lan,${X}:[lan,1,true,null]}}"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	n := d.Get("gateway", "bind")
	if via := d.Via[n]; len(via) != 1 || via[0].File != "env" {
		t.Errorf("via %v", via)
	}
}

func TestNothingKnownOfTheEnvironment(t *testing.T) {
	d := Load(&deploy.Config{File: "c", Data: []byte(`{k: "${X}"}`)}, nil, nil, version("2026.1.29"))
	if n := d.Get("k"); n.Text != "${X}" || len(d.Missing[n]) != 1 || len(d.Problems) != 0 {
		t.Errorf("%q %v %v", n.Text, d.Missing, d.Problems)
	}
}

func TestConfigVars(t *testing.T) {
	const config = `{env: {vars: {A: "a", BOTH: "vars", BLANK: " ", B: "${A}b", C: "${NOT}", D: "${OPEN}", "E ": "e", NUMBER: 1}, BOTH: "top", shellEnv: "x"},
		k: "${A} ${BOTH} ${B} ${EMPTY_HERE}"}`
	env := vars("EMPTY_HERE", "", "OPEN", "?", "MINE", "real")
	for _, tt := range []struct{ release, want string }{
		// B is not there in time: it is itself made of a variable.
		{"2026.9.6", "a top ${B} ${EMPTY_HERE}"},
		{"2026.1.29", "a top ${B} ${EMPTY_HERE}"},
		{"", "a top ${B} ${EMPTY_HERE}"},
		{"2026.1.24-3", "${A} ${BOTH} ${B} ${EMPTY_HERE}"},
	} {
		d := Load(&deploy.Config{File: "c", Data: []byte(config)}, nil, env, version(tt.release))
		if got := d.Get("k").Text; got != tt.want {
			t.Errorf("%s: %s, want %s", tt.release, got, tt.want)
		}
		if tt.release == "2026.1.24-3" {
			continue
		}
		all := d.Environment(env)
		for name, want := range map[string]deploy.Value{
			"A": {State: deploy.Set, Text: "a"}, "BOTH": {State: deploy.Set, Text: "top"}, "B": {State: deploy.Set, Text: "ab"},
			"C": {}, "D": {State: deploy.Unknown}, "E": {State: deploy.Set, Text: "e"}, "BLANK": {}, "NUMBER": {}, "shellEnv": {}, "MINE": {State: deploy.Set, Text: "real"},
		} {
			if got := all(name); got.State != want.State || got.Text != want.Text {
				t.Errorf("%s %s: %+v, want %+v", tt.release, name, got, want)
			}
		}
	}
}

func TestConfigVarsUnderTheEnvironment(t *testing.T) {
	d := Load(&deploy.Config{File: "c", Data: []byte(`{env: {vars: {OPENCLAW_GATEWAY_TOKEN: "mine"}}}`)}, nil, nil, version("2026.9.6"))
	for _, tt := range []struct {
		env   Env
		state deploy.State
		text  string
	}{
		{vars(), deploy.Set, "mine"},
		{vars("OPENCLAW_GATEWAY_TOKEN", " "), deploy.Set, "mine"},
		{vars("OPENCLAW_GATEWAY_TOKEN", "real"), deploy.Set, "real"},
		{vars("OPENCLAW_GATEWAY_TOKEN", "!"), deploy.Present, ""},
		{vars("OPENCLAW_GATEWAY_TOKEN", "?"), deploy.Assumed, "mine"},
		{vars("OPENCLAW_GATEWAY_TOKEN?", ""), deploy.Assumed, "mine"},
		{nil, deploy.Assumed, "mine"},
	} {
		if got := d.Environment(tt.env)("OPENCLAW_GATEWAY_TOKEN"); got.State != tt.state || got.Text != tt.text {
			t.Errorf("%+v, want %v %q", got, tt.state, tt.text)
		}
	}
}

func TestEnvironment(t *testing.T) {
	state := DotEnv("s/.env", []byte("A=state\nB=state\nEMPTY=\nOPEN=state\n"))
	more := DotEnv("gateway.env", []byte("B=more\nC=more\nEMPTY=more\n"))
	env := Environment(vars("A", "real", "OPEN", "?", "HERE", ""), state, more)
	for name, want := range map[string]deploy.Value{
		"A": {State: deploy.Set, Text: "real"}, "B": {State: deploy.Set, Text: "state"}, "C": {State: deploy.Set, Text: "more"},
		"EMPTY": {State: deploy.Set}, "HERE": {State: deploy.Set}, "OPEN": {State: deploy.Assumed, Text: "state"}, "NOT": {},
	} {
		if got := env(name); got.State != want.State || got.Text != want.Text {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	if got := Environment(nil, state)("B"); got.State != deploy.Assumed || got.Text != "state" {
		t.Errorf("%+v", got)
	}
	if got := Environment(nil)("B"); got.State != deploy.Unknown {
		t.Errorf("%+v", got)
	}
}

func TestDotEnv(t *testing.T) {
	tests := []struct{ name, text, key, want, at string }{
		{"plain", "# c\n\nKEY=value", "KEY", "value", "3:1"},
		{"spaces", "  export  KEY = some value  # more", "KEY", "some value", "1:11"},
		{"colon", "KEY: value", "KEY", "value", "1:1"},
		{"colon and nothing", "KEY: \nB=1", "KEY", "", "1:1"},
		{"single quotes", `KEY='a # $X \n' # c`, "KEY", `a # $X \n`, "1:1"},
		{"double quotes", `KEY="a\nb"`, "KEY", "a\nb", "1:1"},
		{"back quotes", "KEY=`a'\"b`", "KEY", `a'"b`, "1:1"},
		{"lines", "A=1\r\nKEY=\"a\r\nb\"\r\nC=3", "KEY", "a\nb", "2:1"},
		{"behind lines", "A=\"a\nb\"\nKEY=1", "KEY", "1", "3:1"},
		{"quote within", `KEY=it's`, "KEY", "it's", "1:1"},
		{"more behind quotes", `KEY="a" b`, "KEY", `"a" b`, "1:1"},
		{"open quote", "KEY=\"a\nB=1", "KEY", `"a`, "1:1"},
		{"empty", "KEY=", "KEY", "", "1:1"},
		{"hash without space", "KEY=a#b", "KEY", "a", "1:1"},
		{"last", "KEY=1\nKEY=2", "KEY", "2", "2:1"},
		{"byte order mark", "\uFEFFKEY=1", "KEY", "1", "1:2"},
		{"quotes on the next line", "KEY=\n'x'", "KEY", "x", "1:1"},
		{"no name", "=1\nfoo bar\nKEY=1", "KEY", "1", "3:1"},
	}
	for _, tt := range tests {
		vars := DotEnv("f", []byte(tt.text))
		v, ok := vars[tt.key]
		at := strings.TrimPrefix(v.Pos.String(), "f:")
		if !ok || v.Text != tt.want || v.Pos.Line != int(tt.at[0]-'0') || v.Pos.Column != atoi(tt.at[2:]) {
			t.Errorf("%s: %q at %s:%d, want %q at %s", tt.name, v.Text, at, v.Pos.Column, tt.want, tt.at)
		}
	}
	if DotEnv("f", make([]byte, MaxDotEnv+1)) != nil {
		t.Error("too large, and read")
	}
}

func atoi(s string) (n int) {
	for _, c := range s {
		n = n*10 + int(c-'0')
	}
	return n
}

func TestReference(t *testing.T) {
	const object = `{source: "env", provider: "default", id: "X"}`
	tests := []struct{ value, release, want string }{
		{object, "2026.9.6", "env default X"},
		{object, "2026.1.29", ""},
		{object, "", "env default X"},
		{`{source: "file", provider: "filemain", id: "/gateway/token"}`, "2026.3.13", "file filemain /gateway/token"},
		{`{source: "exec", id: "x", more: 1}`, "2026.9.6", "exec default x"},
		{`{source: "exec", provider: "p", id: "x", more: 1}`, "2026.9.6", ""},
		{`{source: "env", provider: "", id: "X"}`, "2026.9.6", ""},
		{`{source: "env", provider: "p", id: " "}`, "2026.9.6", ""},
		{`{source: "store", provider: "p", id: "x"}`, "2026.9.6", "store p x"},
		{`{source: "store", provider: "p", id: "x"}`, "2026.7.35", ""},
		{`{source: "vault", provider: "p", id: "x"}`, "2026.9.6", ""},
		{`"${X_1}"`, "2026.9.6", "env default X_1"},
		{`" ${X} "`, "2026.3.13", "env default X"},
		{`"${X}"`, "2026.1.29", ""},
		{`"a${X}"`, "2026.9.6", ""},
		{`"${_X}"`, "2026.9.6", ""},
		{`"${X:-y}"`, "2026.9.6", ""},
		{`"${x}"`, "2026.9.6", ""},
		{`"$X"`, "2026.9.6", "env default X"},
		{`"$X"`, "2026.6.11", "env default X"},
		{`"$X"`, "2026.3.13", ""},
		{`"$X"`, "2026.5.7", ""},
		{`"$X"`, "2026.5.20", "env default X maybe"},
		{`"$X"`, "", "env default X maybe"},
		{`"$x"`, "2026.9.6", ""},
		{`"secretref-env:X"`, "2026.6.11", "env default X"},
		{`"__env__:X"`, "2026.7.35", "env default X"},
		{`"__env__:X"`, "2026.3.13", ""},
		{`"__env__:X"`, "2026.9.6", ""},
		{`"__env__:X"`, "2026.8.2", "env default X maybe"},
		{`"__env__:x"`, "2026.6.11", ""},
		{`"plain"`, "2026.9.6", ""},
		{`""`, "2026.9.6", ""},
		{`["$X"]`, "2026.9.6", ""},
		{`1`, "2026.9.6", ""},
	}
	for _, tt := range tests {
		d := Load(&deploy.Config{File: "c", Data: []byte(`{k: ` + tt.value + `}`)}, nil, nil, version(tt.release))
		got := ""
		if ref, ok := Reference(d.Get("k"), version(tt.release)); ok {
			got = ref.Source + " " + ref.Provider + " " + ref.ID
			if ref.Maybe {
				got += " maybe"
			}
			if ref.Pos != d.Get("k").Pos {
				t.Errorf("%s: at %v", tt.value, ref.Pos)
			}
		}
		if got != tt.want {
			t.Errorf("%s %s: %q, want %q", tt.value, tt.release, got, tt.want)
		}
	}
	if _, ok := Reference(nil, version("")); ok {
		t.Error("a reference in nothing")
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(`{$include: ["x", "y"], a: "${A} $${B} ${C}", env: {vars: {C: "c"}}}`, `{a: [1], b: {$include: "y"}}`, "[2]", "A=1\nB='x\ny'\n")
	f.Add(`{a: {$include: "x", b: 1}}`, `{$include: "openclaw.json"}`, "", "A: `1`")
	f.Fuzz(func(t *testing.T, config, x, y, env string) {
		dot := DotEnv(".env", []byte(env))
		for name, v := range dot {
			if lines := strings.Split(env, "\n"); v.Pos.Line < 1 || v.Pos.Line > len(lines) || v.Pos.Column < 1 || v.Pos.Column > len(lines[v.Pos.Line-1]) {
				t.Fatalf("%q at %+v", name, v.Pos)
			}
		}
		tree := files{"x": strings.TrimLeft(x, "->=!/"), "y": strings.TrimLeft(y, "->=!/")}
		d := Load(&deploy.Config{File: "openclaw.json", Data: []byte(config)}, tree, Environment(vars(), dot), version(""))
		if d.Root == nil && len(d.Problems) == 0 {
			t.Fatal("nothing, and no reason")
		}
		for _, p := range d.Problems {
			if p.Pos.Line < 1 || p.Pos.Column < 1 {
				t.Fatalf("%+v", p)
			}
		}
		Reference(d.Get("a"), version(""))
	})
}
