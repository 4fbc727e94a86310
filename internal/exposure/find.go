package exposure

import (
	"cmp"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/json5"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/openclaw"
)

// beyond reports whether not only programs of the same machine or pod get there.
func beyond(r event.FilesReach) bool { return r.Rank() > event.FilesHostLoopback.Rank() }

// location is a place and what the setting there does.
func location(p event.Pos, id string, args ...message.Arg) event.Location {
	t := message.Say(id, args...)
	return event.Location{Pos: p, Says: t.English, Message: &t.Message}
}

// steps are the places on a way in, from outside to the gateway.
func (x *gateway) steps(w *way) []event.Location {
	var out []event.Location
	add := func(p event.Pos, id string, args ...message.Arg) {
		if !p.IsZero() && !slices.ContainsFunc(out, func(l event.Location) bool { return l.Pos == p }) {
			out = append(out, location(p, id, args...))
		}
	}
	for _, d := range w.doors {
		for _, n := range d.In.Names[:min(len(d.In.Names), maxNames)] {
			add(n.Pos, "step.name")
		}
		add(d.In.Pos, "step.listens", message.Of("front", string(d.Kind)))
		if d.Login != nil {
			add(d.Login.Pos, "step.login", message.Of("front", string(d.Kind)))
		}
		add(d.Pos, "step.leads", message.Of("front", string(d.Kind)))
	}
	add(x.set.Bind.Pos, "step.bind")
	add(x.set.Mode.Pos, "step.mode")
	if x.g != nil {
		add(x.g.Pos, "step.gateway")
	}
	return out
}

// found adds a finding. Place makes its key: what the finding is about, apart from
// lines, which change. At is the deciding place, more those on the way.
func (x *gateway) found(id string, severity event.Severity, place string, at event.Pos, more []event.Location, detail ...message.Text) *event.Finding {
	c := x.checks[id]
	if at.IsZero() && x.g != nil {
		at = x.g.Pos
	}
	f := c.At(x.o.Input+"\x00"+x.t.Target.File+"\x00"+x.t.Target.Gateway+"\x00"+place, severity, detail...)
	f.Evidence = []string{}
	if !at.IsZero() {
		f.Locations = []event.Location{{Pos: at}}
	}
	for _, l := range more {
		if l.Pos != at && len(f.Locations) < 12 {
			f.Locations = append(f.Locations, l)
		}
	}
	if x.keys[f.Key] {
		return &x.t.Findings[slices.IndexFunc(x.t.Findings, func(o event.Finding) bool { return o.Key == f.Key })] // the same thing, by another way
	}
	n := 1000 + 2*len(f.Detail)
	for _, l := range f.Locations {
		n += size(l)
	}
	if len(x.t.Findings) == maxFindings || !x.fits(n) {
		x.gap("", "gap.too-many", at)
		return f
	}
	if x.keys == nil {
		x.keys = map[string]bool{}
	}
	x.keys[f.Key] = true
	x.t.Findings = append(x.t.Findings, *f)
	return &x.t.Findings[len(x.t.Findings)-1]
}

// place is where a setting of the configuration stands, or the nearest above it.
func (x *gateway) place(keys ...string) event.Pos {
	if x.doc == nil {
		return event.Pos{}
	}
	for n := len(keys); n > 0; n-- {
		if v := x.doc.Get(keys[:n]...); v != nil {
			return v.Pos
		}
	}
	if x.doc.Root != nil {
		return x.doc.Root.Pos
	}
	return x.g.Config.Pos
}

// on reports whether a setting is true.
func (x *gateway) on(keys ...string) (*json5.Node, bool) {
	n := x.doc.Get(keys...)
	return n, n != nil && n.Kind == json5.Bool && n.Bool
}

// off reports whether a setting is false.
func (x *gateway) off(keys ...string) bool {
	n := x.doc.Get(keys...)
	return n != nil && n.Kind == json5.Bool && !n.Bool
}

// text is a setting that is a string, else "".
func (x *gateway) text(keys ...string) (string, *json5.Node) {
	n := x.doc.Get(keys...)
	if n == nil || n.Kind != json5.String {
		return "", n
	}
	return n.Text, n
}

// fix adds the change of one line that fixes a finding: old, which stands at the
// finding's place, becomes new. Lines that hold a secret are not shown.
func (x *gateway) fix(f *event.Finding, at event.Pos, old, new string) {
	if f == nil || x.o.Line == nil || at.IsZero() || old == "" {
		return
	}
	line := x.o.Line(at)
	begin := 0
	if at.Column > 0 {
		units := 0
		for i, r := range line {
			if units >= at.Column-1 {
				begin = i
				break
			}
			if units++; r > 0xffff {
				units++
			}
		}
	}
	i := strings.Index(line[min(begin, len(line)):], old)
	if i < 0 || len(line) > 400 || x.showsSecret(line) {
		return
	}
	i += begin
	f.Diff = "-" + line + "\n+" + line[:i] + new + line[i+len(old):]
}

