package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
)

// codeQuality writes what GitLab reads as a Code Quality report (its documentation,
// "Code Quality report format"): a JSON array with an issue for each finding and each
// advisory. The format has no word for what could not be judged, so that is an issue as
// well: an empty array says that everything was judged and nothing was found. What was
// suppressed or is gone has no issue. It is written as the scan goes.
type codeQuality struct {
	w      io.Writer
	root   string
	n      int
	across bool // two vantages are compared
	summed bool // there was a summary

	first *issuePlace // of the first target: where what has no place of its own is shown
}

func newCodeQuality(w io.Writer, o Options, _ *catalogue) Sink {
	return &codeQuality{w: w, root: o.Root}
}

// The words of severity that GitLab has. Two of them are also ours, and critical is not
// the same: the worst is a blocker.
const (
	issueInfo     = string(event.Info)
	issueMinor    = "minor"
	issueMajor    = "major"
	issueCritical = string(event.Critical)
	issueBlocker  = "blocker"
)

// notJudged is the check of what could not be judged, which could be anything.
const notJudged = "unjudged"

type (
	issue struct {
		Description string     `json:"description"`
		Check       string     `json:"check_name"`
		Fingerprint string     `json:"fingerprint"` // issues with the same one are one to GitLab
		Severity    string     `json:"severity"`
		Location    issuePlace `json:"location"`
	}
	issuePlace struct {
		Path  string     `json:"path"` // relative to the repository
		Lines issueLines `json:"lines"`
	}
	issueLines struct {
		Begin int `json:"begin"`
	}
)

func (s *codeQuality) Event(e event.Event) error {
	switch e := e.(type) {
	case *event.Scan:
		_, _, s.across = e.Vantages()
	case *event.Target:
		return s.target(scrub(e))
	case *event.Summary:
		s.summed = true
		return s.summary(e)
	}
	return nil
}

// target writes the issues of a clean target.
func (s *codeQuality) target(t *event.Target) error {
	at := s.at(t, nil)
	if s.first == nil {
		s.first = &at
	}
	name := where(t.Target)
	for i := range t.Findings {
		f := &t.Findings[i]
		if f.ID == "" || f.Suppressed != "" || f.Change == event.Closed && !s.across {
			continue
		}
		text := fmt.Sprintf("%s: %s. %s Fix: %s", name, f.Title, f.Detail, f.Remediation)
		if err := s.put(issue{text, f.ID, cmp.Or(f.Key, hexKey(f.ID, name)), issueSeverity(f.Severity), s.at(t, f.Locations)}); err != nil {
			return err
		}
	}
	for i := range t.Advisories {
		a := &t.Advisories[i]
		if a.ID == "" || a.Suppressed != "" {
			continue
		}
		severity := a.Severity
		if a.Status != event.StatusAffected && severity.Rank() > event.Medium.Rank() {
			severity = event.Medium // not proven: see advisory-affected
		}
		text := fmt.Sprintf("%s, %s: %s (%s; %s).", name, (*catalogue)(nil).product(t), a.Summary, a.Status, (*catalogue)(nil).reach(a.Reach))
		if err := s.put(issue{text, a.ID, derivedKey(a.ID, t), issueSeverity(severity), s.at(t, stated(t))}); err != nil {
			return err
		}
	}
	if t.Judged() {
		return nil
	}
	if t.Files != nil && len(t.Files.Unjudged) > 0 {
		for _, l := range t.Files.Unjudged {
			if err := s.unjudged(name, cmp.Or(l.Says, t.Why()), s.at(t, []event.Location{l})); err != nil {
				return err
			}
		}
		return nil
	}
	return s.unjudged(name, t.Why(), at)
}

func (s *codeQuality) summary(e *event.Summary) error {
	if u := e.Unlisted; u != nil {
		named := u.Targets[:min(len(u.Targets), event.MaxUnlisted)]
		for _, p := range named {
			if err := s.unjudged(clean.N(p.Place, textLimit), clean.N(p.Outcome, 40), s.somewhere()); err != nil {
				return err
			}
		}
		if more := u.Count - int64(len(named)); more > 0 {
			if err := s.unjudged(fmt.Sprintf("%d more targets", more), "they have no line and are not named", s.somewhere()); err != nil {
				return err
			}
		}
	}
	if e.Complete {
		return nil
	}
	return s.unjudged("The scan", "it is not complete", s.somewhere())
}

// unjudged writes that something could not be judged.
func (s *codeQuality) unjudged(name, why string, at issuePlace) error {
	return s.put(issue{fmt.Sprintf("%s could not be judged (%s): this is not known to be safe.", name, why), notJudged,
		hexKey(notJudged, name, why, at.Path), issueMajor, at})
}

func (s *codeQuality) put(i issue) error {
	i.Description = clean.N(i.Description, textLimit)
	b, err := compact(i)
	if err != nil {
		return err
	}
	s.n++
	return s.write(pick(s.n == 1, "[\n", ",\n") + string(b))
}

func (s *codeQuality) write(text string) error {
	if _, err := io.WriteString(s.w, text); err != nil {
		return fmt.Errorf("write codequality report: %w", err)
	}
	return nil
}

func (s *codeQuality) Flush() error {
	if !s.summed {
		if err := s.unjudged("The scan", "it ends before its summary", s.somewhere()); err != nil {
			return err
		}
	}
	return s.write(pick(s.n == 0, "[]\n", "\n]\n"))
}

// at is the deciding one of the places in the files of a deployment; of what is no
// deployment, the line that named it.
func (s *codeQuality) at(t *event.Target, all []event.Location) issuePlace {
	if !inFiles(t) {
		file, line := namedAt(t)
		return issuePlace{file, issueLines{line}}
	}
	pos := event.Pos{File: t.Target.File}
	if len(all) > 0 {
		pos = all[0].Pos
	}
	name := strings.TrimLeft(repositoryName(t, pos.File, s.root), "/")
	return issuePlace{cmp.Or(name, someFile), issueLines{max(pos.Line, 1)}}
}

// somewhere is where an issue is shown that is of no target.
func (s *codeQuality) somewhere() issuePlace {
	if s.first != nil {
		return *s.first
	}
	return issuePlace{someFile, issueLines{1}}
}

// issueSeverity is the word of GitLab; what cannot be weighed may be the worst.
func issueSeverity(s event.Severity) string {
	return [...]string{issueBlocker, issueInfo, issueMinor, issueMajor, issueCritical, issueBlocker}[s.Rank()]
}
