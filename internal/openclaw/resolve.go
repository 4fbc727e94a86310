package openclaw

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/json5"
	"github.com/clawsonar/clawsonar/internal/message"
)

// Binds and uses of Tailscale, besides those of others.
const (
	bindLAN     = "lan"
	bindAuto    = "auto"
	bindTailnet = "tailnet"
	bindCustom  = "custom"

	tailscaleOff = "off"
)

func binds() []string      { return []string{BindLoopback, bindLAN, bindAuto, bindTailnet, bindCustom} }
func tailscales() []string { return []string{tailscaleOff, TailscaleServe, TailscaleFunnel} }

// modes are the modes that a release knows.
func (e era) modes() []string {
	if !e.from("2026.2.26") {
		return []string{ModeToken, ModePassword}
	}
	return []string{ModeToken, ModePassword, ModeNone, ModeTrustedProxy}
}

// Resolve returns what a gateway makes of its input. Where the files leave something
// open, an answer is given only if it is the same whatever that may be: else it is
// unknown.
func Resolve(in Input) Settings {
	g := &gateway{Input: in, eras: erasOf(in.Release), outside: !in.NoConfig && (in.Doc == nil || in.Doc.Root == nil)}
	full := g.worlds()
	first := full
	if g.outside {
		// What the files alone say, for want of the configuration.
		alone := *g
		alone.outside, alone.guarded = false, deploy.No
		first = alone.worlds()
	}
	s := Settings{
		Bind:       settle(full, first, func(o *outcome) Setting { return o.bind }),
		Host:       settle(full, first, func(o *outcome) Setting { return o.host }),
		Mode:       settle(full, first, func(o *outcome) Setting { return o.mode }),
		Tailscale:  settle(full, first, func(o *outcome) Setting { return o.tailscale }),
		Port:       g.port(),
		Secret:     secretOf(full),
		Asks:       asksOf(full),
		AsksBeyond: asksOf(slices.DeleteFunc(slices.Clone(full), func(o *outcome) bool { return o.listens == ListensLoopback })),
	}
	s.AsksAlone = asksOf(slices.DeleteFunc(slices.Clone(first), func(o *outcome) bool { return o.given }))
	s.Starts, s.Refusal = startsOf(full)
	if s.Starts == event.StartsUnknown {
		_, s.Refusal = startsOf(first)
	}
	if invalid := in.invalid(); invalid != nil {
		s.Starts, s.Refusal = event.StartsNo, invalid
	}
	where := settle(full, first, func(o *outcome) Setting { return Setting{Value: o.listens} })
	s.Listens, s.ListensAssumed = where.Value, where.Assumed
	s.Generated, s.Saved = generatedOf(first)
	s.Notes = g.notes(full, s)
	return s
}

// gateway is a gateway to be started.
type gateway struct {
	Input
	eras    []era
	outside bool // its configuration is not in the files
	// guarded is whether it insists on gateway.mode; see guard.
	guarded deploy.Tri
}

// invalid is why the configuration is not valid; nil if it is.
func (in *Input) invalid() *Problem {
	if in.Doc == nil {
		return nil
	}
	for i := range in.Doc.Problems {
		if in.Doc.Problems[i].Fatal {
			return &in.Doc.Problems[i]
		}
	}
	return nil
}

// outcome is what becomes of a gateway in one world.
type outcome struct {
	era                         era
	bind, host, mode, tailscale Setting
	listens                     string
	asks                        event.AuthState // "" if it does not get that far
	secret                      Credential
	given                       bool // what may be given from outside the files is
	generated, saved            bool
	guard, refusal              *Problem
}

// worlds starts the gateway in every world that the files leave possible.
func (g *gateway) worlds() []*outcome {
	var out []*outcome
	for p := (&picker{}); ; {
		out = append(out, g.start(p))
		if len(out) == maxWorlds {
			// Too many to try: whatever is said of it, it may be otherwise.
			return append(out, &outcome{era: out[0].era, asks: event.AuthUnknown, refusal: &Problem{ID: "refuses-start.unknown"}})
		}
		if !p.next() {
			return out
		}
	}
}

