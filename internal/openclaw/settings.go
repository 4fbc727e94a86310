package openclaw

import (
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/json5"
	"github.com/clawsonar/clawsonar/internal/message"
)

// word is one of the words that a setting may be, in one world.
type word struct {
	Setting
	config  string // what the configuration has
	problem *Problem
}

// word returns a setting that a flag or else the configuration makes.
func (g *gateway) word(p *picker, flag string, allowed []string, keys ...string) word {
	v := g.flagValue(flag)
	var w word
	conf := g.text(p, keys...)
	w.Setting, w.config = conf.Setting, conf.Value
	switch {
	case conf.unknown:
		w.Value = pickOf(p, append([]string{""}, allowed...))
		w.config = w.Value
	case conf.problem != nil:
		w.problem = conf.problem
	case conf.set && !slices.Contains(allowed, conf.Value):
		w.problem = &Problem{Pos: conf.Pos, Path: strings.Join(keys, "."), ID: "refuses-start.word", Args: []message.Arg{message.Of("key", strings.Join(keys, "."))}, Fatal: true}
	}
	text := strings.TrimSpace(v.Text)
	switch v.State {
	case deploy.Unset:
	case deploy.Set, deploy.Assumed:
		if text == "" {
			break
		}
		if !slices.Contains(allowed, text) {
			w.problem = &Problem{Pos: v.Pos, ID: "refuses-start.flag", Args: []message.Arg{message.Of("flag", "--"+flag)}, Fatal: true}
			break
		}
		w.Setting = Setting{Value: text, Pos: v.Pos, Assumed: v.State == deploy.Assumed}
	default:
		w.Setting = Setting{Value: pickOf(p, allowed), Pos: v.Pos}
	}
	return w
}

// text is a string of the configuration in one world.
type text struct {
	Setting
	set, unknown bool
	problem      *Problem
}

// text returns a string of the configuration, as it is after substitution.
func (g *gateway) text(p *picker, keys ...string) text {
	n := g.Doc.Get(keys...)
	switch {
	case n == nil && g.open():
		return text{unknown: true}
	case n == nil:
		return text{}
	case n.Kind != json5.String:
		return text{problem: &Problem{Pos: n.Pos, Path: strings.Join(keys, "."), ID: "refuses-start.word", Args: []message.Arg{message.Of("key", strings.Join(keys, "."))}, Fatal: true}}
	}
	t := text{Setting: Setting{Value: n.Text, Pos: n.Pos}, set: true}
	for _, name := range g.Doc.Missing[n] {
		switch v := g.env(name); {
		case v.State == deploy.Assumed && v.Text != "":
			t.Assumed = true
		case v.State == deploy.Unknown, v.State == deploy.Present, v.State == deploy.Assumed:
			return text{Setting: Setting{Pos: n.Pos}, unknown: true}
		}
	}
	return t
}

// flag is a setting that is true or false.
func (g *gateway) flag(key1, key2, key3 string, otherwise bool) deploy.Tri {
	n := g.Doc.Get(key1, key2, key3)
	if n == nil && g.open() {
		return deploy.NotKnown
	}
	if n != nil && n.Kind == json5.Bool {
		otherwise = n.Bool
	}
	if otherwise {
		return deploy.Yes
	}
	return deploy.No
}

func (g *gateway) flagValue(name string) deploy.Value {
	if g.Command == nil {
		return deploy.Value{}
	}
	return g.Command.Flags[name]
}

func (g *gateway) env(name string) deploy.Value {
	if g.Env == nil {
		return deploy.Value{State: deploy.Unknown}
	}
	if g.Doc != nil {
		return g.Doc.Environment(g.Env)(name)
	}
	return g.Env(name)
}

// open reports whether what is not found in the configuration may be there.
func (g *gateway) open() bool { return g.outside || g.Doc != nil && len(g.Doc.Partial) > 0 }

