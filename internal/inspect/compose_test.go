package inspect

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
)

func TestCompose(t *testing.T) { modelGoldens(t, "compose", composeReader()) }

func TestInterpolate(t *testing.T) {
	env := func(name string) deploy.Value {
		switch name {
		case "X":
			return deploy.Value{State: deploy.Set, Text: "x", Pos: event.Pos{File: ".env", Line: 3}}
		case "E":
			return deploy.Value{State: deploy.Set}
		case "P":
			return deploy.Value{State: deploy.Present}
		}
		return deploy.Value{}
	}
	for _, tt := range []struct {
		in    string
		state deploy.State
		text  string
	}{
		{"plain", deploy.Set, "plain"},
		{"$X-${X}", deploy.Set, "x-x"},
		{"$$X $${X}", deploy.Set, "$X ${X}"},
		{"$N", deploy.Assumed, ""},
		{"a${N}b", deploy.Assumed, "ab"},
		{"${N:-d}", deploy.Assumed, "d"},
		{"${E:-d}${E-d}", deploy.Assumed, "d"},
		{"${E-d}", deploy.Set, ""},
		{"${X:-d}", deploy.Set, "x"},
		{"${N:-${M:-deep}}", deploy.Assumed, "deep"},
		{"${N:?must}", deploy.Present, ""},
		{"${X?must}", deploy.Set, "x"},
		{"${X:+a}${N:+b}", deploy.Assumed, "a"},
		{"${P}", deploy.Present, ""},
		{"a${P}", deploy.Unknown, "a"},
		{"${", deploy.Unknown, "${"},
		{"${X", deploy.Unknown, "${X"},
		{"$", deploy.Unknown, "$"},
	} {
		v := interpolate(tt.in, event.Pos{}, env)
		if v.State != tt.state || v.Text != tt.text {
			t.Errorf("%s: %d %q, want %d %q", tt.in, v.State, v.Text, tt.state, tt.text)
		}
	}
}

func TestDotenv(t *testing.T) {
	vars := dotenv(".env", []byte("\ufeffA=1\n# c\nexport B='q $A' # x\nC=\"a\\n$A\"\nD=x#y # z\nE: f\nG=\"two\nlines\"\nH=${A}2\nI\nJ=\n-bad\nK==\r\n"), nil)
	var b []string
	for _, k := range []string{"A", "B", "C", "D", "E", "G", "H", "I", "J", "K"} {
		if v, ok := vars[k]; ok {
			b = append(b, fmt.Sprintf("%s=%q@%d", k, v.Text, v.Pos.Line))
		}
	}
	want := `A="1"@1 B="q $A"@3 C="a\n1"@4 D="x#y"@5 E="f"@6 G="two\nlines"@7 H="12"@9 J=""@11 K="="@13`
	if got := strings.Join(b, " "); got != want {
		t.Errorf("%s, want\n%s", got, want)
	}
}

func TestPortMapping(t *testing.T) {
	for in, want := range map[string]string{
		"80":                  "|||80|",
		"8080:80":             "||8080|80|",
		"127.0.0.1:8080:80":   "|127.0.0.1|8080|80|",
		"127.0.0.1::80":       "|127.0.0.1||80|",
		"[::1]:8080:80/TCP":   "|::1|8080|80|tcp",
		"[::]:8080:80":        "|::|8080|80|",
		"::1:8080:80":         "|::1|8080|80|",
		"3000-3005:3000-3005": "||3000-3005|3000-3005|",
		"53:53/udp":           "||53|53|udp",
	} {
		a, p, target, proto := portMapping(in)
		if got := "|" + a + "|" + p + "|" + target + "|" + proto; got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// What others have made to take memory or time takes neither.
func TestComposeHostile(t *testing.T) {
	bomb := "x0: &a0 [1,1,1,1,1,1,1,1,1,1]\n"
	for i := range 20 {
		bomb += fmt.Sprintf("x%d: &a%d [%s*a%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d,", i), 9), i)
	}
	ports := "x: &p\n" + strings.Repeat("  - 1-2000:1-2000\n", 1000)
	many := ports + "services:\n"
	for i := range 3000 {
		many += fmt.Sprintf("  s%d: {image: openclaw, ports: *p, environment: *p, labels: *p, env_file: *p, volumes: *p, command: *p}\n", i)
	}
	self := "services:\n  a: {extends: b}\n  b: {extends: a}\n  c: {extends: c}\n  d: {network_mode: 'service:d', image: openclaw}\n"
	for name, text := range map[string]string{
		"bomb":   bomb + "services: {a: {image: openclaw, ports: *a20, command: *a20, environment: *a20}}\n",
		"many":   many,
		"self":   self,
		"cycle":  "services: &a {a: {<<: *a, image: openclaw}}\n",
		"deep":   "services: " + strings.Repeat("[", 9000),
		"merges": "x: &m {" + strings.Repeat("a,", 5000) + "}\nservices:\n  a: {image: openclaw, labels: {<<: [" + strings.Repeat("*m,", 20000) + "]}}\n",
		"dollar": "services: {a: {image: 'openclaw" + strings.Repeat("${A:-", 100_000) + "'}}\n",
	} {
		start := time.Now()
		files := map[string]string{"compose.yaml": text}
		m := readModel(files, composeReader())
		checkPlaces(t, m, files)
		if d := time.Since(start); d > 20*time.Second {
			t.Errorf("%s takes %v", name, d)
		}
	}
}

func FuzzCompose(f *testing.F) {
	f.Add("services:\n  a:\n    image: openclaw:2026.9.6\n    ports: ['${A:-1}:18789', {target: 1, published: 2-3}]\n    environment: [A=b, C]\n    env_file: .env\n", "A=1\nB='2'\n")
	f.Add("x: &x {command: sh -c 'openclaw gateway --token $T'}\nservices: {a: {<<: *x, extends: {service: b}, network_mode: service:b}, b: {build: {context: .}, networks: [n]}}\nnetworks: {n: {ipam: {config: [{subnet: 10.0.0.0/8}]}}}\n", "")
	f.Fuzz(func(t *testing.T, text, env string) {
		files := map[string]string{"compose.yaml": text, ".env": env, "compose.override.yml": text, "compose.x.yml": text}
		checkPlaces(t, readModel(files, composeReader()), files)
	})
}
