// Package exposure judges a deployment by the model of its files: who gets packets to
// each gateway, what the gateway asks of them, and whether it starts at all. It walks
// over the model and reads nothing itself. What the files do not tell stays unknown.
package exposure

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

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
	listeners []listener // of gateways
	near      []listener // of gateways, and of doors of the host
	checks    map[string]check.Check
	fronted   map[*deploy.Door]bool // doors that a gateway's ways use
}

// gateway is one gateway while it is judged.
type gateway struct {
	*judge
	g       *deploy.Gateway // nil: none is in the files, but something leads to its port
	at      listener
	release release.Version
	stated  deploy.Value // what says the release; Unset: the newest is assumed
	doc     *openclaw.Document
	env     openclaw.Env
	set     openclaw.Settings
	ways    []way
	auths   []event.AuthState // by way
	t       *event.Target
	notes   []message.Text
}

// Judge returns a target for each gateway of the model, and one more for findings
// that belong to none. A model without any gives a target that is something else.
func Judge(m *deploy.Model, o Options) []*event.Target {
	j := &judge{m: m, o: o, checks: map[string]check.Check{}, fronted: map[*deploy.Door]bool{}}
	for _, c := range check.All() {
		j.checks[c.Doc.ID] = c
	}
	var all []*gateway
	for _, g := range m.Gateways {
		if g.Candidate {
			continue
		}
		x := j.settle(g)
		all = append(all, x)
		j.listeners = append(j.listeners, x.at)
	}
	j.near = j.listeners
	for _, d := range m.Doors {
		if d.In.Space == deploy.Host && d.In.Port != 0 {
			j.near = append(j.near, listener{d.In.Space, d.In.Port, isLoopback(d.In.Address), path.Dir(d.Pos.File)})
		}
	}
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

// settle finds out what a gateway is started with.
func (j *judge) settle(g *deploy.Gateway) *gateway {
	x := &gateway{judge: j, g: g}
	x.release, x.stated = j.releaseOf(g)
	x.env = environment(g)
	if g.Config != nil {
		x.doc, x.env = j.o.Load(g.Config, x.env, x.release)
	}
	x.set = openclaw.Resolve(openclaw.Input{
		Doc: x.doc, NoConfig: g.Config == nil && g.NoConfig, Command: g.Command, Env: x.env, Release: x.release, Container: g.Container,
	})
	port, _ := strconv.Atoi(x.set.Port.Value)
	for _, n := range x.set.Notes {
		x.notes = append(x.notes, message.Say(n.ID, n.Args...))
	}
	x.at = listener{g.Space, cmp.Or(port, defaultPort), x.set.Listens == openclaw.ListensLoopback, path.Dir(g.Pos.File)}
	return x
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
	best, found := -1, deploy.Value{}
	for _, r := range j.m.Releases {
		if _, err := release.Parse(r.Text); err == nil && related(path.Dir(r.Pos.File), path.Dir(g.Pos.File)) && common(path.Dir(r.Pos.File), path.Dir(g.Pos.File)) > best {
			best, found = common(path.Dir(r.Pos.File), path.Dir(g.Pos.File)), r
		}
	}
	if best >= 0 {
		v, _ := release.Parse(found.Text)
		return v, found
	}
	if !j.o.Release.IsZero() {
		return j.o.Release, deploy.Value{State: deploy.Set, Text: j.o.Release.String()}
	}
	return j.o.Releases.Newest().Version, deploy.Value{}
}

// findWays lists the ways in.
func (x *gateway) findWays() {
	x.ways = x.judge.ways(x.at, x.ownReach())
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
	case "serve":
		return d
	case "funnel":
		d.Kind, d.In.Reach = deploy.KindFunnel, event.FilesInternet
		return d
	}
	return nil
}

