package store

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/stored"
)

// history is what the index says now: each gateway, and what each watch sees of it.
// Memory is about a kilobyte a gateway and watch.
type history struct {
	gateways map[ID]*gateway
	networks networks
	clock    map[string]int64 // of each watch, when its last run was taken in

	words map[string]string          // each once: most are in many rows
	sets  map[string]map[string]bool // ids of advisories, by their digest
	many  int                        // sets, from which on those that no sight has are forgotten

	wholes map[string]*whole // of each watch, the last one

	// What is to be written.
	opened, closed []Episode
	changes        []Change
	daily          map[day]int
	renewed        map[string]bool // watches of which the whole run is another one
}

type day struct {
	at      int64 // midnight, UTC, in ms
	verdict Verdict
}

// gateway is the row of a gateway.
type gateway struct {
	id     ID
	place  string
	sights []*sight

	verdict Verdict
	since   int64
	addr    [16]byte
	label   Network
	geo     event.Geo // of addr
	unseen  bool      // a vantage that never saw it looked there, and saw no gateway
	dirty   bool
}

// sight is what one watch sees of a gateway.
type sight struct {
	watch, vantage string
	run            ID
	level          event.Level
	config         string // of the run that had a line for it last, "" if that is not known

	place     string
	addr      [16]byte
	addresses int
	port      int
	name, url string
	product   string
	swept     bool      // see swept
	geo       event.Geo // of addr, as the last line says

	verdict Verdict
	since   int64
	proven  event.AuthState
	missed  int // looks in a row that found it gone

	release    span
	released   int64 // since when
	advisories int
	set        string
	findings   []standing

	first, last, looked int64
	dirty               bool
	answer              ID     // the run of the last line, of those taken in since the start
	line                []byte // to be written
}

func newHistory() *history {
	return &history{
		gateways: map[ID]*gateway{}, daily: map[day]int{}, clock: map[string]int64{},
		words: map[string]string{}, sets: map[string]map[string]bool{"": {}}, many: maxSets,
		wholes: map[string]*whole{}, renewed: map[string]bool{},
	}
}

// What a history remembers beside what it uses: words and sets come from streams, and may
// be any.
const (
	maxKept = 10_000
	maxSets = 1000
)

// one is a text that is kept once.
func (h *history) one(text string) string {
	if kept, ok := h.words[text]; ok {
		return kept
	}
	if len(h.words) < maxKept {
		h.words[text] = text
	}
	return text
}

// forget drops the sets that no sight has, if there are many. Those in use stay: an import
// has no other place to find them.
func (h *history) forget() {
	if len(h.sets) <= h.many {
		return
	}
	used := map[string]bool{"": true}
	for _, g := range h.gateways {
		for _, s := range g.sights {
			used[s.set] = true
		}
	}
	maps.DeleteFunc(h.sets, func(digest string, _ map[string]bool) bool { return !used[digest] })
	h.many = max(maxSets, 2*len(h.sets))
}

func (g *gateway) of(watch string) *sight {
	for _, s := range g.sights {
		if s.watch == watch {
			return s
		}
	}
	return nil
}

// pass is a run as the history takes it.
type pass struct {
	h      *history
	run    *Run
	config string // what has the same one looks at the same targets; "" if that is not known
	judge  *stored.Look
	looks  map[ID]*look
	whole  *whole                                  // nil if the run is none
	old    func(ID, string) (*event.Target, error) // the line that is kept
	live   bool                                    // its changes wait for alerts
}

// line takes a line of the run. What was neither known nor recognised is passed over.
func (p *pass) line(t *event.Target, compressed func() []byte) error {
	if p.whole != nil {
		p.whole.note(t)
	}
	id := MakeID(stored.Place(t.Target))
	var s *sight
	if g := p.h.gateways[id]; g != nil {
		s = g.of(p.run.Watch)
	}
	o := p.looks[id]
	if o == nil {
		if s == nil && !stored.Recognised(t) {
			return nil
		}
		o = &look{}
		p.looks[id] = o
	}
	var known stored.Known
	if s != nil && stored.Recognised(t) {
		var err error
		if known, err = p.known(id, s, t); err != nil {
			return err
		}
	}
	o.take(p.judge, known, p.h, t, compressed)
	return nil
}

