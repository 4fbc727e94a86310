package data

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/clawsonar/clawsonar/internal/test/minisign"
)

// signed writes a data file with its signature and the key of that beside it.
func signed(t *testing.T, file string, change func(fstest.MapFS)) {
	t.Helper()
	_, packed, err := Build(later(t, change), 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{file: string(packed), file + SignatureEnding: minisign.Key(1).Sign(packed), file + keyEnding: minisign.Key(1).Public()} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRenamed: what a signed file is called makes it no newer.
func TestRenamed(t *testing.T) {
	dir := t.TempDir()
	signed(t, filepath.Join(dir, nameOf("2027010101")), nil)
	if k, err := Open(dir); err != nil || k.Version != "2027010101" {
		t.Fatal(k, err)
	}
	signed(t, filepath.Join(dir, nameOf("2031010101")), nil)
	if k, err := Open(dir); err == nil || !strings.Contains(err.Error(), "2031010101.json.gz: it is version 2027010101") {
		t.Errorf("%v, %v", k, err)
	}
}

// TestOlderTable: data of which one table is older than the built-in one is not used for the
// sake of the other.
func TestOlderTable(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, nameOf("2027010101"))
	signed(t, file, func(dir fstest.MapFS) {
		_, rest, _ := strings.Cut(string(dir[advisoryFile].Data), ",")
		dir[advisoryFile].Data = []byte(`{"as_of":"2026-09-30",` + rest)
	})
	if k, err := Open(dir); err != nil || k.File != "" || k.Passed != file {
		t.Errorf("%+v, %v", k, err)
	}
	s, err := Read(file, file+keyEnding)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (Place{Folder: t.TempDir()}).Install(s); err == nil || !strings.Contains(err.Error(), "advisories/openclaw.json is older than the built-in one") {
		t.Error(err)
	}
}

// TestEncoded: the bytes that were signed are kept, though many servers say of a file .gz
// that its content is encoded.
func TestEncoded(t *testing.T) {
	_, packed, err := Build(later(t, nil), 1)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		fmt.Fprintf(w, "%s", packed)
	}))
	defer srv.Close()
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := get(t.Context(), srv.Client(), u, "/data"+fileEnd, "test", MaxFile); err != nil || string(got) != string(packed) {
		t.Errorf("%d bytes of %d, %v", len(got), len(packed), err)
	}
}
