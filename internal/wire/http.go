package wire

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gobwas/ws"

	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/target"
)

// Errors of the HTTP reader. They are texts for the result line.
var (
	errNotHTTP   = errors.New("answer is not HTTP")
	errTLSRecord = errors.New("answer is a TLS record")
	errHead      = fmt.Errorf("answer's header is larger than %d bytes", maxHead)
	errFields    = fmt.Errorf("answer has more than %d header lines", maxFields)
	errInterim   = fmt.Errorf("more than %d interim answers", maxInterim)
	errChunk     = errors.New("broken chunked coding")
	errLength    = errors.New("broken Content-Length")
	errAccept    = errors.New("101 without the right Sec-WebSocket-Accept")
)

// exchange sends one request on c and reads its answer into x; reply, if there
// is one, makes the answer to a WebSocket's first message. keep reports whether
// the connection can carry another request.
func (w *Wire) exchange(c *conn, t target.Target, req evidence.Request, reply Reply, x *evidence.Exchange) (keep bool, err error) {
	if req.RFB {
		if err := w.rfb(c, x); err != nil {
			_, why := classify(err)
			x.Err = why.English
		}
		return false, nil
	}
	key := ""
	if req.WebSocket {
		key = newKey()
	}
	c.request = w.encode(c.request[:0], t, c.secure(), req, key)
	if _, err := c.Write(c.request); err != nil {
		return false, err
	}
	h, err := readHead(c.r)
	for interim := 0; err == nil && h.status >= 100 && h.status < 200 && h.status != 101; interim++ {
		if interim == maxInterim {
			return false, errInterim
		}
		h, err = readHead(c.r)
	}
	if err != nil {
		return false, err
	}
	x.Status, x.Header = h.status, h.fields
	limit := req.MaxBody
	if limit == 0 {
		limit = maxBody
	}
	if h.status == 101 {
		switch {
		case !req.WebSocket:
		case x.Header.Get("Sec-WebSocket-Accept") != acceptFor(key):
			// What answers has not read the request (RFC 6455 section 4.1), so
			// what follows is no message of a WebSocket.
			x.Err = errAccept.Error()
		default:
			w.converse(c, limit, reply, x)
		}
		return false, nil
	}
	whole, err := readBody(c.r, h, req.Method, limit, x)
	w.decode(x, limit)
	if err != nil {
		// The head is an answer; a body that breaks off is a fact about it.
		_, why := classify(err)
		x.Err = why.English
		return false, nil
	}
	// What follows an answer unasked would be taken for the next one.
	return whole && h.keepAlive && c.r.Buffered() == 0, nil
}

// encode appends the request's bytes to b; key is that of a WebSocket opening.
func (w *Wire) encode(b []byte, t target.Target, secure bool, req evidence.Request, key string) []byte {
	line := func(parts ...string) {
		for _, part := range parts {
			b = append(b, part...)
		}
		b = append(b, "\r\n"...)
	}
	line(req.Method, " ", req.Path, " HTTP/1.1")
	if _, ok := req.Header.Lookup("Host"); !ok {
		line("Host: ", hostHeader(t, secure))
	}
	line("User-Agent: ", w.userAgent())
	if req.WebSocket {
		line("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ", key)
	} else {
		line("Accept: */*\r\nAccept-Encoding: identity")
	}
	for _, header := range []evidence.Header{w.opt.Header, req.Header} {
		for _, f := range header {
			line(f.Name, ": ", f.Value)
		}
	}
	if req.Body != "" {
		line("Content-Length: ", strconv.Itoa(len(req.Body)))
	}
	line()
	return append(b, req.Body...)
}

// newKey returns the nonce of a WebSocket opening, acceptFor what the server must
// answer to it (RFC 6455 sections 4.1 and 4.2.2).
func newKey() string {
	var key [16]byte
	rand.Read(key[:])
	return base64.StdEncoding.EncodeToString(key[:])
}

