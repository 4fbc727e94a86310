package fingerprint

import (
	"fmt"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
)

// rule is one entry of a product's lists of rules.
type rule struct {
	list  string // the key of its list in the file
	index int
	says  string
	at    []any // where it stands in the file
	cond  cond
	alarm bool // it makes a product certain, or says that it is open to anyone
}

// rules returns every rule of a product, list by list, in the order of the file.
func (p *product) rules() []rule {
	var out []rule
	add := func(list string, index int, says string, c cond, alarm bool) {
		out = append(out, rule{list, index, says, []any{list, index}, c, alarm})
	}
	for i, r := range p.Identity {
		add("identity", i, string(r.Confidence), r.cond, r.Confidence == event.Certain)
	}
	for i, r := range p.Brand {
		add("brand", i, r.Brand, r.cond, false)
	}
	for i, r := range p.Auth {
		add("auth", i, string(r.State), r.cond, r.State == event.AuthOpen || r.State == event.AuthClaimable)
	}
	for i, r := range p.Version {
		add("version", i, r.Source, r.cond, false)
	}
	for i, r := range p.Surfaces {
		add("surfaces", i, r.ID+" "+string(r.State), r.cond, false)
		out[len(out)-1].at = r.at
	}
	for i, r := range p.Traits {
		add("traits", i, r.ID, r.cond, false)
	}
	for i, r := range p.Notes {
		add("notes", i, fmt.Sprintf("%.40s...", r.Text), r.cond, false)
	}
	return out
}

// decides reports whether a rule is part of the verdict: of identity, brand and
// authentication only the first that matches is. before says whether one did.
func (v *view) decides(r rule, before bool) bool {
	switch r.list {
	case "identity", "brand":
		return !before && v.matches(&r.cond)
	case "auth", "traits":
		return v.confidence().Rank() >= event.Firm.Rank() && !(before && r.list == "auth") && v.matches(&r.cond)
	case "version":
		src := &v.p.Version[r.index]
		a := v.c.answer(src.On)
		if a == nil || !v.matches(&r.cond) {
			return false
		}
		got, _ := v.ask(src, a)
		return len(got.Candidates) > 0
	}
	return v.matches(&r.cond)
}

// undecided returns what each rule that decides in no capture is to be called,
// and whether it can raise an alarm.
func (s *Set) undecided(captures map[string]evidence.Capture) (alarms, others []string) {
	type place struct {
		product, list string
		index         int
	}
	decided := map[place]bool{}
	for _, c := range captures {
		for _, level := range []event.Level{event.LevelPassive, levelOf(&c)} {
			v := s.Replay(&c, level).best()
			if v == nil {
				continue
			}
			before := map[string]bool{}
			for _, r := range v.p.rules() {
				if v.decides(r, before[r.list]) {
					decided[place{v.p.ID, r.list, r.index}], before[r.list] = true, true
				}
			}
		}
	}
	for _, p := range s.products {
		for _, r := range p.rules() {
			if decided[place{p.ID, r.list, r.index}] {
				continue
			}
			text := p.errorf(r.at, "%s: %s %s", p.ID, r.list, r.says).Error()
			if r.alarm {
				alarms = append(alarms, text)
			} else {
				others = append(others, text)
			}
		}
	}
	return alarms, others
}
