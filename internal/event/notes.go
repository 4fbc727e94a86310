package event

import (
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/message"
)

// AddNotes adds to the notes of a target, and to what they were made of.
func (t *Target) AddNotes(more ...message.Text) {
	addNotes(&t.Notes, &t.Messages, more)
}

// AllNotes returns the notes of a target with what they were made of.
func (t *Target) AllNotes() []message.Text { return allNotes(t.Notes, t.Messages) }

// DropNotes takes out notes of a target.
func (t *Target) DropNotes(drop func(message.Text) bool) {
	dropNotes(&t.Notes, &t.Messages, drop)
}

// AddNotes adds to the notes of a summary, and to what they were made of.
func (s *Summary) AddNotes(more ...message.Text) {
	addNotes(&s.Notes, &s.Messages, more)
}

// AllNotes returns the notes of a summary with what they were made of.
func (s *Summary) AllNotes() []message.Text { return allNotes(s.Notes, s.Messages) }

// DropNotes takes out notes of a summary.
func (s *Summary) DropNotes(drop func(message.Text) bool) {
	dropNotes(&s.Notes, &s.Messages, drop)
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

func addNotes(notes *[]string, messages *[]message.Message, more []message.Text) {
	setNotes(notes, messages, append(allNotes(*notes, *messages), more...))
}

func dropNotes(notes *[]string, messages *[]message.Message, drop func(message.Text) bool) {
	setNotes(notes, messages, slices.DeleteFunc(allNotes(*notes, *messages), drop))
}

// setNotes makes new lists: the old ones may be those of another event.
func setNotes(notes *[]string, messages *[]message.Message, all []message.Text) {
	*notes, *messages = message.Plain(all), nil
	if slices.ContainsFunc(all, func(n message.Text) bool { return n.ID != "" }) {
		*messages = ids(all)
	}
}

// allNotes pairs notes with their messages. Streams of early versions have none.
func allNotes(notes []string, messages []message.Message) []message.Text {
	var out []message.Text
	for i, n := range notes {
		out = append(out, message.Text{English: n})
		if len(messages) == len(notes) {
			out[i].Message = messages[i]
		}
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