func acceptFor(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// hostHeader returns the Host header's value: without the port where it is the
// scheme's own, as browsers send it (RFC 9110 section 4.2.3), and without a
// zone, which is local to this machine (RFC 6874 section 1).
func hostHeader(t target.Target, secure bool) string {
	if t.Name == "" {
		t = t.WithAddr(t.Addr.Addr().WithZone(""))
	}
	host, port := t.HostPort(), ":80"
	if secure {
		port = ":443"
	}
	return strings.TrimSuffix(host, port)
}

// head is the parsed head of an answer.
type head struct {
	status    int
	fields    evidence.Header
	length    int64 // Content-Length, -1 when not sent
	chunked   bool
	keepAlive bool
}

// readHead reads a status line and header lines up to the blank line.
func readHead(r *bufio.Reader) (head, error) {
	h := head{length: -1}
	first, err := r.Peek(len("HTTP/"))
	if string(first) != "HTTP/"[:len(first)] {
		// 0x15 is an alert, 0x16 a handshake record (RFC 8446 section 5.1).
		if len(first) > 1 && (first[0] == 0x15 || first[0] == 0x16) && first[1] == 3 {
			return h, errTLSRecord
		}
		return h, errNotHTTP
	}
	if len(first) > 0 {
		err = unexpected(err)
	}
	if err != nil {
		return h, err
	}
	text, err := readLines(r)
	if err != nil {
		return h, err
	}
	// The fields are slices of the one string.
	h.fields = make(evidence.Header, 0, min(strings.Count(text, "\n"), maxFields))
	line, text := cutLine(text)
	minor, ok := parseStatus(line, &h)
	if !ok {
		return h, errNotHTTP
	}
	h.keepAlive = minor > 0
	for text != "" {
		line, text = cutLine(text)
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" {
			continue // not a field line; browsers skip it as well
		}
		if len(h.fields) == maxFields {
			return h, errFields
		}
		value = strings.Trim(value, " \t")
		h.fields = append(h.fields, evidence.Field{Name: name, Value: value})
		switch {
		case strings.EqualFold(name, "Content-Length"):
			n, err := strconv.ParseUint(value, 10, 63)
			if err != nil || h.length >= 0 && h.length != int64(n) {
				return h, errLength
			}
			h.length = int64(n)
		case strings.EqualFold(name, "Transfer-Encoding"):
			h.chunked = h.chunked || hasToken(value, "chunked")
		case strings.EqualFold(name, "Connection"):
			if hasToken(value, "close") {
				h.keepAlive = false
			} else if hasToken(value, "keep-alive") {
				h.keepAlive = true
			}
		}
	}
	return h, nil
}

// readLines returns everything up to the first blank line, which is read as well.
func readLines(r *bufio.Reader) (string, error) {
	// Nearly always all of it is there.
	seen, _ := r.Peek(r.Buffered())
	for start := 0; ; {
		i := bytes.IndexByte(seen[start:], '\n')
		if i < 0 {
			break
		}
		next := start + i + 1
		if blank(seen[start:next]) {
			text := string(seen[:start])
			_, err := r.Discard(next)
			return text, err
		}
		start = next
	}
	raw := make([]byte, 0, 512)
	start := 0 // of the current line in raw
	for {
		part, err := r.ReadSlice('\n')
		if len(raw)+len(part) > maxHead {
			return "", errHead
		}
		raw = append(raw, part...)
		if err == bufio.ErrBufferFull {
			continue
		}
		if err != nil {
			return "", unexpected(err)
		}
		if blank(raw[start:]) {
			return string(raw[:start]), nil
		}
		start = len(raw)
	}
}

// blank reports whether a line, which is there with its end, is empty.
func blank(line []byte) bool {
	return (line[0] == '\r' || line[0] == '\n') && len(bytes.TrimRight(line, "\r\n")) == 0
}

func cutLine(s string) (line, rest string) {
	line, rest, _ = strings.Cut(s, "\n")
	return strings.TrimSuffix(line, "\r"), rest
}

// parseStatus reads "HTTP/1.1 200 OK" (RFC 9112 section 4) and returns the
// minor version.
func parseStatus(line string, h *head) (minor int, ok bool) {
	version, rest, _ := strings.Cut(line, " ")
	switch version {
	case "HTTP/1.0":
	case "HTTP/1.1":
		minor = 1
	default:
		return 0, false
	}
	code, _, _ := strings.Cut(rest, " ")
	if len(code) != 3 {
		return 0, false
	}
	for _, c := range []byte(code) {
		if c < '0' || c > '9' {
			return 0, false
		}
		h.status = h.status*10 + int(c-'0')
	}
	return minor, h.status >= 100
}

func hasToken(list, token string) bool {
	for part := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.Trim(part, " \t"), token) {
			return true
		}
	}
	return false
}

// readBody reads the body up to limit bytes into x. whole reports whether the
// answer was read to its end, which a further request on the connection needs.
func readBody(r *bufio.Reader, h head, method string, limit int, x *evidence.Exchange) (whole bool, err error) {
	switch {
	case method == "HEAD" || h.status == 204 || h.status == 304 || h.length == 0 && !h.chunked:
		return true, nil
	case h.length > 0 && !h.chunked:
		x.Body = make([]byte, min(h.length, int64(limit)))
		n, err := io.ReadFull(r, x.Body)
		x.Body = x.Body[:n]
		if err != nil {
			return false, unexpected(err)
		}
		if h.length > int64(limit) {
			_, err := r.ReadByte() // is there more?
			x.Truncated = err == nil
			return false, nil
		}
		return true, nil
	}
	body, untilClose := io.Reader(r), true
	if h.chunked {
		body, untilClose = &chunkReader{r: r}, false
	}
	buf := make([]byte, 0, min(limit, bufSize))
	for {
		if len(buf) == cap(buf) {
			if len(buf) >= limit {
				// Is there more? One byte tells.
				var one [1]byte
				n, err := io.ReadFull(body, one[:])
				x.Truncated = n > 0
				x.Body = buf
				return err == io.EOF && !untilClose, nil
			}
			grown := make([]byte, len(buf), min(2*cap(buf), limit))
			copy(grown, buf)
			buf = grown
		}
		n, err := body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err != nil {
			x.Body = buf
			if err == io.EOF {
				return !untilClose, nil
			}
			return false, err
		}
	}
}

