package cli_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"
)

// inspected is what a run of inspect came to.
type inspected struct {
	code           int
	peak           int64 // bytes
	cpu            time.Duration
	stdout, stderr string
	stream         string
}

// inspectTree runs inspect in a child.
func inspectTree(t *testing.T, name string) inspected {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // only ends what hangs
	defer cancel()
	stream, peak := filepath.Join(dir, "out.jsonl"), filepath.Join(dir, "peak")
	cmd := exec.CommandContext(ctx, "clawsonar", "inspect", name, "-o", "jsonl="+stream)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), peakFile+"="+peak, "HOME="+dir)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatal("hangs")
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	told, err := os.ReadFile(peak)
	kib, err2 := strconv.ParseInt(string(told), 10, 64)
	if err != nil || err2 != nil {
		t.Fatalf("%v %v: exit code %d, stderr %.3000s", err, err2, cmd.ProcessState.ExitCode(), stderr.String())
	}
	out, _ := os.ReadFile(stream)
	r := inspected{cmd.ProcessState.ExitCode(), kib << 10, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), stdout.String(), stderr.String(), string(out)}
	t.Logf("%d MiB, %v of CPU, exit code %d, %d bytes", kib>>10, r.cpu.Round(time.Millisecond), r.code, len(out))
	if r.peak >= maxPeak {
		t.Errorf("takes %d MiB", kib>>10)
	}
	if r.code != 0 {
		t.Errorf("exit code %d, stderr %.300q", r.code, r.stderr)
	}
	for _, text := range []string{r.stdout, r.stderr, r.stream} {
		if i := strings.IndexFunc(text, func(c rune) bool { return c != '\n' && unicode.IsControl(c) }); i >= 0 {
			t.Errorf("not clean: %.80q", text[i:])
		}
	}
	return r
}

// pack writes a directory as a tar file.
func pack(t *testing.T, dir string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "tree.tar")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := tar.NewWriter(f)
	err = filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		info, err2 := os.Lstat(name)
		if err != nil || err2 != nil || info.Mode()&fs.ModeSocket != 0 {
			return errors.Join(err, err2)
		}
		link := ""
		if info.Mode()&fs.ModeSymlink != 0 {
			link, _ = os.Readlink(name)
		}
		h, err := tar.FileInfoHeader(info, link)
		if err != nil {
			return err
		}
		h.Name, _ = filepath.Rel(dir, name)
		if err := w.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
			return err
		}
		in, err := os.Open(name)
		if err != nil {
			return err
		}
		defer in.Close()
		_, err = io.Copy(w, in)
		return err
	})
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return name
}

func put(t *testing.T, dir, name string, parts ...any) {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	text(parts...)(f)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// A repository of 1,000 YAML files, each with a gateway, takes less than maxPeak, as a
// directory and as a tar stream.
func TestInspectRepository(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads the memory of a child from /proc")
	}
	dir := t.TempDir()
	for i := range 1000 {
		put(t, dir, fmt.Sprintf("deploy/d%d/compose.yaml", i), fmt.Sprintf("services:\n  openclaw:\n    image: openclaw/openclaw:2026.9.6\n    environment:\n"+
			"      OPENCLAW_GATEWAY_TOKEN: %d-9f2c7e51b0a84d36\n    ports: ['%d:18789']\n  web:\n    image: nginx\n    ports: ['80:80']\n", i, 20000+i))
	}
	for name, at := range map[string]string{"directory": dir, "tar": pack(t, dir)} {
		t.Run(name, func(t *testing.T) {
			r := inspectTree(t, at)
			if n := strings.Count(r.stream, `"outcome":"identified"`); n != 1000 {
				t.Errorf("%d gateways", n)
			}
		})
	}
}

