package bounded

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"
)

func TestFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	for _, tt := range []struct {
		size int
		err  string
	}{{0, ""}, {1, ""}, {1024, ""}, {1025, "f: larger than 1 KiB"}, {1 << 20, "f: larger than 1 KiB"}} {
		if err := os.WriteFile(name, bytes.Repeat([]byte("x"), tt.size), 0o600); err != nil {
			t.Fatal(err)
		}
		for how, read := range map[string]func() ([]byte, error){
			"File": func() ([]byte, error) { return File(name, 1024) },
			"FS":   func() ([]byte, error) { return fs.ReadFile(FS{os.DirFS(dir), 1024}, "f") },
			// The system says nothing of its size.
			"FS of another": func() ([]byte, error) {
				return fs.ReadFile(FS{fstest.MapFS{"f": {Data: bytes.Repeat([]byte("x"), tt.size), Mode: fs.ModeDevice}}, 1024}, "f")
			},
		} {
			data, err := read()
			if tt.err == "" && (err != nil || len(data) != tt.size) || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("%s, %d bytes: %d, %v", how, tt.size, len(data), err)
			}
		}
	}
	if _, err := File(filepath.Join(dir, "none"), 1); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := File(dir, 1<<20); err == nil {
		t.Error("a folder is read")
	}
}

func pack(t *testing.T, data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(data)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestUnpack(t *testing.T) {
	whole := pack(t, []byte("hello"))
	read := func(data []byte) (int64, error) {
		r, err := Unpack(iotest.OneByteReader(bytes.NewReader(data)))
		if err != nil {
			return 0, err
		}
		return io.Copy(io.Discard, r)
	}
	for _, data := range [][]byte{whole, []byte("plain"), {}, append(bytes.Clone(whole), whole...)} {
		if _, err := read(data); err != nil {
			t.Errorf("%q: %v", data, err)
		}
	}
	for n := 2; n < len(whole); n++ {
		if _, err := read(whole[:n]); err == nil || !strings.Contains(err.Error(), "breaks off") {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	for i := 3; i < len(whole); i++ {
		if i == 3 || i >= 4 && i <= 9 {
			continue // flags, time, level and system do not matter to what is read
		}
		bad := bytes.Clone(whole)
		bad[i] ^= 0xff
		if _, err := read(bad); err == nil {
			t.Errorf("byte %d is another: no error", i)
		}
	}
	bomb := pack(t, make([]byte, 80<<20))
	r, err := Unpack(bytes.NewReader(bomb))
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, r)
	if err == nil || !strings.Contains(err.Error(), "more than 200 times") || n > 70<<20 {
		t.Errorf("%d bytes of a bomb, %v", n, err)
	}
}

func TestWindow(t *testing.T) {
	w := &Window{Reader: strings.NewReader(strings.Repeat(`{"a":"12345"} `, 100)), Max: 64}
	d := json.NewDecoder(w)
	for range 100 {
		w.Slide()
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			t.Fatal(err)
		}
	}
	w = &Window{Reader: strings.NewReader(`{"a":"` + strings.Repeat("x", 100) + `"}`), Max: 64}
	var raw json.RawMessage
	if err := json.NewDecoder(w).Decode(&raw); !errors.Is(err, ErrWindow) {
		t.Error(err)
	}
}

func TestJSON(t *testing.T) {
	for _, tt := range []struct {
		in, err string
	}{
		{`{"a":[1,2,{"b":"[[[[{{{{,,,,\"[[["}]}`, ""},
		{strings.Repeat("[", Depth) + strings.Repeat("]", Depth), ""},
		{strings.Repeat("[", Depth+1), "nested deeper"},
		{"[" + strings.Repeat("{},", 50), "more than 80 values"},
	} {
		err := JSON([]byte(tt.in), 80)
		if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%.40s: %v", tt.in, err)
		}
	}
}

// The elements of an array are those that the library finds.
func FuzzElements(f *testing.F) {
	f.Add([]byte(`[1, "a,]\"" ,{"b":[1,2]},[],null]`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var want []json.RawMessage
		if json.Unmarshal(data, &want) != nil || bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
			return
		}
		var got []json.RawMessage
		if err := Elements(data, func(e []byte) error { got = append(got, e); return nil }); err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) {
			t.Fatalf("%q, want %q", got, want)
		}
		for i := range got {
			if !bytes.Equal(got[i], want[i]) {
				t.Errorf("%q, want %q", got[i], want[i])
			}
		}
		if n := len(want); JSON(data, n/2) == nil && n > 3 {
			t.Errorf("%d elements are no more than %d values", n, n/2)
		}
	})
}

func TestYAML(t *testing.T) {
	for _, tt := range []struct{ in, err string }{
		{"a: b\nc: [d, e]\n", ""},
		{"a: [" + strings.Repeat("b,", maxNodes) + "]", "more than 100000"},
		{strings.Repeat("\n", maxNodes+1), "more than 100000"},
		{strings.Repeat("#", MaxYAML+1), "larger than 1 MiB"},
	} {
		err := YAML([]byte(tt.in))
		if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%.30q: %v", tt.in, err)
		}
	}
}
