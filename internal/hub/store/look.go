package store

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/release"
	"github.com/clawsonar/clawsonar/internal/stored"
)

// look is what the lines of one run say of one gateway, and what is different in them
// from what its watch knew.
type look struct {
	told bool // looked at: not excluded, interrupted or failed on this machine

	verdict   Verdict
	addr      [16]byte
	port      int
	name, url string
	place     string
	product   string
	swept     bool
	geo       event.Geo
	release   span
	answered  bool
	addresses []string

	findings   []standing     // that stand
	lines      int            // of a recognised product
	past       map[string]int // how many of them could have shown a finding, and did not
	advisories int            // that concern the gateway's port
	set        string
	fresh      int            // advisories that are new
	severe     event.Severity // the worst of them
	line       []byte         // compressed, if it is to be kept
}

// standing is a finding that stands.
type standing struct {
	id, key  string
	severity int
	opened   int64
}

// span is a release, or those that fit, in words and as numbers that sort: 0 if not
// known.
type span struct {
	text      string
	low, high int64
}

// verdictOf says what a line shows; looked is false if it shows nothing, since nothing
// was sent.
func verdictOf(t *event.Target) (v Verdict, looked bool) {
	switch t.Outcome {
	case event.OutcomeIdentified, event.OutcomeHelper:
		if t.Auth != nil && slices.Contains(event.AuthStates(), t.Auth.State) {
			return Verdict(t.Auth.State), true
		}
	case event.OutcomeOther:
		if t.Judged() {
			return Other, true
		}
	case event.OutcomeClosed, event.OutcomeSilent, event.OutcomeUnreachable, event.OutcomeReset:
		return Gone, true
	case event.OutcomeExcluded, event.OutcomeLocalError, event.OutcomeInterrupted, event.OutcomeAbsent:
		return "", false
	}
	return Verdict(event.AuthUnknown), true
}

// rank orders verdicts, worst first; what this version does not know is as unknown.
func (v Verdict) rank() int {
	if i := slices.Index(Verdicts(), v); i >= 0 {
		return i
	}
	return Verdict(event.AuthUnknown).rank()
}

// Alarming reports whether anybody can use what is so, by proof.
func (v Verdict) Alarming() bool {
	return v == Verdict(event.AuthOpen) || v == Verdict(event.AuthClaimable)
}

// lost reports whether there is no gateway any more.
func (v Verdict) lost() bool { return v == Gone || v == Other }

// Proven reports whether a gateway's answer proved it: of one that is blocked, nobody
// knows what it would ask.
func (v Verdict) Proven() bool {
	return v.Alarming() || v == Verdict(event.AuthRequired) || v == Verdict(event.AuthGated)
}

// take adds a line of the run. Of several, for the addresses of a name, the worst
// verdict counts: it is open if one of them is. Known is what the watch knew: each line is
// compared for itself.
func (o *look) take(judge *stored.Look, known stored.Known, h *history, t *event.Target, line func() []byte) {
	v, looked := verdictOf(t)
	if !looked {
		return
	}
	first := !o.told
	o.told = true
	if !stored.Recognised(t) {
		if first || !o.answered && v.rank() < o.verdict.rank() {
			o.verdict = v
		}
		return
	}
	news := judge.Compare(&known, t)
	o.lines++
	for i := range news.Findings {
		if f := &news.Findings[i]; f.Change == event.Closed {
			if o.past == nil {
				o.past = map[string]int{}
			}
			o.past[f.Key]++
		}
	}
	if ip := t.Target.IP; !slices.Contains(o.addresses, ip) {
		o.addresses = append(o.addresses, ip)
	}
	for i := range t.Findings {
		f := &t.Findings[i]
		if !f.Active() {
			continue
		}
		if j := slices.IndexFunc(o.findings, func(x standing) bool { return x.key == f.Key }); j >= 0 {
			o.findings[j].severity = max(o.findings[j].severity, f.Severity.Rank())
			continue
		}
		o.findings = append(o.findings, standing{id: h.one(text(f.ID, 100)), key: text(f.Key, 100), severity: f.Severity.Rank()})
	}
	if o.answered && !tells(v, t, o.verdict, o.addr) {
		return
	}
	o.answered, o.verdict, o.line = true, v, line()
	o.port, o.name, o.url = t.Target.Port, text(t.Target.Name, maxHost), text(t.Target.URL, 1000)
	o.place, o.release = text(t.Target.Place(), 1000), releaseOf(t.Version)
	o.release.text = h.one(o.release.text)
	o.addr, o.geo, o.swept = sortable(t.Target.IP), h.geoOf(t.Geo), swept(t)
	if t.Product != nil {
		o.product = h.one(text(t.Product.Name, 200))
	}
	o.advisories, o.set = h.advisoriesOf(t)
	o.fresh, o.severe = len(news.Advisories), ""
	for i := range news.Advisories {
		o.severe = graver(o.severe, news.Advisories[i].Severity)
	}
}