// start is the start of a gateway, in the order in which the program looks at things.
func (g *gateway) start(p *picker) *outcome {
	e := pickOf(p, g.eras)
	o := &outcome{era: e}
	refuse := func(pos event.Pos, id string, args ...message.Arg) *outcome {
		o.asks, o.refusal = "", &Problem{Pos: pos, ID: id, Args: args, Fatal: true}
		return o
	}
	if problem := g.missingVariables(p, e); problem != nil {
		o.refusal = problem
		return o
	}
	guard := g.guard(p)
	if guard != nil && !guard.Fatal { // the other world goes on
		o.refusal = guard
		return o
	}
	o.guard = guard
	bind, mode, tailscale := g.word(p, "bind", binds(), "gateway", "bind"), g.word(p, "auth", e.modes(), "gateway", "auth", "mode"), g.word(p, "tailscale", tailscales(), "gateway", "tailscale", "mode")
	for _, w := range []word{bind, mode, tailscale} {
		if w.problem != nil {
			o.refusal = w.problem
			return o
		}
	}
	o.bind, o.mode, o.tailscale = bind.Setting, mode.Setting, tailscale.Setting
	if o.tailscale.Value == "" {
		o.tailscale.Value = tailscaleOff
	}
	if problem := g.listen(p, o); problem != nil {
		o.refusal = problem
		return o
	}

	token, password := g.secret(p, o, ModeToken), g.secret(p, o, ModePassword)
	if token.problem != nil || password.problem != nil {
		o.refusal = token.problem
		if o.refusal == nil {
			o.refusal = password.problem
		}
		return o
	}
	if token.inConfig && password.inConfig && mode.config == "" && e.from("2026.3.13") {
		return refuse(password.Pos, "refuses-start.two-secrets")
	}
	if o.mode.Value == "" {
		switch {
		case password.has():
			o.mode = Setting{Value: ModePassword, Pos: password.Pos}
		case token.has() || e.from("2026.1.29"):
			o.mode = Setting{Value: ModeToken, Pos: token.Pos}
		default:
			o.mode = Setting{Value: ModeNone}
		}
	}

	beyond := o.listens != ListensLoopback
	// Up to a release it is the word that counts, and not where it leads.
	far := beyond || o.bind.Value != BindLoopback && !p.tri(e.since("2026.3.13", "2026.6.11"))
	switch o.mode.Value {
	case ModeNone:
		if far {
			return refuse(o.bind.Pos, "refuses-start.beyond-loopback")
		}
		o.asks = event.AuthOpen
	case ModeToken:
		o.asks, o.secret = event.AuthRequired, token.Credential
		if problem := weak(e, token); problem != nil {
			o.refusal, o.asks = problem, ""
			return o
		}
		if !token.has() {
			return g.withoutToken(p, o, token, far)
		}
	case ModePassword:
		o.asks, o.secret = event.AuthRequired, password.Credential
		if !password.has() {
			return refuse(o.mode.Pos, "refuses-start.no-password")
		}
		if problem := weak(e, password); problem != nil {
			o.refusal, o.asks = problem, ""
			return o
		}
	case ModeTrustedProxy:
		o.asks = event.AuthGated
		if problem := g.proxy(p, o, token, beyond); problem != nil {
			o.refusal, o.asks = problem, ""
			return o
		}
	}
	return g.finish(p, o, beyond)
}

// withoutToken is the start in mode token without one.
func (g *gateway) withoutToken(p *picker, o *outcome, token secret, far bool) *outcome {
	refuse := func(pos event.Pos, id string) *outcome {
		o.asks, o.refusal = "", &Problem{Pos: pos, ID: id, Fatal: true}
		return o
	}
	e := o.era
	switch {
	case !e.from("2026.2.26"):
		// Who comes through Tailscale's proxy may do without.
		serve := e.from("2026.1.29") && o.tailscale.Value == TailscaleServe && p.tri(g.flag("gateway", "auth", "allowTailscale", true))
		if !serve || far {
			return refuse(o.mode.Pos, "refuses-start.no-token")
		}
		return g.finish(p, o, o.listens != ListensLoopback)
	case token.missing && !e.from("2026.8.2"):
		return refuse(token.Pos, "refuses-start.reference")
	case token.blank && e.from("2026.9.6"):
		return refuse(token.Pos, "refuses-start.weak-secret")
	case far && e.from("2026.5.28"):
		// A reference that leads nowhere was seen to pass on loopback only.
		if !token.missing || p.pick(2) == 0 {
			return refuse(o.bind.Pos, "refuses-start.beyond-loopback")
		}
	}
	o.generated, o.saved = true, !e.from("2026.5.28")
	return g.finish(p, o, o.listens != ListensLoopback)
}

