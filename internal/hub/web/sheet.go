package web

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/report"
)

// sheet writes rows of the same columns in a format, as they come.
type sheet struct {
	w       io.Writer
	format  string // csv, json, jsonl or markdown
	columns []string
	rows    int
	enc     event.Encoder
	csv     *csv.Writer
}

func newSheet(w io.Writer, format string, columns []string) *sheet {
	s := &sheet{w: w, format: format, columns: columns}
	if format == "csv" {
		s.csv = csv.NewWriter(w)
		s.csv.UseCRLF = true
	}
	return s
}

// head writes what comes before the first row.
func (s *sheet) head() error {
	switch s.format {
	case "csv":
		return s.csv.Write(s.columns)
	case "json":
		_, err := io.WriteString(s.w, "[")
		return err
	case "markdown":
		_, err := fmt.Fprintf(s.w, "| %s |\n|%s\n", strings.Join(s.columns, " | "), strings.Repeat("---|", len(s.columns)))
		return err
	}
	return nil
}

// row writes one row: a value a column, each a string, a number, a bool, a time, a list
// of strings, or nil for none.
func (s *sheet) row(values ...any) error {
	if len(values) != len(s.columns) {
		return fmt.Errorf("%d values for %d columns", len(values), len(s.columns))
	}
	if s.rows == 0 {
		if err := s.head(); err != nil {
			return err
		}
	}
	s.rows++
	switch s.format {
	case "csv":
		var line []string
		for _, v := range values {
			line = append(line, report.CSVCell(plain(v)))
		}
		return s.csv.Write(line)
	case "markdown":
		var line strings.Builder
		for _, v := range values {
			fmt.Fprintf(&line, "| %s ", report.Markdown(plain(v)))
		}
		_, err := fmt.Fprintf(s.w, "%s|\n", line.String())
		return err
	}
	before := ""
	if s.format == "json" {
		before = ",\n"
		if s.rows == 1 {
			before = "\n"
		}
	}
	object, err := object(s.columns, values)
	if err != nil {
		return err
	}
	line, err := s.enc.Encode(object)
	if err != nil {
		return err
	}
	if s.format == "json" {
		line = bytes.TrimSuffix(line, []byte("\n"))
	}
	if _, err := io.WriteString(s.w, before); err != nil {
		return err
	}
	_, err = s.w.Write(line)
	return err
}

// end writes what comes after the last row.
func (s *sheet) end() error {
	if s.rows == 0 {
		if err := s.head(); err != nil {
			return err
		}
	}
	switch s.format {
	case "csv":
		s.csv.Flush()
		return s.csv.Error()
	case "json":
		_, err := io.WriteString(s.w, "\n]\n")
		return err
	}
	return nil
}

// plain is a value as text; times are RFC 3339, and lists are words with spaces.
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case time.Time:
		if v.IsZero() {
			return ""
		}
		return iso(v)
	case []string:
		return strings.Join(v, " ")
	}
	return fmt.Sprint(v)
}

// object is one object of JSON with its names in the order of the columns. What is not
// known is left out.
func object(columns []string, values []any) (json.RawMessage, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, v := range values {
		if t, ok := v.(time.Time); ok {
			v = plain(t)
		}
		if v == nil || v == "" {
			continue
		}
		name, err := json.Marshal(columns[i])
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
