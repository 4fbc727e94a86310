package report

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
)

// maxResults is how many results GitHub takes of a run (its documentation,
// "SARIF support for code scanning").
const maxResults = 25_000

// sarif writes SARIF 2.1.0 for code scanning: a rule a check and one an
// advisory, a result for each of them on each target. Because of the limit on
// results it keeps them, encoded, and writes the worst in Flush.
type sarif struct {
	w    io.Writer
	root string
	tool event.Tool

	rules   []sarifRule    // the checks, then what else was met
	index   map[string]int // of a rule, by id
	results [6][][]byte    // encoded, by rank of severity
	kept    int
	dropped int
	across  bool // two vantages are compared
	whole   bool // a summary said that the scan was complete

	unjudged event.Unjudged
}

func newSARIF(w io.Writer, o Options, _ *catalogue) Sink {
	s := &sarif{w: w, root: o.Root, rules: []sarifRule{}, index: map[string]int{}}
	for i := range o.Checks {
		s.rule(o.Checks[i].ID, func() sarifRule { return checkRule(&o.Checks[i]) })
	}
	return s
}

// rule returns the index of a rule, which it makes when it is the first time.
func (s *sarif) rule(id string, mk func() sarifRule) int {
	i, ok := s.index[id]
	if !ok {
		i = len(s.rules)
		s.index[id] = i
		s.rules = append(s.rules, mk())
	}
	return i
}