// hostile are files that are made to take memory or time, and that each are to be named
// as not judged.
func hostile() map[string][]any {
	laughs := ""
	for c := 'b'; c <= 'j'; c++ {
		laughs += fmt.Sprintf("%c: &%c [*%c%s]\n", c, c, c-1, strings.Repeat(",*"+string(c-1), 8))
	}
	laughs = "x-a: &a [x,x,x,x,x,x,x,x,x]\n" + laughs
	return map[string][]any{
		"bombs/docker-compose.yml":         {"services:\n  openclaw: {image: openclaw}\n" + laughs},
		"bombs/k8s.yaml":                   {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n" + laughs + "data: {openclaw.json: '{'}\n"},
		"itself/docker-compose.yml":        {"services: &a\n  openclaw: *a\n"},
		"many/openclaw.json":               {`{"$include": ["./a.json5"`, `,"./a.json5"`, 100_000, "]}"},
		"chain/openclaw.json":              {`{"$include": "./openclaw.json"}`},
		"nested/openclaw.json":             {`{"$include": "./a.json5", "a": `, `{"$include": "./a.json5", "a": `, 30_000, "1", "}", 30_001},
		"nginx/nginx.conf":                 {"http {\n", "include a.conf;\n", 100_000, "}\n"},
		"deep/openclaw.json":               {`{"a": `, "[", 10_000, "]", 10_000, "}"},
		"deep/compose.yaml":                {"services:\n  a: ", "[", 10_000, "]", 10_000, "\n"},
		"deep/nginx.conf":                  {"http {", "location / {", 10_000, "}", 10_001},
		"deep/Caddyfile":                   {":80 {\n", "handle {\n", 10_000, "}\n", 10_001},
		"line/openclaw.json":               {`{"a": "`, "x", 2<<20 - 12, `"`},
		"line/compose.yaml":                {"services: {a: '", "x", 2<<20 - 40},
		"services/docker-compose.yml":      {"services:\n", numbered("  s%d: {image: openclaw/openclaw, ports: ['18789']}\n", 20_000)},
		"ranges/docker-compose.yml":        {"services:\n  openclaw:\n    image: openclaw/openclaw\n    ports:\n", "    - '1-65535:1-65535'\n", 40_000},
		"utf8/openclaw.json":               {"{\"gateway\": {\"bind\": \"\xff\xfe\"}, \x80}"},
		"names/a\nb\x1b[31m/openclaw.json": {`{"gateway": {"bind": "lan"`},
	}
}

func numbered(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// A tree of everything that is made to take memory or time costs no more than a bound,
// and each file a line: what is not judged is named.
func TestInspectHostile(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads the memory of a child from /proc")
	}
	dir := t.TempDir()
	for name, parts := range hostile() {
		put(t, dir, name, parts...)
		alone := t.TempDir()
		put(t, alone, name, parts...)
		for _, beside := range []string{"many/a.json5", "nested/a.json5", "nginx/a.conf"} {
			if filepath.Dir(beside) == filepath.Dir(name) {
				put(t, alone, beside, "{}\n")
			}
		}
		t.Run(strings.ReplaceAll(strconv.Quote(name), "/", " "), func(t *testing.T) {
			r := inspectTree(t, alone)
			if !strings.Contains(r.stream, `"unjudged":[{`) && !strings.Contains(r.stream, `"config-invalid"`) && !strings.Contains(r.stream, `"refuses-start"`) {
				t.Errorf("nothing is said of it: %.2000s", r.stream)
			}
		})
	}
	put(t, dir, "many/a.json5", "{}")
	put(t, dir, "nested/a.json5", "{}")
	put(t, dir, "nginx/a.conf", "# nothing\n")
	put(t, dir, "nul/openclaw.json", "{\x00}")
	for _, name := range []string{"big/openclaw.json", "big/compose.yml"} {
		put(t, dir, name, "{")
		if err := os.Truncate(filepath.Join(dir, name), 1<<30); err != nil {
			t.Fatal(err)
		}
	}
	deep := dir
	for range 500 { // a name is at most 4096 bytes long
		deep = filepath.Join(deep, "d")
	}
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, deep, "openclaw.json", "{}")
	place := func(name string) string { return filepath.Join(dir, "special", name) }
	if err := os.MkdirAll(place("x"), 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, err := range []error{
		syscall.Mkfifo(place("compose.yml"), 0o600),
		os.Symlink("/etc/passwd", place("openclaw.json")),
		os.Symlink("/dev/zero", place("nginx.conf")),
		os.Symlink("../..", place("up")),
		os.Symlink("loop", place("loop")),
		os.Link(filepath.Join(dir, "many/a.json5"), place("hard.json")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, at := range map[string]string{"directory": dir, "tar": pack(t, dir)} {
		t.Run(name, func(t *testing.T) {
			r := inspectTree(t, at)
			for _, name := range []string{"big/openclaw.json", "big/compose.yml", "bombs/docker-compose.yml", "bombs/k8s.yaml", "special"} {
				if !strings.Contains(r.stream, name) {
					t.Errorf("%s is not named", name)
				}
			}
		})
	}
}
