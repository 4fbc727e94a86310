package stream

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
)

const (
	begin  = `{"type":"scan","schema":1,"tool":{"name":"clawsonar","version":"0.1.0"},"started":"2026-11-30T03:00:00Z","level":"standard","shard":"1/1","watch":"office"}` + "\n"
	middle = `{"type":"target","target":{"input":"127.0.0.1:1","ip":"127.0.0.1","port":1,"url":"http://127.0.0.1:1/"},"outcome":"closed"}` + "\n"
	end    = `{"type":"summary","finished":"2026-11-30T03:01:00Z","targets":1,"complete":true}` + "\n"
)

func packed(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestOpen(t *testing.T) {
	for _, c := range []struct {
		name   string
		data   string
		pack   bool
		events int
		whole  bool
		wrong  string
	}{
		{"plain", begin + middle + end, false, 3, true, ""},
		{"packed", begin + middle + end, true, 3, true, ""},
		{"without a summary", begin + middle, true, 2, false, ""},
		{"torn", begin + middle + `{"type":"tar`, true, 2, false, ""},
		{"no line", begin, false, 1, false, ""},
		{"empty", "\n", false, 0, false, "empty"},
		{"no scan", middle + end, false, 0, false, "does not begin with a scan"},
		{"files", strings.Replace(begin, `"watch"`, `"kind":"files","watch"`, 1), false, 0, false, "inspection"},
		{"comparison", strings.Replace(begin, `"watch"`, `"compared_with":{"tool":{}},"watch"`, 1), false, 0, false, "comparison"},
		{"later schema", strings.Replace(begin, `"schema":1`, `"schema":2`, 1), false, 0, false, "schema 2"},
		{"hostile", "\x1b[2Jnothing", false, 0, false, "invalid character"},
		{"line without end", begin + strings.Repeat("x", 4<<20), true, 0, false, "too long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := []byte(c.data)
			if c.pack {
				data = packed(t, c.data)
			}
			file := filepath.Join(t.TempDir(), "run.jsonl")
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Open(file)
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) || strings.Contains(err.Error(), "\x1b") || !strings.HasPrefix(err.Error(), file) {
					t.Fatalf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256([]byte(c.data))
			if s.Head.Watch != "office" || (s.Summary != nil) != c.whole || s.Bytes != int64(len(c.data)) || s.SHA256 != hex.EncodeToString(sum[:]) {
				t.Errorf("%+v", s)
			}
			n := 0
			if err := s.Each(func(event.Event) error { n++; return nil }); err != nil || n != c.events {
				t.Errorf("%d events, %v", n, err)
			}
		})
	}
}

// A stream whose packing breaks off is not taken for a whole one.
func TestOpenBroken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "run.jsonl.gz")
	data := packed(t, begin+middle+end)
	if err := os.WriteFile(file, data[:len(data)-9], 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(file); err == nil {
		t.Errorf("%+v", s)
	}
}