// known is what the watch knows of a gateway, for the comparison with a line.
func (p *pass) known(id ID, s *sight, t *event.Target) (stored.Known, error) {
	// Each line is compared as that of the only address; what was not seen of several is
	// judged at the end.
	k := stored.Known{Verdict: string(s.verdict), Addresses: []string{s.name}}
	for _, f := range s.findings {
		k.Findings = append(k.Findings, event.Finding{ID: f.id, Key: f.key})
	}
	if p.h.sets[s.set] == nil {
		p.h.advisoriesOf(t) // mostly the same ones, which need not be read
	}
	if k.Advisories = p.h.sets[s.set]; k.Advisories == nil {
		old, err := p.old(id, s.watch)
		if err != nil {
			return k, err
		}
		k.Advisories = map[string]bool{}
		for i := range old.Advisories {
			k.Advisories[old.Advisories[i].ID] = true
		}
	}
	return k, nil
}

// end judges what the run showed, once it is known whether it is complete: a run that is
// not opens, but closes nothing.
func (p *pass) end() {
	// Two runs of a watch are never at the same time, whatever their streams say.
	now := max(ms(p.run.Finished), p.h.clock[p.run.Watch]+1)
	p.h.clock[p.run.Watch] = now
	// In the order of ids: what is written is then the same each time.
	ids := make([]ID, 0, len(p.looks))
	for id := range p.looks {
		ids = append(ids, id)
	}
	if p.run.Complete && !p.run.Again && p.config != "" {
		// Streams of "scan" have no line for a member of a range that no longer answers:
		// a complete run of the very same targets looked at it.
		for id, g := range p.h.gateways {
			if s := g.of(p.run.Watch); s != nil && p.looks[id] == nil && s.config == p.config {
				p.looks[id] = &look{told: true, verdict: Gone}
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		if o := p.looks[id]; o.told {
			p.judged(id, o, now)
		}
	}
	p.unseen(ids)
	p.h.forget()
}

// judged takes what the run showed of one gateway into the history.
func (p *pass) judged(id ID, o *look, now int64) {
	g := p.h.gateways[id]
	if g == nil {
		g = &gateway{id: id, place: o.place}
		p.h.gateways[id] = g
	}
	s := g.of(p.run.Watch)
	kinds := map[Kind]bool{}
	if s == nil {
		kinds[KindNew] = len(g.sights) == 0
		s = &sight{watch: p.run.Watch, first: now}
		g.sights = append(g.sights, s)
	}
	c := Change{
		At: at(now), Run: p.run.ID, Gateway: id, Watch: s.watch, Vantage: p.run.Vantage, Advisories: o.fresh,
		OldVerdict: s.verdict, OldVerdictSince: at(s.since), OldRelease: s.release.text,
	}
	opened, closed := len(p.h.opened), len(p.h.closed)
	// Of a name, an address that was not seen may be open yet; so may be whatever an
	// incomplete run did not come to.
	part := o.answered && len(o.addresses) < s.addresses || !p.run.Complete
	s.vantage, s.run, s.level, s.config, s.looked, s.dirty = p.run.Vantage, p.run.ID, p.run.Level, p.config, now, true
	if o.answered {
		g.dirty = p.answered(g, s, o, now) || g.dirty
		if !part || !Verdict(s.proven).Alarming() {
			s.addresses = len(o.addresses) // else they are to be seen yet
		}
		kinds[KindRelease] = c.OldVerdict != "" && s.release.text != c.OldRelease
		if kinds[KindAdvisory] = c.OldVerdict != "" && o.fresh > 0; kinds[KindAdvisory] {
			c.Severity = o.severe
		}
	}
	p.verdict(g, s, o.verdict, part, now, kinds)
	p.findings(g, s, o, part, now, &c)
	kinds[KindFinding], kinds[KindFixed] = c.Opened > 0, c.Closed > 0
	c.Verdict, c.Release = s.verdict, s.release.text
	for _, k := range Kinds() {
		if kinds[k] {
			c.Kinds = append(c.Kinds, k)
		}
	}
	p.h.renew(g, now)
	if len(c.Kinds) == 0 {
		return
	}
	g.dirty = true
	p.run.Changes++
	if p.live {
		c.Episodes = slices.Concat(p.h.opened[opened:], p.h.closed[closed:])
		r := g.row()
		c.Place, c.Owner, c.Contact, c.Network, c.Product = r.Place, r.Owner, r.Contact, r.Network, r.Product
	}
	p.h.changes = append(p.h.changes, c)
}

// answered takes over what a gateway said of itself, and reports whether its row may be
// another one by it.
func (p *pass) answered(g *gateway, s *sight, o *look, now int64) (other bool) {
	s.last, s.line, s.answer = now, o.line, p.run.ID
	other = s.place != o.place || s.port != o.port || s.name != o.name || s.url != o.url || s.product != o.product || s.advisories != o.advisories
	s.place, s.addr, s.port, s.name, s.url, s.product = o.place, o.addr, o.port, o.name, o.url, o.product
	s.geo, s.swept = o.geo, o.swept
	s.addresses, s.advisories, s.set = max(s.addresses, len(o.addresses)), o.advisories, o.set
	if s.release.text == o.release.text {
		return other
	}
	if s.release.text != "" {
		p.close(g, s, Episode{What: OfRelease, Value: s.release.text, Key: s.release.text, Opened: at(s.released)}, now, WhyChanged)
	}
	s.release, s.released = o.release, now
	if s.release.text != "" {
		p.open(g, s, Episode{What: OfRelease, Value: s.release.text, Key: s.release.text}, now)
	}
	return true
}

// maxMissed is from how many looks in a row on that found it gone a gateway that answers is
// taken for another one.
const maxMissed = 2

// verdict gives a sight its verdict, unless the run is not complete and it would be a
// milder one. Part: something of the gateway may not have been looked at.
func (p *pass) verdict(g *gateway, s *sight, v Verdict, part bool, now int64, kinds map[Kind]bool) {
	if !p.run.Complete && s.verdict != "" && !v.Alarming() && v.rank() >= s.verdict.rank() {
		return
	}
	lost := v.lost()
	was := Verdict(s.proven).Alarming()
	// A gateway that did not answer once is no other one when it does again.
	same := was && s.missed < maxMissed
	s.missed++
	if !lost {
		s.missed = 0
	}
	if v.Proven() && !(part && was) {
		s.proven = event.AuthState(v)
	}
	closed := was && v.Proven() && !v.Alarming() && !part && !g.elsewhere(s, func(o *sight) bool { return Verdict(o.proven).Alarming() })
	kinds[KindClosed] = closed
	if v == s.verdict {
		return
	}
	switch {
	case closed:
	case v.Alarming() && !same && !g.elsewhere(s, func(o *sight) bool {
		// What is open from here, too, is news.
		return o.vantage == s.vantage && Verdict(o.proven).Alarming() && o.missed < maxMissed
	}):
		kinds[KindOpened] = true
	case lost:
		kinds[KindGone] = true
	case s.verdict != "" || len(g.sights) > 1 && v != g.verdict:
		kinds[KindVerdict] = true
	}
	if s.verdict != "" {
		why := WhyChanged
		if lost {
			why = WhyGone
		}
		p.close(g, s, Episode{What: OfVerdict, Value: string(s.verdict), Key: string(s.verdict), Opened: at(s.since)}, now, why)
	}
	s.verdict, s.since = v, now
	p.open(g, s, Episode{What: OfVerdict, Value: string(v), Key: string(v)}, now)
}

// elsewhere reports whether something holds for what another watch sees.
func (g *gateway) elsewhere(s *sight, holds func(*sight) bool) bool {
	return slices.ContainsFunc(g.sights, func(o *sight) bool { return o != s && holds(o) })
}

// findings opens and closes findings. Those that the run could not have shown stay. One
// that has become worse is new.
func (p *pass) findings(g *gateway, s *sight, o *look, part bool, now int64, c *Change) {
	other := func(key string) bool {
		return g.elsewhere(s, func(x *sight) bool {
			return slices.ContainsFunc(x.findings, func(f standing) bool { return f.key == key })
		})
	}
	lost := s.verdict.lost() // an incomplete run does not make it so
	stay := s.findings[:0:0]
	open := func(f standing, is bool) {
		f.opened = now
		stay = append(stay, f)
		p.open(g, s, Episode{What: OfFinding, Value: f.id, Key: f.key, Severity: severity(f.severity)}, now)
		if is && !other(f.key) {
			c.Opened++
			c.Severity = graver(c.Severity, severity(f.severity))
		}
	}
	for _, f := range s.findings {
		now1 := slices.IndexFunc(o.findings, func(x standing) bool { return x.key == f.key })
		why := WhyClosed
		switch {
		case now1 >= 0 && o.findings[now1].severity == f.severity:
			stay = append(stay, f)
			continue
		case now1 >= 0:
			why = WhyChanged
			open(o.findings[now1], o.findings[now1].severity > f.severity)
		case lost:
			why = WhyGone
		case part || o.lines == 0 || o.past[f.key] < o.lines:
			stay = append(stay, f)
			continue
		case !other(f.key):
			c.Closed++
		}
		p.close(g, s, Episode{What: OfFinding, Value: f.id, Key: f.key, Severity: severity(f.severity), Opened: at(f.opened)}, now, why)
	}
	for _, f := range o.findings {
		if slices.ContainsFunc(s.findings, func(x standing) bool { return x.key == f.key }) {
			continue
		}
		open(f, true)
	}
	s.findings = stay
}

// graver is the one of two severities that is worse: what is not graded may be critical.
func graver(a, b event.Severity) event.Severity {
	if b.Rank() > a.Rank() || b == event.Critical && a == event.Ungraded {
		return b
	}
	return a
}

func (p *pass) open(g *gateway, s *sight, e Episode, now int64) {
	e.Gateway, e.Watch, e.Opened, e.Run = g.id, s.watch, at(now), p.run.ID
	p.h.opened = append(p.h.opened, e)
}

func (p *pass) close(g *gateway, s *sight, e Episode, now int64, why Why) {
	e.Gateway, e.Watch, e.Closed, e.ClosedRun, e.Why = g.id, s.watch, at(now), p.run.ID, why
	p.h.closed = append(p.h.closed, e)
}

// renew makes the row of a gateway from what its watches see.
func (h *history) renew(g *gateway, now int64) {
	w := slices.MinFunc(g.sights, worst)
	const msDay = 24 * 60 * 60 * 1000
	if w.verdict != g.verdict {
		today := now - now%msDay
		if g.verdict != "" {
			h.daily[day{today, g.verdict}]--
		}
		h.daily[day{today, w.verdict}]++
		g.verdict, g.since, g.dirty = w.verdict, now, true
	}
	if w.place != "" {
		g.place = w.place
	}
	if w.addr != g.addr {
		g.addr = w.addr
		g.label, g.dirty = h.networks.of(addrOf(g.addr[:])), true
	}
	if geo := g.located(w); geo != g.geo {
		g.geo, g.dirty = geo, true
	}
}

// located is what is known of the address of a sight, of several watches that look at it by
// the worst that knows.
func (g *gateway) located(w *sight) event.Geo {
	as, country := w, w
	for _, s := range g.sights {
		if s.addr != w.addr {
			continue
		}
		if s.geo.AS != 0 && (as.geo.AS == 0 || worst(s, as) < 0) {
			as = s
		}
		if s.geo.Country != "" && (country.geo.Country == "" || worst(s, country) < 0) {
			country = s
		}
	}
	return event.Geo{AS: as.geo.AS, ASName: as.geo.ASName, Country: country.geo.Country}
}

// stands reports whether the run looked at what an earlier one found changed, and
// whether it is still so.
func (p *pass) stands(c Change) (looked, stands bool) {
	o, g := p.looks[c.Gateway], p.h.gateways[c.Gateway]
	if o == nil || !o.told || g == nil {
		return false, false
	}
	s := g.of(p.run.Watch)
	for _, k := range c.Kinds {
		switch k {
		case KindOpened:
			// Only proof takes it back, or so long an absence that it would be told anew.
			back := !Verdict(s.proven).Alarming() || s.missed >= maxMissed
			return o.verdict.Alarming() || p.run.Complete && back, o.verdict.Alarming()
		case KindClosed:
			return o.verdict.Proven(), o.verdict.Proven() && !o.verdict.Alarming()
		case KindVerdict, KindGone:
			// An incomplete run takes nothing back, as it closes nothing.
			return p.run.Complete || o.verdict == c.Verdict, o.verdict == c.Verdict
		}
	}
	stands = !slices.ContainsFunc(c.Episodes, func(e Episode) bool {
		return e.What == OfFinding && e.Closed.IsZero() != slices.ContainsFunc(s.findings, func(f standing) bool { return f.key == e.Key })
	})
	if c.Has(KindRelease) {
		stands = stands && s.release.text == c.Release
	}
	return o.answered, stands
}

// severity is the severity of a rank.
func severity(rank int) event.Severity {
	for _, s := range event.Severities() {
		if s.Rank() == rank {
			return s
		}
	}
	return ""
}

// networks finds the longest prefix that holds an address.
type networks map[netip.Prefix]Network

func (n networks) of(a netip.Addr) Network {
	if !a.IsValid() {
		return Network{}
	}
	for bits := a.BitLen(); bits >= 0 && len(n) > 0; bits-- {
		if p, err := a.Prefix(bits); err == nil {
			if x, ok := n[p]; ok {
				return x
			}
		}
	}
	return Network{}
}

// row is a gateway as its row says it.
func (g *gateway) row() Gateway {
	w := slices.MinFunc(g.sights, worst)
	out := Gateway{
		ID: g.id, Place: g.place, Addr: addrOf(g.addr[:]), Port: w.port, Name: w.name, URL: w.url, Product: w.product,
		Geo: g.geo, Owner: g.label.Owner, Contact: g.label.Contact, Verdict: g.verdict, Since: at(g.since), Proven: w.proven,
		Release: w.release.text, First: at(w.first), Last: at(w.last),
	}
	if g.label.Prefix.IsValid() {
		out.Network = g.label.Prefix.String()
	}
	keys := map[string]bool{}
	worstFinding, byVantage := 0, map[string]Verdict{}
	for _, s := range g.sights {
		if s.first < ms(out.First) {
			out.First = at(s.first)
		}
		if s.last > ms(out.Last) {
			out.Last = at(s.last)
		}
		if Verdict(s.proven).Alarming() && !s.verdict.Proven() {
			out.Proven = s.proven // nobody has seen from there that it was closed
		}
		for _, f := range s.findings {
			keys[f.key] = true
			worstFinding = max(worstFinding, f.severity)
		}
		out.Advisories = max(out.Advisories, s.advisories)
		// Of several watches of a vantage the worst counts. One that saw the gateway once, and
		// where nothing answers now, sees something else than one where it answers.
		if v, ok := byVantage[s.vantage]; !ok || s.verdict.rank() < v.rank() {
			byVantage[s.vantage] = s.verdict
		}
	}
	out.Findings, out.Severity = len(keys), severity(worstFinding)
	for _, v := range byVantage {
		out.Differs = out.Differs || v != byVantage[w.vantage]
	}
	// Where nothing answers any more, one that never saw it sees the same.
	out.Differs = out.Differs || g.unseen && !w.verdict.lost()
	return out
}
