//go:build e2e && linux

package e2e

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/clawsonar/clawsonar/internal/json5"
	"github.com/clawsonar/clawsonar/internal/openclaw"
)

//go:embed json5.cjs
var json5Script string

// The packages that OpenClaw reads its files with.
const (
	json5Package  = "json5@2.2.3"
	dotenvPackage = "dotenv@17.4.2"
)

// TestJSON5 holds package json5, and the reader of .env files, against the packages that
// the gateway uses: the same values, and errors at the same places.
func TestJSON5(t *testing.T) {
	l, ctx := openLab(t, "lab", "JSON5 and .env against npm's packages", "npm")
	dir, err := l.Library(ctx, json5Package, dotenvPackage)
	if err != nil {
		t.Fatal(err)
	}
	const generated, seed = 10_000, 16
	r := rand.New(rand.NewPCG(seed, 0))
	var own, valid, strict, mutated, dots [][]byte
	for _, s := range json5Cases() {
		own = append(own, []byte(s))
	}
	for range generated {
		d := (&generator{r: r}).document()
		valid = append(valid, d)
		strict = append(strict, (&generator{r: r, strict: true}).document())
		mutated = append(mutated, mutate(r, d))
		dots = append(dots, dotEnv(r))
	}
	forms := []string{"{X:1}", "{aX:1}", "X1", `"\X"`, "'X'"}
	const last = 0x32400
	question, err := json.Marshal(map[string]any{"forms": forms, "last": last})
	if err != nil {
		t.Fatal(err)
	}

	var in bytes.Buffer
	ask := func(kind byte, docs ...[]byte) {
		for _, d := range docs {
			fmt.Fprintf(&in, "%c %s\n", kind, base64.StdEncoding.EncodeToString(d))
		}
	}
	ask('5', own...)
	ask('5', valid...)
	ask('5', strict...)
	ask('5', mutated...)
	ask('e', dots...)
	ask('c', question)
	cmd := exec.CommandContext(ctx, l.Node(), "-e", json5Script, "script", dir)
	cmd.Stdin = &in
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, stderr.String())
	}
	answers := bufio.NewScanner(bytes.NewReader(out))
	answers.Buffer(nil, 16<<20)
	next := func() string {
		if !answers.Scan() {
			t.Fatal("node gave too few answers")
		}
		return answers.Text()
	}
	compare := func(name string, docs [][]byte, ours func([]byte) string) {
		errors, differ := 0, 0
		for _, d := range docs {
			want, got := next(), ours(d)
			if strings.HasPrefix(want, "error ") {
				errors++
			}
			if got == want {
				continue
			}
			if differ++; differ <= 10 {
				t.Errorf("%s: %q\n got %s\nwant %s", name, d, got, want)
			}
		}
		t.Logf("%s: %d documents, %d of them errors, %d differ", name, len(docs), errors, differ)
		if strings.HasPrefix(name, "valid") && errors > 0 {
			t.Errorf("%d of the valid documents are not", errors)
		}
	}
	compare("own", own, likeJSON5)
	compare("valid", valid, likeJSON5)
	compare("valid JSON", strict, likeJSON5)
	compare("mutated", mutated, likeJSON5)
	compare(".env", dots, likeDotEnv)

	want, at, differ := next(), 0, 0
	for c := rune(0); c <= last; c++ {
		if utf16.IsSurrogate(c) {
			continue
		}
		mask := 0
		for i, f := range forms {
			if _, err := json5.Parse("f", []byte(strings.Replace(f, "X", string(c), 1))); err == nil {
				mask |= 1 << i
			}
		}
		// Five forms are one or two digits.
		digits := strconv.FormatInt(int64(mask), 16)
		if at+2 > len(want) || want[at:at+2] != fmt.Sprintf("%02s", digits) {
			if differ++; differ <= 10 {
				t.Errorf("U+%04X: forms %s, not as json5", c, digits)
			}
		}
		at += 2
	}
	t.Logf("characters: %d in %d places, %d differ", at/2, len(forms), differ)
}

