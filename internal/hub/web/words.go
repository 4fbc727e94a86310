package web

import (
	"fmt"
	"html/template"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/report"
)

// functions are what templates call.
func (b *Board) functions(l *language) template.FuncMap {
	return template.FuncMap{
		"say": l.Say, "count": l.Count, "severity": l.Severity, "badge": badge,
		"verdict": l.verdict, "tone": tone, "kind": l.kind, "why": l.why, "what": l.what,
		"minute": minute, "iso": iso, "ago": func(t time.Time) string { return l.span(b.Now().Sub(t)) },
		"miss": l.miss, "change": func(c store.Change) string { return l.changeText(&c) }, "find": find, "system": system, "located": l.located, "kindtone": kindTone, "quiet": l.quiet, "int": func(n int64) int { return int(n) },
		"state": l.state, "unit": func(n uint64) int { return int(min(n, math.MaxInt32)) },
	}
}

// verdict names a verdict.
func (l *language) verdict(v store.Verdict) string {
	switch v {
	case store.Gone:
		return l.Say("no longer answers")
	case store.Other:
		return l.Say("something else answers")
	}
	if slices.Contains(event.AuthStates(), event.AuthState(v)) {
		return l.State(event.AuthState(v))
	}
	return l.State(event.AuthUnknown)
}

// tone is the style class of a verdict. What this version does not know is not known.
func tone(v store.Verdict) string {
	switch v {
	case store.Verdict(event.AuthOpen), store.Verdict(event.AuthClaimable):
		return "worst"
	case store.Verdict(event.AuthRequired):
		return "good"
	case store.Verdict(event.AuthGated):
		return "plain"
	case store.Gone, store.Other:
		return "faint"
	}
	return "doubt"
}

// badge is the style class of a severity.
func badge(s event.Severity) string {
	switch {
	case s == "":
		return "zero"
	case s.Rank() == event.Critical.Rank():
		return string(event.Critical)
	}
	return string(s)
}

// kindTone is the style class of a kind of change.
func kindTone(k store.Kind) string {
	switch k {
	case store.KindOpened:
		return "worst"
	case store.KindClosed:
		return "good"
	}
	return "plain"
}

// kind names a kind of change.
func (l *language) kind(k store.Kind) string {
	switch k {
	case store.KindNew:
		return l.Say("new gateway")
	case store.KindOpened:
		return l.Say("opened")
	case store.KindClosed:
		return l.Say("closed by proof")
	case store.KindVerdict:
		return l.Say("another verdict")
	case store.KindGone:
		return l.Say("gateway gone")
	case store.KindFinding:
		return l.Say("new findings")
	case store.KindFixed:
		return l.Say("findings fixed")
	case store.KindRelease:
		return l.Say("another release")
	case store.KindAdvisory:
		return l.Say("new advisories")
	}
	return string(k)
}

func (l *language) kinds(ks []store.Kind) string {
	var out []string
	for _, k := range ks {
		out = append(out, l.kind(k))
	}
	return strings.Join(out, l.Say(", "))
}

// why says why an episode ended.
func (l *language) why(w store.Why) string {
	switch w {
	case store.WhyChanged:
		return l.Say("changed")
	case store.WhyClosed:
		return l.Say("a look that could have shown it did not")
	case store.WhyGone:
		return l.Say("the gateway no longer answers, which does not show that it is fixed")
	}
	return string(w)
}

// what names what an episode is of.
func (l *language) what(w store.What) string {
	switch w {
	case store.OfVerdict:
		return l.Say("Verdict")
	case store.OfRelease:
		return l.Say("Release")
	case store.OfFinding:
		return l.Say("Finding")
	}
	return string(w)
}

// span is a time that went by, in the largest unit that tells something.
func (l *language) span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return l.Say("less than a minute")
	case d < 2*time.Hour:
		return l.Count(int(d/time.Minute), "%d minute", "%d minutes")
	case d < 2*day:
		return l.Count(int(d/time.Hour), "%d hour", "%d hours")
	}
	return l.Count(int(d/day), "%d day", "%d days")
}

// miss says what a run may have missed.
func (l *language) miss(m event.MissEstimate) string {
	switch {
	case m.Reprobed == 0:
		return l.Say("not estimated")
	case m.Found == 0:
		return l.Say("none of %d retried answered", m.Reprobed)
	}
	return l.Say("%d of %d retried answered; about %d missed, at most %d", m.Found, m.Reprobed, m.Missed, m.MissedAtMost)
}

func minute(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func iso(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// system is the AS that an address is in, with its name.
func system(g event.Geo) string { return report.System(&g) }

// located says where an address is, as far as that is known.
func (l *language) located(g event.Geo) string {
	return strings.Join(slices.DeleteFunc([]string{system(g), g.Country}, func(s string) bool { return s == "" }), l.Say(", "))
}

// find is the link to the gateways that a query finds. The value of a condition is any
// text; one that the query's language cannot hold gives "".
func find(key string, value any) string {
	text := fmt.Sprint(value)
	if text == "" || strings.ContainsAny(text, " \"\t") {
		return ""
	}
	return "/gateways?" + url.Values{"q": {key + ":" + text}}.Encode()
}
