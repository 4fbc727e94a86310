package exposure

import (
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/openclaw"
)

// ofRelease finds what is known of the release, if the files or the user say it.
func (x *gateway) ofRelease() {
	if x.t.Version == nil {
		return
	}
	v := &fingerprint.Verdict{Product: *x.t.Product, Version: *x.t.Version, Auth: *x.t.Auth}
	s := check.Subject{
		HostPort: x.o.Input, Observation: &evidence.Observation{}, Verdict: v,
		Evidence: func(...string) []string { return []string{} }, Releases: x.o.Releases,
		Advisories: x.o.Advisories.Assess(v, "", x.o.Releases),
	}
	for _, id := range []string{"legacy-product", "advisory-affected", "release-outdated"} {
		if f := x.checks[id].Judge(s); f != nil {
			g := x.found(id, f.Severity, "release", x.states.Pos, nil)
			key, at := g.Key, g.Locations
			*g = *f
			g.Key, g.Locations, g.Evidence = key, at, []string{}
		}
	}
	if s.Advisories != nil {
		x.t.Advisories = x.o.Advisories.List(s.Advisories)
		if s.Advisories.Reason.English != "" {
			x.notes = append(x.notes, s.Advisories.Reason)
		}
	}
}

// shared hands out what is about a file and not about the settings of a gateway:
// each to the gateway that it is nearest to, or to a target of its own.
func (j *judge) shared(targets []*event.Target, all []*gateway) []*event.Target {
	var rest *gateway
	near := newOwners(all)
	owner := func(file string) *gateway {
		if x := near.of(file); x != nil {
			return x
		}
		if rest == nil {
			rest = &gateway{judge: j, t: &event.Target{
				Type: event.TypeTarget, Outcome: event.OutcomeOther,
				Target: event.Address{Input: j.o.Input, Source: string(event.TargetFiles), Kind: event.TargetFiles},
				Files:  &event.Files{Reach: event.FilesReachUnknown, Starts: event.StartsUnknown, Read: j.o.Read},
			}}
		}
		return rest
	}
	read := map[*deploy.Config]bool{}
	for _, g := range j.m.Gateways {
		read[g.Config] = true
	}
	for _, c := range j.m.Configs {
		if !read[c] {
			x := owner(c.Pos.File)
			x.found("leftover-state", event.Info, c.File, c.Pos, nil, message.Say("leftover-state.declared", message.Of("file", c.File)))
			doc, _ := j.load(c, func(string) deploy.Value { return deploy.Value{State: deploy.Unknown} }, j.o.Releases.Newest().Version)
			x.inClear(doc)
		}
	}
	for _, s := range j.m.Secrets {
		owner(s.Value.Pos.File).secret(s)
	}
	for _, f := range j.m.Files {
		owner(f.Path).mode(f)
	}
	for _, g := range slices.Concat(j.m.Gaps, j.gaps) {
		x := owner(g.Pos.File)
		l := location(g.Pos, g.Why)
		switch {
		case !g.Minor:
			if !x.fits(size(l)) {
				l = event.Location{Pos: g.Pos}
			}
			x.t.Unread(l)
		case x.t.Outcome == event.OutcomeIdentified && x.fits(size(l)):
			x.t.Files.Unjudged = append(x.t.Files.Unjudged, l)
		}
	}
	if len(all) == 0 && rest == nil {
		owner("")
	}
	if rest != nil {
		targets = append(targets, rest.t)
	}
	for _, t := range targets {
		slices.SortStableFunc(t.Findings, byRank)
	}
	return targets
}

// secret finds a secret that stands in a file where more people read than need to.
func (x *gateway) secret(s deploy.Secret) {
	what := message.Of("setting", s.What)
	place := s.Value.Pos.File + " " + s.What
	switch {
	case s.Example:
		x.example(s)
	case s.Image:
		x.found("secret-in-image", event.High, place, s.Value.Pos, nil, message.Say("secret-in-image.declared", what))
	case x.private(s.Value.Pos.File):
		x.found("secret-in-file", event.Info, place, s.Value.Pos, nil, message.Say("secret-in-file.private", what))
	default:
		x.found("secret-in-file", event.Medium, place, s.Value.Pos, nil, message.Say("secret-in-file.declared", what, message.Number("count", len([]rune(s.Value.Text)))))
	}
}

// example finds a credential of an example that is there to be copied, and that a gateway
// takes as it is: what is published and in use is found where it is used.
func (x *gateway) example(s deploy.Secret) {
	inUse := x.set.Secret.Where == openclaw.KnownText && x.set.Secret.Text == s.Value.Text
	if x.g == nil || inUse || s.What != deploy.GatewayToken && s.What != deploy.GatewayPassword || toReplace(s.Value.Text) {
		return
	}
	switch openclaw.Weakness(openclaw.Credential{Where: openclaw.KnownText, Text: s.Value.Text}, "token", x.release) {
	case openclaw.WeakShort, openclaw.WeakGuessable:
		x.found("token-weak", event.High, "example", s.Value.Pos, nil, message.Say("token-weak.example"))
	}
}

// toReplace reports whether a value says of itself that another is to be put there.
func toReplace(text string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc([]string{"change", "your", "replace", "xxx", "<", "todo", "example", "here", "placeholder", "generate", "set-", "set_", "fill", "..."}, func(word string) bool {
		return strings.Contains(text, word)
	})
}

// mode finds files that others than their owner can read or change.
func (x *gateway) mode(f deploy.File) {
	at := event.Pos{File: f.Path}
	args := []message.Arg{message.Of("file", f.Path), message.Of("setting", octal(f.Mode))}
	if f.What == deploy.LeftOver {
		if slices.ContainsFunc(x.m.Configs, func(c *deploy.Config) bool { return strings.HasPrefix(c.File, f.Path+"/") }) {
			return // said of the configuration in it
		}
		x.found("leftover-state", event.Info, f.Path, at, nil, message.Say("leftover-state.declared", args[0]))
		return
	}
	if f.Link || f.Mode == 0 {
		return
	}
	var severity event.Severity
	id := "file-modes.read"
	switch {
	case f.Mode&0o002 != 0:
		severity, id = event.High, "file-modes.change"
	case f.Mode&0o020 != 0:
		severity, id = event.Medium, "file-modes.change"
	case f.Mode&0o044 == 0:
		return
	case f.What == deploy.StateDir || f.What == deploy.UnitFile || f.What == deploy.LogFile || f.What == deploy.Sessions:
		severity = event.Low
	case f.Mode&0o004 != 0:
		severity = event.High
	default:
		severity = event.Medium
	}
	x.found("file-modes", severity, f.Path, at, nil, message.Say(id, args...))
}

func octal(mode uint32) string {
	const digits = "01234567"
	return strings.Join([]string{"0", string(digits[mode>>6&7]), string(digits[mode>>3&7]), string(digits[mode&7])}, "")
}
