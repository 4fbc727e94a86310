// Package message holds the texts of what a scan reports. A message is an id with
// named arguments; its text is looked up in the catalogue of a language, which
// knows the plurals and the lists of that language. What a message says is made
// last: nothing reads a sentence back.
package message

import (
	"strconv"
	"strings"
)

// Message is one thing to say. Every argument is a list; most have one member.
type Message struct {
	ID   string              `json:"id"`
	Args map[string][]string `json:"args,omitempty"`
}

// Text is a message and its English, which the result stream holds as well.
type Text struct {
	Message
	English string
}

// Arg is one named argument. What it is, its name says: see KindOf.
type Arg struct {
	Name   string
	Values []string
}

// Of returns an argument that is a text or a list of them.
func Of(name string, values ...string) Arg { return Arg{name, values} }

// Number returns an argument that is a number.
func Number(name string, n int) Arg { return Arg{name, []string{strconv.Itoa(n)}} }

// New returns a message.
func New(id string, args ...Arg) Message {
	m := Message{ID: id}
	for _, a := range args {
		if m.Args == nil {
			m.Args = map[string][]string{}
		}
		m.Args[a.Name] = append([]string{}, a.Values...)
	}
	return m
}

// Say returns a message with its English.
func Say(id string, args ...Arg) Text {
	return New(id, args...).Text()
}

// Text returns the message with its English.
func (m Message) Text() Text {
	text, _ := English.Text(m)
	return Text{m, text}
}

// Fixed returns the message of a text that stands beside the fact that it is about,
// in English, and is translated by its id. A text that the translation was not made
// of, such as one of a user's own fingerprint, is passed on as it is.
func Fixed(id, english string) Text {
	english = oneLine(english)
	if of := fixed()[id].Of; of == "" || of != Digest(english) {
		return Said(english)
	}
	return Text{Message{ID: id}, english}
}

// Said returns a message in somebody else's words, which are not translated.
func Said(text string) Text { return Say("said", Of("text", text)) }

// Plain returns the English of several messages.
func Plain(parts []Text) []string {
	var out []string
	for _, p := range parts {
		out = append(out, p.English)
	}
	return out
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// Kind is what an argument is. It decides what becomes of it when a stream is
// redacted.
type Kind string

// The kinds of arguments.
const (
	Word     Kind = "word"     // an id, a date or another word of the program's own
	Count    Kind = "count"    // a number
	Release  Kind = "release"  // of a product
	Protocol Kind = "protocol" // a version of TLS
	Exchange Kind = "exchange" // id of an exchange of the target
	Trouble  Kind = "trouble"  // why there was no answer, or a verdict: put in words of the language
	Day      Kind = "day"      // of a certificate
	Place    Kind = "place"    // address and port
	URL      Kind = "url"      // of a gateway
	Host     Kind = "host"     // a name, or several in one text
	Subject  Kind = "subject"  // of a certificate
	Process  Kind = "process"  // name of a program
	Path     Kind = "path"     // of a URL
	Quote    Kind = "quote"    // words of a fingerprint
	Vantage  Kind = "vantage"  // where a scan stood, in the operator's word
	Own      Kind = "own"      // the operator's own: files, commands, reasons
)

// KindOf returns what the argument of that name is; "" for a name that is not known.
func KindOf(name string) Kind {
	switch name {
	case "advisories", "against", "as_of", "bind", "brand", "check", "checks", "families", "flag", "front", "settings", "shard", "shards", "signals", "source", "started", "surfaces", "topic":
		return Word
	case "behind", "count", "days", "elsewhere", "fitting", "from", "more", "port", "possible", "reachable", "suppressed", "tried":
		return Count
	case "first", "have", "last", "newest", "other", "release":
		return Release
	case "version":
		return Protocol
	case "requests":
		return Exchange
	case "declared", "seen", "trouble":
		return Trouble
	case "day":
		return Day
	case "address":
		return Place
	case "url":
		return URL
	case "name", "names":
		return Host
	case "subject":
		return Subject
	case "process":
		return Process
	case "paths":
		return Path
	case "product", "text":
		return Quote
	case "command", "file", "key", "listeners", "place", "reason", "setting", "until", "variable":
		return Own
	case "vantage":
		return Vantage
	}
	return ""
}