// likeJSON5 is what the script answers for a text.
func likeJSON5(data []byte) string {
	n, err := json5.Parse("f", data)
	if err == nil {
		var b strings.Builder
		write(&b, n)
		return b.String()
	}
	// json5 counts a byte order mark, and goes behind the character before it takes
	// the place.
	e := err.(*json5.Error)
	line, column := e.Pos.Line, e.Pos.Column
	text := json5.Decode(data)
	lines := strings.Split(strings.TrimPrefix(text, "\uFEFF"), "\n")
	if strings.HasPrefix(text, "\uFEFF") && line == 1 {
		column++
	}
	units := utf16.Encode([]rune(lines[line-1]))
	switch i := e.Pos.Column - 1; {
	case i < len(units) && units[i] >= 0xD800 && units[i] < 0xDC00:
		column++
	case i == len(units) && line < len(lines):
		line, column = line+1, 0
	}
	return fmt.Sprintf("error %d:%d", line, column)
}

func write(b *strings.Builder, n *json5.Node) {
	switch n.Kind {
	case json5.Null:
		b.WriteByte('n')
	case json5.Bool:
		b.WriteByte(map[bool]byte{true: 't', false: 'f'}[n.Bool])
	case json5.Number:
		if math.IsNaN(n.Number) {
			b.WriteString("NaN")
		} else {
			fmt.Fprintf(b, "#%016x", math.Float64bits(n.Number))
		}
	case json5.String:
		b.WriteString("'" + hex.EncodeToString([]byte(n.Text)))
	case json5.Array:
		b.WriteByte('[')
		for i, item := range n.Items {
			if i > 0 {
				b.WriteByte(',')
			}
			write(b, item)
		}
		b.WriteByte(']')
	case json5.Object:
		var keys []string
		for _, m := range n.Members {
			if !slices.Contains(keys, m.Key) {
				keys = append(keys, m.Key)
			}
		}
		b.WriteByte('{')
		for i, k := range scriptOrder(keys) {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(hex.EncodeToString([]byte(k)) + ":")
			write(b, n.Get(k))
		}
		b.WriteByte('}')
	}
}

