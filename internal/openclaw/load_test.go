package openclaw

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/filetree"
	"github.com/clawsonar/clawsonar/internal/json5"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/release"
)

// files are files by name; "->" at the beginning of a text makes it a link, "=" a file of
// two names, "!" one that cannot be read, "/" a directory.
type files map[string]string

// Modes is whether the files are those of a machine.
func (f files) Modes() bool { return f[".git"] == "" }

func (f files) Stat(name string) (filetree.Info, bool) {
	text, ok := f[name]
	if to, link := strings.CutPrefix(text, "->"); link {
		return f.Stat(to)
	}
	info := filetree.Info{Name: name, Size: int64(len(text)), Mode: 0o600, Links: 1}
	switch {
	case strings.HasPrefix(text, "="):
		info.Links = 2
	case text == "/" || !ok && name == ".":
		info.Mode, ok = fs.ModeDir, true
	}
	return info, ok
}

func (f files) Read(name string, limit int64) ([]byte, error) {
	text := f[name]
	if to, link := strings.CutPrefix(text, "->"); link {
		return f.Read(to, limit)
	}
	if strings.HasPrefix(text, "!") || int64(len(text)) > limit {
		return nil, errors.New("no")
	}
	return []byte(strings.TrimPrefix(text, "=")), nil
}

// vars is an environment; a name that ends in "?" is assumed, one with the value "!"
// Present, with "?" Unknown.
func vars(pairs ...string) Env {
	return func(name string) deploy.Value {
		for i := 0; i < len(pairs); i += 2 {
			v := deploy.Value{State: deploy.Set, Text: pairs[i+1], Pos: event.Pos{File: "env", Line: 1 + i/2}}
			switch {
			case pairs[i] == name+"?":
				v.State = deploy.Assumed
				return v
			case pairs[i] != name:
				continue
			case v.Text == "!":
				v.State, v.Text = deploy.Present, ""
			case v.Text == "?":
				v.State, v.Text = deploy.Unknown, ""
			}
			return v
		}
		return deploy.Value{}
	}
}

func version(s string) release.Version {
	if s == "" {
		return release.Version{}
	}
	return release.MustParse(s)
}

