// Package exposure judges a deployment by the model of its files: who gets packets to
// each gateway, what the gateway asks of them, and whether it starts at all. It walks
// over the model and reads nothing itself. What the files do not tell stays unknown.
package exposure

import (
	"cmp"
	"path"
	"slices"
	"strconv"

	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/openclaw"
	"github.com/clawsonar/clawsonar/internal/release"
)

// Options are what a judgement needs besides the model.
type Options struct {
	Input string // the deployment, as the user named it
	Read  int    // how many files were read
	// Load reads the configuration of a gateway as that release would, with the variables
	// that the gateway is started with, and returns all that the gateway then has.
	Load func(*deploy.Config, openclaw.Env, release.Version) (*openclaw.Document, openclaw.Env)
	// Line returns a line of a file, without its end; "" where there is none.
	Line       func(event.Pos) string
	Release    release.Version // stated by the user, for where the files do not; may be zero
	Releases   *release.Table
	Advisories *check.Advisories // nil: none are matched
	Keys       *openclaw.Keys
}

// judge is the judging of one model.
type judge struct {
	m         *deploy.Model
	o         Options
	listeners []listener
	checks    map[string]check.Check
	fronted   map[*deploy.Door]bool // doors that a gateway's ways use
	index     index
	releases  []release.Version // that files state: of those of the model that say one
	stating   []deploy.Value
	stated    places // the directories of these
	secrets   texts
	files     int               // of the model's, that are in modes
	modes     map[string]uint32 // by file
	besides   []int             // doors that lead to what may be beside a gateway

	// What the judging took so far: see maxWork and others.
	work, count, loaded, sizes int
	gaps                       []deploy.Gap
	told                       map[deploy.Gap]bool // that are in gaps
}

// gateway is one gateway while it is judged.
type gateway struct {
	*judge
	g  *deploy.Gateway // nil: none is in the files, but something leads to its port
	at listener
	// elsewhere is what leads to it calls it, where it is not in the files.
	elsewhere string
	release   release.Version
	states    deploy.Value // what says the release; Unset: the newest is assumed
	doc       *openclaw.Document
	env       openclaw.Env
	set       openclaw.Settings
	ways      []way
	auths     []event.AuthState // by way
	t         *event.Target
	notes     []message.Text
	size      int // of the findings, about
	keys      map[string]bool
	front     map[belonging]bool // what the ways lead to, once asked
}

// Judge returns a target for each gateway of the model, in its order, then one for each
// that the files only lead to, and one more for findings that belong to none. A model without any gives a target that is something else.
func Judge(m *deploy.Model, o Options) []*event.Target {
	j := &judge{m: m, o: o, checks: map[string]check.Check{}, fronted: map[*deploy.Door]bool{}, told: map[deploy.Gap]bool{}, modes: map[string]uint32{}}
	for _, c := range check.All() {
		j.checks[c.Doc.ID] = c
	}
	j.prepare()
	var all []*gateway
	for _, g := range m.Gateways {
		if len(all) == maxGateways {
			j.gap(g.Kind, "gap.too-many", g.Pos)
			break
		}
		x := j.settle(g)
		all = append(all, x)
		j.listeners = append(j.listeners, x.at)
	}
	j.indexHosts()
	j.indexChains()
	for _, x := range all {
		x.findWays()
	}
	all = append(all, j.implied()...)
	var out []*event.Target
	for _, x := range all {
		out = append(out, x.judge1())
	}
	out = j.shared(out, all)
	return out
}

// prepare collects what of the model is looked up often.
func (j *judge) prepare() {
	j.indexDoors()
	for _, r := range j.m.Releases {
		if v, err := release.Parse(r.Text); err == nil {
			j.stated.add(split(path.Dir(r.Pos.File)), len(j.releases))
			j.releases, j.stating = append(j.releases, v), append(j.stating, r)
		}
	}
	j.secrets = texts{}
	for _, s := range j.m.Secrets {
		j.secrets.add(s.Value.Text)
	}
	for i, d := range j.m.Doors {
		for _, h := range d.Headers {
			if h.Secret != nil {
				j.secrets.add(h.Secret.Text)
			}
		}
		if mayBeBeside(d) {
			j.besides = append(j.besides, i)
		}
	}
}

// private reports whether the files show that only its owner can read a file. What a
// configuration includes is added to them when it is read.
func (j *judge) private(file string) bool {
	for ; j.files < len(j.m.Files); j.files++ {
		f := j.m.Files[j.files]
		if _, known := j.modes[f.Path]; !known && !f.Link {
			j.modes[f.Path] = f.Mode
		}
	}
	mode, known := j.modes[file]
	return known && mode&0o077 == 0
}

// load reads the configuration of a gateway, within the bounds of all: many may name the
// same large one.
func (j *judge) load(c *deploy.Config, env openclaw.Env, r release.Version) (*openclaw.Document, openclaw.Env) {
	if j.loaded += len(c.Data); j.loaded > maxLoaded {
		j.gap(deploy.KindConfig, "gap.too-many", c.Pos)
		return nil, env
	}
	doc, env := j.o.Load(c, env, r)
	return doc, env
}

