package exposure

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
)

// socket is where something listens.
type socket struct {
	space    deploy.Space
	port     int
	loopback bool
}

func (l listener) socket() socket { return socket{l.space, l.port, l.loopback} }

// entrance is the listener of a door; none if only its address outside is known.
func entrance(d *deploy.Door) (listener, bool) {
	l := listener{d.In.Space, d.In.Port, isLoopback(d.In.Address), path.Dir(d.Pos.File)}
	return l, d.In.Port != 0 || d.In.Space != deploy.Host
}

// clue is what a door and the listeners that it may lead to have in common. How is the
// way of telling, so that one of them does not stand for another.
type clue struct {
	how          how
	domain, what string
	port         int
	name         string // of the port, where the number is not told
}

// how is what tells where a door leads.
type how uint8

const (
	bySpace    how = iota // to its own namespace
	byHost                // to the host of its container
	byName                // to a name of its domain
	byAddress             // to an address
	byLabels              // to pods that have labels
	byPlatform            // to what its platform finds listening
)

// index finds doors by where they lead, and what is near a file, without a look at all
// of them each time: a tree may have thousands of each.
type index struct {
	doors  map[clue][]int       // of the model's doors, in their order
	leads  map[socket][]int     // the doors that connect there, once asked
	dirs   [][]string           // of each door's file
	hosts  map[int]*places      // directories of what listens on the host, by port
	public []*deploy.Value      // the first public name of each door
	number map[*deploy.Door]int // of a door

	entrances map[group][]int // the doors of a group
	onto      map[int][]group // the groups that a door leads to
}

func (j *judge) indexDoors() {
	x := &j.index
	*x = index{doors: map[clue][]int{}, leads: map[socket][]int{}, hosts: map[int]*places{}, number: map[*deploy.Door]int{}}
	for i, d := range j.m.Doors {
		x.dirs = append(x.dirs, split(path.Dir(d.Pos.File)))
		x.public = append(x.public, public(d.In.Names))
		x.number[d] = i
		if d.To.Port == 0 && platform(d) {
			c := clue{how: byPlatform, what: string(d.To.Space)}
			x.doors[c] = append(x.doors[c], i)
		}
		if d.To.Port == 0 && d.To.Name == "" {
			continue
		}
		c := clue{port: d.To.Port}
		if c.port == 0 {
			c.name = d.To.Name
		}
		domain := ""
		if info := j.m.Spaces[d.To.Space]; info != nil {
			domain = info.Domain
		}
		switch {
		case d.To.Select != nil:
			c.how, c.domain, c.what = byLabels, domain, oneLabel(d.To.Select)
		case d.Transparent || local(d.To.Host):
			c.how, c.what = bySpace, string(d.To.Space)
		case hostName(d.To.Host):
			c.how = byHost
		default:
			a := c
			a.how, a.what = byAddress, d.To.Host
			x.doors[a] = append(x.doors[a], i)
			c.how, c.domain, c.what = byName, domain, firstLabel(d.To.Host)
		}
		x.doors[c] = append(x.doors[c], i)
	}
}

// local reports whether a door leads to the namespace that it is in.
func local(host string) bool {
	return host == "" || isLoopback(host) || host == "0.0.0.0" || host == "::"
}

// oneLabel is one of the labels that are asked for; "" if any pod without some has them.
func oneLabel(labels map[string]string) string {
	best := ""
	for k, v := range labels {
		if l := k + "=" + v; v != "" && (best == "" || l < best) {
			best = l
		}
	}
	return best
}

func firstLabel(name string) string {
	name, _, _ = strings.Cut(name, ".")
	return name
}

// leadTo returns the doors that connect to a socket, by their numbers in order; for which of
// several on the host they are meant, see nearest.
func (j *judge) leadTo(s socket) []int {
	if out, known := j.index.leads[s]; known {
		return out
	}
	info := j.m.Spaces[s.space]
	clues := []clue{{how: bySpace, what: string(s.space)}}
	if s.space == deploy.Host {
		clues = append(clues, clue{how: byHost})
	}
	if info != nil {
		clues = append(clues, clue{how: byLabels, domain: info.Domain})
		for k, v := range info.Labels {
			clues = append(clues, clue{how: byLabels, domain: info.Domain, what: k + "=" + v})
		}
		for _, a := range info.Addresses {
			clues = append(clues, clue{how: byAddress, what: a})
		}
		for _, n := range info.Names {
			clues = append(clues, clue{how: byName, domain: info.Domain, what: firstLabel(n)})
		}
	}
	found := slices.Clone(j.index.doors[clue{how: byPlatform, what: string(s.space)}])
	for _, c := range clues {
		if s.port == 0 {
			break
		}
		c.port = s.port
		found = append(found, j.index.doors[c]...)
		if info == nil {
			continue
		}
		c.port = 0
		for name, port := range info.Ports {
			if c.name = name; port == s.port {
				found = append(found, j.index.doors[c]...)
			}
		}
	}
	slices.Sort(found)
	found = slices.Compact(found)
	out := slices.DeleteFunc(found, func(i int) bool { return !j.spend(1) || !j.connects(j.m.Doors[i], s) })
	j.index.leads[s] = out
	return out
}

