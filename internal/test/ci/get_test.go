package ci

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// release is the version of the archives that the tests serve.
const release = "9.8.7"

// archiveName is that of the archive for this machine.
func archiveName() string {
	return fmt.Sprintf("clawsonar_%s_%s_%s.tar.gz", release, runtime.GOOS, runtime.GOARCH)
}

// archive is a release's archive with this program in it, among what else is there.
func archive(t *testing.T, program []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, f := range []struct {
		name string
		data []byte
	}{{"LICENSE", []byte("MIT\n")}, {"../outside", []byte("out")}, {"clawsonar", program}, {"man/clawsonar.1", []byte(".TH\n")}} {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o755, Size: int64(len(f.data)), ModTime: time.Unix(0, 0)}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sumLine(data []byte, name string) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]) + "  " + name + "\n"
}

// mirror is a server with a certificate of its own, and the environment in which get.sh
// downloads from it.
type mirror struct {
	*httptest.Server
	env  []string
	path string // of the last request
}

func serve(t *testing.T, h http.HandlerFunc) *mirror {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: the archives of the test are those of Unix")
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("SKIPPED: there is no curl: nothing was downloaded")
	}
	m := &mirror{}
	m.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.path = r.URL.Path
		h(w, r)
	}))
	t.Cleanup(m.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	m.env = []string{"GET_CLAWSONAR_FROM=" + m.URL + "/dl", "CURL_CA_BUNDLE=" + ca}
	return m
}

// get runs get.sh with the shell that sh is, and returns its exit code, what it says, and
// the names of what it leaves behind.
func get(t *testing.T, env []string, sums, version string, before ...string) (code int, out, said string, left []string) {
	t.Helper()
	opened(t)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "to"), 0o755); err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "sums.txt")
	if err := os.WriteFile(list, []byte(sums), 0o600); err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs(root + "/ci/get.sh")
	if err != nil {
		t.Fatal(err)
	}
	args := append(before, "sh", script, list, version, filepath.Join(dir, "to", "bin"))
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var o, e strings.Builder
	cmd.Stdout, cmd.Stderr = &o, &e
	if err := cmd.Run(); err != nil && cmd.ProcessState.ExitCode() < 0 {
		t.Fatal(err)
	}
	_ = filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, p); err == nil && p != list && rel != "." && rel != "to" {
			left = append(left, rel)
		}
		return nil
	})
	return cmd.ProcessState.ExitCode(), o.String(), e.String(), left
}

// TestGet: the program is there if its archive is the listed one, and otherwise there is
// one line that says why not, and nothing else.
func TestGet(t *testing.T) {
	good := archive(t, []byte("#!/bin/sh\necho clawsonar "+release+"\n"))
	name := archiveName()
	sums := "# a comment\n\n" + sumLine([]byte("x"), "clawsonar_"+release+"_linux_mips64.tar.gz") + sumLine(good, name)
	elsewhere := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(good) })
	plain := httptest.NewServer(elsewhere.Config.Handler)
	t.Cleanup(plain.Close)
	send := func(data []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) }
	}
	bad := bytes.Clone(good)
	bad[len(bad)/2] ^= 1
	for _, tt := range []struct {
		name          string
		answer        http.HandlerFunc
		sums, version string
		code          int
		says          string
	}{
		{"right sum", send(good), sums, "", 0, ""},
		{"right sum, version named", send(good), sums, "v" + release, 0, ""},
		{"wrong sum", send(bad), sums, "", 1, "is the listed one: do not use it"},
		{"an empty answer", send(nil), sums, "", 1, "clawsonar: "},
		{"missing", http.NotFound, sums, "", 1, "error: 404"},
		{"a page instead", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<h1>login\n::error::x</h1>") }, sums, "", 1, "is the listed one: do not use it"},
		{"the server fails", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, sums, "", 1, "error: 403"},
		{"truncated, and said to be longer", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(good)))
			_, _ = w.Write(good[:len(good)/2])
		}, sums, "", 1, "cannot be downloaded: curl: (18)"},
		{"truncated, and not said", func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			_, _ = w.Write(good[:len(good)/2])
		}, sums, "", 1, "is the listed one: do not use it"},
		{"redirected to another host", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/asset", http.StatusFound)
		}, sums, "", 0, ""},
		{"redirected to plain HTTP", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, plain.URL+"/asset", http.StatusFound)
		}, sums, "", 1, "cannot be downloaded: curl: (1)"},
		{"redirected for ever", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}, sums, "", 1, "cannot be downloaded: curl: (47)"},
		{"right sum, no program in it", send([]byte("no archive")), sumLine([]byte("no archive"), name), "", 1, "cannot be unpacked"},
		{"right sum, does not run", send(archive(t, []byte("\x7fELF of another machine"))), sumLine(archive(t, []byte("\x7fELF of another machine")), name), "", 1, "does not run on this machine"},
		{"no release", send(good), "# there is no release yet\n", "", 10, ""},
		{"from source", send(good), sums, "source", 10, ""},
		{"no archive for this machine", send(good), sumLine(good, "clawsonar_"+release+"_plan9_mips.tar.gz"), "", 10, ""},
		{"another version", send(good), sums, "9.8.6", 1, "lists 9.8.7, not 9.8.6"},
		{"a version, but no release", send(good), "", "9.8.7", 1, "lists no release, so not 9.8.7"},
		{"two releases", send(good), sums + sumLine(good, strings.Replace(name, release, "9.8.6", 1)), "", 1, "more than one release"},
		{"the same archive twice", send(good), sums + sumLine(bad, name), "", 1, "twice"},
		{"not a sum", send(good), "abc  " + name + "\n", "", 1, "a line is not the SHA-256"},
		{"a name that leaves the folder", send(good), strings.Repeat("0", 64) + "  ../" + name + "\n", "", 1, "a line is not the SHA-256"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := serve(t, tt.answer)
			code, out, said, left := get(t, m.env, tt.sums, tt.version)
			if code != tt.code || !strings.Contains(said, tt.says) {
				t.Fatalf("exit code %d, %q, %q", code, out, said)
			}
			switch code {
			case 0:
				if said != "" || !slices.Equal(left, []string{"to/bin", "to/bin/clawsonar"}) || strings.Count(out, "\n") != 1 || m.path != "/dl/v"+release+"/"+name {
					t.Errorf("%q, %q, left %q, asked for %s", out, said, left, m.path)
				}
			case 1:
				if strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "clawsonar: ") || out != "" || len(left) != 0 {
					t.Errorf("%q, %q, left %q", out, said, left)
				}
				commands(t, said)
			default:
				if said != "" || out != "" || len(left) != 0 || m.path != "" {
					t.Errorf("%q, %q, left %q, asked for %q", out, said, left, m.path)
				}
			}
		})
	}
}

// TestGetUntrusted: a server whose certificate nobody vouches for is not asked, though the
// sum would decide.
func TestGetUntrusted(t *testing.T) {
	good := archive(t, []byte("#!/bin/sh\n"))
	m := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(good) })
	if code, _, said, left := get(t, m.env[:1], sumLine(good, archiveName()), ""); code != 1 || !strings.Contains(said, "curl: (60)") || len(left) != 0 || m.path != "" {
		t.Errorf("exit code %d, %q, left %q, asked for %q", code, said, left, m.path)
	}
	if code, _, said, _ := get(t, []string{"GET_CLAWSONAR_FROM=file:///etc"}, sumLine(good, archiveName()), ""); code != 1 || !strings.Contains(said, "must begin with https://") {
		t.Errorf("exit code %d, %q", code, said)
	}
}