// implied are gateways that are not in the files, at whose usual port something
// leads.
func (j *judge) implied() []*gateway {
	var out []*gateway
	for _, d := range j.m.Doors {
		if j.fronted[d] || d.To.Port != defaultPort || j.passedOn(d) || j.known(d) {
			continue
		}
		x := &gateway{judge: j}
		x.at = listener{space: d.To.Space, port: d.To.Port, near: path.Dir(d.Pos.File)}
		switch {
		case d.To.Select != nil:
			x.at.space = deploy.Space("elsewhere:" + d.Name)
		case d.To.Host != "" && !isLoopback(d.To.Host):
			x.at.space = deploy.Space("elsewhere:" + d.To.Host)
		}
		// All that lead to the same place lead to one gateway.
		for _, o := range j.m.Doors {
			same := o.To.Space == d.To.Space && o.To.Host == d.To.Host && o.To.Port == d.To.Port &&
				(x.at.space != deploy.Host || path.Dir(o.Pos.File) == x.at.near)
			if same && !j.fronted[o] {
				x.ways = append(x.ways, j.outside(o)...)
				j.fronted[o] = true
			}
		}
		for _, w := range x.ways {
			for _, d := range w.doors {
				j.fronted[d] = true
			}
		}
		x.release, x.stated = j.releaseOf(&deploy.Gateway{Pos: d.Pos})
		x.set.Asks, x.set.Starts = event.AuthUnknown, event.StartsUnknown
		out = append(out, x)
	}
	return out
}

// passedOn reports whether a door leads to another one.
func (j *judge) passedOn(d *deploy.Door) bool {
	return slices.ContainsFunc(j.m.Doors, func(o *deploy.Door) bool {
		return o != d && (o.In.Port != 0 || o.In.Space != deploy.Host) &&
			j.leads(d, listener{o.In.Space, o.In.Port, isLoopback(o.In.Address), path.Dir(o.Pos.File)})
	})
}

// known reports whether a door leads to a gateway that is in the files, and does not
// get there: it listens on loopback.
func (j *judge) known(d *deploy.Door) bool {
	return slices.ContainsFunc(j.listeners, func(l listener) bool {
		l.loopback = false
		return j.leads(d, l)
	})
}

// outside are the ways through a door.
func (j *judge) outside(d *deploy.Door) []way {
	out := []way{{doors: []*deploy.Door{d}, reach: j.reach(d), names: public(d.In.Names)}}
	if d.In.Port != 0 || d.In.Space != deploy.Host {
		for _, w := range j.ways(listener{d.In.Space, d.In.Port, isLoopback(d.In.Address), path.Dir(d.Pos.File)}, "") {
			w.doors = append(slices.Clone(w.doors), d)
			w.names = append(w.names, out[0].names...)
			out = append(out, w)
		}
	}
	for i := range out {
		if w := &out[i]; len(w.names) > 0 && w.reach == event.FilesHostAddresses {
			w.reach = event.FilesInternet
		}
	}
	return out
}

// judge1 makes the target of a gateway.
func (x *gateway) judge1() *event.Target {
	x.t = &event.Target{
		Type: event.TypeTarget, Outcome: event.OutcomeIdentified,
		Target:  event.Address{Input: x.o.Input, Source: "files", Kind: event.TargetFiles},
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
		f.Gateway = strings.TrimPrefix(string(x.at.space), "elsewhere:")
		if x.at.space == deploy.Host {
			f.Gateway = "127.0.0.1"
		}
		f.Gateway += ":" + strconv.Itoa(x.at.port)
		x.t.Target.Gateway = "#" + f.Gateway
		f.Bind = ""
		x.note("inspect.gateway-elsewhere", message.Of("address", f.Gateway))
		return
	}
	f.Generated = x.set.Generated
	f.Gateway = x.g.Pos.String()
	x.t.Target.Gateway = x.g.Pos.File
	if x.g.Name != "" {
		x.t.Target.Gateway += "#" + x.g.Name
	}
	if x.g.Name != "" {
		f.Gateway = x.g.Name + " (" + f.Gateway + ")"
	}
	if first := release.MustParse("2026.1.29"); x.stated.State != deploy.Unset && x.release.Compare(first) < 0 {
		x.t.Product.Brand, x.t.Product.Name = "clawdbot", "Clawdbot"
	}
	switch {
	case x.stated.State == deploy.Unset:
		x.note("inspect.release-assumed", message.Of("release", x.release.String()))
	default:
		source := "stated"
		if !x.stated.Pos.IsZero() {
			source = x.stated.Pos.String()
		}
		x.t.Version = &event.Version{Exact: x.release.String(), Candidates: []string{x.release.String()}, Source: source, Confidence: event.Certain}
	}
}

func (x *gateway) note(id string, args ...message.Arg) {
	x.notes = append(x.notes, message.Say(id, args...))
}