// finish checks what is checked last.
func (g *gateway) finish(p *picker, o *outcome, beyond bool) *outcome {
	e := o.era
	refuse := func(pos event.Pos, id string) *outcome {
		o.asks, o.refusal = "", &Problem{Pos: pos, ID: id, Fatal: true}
		return o
	}
	if o.tailscale.Value != tailscaleOff {
		switch {
		case o.tailscale.Value == TailscaleFunnel && o.mode.Value != ModePassword:
			return refuse(o.tailscale.Pos, "refuses-start.funnel-without-password")
		case o.mode.Value == ModeNone && e.from("2026.2.26") && p.tri(e.since("2026.3.13", "2026.6.11")):
			return refuse(o.mode.Pos, "refuses-start.tailscale-without-auth")
		case beyond:
			return refuse(o.bind.Pos, "refuses-start.tailscale-beyond-loopback")
		}
	}
	if beyond && e.from("2026.2.26") && !e.from("2026.3.13") && !p.tri(g.origins()) {
		return refuse(o.bind.Pos, "refuses-start.no-origins")
	}
	o.refusal = o.guard
	return o
}

// listen decides where it listens.
func (g *gateway) listen(p *picker, o *outcome) *Problem {
	bind := o.bind.Value
	if bind == "" {
		switch {
		case o.tailscale.Value == tailscaleOff && g.defaultsToAuto(o.era):
			bind = bindAuto
		default:
			bind = BindLoopback
		}
		// The default counts as the word it is, wherever it leads.
		o.bind.Value = bind
		if bind == bindAuto && !p.tri(g.container()) {
			o.bind.Value, bind = BindLoopback, BindLoopback
		} else if bind == bindAuto {
			o.listens = ListensEvery
			return nil
		}
	}
	switch bind {
	case BindLoopback:
		o.listens = ListensLoopback
	case bindLAN:
		o.listens = ListensEvery
	case bindAuto:
		o.listens = ListensLoopback
		if g.defaultsToAuto(o.era) && p.tri(g.container()) {
			o.listens = ListensEvery
		}
	case bindTailnet:
		o.listens = ListensTailnet
		if p.pick(2) == 1 { // without a tailnet
			o.listens = ListensLoopback
		}
	case bindCustom:
		return g.customHost(p, o)
	}
	return nil
}

// autoFrom is the first release that listens on every address in a container by itself.
const autoFrom = "2026.4.15"

// defaultsToAuto reports whether the release looks whether it is in a container, for
// bind auto and without one.
func (g *gateway) defaultsToAuto(e era) bool {
	if g.Release.IsZero() {
		return e.from(autoFrom)
	}
	return era{g.Release}.from(autoFrom)
}

// container is whether it takes itself to be in a container.
func (g *gateway) container() deploy.Tri {
	machine, app := g.env("FLY_MACHINE_ID"), g.env("FLY_APP_NAME")
	if machine.IsSet() && app.IsSet() {
		return deploy.Yes
	}
	return g.Container
}

func (g *gateway) customHost(p *picker, o *outcome) *Problem {
	values := g.text(p, "gateway", "customBindHost")
	o.host = values.Setting
	host := strings.TrimSpace(o.host.Value)
	if values.unknown {
		o.listens = pickOf(p, []string{"", ListensLoopback, ListensEvery})
		return nil
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case err == nil && addr.Is4():
		o.listens = host
		if addr.IsLoopback() {
			o.listens = ListensLoopback
		} else if addr.IsUnspecified() {
			o.listens = ListensEvery
		}
	case p.tri(o.era.since("2026.2.9", "2026.3.13")):
		return &Problem{Pos: o.bind.Pos, Path: "gateway.customBindHost", ID: "refuses-start.no-custom-host", Fatal: true}
	default:
		o.listens = ListensEvery
	}
	return nil
}