// tells reports whether of two lines for a name this one counts, not that of an address
// with a verdict: the worse one, else that of the lower address, whatever came first.
func tells(v Verdict, t *event.Target, than Verdict, addr [16]byte) bool {
	mine := sortable(t.Target.IP)
	return cmp.Or(cmp.Compare(v.rank(), than.rank()), bytes.Compare(mine[:], addr[:])) < 0
}

// sortable is an address as 16 bytes; none is 16 zeros.
func sortable(ip string) (out [16]byte) {
	if a, err := netip.ParseAddr(ip); err == nil {
		out = a.WithZone("").As16()
	}
	return out
}

// addrOf is the address that sortable made bytes of.
func addrOf(b []byte) netip.Addr {
	if len(b) != 16 || [16]byte(b) == [16]byte{} {
		return netip.Addr{}
	}
	return netip.AddrFrom16([16]byte(b)).Unmap()
}

// maxHost is how much is kept of a host name, in bytes.
const maxHost = 300

// maxASName is how much is kept of the name of an AS, in characters.
const maxASName = 100

// geoOf is what a line says of its address, as far as it has the form of it.
func (h *history) geoOf(g *event.Geo) (out event.Geo) {
	if g == nil {
		return out
	}
	if out.AS = g.AS; g.AS != 0 {
		out.ASName = h.one(text(clean.N(g.ASName, maxASName), 4*maxASName))
	}
	if event.IsCountry(g.Country) {
		out.Country = h.one(g.Country)
	}
	return out
}

// releaseOf is the release of a line.
func releaseOf(v *event.Version) span {
	if v == nil {
		return span{}
	}
	fit := v.Candidates
	if v.Exact != "" {
		fit = []string{v.Exact}
	}
	var out span
	for i, c := range fit {
		x, err := release.Parse(c)
		if err != nil {
			return span{} // of a later version of the stream: not understood
		}
		if i == 0 {
			out.low = x.Number()
		}
		out.high = x.Number()
	}
	if len(fit) > 0 {
		out.text = fit[0]
	}
	if len(fit) > 1 {
		out.text += " – " + fit[len(fit)-1]
	}
	return out
}

// advisoriesOf counts the advisories that concern the gateway's port, and gives a digest
// of all, by which the history remembers them.
func (h *history) advisoriesOf(t *event.Target) (n int, digest string) {
	if len(t.Advisories) == 0 {
		return 0, ""
	}
	sum := sha256.New()
	for i := range t.Advisories {
		a := &t.Advisories[i]
		if a.Suppressed != "" {
			continue
		}
		if a.GatewaySurface {
			n++
		}
		sum.Write([]byte(a.ID + "\n"))
	}
	digest = h.one(hex.EncodeToString(sum.Sum(nil)[:12]))
	if h.sets[digest] == nil {
		ids := map[string]bool{}
		for i := range t.Advisories {
			if a := &t.Advisories[i]; a.Suppressed == "" {
				ids[h.one(a.ID)] = true
			}
		}
		h.sets[digest] = ids
	}
	return n, digest
}

// worst orders sights: the one that a gateway's row is of comes first.
func worst(a, b *sight) int {
	return cmp.Or(cmp.Compare(a.verdict.rank(), b.verdict.rank()), cmp.Compare(b.last, a.last), cmp.Compare(a.watch, b.watch))
}