// said writes the problems of a document, one a line: place, path, id, arguments, "!" if
// it is fatal.
func said(d *Document) string {
	var b strings.Builder
	for _, p := range d.Problems {
		fmt.Fprintf(&b, "%s:%d:%d %s %s", p.Pos.File, p.Pos.Line, p.Pos.Column, p.Path, p.ID)
		for _, a := range p.Args {
			fmt.Fprintf(&b, " %s", strings.Join(a.Values, ","))
		}
		if p.Fatal {
			b.WriteString(" !")
		}
		b.WriteByte('\n')
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// show writes a value as JSON without quotes around keys.
func show(n *json5.Node) string {
	if n == nil {
		return "nothing"
	}
	var parts []string
	switch n.Kind {
	case json5.Object:
		for _, m := range n.Members {
			parts = append(parts, m.Key+":"+show(m.Value))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case json5.Array:
		for _, i := range n.Items {
			parts = append(parts, show(i))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case json5.String:
		return n.Text
	case json5.Number:
		return fmt.Sprint(n.Number)
	case json5.Bool:
		return fmt.Sprint(n.Bool)
	}
	return "null"
}

const split = `{"mode": "local", "bind": "loopback", "auth": {"mode": "token", "token": "0123456789"}, "trustedProxies": ["127.0.0.1"]}`

const splitShown = `mode:local,bind:loopback,auth:{mode:token,token:0123456789},trustedProxies:[127.0.0.1]`

func TestIncludes(t *testing.T) {
	deep := files{}
	for i := range 12 {
		deep[fmt.Sprintf("s/%d.json5", i+1)] = fmt.Sprintf(`{$include: "%d.json5"}`, i+2)
	}
	deep["s/10.json5"] = `{a: 1}`
	deeper := maps.Clone(deep)
	deeper["s/10.json5"], deeper["s/11.json5"] = `{$include: "11.json5"}`, `{a: 1}`

	tests := []struct {
		name, config string
		files        files
		release      string
		want, said   string
		partial      int
	}{
		{name: "one", config: "{\n  // split\n  gateway: { $include: \"./gateway.json5\" },\n}\n", files: files{"s/gateway.json5": split},
			want: "{gateway:{" + splitShown + "}}"},
		{name: "later file wins, arrays are put behind each other", config: `{gateway: {$include: ["./a.json5", "./b.json5"]}}`,
			files: files{"s/a.json5": split, "s/b.json5": `{bind:"lan",trustedProxies:["10.0.0.5"],auth:{mode:"password"}}`},
			want:  "{gateway:{mode:local,bind:lan,auth:{mode:password,token:0123456789},trustedProxies:[127.0.0.1,10.0.0.5]}}"},
		{name: "a sibling wins", config: `{gateway: {bind: "lan", $include: "./gateway.json5", trustedProxies: ["::1"]}}`, files: files{"s/gateway.json5": split},
			want: "{gateway:{mode:local,bind:lan,auth:{mode:token,token:0123456789},trustedProxies:[127.0.0.1,::1]}}"},
		{name: "at the root, and in an array", config: `{$include: "a.json5", list: [{$include: "b.json5"}, 2]}`, files: files{"s/a.json5": `{a:1}`, "s/b.json5": `[1]`},
			want: "{a:1,list:[[1],2]}"},
		{name: "relative to the including file", config: `{$include: "sub/a.json5"}`, files: files{"s/sub/a.json5": `{$include: "b.json5", c: {$include: "../c.json5"}}`, "s/sub/b.json5": `{b:1}`, "s/c.json5": `3`},
			want: "{b:1,c:3}"},
		{name: "same file twice", config: `{a: {$include: "x"}, b: {$include: "x"}}`, files: files{"s/x": `[1]`}, want: "{a:[1],b:[1]}"},
		{name: "of the same keys the last", config: `{"gateway":{$include:"nope"},"gateway":{"bind":"loopback","bind":"lan"},"__proto__":{}}`, want: "{gateway:{bind:lan}}"},
		{name: "no keys that JavaScript needs", config: `{$include: "x", b: 1}`, files: files{"s/x": `{"constructor":1,"prototype":2,"__proto__":3}`}, want: "{b:1}"},
		{name: "empty list", config: `{$include: [], b: 1}`, want: "{b:1}"},
		{name: "list of lists", config: `{a: {$include: ["x", "y"]}}`, files: files{"s/x": `[1]`, "s/y": `[2]`}, want: "{a:[1,2]}"},
		{name: "ten within each other", config: `{$include: "1.json5"}`, files: deep, want: "{a:1}"},
		{name: "link within", config: `{$include: "l"}`, files: files{"s/l": "->s/x", "s/x": `{a:1}`}, want: "{a:1}"},

		{name: "eleven within each other", config: `{$include: "1.json5"}`, files: deeper, want: "{}",
			said: "s/10.json5:1:12 $include config.include-depth 11.json5 !"},
		{name: "circular", config: `{ gateway: { $include: "./g.json5" } }`, files: files{"s/g.json5": "\n{ $include: './g.json5' }"}, want: "{gateway:{}}",
			said: "s/g.json5:2:13 gateway.$include config.include-circular ./g.json5 !"},
		{name: "circular with the configuration", config: `{$include: "openclaw.json"}`, want: "{}",
			said: "s/openclaw.json:1:12 $include config.include-circular openclaw.json !"},
		{name: "escapes", config: "{\n gateway: { $include: \"../outside.json5\" } }", files: files{"outside.json5": "{}"}, want: "{gateway:{}}",
			said: "s/openclaw.json:2:23 gateway.$include config.include-escapes ../outside.json5 !"},
		{name: "escapes by a link", config: `{$include: "l"}`, files: files{"s/l": "->x", "x": `{a:1}`}, want: "{}",
			said: "s/openclaw.json:1:12 $include config.include-escapes l !"},
		{name: "escaped before 2026.2", config: `{$include: "../x"}`, files: files{"x": "={a:1}"}, release: "2026.1.29", want: "{a:1}"},
		{name: "escapes, release in between", config: `{$include: "../x"}`, files: files{"x": `{a:1}`}, release: "2026.2.9", want: "{}", partial: 1,
			said: "s/openclaw.json:1:12 $include config.include-elsewhere ../x"},
		{name: "escapes the tree", config: `{$include: "../../x"}`, release: "2026.1.29", want: "{}", partial: 1,
			said: "s/openclaw.json:1:12 $include config.include-elsewhere ../../x"},
		{name: "missing", config: `{ gateway: { $include: "./nope.json5", port: 1 } }`, files: files{}, want: "{gateway:{port:1}}",
			said: "s/openclaw.json:1:24 gateway.$include config.include-missing ./nope.json5 !"},
		{name: "missing of a checkout", config: `{$include: "x"}`, files: files{".git": "/"}, want: "{}", partial: 1,
			said: "s/openclaw.json:1:12 $include config.include-elsewhere x"},
		{name: "hard link", config: `{$include: ["x", "y"]}`, files: files{"s/x": "={a:1}", "s/y": "{b:1}"}, want: "{b:1}",
			said: "s/openclaw.json:1:13 $include config.include-hard-link x !"},
		{name: "directory", config: `{$include: "d"}`, files: files{"s/d": "/"}, want: "{}", said: "s/openclaw.json:1:12 $include config.include-no-file d !"},
		{name: "too large", config: `{$include: "x"}`, files: files{"s/x": strings.Repeat(" ", 2<<20) + "1"}, want: "{}", said: "s/openclaw.json:1:12 $include config.include-size x !"},
		{name: "no text", config: `{$include: "x"}`, files: files{"s/x": "{\n a b}"}, want: "{}", said: "s/x:2:4 $include config.syntax !"},
		{name: "number", config: `{a: {$include: 1, b: 2}}`, want: "{a:{b:2}}", said: "s/openclaw.json:1:16 a.$include config.include-value !"},
		{name: "list of numbers", config: `{$include: [1]}`, want: "{}", said: "s/openclaw.json:1:13 $include config.include-value !"},
		{name: "sibling of a list", config: `{a: {$include: "x", b: 1}}`, files: files{"s/x": `[]`}, want: "{a:{b:1}}", said: "s/openclaw.json:1:16 a config.include-siblings !"},
		{name: "no path", config: `{$include: "\0"}`, want: "{}", said: "s/openclaw.json:1:12 $include config.include-path \x00 !"},
		{name: "unreadable", config: `{$include: "x"}`, files: files{"s/x": "!"}, want: "{}", partial: 1, said: "s/openclaw.json:1:12 $include config.include-unread x"},
		{name: "absolute", config: `{$include: "/etc/x"}`, want: "{}", partial: 1, said: "s/openclaw.json:1:12 $include config.include-elsewhere /etc/x"},
		{name: "root becomes a list", config: `{$include: "x"}`, files: files{"s/x": `[]`}, want: "nothing", said: "s/x:1:1  config.no-object !"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.files == nil {
				tt.files = files{}
			}
			tt.files = maps.Clone(tt.files)
			tt.files["s"] = "/"
			d := Load(&deploy.Config{File: "s/openclaw.json", Data: []byte(tt.config)}, tt.files, vars(), version(tt.release))
			if got := show(d.Root); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if got := said(d); got != tt.said {
				t.Errorf("said\n%s\nwant\n%s", got, tt.said)
			}
			if len(d.Partial) != tt.partial {
				t.Errorf("partial: %v", d.Partial)
			}
			messages(t, d)
		})
	}
}

// messages checks that what a document says can be said, in English and in Chinese.
func messages(t *testing.T, d *Document) {
	t.Helper()
	for _, p := range d.Problems {
		m := message.New(p.ID, p.Args...)
		for _, c := range message.Languages() {
			if text, ok := c.Text(m); !ok || text == "" {
				t.Errorf("%s: %q", p.ID, text)
			}
		}
	}
}

func TestIncludeKeepsPositions(t *testing.T) {
	c := &deploy.Config{File: "openclaw.json", Data: []byte(`{gateway: {$include: ["a.json5", "b/b.json5"], port: 1}}`)}
	d := Load(c, files{"a.json5": "{\n  bind: 'lan', auth: {mode: 'token'}}", "b/b.json5": "\n\n{auth: {token: 'x'}}"}, vars(), version("2026.9.6"))
	for keys, want := range map[string]string{"bind": "a.json5:2:9", "auth mode": "a.json5:2:29", "auth token": "b/b.json5:3:16", "port": "openclaw.json:1:54"} {
		p := d.Get(append([]string{"gateway"}, strings.Fields(keys)...)...).Pos
		if got := fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column); got != want {
			t.Errorf("%s: %s, want %s", keys, got, want)
		}
	}
	if want := []string{"a.json5", "b/b.json5"}; !slices.Equal(d.Included, want) {
		t.Errorf("included %q, want %q", d.Included, want)
	}
}

func TestIncludeRoots(t *testing.T) {
	c := &deploy.Config{File: "s/openclaw.json", Data: []byte(`{$include: "../x"}`)}
	env := vars("OPENCLAW_INCLUDE_ROOTS", "/srv")
	d := Load(c, files{"x": "{}"}, env, version("2026.9.6"))
	if got, want := said(d), "s/openclaw.json:1:12 $include config.include-elsewhere ../x"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	d = Load(c, files{"x": "{}"}, env, version("2026.3.13"))
	if got, want := said(d), "s/openclaw.json:1:12 $include config.include-escapes ../x !"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestInsideAnotherFile(t *testing.T) {
	c := &deploy.Config{File: "cm.yaml", Name: "default/config", Line: 6, Column: 4, Data: []byte("{\n gateway: {bind: 'lan', $include: './x'}}\n")}
	d := Load(c, files{"x": "{}"}, vars(), version("2026.9.6"))
	if got, want := said(d), "cm.yaml:8:39 gateway.$include config.include-elsewhere ./x"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if p := d.Get("gateway", "bind").Pos; p.Line != 8 || p.Column != 22 {
		t.Errorf("%+v", p)
	}
	c.Data = []byte("{\n  a b")
	if got, want := said(Load(c, nil, nil, version(""))), "cm.yaml:8:9  config.syntax !"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestText(t *testing.T) {
	for _, tt := range []struct{ name, config, want, said string }{
		{"byte order mark", "\uFEFF" + `{"gateway":` + split + "}", "{gateway:{" + splitShown + "}}", ""},
		{"empty", "", "nothing", "openclaw.json:1:1  config.syntax !"},
		{"list", "[]", "nothing", "openclaw.json:1:1  config.no-object !"},
		{"levels", strings.Repeat("[", 2000), "nothing", "openclaw.json:1:1001  config.too-big"},
	} {
		d := Load(&deploy.Config{File: "openclaw.json", Data: []byte(tt.config)}, files{}, vars(), version(""))
		if got := show(d.Root); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		if got := said(d); got != tt.said {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.said)
		}
	}
}

func TestBounds(t *testing.T) {
	list := func(n int, name string) string {
		return `{$include: [` + strings.Repeat(`"`+name+`",`, n) + `]}`
	}
	for name, tree := range map[string]files{
		"includes": {"x": `{a:1}`},
		"nested":   {"x": list(100, "y"), "y": list(100, "z"), "z": `{a:1}`},
		"values":   {"x": `[` + strings.Repeat("0,", 90_000) + `]`},
		"bytes":    {"x": `"` + strings.Repeat("x", 1<<20) + `"`},
	} {
		d := Load(&deploy.Config{File: "openclaw.json", Data: []byte(list(maxLoads+1, "x"))}, tree, vars(), version(""))
		if n := len(d.Partial); n == 0 || !strings.Contains(said(d), "config.too-big") {
			t.Errorf("%s: %s", name, said(d))
		}
	}
	d := Load(&deploy.Config{File: "openclaw.json", Data: []byte(`{a: "` + strings.Repeat("${X}", 1000) + `"}`)}, nil, vars("X", strings.Repeat("x", 1<<20)), version(""))
	if n := len(d.Get("a").Text); n > maxPut+4000 || !strings.Contains(said(d), "config.too-big") {
		t.Errorf("%d bytes: %s", n, said(d))
	}
}
