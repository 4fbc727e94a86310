package posture

import (
	"cmp"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

// configured adds what the files say of the way to an endpoint.
func (j *Judge) configured(c *comparison, e *Endpoint) {
	if len(j.Files) == 0 || reach(c.t.Outcome) == notSeen {
		return
	}
	found := find(j.Files, e)
	if found == nil {
		if reach(c.t.Outcome) == reached {
			c.notes = append(c.notes, message.Say("posture.files.no-way", message.Number("port", int(e.spec.Ports[0]))))
		}
		return
	}
	c.p.Configured = found
	if is := seen(c.t); c.breach || c.unclear || is != "" && is != string(event.OutcomeClosed) && found.Way.Auth != event.AuthUnknown && is != string(found.Way.Auth) {
		c.notes = append(c.notes, sentence(found, c.t))
	}
}

// find returns the way in the files that leads to an endpoint: one of its name, else
// one of its port; of several that which reaches farthest.
func find(files []*event.Target, e *Endpoint) *event.Configured {
	var best *event.Configured
	rank := 0
	for _, t := range files {
		if t.Files == nil {
			continue
		}
		for _, w := range t.Files.Ways {
			port := w.Port
			if port == 0 && w.Through == "" {
				port = t.Files.Port
			}
			r := 0
			if port == int(e.spec.Ports[0]) {
				r = 1
			}
			if e.spec.Name != "" && slices.ContainsFunc(w.Names, func(n string) bool { return strings.EqualFold(n, e.spec.Name) }) && (r > 0 || w.Port == 0) {
				r += 2
			}
			if r == 0 || r < rank || r == rank && w.Reach.Rank() <= best.Way.Reach.Rank() {
				continue
			}
			rank, best = r, &event.Configured{At: t.Files.At, Bind: t.Files.Bind, Way: w}
			if t.Auth != nil {
				best.Mode = t.Auth.Mode
			}
		}
	}
	return best
}

// sentence says what the configuration sets, and how the target is reached in spite
// of it, or because of it.
func sentence(f *event.Configured, t *event.Target) message.Text {
	settings := slices.DeleteFunc([]string{string(f.Mode), f.Bind}, func(s string) bool { return s == "" })
	if len(settings) == 0 {
		settings = []string{string(f.Way.Auth)}
	}
	w := f.Way
	var at event.Pos // what leads in
	if f.At != nil {
		at = *f.At
	}
	if at.IsZero() && len(w.Steps) > 0 {
		at = w.Steps[0].Pos // the gateway itself is not in the files
	}
	args := []message.Arg{message.Of("file", at.File), message.Of("settings", settings...), shown(t)}
	if len(w.Steps) > 0 {
		at = w.Steps[0].Pos
	}
	if w.Through == "" {
		return message.Say("posture.files.direct", append(args, message.Of("place", at.String()))...)
	}
	args = append(args, message.Of("front", w.Through), message.Number("port", cmp.Or(w.Port, t.Target.Port)))
	if w.Adds != nil {
		return message.Say("posture.files.adds", append(args, message.Of("place", w.Adds.String()))...)
	}
	return message.Say("posture.files.through", append(args, message.Of("place", at.String()))...)
}
