package openclaw

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/json5"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/release"
)

func keys(t testing.TB) *Keys {
	t.Helper()
	text, err := fingerprints.FS.ReadFile(KeysFile)
	if err != nil {
		t.Fatal(err)
	}
	k, err := ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeysFile(t *testing.T) {
	data, err := os.ReadFile("../../fingerprints/" + KeysFile)
	if err != nil {
		t.Fatal(err)
	}
	if got := keys(t).Format(); !bytes.Equal(got, data) {
		t.Error("the table is not as Format writes it: run go run ./internal/tools/configkeys")
	}
	var names []string
	for _, r := range keys(t).Releases() {
		names = append(names, r.String())
	}
	if len(names) < 15 || !slices.Equal(names[:15], labReleases()) {
		t.Errorf("releases %v", names)
	}
}

// TestKeyHistories: keys whose histories are known.
func TestKeyHistories(t *testing.T) {
	k := keys(t)
	for path, want := range map[string]string{
		"agents.list.[]": "2026.1.24-3 2026.7.35", "agents.entries.*": "2026.8.2 2026.9.6",
		"gateway.nodes.allowCommands": "2026.1.24-3 2026.7.35", "gateway.nodes.commands.allow": "2026.8.2 2026.9.6",
		"logging.redactSensitive": "2026.1.24-3 2026.7.35", "gateway.controlUi.allowInsecureAuth": "2026.1.24-3 2026.7.35",
		"gateway.controlUi.dangerouslyDisableDeviceAuth": "2026.1.29 2026.9.6", "gateway.controlUi.allowedOrigins": "2026.2.9 2026.9.6",
		"gateway.controlUi.dangerouslyAllowHostHeaderOriginFallback": "2026.2.26 2026.9.6", "gateway.auth.rateLimit": "2026.2.26 2026.9.6",
		"gateway.auth.trustedProxy.allowLoopback": "2026.5.7 2026.9.6", "gateway.nodes.pairing.autoApproveCidrs": "2026.4.25 2026.9.6",
		"gateway.terminal": "2026.7.35 2026.9.6", "gateway.tailscale.serviceName": "2026.6.11 2026.7.35", "hooks.allowedAgentIds": "2026.2.26 2026.9.6",
		"canvasHost": "2026.1.24-3 2026.5.7", "browser.controlUrl": "2026.1.24-3 2026.1.24-3", "gateway.customBindHost": "2026.2.26 2026.9.6",
	} {
		n := k.root
		for key := range strings.SplitSeq(path, ".") {
			if n = n.children[key]; n == nil {
				break
			}
		}
		if n == nil {
			t.Errorf("%s is not there", path)
			continue
		}
		first, last := k.span(n.known)
		if got := first + " " + last; got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	k := keys(t)
	for _, tt := range []struct {
		text, release string
		want          string // paths, ids and whether fatal
	}{
		{`{"$schema":"x","gateway":{"auth":{"token":{"source":"env","id":"X"}}},"channels":{"unheard":{"of":1}},"plugins":{"entries":{"mine":{"config":{"a":1}}}},"env":{"vars":{"A":"b"}}}`, "2026.9.6", ""},
		{`{"gateway":{"frobnicate":true}}`, "2026.9.6", "gateway.frobnicate unknown-key!"},
		{`{"gateway":{"frobnicate":true}}`, "", "gateway.frobnicate unknown-key!"},
		{`{"gateway":{"frobnicate":true}}`, "2026.10.1", "gateway.frobnicate newer-key"},
		{`{"agents":{"list":[{"id":"a","nope":1}]}}`, "2026.6.11", "agents.list.[].nope unknown-key!"},
		{`{"agents":{"list":[{"id":"a"}]}}`, "2026.9.6", "agents.list migrated-key"},
		{`{"agents":{"list":[{"id":"a"}]}}`, "2026.8.1", "agents.list maybe-key"},
		{`{"agents":{"entries":{"a":{}}}}`, "2026.6.11", "agents.entries key-of-later!"},
		{`{"agents":{"entries":{"a":{}},"list":[{"id":"a"}]}}`, "", ""},
		{`{"canvasHost":{"enabled":true}}`, "2026.6.11", "canvasHost retired-key!"},
		{`{"gateway":{"port":"18789"}}`, "2026.9.6", "gateway.port value!"},
		{`{"gateway":{"bind":"0.0.0.0"}}`, "2026.9.6", "gateway.bind value!"},
		{`{"gateway":{"auth":{"mode":"none"}}}`, "2026.2.9", "gateway.auth.mode value!"},
		{`{"gateway":{"auth":{"mode":"none"}}}`, "", ""},
		{`{"gateway":{"auth":{"token":{"source":"env","id":"X"}}}}`, "2026.2.9", "gateway.auth.token value! gateway.auth.token.id key-of-later! gateway.auth.token.source key-of-later!"},
		{`{"gateway":{"trustedProxies":"10.0.0.1"}}`, "2026.9.6", "gateway.trustedProxies value!"},
		{`{"browser":{"profiles":{"x":{"cdpUrl":"http://a"}}}}`, "2026.6.11", "browser.profiles.x.color lacks-key!"},
		{`{"browser":{"profiles":{"x":{"cdpUrl":"http://a"}}}}`, "2026.9.6", ""},
		{`{"gateway":[]}`, "2026.9.6", "gateway value!"},
	} {
		r, _ := release.Parse(tt.release)
		var got []string
		for _, p := range k.Check(doc(t, tt.text), r) {
			s := p.Path + " " + strings.TrimPrefix(p.ID, "config-invalid.")
			if p.Fatal {
				s += "!"
			}
			got = append(got, s)
			if p.Pos.IsZero() {
				t.Errorf("%s: no position", tt.text)
			}
			if err := message.New(p.ID, p.Args...).Check(); err != nil {
				t.Error(err)
			}
		}
		slices.Sort(got)
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s in %q: %s, want %s", tt.text, tt.release, s, tt.want)
		}
	}
	d := doc(t, `{"agents":{"list":[{"id":"a"}]}}`)
	d.Included = []string{"more.json5"}
	if p := k.Check(d, release.MustParse("2026.9.6")); len(p) != 1 || !p[0].Fatal {
		t.Errorf("of several files: %+v", p)
	}
	if p := k.Check(nil, release.Version{}); p != nil {
		t.Errorf("no document: %+v", p)
	}
}

func TestParseKeysErrors(t *testing.T) {
	for _, text := range []string{"", "gateway\n", "releases x\n", "releases 2026.2.9 2026.1.29\n", "releases 2026.1.29\n  a\n", "releases 2026.1.29\na 2026.2.9..\n", "releases 2026.1.29\na b\n", "releases 2026.1.29\na\na\n", "releases 2026.1.29\n\n"} {
		if _, err := ParseKeys([]byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte(`{"gateway":{"frobnicate":true,"port":"1"},"agents":{"list":[{"id":"a"}]}}`), "2026.9.6")
	f.Add([]byte(`{gateway:{auth:{token:"$X",password:{source:"env",id:"Y"}},bind:"custom"}}`), "2026.3.13")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		r, _ := release.Parse(text)
		root, err := json5.Parse("f.json", data)
		if err != nil {
			return
		}
		d := &Document{Root: root}
		if p := keys(t).Check(d, r); len(p) > maxKeyProblems {
			t.Errorf("%d problems", len(p))
		}
		Resolve(Input{Doc: d, Env: unknownEnv, Release: r})
	})
}

func BenchmarkParseKeys(b *testing.B) {
	data := keys(b).Format()
	for b.Loop() {
		if _, err := ParseKeys(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	root, err := json5.Parse("f.json", []byte(`{gateway:{auth:{token:"x"},bind:"lan",port:18789,controlUi:{allowedOrigins:["https://a"]}},agents:{entries:{a:{},b:{},c:{}}},logging:{redactSensitive:"off"}}`))
	if err != nil {
		b.Fatal(err)
	}
	d, r, k := &Document{Root: root}, release.MustParse("2026.9.6"), keys(b)
	for b.Loop() {
		k.Check(d, r)
	}
}