type (
	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifRule struct {
		ID         string         `json:"id"`
		Name       string         `json:"name,omitempty"`
		Short      sarifText      `json:"shortDescription"`
		Full       sarifText      `json:"fullDescription"`
		Help       sarifText      `json:"help"`
		HelpURI    string         `json:"helpUri,omitempty"`
		Config     sarifConfig    `json:"defaultConfiguration"`
		Properties map[string]any `json:"properties"`
	}
	sarifConfig struct {
		Level string `json:"level"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"`
		Level        string             `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations"`
		Related      []sarifLocation    `json:"relatedLocations,omitempty"`
		Fingerprints map[string]string  `json:"partialFingerprints"`
		Suppressions []sarifSuppression `json:"suppressions"`
		Baseline     string             `json:"baselineState,omitempty"`
		Properties   map[string]any     `json:"properties"`
	}
	sarifLocation struct {
		ID       int            `json:"id,omitempty"`
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
		Message  *sarifText     `json:"message,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI       string `json:"uri"`
		URIBaseID string `json:"uriBaseId,omitempty"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn,omitempty"`
	}
	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
		Kind string `json:"kind"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Status        string `json:"status"`
		Justification string `json:"justification"`
	}
)

func (s *sarif) Event(e event.Event) error {
	switch e := e.(type) {
	case *event.Scan:
		s.tool = e.Tool
		_, _, s.across = e.Vantages()
	case *event.Summary:
		s.whole = e.Complete
		s.unjudged.Summary(e)
	case *event.Target:
		s.unjudged.Target(e)
		return s.target(scrub(e))
	}
	return nil
}

// target keeps the results of a clean target.
func (s *sarif) target(t *event.Target) error {
	loc := location(t)
	verdict, _ := (*catalogue)(nil).verdict(t)
	for i := range t.Findings {
		f := &t.Findings[i]
		if f.ID == "" {
			continue
		}
		loc, related := loc, []sarifLocation(nil)
		if inFiles(t) {
			loc, related = filesLocations(t, f.Locations, s.root)
		}
		r := sarifResult{
			Related: related,
			RuleID:  f.ID, RuleIndex: s.rule(f.ID, func() sarifRule { return foreignRule(f) }), Level: level(f.Severity), Locations: loc,
			Message:      plainText(fmt.Sprintf("%s: %s (%s). %s Fix: %s", where(t.Target), f.Title, verdict, f.Detail, f.Remediation)),
			Fingerprints: map[string]string{"primaryLocationLineHash": f.Key},
			Suppressions: suppressions(f.Suppressed),
			Properties:   map[string]any{"severity": f.Severity, "controls": orEmpty(f.Controls), "evidence": orEmpty(f.Evidence)},
		}
		switch change := f.Change; {
		case s.across: // neither is the baseline of the other
		case change == event.Opened:
			r.Baseline = "new"
		case change == event.Closed:
			r.Baseline = "absent"
		case change == event.Unseen:
			r.Baseline = "unchanged" // SARIF has no word for "not seen again"
		}
		if err := s.keep(f.Severity, r); err != nil {
			return err
		}
	}
	for i := range t.Advisories {
		a := &t.Advisories[i]
		if a.ID == "" {
			continue
		}
		severity := a.Severity
		if a.Status != event.StatusAffected && severity.Rank() > event.Medium.Rank() {
			severity = event.Medium // not proven: see advisory-affected
		}
		if inFiles(t) {
			loc, _ = filesLocations(t, stated(t), s.root)
		}
		fixed := "No fixed release is known."
		if a.Fixed != "" {
			fixed = "Fixed in " + a.Fixed + "."
		}
		err := s.keep(severity, sarifResult{
			RuleID: a.ID, RuleIndex: s.rule(a.ID, func() sarifRule { return advisoryRule(a) }), Level: level(severity), Locations: loc,
			Message: plainText(fmt.Sprintf("%s, %s: %s (%s; %s). %s", where(t.Target), (*catalogue)(nil).product(t),
				a.Summary, a.Status, (*catalogue)(nil).reach(a.Reach), fixed)),
			Fingerprints: map[string]string{"primaryLocationLineHash": derivedKey(a.ID, t)},
			Suppressions: suppressions(a.Suppressed),
			Properties:   map[string]any{"severity": a.Severity, "status": a.Status, "reach": a.Reach},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// keep takes a result, and above the limit drops the last of the least.
func (s *sarif) keep(severity event.Severity, r sarifResult) error {
	b, err := compact(r)
	if err != nil {
		return err
	}
	rank := severity.Rank()
	s.results[rank] = append(s.results[rank], b)
	if s.kept++; s.kept <= maxResults {
		return nil
	}
	for i := range s.results {
		if n := len(s.results[i]); n > 0 {
			s.results[i] = s.results[i][:n-1]
			s.kept--
			s.dropped++
			return nil
		}
	}
	return nil
}

// compact is v as JSON on one line.
func compact(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("write report: %w", err)
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// Flush writes one rule and one result a line.
func (s *sarif) Flush() error {
	version := semantic(s.tool.Version)
	driver, err := compact(map[string]any{
		"name": "clawsonar", "version": version, "semanticVersion": version, "informationUri": "https://github.com/clawsonar/clawsonar",
	})
	if err != nil {
		return err
	}
	notices := []any{}
	warn := func(format string, args ...any) {
		notices = append(notices, map[string]any{"level": "warning", "message": plainText(fmt.Sprintf(format, args...))})
	}
	if s.dropped > 0 {
		warn("%d results, none of them worse than these, are left out: code scanning takes %d. The formats jsonl and json contain everything.", s.dropped, maxResults)
	}
	for _, p := range s.unjudged.Places {
		warn("%s could not be judged (%s).", clean.N(p.Place, textLimit), clean.N(p.Outcome, 40))
	}
	if n := s.unjudged.More(len(s.unjudged.Places)); n > 0 {
		warn("%d more targets could not be judged.", n)
	}
	invocation, err := compact(map[string]any{"executionSuccessful": s.whole, "toolExecutionNotifications": notices})
	if err != nil {
		return err
	}
	out := bufio.NewWriter(s.w)
	fmt.Fprintf(out, "{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\",\"version\":\"2.1.0\",\"runs\":[{\n\"tool\":{\"driver\":%s,\"rules\":[", bytes.TrimSuffix(driver, []byte("}")))
	for i := range s.rules {
		b, err := compact(&s.rules[i])
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s\n%s", pick(i > 0, ",", ""), b)
	}
	fmt.Fprintf(out, "\n]}},\n\"automationDetails\":{\"id\":\"clawsonar/\"},\"columnKind\":\"utf16CodeUnits\",\n\"invocations\":[%s],\n\"results\":[", invocation)
	sep := ""
	for _, rank := range slices.Backward(s.results[:]) {
		for _, r := range rank {
			fmt.Fprintf(out, "%s\n%s", sep, r)
			sep = ","
		}
	}
	fmt.Fprint(out, "\n]}]}\n")
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write sarif report: %w", err)
	}
	return nil
}

// level is the level of a result. What cannot be weighed is an error.
func level(s event.Severity) string {
	switch s {
	case event.Info, event.Low:
		return "note"
	case event.Medium:
		return "warning"
	}
	return "error"
}

// securitySeverity is the number by which code scanning names a severity: from
// 9.0 critical, from 7.0 high, from 4.0 medium, above 0 low. "" leaves it out.
func securitySeverity(s event.Severity) string {
	return [...]string{"", "", "2.5", "5.5", "8.0", "9.5"}[s.Rank()]
}

func checkRule(r *event.CheckInfo) sarifRule {
	title := squeeze(r.Title)
	when, whenMarkdown := squeeze(r.When), squeeze(r.When)
	if r.Files != "" {
		when += "\n\nIn the files of a deployment: " + squeeze(r.Files)
		whenMarkdown += "\n\n**In the files of a deployment.** " + squeeze(r.Files)
	}
	out := sarifRule{
		ID: r.ID, Name: pascal(r.ID), Short: sarifText{Text: title + "."},
		Full: sarifText{Text: sentence(squeeze(r.Why))},
		Help: sarifText{
			Text:     fmt.Sprintf("%s\n\nWhen it appears: %s\n\nWhat to do: %s\n\nMore: clawsonar explain %s", squeeze(r.Why), when, squeeze(r.Fix), r.ID),
			Markdown: fmt.Sprintf("%s\n\n**When it appears.** %s\n\n**What to do.** %s\n\nMore: `clawsonar explain %s`\n", squeeze(r.Why), whenMarkdown, squeeze(r.Fix), r.ID),
		},
		Config:     sarifConfig{level(r.Severity)},
		Properties: ruleProperties(r.Severity, "very-high", r.Controls),
	}
	if len(r.References) > 0 {
		out.HelpURI = webURL(r.References[0])
	}
	return out
}

// foreignRule describes a check of which only a finding is known: the stream is
// of another version.
func foreignRule(f *event.Finding) sarifRule {
	return sarifRule{
		ID: f.ID, Name: pascal(f.ID), Short: plainText(cmp.Or(f.Title, f.ID) + "."), Full: plainText(sentence(cmp.Or(f.Title, f.ID))),
		Help: plainText(cmp.Or(f.Remediation, "See the documentation of the version that made this result.")), Config: sarifConfig{level(f.Severity)},
		Properties: ruleProperties(f.Severity, "high", f.Controls),
	}
}

func advisoryRule(a *event.Advisory) sarifRule {
	id := a.ID
	if a.CVE != "" && a.CVE != a.ID {
		id += " (" + a.CVE + ")"
	}
	out := sarifRule{
		ID: a.ID, Short: plainText(sentence(cmp.Or(a.Summary, id))), Full: plainText(sentence(id + ": " + a.Summary)),
		Help:       plainText(fmt.Sprintf("A published vulnerability of this release. Update. More: clawsonar explain %s", a.ID)),
		HelpURI:    advisoryURL(a.ID),
		Config:     sarifConfig{level(a.Severity)},
		Properties: ruleProperties(a.Severity, "high", nil),
	}
	if s := score(a.Score); s != "" {
		out.Properties["security-severity"] = s
	}
	return out
}

func ruleProperties(s event.Severity, precision string, controls []string) map[string]any {
	tags := []string{"security"}
	for _, c := range controls {
		tags = append(tags, clean.N(c, 40))
	}
	p := map[string]any{"tags": tags[:min(len(tags), 20)], "precision": precision} // code scanning takes 20 tags
	if v := securitySeverity(s); v != "" {
		p["security-severity"] = v
	}
	return p
}

// sourceLine matches where a list named a target, "hosts.txt:3".
var sourceLine = regexp.MustCompile(`^(.+):([0-9]{1,9})$`)

// someFile is where a target is said to be that no file beside the reader's checkout
// names: code scanning and GitLab want a file for everything.
const someFile = "targets.txt"

// namedAt is the line that named the target, if it is in a file beside the reader's
// checkout.
func namedAt(t *event.Target) (file string, line int) {
	if in, n, ok := cutLine(t.Target.Source); ok && in != "stdin" && in != "beside" && !strings.HasPrefix(in, "beside ") {
		name := path.Clean(strings.ReplaceAll(in, "\\", "/"))
		if !path.IsAbs(name) && !strings.HasPrefix(name, "..") && !strings.Contains(name, ":") {
			return name, n
		}
	}
	return someFile, 1
}

// location is namedAt for SARIF.
func location(t *event.Target) []sarifLocation {
	file, line := namedAt(t)
	return []sarifLocation{{
		Physical: sarifPhysical{sarifArtifact{(&url.URL{Path: file}).EscapedPath(), "%SRCROOT%"}, sarifRegion{StartLine: line}},
		Logical:  []sarifLogical{{where(t.Target), "resource"}},
	}}
}

// cutLine takes FILE:LINE apart.
func cutLine(s string) (file string, line int, ok bool) {
	m := sourceLine.FindStringSubmatch(s)
	if m == nil {
		return "", 0, false
	}
	n, err := strconv.Atoi(m[2])
	return m[1], n, err == nil && n > 0
}

func suppressions(why string) []sarifSuppression {
	if why == "" {
		return []sarifSuppression{}
	}
	return []sarifSuppression{{"external", "accepted", why}}
}

// derivedKey identifies an advisory on a target, as the key of a finding does.
func derivedKey(id string, t *event.Target) string {
	return hexKey(id, where(t.Target))
}

// plainText is clean text as a SARIF message: brackets would make links in it.
func plainText(s string) sarifText {
	return sarifText{Text: strings.NewReplacer(`\`, `\\`, `[`, `\[`, `]`, `\]`).Replace(s)}
}

// sentence ends s with a full stop.
func sentence(s string) string {
	if s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}

// pascal is an id as a name: "auth-missing" as "AuthMissing".
func pascal(id string) string {
	var b strings.Builder
	for part := range strings.FieldsFuncSeq(id, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		r, n := utf8.DecodeRuneInString(part)
		b.WriteString(string(unicode.ToUpper(r)) + part[n:])
	}
	return b.String()
}

var semver = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)

func semantic(version string) string {
	if semver.MatchString(version) {
		return version
	}
	return "0.0.0"
}

func (c *catalogue) reach(reach event.AdvisoryReach) string {
	switch reach {
	case event.Reachable:
		return c.say("reachable without a credential")
	case event.NeedsCredential:
		return c.say("needs a credential")
	case event.Elsewhere:
		return c.say("not through the gateway's port")
	}
	return string(reach)
}

// orEmpty makes a nil slice an empty one: SARIF wants [] where a list is.
func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
