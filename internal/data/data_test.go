package data

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/test/minisign"
)

// later is the built-in data, of a day to come, with changes.
func later(t testing.TB, change func(dir fstest.MapFS)) fstest.MapFS {
	t.Helper()
	dir := fstest.MapFS{}
	err := fs.WalkDir(fingerprints.FS, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := fs.ReadFile(fingerprints.FS, name)
		dir[name] = &fstest.MapFile{Data: text}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(dir[releaseFile].Data), `,`)
	dir[releaseFile].Data = []byte(`{"as_of":"2027-01-01T00:00:00Z",` + rest)
	if change != nil {
		change(dir)
	}
	return dir
}

// TestBuild: the same folder gives the same bytes, another number another version; what
// could not be installed is not built.
func TestBuild(t *testing.T) {
	v, packed, err := Build(later(t, nil), 1)
	if err != nil || v != "2027010101" {
		t.Fatal(v, err)
	}
	if _, again, err := Build(later(t, nil), 1); err != nil || !bytes.Equal(packed, again) {
		t.Errorf("the bytes differ: %v", err)
	}
	if v, other, err := Build(later(t, nil), 2); err != nil || v != "2027010102" || bytes.Equal(packed, other) {
		t.Errorf("%s, %v", v, err)
	}
	replace := func(name, old, new string) func(fstest.MapFS) {
		return func(dir fstest.MapFS) {
			text := strings.Replace(string(dir[name].Data), old, new, 1)
			if text == string(dir[name].Data) {
				t.Fatalf("%s has no %q", name, old)
			}
			dir[name].Data = []byte(text)
		}
	}
	for want, change := range map[string]func(fstest.MapFS){
		"config/keys.txt is not in it": func(dir fstest.MapFS) { delete(dir, "config/keys.txt") },
		"ollama.yaml is not in it":     func(dir fstest.MapFS) { delete(dir, "ollama.yaml") },
		`request "passive GET /lmstudio-other (lmstudio-greeting)" is not among`: replace("lmstudio.yaml", "/lmstudio-greeting", "/lmstudio-other"),
		"vnc.yaml: helper's port 5999 is not among":                              replace("vnc.yaml", "5900", "5999"),
		`hermes.yaml: never_ask "api-status" of hermes is missing`:               replace("hermes.yaml", "{request: api-status, any", "{request: openapi, any"),
		`request "passive GET /api/tags (api-tags)" is not among`:                replace("koboldcpp.yaml", "secret: true", "secret: false"),
		`"release" is not a release`:                                             replace("config/keys.txt", "releases", "release"),
		"advisories/openclaw.json:":                                              replace(advisoryFile, `"newest"`, `"newist"`),
		"config/audit.yaml:":                                                     func(dir fstest.MapFS) { dir["config/audit.yaml"].Data = []byte("x: 1\n") },
	} {
		if _, _, err := Build(later(t, change), 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	for _, n := range []int{0, -1, 100} {
		if _, _, err := Build(later(t, nil), n); err == nil {
			t.Errorf("number %d was taken", n)
		}
	}
}

// TestOwnData: a product may be added that asks for nothing new, and which listeners are
// left alone is never taken from a data file.
func TestOwnData(t *testing.T) {
	_, packed, err := Build(later(t, func(dir fstest.MapFS) {
		dir["local/listeners.yaml"].Data = []byte("left_alone: []\n")
		dir["toy.yaml"] = &fstest.MapFile{Data: []byte(`id: toy
name: Toy
ports: [18789]
requests:
  - {id: root, path: "{base}/", signals: {toy: {status: 200, title: The toy of this test}}}
identity:
  - {confidence: certain, any: [toy]}
`)}
	}), 1)
	if err != nil {
		t.Fatal(err)
	}
	k, err := Unsigned(packed)
	if err != nil {
		t.Fatal(err)
	}
	own, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(k.Set.Products()), len(own.Set.Products())+1; got != want {
		t.Errorf("%d products, want %d", got, want)
	}
	l, err := k.Listeners()
	if err != nil || len(l.LeftAlone) == 0 {
		t.Errorf("nothing is left alone: %v", err)
	}
	a, err1 := k.Digest()
	b, err2 := own.Digest()
	if err1 != nil || err2 != nil || a == b {
		t.Errorf("digests %s and %s, %v %v", a, b, err1, err2)
	}
	if err := k.Plausible(own); err != nil {
		t.Error(err)
	}
	if err := own.Plausible(k); err == nil {
		t.Error("older data is plausible")
	}
}

// TestPlausible: data that knows less is not published.
func TestPlausible(t *testing.T) {
	load := func(change func(fstest.MapFS), n int) *Known {
		t.Helper()
		_, packed, err := Build(later(t, change), n)
		if err != nil {
			t.Fatal(err)
		}
		k, err := Unsigned(packed)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	without := func(file string) func(fstest.MapFS) {
		return func(dir fstest.MapFS) { // all but the line before the last
			lines := strings.Split(strings.TrimSpace(string(dir[file].Data)), "\n")
			last := len(lines) - 2
			lines[last-1] = strings.TrimSuffix(lines[last-1], ",")
			dir[file].Data = []byte(strings.Join(append(lines[:last:last], lines[last+1:]...), "\n"))
		}
	}
	before := load(nil, 1)
	for want, k := range map[string]*Known{
		"is not newer":               load(nil, 1),
		"releases, and there were":   load(without(releaseFile), 2),
		"advisories, and there were": load(without(advisoryFile), 2),
		"as of 2026-01-01: those before were newer": load(func(dir fstest.MapFS) {
			_, rest, _ := strings.Cut(string(dir[advisoryFile].Data), ",")
			dir[advisoryFile].Data = []byte(`{"as_of":"2026-01-01",` + rest)
		}, 2),
	} {
		if err := k.Plausible(before); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if err := load(nil, 2).Plausible(before); err != nil {
		t.Error(err)
	}
}

func pack(t testing.TB, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestDecode: what cannot be a data file is told in a line, and unpacks to no more than
// the limit.
func TestDecode(t *testing.T) {
	file := func(name string) string {
		text, _ := json.Marshal(map[string]any{"schema": 1, "version": "2027010101", "files": map[string]string{name: ""}})
		return string(text)
	}
	for text, want := range map[string]string{
		`{}`:                                  "it is JSON with a schema",
		`[]`:                                  "it is JSON with a schema",
		`{"schema":2,"whatever":[1]}`:         "schema 2: it needs a newer clawsonar",
		`{"schema":1}`:                        "it has no version",
		`{"schema":1,"version":"20270101"}`:   "is a day and a number",
		`{"schema":1,"version":"2027130101"}`: "is a day and a number",
		`{"schema":1,"version":"2027010101","x":1}`: `unknown key "x"`,
		file("../x.yaml"):            "is no file of knowledge",
		file("local/listeners.yaml"): "is no file of knowledge",
		file("a/b.yaml"):             "is no file of knowledge",
		file("X.yaml"):               "is no file of knowledge",
		file("x.yaml\n"):             "is no file of knowledge",
		strings.Repeat("[", 100):     "nested deeper",
		`{"schema":1,"version":"2027010101","files":{"x.yaml":"` + strings.Repeat(" ", maxUnpacked) + `"}}`: "unpacks to more than 32 MiB",
	} {
		if _, err := decode(pack(t, text)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.80s: error %v, want %s", text, err, want)
		}
	}
	whole := pack(t, file("x.yaml"))
	for _, cut := range [][]byte{nil, []byte("x"), whole[:len(whole)/2], whole[:len(whole)-1], append(bytes.Clone(whole), 'x')} {
		if _, err := decode(cut); err == nil {
			t.Errorf("%d of %d bytes were read", len(cut), len(whole))
		}
	}
}

// TestVerify: each byte counts, of the file and of both signatures.
func TestVerify(t *testing.T) {
	file := []byte("data")
	sign := func(k minisign.Key) string { return k.Sign(file) }
	keys, err := parseKeys(minisign.Key(1).Public() + "\n" + minisign.Key(2).Public())
	if err != nil || len(keys) != 2 {
		t.Fatal(keys, err)
	}
	for _, k := range []minisign.Key{1, 2} {
		if by, err := verify(file, sign(k), keys); err != nil || by.id() != strings.Repeat("0"+string('0'+rune(k)), 8) {
			t.Errorf("key %d: %v", k, err)
		}
	}
	good := sign(1)
	lines := strings.SplitAfter(good, "\n")
	for name, text := range map[string]string{
		"empty": "", "one line": lines[0], "cut": good[:len(good)/2], "no trusted comment": lines[0] + lines[1] + lines[3],
		"of another file": minisign.Key(1).Sign([]byte("dat")), "another trusted comment": strings.Replace(good, "made for", "meant for", 1),
		"of a third key": sign(3), "a global signature of another": lines[0] + lines[1] + lines[2] + strings.SplitAfter(sign(2), "\n")[3],
		"the old kind": strings.Replace(good, "RUQ", "RWQ", 1),
	} {
		if _, err := verify(file, text, keys); err == nil {
			t.Errorf("%s: verified", name)
		}
	}
	for _, text := range []string{"", "untrusted comment: x\n", "untrusted comment: x\nRWTwaATT\n", strings.Repeat("A", 56)} {
		if k, err := parseKeys(text); err == nil {
			t.Errorf("%q has the keys %v", text, k)
		}
	}
	if k, err := parseKeys(trusted); err != nil || len(k) == 0 {
		t.Errorf("the keys that are built in: %v", err)
	}
}

// TestMinisign: a file that minisign itself has signed is installed and used.
func TestMinisign(t *testing.T) {
	program, err := exec.LookPath("minisign")
	if err != nil {
		t.Skip("minisign is not installed")
	}
	dir := t.TempDir()
	file, secret, public := filepath.Join(dir, "x.json.gz"), filepath.Join(dir, "k"), filepath.Join(dir, "k.pub")
	_, packed, err := Build(later(t, nil), 1)
	if err == nil {
		err = os.WriteFile(file, packed, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-G", "-W", "-p", public, "-s", secret}, {"-S", "-s", secret, "-m", file}, {"-V", "-p", public, "-m", file}} {
		if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
			t.Fatalf("minisign %v: %v\n%s", args, err, out)
		}
	}
	s, err := Read(file, public)
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "installed")
	if _, err := PlaceOf(folder).Install(s); err != nil {
		t.Fatal(err)
	}
	k, err := Open(folder)
	if err != nil || k.Version != "2027010101" || !k.OwnKey {
		t.Errorf("%+v, %v", k, err)
	}
	if out, err := exec.Command(program, "-V", "-p", k.File+keyEnding, "-m", k.File).CombinedOutput(); err != nil {
		t.Errorf("what is installed, by minisign: %v\n%s", err, out)
	}
}

// TestLeftovers: of an installation that was broken off nothing is used.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"clawsonar-data-2027010101.json.gz.minisig", "clawsonar-data-2027010101.json.gz.pub", "clawsonar-data-x.json.gz", "clawsonar-data-2027010101.json.gz.part", "2027010101.json.gz"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if k, err := Open(dir); err != nil || k.File != "" || k.Passed != "" {
		t.Errorf("%+v, %v", k, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"schema":1,"version":"2027010101","files":{"x.yaml":"id: x"}}`))
	f.Add([]byte(`{"schema":2}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := decode(pack(t, string(text)))
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n") {
				t.Errorf("more than a line: %q", err)
			}
			return
		}
		again, err := Encode(d.Version, d.Files)
		if err != nil {
			t.Fatal(err)
		}
		if e, err := decode(again); err != nil || e.Version != d.Version || len(e.Files) != len(d.Files) {
			t.Errorf("%v, %v", e, err)
		}
	})
}

func FuzzVerify(f *testing.F) {
	file := []byte("data")
	good := minisign.Key(1).Sign(file)
	f.Add(good, minisign.Key(1).Public())
	f.Add(strings.ReplaceAll(good, "\n", "\r\n"), minisign.Key(2).Public())
	f.Fuzz(func(t *testing.T, signature, public string) {
		keys, err := parseKeys(public)
		if err != nil {
			return
		}
		if _, err := verify([]byte("dat"), signature, keys); err == nil && public == minisign.Key(1).Public() {
			t.Errorf("verified: %q", signature)
		}
	})
}

// TestUpdateCommand: data is installed where it is read.
func TestUpdateCommand(t *testing.T) {
	for value, want := range map[string]string{
		"": "clawsonar data update", OnlyBuiltin: "clawsonar data update", "x.json.gz": "clawsonar data update",
		"/var/lib/clawsonar": "CLAWSONAR_DATA=/var/lib/clawsonar clawsonar data update",
	} {
		if got := UpdateCommand(value); got != want {
			t.Errorf("%q: %s", value, got)
		}
	}
}
