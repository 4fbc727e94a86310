package openclaw

import (
	"regexp"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/json5"
	"github.com/clawsonar/clawsonar/internal/release"
)

// Ref names a secret that stands elsewhere.
type Ref struct {
	Source   string // env, file, exec or store
	Provider string // of "secrets.providers"; "default" if none is named
	ID       string // of env: the variable
	Pos      event.Pos
	// Maybe: in some release that this may be, the value is no reference, but the secret
	// itself, in plain text.
	Maybe bool
}

const maxRefName = 128 // characters of a variable's name

var (
	refTemplate  = regexp.MustCompile(`^\$\{([A-Z][A-Z0-9_]*)\}$`)
	refShorthand = regexp.MustCompile(`^\$([A-Z][A-Z0-9_]*)$`)
	refMarker    = regexp.MustCompile(`^(?:secretref-env|__env__):([A-Z][A-Z0-9_]*)$`)
)

// Reference returns what a value refers to, and false if it is plain text, or nothing.
// The value is one of a Document, so that "${NAME}" is there only where the variable has
// no value that is known. These are references:
//
//   - an object with source, id and, at will, provider (a store from 2026.8.2 on), where
//     the release takes one at all (2026.2.26);
//   - "${NAME}" from 2026.2.26 on;
//   - "$NAME", not up to 2026.5.7, and surely from 2026.5.28 on;
//   - the markers "secretref-env:NAME" and "__env__:NAME", not up to 2026.4.5, surely from
//     2026.5.7 to 2026.7.35, and not from 2026.9.6 on.
//
// Defaults for the provider (secrets.defaults) are not looked up.
func Reference(n *json5.Node, r release.Version) (Ref, bool) {
	if n == nil {
		return Ref{}, false
	}
	if n.Kind == json5.Object {
		return referenceObject(n, r)
	}
	text := strings.TrimFunc(n.Text, jsSpace)
	for _, form := range []struct {
		re           *regexp.Regexp
		never, first string // up to which it is none, from which on it is one
		last, over   string // up to which it surely is one, from which on it is none again
	}{
		{refTemplate, "2026.2.9", "2026.2.26", "", ""},
		{refShorthand, "2026.5.7", "2026.5.28", "", ""},
		{refMarker, "2026.4.5", "2026.5.7", "2026.7.35", "2026.9.6"},
	} {
		m := form.re.FindStringSubmatch(text)
		if m == nil || len(m[1]) > maxRefName || upTo(r, form.never) || form.over != "" && from(r, form.over) {
			continue
		}
		sure := from(r, form.first) && (form.last == "" || upTo(r, form.last))
		return Ref{Source: "env", Provider: "default", ID: m[1], Pos: n.Pos, Maybe: !sure}, true
	}
	return Ref{}, false
}

func referenceObject(n *json5.Node, r release.Version) (Ref, bool) {
	text := func(key string) string {
		if v := n.Get(key); v != nil && v.Kind == json5.String && strings.TrimFunc(v.Text, jsSpace) != "" {
			return v.Text
		}
		return ""
	}
	ref := Ref{Source: text("source"), Provider: text("provider"), ID: text("id"), Pos: n.Pos}
	switch ref.Source {
	case "env", "file", "exec":
	case "store":
		if upTo(r, "2026.7.35") {
			return Ref{}, false
		}
	default:
		return Ref{}, false
	}
	switch {
	case ref.ID == "" || upTo(r, "2026.2.9"):
		return Ref{}, false
	case n.Get("provider") == nil:
		ref.Provider = "default"
	case ref.Provider == "" || len(n.Members) != 3:
		return Ref{}, false
	}
	return ref, true
}

// upTo and from compare a release with one that was looked at; both are false of a
// release that is not known.
func upTo(r release.Version, last string) bool {
	return !r.IsZero() && r.Compare(release.MustParse(last)) <= 0
}

func from(r release.Version, first string) bool {
	return !r.IsZero() && r.Compare(release.MustParse(first)) >= 0
}
