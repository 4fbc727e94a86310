package wire

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/clawsonar/clawsonar/internal/evidence"
)

// maxWindow bounds the memory that an answer can ask of the decoder of zstd; it
// is the least that every decoder must have (RFC 8878 section 3.1.1.1.2).
const maxWindow = 8 << 20

// decode undoes the content coding of x.Body. The request asks for none
// ("identity"), but some servers and caches do not look. What is decoded is
// capped like any body: limit bytes are kept, however much they would become.
// Of a body that was itself cut off, what can be read is kept. If nothing can,
// there is no body, and x says so.
func (w *Wire) decode(x *evidence.Exchange, limit int) {
	coding := contentCoding(x.Header)
	if coding == "" || len(x.Body) == 0 {
		return
	}
	if coding == "br" || coding == "zstd" {
		// A few bytes can ask for megabytes of window: one at a time.
		w.unpacking.Lock()
		defer w.unpacking.Unlock()
	}
	r, err := decoder(coding, x.Body)
	var plain []byte
	if err == nil {
		plain, err = io.ReadAll(io.LimitReader(r, int64(limit)+1))
		if c, ok := r.(io.Closer); ok {
			_ = c.Close() // it read from memory
		}
	}
	if len(plain) > limit {
		plain, x.Truncated, err = plain[:limit], true, nil
	}
	x.Body = plain
	switch {
	case err == nil:
	case len(plain) > 0:
		// Cut off by the sender, by the cap, or broken: a part is what there is.
		if !x.Truncated {
			x.Err = fmt.Sprintf("answer's content coding %s breaks off", coding)
		}
	default:
		x.Body, x.Unreadable = nil, true
		x.Err = fmt.Sprintf("answer cannot be read: content coding %s", coding)
	}
}

// contentCoding returns the coding of a body in lower case, "" if it has none
// (RFC 9110 section 8.4).
func contentCoding(h evidence.Header) string {
	var codings []string
	for _, f := range h {
		if !strings.EqualFold(f.Name, "Content-Encoding") {
			continue
		}
		for part := range strings.SplitSeq(f.Value, ",") {
			if part = strings.ToLower(strings.Trim(part, " \t")); part != "" && part != "identity" {
				codings = append(codings, part)
			}
		}
	}
	switch {
	case len(codings) == 0:
		return ""
	case len(codings) == 1 && slices.Contains([]string{"gzip", "x-gzip", "deflate", "br", "zstd", "compress"}, codings[0]):
		return codings[0]
	}
	return "unknown" // several, or a name that is the sender's invention
}

func decoder(coding string, body []byte) (io.Reader, error) {
	in := bytes.NewReader(body)
	switch coding {
	case "gzip", "x-gzip":
		return gzip.NewReader(in)
	case "deflate":
		// It ought to be zlib; some send it bare (RFC 9110 section 8.4.1.2).
		if r, err := zlib.NewReader(in); err == nil {
			return r, nil
		}
		return flate.NewReader(bytes.NewReader(body)), nil
	case "br":
		return brotli.NewReader(in), nil
	case "zstd":
		r, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return r.IOReadCloser(), nil
	}
	return nil, errors.New("unknown content coding")
}