// chunkReader decodes the chunked transfer coding (RFC 9112 section 7.1).
type chunkReader struct {
	r    *bufio.Reader
	left int64 // bytes left of the current chunk
	open bool  // inside a chunk whose closing line end is still to come
	done bool
	// waste counts the bytes of size lines beyond what an honest sender needs:
	// the cap on the body alone would let a sender of tiny chunks with long
	// extensions keep us reading.
	waste int64
}

func (c *chunkReader) Read(p []byte) (int, error) {
	if c.done {
		return 0, io.EOF
	}
	if c.left == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
		if c.done {
			return 0, io.EOF
		}
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.r.Read(p)
	c.left -= int64(n)
	if err != nil {
		return n, unexpected(err)
	}
	return n, nil
}

// next reads the line end of the chunk before, and the next chunk's size.
func (c *chunkReader) next() error {
	if c.open {
		if line, err := c.line(); err != nil {
			return err
		} else if line != "" {
			return errChunk
		}
	}
	line, err := c.line()
	if err != nil {
		return err
	}
	size, _, _ := strings.Cut(line, ";")
	n, err := strconv.ParseUint(strings.Trim(size, " \t"), 16, 62)
	if err != nil {
		return errChunk
	}
	if c.waste = max(0, c.waste+int64(len(line))-16-int64(n)); c.waste > maxHead {
		return errChunk
	}
	c.left, c.open = int64(n), true
	if n > 0 {
		return nil
	}
	// Trailer fields say nothing that is needed; they end at a blank line.
	if _, err := readLines(c.r); err != nil {
		return err
	}
	c.done = true
	return nil
}

func (c *chunkReader) line() (string, error) {
	raw, err := c.r.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		return "", errChunk
	}
	if err != nil {
		return "", unexpected(err)
	}
	return string(bytes.TrimRight(raw, "\r\n")), nil
}

// unexpected makes the end of a connection in the middle of an answer, closed
// or reset, an error of its own: dropped must not take it for "no answer".
func unexpected(err error) error {
	if err == io.EOF || errors.Is(portable(err), syscall.ECONNRESET) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// converse reads the first message after an accepted opening into x.Body and,
// with a reply, answers it and reads the next one instead. Then, after any answer,
// it says goodbye with status 1000 and waits a moment for the answer, so that
// the other side logs an orderly close.
func (w *Wire) converse(c *conn, limit int, reply Reply, x *evidence.Exchange) {
	kind, err := w.message(c, limit, x)
	if err == nil && reply != nil {
		var answer []byte
		if answer, err = reply(x.Body); err == nil {
			err = ws.WriteFrame(c, ws.MaskFrame(ws.NewFrame(kind, true, answer)))
		}
		x.Body = nil // only what came back for it counts
		if err == nil {
			_, err = w.message(c, limit, x)
		}
	}
	if err != nil {
		_, why := classify(err)
		x.Err = why.English
	}
	bye := ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, "")))
	if err := ws.WriteFrame(c, bye); err != nil {
		return
	}
	if err := c.until(250 * time.Millisecond); err == nil {
		_, _ = io.CopyN(io.Discard, c.r, 64)
	}
}

// message reads one message into x.Body and returns its kind, text or binary.
func (w *Wire) message(c *conn, limit int, x *evidence.Exchange) (ws.OpCode, error) {
	if err := c.until(w.opt.FrameTimeout); err != nil {
		return 0, err
	}
	return readMessage(c.r, limit, x)
}

// until sets the read deadline to d from now, within the connection's own.
func (c *conn) until(d time.Duration) error {
	at := time.Now().Add(d)
	if at.After(c.deadline) {
		at = c.deadline
	}
	return c.SetReadDeadline(at)
}

// readMessage reads frames until a message is complete, and returns its kind.
// Control frames in between are skipped, a bounded number of them.
func readMessage(r io.Reader, limit int, x *evidence.Exchange) (kind ws.OpCode, err error) {
	const maxFrames = 16
	for range maxFrames {
		h, err := ws.ReadHeader(r)
		if err != nil {
			return 0, unexpected(err)
		}
		if h.OpCode.IsControl() {
			if h.OpCode == ws.OpClose {
				return 0, errors.New("closed before the first message")
			}
			if h.Length > 125 { // RFC 6455 section 5.5
				return 0, errors.New("oversized control frame")
			}
			if _, err := io.CopyN(io.Discard, r, h.Length); err != nil {
				return 0, unexpected(err)
			}
			continue
		}
		if h.Masked { // RFC 6455 section 5.1: a server must not mask
			return 0, errors.New("masked frame from a server")
		}
		if h.Length > int64(limit-len(x.Body)) {
			x.Truncated = true
			return 0, errors.New("first message is larger than its cap")
		}
		part := make([]byte, h.Length)
		if _, err := io.ReadFull(r, part); err != nil {
			return 0, unexpected(err)
		}
		x.Body = append(x.Body, part...)
		if h.OpCode != ws.OpContinuation {
			kind = h.OpCode
		}
		if h.Fin {
			return kind, nil
		}
	}
	return 0, errors.New("too many frames before the first message was complete")
}
