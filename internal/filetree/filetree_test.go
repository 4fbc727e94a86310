package filetree

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func names(t Tree) string {
	var out []string
	for _, i := range t.Files() {
		name := i.Name
		switch {
		case i.Mode.IsDir():
			name += "/"
		case i.Mode&fs.ModeSymlink != 0:
			name += "->" + i.Link
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

func skipped(t Tree) string {
	var out []string
	for _, s := range t.Skipped() {
		out = append(out, s.Name+"="+strings.TrimPrefix(string(s.Why), "left-out."))
	}
	return strings.Join(out, " ")
}

func put(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		full := filepath.Join(dir, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(full), 0o755)
		if to, ok := strings.CutPrefix(text, "->"); err == nil && ok {
			err = os.Symlink(to, full)
		} else if err == nil {
			err = os.WriteFile(full, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// stream makes a tar stream; of an entry without a type the content decides.
func stream(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := e.Header
		if h.Mode == 0 {
			h.Mode = 0o640
		}
		h.Size = int64(len(e.text))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type entry struct {
	tar.Header
	text string
}

func file(name, text string) entry { return entry{tar.Header{Name: name, Typeflag: tar.TypeReg}, text} }

func link(kind byte, name, to string) entry {
	return entry{tar.Header{Name: name, Typeflag: kind, Linkname: to}, ""}
}

func zip(data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(data)
	_ = z.Close()
	return b.Bytes()
}

// The same tree, of each kind, shows the same.
func TestTrees(t *testing.T) {
	files := map[string]string{
		"openclaw.json":                          "{}",
		"nginx/sites-available/gw":               "server {}",
		"nginx/sites-enabled/gw":                 "->../sites-available/gw",
		"nginx/absolute":                         "->/nginx/sites-available/gw",
		"conf":                                   "->nginx/sites-available",
		"out":                                    "->../out",
		"out2":                                   "->nginx/../../out",
		"loop":                                   "->loop",
		"node_modules/openclaw/package.json":     `{"version":"2026.9.6"}`,
		"node_modules/express/package.json":      `{"version":"1"}`,
		"app/node_modules/clawdbot/package.json": `{"version":"2026.1.24-3"}`,
		"app/node_modules/clawdbot/dist/entry.js": "x",
		".git/config": "[core]",
		"node_modules/.cache/openclaw/package.json": "x",
	}
	dir := t.TempDir()
	put(t, dir, files)
	if err := os.RemoveAll(filepath.Join(dir, ".git")); err != nil {
		t.Fatal(err)
	}
	put(t, dir, map[string]string{"sub/.git/config": "[core]"})
	files["sub/.git/config"] = files[".git/config"]
	delete(files, ".git/config")

	ofDir, err := Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]fs.FileMode{}
	texts := map[string]string{}
	var entries []entry
	for name, text := range files {
		if to, ok := strings.CutPrefix(text, "->"); ok {
			modes[name] = fs.ModeSymlink | 0o777
			entries = append(entries, link(tar.TypeSymlink, name, to))
			text = to
		} else {
			entries = append(entries, file("./"+name, text))
		}
		texts[name] = text
	}
	ofTar, err := Tar(bytes.NewReader(zip(stream(t, entries...))))
	if err != nil {
		t.Fatal(err)
	}
	for what, tree := range map[string]Tree{"dir": ofDir, "tar": ofTar, "map": Map(texts, modes)} {
		t.Run(what, func(t *testing.T) {
			var shown []string
			for _, i := range tree.Files() {
				if !i.Mode.IsDir() {
					shown = append(shown, i.Name+"->"+i.Link)
				}
			}
			want := "app/node_modules/clawdbot/package.json-> conf->nginx/sites-available loop->loop nginx/absolute->nginx/sites-available/gw " +
				"nginx/sites-available/gw-> nginx/sites-enabled/gw->nginx/sites-available/gw node_modules/openclaw/package.json-> openclaw.json-> out-> out2->"
			if got := strings.Join(shown, " "); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			for _, want := range []string{"out=outside", "out2=outside", "sub/.git=never", "node_modules=never"} {
				if !slices.Contains(strings.Fields(skipped(tree)), want) {
					t.Errorf("%s is not in %s", want, skipped(tree))
				}
			}
			for name, want := range map[string]string{
				"openclaw.json": "{}", "conf/gw": "server {}", "nginx/sites-enabled/gw": "server {}", "nginx/absolute": "server {}",
				"nginx/../openclaw.json": "{}", "./openclaw.json": "{}", "node_modules/openclaw/package.json": `{"version":"2026.9.6"}`,
			} {
				if got, err := tree.Read(name, 100); err != nil || string(got) != want {
					t.Errorf("%s: %q, %v", name, got, err)
				}
			}
			for _, name := range []string{"out", "out2", "loop", "", "/", "..", "../x", "/etc/passwd", "nginx", "openclaw.json/x", "none", "a\x00b"} {
				if got, err := tree.Read(name, 100); err == nil {
					t.Errorf("%q: %q", name, got)
				}
			}
			if _, err := tree.Read("nginx/absolute", 8); err == nil || !strings.Contains(err.Error(), "larger than 8 bytes") {
				t.Error(err)
			}
			for name, isDir := range map[string]bool{".": true, "nginx": true, "conf": true, "conf/gw": false} {
				if i, ok := tree.Stat(name); !ok || i.Mode.IsDir() != isDir {
					t.Errorf("%s: %v %v", name, i, ok)
				}
			}
			if !tree.Modes() {
				t.Error("no modes")
			}
		})
	}
	if Map(texts).Modes() {
		t.Error("a map without modes tells modes")
	}
}

func TestDir(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes and owners are not those of Windows")
	}
	dir := t.TempDir()
	put(t, dir, map[string]string{"state/openclaw.json": "{}", "state/link": "->" + dir + "/state/openclaw.json", "state/outer": "->" + dir + "/secret", "secret": "x", "named": "->state/openclaw.json"})
	if err := os.Chmod(filepath.Join(dir, "state"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(dir, "secret"), filepath.Join(dir, "state", "hard")); err != nil {
		t.Fatal(err)
	}
	tree, err := Dir(filepath.Join(dir, "state"))
	if err != nil {
		t.Fatal(err)
	}
	if got := names(tree); got != "hard link->openclaw.json openclaw.json outer->" {
		t.Error(got)
	}
	if i, ok := tree.Stat("."); !ok || i.Mode != fs.ModeDir|0o750 || i.UID != os.Getuid() {
		t.Errorf("%+v", i)
	}
	if i, _ := tree.Stat("hard"); i.Links != 2 {
		t.Errorf("%+v", i)
	}
	// A file has its directory for what it includes.
	for _, name := range []string{"state/openclaw.json", "named"} {
		tree, err = Dir(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := names(tree); got != "openclaw.json" {
			t.Error(got)
		}
		if got, err := tree.Read("hard", 10); err != nil || string(got) != "x" {
			t.Errorf("%q, %v", got, err)
		}
		if got, err := tree.Read("../secret", 10); err == nil {
			t.Errorf("%q", got)
		}
	}
	for name, want := range map[string]bool{"a/b": false, "checkout/b": true, "checkout": true} {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(full, 0o755); err != nil {
			t.Fatal(err)
		}
		put(t, dir, map[string]string{"checkout/.git/HEAD": "ref"})
		if tree, err := Dir(full); err != nil || tree.Modes() == want {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{filepath.Join(dir, "none"), "/dev/null", ""} {
		if _, err := Open(name); err == nil {
			t.Errorf("%s is opened", name)
		}
	}
}

func TestSome(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, map[string]string{"home/.openclaw/openclaw.json": "{}", "home/other/x": "x", "etc/a.conf": "a", "etc/b.conf": "->/etc/a.conf"})
	tree, err := Some(dir, "home/.openclaw", "etc/a.conf", "none", "../..")
	if err != nil {
		t.Fatal(err)
	}
	if got := names(tree); got != "etc/a.conf home/.openclaw/ home/.openclaw/openclaw.json" {
		t.Error(got)
	}
	if got, err := tree.Read("etc/b.conf", 10); err != nil || string(got) != "a" {
		t.Errorf("%q, %v", got, err)
	}
}

// Each of these costs its bound and a line.
func TestHostileDir(t *testing.T) {
	t.Run("nest", func(t *testing.T) {
		dir := t.TempDir()
		t.Cleanup(func() { _ = exec.Command("rm", "-rf", filepath.Join(dir, "d")).Run() })
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		for range 10_000 {
			if err := root.Mkdir("d", 0o755); err != nil {
				t.Fatal(err)
			}
			next, err := root.OpenRoot("d")
			if err != nil {
				t.Fatal(err)
			}
			root.Close()
			root = next
		}
		root.Close()
		tree, err := Dir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if n, s := len(tree.Files()), tree.Skipped(); n != MaxDepth-1 || len(s) != 1 || s[0].Why != TooDeep {
			t.Errorf("%d, %v", n, s)
		}
		if _, ok := tree.Stat(strings.Repeat("d/", 5000) + "d"); ok {
			t.Error("too deep to look at")
		}
	})
	t.Run("sparse", func(t *testing.T) {
		dir := t.TempDir()
		put(t, dir, map[string]string{"a.yml": ""})
		if err := os.Truncate(filepath.Join(dir, "a.yml"), 1<<30); err != nil {
			t.Skip(err)
		}
		tree, err := Dir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tree.Read("a.yml", 2<<20); err == nil || !strings.Contains(err.Error(), "a.yml: larger than 2 MiB") {
			t.Error(err)
		}
	})
	t.Run("unreadable", func(t *testing.T) {
		if os.Getuid() == 0 || runtime.GOOS == "windows" {
			t.Skip("root reads everything")
		}
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "d"), 0); err != nil {
			t.Fatal(err)
		}
		tree, err := Dir(dir)
		if err != nil || skipped(tree) != "d=unreadable" {
			t.Errorf("%v, %v", skipped(tree), err)
		}
	})
	t.Run("links", func(t *testing.T) {
		files, modes := map[string]string{"l0": "x"}, map[string]fs.FileMode{}
		for i := range 100 {
			name := fmt.Sprint("l", i+1)
			files[name], modes[name] = fmt.Sprint("l", i), fs.ModeSymlink
		}
		tree := Map(files, modes)
		if _, ok := tree.Stat("l40"); !ok {
			t.Error("40 links are too many")
		}
		if _, ok := tree.Stat("l41"); ok {
			t.Error("41 links are followed")
		}
	})
}

func TestBounds(t *testing.T) {
	var l list
	for i := range MaxFiles + 10 {
		if l.add(Info{Name: "name"}) != (i < MaxFiles) {
			t.Fatal(i)
		}
	}
	if len(l.infos) != MaxFiles || len(l.skipped) != 1 || l.skipped[0].Why != TooMany {
		t.Errorf("%d, %v", len(l.infos), l.skipped)
	}
	l = list{}
	for range 20 {
		l.add(Info{Name: strings.Repeat("x", 1<<20)})
	}
	if len(l.infos) != 12 {
		t.Error(len(l.infos))
	}
	long := strings.Repeat("x", 1<<20)
	for range 2 * MaxSkipped {
		l.skip(long, Special)
	}
	if len(l.skipped) != MaxSkipped || len(l.skipped[5].Name) > 1024 {
		t.Error(len(l.skipped))
	}
}

func TestTar(t *testing.T) {
	data := stream(t,
		file("../x", "1"), file("a/../../y", "1"), file("/etc/nginx/nginx.conf", "first"), file("./etc//nginx/nginx.conf", "second"),
		link(tar.TypeSymlink, "etc/up", "../../../etc/passwd"), link(tar.TypeSymlink, "etc/abs", "/etc/nginx/nginx.conf"),
		link(tar.TypeLink, "hard", "etc/nginx/nginx.conf"), link(tar.TypeLink, "hard2", "../../etc/passwd"), link(tar.TypeLink, "hard", "hard"),
		link(tar.TypeChar, "dev", ""), link(tar.TypeFifo, "fifo", ""),
		file("sqlite", "a\x00b"), file("a.log", "long"), file("big", strings.Repeat("x", maxFile+1)),
		file(strings.Repeat("d/", 80)+"f", "1"), file("x/.git/config", "1"), file("gone", "text"), link(tar.TypeDir, "gone", ""),
	)
	for _, data := range [][]byte{data, zip(data)} {
		tree, err := Tar(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if got := names(tree); got != "a.log big etc/abs->etc/nginx/nginx.conf etc/nginx/nginx.conf etc/up-> gone/ hard sqlite" {
			t.Error(got)
		}
		deep := strings.TrimSuffix(strings.Repeat("d/", MaxDepth), "/")
		if got := skipped(tree); got != "../x=outside a/../../y=outside "+deep+"=too-deep dev=special etc/up=outside fifo=special hard2=outside x/.git=never" {
			t.Error(got)
		}
		for name, want := range map[string]string{"etc/nginx/nginx.conf": "second", "etc/abs": "second", "hard": "second"} {
			if got, err := tree.Read(name, 100); err != nil || string(got) != want {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
		for name, want := range map[string]string{"sqlite": "sqlite: its content was not kept", "a.log": "not kept", "big": "larger than 100 bytes", "gone": "not a file"} {
			if _, err := tree.Read(name, 100); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if i, _ := tree.Stat("hard"); i.Links != 2 || i.Mode != 0o640 {
			t.Errorf("%+v", i)
		}
	}
	for n, data := range map[string][]byte{"cut": data[:1300], "cut in the content": data[:len(data)-maxFile/2], "none": []byte(strings.Repeat("hello ", 200))} {
		if tree, err := Tar(bytes.NewReader(data)); err == nil {
			t.Errorf("%s: %s", n, names(tree))
		}
	}
	if tree, err := Tar(strings.NewReader("")); err != nil || len(tree.Files()) != 0 {
		t.Error(err)
	}
}

// The memory of a stream is bounded whatever it holds.
func TestTarMemory(t *testing.T) {
	text := strings.Repeat("x", 1<<20)
	var many, same []entry
	for i := range 40 {
		many = append(many, file(fmt.Sprint("f", i), text))
		same = append(same, file("same", text), link(tar.TypeLink, fmt.Sprint("link", i), "same"))
	}
	for what, entries := range map[string][]entry{"many": many, "same": same} {
		tree, err := Tar(bytes.NewReader(stream(t, entries...)))
		if err != nil {
			t.Fatal(err)
		}
		kept := 0
		for _, d := range tree.(*archive).data {
			kept += len(d)
		}
		if kept > maxKept || kept < maxKept-3<<20 || !strings.Contains(skipped(tree), "=too-much") {
			t.Errorf("%s: %d bytes, %s", what, kept, skipped(tree))
		}
	}
	bomb := zip(stream(t, file("zeros", strings.Repeat("\x00", 100<<20))))
	if _, err := Tar(bytes.NewReader(bomb)); err == nil || !strings.Contains(err.Error(), "200 times") {
		t.Error(err)
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	plain := stream(t, file("in/openclaw.json", "{}"))
	put(t, dir, map[string]string{"a.tar": string(plain), "packed": string(zip(plain)), "x.json": "{}", "empty": ""})
	for name, want := range map[string]string{"a.tar": "in/openclaw.json", "packed": "in/openclaw.json", "x.json": "x.json", "empty": "empty", "": "a.tar empty packed x.json"} {
		tree, err := Open(filepath.Join(dir, name))
		if err != nil || names(tree) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Nothing in a stream leads out, is listed twice or is kept past the bound.
func FuzzTar(f *testing.F) {
	t := new(testing.T)
	f.Add(stream(t, file("a", "1"), link(tar.TypeSymlink, "b", "a"), link(tar.TypeLink, "c", "a"), file("./a", "2")))
	f.Add(stream(t, file("../a", "1"), link(tar.TypeSymlink, "b", "/b"), link(tar.TypeLink, "b", "b"), file("b/c", "2")))
	f.Add(zip(stream(t, link(tar.TypeDir, "d/", ""), file("d/e", "x"))))
	f.Fuzz(func(t *testing.T, data []byte) {
		tree, err := Tar(bytes.NewReader(data))
		if err != nil {
			return
		}
		last := ""
		for _, i := range tree.Files() {
			if !fs.ValidPath(i.Name) || i.Name <= last && last != "" || i.Link != "" && !fs.ValidPath(i.Link) {
				t.Fatalf("%q after %q, %q", i.Name, last, i.Link)
			}
			last = i.Name
			_, _ = tree.Stat(i.Name)
			if text, err := tree.Read(i.Name, 100); err == nil && len(text) > 100 {
				t.Fatal(len(text))
			}
		}
	})
}
