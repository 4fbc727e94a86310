package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/release"
)

// file is one file of a made-up package.
type file struct{ name, text string }

const (
	info   = `{"version":"2026.9.6","commit":"eb377ac59e6c9fd6c7705028034812becf00271b","builtAt":"2026-09-23T16:33:12.144Z"}`
	page   = `<html data-openclaw-control-ui-build-id="2026.9.6-release-eb377ac59e6c-2026-09-23T16-33-12.144Z-00"><link href="./favicon.svg"><script data-x="false" src="./assets/index-B.js"></script><link href="/base/assets/index-A.css?v=1"><link href="./assets/index-A.css"><a href="./notassets/x.js">`
	worker = `const EMBEDDED_CACHE_VERSION = "2026.9.6-release-eb377ac59e6c-2026-09-23T16-33-12.144Z";`
)

// pack makes a package of files, and pads it with noise, which does not compress.
func pack(t *testing.T, noise int, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	if noise > 0 {
		text := make([]byte, noise)
		x := uint32(1)
		for i := range text {
			x = x*1664525 + 1013904223
			text[i] = byte(x >> 24)
		}
		files = append(files, file{"package/dist/noise.js", string(text)})
	}
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func whole() []file {
	return []file{
		{"package/dist/control-ui/sw.js", worker},
		{"package/dist/control-ui/other/index.html", "<script src=assets/no.js>"},
		{"package/dist/control-ui/favicon.svg", "<svg/>"},
		{"package/dist/control-ui/index.html", page},
		{"package/dist/build-info.json", info},
		{"package/dist/control-ui/manifest.webmanifest", "{}"},
	}
}

func TestExtract(t *testing.T) {
	const noise = 1 << 20
	in := &counter{r: bytes.NewReader(pack(t, noise, whole()...))}
	r, err := extract(in)
	if err != nil {
		t.Fatal(err)
	}
	if in.n > noise/4 {
		t.Errorf("read %d bytes though everything wanted was at the start", in.n)
	}
	r.Package = "openclaw"
	got, err := release.Encode(r.Date, []release.Release{r})
	if err != nil {
		t.Fatal(err)
	}
	// The digests are the beginnings of what sha256sum gives for the texts above.
	want := `{"as_of":"2026-09-23T00:00:00Z","releases":[
{"package":"openclaw","version":"2026.9.6","date":"2026-09-23T16:33:12Z","commit":"eb377ac59e6c","assets":["index-A.css","index-B.js"],` +
		`"sw_js":"` + digest([]byte(worker)) + `","favicon_svg":"d4dc56669143034f","manifest":"44136fa355b3678a",` +
		`"stamp":"2026.9.6-release-eb377ac59e6c-2026-09-23T16-33-12.144Z","build_id":"2026.9.6-release-eb377ac59e6c-2026-09-23T16-33-12.144Z-00"}
]}
`
	if string(got) != want {
		t.Errorf("got %swant %s", got, want)
	}
}

func TestExtractRejects(t *testing.T) {
	full := pack(t, 0, whole()...)
	for _, tt := range []struct {
		name string
		in   []byte
		want string
	}{
		{"empty", nil, "unpacking: EOF"},
		{"not a package", []byte("<html>not found</html>"), "unpacking: gzip"},
		{"cut short", full[:len(full)/2], "unexpected EOF"},
		{"no build info", pack(t, 0, whole()[:4]...), "has no dist/build-info.json"},
		{"empty build info", pack(t, 0, file{"package/dist/build-info.json", "{}"}), "lacks the version or the time"},
		{"broken build info", pack(t, 0, file{"package/dist/build-info.json", "{"}), "dist/build-info.json: unexpected end"},
		{"large page", pack(t, 0, file{"package/dist/control-ui/index.html", strings.Repeat(" ", maxFile+1)}), "more than"},
		{"strange page", pack(t, 0, file{"package/dist/control-ui/index.html", "<html>"}), "references no assets"},
		{"strange stamp", pack(t, 0, file{"package/dist/control-ui/sw.js", `EMBEDDED_CACHE_VERSION = "dev";`}), "not a build stamp"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := extract(bytes.NewReader(tt.in)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// registry is a source of made-up packages.
type registry struct {
	list  map[string][]string // package → versions
	files map[string][]byte   // version → package

	mu     sync.Mutex
	opened []string
}

func (s *registry) versions(_ context.Context, pkg string) ([]string, error) {
	if s.list == nil {
		return nil, errors.New("offline")
	}
	return s.list[pkg], nil
}

func (s *registry) open(_ context.Context, _, version string) (io.ReadCloser, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened = append(s.opened, version)
	data, ok := s.files[version]
	if !ok {
		return nil, 0, errors.New("not served")
	}
	return io.NopCloser(bytes.NewReader(data)), int64(len(data)), nil
}

// TestRun goes through the life of a table: a first run with a release that cannot
// be read, a second that continues from there, a third with nothing to do.
func TestRun(t *testing.T) {
	infoOf := func(version string) file {
		return file{"package/dist/build-info.json", strings.Replace(info, "2026.9.6", version, 1)}
	}
	src := &registry{
		list: map[string][]string{
			"clawdbot": {"2026.1.24"},
			"openclaw": {"0.0.1", "2026.3.23-2", "2026.3.22", "2026.9.6"},
		},
		files: map[string][]byte{
			"2026.1.24":   pack(t, 0, infoOf("2026.1.24")),
			"2026.3.22":   pack(t, 0, infoOf("2026.3.21")), // says it is another release
			"2026.3.23-2": pack(t, 0, infoOf("2026.3.23")), // forgets that it is a correction
			"2026.9.6":    pack(t, 0, whole()...),
		},
	}
	name := filepath.Join(t.TempDir(), "table.json")
	day := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	step := func(wantErr, wantOut string, wantOpened int) string {
		t.Helper()
		src.opened = nil
		var out strings.Builder
		err := run(t.Context(), &out, name, day, src)
		if text := errorText(err); (text == "") != (wantErr == "") || !strings.Contains(text, wantErr) {
			t.Errorf("error %q, want %q", text, wantErr)
		}
		if !strings.Contains(out.String(), wantOut) {
			t.Errorf("said\n%swant %s", out.String(), wantOut)
		}
		if len(src.opened) != wantOpened {
			t.Errorf("fetched %v, want %d", src.opened, wantOpened)
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}

	if table := step("1 of 4 releases could not be read, run again to try them once more: openclaw 2026.3.22: the package says it is 2026.3.21",
		"table.json: 3 releases, 3 of them new", 4); !strings.Contains(table, `"as_of":"1970-01-01T`) {
		t.Errorf("a table that lacks a release is complete: %.60s", table)
	}
	src.files["2026.3.22"] = pack(t, 0, infoOf("2026.3.22"))
	first := step("", "table.json: 4 releases, 1 of them new", 1)
	second := step("", "table.json: 4 releases, 0 of them new", 0)
	if first != second {
		t.Errorf("a run with nothing new changed the table from\n%sto\n%s", first, second)
	}
	day = day.AddDate(0, 0, -1)
	if third := step("", "0 of them new", 0); third != first {
		t.Errorf("the day went back: %.60s", third)
	}
	day = day.AddDate(0, 0, 2)
	if third := step("", "0 of them new", 0); third != strings.Replace(first, "2026-11-25", "2026-11-26", 1) || third == first {
		t.Errorf("a run with nothing new gave %swant the next day", third)
	}
	var order []string
	table, err := release.Load("f", []byte(second))
	if err != nil {
		t.Fatal(err)
	}
	for r := range table.Releases() {
		order = append(order, r.Package+" "+r.Version.String())
	}
	if got, want := strings.Join(order, ", "), "clawdbot 2026.1.24, openclaw 2026.3.22, openclaw 2026.3.23-2, openclaw 2026.9.6"; got != want {
		t.Errorf("the table has %s, want %s", got, want)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(name), ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}

	src.list = nil
	step("asking npm for the releases of clawdbot: offline", "", 0)
	if err := os.WriteFile(name, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	step("delete it to start over", "", 0)
}

func TestRunInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	src := &registry{list: map[string][]string{"openclaw": {"2026.9.6"}}}
	err := run(ctx, io.Discard, filepath.Join(t.TempDir(), "table.json"), time.Now(), src)
	if err == nil || err.Error() != "interrupted; run again to continue" || len(src.opened) > 0 {
		t.Errorf("got %v, fetched %v", err, src.opened)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