// settle finds out what a gateway is started with.
func (j *judge) settle(g *deploy.Gateway) *gateway {
	x := &gateway{judge: j, g: g}
	x.release, x.states = j.releaseOf(g)
	x.env = environment(g)
	if g.Config != nil {
		x.doc, x.env = j.load(g.Config, x.env, x.release)
	}
	x.set = openclaw.Resolve(openclaw.Input{
		Doc: x.doc, NoConfig: g.Config == nil && g.NoConfig, Command: g.Command, Env: x.env, Release: x.release, Container: g.Container,
	})
	port, _ := strconv.Atoi(x.set.Port.Value)
	for _, n := range x.set.Notes {
		x.notes = append(x.notes, message.Say(n.ID, n.Args...))
	}
	x.at = listener{g.Space, cmp.Or(port, defaultPort), x.set.Listens == openclaw.ListensLoopback && !x.maybeFarther(), path.Dir(g.Pos.File)}
	return x
}

// maybeFarther reports whether it listens on loopback unless its configuration, which is
// not in the files, says otherwise: what leads to it from elsewhere counts then.
func (x *gateway) maybeFarther() bool {
	return x.set.ListensAssumed && x.set.Listens == openclaw.ListensLoopback
}

// environment looks up variables as the gateway finds them.
func environment(g *deploy.Gateway) openclaw.Env {
	return func(name string) deploy.Value {
		if v, ok := g.Env[name]; ok {
			return v
		}
		if len(g.EnvFrom) > 0 {
			return deploy.Value{State: deploy.Unknown, Pos: g.EnvFrom[0]}
		}
		switch g.Kind { // what starts these has an environment that no file tells
		case deploy.KindConfig, deploy.KindScript, deploy.KindDockerfile:
			return deploy.Value{State: deploy.Unknown}
		}
		return deploy.Value{}
	}
}

// releaseOf says which release a gateway is of, and what says so.
func (j *judge) releaseOf(g *deploy.Gateway) (release.Version, deploy.Value) {
	if v, err := release.Parse(g.Release.Text); err == nil && g.Release.IsSet() {
		return v, g.Release
	}
	if i, ok := j.stated.related(split(path.Dir(g.Pos.File))); ok {
		return j.releases[i], j.stating[i]
	}
	if !j.o.Release.IsZero() {
		return j.o.Release, deploy.Value{State: deploy.Set, Text: j.o.Release.String()}
	}
	return j.o.Releases.Newest().Version, deploy.Value{}
}

// findWays lists the ways in.
func (x *gateway) findWays() {
	var all bool
	if x.ways, all = x.judge.ways(x.at, x.ownReach()); !all {
		x.gap(x.g.Kind, "gap.too-many-ways", x.g.Pos)
	}
	if d := x.tailscale(); d != nil {
		x.ways = append(x.ways, way{doors: []*deploy.Door{d}, reach: d.In.Reach})
	}
	for _, w := range x.ways {
		for _, d := range w.doors {
			x.fronted[d] = true
		}
	}
}

// ownReach says who gets to the gateway's own listener, without a door.
func (x *gateway) ownReach() event.FilesReach {
	switch {
	case x.g == nil:
		return ""
	case x.maybeFarther():
		return event.FilesReachUnknown
	case x.g.Space != deploy.Host:
		return x.inside(x.g.Space, x.at.loopback)
	case x.set.Listens == openclaw.ListensLoopback:
		return event.FilesLoopback
	case x.set.Listens == openclaw.ListensTailnet:
		return event.FilesTailnet
	case x.set.Listens == openclaw.ListensEvery && x.g.Kind == deploy.KindConfig:
		return event.FilesLAN
	case x.set.Listens == openclaw.ListensEvery:
		return event.FilesHostAddresses
	case x.set.Listens == "":
		return event.FilesReachUnknown
	}
	return x.reach(&deploy.Door{In: deploy.Listen{Space: deploy.Host, Address: x.set.Listens}})
}

// tailscale is the door that the gateway makes itself.
func (x *gateway) tailscale() *deploy.Door {
	d := &deploy.Door{
		Kind: deploy.KindTailscale, Pos: x.set.Tailscale.Pos, TLS: deploy.Yes,
		In:      deploy.Listen{Reach: event.FilesTailnet, Pos: x.set.Tailscale.Pos},
		To:      deploy.Endpoint{Space: x.at.space, Port: x.at.port},
		Headers: map[string]deploy.Header{"x-forwarded-for": {Does: deploy.Sets, From: deploy.FromPeer}},
		Own:     true,
	}
	switch x.set.Tailscale.Value {
	case openclaw.TailscaleServe:
		return d
	case openclaw.TailscaleFunnel:
		d.Kind, d.In.Reach = deploy.KindFunnel, event.FilesInternet
		return d
	}
	return nil
}

