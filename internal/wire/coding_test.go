package wire

import (
	"bytes"
	"cmp"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/clawsonar/clawsonar/internal/evidence"
)

// pack compresses text by the coding of that name.
func pack(t testing.TB, coding, text string) string {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zlib":
		w = zlib.NewWriter(&b)
	case "flate":
		w, err = flate.NewWriter(&b, flate.DefaultCompression)
	case "br":
		w = brotli.NewWriter(&b)
	case "zstd":
		w, err = zstd.NewWriter(&b)
	default:
		t.Fatalf("no coding %s", coding)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// An answer that is compressed although none was asked for is read as what it
// stands for; what cannot be read is said, and never taken for an empty page.
func TestCodings(t *testing.T) {
	const page = "<title>a page</title>"
	long := strings.Repeat("0123456789", 10_000)
	for _, tt := range []struct {
		name, header, body string
		cap                int

		want, err             string
		truncated, unreadable bool
	}{
		{name: "none", body: page, want: page},
		{name: "identity", header: "identity", body: page, want: page},
		{name: "gzip", header: "gzip", body: pack(t, "gzip", page), want: page},
		{name: "x-gzip", header: "x-gzip", body: pack(t, "gzip", page), want: page},
		{name: "capitals and spaces", header: " GZip , identity", body: pack(t, "gzip", page), want: page},
		{name: "deflate", header: "deflate", body: pack(t, "zlib", page), want: page},
		{name: "bare deflate", header: "deflate", body: pack(t, "flate", page), want: page},
		{name: "br", header: "br", body: pack(t, "br", page), want: page},
		{name: "zstd", header: "zstd", body: pack(t, "zstd", page), want: page},
		{name: "to the cap", header: "gzip", body: pack(t, "gzip", "1234"), cap: 4, want: "1234"},
		{name: "gzip beyond the cap", header: "gzip", body: pack(t, "gzip", long), cap: 5000, want: long[:5000], truncated: true},
		{name: "br beyond the cap", header: "br", body: pack(t, "br", long), cap: 5000, want: long[:5000], truncated: true},
		{name: "zstd beyond the cap", header: "zstd", body: pack(t, "zstd", long), cap: 5000, want: long[:5000], truncated: true},
		{name: "broken", header: "gzip", body: "no gzip", err: "cannot be read: content coding gzip", unreadable: true},
		{name: "broken br", header: "br", body: "\xff\xff\xff", err: "cannot be read: content coding br", unreadable: true},
		{name: "not known", header: "compress", body: "x", err: "cannot be read: content coding compress", unreadable: true},
		{name: "invented", header: "secret-word", body: "x", err: "cannot be read: content coding unknown", unreadable: true},
		{name: "two", header: "gzip, br", body: "x", err: "cannot be read: content coding unknown", unreadable: true},
		{name: "empty", header: "br"},
		{name: "cut off", header: "gzip", body: pack(t, "gzip", page)[:28], want: page, err: "breaks off"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := evidence.Exchange{Status: 200, Body: []byte(tt.body)}
			if tt.header != "" {
				x.Header = evidence.Header{{Name: "content-encoding", Value: tt.header}}
			}
			newWire(Options{}).decode(&x, cmp.Or(tt.cap, maxBody))
			if string(x.Body) != tt.want || !strings.Contains(x.Err, tt.err) || (tt.err == "") != (x.Err == "") || x.Truncated != tt.truncated || x.Unreadable != tt.unreadable {
				t.Errorf("body %q, truncated %t, unreadable %t, error %q", x.Body, x.Truncated, x.Unreadable, x.Err)
			}
		})
	}
}

// What would become 64 MiB costs no more memory than the cap and the decoder's
// window.
func TestCodingBombs(t *testing.T) {
	for _, coding := range []string{"gzip", "br", "zstd"} {
		body := pack(t, coding, strings.Repeat("\x00", 64<<20))
		if len(body) > maxBody {
			body = body[:maxBody]
		}
		w := newWire(Options{})
		x := evidence.Exchange{Status: 200, Body: []byte(body), Header: evidence.Header{{Name: "Content-Encoding", Value: coding}}}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		w.decode(&x, maxBody)
		runtime.ReadMemStats(&after)
		if len(x.Body) != maxBody || !x.Truncated {
			t.Fatalf("%s: %d bytes, truncated %t", coding, len(x.Body), x.Truncated)
		}
		allocated := after.TotalAlloc - before.TotalAlloc
		t.Logf("%s: %d bytes for 64 MiB, %d KiB allocated", coding, len(body), allocated>>10)
		if allocated > 32<<20 {
			t.Errorf("%s: %d bytes allocated", coding, allocated)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, coding := range []string{"gzip", "br", "zstd"} {
		f.Add(coding, []byte(pack(f, coding, "<title>a page</title>")))
	}
	f.Add("deflate", []byte("x"))
	w := newWire(Options{})
	f.Fuzz(func(t *testing.T, coding string, body []byte) {
		x := evidence.Exchange{Status: 200, Body: bytes.Clone(body), Header: evidence.Header{{Name: "Content-Encoding", Value: coding}}}
		w.decode(&x, 4096)
		if len(x.Body) > max(4096, len(body)) || x.Unreadable && (len(x.Body) > 0 || x.Err == "") {
			t.Errorf("%d bytes, unreadable %t, %q", len(x.Body), x.Unreadable, x.Err)
		}
	})
}

// RFC 6455 section 1.3 has this example.
func TestAcceptFor(t *testing.T) {
	if got := acceptFor("dGhlIHNhbXBsZSBub25jZQ=="); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Error(got)
	}
}

// A 101 from what has not read the request is not believed, regardless of what follows.
func TestWrongAccept(t *testing.T) {
	for _, field := range []string{"", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"} {
		s := serve(t, func(p *peer) {
			p.request()
			p.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + field + "\r\n" + frame(textFrame("challenge")))
			p.hold()
		})
		req := get("ws")
		req.WebSocket = true
		x := ask(t, newWire(Options{}), s.Target, plenty, req).Exchange("ws")
		if x == nil || x.Status != 101 || len(x.Body) > 0 || x.Err != errAccept.Error() {
			t.Errorf("%q: %+v", field, x)
		}
	}
}

// A fresh request is sent on a connection of its own.
func TestFresh(t *testing.T) {
	s := serve(t, func(p *peer) {
		for p.request() != "" {
			p.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	again := get("again")
	again.Fresh = true
	o := ask(t, newWire(Options{}), s.Target, plenty, get("one"), get("two"), again)
	if o.Connections != 2 || s.accepts.Load() != 2 || len(o.Exchanges) != 3 {
		t.Errorf("%d connections, %d accepted, %d answers", o.Connections, s.accepts.Load(), len(o.Exchanges))
	}
}