// scriptOrder is the order in which JavaScript lists keys: indexes first.
func scriptOrder(keys []string) []string {
	index := func(k string) uint64 {
		if i, err := strconv.ParseUint(k, 10, 32); err == nil && i < math.MaxUint32 && strconv.FormatUint(i, 10) == k {
			return i
		}
		return math.MaxUint64
	}
	slices.SortStableFunc(keys, func(a, b string) int {
		x, y := index(a), index(b)
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return keys
}

func likeDotEnv(data []byte) string {
	vars := openclaw.DotEnv("f", data)
	var parts []string
	for k, v := range vars {
		parts = append(parts, hex.EncodeToString([]byte(k))+":'"+hex.EncodeToString([]byte(v.Text)))
	}
	slices.Sort(parts)
	return "{" + strings.Join(parts, ",") + "}"
}

// generator makes valid documents.
type generator struct {
	r      *rand.Rand
	b      bytes.Buffer
	strict bool // documents that JSON.parse takes, too
}

func (g *generator) one(of ...string) string { return of[g.r.IntN(len(of))] }

func (g *generator) document() []byte {
	if !g.strict {
		g.b.WriteString(g.one("", "", "", "\uFEFF"))
	}
	g.space()
	g.value(0)
	g.space()
	if !g.strict && g.r.IntN(10) == 0 {
		g.b.WriteString("// at the end")
	}
	return g.b.Bytes()
}

func (g *generator) space() {
	if g.strict {
		g.b.WriteString(g.one("", "", " ", "\n", "\r\n", "\t"))
		return
	}
	for range g.r.IntN(3) {
		g.b.WriteString(g.one(" ", " ", "\n", "\r\n", "\t", "\v", "\f", "\u00A0", "\uFEFF", "\u2028", "\u2029", "\u3000", "\u1680", "\u2009",
			"/* c **/", "/**/", "// c\n", "//\u2028", "/* \U0001F600\n*/"))
	}
}

func (g *generator) value(depth int) {
	kind := g.r.IntN(10)
	if depth > 5 {
		kind = g.r.IntN(6)
	}
	switch {
	case kind < 1:
		g.b.WriteString(g.one("null", "true", "false"))
	case kind < 3:
		if g.strict {
			g.b.WriteString(g.one("0", "-0", "1", "-12.50", "1e5", "2E-3", "9007199254740993", "1e400", strconv.FormatFloat(g.r.NormFloat64(), 'g', -1, 64)))
			return
		}
		g.b.WriteString(g.one("", "", "-", "+") + g.number())
	case kind < 6:
		g.text()
	case kind < 8:
		g.list('[', ']', func() { g.value(depth + 1) })
	default:
		g.list('{', '}', func() {
			g.key()
			g.space()
			g.b.WriteByte(':')
			g.space()
			g.value(depth + 1)
		})
	}
}

func (g *generator) list(open, shut byte, item func()) {
	g.b.WriteByte(open)
	g.space()
	n := g.r.IntN(5)
	for i := range n {
		item()
		g.space()
		if i < n-1 || !g.strict && g.r.IntN(3) == 0 {
			g.b.WriteByte(',')
		}
		g.space()
	}
	g.b.WriteByte(shut)
}

func (g *generator) number() string {
	digits := func() string { return strconv.FormatUint(g.r.Uint64()>>g.r.IntN(64), 10) }
	exponent := g.one("e", "E") + g.one("", "+", "-") + strconv.Itoa(g.r.IntN(400))
	switch g.r.IntN(9) {
	case 0:
		return "0" + g.one("x", "X") + g.one("", "0", "fFfFfFfF", "123456789abcdef01") + strconv.FormatUint(g.r.Uint64()>>g.r.IntN(64), 16)
	case 1:
		return g.one("Infinity", "NaN", "0", "0.", "0e1", ".0", "1e400", "5e-324", "2e-324", "9007199254740993", "0x20000000000001")
	case 2:
		return "." + digits()
	case 3:
		return digits() + "."
	case 4:
		return digits() + "." + digits()
	case 5:
		return digits() + g.one("", ".") + exponent
	case 6:
		return digits() + "." + digits() + exponent
	}
	return digits()
}

func (g *generator) key() {
	if g.strict {
		// Without escapes: JSON.parse of Node 24.21 takes "\b" for "\\" in some keys.
		g.b.WriteString(`"` + g.one("", "a", "gateway", "__proto__", "constructor", "0", "10", "é", "\U0001F600", "a b", "'") + `"`)
		return
	}
	if g.r.IntN(3) == 0 {
		g.text()
		return
	}
	g.b.WriteString(g.one("a", "b", "$", "_", "gateway", "ünï", "\\u0061", "\u4E2D", "\U00010400", "__proto__", "constructor", "Infinity", "null"))
	for range g.r.IntN(3) {
		g.b.WriteString(g.one("a", "1", "$", "_", "\\u00e9", "\\u200C", "\u200D", "\u0301", "\u0660", "\u203F", "\U0001D7CE"))
	}
}

func (g *generator) text() {
	if g.strict {
		g.b.WriteByte('"')
		for range g.r.IntN(4) {
			g.b.WriteString(g.one("a", "0", "1", "é", "'", "\u2028", "\U0001F600", "\x7f", "${X}", "__proto__", "\xff", `\"`, `\\`, `\/`, `\b`, `\n`, `\u0041`, `\uD83D\uDE00`))
		}
		g.b.WriteByte('"')
		return
	}
	quote := g.one("'", `"`)
	g.b.WriteString(quote)
	for range g.r.IntN(6) {
		if s := g.one("a", "0", "1", " ", "'", `"`, "é", "\u2028", "\u2029", "\U0001F600", "\x00", "\x7f", "\t", "${X}", "__proto__",
			`\'`, `\"`, `\\`, `\b`, `\f`, `\n`, `\r`, `\t`, `\v`, `\0a`, `\x41`, `\xfF`, `\u0041`, `\uD83D\uDE00`, `\uD83D`, `\uDE00`,
			"\\\n", "\\\r\n", "\\\ra", "\\\u2028", "\\\u2029", `\q`, "\\\U0001F600", `\/`,
			"\xff", "\xe2\x82", "\xf0\x9f\x98", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80"); s != quote {
			g.b.WriteString(s)
		}
	}
	g.b.WriteString(quote)
}

// mutate changes a document in a few places.
func mutate(r *rand.Rand, d []byte) []byte {
	bits := []string{"{", "}", "[", "]", ",", ":", "'", `"`, `\`, "/", "*", "-", "+", ".", "0", "1", "e", "x", "n", "I", "u", "\n", "\r", " ", "\uFEFF",
		"\u2028", "\U0001F600", "é", "\u0300", "\xff", "\xf0\x9f", "\x00", "null", "NaN", `\u`, `\u00`, "//", "/*", "*/", "01", "0x", "$", "_", "#"}
	d = slices.Clone(d)
	for range 1 + r.IntN(3) {
		i := r.IntN(len(d) + 1)
		j := min(len(d), i+r.IntN(4))
		switch r.IntN(4) {
		case 0:
			d = slices.Delete(d, i, j)
		case 1:
			d = slices.Insert(d, i, []byte(bits[r.IntN(len(bits))])...)
		case 2:
			d = slices.Replace(d, i, j, []byte(bits[r.IntN(len(bits))])...)
		default:
			if r.IntN(4) == 0 {
				d = d[:i]
			} else {
				d = slices.Insert(d, i, d[i:j]...)
			}
		}
	}
	return d
}

// dotEnv makes a file of settings, most of which are right. Their names are in order.
func dotEnv(r *rand.Rand) []byte {
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	var b strings.Builder
	b.WriteString(one("", "", "", "\uFEFF", "\n", "\r\n"))
	for i := range r.IntN(8) {
		b.WriteString(one("", "", "", " ", "\t", "export ", "  export\t", "# "))
		fmt.Fprintf(&b, "%s%c%s", one("", "", "", "-"), 'A'+i, one("", "_X", "1", ".b", "-c", " d"))
		b.WriteString(one("=", "=", "=", " = ", ": ", ":", ":\t", "", " =\n"))
		for range r.IntN(5) {
			b.WriteString(one("a", "b c", "'", `"`, "`", "'x'", `"y"`, "`z`", `\n`, `\r`, `\'`, `\"`, "#", " # c", "$X", "${X}", "=", " ", "\u00A0", "é", "\U0001F600", "\\"))
		}
		b.WriteString(one("\n", "\n", "\n", "\r\n", "\r", "\n\n", " \n", ""))
	}
	return []byte(b.String())
}

// json5Cases are single documents for each rule of the format.
func json5Cases() []string {
	return []string{
		"", " ", "\uFEFF", "{}", "[]", "null", "true", "false", "nul", "nulll", "tru", "falsee", "undefined", "a", "{a", "{a:", "{a:1", "{a:1,", "{a:1,}", "{a:1,,}",
		"{,}", "{a}", "{a:}", "{:1}", "{'a':1}", `{"a":1}`, `{"":1}`, "{a b:1}", "{a-b:1}", "{1:1}", "{1a:1}", "{true:1}", "{$:1,_:2,$_$:3}", "{ùńîċõďë:9}", `{\u0061b:1}`, `{a\u0062:1}`,
		`{\u0024\u005F\u200C:1}`, `{a\u200C\u200D:1}`, `{\u200C:1}`, `{\u0031:1}`, `{a\u0031:1}`, `{a\u0020:1}`, `{\u00:1}`, `{\x61:1}`, `{a\x61:1}`, `{\uD83D\uDE00:1}`, "{\U00010400:1}", "{\U0001F600:1}", "{a\U0001D7CE:1}",
		"{a:1,b:2,a:3}", "{__proto__:1}", `{"__proto__":{"x":1}}`, "{2:1}", "{'2':1,'1':2,b:3,a:4,'01':5,'4294967294':6,'4294967295':7}", "{a:{b:{c:[]}}}", "{a:1 b:2}", "{a:1;b:2}",
		"[1]", "[1,]", "[,]", "[1,,2]", "[1 2]", "[[],[[]]]", "[", "[1", "[1,", "]", "[}", "{]", "[1]]", "{}{}", "1 2",
		"0", "-0", "+0", "00", "01", "1", "10", "0.1", ".1", "1.", ".", "-.5", "+.5", "-", "+", "--1", "+-1", "- 1", "1e3", "1E3", "1e+3", "1e-3", "1e", "1e+", "1.e3", ".1e3", ".e3", "1.5e3.5", "1.2.3", "1e400", "-1e400", "1e-400",
		"0x0", "0xC8", "0XaBcDeF", "0x", "0xg", "-0x10", "+0x10", "0x1.8", "0x1FFFFFFFFFFFFF", "0x20000000000001", "0x20000000000003", "0xffffffffffffffffffffffff", "1_000", "0b1", "0o7", "1n",
		"Infinity", "-Infinity", "+Infinity", "Infinit", "NaN", "-NaN", "+NaN", "Na", "infinity", "nan", "9007199254740993", "123456789012345678901234567890", "0.1e1", "5e-324", "1.7976931348623159e308", strings.Repeat("1", 400), "0." + strings.Repeat("0", 400) + "1",
		`"abc"`, `'abc'`, `"'"`, `'"'`, `'\''`, `"\""`, `"a`, `'a`, "'a\nb'", "'a\rb'", `'\b\f\n\r\t\v\0'`, `'\01'`, `'\08'`, `'\0a'`, `'\1'`, `'\9'`, `'\a\q\ü\😀'`, `'\x0F'`, `'\x0'`, `'\xg0'`, `'\u01fF'`, `'\u01f'`, `'\u01fg'`, `'\u{61}'`,
		`'\uD83D\uDE00'`, `'\uD83D'`, `'\uDE00'`, `'\uDE00\uD83D'`, `'\uD83D\uD83D\uDE00'`, `'\uD83Dx\uDE00'`, "'\\uD83D\\\n\\uDE00'", "'a\\\nb'", "'a\\\r\nb'", "'a\\\rb'", "'a\\\u2028b'", "'a\\\u2029b'", "'a\\\n\nb'", "'\u2028\u2029'", "'\x00\x1f\x7f'", "'\t'", `'\`, "'\uFEFF'",
		"//", "// c", "//c\n1", "1//c", "1 // c\n2", "//c\r1", "//c\u20281", "//c\u20291", "/**/1", "/*c*/1", "1/**/", "/* * */1", "/***/1", "/*/1", "/*", "/* *", "/", "/1", "1/", "{/*c*/a/*c*/:/*c*/1/*c*/,/*c*/}", "[/*c*/1//c\n,2]", "1 /* a /* b */ c */", "'//c'", "a/**/:1",
		"\t\v\f \u00A0\uFEFF\n\r\u2028\u2029\u1680\u2000\u200A\u202F\u205F\u30001", "\u180E1", "\u200B1", "\u00851", "\x001", "\x1f1", "1\x00", "\uFEFF1", "\uFEFF\uFEFF{", "\uFEFF\n{", "\r{", "\r\n\r\n@", "\U0001F600", "1\U0001F600", "'\U0001F600'@",
		"'\xff'", "'\xc0\x80'", "'\xe2\x82'", "'\xe2\x82\xac'", "'\xe2(\xa1'", "'\xf0\x9f\x98\x80'", "'\xf0\x9f\x98'", "'\xf0\x80\x80\x80'", "'\xf5\x80'", "'\xed\xa0\x80'", "'\xed\x9f\xbf'", "'\xf4\x90\x80\x80'", "'\xe0\x9f\x80'", "{\xff:1}", "\xff", "\xef\xbb", "'\x80\x80'", "'\xc3",
		strings.Repeat("[", 500) + strings.Repeat("]", 500), strings.Repeat("{a:", 500) + "1" + strings.Repeat("}", 500),
	}
}