// implied are gateways that are not in the files, at whose usual port something
// leads.
func (j *judge) implied() []*gateway {
	var out []*gateway
	known := j.known()
	type place struct {
		space     deploy.Space
		host, dir string
	}
	same := map[place][]*deploy.Door{} // in a directory, and everywhere: "*"
	for _, d := range j.m.Doors {
		if d.To.Port == defaultPort {
			p := place{d.To.Space, d.To.Host, path.Dir(d.Pos.File)}
			same[p] = append(same[p], d)
			p.dir = "*"
			same[p] = append(same[p], d)
		}
	}
	for i, d := range j.m.Doors {
		if j.fronted[d] || d.To.Port != defaultPort || known[i] || j.passedOn(i) {
			continue
		}
		x := &gateway{judge: j}
		x.at = listener{space: d.To.Space, port: d.To.Port, near: path.Dir(d.Pos.File)}
		switch {
		case d.To.Select != nil:
			x.elsewhere = d.Name
		case d.To.Host != "" && !isLoopback(d.To.Host):
			x.elsewhere = d.To.Host
		}
		if info := j.m.Spaces[d.To.Space]; x.elsewhere == "" && d.To.Space != deploy.Host && info != nil && len(info.Names) > 0 {
			x.elsewhere = info.Names[0] // in a container that is not known to run a gateway
		} else if x.elsewhere != "" {
			x.at.space = deploy.Space("elsewhere:" + x.elsewhere)
		}
		// All that lead to the same place lead to one gateway.
		p := place{d.To.Space, d.To.Host, "*"}
		if x.at.space == deploy.Host {
			p.dir = x.at.near
		}
		for _, o := range same[p] {
			if j.fronted[o] {
				continue
			}
			ways, all := j.outside(o)
			if !all {
				j.gap(o.Kind, "gap.too-many-ways", o.Pos)
			}
			x.ways = append(x.ways, ways...)
			j.fronted[o] = true
		}
		for _, w := range x.ways {
			for _, d := range w.doors {
				j.fronted[d] = true
			}
		}
		x.release, x.states = j.releaseOf(&deploy.Gateway{Pos: d.Pos})
		x.set.Asks, x.set.Starts = event.AuthUnknown, event.StartsUnknown
		out = append(out, x)
	}
	return out
}

// outside are the ways through a door, and whether they are all.
func (j *judge) outside(d *deploy.Door) (out []way, all bool) {
	name := j.index.public[j.index.number[d]]
	out, all = []way{{doors: []*deploy.Door{d}, reach: j.reach(d), name: name}}, true
	if at, ok := entrance(d); ok {
		var outer []way
		outer, all = j.ways(at, "")
		for _, w := range outer {
			w.doors = append(slices.Clone(w.doors), d)
			w.name = cmp.Or(w.name, name)
			out = append(out, w)
		}
	}
	for i := range out {
		if w := &out[i]; w.name != nil && w.reach == event.FilesHostAddresses {
			w.reach = event.FilesInternet
		}
	}
	return out, all
}

// judge1 makes the target of a gateway.
func (x *gateway) judge1() *event.Target {
	x.t = &event.Target{
		Type: event.TypeTarget, Outcome: event.OutcomeIdentified,
		Target:  event.Address{Input: x.o.Input, Source: string(event.TargetFiles), Kind: event.TargetFiles},
		Product: &event.Product{ID: "openclaw", Brand: "openclaw", Name: "OpenClaw", Confidence: event.Certain, Because: []string{}},
	}
	x.describe()
	x.judgeWays()
	x.findings()
	x.t.AddNotes(x.notes...)
	return x.t
}

// describe says what the gateway is.
func (x *gateway) describe() {
	f := &event.Files{Reach: event.FilesReachUnknown, Starts: x.set.Starts, Bind: x.set.Bind.Value, Port: x.at.port, Read: x.o.Read}
	x.t.Files = f
	if x.g == nil {
		x.t.Target.Gateway = cmp.Or(x.elsewhere, "127.0.0.1") + ":" + strconv.Itoa(x.at.port)
		f.Bind = ""
		x.note("inspect.gateway-elsewhere", message.Of("address", x.t.Target.Gateway))
		return
	}
	f.Generated = x.set.Generated
	f.At = &x.g.Pos
	x.t.Target.File, x.t.Target.Gateway = x.g.Pos.File, x.g.Name
	if first := release.MustParse("2026.1.29"); x.states.State != deploy.Unset && x.release.Compare(first) < 0 {
		x.t.Product.Brand, x.t.Product.Name = "clawdbot", "Clawdbot"
	}
	switch {
	case x.states.State == deploy.Unset:
		x.note("inspect.release-assumed", message.Of("release", x.release.String()))
	default:
		x.t.Version = &event.Version{Exact: x.release.String(), Candidates: []string{x.release.String()}, Source: "stated", Confidence: event.Certain}
		if !x.states.Pos.IsZero() {
			x.t.Version.Source, x.t.Version.At = x.states.Pos.String(), &x.states.Pos
		}
	}
}

func (x *gateway) note(id string, args ...message.Arg) {
	x.notes = append(x.notes, message.Say(id, args...))
}
