package stored

import (
	"cmp"
	"slices"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

// Known is what is kept of a gateway from older looks. The zero value is of a place
// at which none was known. It is filled by Add, or from what was kept elsewhere.
type Known struct {
	Verdict    string          // as Verdict gives it
	Release    message.Text    // as Release gives it; its English text counts
	Addresses  []string        // of its lines: a name may stand for several
	Findings   []event.Finding // those that stand: ID, Severity and Key count
	Advisories map[string]bool // ids

	tells int  // how much the line tells that gave verdict and release
	seen  bool // see Seen
}

// Add takes a line of a recognised product. Of several lines for one place the
// findings of all are kept, and the verdict and release of the line that tells most;
// Add reports whether that is this one.
func (k *Known) Add(t *event.Target) (best bool) {
	if !slices.Contains(k.Addresses, t.Target.IP) {
		k.Addresses = append(k.Addresses, t.Target.IP)
	}
	if best = known(t) > k.tells; best {
		k.Verdict, k.Release, k.tells = Verdict(t), Release(t), known(t)
	}
	for i := range t.Findings {
		if f := &t.Findings[i]; f.Active() && !has(k.Findings, f.Key) {
			k.Findings = append(k.Findings, *f)
		}
	}
	for i := range t.Advisories {
		if k.Advisories == nil {
			k.Advisories = map[string]bool{}
		}
		k.Advisories[t.Advisories[i].ID] = true
	}
	return best
}

// Seen reports whether a newer line was compared with it.
func (k *Known) Seen() bool { return k.seen }

// Look is what the newer lines are of: what it could have shown tells what is closed
// from what was not seen.
type Look struct {
	Level  event.Level
	checks map[string]event.CheckInfo
}

// NewLook returns a look at a level, with these checks.
func NewLook(level event.Level, checks []event.CheckInfo) *Look {
	l := &Look{Level: level, checks: map[string]event.CheckInfo{}}
	for _, c := range checks {
		l.checks[c.ID] = c
	}
	return l
}

// News is what is different in a newer line.
type News struct {
	// Changes: another verdict or release. Of a place at which nothing was known, or where
	// nothing is recognised any more, there is one of the target itself, without old or
	// without new.
	Changes []event.Change
	// Findings are those that were opened, then the past ones: Closed if the look could
	// have shown them, else Unseen.
	Findings   []event.Finding
	Advisories []event.Advisory // new ones, not suppressed
}

// None reports whether nothing is different.
func (n *News) None() bool { return len(n.Changes)+len(n.Findings)+len(n.Advisories) == 0 }

// Compare compares a line of the newer look with what is known of its place, which it
// leaves as it is but for Seen. If nothing is known, the line is to be of a recognised
// product. Of a further line for a place, only what it adds is different: what is
// missing was said with the first.
func (l *Look) Compare(k *Known, t *event.Target) News {
	again := k.seen
	k.seen = true
	if !Recognised(t) {
		if again {
			return News{}
		}
		n := News{Changes: []event.Change{{What: event.ChangedTarget, Old: k.Verdict}}}
		for _, f := range k.Findings {
			n.Findings = append(n.Findings, l.past(f, k, t))
		}
		return n
	}
	var n News
	for _, f := range t.Findings {
		if f.Active() && !has(k.Findings, f.Key) {
			f.Change = event.Opened
			n.Findings = append(n.Findings, f)
		}
	}
	for _, f := range k.Findings {
		if !again && !has(t.Findings, f.Key) {
			n.Findings = append(n.Findings, l.past(f, k, t))
		}
	}
	for _, a := range t.Advisories {
		if a.Suppressed == "" && !k.Advisories[a.ID] {
			n.Advisories = append(n.Advisories, a)
		}
	}
	now, release := Verdict(t), Release(t)
	if k.Verdict == "" {
		n.Changes = []event.Change{{What: event.ChangedTarget, New: now}}
		return n
	}
	if now != k.Verdict {
		n.Changes = append(n.Changes, event.Change{What: event.ChangedVerdict, Old: k.Verdict, New: now})
	}
	if release.English != k.Release.English {
		n.Changes = append(n.Changes, event.Change{What: event.ChangedRelease, Old: k.Release.English, New: release.English,
			OldMessage: made(k.Release), NewMessage: made(release)})
	}
	return n
}

// past marks a finding that a newer line does not have. Where a name stood for several
// addresses, another of them may have it.
func (l *Look) past(f event.Finding, k *Known, t *event.Target) event.Finding {
	c := l.checks[f.ID]
	f.Evidence = []string{} // it is not in the newer scan
	if ok, _ := c.Judged(l.Level, t); ok && len(k.Addresses) == 1 {
		f.Change = event.Closed
	} else {
		f.Change = event.Unseen
	}
	return f
}

// Verdict is the auth state of a gateway, in the words of the summary; never "".
func Verdict(t *event.Target) string {
	if t.Auth == nil {
		return VerdictOf(event.AuthUnknown)
	}
	if t.Refuses() && t.Auth.State != event.AuthOpen {
		return "does not start"
	}
	return VerdictOf(t.Auth.State)
}

// VerdictOf is Verdict of an auth state.
func VerdictOf(state event.AuthState) string {
	words := map[event.AuthState]string{
		event.AuthRequired: "auth required", event.AuthGated: "gated in front", event.AuthBlocked: "refusing the proxy", event.AuthUnknown: "auth unclear",
	}
	return cmp.Or(words[state], string(state), words[event.AuthUnknown])
}

// Release is the release of a gateway, or those that fit, in words.
func Release(t *event.Target) message.Text {
	said := t.Version.Said()
	said.English = cmp.Or(said.English, "release unknown")
	return said
}

// made is what a text was made of, if it has arguments.
func made(t message.Text) *message.Message {
	if t.ID == "" {
		return nil
	}
	return &t.Message
}