// missingVariables is why old releases do not start where a variable has no value,
// whatever it is for.
func (g *gateway) missingVariables(p *picker, e era) *Problem {
	if e.from("2026.3.13") || g.outside || g.Doc == nil || len(g.Doc.Missing) == 0 {
		return nil
	}
	var maybe *Problem
	for n, names := range g.Doc.Missing {
		for _, name := range names {
			problem := &Problem{Pos: n.Pos, ID: "refuses-start.variable", Args: []message.Arg{message.Of("variable", name)}, Fatal: true}
			switch g.env(name).State {
			case deploy.Unset, deploy.Set:
				return problem
			case deploy.Unknown, deploy.Assumed:
				if maybe == nil || problem.Pos.Line < maybe.Pos.Line {
					maybe = problem
				}
			}
		}
	}
	if maybe != nil && p.pick(2) == 0 {
		return maybe
	}
	return nil
}

// port is the port on which it listens.
func (g *gateway) port() Setting {
	const defaultPort = "18789"
	s, known := portOf(g.flagValue("port"), false)
	if known {
		return s
	}
	guess := s.Assumed
	var names []string
	for _, e := range g.eras {
		for _, name := range e.variables("PORT") {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	for _, name := range names {
		v := g.env(name)
		if s, known := portOf(v, true); known {
			s.Assumed = s.Assumed || guess
			return s
		} else if s.Assumed {
			guess = true
		}
	}
	profile := g.flagValue("profile")
	if g.on("dev") || profile.Text == "dev" {
		return Setting{Value: "19001", Pos: g.Command.Pos, Assumed: guess}
	}
	if n := g.Doc.Get("gateway", "port"); n != nil && n.Kind == json5.Number && n.Number > 0 && n.Number < 65536 {
		return Setting{Value: strconv.Itoa(int(n.Number)), Pos: n.Pos, Assumed: guess}
	}
	if profile.State == deploy.Unset {
		profile = g.env("OPENCLAW_PROFILE")
	}
	guess = guess || g.open()
	if name := strings.TrimSpace(profile.Text); profile.IsSet() && !strings.EqualFold(name, "default") {
		hash := fnv.New32a()
		hash.Write([]byte(name))
		own := Setting{Value: strconv.Itoa(int(20000 + hash.Sum32()%40000)), Pos: profile.Pos, Assumed: guess}
		var ports []string
		for _, e := range g.eras {
			port := defaultPort
			if e.from("2026.8.2") {
				port = own.Value
			}
			ports = append(ports, port)
		}
		if len(slices.Compact(ports)) > 1 {
			return Setting{Pos: profile.Pos}
		}
		if ports[0] == own.Value {
			return own
		}
	}
	return Setting{Value: defaultPort, Assumed: guess}
}

// portOf reads a port; of a variable, an address before it is left out.
func portOf(v deploy.Value, address bool) (s Setting, known bool) {
	s = Setting{Pos: v.Pos, Assumed: v.State == deploy.Assumed || v.State == deploy.Present}
	text := strings.TrimSpace(v.Text)
	if i := strings.LastIndexByte(text, ':'); address && i > 0 && (strings.Count(text, ":") == 1 || text[0] == '[') {
		text = text[i+1:]
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		// A variable that may be set from outside rarely is: the default stands.
		return s, v.State == deploy.Unknown && !address
	}
	s.Value = strconv.FormatUint(n, 10)
	return s, true
}

// settle returns a setting if it is the same in all worlds in which it counts; else
// what the files alone say.
func settle(full, alone []*outcome, of func(*outcome) Setting) Setting {
	if s, ok := agreed(full, of); ok {
		return s
	}
	s, _ := agreed(alone, of)
	s.Assumed = s.Value != ""
	return s
}

// agreed returns what is the same in all worlds in which the gateway gets as far as to
// ask for anything, or in all if it does so in none.
func agreed(worlds []*outcome, of func(*outcome) Setting) (Setting, bool) {
	some := asking(worlds)
	if len(some) == 0 {
		some = worlds
	}
	s := of(some[0])
	for _, o := range some[1:] {
		t := of(o)
		if s.Value == ListensTailnet && t.Value == ListensLoopback && o.bind.Value == bindTailnet || s.Value == ListensLoopback && t.Value == ListensTailnet && o.bind.Value == bindTailnet {
			s.Value = ListensTailnet
			continue
		}
		if t.Value != s.Value {
			return Setting{}, false
		}
		if s.Pos.IsZero() {
			s.Pos = t.Pos
		}
		s.Assumed = s.Assumed || t.Assumed
	}
	return s, true
}

func asking(worlds []*outcome) []*outcome {
	var some []*outcome
	for _, o := range worlds {
		if o.asks != "" {
			some = append(some, o)
		}
	}
	return some
}

func asksOf(worlds []*outcome) event.AuthState {
	some := asking(worlds)
	if len(some) == 0 || slices.ContainsFunc(some, func(o *outcome) bool { return o.asks != some[0].asks }) {
		return event.AuthUnknown
	}
	return some[0].asks
}

func startsOf(worlds []*outcome) (event.Starts, *Problem) {
	var refusal *Problem
	starts := false
	for _, o := range worlds {
		if o.refusal == nil {
			starts = true
		} else if refusal == nil {
			refusal = o.refusal
		}
	}
	switch {
	case refusal == nil:
		return event.StartsYes, nil
	case starts:
		maybe := *refusal
		maybe.Fatal = false
		return event.StartsUnknown, &maybe
	}
	return event.StartsNo, refusal
}

// generatedOf is whether a token is made, where nothing is given from outside.
func generatedOf(worlds []*outcome) (generated, saved bool) {
	some := slices.DeleteFunc(asking(worlds), func(o *outcome) bool { return o.given })
	if len(some) == 0 {
		return false, false
	}
	generated, saved = true, true
	for _, o := range some {
		generated, saved = generated && o.generated, saved && o.saved
	}
	return generated, saved
}

// secretOf is what is known of the credential: one whose text is known before one that
// is elsewhere.
func secretOf(worlds []*outcome) Credential {
	var out Credential
	some := asking(worlds)
	for _, where := range []CredentialWhere{ElsewhereKnown, KnownText} {
		if i := slices.IndexFunc(some, func(o *outcome) bool { return o.secret.Where == where }); i >= 0 {
			out = some[i].secret
		}
	}
	for _, o := range some {
		if o.secret.Where == out.Where && o.secret.Text == out.Text {
			continue
		}
		out.Assumed = true
		if o.secret.Where == NoCredential && out.Where == ElsewhereKnown {
			out.Where = MayBe
		}
	}
	if out.Where == MayBe {
		out.Assumed = false
	}
	return out
}

// notes say between which releases the answers change, if they do.
func (g *gateway) notes(worlds []*outcome, s Settings) []Problem {
	if len(g.eras) < 2 || s.Asks != event.AuthUnknown && s.Starts != event.StartsUnknown && s.Listens != "" {
		return nil
	}
	by := map[string][]*outcome{}
	for _, o := range worlds {
		by[o.era.String()] = append(by[o.era.String()], o)
	}
	same := func(a, b []*outcome) bool {
		x, _ := startsOf(a)
		y, _ := startsOf(b)
		l, _ := agreed(a, func(o *outcome) Setting { return Setting{Value: o.listens} })
		m, _ := agreed(b, func(o *outcome) Setting { return Setting{Value: o.listens} })
		return x == y && asksOf(a) == asksOf(b) && l.Value == m.Value
	}
	first, last := g.eras[0], g.eras[len(g.eras)-1]
	for _, e := range g.eras[1:] {
		if len(by[e.String()]) > 0 && len(by[first.String()]) > 0 && !same(by[first.String()], by[e.String()]) {
			if g.Release.IsZero() {
				return []Problem{{ID: "resolve.release-unknown"}}
			}
			return []Problem{{ID: "resolve.between", Args: []message.Arg{message.Of("first", first.String()), message.Of("last", last.String())}}}
		}
	}
	return nil
}
