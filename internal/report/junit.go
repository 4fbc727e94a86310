package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
)

// junit writes JUnit XML, as Jenkins and GitLab read it: a suite for each target
// that was probed, in it a case for each check. What stands makes the case fail,
// from low on; what could not be judged, or was suppressed, makes it skipped,
// never passed. A target that could not be probed is a case in error. It is
// written as the scan goes.
type junit struct {
	w      io.Writer
	checks []event.CheckInfo
	scan   event.Scan
	begun  bool
	n      int
}

func newJUnit(w io.Writer, o Options, _ *catalogue) Sink { return &junit{w: w, checks: o.Checks} }

// The elements, with the attributes that every published schema allows.
type (
	junitSuite struct {
		XMLName   xml.Name    `xml:"testsuite"`
		ID        int         `xml:"id,attr"`
		Package   string      `xml:"package,attr"`
		Name      string      `xml:"name,attr"`
		Hostname  string      `xml:"hostname,attr"`
		Timestamp string      `xml:"timestamp,attr"`
		Tests     int         `xml:"tests,attr"`
		Failures  int         `xml:"failures,attr"`
		Errors    int         `xml:"errors,attr"`
		Skipped   int         `xml:"skipped,attr"`
		Time      string      `xml:"time,attr"`
		Props     []junitProp `xml:"properties>property"`
		Cases     []junitCase `xml:"testcase"`
		Out       string      `xml:"system-out"`
		Err       string      `xml:"system-err"`
	}
	junitProp struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name    string       `xml:"name,attr"`
		Class   string       `xml:"classname,attr"`
		Time    string       `xml:"time,attr"`
		Skipped *junitResult `xml:"skipped"`
		Error   *junitResult `xml:"error"`
		Failure *junitResult `xml:"failure"`
	}
	junitResult struct {
		Message string `xml:"message,attr,omitempty"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

func (s *junit) Event(e event.Event) error {
	if err := s.begin(); err != nil {
		return err
	}
	switch e := e.(type) {
	case *event.Scan:
		s.scan = *e
	case *event.Target:
		return s.put(s.suite(scrub(e)))
	case *event.Summary:
		if e.Unlisted != nil {
			return s.put(s.unlisted(e.Unlisted))
		}
	}
	return nil
}

func (s *junit) put(suite *junitSuite) error {
	b, err := xml.MarshalIndent(suite, "  ", "  ")
	if err != nil {
		return fmt.Errorf("write junit report: %w", err)
	}
	s.n++
	return s.write("  "+strings.TrimLeft(string(b), " "), "\n")
}

func (s *junit) Flush() error {
	if err := s.begin(); err != nil {
		return err
	}
	return s.write("</testsuites>\n")
}

func (s *junit) begin() error {
	if s.begun {
		return nil
	}
	s.begun = true
	return s.write(xml.Header, "<testsuites>\n")
}

func (s *junit) write(parts ...string) error {
	for _, p := range parts {
		if _, err := io.WriteString(s.w, p); err != nil {
			return fmt.Errorf("write junit report: %w", err)
		}
	}
	return nil
}

// suite turns a clean target into a suite.
func (s *junit) suite(t *event.Target) *junitSuite {
	english := (*catalogue)(nil)
	state, _ := english.verdict(t)
	name := where(t.Target)
	seconds := fmt.Sprintf("%.3f", float64(t.DurationMS)/1000)
	suite := &junitSuite{
		ID: s.n, Package: "clawsonar", Name: name, Hostname: pick(t.Target.IP != "", t.Target.IP, "-"),
		Timestamp: s.scan.Started.UTC().Format("2006-01-02T15:04:05"), Time: seconds,
		Props: []junitProp{{"outcome", string(t.Outcome)}, {"verdict", state}},
	}
	if p := english.product(t); p != "" {
		suite.Props = append(suite.Props, junitProp{"product", p})
	}
	if err := unprobed(t); err != "" {
		suite.Errors = 1
		suite.Cases = []junitCase{{Name: "probe", Class: name, Time: seconds, Error: &junitResult{Message: state, Type: string(t.Outcome), Text: err}}}
	} else {
		suite.Cases = s.cases(t, name)
	}
	var out, notes []string
	for i := range suite.Cases {
		c := &suite.Cases[i]
		suite.Tests++
		switch {
		case c.Skipped != nil:
			suite.Skipped++
		case c.Failure != nil:
			suite.Failures++
		}
	}
	for i := range t.Findings {
		if f := &t.Findings[i]; f.Active() && f.Severity == event.Info {
			out = append(out, fmt.Sprintf("%s [%s]: %s %s", f.Severity, f.ID, f.Title, f.Detail))
		}
	}
	for _, s := range english.unread(t) {
		notes = append(notes, "note: "+s)
	}
	for _, n := range t.Notes {
		notes = append(notes, "note: "+n)
	}
	suite.Out, suite.Err = strings.Join(out, "\n"), strings.Join(notes, "\n")
	return suite
}

// unlisted is the suite of what could not be judged and has no line.
func (s *junit) unlisted(u *event.Unlisted) *junitSuite {
	suite := &junitSuite{
		ID: s.n, Package: "clawsonar", Name: "not judged", Hostname: "-",
		Timestamp: s.scan.Started.UTC().Format("2006-01-02T15:04:05"), Time: "0", Props: []junitProp{},
	}
	add := func(class, why, text string) {
		suite.Cases = append(suite.Cases, junitCase{Name: "probe", Class: class, Time: "0", Error: &junitResult{Message: why, Type: why, Text: text}})
		suite.Tests++
		suite.Errors++
	}
	named := u.Targets[:min(len(u.Targets), event.MaxUnlisted)]
	for _, p := range named {
		outcome := clean.N(p.Outcome, 40)
		add(clean.N(p.Place, textLimit), outcome, "outcome "+outcome)
	}
	if more := u.Count - int64(len(named)); more > 0 {
		add(fmt.Sprintf("%d more", more), "not judged", "targets that have no line and are not named")
	}
	return suite
}

// unprobed says what kept a target from being probed; "" if it was, or was not
// to be, or is a member of a range that did not answer.
func unprobed(t *event.Target) string {
	switch t.Outcome {
	case event.OutcomeIdentified, event.OutcomeHelper, event.OutcomeOther, event.OutcomeAbsent:
		return ""
	case event.OutcomeClosed, event.OutcomeSilent, event.OutcomeExcluded:
		if t.Judged() {
			return ""
		}
	}
	if t.Error != "" {
		return t.Error
	}
	return "outcome " + string(t.Outcome)
}

// cases returns a case for each rule and each finding of which no rule is known.
func (s *junit) cases(t *event.Target, class string) []junitCase {
	left := map[string][]*event.Finding{}
	var strange []string
	for i := range t.Findings {
		f := &t.Findings[i]
		if _, ok := left[f.ID]; !ok {
			strange = append(strange, f.ID)
		}
		left[f.ID] = append(left[f.ID], f)
	}
	var out []junitCase
	_, _, across := s.scan.Vantages()
	for i := range s.checks {
		r := &s.checks[i]
		c := verdictCase(t, r.ID, class, left[r.ID])
		if c.Failure == nil && c.Skipped == nil {
			if i := slices.IndexFunc(left[r.ID], func(f *event.Finding) bool { return f.Change == event.Closed }); across && i >= 0 {
				c.Skipped = &junitResult{Message: fmt.Sprintf("from %s, not from %s", s.scan.Compared.Vantage, s.scan.Vantage)}
			} else if ok, why := r.Judged(s.scan.Level, t); !ok {
				c.Skipped = &junitResult{Message: why}
			} else if s.scan.Compared != nil && len(left[r.ID]) == 0 {
				c.Skipped = &junitResult{Message: pick(across, "the same from both", "as it was")} // and not in this stream
			}
		}
		out = append(out, c)
		delete(left, r.ID)
	}
	for _, id := range strange {
		if fs, ok := left[id]; ok {
			out = append(out, verdictCase(t, id, class, fs))
		}
	}
	return out
}

// verdictCase turns the findings of one check on one target into a case.
func verdictCase(t *event.Target, id, class string, fs []*event.Finding) junitCase {
	c := junitCase{Name: id, Class: class, Time: "0"}
	var text []string
	var worst event.Severity
	for _, f := range fs {
		switch {
		case f.Active() && f.Severity != event.Info:
			if worst == "" || f.Severity.Rank() > worst.Rank() {
				worst = f.Severity
			}
			at := ""
			places, _ := (*catalogue)(nil).locations(t, f.Locations)
			for _, p := range places {
				at += "At: " + (*catalogue)(nil).inFile(p) + "\n"
			}
			text = append(text, at+"What: "+f.Detail+"\nFix: "+f.Remediation+"\nKey: "+f.Key)
		case f.Suppressed != "" && c.Skipped == nil:
			c.Skipped = &junitResult{Message: "suppressed: " + f.Suppressed}
		case f.Change == event.Unseen && c.Skipped == nil:
			c.Skipped = &junitResult{Message: "not seen again, which does not show that it is gone"}
		}
	}
	if len(text) > 0 {
		c.Skipped = nil
		c.Failure = &junitResult{Message: fmt.Sprintf("%s: %s", worst, fs[0].Title), Type: string(worst), Text: strings.Join(text, "\n\n")}
	}
	return c
}
