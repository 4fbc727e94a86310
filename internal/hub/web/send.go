package web

import (
	"bufio"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"
)

// send streams an export as a file to keep. An error before the first piece has gone out
// gives a page that says so; after it, the answer is broken off.
func send(w http.ResponseWriter, name, kind string, write func(io.Writer) error) error {
	clock := http.NewResponseController(w)
	out := &lateWriter{w: w, more: func() {
		// The whole may take longer than the server allows for an answer; one piece may not.
		_ = clock.SetWriteDeadline(time.Now().Add(pieceTime))
	}, begin: func() {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	}}
	buf := bufio.NewWriterSize(out, 64<<10)
	err := write(buf)
	if err == nil {
		err = buf.Flush()
	}
	if err != nil && out.begun {
		return fmt.Errorf("%w: %w", errAborted, err)
	}
	if err == nil && !out.begun {
		out.begin() // an empty file
	}
	return err
}

// pieceTime is how long the client may take for a piece of an export.
const pieceTime = time.Minute

// lateWriter sets the headers with the first piece.
type lateWriter struct {
	w           io.Writer
	begin, more func()
	begun       bool
}

func (l *lateWriter) Write(p []byte) (int, error) {
	if !l.begun {
		l.begin()
		l.begun = true
	}
	l.more()
	return l.w.Write(p)
}

// contentType is that of a format.
func contentType(format string) string {
	switch format {
	case "csv":
		return "text/csv; charset=utf-8"
	case "json", "codequality":
		return "application/json"
	case "jsonl", "intelmq":
		return "application/jsonl"
	case "markdown":
		return "text/markdown; charset=utf-8"
	case "sarif":
		return "application/sarif+json"
	case "junit":
		return "application/xml"
	case "html":
		return "text/html; charset=utf-8"
	}
	return "text/plain; charset=utf-8"
}

// ending is that of a file in a format.
func ending(format string) string {
	switch format {
	case "markdown":
		return ".md"
	case "intelmq":
		return ".intelmq.jsonl"
	case "junit":
		return ".xml"
	case "codequality":
		return ".codequality.json"
	case "table":
		return ".txt"
	}
	return "." + format
}
