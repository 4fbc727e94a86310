package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
)

// table of comma-separated values, RFC 4180: one record a finding and one an
// advisory, so that a filter in a spreadsheet finds either; a target without any
// has one record of its own. It is written as the scan goes and holds nothing.
type csvSink struct {
	w      *csv.Writer
	headed bool
}

func newCSV(w io.Writer, _ Options, _ *catalogue) Sink {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	return &csvSink{w: out}
}

// csvColumns names the columns. New ones go to the end: scripts count.
func csvColumns() []string {
	return []string{
		"record", "target", "ip", "port", "name", "source", "reach", "outcome", "product", "release", "auth", "auth_mode",
		"severity", "id", "title", "detail", "fix", "controls", "references", "evidence", "key", "suppressed", "change",
		"cve", "score", "status", "reach_of_advisory", "fixed_in", "locations",
		"as", "as_name", "country",
	}
}

func (s *csvSink) Event(e event.Event) error {
	if !s.headed {
		s.headed = true
		if err := s.w.Write(csvColumns()); err != nil {
			return fmt.Errorf("write csv report: %w", err)
		}
	}
	if t, ok := e.(*event.Target); ok {
		t := scrub(t)
		for i := range t.Findings {
			cells := findingCells(&t.Findings[i])
			var at []string
			for _, l := range t.Findings[i].Locations {
				at = append(at, t.Target.At(l.Pos))
			}
			cells["locations"] = strings.Join(at, " ")
			s.record(t, "finding", cells)
		}
		for i := range t.Advisories {
			s.record(t, "advisory", advisoryCells(&t.Advisories[i]))
		}
		if len(t.Findings)+len(t.Advisories) == 0 {
			s.record(t, "target", nil)
		}
	}
	return s.flushed()
}

func (s *csvSink) Flush() error {
	if !s.headed {
		if err := s.w.Write(csvColumns()); err != nil {
			return fmt.Errorf("write csv report: %w", err)
		}
	}
	return s.flushed()
}

func (s *csvSink) flushed() error {
	s.w.Flush()
	if err := s.w.Error(); err != nil {
		return fmt.Errorf("write csv report: %w", err)
	}
	return nil
}

// record writes one line; cells are by column. An error stays in the writer.
func (s *csvSink) record(t *event.Target, kind string, cells map[string]string) {
	row := map[string]string{
		"record": kind, "target": where(t.Target), "ip": t.Target.IP, "port": strconv.Itoa(t.Target.Port), "name": t.Target.Name,
		"source": t.Target.Source, "reach": string(t.Target.Reach), "outcome": string(t.Outcome), "product": (*catalogue)(nil).product(t),
		"release": (*catalogue)(nil).release(t.Version),
	}
	if inFiles(t) {
		row["port"] = ""
		if t.Files != nil {
			row["reach"] = string(t.Files.Reach)
		}
	}
	if t.Auth != nil {
		row["auth"], row["auth_mode"] = string(t.Auth.State), string(t.Auth.Mode)
	}
	if g := t.Geo; g != nil {
		row["as_name"], row["country"] = g.ASName, g.Country
		if g.AS != 0 {
			row["as"] = strconv.FormatUint(uint64(g.AS), 10)
		}
	}
	var line []string
	for _, column := range csvColumns() {
		v, ok := cells[column]
		if !ok {
			v = row[column]
		}
		line = append(line, csvCell(v))
	}
	_ = s.w.Write(line)
}

func findingCells(f *event.Finding) map[string]string {
	return map[string]string{
		"severity": string(f.Severity), "id": f.ID, "title": f.Title, "detail": f.Detail, "fix": f.Remediation,
		"controls": strings.Join(f.Controls, " "), "references": strings.Join(f.References, " "),
		"evidence": strings.Join(f.Evidence, " "), "key": f.Key, "suppressed": f.Suppressed, "change": string(f.Change),
	}
}

func advisoryCells(a *event.Advisory) map[string]string {
	return map[string]string{
		"severity": string(a.Severity), "id": a.ID, "title": a.Summary, "suppressed": a.Suppressed, "cve": a.CVE,
		"score": score(a.Score), "status": string(a.Status), "reach_of_advisory": string(a.Reach), "fixed_in": a.Fixed,
		"references": advisoryURL(a.ID),
	}
}

// score is a CVSS score as people write it; "" for none.
func score(f float64) string {
	if f <= 0 {
		return ""
	}
	return strconv.FormatFloat(f, 'f', 1, 64)
}

// CSVCell makes hostile text fit for a cell of comma-separated values: clean, and no
// formula to a spreadsheet.
func CSVCell(s string) string { return csvCell(clean.N(s, textLimit)) }

// csvCell keeps a spreadsheet from taking clean text for a formula: what begins
// like one gets an apostrophe before it (OWASP, "CSV Injection"). So does what
// follows a separator of another locale, where a spreadsheet may split the line.
func csvCell(s string) string {
	var b strings.Builder
	start := true
	for _, r := range s {
		if start && strings.ContainsRune("=+-@\uff1d\uff0b\uff0d\uff20", r) {
			b.WriteByte('\'')
		}
		b.WriteRune(r)
		start = strings.ContainsRune(",;|\t\"", r) || start && r == ' '
	}
	return b.String()
}