// indexHosts notes where something listens on the host, for nearest.
func (j *judge) indexHosts() {
	add := func(l listener) {
		if j.index.hosts[l.port] == nil {
			j.index.hosts[l.port] = new(places)
		}
		j.index.hosts[l.port].add(split(l.near), 0)
	}
	for _, l := range j.listeners {
		if l.space == deploy.Host {
			add(l)
		}
	}
	for _, d := range j.m.Doors {
		if l, ok := entrance(d); ok && l.space == deploy.Host {
			add(l)
		}
	}
}

// group is what listens at a socket, of one directory where that is of the host.
type group struct {
	socket
	dir string
}

// groupOf is the group that a listener belongs to.
func groupOf(l listener) group {
	g := group{socket: l.socket()}
	if l.space == deploy.Host {
		g.dir = path.Clean(l.near)
	}
	return g
}

// ledTo is the group of a socket that a door leads to, which connects to that.
func (j *judge) ledTo(door int, s socket) group {
	g := group{socket: s}
	if s.space == deploy.Host && j.index.hosts[s.port] != nil {
		if near, _ := j.index.hosts[s.port].nearest(j.index.dirs[door]); near.only {
			g.dir = cmp.Or(near.dir, ".")
		}
	}
	return g
}

// indexChains notes which doors lead to which other ones.
func (j *judge) indexChains() {
	j.index.entrances, j.index.onto = map[group][]int{}, map[int][]group{}
	var sockets []socket
	seen := map[socket]bool{}
	for i, d := range j.m.Doors {
		if l, ok := entrance(d); ok {
			j.index.entrances[groupOf(l)] = append(j.index.entrances[groupOf(l)], i)
			if !seen[l.socket()] {
				seen[l.socket()] = true
				sockets = append(sockets, l.socket())
			}
		}
	}
	for _, s := range sockets {
		for _, i := range j.leadTo(s) {
			if g := j.ledTo(i, s); len(j.index.entrances[g]) > 0 {
				j.index.onto[i] = append(j.index.onto[i], g)
			}
		}
	}
}

// passedOn reports whether a door leads to another one.
func (j *judge) passedOn(door int) bool {
	return slices.ContainsFunc(j.index.onto[door], func(g group) bool {
		return len(j.index.entrances[g]) > 1 || j.index.entrances[g][0] != door
	})
}

// known are the doors that lead to a gateway that is in the files, and do not get there:
// it listens on loopback.
func (j *judge) known() map[int]bool {
	out := map[int]bool{}
	gateways := map[group]bool{}
	for _, l := range j.listeners {
		l.loopback = false
		gateways[groupOf(l)] = true
	}
	for g := range gateways {
		for _, i := range j.leadTo(g.socket) {
			out[i] = out[i] || gateways[j.ledTo(i, g.socket)]
		}
	}
	return out
}

// Bounds on what a tree of hostile files can make of the judging. What is beyond them
// is a gap.
const (
	maxWork     = 20_000_000 // doors that are looked at
	maxAllWays  = 100_000    // ways in of all gateways
	maxGateways = 4000
	maxLoaded   = 128 << 20 // bytes of configurations that are read
	maxFindings = 1000      // of a target
	maxSize     = 1 << 20   // bytes of a target's findings and gaps, about
	maxSizes    = 12 << 20  // of all targets
	maxNames    = 16        // of a door, among the steps of a way in
)

// spend takes from the work that a model may make, and reports whether there was any
// left.
func (j *judge) spend(n int) bool {
	j.work += n
	return j.work <= maxWork
}

// gap says that something was not judged.
func (j *judge) gap(kind deploy.Kind, why string, at event.Pos) {
	if g := (deploy.Gap{Kind: kind, Why: why, Pos: at}); !at.IsZero() && !j.told[g] && len(j.gaps) < maxFindings {
		j.told[g] = true
		j.gaps = append(j.gaps, g)
	}
}

// places finds the nearest of directories: the one that has most in common with
// another, see common.
type places struct {
	some  bool
	top   spot            // all
	at    map[string]spot // by directory
	below map[string]spot // by a directory that they are, or are in
}

// spot is what was added first of some directories, whose directory that is, and
// whether it is the only one.
type spot struct {
	i    int
	dir  string
	only bool
}

