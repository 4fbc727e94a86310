package event

import (
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/message"
)

// Noted is what a line says in words.
type Noted struct {
	Notes []string `json:"notes,omitempty"`
	// Messages are what the notes were made of, in their order. One without an id has
	// no more than its note. Streams of early versions have none.
	Messages []message.Message `json:"messages,omitempty"`
}

// AddNotes adds to the notes, and to what they were made of.
func (n *Noted) AddNotes(more ...message.Text) { n.setNotes(append(n.AllNotes(), more...)) }

// DropNotes takes out notes.
func (n *Noted) DropNotes(drop func(message.Text) bool) {
	n.setNotes(slices.DeleteFunc(n.AllNotes(), drop))
}

// AllNotes returns the notes with what they were made of.
func (n *Noted) AllNotes() []message.Text {
	var out []message.Text
	for i, english := range n.Notes {
		out = append(out, message.Text{English: english})
		if len(n.Messages) == len(n.Notes) {
			out[i].Message = n.Messages[i]
		}
	}
	return out
}

// setNotes makes new lists: the old ones may be those of another event.
func (n *Noted) setNotes(all []message.Text) {
	n.Notes, n.Messages = message.Plain(all), nil
	if slices.ContainsFunc(all, func(t message.Text) bool { return t.ID != "" }) {
		n.Messages = ids(all)
	}
}

// Say sets what a finding says in detail.
func (f *Finding) Say(parts ...message.Text) {
	m := f.Said()
	m.Detail = ids(parts)
	f.Detail, f.Messages = strings.Join(message.Plain(parts), " "), &m
}

// Advise sets what a finding says is to be done.
func (f *Finding) Advise(parts ...message.Text) {
	m := f.Said()
	m.Remediation = ids(parts)
	f.Remediation, f.Messages = strings.Join(message.Plain(parts), " "), &m
}

// Suppress says what takes a finding back.
func (f *Finding) Suppress(why message.Text) {
	f.Suppressed = why.English
	if why.ID != "" {
		m := f.Said()
		m.Suppressed = &why.Message
		f.Messages = &m
	}
}

// Said returns what the texts of a finding were made of; streams of early versions
// have none of it.
func (f *Finding) Said() FindingMessages {
	if f.Messages == nil {
		return FindingMessages{}
	}
	return *f.Messages
}

func ids(parts []message.Text) []message.Message {
	var out []message.Message
	for _, p := range parts {
		out = append(out, p.Message)
	}
	return out
}

// Said names the release, or the first and the last of those that fit. It has no
// English if none is known.
func (v *Version) Said() message.Text {
	switch {
	case v == nil || v.Exact == "" && len(v.Candidates) == 0:
		return message.Text{}
	case v.Exact != "":
		return message.Text{English: v.Exact}
	case len(v.Candidates) == 1:
		return message.Text{English: v.Candidates[0]}
	}
	return message.Say("release.span", message.Of("first", v.Candidates[0]), message.Of("last", v.Candidates[len(v.Candidates)-1]))
}