// showsSecret reports whether a line holds a secret of the model.
func (x *gateway) showsSecret(line string) bool {
	low := strings.ToLower(line)
	for _, word := range []string{"token", "password", "secret", "apikey", "api_key", "bearer"} {
		if strings.Contains(low, word) {
			return true
		}
	}
	own := x.set.Secret.Text
	return len(own) >= minSecret && strings.Contains(line, own) || x.secrets.in(line, x.spend)
}

// findings adds all findings of a gateway, in the order of facts that decide most.
func (x *gateway) findings() {
	x.opens()
	x.starts()
	x.exposes()
	x.proxies()
	if x.doc != nil {
		x.configures()
	} else if x.noConfig() {
		x.surfaces() // as they are without a configuration
	}
	x.credential()
	x.environment()
	x.ofRelease()
	slices.SortStableFunc(x.t.Findings, byRank)
}

// byReach are the indexes of the ways in, those that reach farthest first: where two
// show the same thing, it is told of the farther one.
func (x *gateway) byReach() []int {
	out := make([]int, len(x.ways))
	for i := range out {
		out[i] = i
	}
	slices.SortStableFunc(out, func(a, b int) int { return cmp.Compare(x.ways[b].reach.Rank(), x.ways[a].reach.Rank()) })
	return out
}

// farthest returns the ways in that reach farthest.
func (x *gateway) farthest() []*way {
	var out []*way
	for i := range x.ways {
		if x.ways[i].reach == x.t.Files.Reach {
			out = append(out, &x.ways[i])
		}
	}
	return out
}

// opens finds ways in that stand open, and says where that is not known.
func (x *gateway) opens() {
	for _, i := range x.byReach() {
		w := &x.ways[i]
		if x.auths[i] != event.AuthOpen {
			continue
		}
		at, id, key := x.set.Mode.Pos, "auth-missing.declared.none", "mode"
		switch h := header(w, "authorization"); {
		case x.set.Mode.Value == openclaw.ModeTrustedProxy:
			at, id, key = x.place("gateway", "auth", "trustedProxy", "userHeader"), "auth-missing.declared.identity", "identity"
			if h := header(w, strings.ToLower(x.textOf("gateway", "auth", "trustedProxy", "userHeader"))); h.Does == deploy.Sets && h.From == deploy.FromConst {
				at, id = h.Pos, "auth-missing.declared.same"
			}
		case x.asksThere(w) == event.AuthRequired && h.Does == deploy.Sets:
			at, id, key = h.Pos, "auth-missing.declared.added", "added"
		case at.IsZero() && x.set.Mode.Value != openclaw.ModeNone:
			id = "auth-missing.declared.nothing"
			at = x.place("gateway")
		}
		detail := []message.Text{message.Say(id)}
		switch gated := slices.Contains(x.auths, event.AuthGated); {
		case beyond(w.reach):
		case gated:
			detail = append(detail, message.Say("auth-missing.declared.behind"))
		default:
			detail = append(detail, message.Say("auth-missing.declared.local"))
		}
		f := x.found("auth-missing", event.Critical, key, at, x.steps(w), detail...)
		if key == "mode" {
			x.fix(f, at, openclaw.ModeNone, openclaw.ModeToken)
		}
	}
	empty, isEmpty := x.emptyCredential()
	if x.set.Starts != event.StartsNo && (x.t.Auth.State == event.AuthUnknown || isEmpty) {
		at := x.set.Secret.Pos
		id := "auth-unverified.declared"
		switch {
		case x.g == nil:
			id = "auth-unverified.declared.elsewhere"
			if w := x.farthest(); len(w) > 0 && w[0].inner() != nil {
				at = w[0].inner().Pos
			}
		case isEmpty:
			at, id = empty, "auth-unverified.declared.empty"
		case at.IsZero() && len(x.g.EnvFrom) > 0:
			at = x.g.EnvFrom[0]
		}
		if x.set.AsksAlone == event.AuthOpen && x.t.Auth.State == event.AuthUnknown {
			x.found("auth-missing", x.ifExposed(event.High, event.Medium), "alone", x.place("gateway"), nil, message.Say("auth-missing.declared.alone"))
			return
		}
		x.found("auth-unverified", event.Info, "auth", at, nil, message.Say(id))
	}
}

// emptyCredential is where a variable for the credential is set to one that has no value
// in the files.
func (x *gateway) emptyCredential() (event.Pos, bool) {
	if x.g == nil {
		return event.Pos{}, false
	}
	for _, name := range []string{"OPENCLAW_GATEWAY_TOKEN", "OPENCLAW_GATEWAY_PASSWORD"} {
		if v := x.g.Env[name]; v.State == deploy.Assumed && v.Text == "" {
			return v.Pos, true
		}
	}
	return event.Pos{}, false
}

func (x *gateway) textOf(keys ...string) string {
	s, _ := x.text(keys...)
	return s
}