// proxy checks the settings of mode trusted-proxy.
func (g *gateway) proxy(p *picker, o *outcome, token secret, beyond bool) *Problem {
	e := o.era
	if token.has() && e.from("2026.4.5") {
		return &Problem{Pos: token.Pos, ID: "refuses-start.proxy-and-token", Fatal: true}
	}
	header := g.text(p, "gateway", "auth", "trustedProxy", "userHeader")
	if header.unknown && p.pick(2) == 1 || !header.unknown && strings.TrimSpace(header.Value) == "" {
		return &Problem{Pos: o.mode.Pos, Path: "gateway.auth.trustedProxy.userHeader", ID: "refuses-start.no-user-header", Fatal: true}
	}
	proxies := g.Doc.Get("gateway", "trustedProxies")
	if proxies == nil && g.open() {
		if p.pick(2) == 0 {
			return nil
		}
	} else if proxies != nil && len(proxies.Items) > 0 {
		// One release was seen to insist on a proxy on loopback, and a later one not to.
		if !beyond && !trustsLoopback(proxies) && !e.from("2026.6.11") && (e.String() == "2026.3.13" || p.pick(2) == 1) {
			return &Problem{Pos: proxies.Pos, Path: "gateway.trustedProxies", ID: "refuses-start.proxy-not-on-loopback", Fatal: true}
		}
		return nil
	}
	return &Problem{Pos: o.mode.Pos, Path: "gateway.trustedProxies", ID: "refuses-start.no-proxies", Fatal: true}
}

// trustsLoopback reports whether a list of addresses and networks has a loopback one.
func trustsLoopback(list *json5.Node) bool {
	return slices.ContainsFunc(list.Items, func(n *json5.Node) bool {
		s := strings.TrimSpace(n.Text)
		if net, err := netip.ParsePrefix(s); err == nil {
			return net.Contains(netip.AddrFrom4([4]byte{127, 0, 0, 1})) || net.Contains(netip.IPv6Loopback())
		}
		addr, err := netip.ParseAddr(s)
		return err == nil && addr.IsLoopback()
	})
}

// origins is whether browsers' origins are settled, without which 2026.2.26 does not
// listen beyond loopback.
func (g *gateway) origins() deploy.Tri {
	ui := g.Doc.Get("gateway", "controlUi")
	if n := ui.Get("enabled"); n != nil && n.Kind == json5.Bool && !n.Bool {
		return deploy.Yes
	}
	if n := ui.Get("dangerouslyAllowHostHeaderOriginFallback"); n != nil && n.Bool {
		return deploy.Yes
	}
	list := ui.Get("allowedOrigins")
	if list != nil && slices.ContainsFunc(list.Items, func(n *json5.Node) bool { return strings.TrimSpace(n.Text) != "" }) {
		return deploy.Yes
	}
	if list == nil && g.open() {
		return deploy.NotKnown
	}
	return deploy.No
}

// guard is why it does not start though its settings would do: the configuration does
// not say that this is a gateway of its own. Fatal: that is so in every world.
func (g *gateway) guard(p *picker) *Problem {
	if g.guarded == deploy.No || g.on("allow-unconfigured") || g.on("dev") {
		return nil
	}
	mode := g.text(p, "gateway", "mode")
	if !mode.unknown && mode.Value == "local" {
		return nil
	}
	// Without its command line it may be started either way.
	maybe := mode.unknown || g.Command == nil
	if maybe && p.pick(2) == 0 {
		return nil
	}
	id := "refuses-start.not-local"
	if g.NoConfig {
		id = "refuses-start.no-config"
	}
	return &Problem{Pos: mode.Pos, Path: "gateway.mode", ID: id, Fatal: !maybe}
}

// on reports whether a flag without a value is given.
func (g *gateway) on(flag string) bool {
	return g.Command != nil && g.Command.Flags[flag].State != deploy.Unset
}

// variable is a reference to a variable that the program replaces.
var variable = regexp.MustCompile(`\$\{([A-Z_][A-Z0-9_]*)\}`)