func (p *places) add(dir []string, i int) {
	name := strings.Join(dir, "/")
	if !p.some {
		*p = places{true, spot{i, name, true}, map[string]spot{}, map[string]spot{}}
	}
	note := func(m map[string]spot, key string) {
		s, there := m[key]
		switch {
		case !there:
			m[key] = spot{i, name, true}
		case s.dir != name:
			s.only = false
			m[key] = s
		}
	}
	p.top.only = p.top.only && p.top.dir == name
	note(p.at, name)
	end := 0
	for n := range dir {
		end += len(dir[n])
		note(p.below, name[:end])
		end++
	}
}

// nearest returns what is nearest, and how much that has in common; -1 if there is
// nothing.
func (p *places) nearest(dir []string) (spot, int) {
	if !p.some {
		return spot{}, -1
	}
	name := strings.Join(dir, "/")
	if s, ok := p.at[name]; ok {
		return s, 2*len(dir) + 1
	}
	for n := len(dir); n > 0; n-- {
		if s, ok := p.below[name]; ok {
			return s, 2 * n
		}
		name = name[:max(0, len(name)-len(dir[n-1])-1)]
	}
	return p.top, 0
}

// related returns the nearest of those that a directory is, is in or has in it.
func (p *places) related(dir []string) (i int, ok bool) {
	if !p.some {
		return 0, false
	}
	name := strings.Join(dir, "/")
	if s, ok := p.at[name]; ok {
		return s.i, true
	}
	if s, ok := p.below[name]; ok {
		return s.i, true
	}
	if len(dir) == 0 {
		return p.top.i, true
	}
	for n := len(dir); n > 0; n-- {
		name = name[:max(0, len(name)-len(dir[n-1])-1)]
		if s, ok := p.at[name]; ok && (n > 1 || dir[0] != "") {
			return s.i, true
		}
	}
	return 0, false
}

// split returns the parts of a directory's name.
func split(dir string) []string {
	if dir = path.Clean(dir); dir == "." {
		return nil
	}
	return strings.Split(dir, "/")
}

// common counts the directories that two have in common, and a bonus if one is the other.
func common(as, bs []string) int {
	n := 0
	for n < len(as) && n < len(bs) && as[n] == bs[n] {
		n++
	}
	if n == len(as) && n == len(bs) {
		return 2*n + 1
	}
	return 2 * n
}

// owners finds the gateway that something of a file is about: the one of that file, or
// the nearest.
type owners struct {
	all    []*gateway
	files  map[string][]int
	near   places
	byFile map[string]*gateway
}

func newOwners(all []*gateway) *owners {
	o := &owners{all: all, files: map[string][]int{}, byFile: map[string]*gateway{}}
	for i, x := range all {
		if x.g == nil {
			continue
		}
		o.near.add(split(path.Dir(x.g.Pos.File)), i)
		o.files[x.g.Pos.File] = append(o.files[x.g.Pos.File], i)
		if c := x.g.Config; c != nil && c.File != x.g.Pos.File {
			o.files[c.File] = append(o.files[c.File], i)
		}
	}
	return o
}

// of returns nil if there is no gateway at all.
func (o *owners) of(file string) *gateway {
	if x, known := o.byFile[file]; known {
		return x
	}
	var best *gateway
	dir, score := split(path.Dir(file)), -1
	for _, i := range o.files[file] {
		if n := common(dir, split(path.Dir(o.all[i].g.Pos.File))); n > score {
			best, score = o.all[i], n
		}
	}
	if s, score := o.near.nearest(dir); best == nil && score >= 0 {
		best = o.all[s.i]
	}
	if best == nil && len(o.all) > 0 {
		best = o.all[0]
	}
	o.byFile[file] = best
	return best
}

// texts finds secrets in lines.
type texts map[string][]string // by their first bytes

// minSecret is the length from which on a secret is looked for in lines.
const minSecret = 3

func (s texts) add(text string) {
	if begin := text[:min(len(text), minSecret)]; len(begin) == minSecret && !slices.Contains(s[begin][max(0, len(s[begin])-8):], text) {
		s[begin] = append(s[begin], text)
	}
}

// in reports whether a line holds one of the secrets, as far as that can be told within
// the work that is left; it may hold one otherwise.
func (s texts) in(line string, spend func(int) bool) bool {
	for i := 0; i+minSecret <= len(line); i++ {
		all := s[line[i:i+minSecret]]
		if !spend(len(all)) || slices.ContainsFunc(all, func(t string) bool { return strings.HasPrefix(line[i:], t) }) {
			return true
		}
	}
	return false
}

// size is about what a location takes in the stream, in bytes.
func size(l event.Location) int { return 200 + len(l.File) + 2*len(l.Says) }

// fits takes from what a target may still hold, and reports whether anything was left.
func (x *gateway) fits(n int) bool {
	if x.size+n > maxSize || x.sizes+n > maxSizes {
		return false
	}
	x.size += n
	x.sizes += n
	return true
}

// byRank orders findings, the worst first.
func byRank(a, b event.Finding) int { return cmp.Compare(b.Severity.Rank(), a.Severity.Rank()) }
