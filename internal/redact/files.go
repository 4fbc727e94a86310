package redact

import (
	"path"
	"regexp"
	"slices"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

// This file takes out of the lines of an inspection what tells whose files they are:
// their names, but for those that everybody's files have, and whatever they hold.

// usual are names of files that are nobody's own.
var usual = []string{"openclaw.json", "clawdbot.json", ".env", "package.json", "Dockerfile", "nginx.conf", "default.conf", "Caddyfile", "docker-compose.yml", "docker-compose.yaml",
	"compose.yml", "compose.yaml", "fly.toml", "render.yaml", "railway.json", "railway.toml", "frpc.toml", "ngrok.yml", "openclaw-gateway.service"}

func (r *Redactor) folder(s string) string { return "d-" + r.token("folder", s, 12) }

// file is the pseudonym of a file of a deployment.
func (r *Redactor) file(s string) string {
	if s == "" {
		return ""
	}
	dir, base := path.Split(s)
	switch {
	case !slices.Contains(usual, base):
		return "f-" + r.token("file", s, 12)
	case dir == "":
		return base
	}
	return r.folder(dir) + "/" + base
}

// service is the pseudonym of a gateway within its file.
func (r *Redactor) service(s string) string {
	if s == "" {
		return ""
	}
	return "s-" + r.token("service", s, 8)
}

func (r *Redactor) pos(in event.Pos) event.Pos {
	return event.Pos{File: r.file(in.File), Line: in.Line, Column: in.Column}
}

func (r *Redactor) location(in event.Location, x *eraser) event.Location {
	m := optional(in.Message, x.message)
	return event.Location{Pos: r.pos(in.Pos), Says: again(in.Says, m), Message: m}
}

// again is a text made anew of its messages, which are redacted.
func again(english string, made ...*message.Message) string {
	var all []message.Message
	for _, m := range made {
		if m != nil {
			all = append(all, *m)
		}
	}
	text, ok := message.English.Texts(all)
	switch {
	case english == "":
		return ""
	case !ok:
		return gone
	}
	return text
}

func (r *Redactor) files(in *event.Target, x *eraser) *event.Files {
	f := in.Files
	if f == nil {
		return nil
	}
	one := func(l event.Location) event.Location { return r.location(l, x) }
	return &event.Files{
		At: optional(f.At, r.pos), Reach: id(f.Reach), Starts: id(f.Starts), Generated: f.Generated, Bind: id(f.Bind), Port: f.Port, Read: f.Read,
		Ways:     each(f.Ways, func(w event.Way) event.Way { return r.way(w, x) }),
		Unjudged: each(f.Unjudged, one),
	}
}

func (r *Redactor) way(w event.Way, x *eraser) event.Way {
	return event.Way{
		Reach: id(w.Reach), Auth: id(w.Auth), Steps: each(w.Steps, func(l event.Location) event.Location { return r.location(l, x) }),
		Port: w.Port, Names: each(w.Names, r.host), Through: id(w.Through),
		Adds: optional(w.Adds, r.pos),
	}
}

// posture keeps what is not about the operator's own files.
func (r *Redactor) posture(p *event.Posture, x *eraser) *event.Posture {
	return &event.Posture{
		At: source(p.At), Vantage: r.vantage(p.Vantage), Declared: ids(p.Declared), Result: id(p.Result),
		Noted: event.Noted{Notes: each(p.Notes, x.text), Messages: each(p.Messages, x.message)},
		Configured: optional(p.Configured, func(c event.Configured) event.Configured {
			return event.Configured{At: optional(c.At, r.pos), Bind: id(c.Bind), Mode: id(c.Mode), Way: r.way(c.Way, x)}
		}),
	}
}

// place matches FILE:LINE.
var place = regexp.MustCompile(`^(.*):([0-9]+)$`)

// source is the pseudonym of FILE:LINE, or a word of the program's own.
func (r *Redactor) source(s string) string {
	if m := place.FindStringSubmatch(s); m != nil {
		return r.file(m[1]) + ":" + m[2]
	}
	if s == "" || s == "stated" {
		return s
	}
	return r.file(s)
}

// inFiles replaces what a scan does not have: places in files where it has signals,
// and texts that quote files.
func (r *Redactor) inFiles(in, out *event.Target, x *eraser) {
	if out.Auth != nil {
		out.Auth.Because = each(in.Auth.Because, r.source)
	}
	if out.Version != nil {
		out.Version.Source = r.source(in.Version.Source)
	}
	anew := func(english string, ms []message.Message) string {
		if !slices.ContainsFunc(ms, func(m message.Message) bool { return m.ID == "" || len(m.Args) > 0 }) && len(ms) > 0 {
			return x.text(english) // nothing of theirs is in it
		}
		var made []*message.Message
		for i := range ms {
			made = append(made, &ms[i])
		}
		return again(english, made...)
	}
	for i := range out.Findings {
		f := &out.Findings[i]
		said := f.Said()
		f.Detail = anew(in.Findings[i].Detail, said.Detail)
		f.Remediation = anew(in.Findings[i].Remediation, said.Remediation)
	}
	out.Notes = nil
	for i, n := range in.Notes {
		var made []message.Message
		if i < len(out.Messages) {
			made = out.Messages[i : i+1]
		}
		out.Notes = append(out.Notes, anew(n, made))
	}
}
