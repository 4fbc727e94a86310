package store

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/release"
	"github.com/clawsonar/clawsonar/internal/stored"
)

// look is what the lines of one run say of one gateway, and what is different in them
// from what its watch knew.
type look struct {
	known stored.Known // empty but for its verdict after the first line
	told  bool         // looked at: not excluded, interrupted or failed on this machine

	verdict   Verdict
	addr      [16]byte
	port      int
	name, url string
	place     string
	product   string
	release   span
	answered  bool
	addresses []string

	findings   []standing // that stand
	past       map[string]bool
	advisories int // that concern the gateway's port
	set        string
	fresh      int    // advisories that are new
	line       []byte // compressed, if it is to be kept
}

// standing is a finding that stands.
type standing struct {
	id, key  string
	severity int
	opened   int64
	run      ID
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

func (v Verdict) alarming() bool {
	return v == Verdict(event.AuthOpen) || v == Verdict(event.AuthClaimable)
}

// proven reports whether a gateway's answer proved it: of one that is blocked, nobody
// knows what it would ask.
func (v Verdict) proven() bool {
	return v.alarming() || v == Verdict(event.AuthRequired) || v == Verdict(event.AuthGated)
}

// take adds a line of the run. Of several, for the addresses of a name, the worst
// verdict counts: it is open if one of them is.
func (o *look) take(judge *stored.Look, h *history, t *event.Target, line func() []byte) {
	v, looked := verdictOf(t)
	if !looked {
		return
	}
	first := !o.told
	recognised := stored.Recognised(t)
	if o.known.Verdict != "" || recognised {
		news := judge.Compare(&o.known, t)
		o.known.Findings, o.known.Advisories = nil, nil // of a further line they say nothing
		for i := range news.Findings {
			if f := &news.Findings[i]; f.Change == event.Closed {
				if o.past == nil {
					o.past = map[string]bool{}
				}
				o.past[f.Key] = true
			}
		}
		if first {
			o.fresh = len(news.Advisories)
		}
	}
	o.told = true
	if !recognised {
		if first {
			o.verdict = v
		}
		return
	}
	if ip := t.Target.IP; !slices.Contains(o.addresses, ip) {
		o.addresses = append(o.addresses, ip)
	}
	for i := range t.Findings {
		if f := &t.Findings[i]; f.Active() && !slices.ContainsFunc(o.findings, func(x standing) bool { return x.key == f.Key }) {
			o.findings = append(o.findings, standing{id: h.one(text(f.ID, 100)), key: text(f.Key, 100), severity: f.Severity.Rank()})
		}
	}
	if o.answered && v.rank() >= o.verdict.rank() {
		return
	}
	o.answered, o.verdict, o.line = true, v, line()
	o.port, o.name, o.url = t.Target.Port, text(t.Target.Name, 300), text(t.Target.URL, 1000)
	o.place, o.release = text(t.Target.Place(), 1000), releaseOf(t.Version)
	o.release.text = h.one(o.release.text)
	o.addr = sortable(t.Target.IP)
	if t.Product != nil {
		o.product = h.one(text(t.Product.Name, 200))
	}
	o.advisories, o.set = h.advisoriesOf(t)
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
	if h.sets[digest] == nil && len(h.sets) < maxSets {
		ids := map[string]bool{}
		for i := range t.Advisories {
			if a := &t.Advisories[i]; a.Suppressed == "" {
				ids[a.ID] = true
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
