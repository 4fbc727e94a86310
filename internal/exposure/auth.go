package exposure

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/openclaw"
	"github.com/clawsonar/clawsonar/internal/release"
)

// forwarding are the headers by which a proxy says for whom it asks, and at which a
// gateway of 2026.8.1 or later refuses a proxy that it does not trust.
func forwarding() []string {
	return []string{"x-forwarded-for", "x-real-ip", "forwarded", "x-forwarded-proto", "x-forwarded-host"}
}

// attributes is the first release that refuses what it cannot attribute to a client.
func attributes() release.Version { return release.MustParse("2026.8.1") }

// view is what the gateway sees of a client that comes by a way in.
type view struct {
	local     bool       // it takes the client for one of its own machine
	trusted   deploy.Tri // what connects is in gateway.trustedProxies
	forwarded bool       // a forwarding header is there, of any client
	open      bool       // the client may send forwarding headers of its own
	named     bool       // a proxy says in X-Forwarded-For who the client is
	by        *deploy.Door
}

// sees says what the gateway sees of clients that come by a way in.
func (x *gateway) sees(w *way) view {
	v := view{open: true}
	for _, d := range w.doors {
		if d.Bytes || d.Transparent {
			continue
		}
		for _, name := range forwarding() {
			switch h := d.Header(name); h.Does {
			case deploy.Sets, deploy.Appends:
				v.forwarded = true
				v.named = v.named || name == "x-forwarded-for"
				if name == "x-forwarded-for" && h.Does == deploy.Sets {
					v.open = h.From == deploy.FromClient
				}
			case deploy.Removes:
				if name == "x-forwarded-for" {
					v.open, v.forwarded, v.named = false, false, false
				}
			}
		}
	}
	v.by = w.inner()
	peers, loopback := x.peers(w)
	v.trusted = x.trusts(peers, loopback)
	v.local = loopback && !v.forwarded
	return v
}

// peers are the addresses and networks that what connects to the gateway can have,
// as far as the files tell; loopback: it connects over loopback.
func (x *gateway) peers(w *way) (addresses []string, loopback bool) {
	for _, d := range slices.Backward(w.doors) {
		if d.Transparent {
			continue // it keeps the address of what came before
		}
		if d.Own || d.To.Space == x.at.space && (d.To.Host == "" || isLoopback(d.To.Host)) && d.To.Select == nil {
			return nil, true
		}
		if info := x.m.Spaces[d.To.Space]; info != nil {
			return info.Addresses, false
		}
		return nil, false
	}
	return nil, false
}

// trustedProxies are the entries of gateway.trustedProxies that can be read.
func (x *gateway) trustedProxies() []netip.Prefix {
	var out []netip.Prefix
	n := x.doc.Get("gateway", "trustedProxies")
	if n == nil {
		return nil
	}
	for _, i := range n.Items {
		if p, ok := prefix(i.Text); ok {
			out = append(out, p)
		}
	}
	return out
}

func prefix(s string) (netip.Prefix, bool) {
	s = strings.TrimSpace(s)
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), true
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	return netip.Prefix{}, false
}

// trusts reports whether the gateway trusts what connects to it as a proxy.
func (x *gateway) trusts(peers []string, loopback bool) deploy.Tri {
	if x.doc == nil && !x.noConfig() {
		return deploy.NotKnown
	}
	entries := x.trustedProxies()
	if len(entries) == 0 {
		return x.absent("gateway", "trustedProxies")
	}
	if loopback {
		peers = []string{"127.0.0.1"}
	}
	for _, peer := range peers {
		p, ok := prefix(peer)
		if !ok {
			continue
		}
		for _, e := range entries {
			if e.Bits() <= p.Bits() && e.Contains(p.Addr()) {
				return deploy.Yes
			}
		}
	}
	if loopback {
		return x.absent() // an include may add to the list
	}
	for _, e := range entries { // of a container network without fixed addresses
		if !e.Addr().IsLoopback() {
			return deploy.NotKnown
		}
	}
	return deploy.No
}

// absent is the answer about something that was not found in the configuration: no, unless
// a part of it is not in the files, which may have it. A setting that keys name cannot be
// there as well where it was found.
func (x *gateway) absent(keys ...string) deploy.Tri {
	if x.doc != nil && len(x.doc.Partial) > 0 && (len(keys) == 0 || x.doc.Get(keys...) == nil) {
		return deploy.NotKnown
	}
	return deploy.No
}

func (x *gateway) noConfig() bool { return x.g != nil && x.g.Config == nil && x.g.NoConfig }

// asks says what a client without a credential meets that comes by a way in; ""
// where the way leads to a part of the gateway that has a login of its own.
func (x *gateway) asks(w *way) event.AuthState {
	if x.partial(w) {
		return ""
	}
	login, unproven := loginOf(w)
	state := x.behind(w)
	switch {
	case state == event.AuthOpen && login != nil && unproven:
		return event.AuthUnknown
	case login != nil && !unproven && (state == event.AuthOpen || state == event.AuthRequired || state == event.AuthUnknown):
		return event.AuthGated
	}
	return state
}

// partial reports whether a way leads to the webhooks alone, which have a token of
// their own.
func (x *gateway) partial(w *way) bool {
	hooks := "/hooks"
	if n := x.doc.Get("hooks", "path"); n != nil && n.Text != "" {
		hooks = n.Text
	}
	for _, d := range w.doors {
		if p := strings.TrimRight(d.Path, "/"); p != "" && (p == hooks || strings.HasPrefix(p, hooks+"/")) {
			return true
		}
	}
	return false
}

// loginOf returns what asks on a way before the gateway does.
func loginOf(w *way) (login *deploy.Login, unproven bool) {
	for _, d := range w.doors {
		if d.Login != nil && (login == nil || unproven) {
			login, unproven = d.Login, d.Login.Unproven
		}
	}
	return login, unproven
}

// behind is asks without a login in front.
func (x *gateway) behind(w *way) event.AuthState {
	if x.set.Starts == event.StartsNo {
		return event.AuthUnknown
	}
	if x.g == nil {
		return x.set.Asks
	}
	asks := x.asksThere(w)
	if len(w.doors) == 0 {
		return asks
	}
	v := x.sees(w)
	switch blocked := x.blocks(w, v); {
	case blocked == event.AuthUnknown && x.let(w, v, asks) == event.AuthRequired:
		return event.AuthRequired // or refused: nobody gets in without a credential
	case blocked != "":
		return blocked
	}
	return x.let(w, v, asks)
}

// let says what is asked on a way that the gateway does not refuse.
func (x *gateway) let(w *way, v view, asks event.AuthState) event.AuthState {
	if x.set.Mode.Value == openclaw.ModeTrustedProxy {
		return x.identified(w, v)
	}
	if asks == event.AuthRequired {
		if h := header(w, "authorization"); h.Does == deploy.Sets {
			return x.injected(h)
		}
	}
	return asks
}

// asksThere says what the gateway asks of all who come by a way in:
// one that leads to another address than loopback leads nowhere where it listens on
// loopback alone.
func (x *gateway) asksThere(w *way) event.AuthState {
	_, loopback := x.peers(w)
	if len(w.doors) == 0 {
		loopback = !beyond(w.reach)
	}
	if x.g != nil && !loopback && !x.at.loopback {
		return x.set.AsksBeyond
	}
	return x.set.Asks
}

// blocks says whether the gateway refuses because it cannot tell who asks; "" if
// not.
func (x *gateway) blocks(w *way, v view) event.AuthState {
	if x.release.Compare(attributes()) < 0 || v.by != nil && v.by.Own {
		return ""
	}
	if v.by != nil && v.by.Kind == deploy.KindFunnel && x.set.Mode.Value == openclaw.ModeNone {
		return event.AuthBlocked
	}
	http := slices.ContainsFunc(w.doors, func(d *deploy.Door) bool { return !d.Transparent })
	switch {
	case v.forwarded && v.trusted == deploy.No:
		return event.AuthBlocked
	case v.forwarded && v.trusted == deploy.NotKnown:
		return event.AuthUnknown
	case http && v.trusted == deploy.Yes && !v.open && !v.named && !v.local:
		return event.AuthBlocked // over loopback without any header it is local, trusted or not
	}
	return ""
}

// bytes reports whether nothing on a way knows of HTTP.
func bytes(w *way) bool {
	return !slices.ContainsFunc(w.doors, func(d *deploy.Door) bool { return !d.Bytes && !d.Transparent })
}

// header is what a way does to a header in the end.
func header(w *way, name string) deploy.Header {
	var h deploy.Header
	for _, d := range w.doors {
		if d.Bytes || d.Transparent {
			continue
		}
		if x := d.Header(name); x.Does != deploy.Passes {
			h = x
		}
	}
	return h
}

// injected says what a credential comes to that a proxy adds for everybody.
func (x *gateway) injected(h deploy.Header) event.AuthState {
	switch h.From {
	case deploy.FromClient:
		return event.AuthRequired
	case deploy.FromConst:
		known := h.Secret != nil && h.Secret.IsSet() && x.set.Secret.Text != ""
		if known && h.Secret.Text != x.set.Secret.Text {
			return event.AuthRequired
		}
		return event.AuthOpen
	}
	return event.AuthUnknown
}

// identified says what mode trusted-proxy comes to: who sets the user's name.
func (x *gateway) identified(w *way, v view) event.AuthState {
	switch v.trusted {
	case deploy.No:
		return event.AuthRequired
	case deploy.NotKnown:
		return event.AuthUnknown
	}
	n := x.doc.Get("gateway", "auth", "trustedProxy", "userHeader")
	if n == nil || n.Text == "" {
		return event.AuthUnknown
	}
	switch h := header(w, strings.ToLower(n.Text)); {
	case h.Does == deploy.Passes, h.Does == deploy.Appends:
		return event.AuthOpen
	case h.Does == deploy.Removes:
		return event.AuthRequired
	case h.From == deploy.FromClient, h.From == deploy.FromConst:
		return event.AuthOpen
	case h.From == deploy.FromLogin:
		return event.AuthGated
	}
	return event.AuthUnknown
}

// judgeWays says how far the gateway can be reached, and what it asks there.
func (x *gateway) judgeWays() {
	state, open := event.AuthState(""), false
	worse := func(a, b event.AuthState) bool {
		order := event.AuthStates()
		return b == "" || slices.Index(order, a) < slices.Index(order, b)
	}
	far := -1
	for i := range x.ways {
		w := &x.ways[i]
		a := x.asks(w)
		x.auths = append(x.auths, a)
		if a == "" {
			continue
		}
		rank := w.reach.Rank()
		switch {
		case state == event.AuthOpen && open: // what stands open to others is told, however far the rest reaches
		case rank > far, rank == far && worse(a, state), a == event.AuthOpen && beyond(w.reach):
			state = a
		}
		open = open || a == event.AuthOpen && beyond(w.reach)
		if rank > far {
			far, x.t.Files.Reach = rank, w.reach
		}
	}
	if far < 0 {
		state = x.set.Asks
		if state == "" {
			state = event.AuthUnknown
		}
	}
	mode := event.AuthMode(x.set.Mode.Value)
	if state == event.AuthUnknown && x.set.Asks == event.AuthUnknown || x.set.Starts == event.StartsNo {
		mode = ""
	}
	auth := &event.Auth{State: state, Mode: mode, Because: []string{}}
	for _, p := range []event.Pos{x.set.Mode.Pos, x.set.Secret.Pos} {
		if s := p.String(); !p.IsZero() && !slices.Contains(auth.Because, s) {
			auth.Because = append(auth.Because, s)
		}
	}
	x.t.Auth = auth
	for i := range x.ways {
		if w := &x.ways[i]; x.auths[i] != "" && (x.auths[i] == event.AuthOpen || w.reach.Rank() == far) && len(x.t.Files.Ways) < 16 {
			out, n := x.describeWay(w, x.auths[i]), 0
			for _, l := range out.Steps {
				n += size(l)
			}
			if !x.fits(n) {
				x.gap("", "gap.too-many", out.Steps[0].Pos)
				break
			}
			x.t.Files.Ways = append(x.t.Files.Ways, out)
		}
	}
}

// describeWay puts a way in into the stream.
func (x *gateway) describeWay(w *way, auth event.AuthState) event.Way {
	out := event.Way{Reach: w.reach, Auth: auth, Steps: x.steps(w), Port: x.at.port}
	d := w.outer()
	if d == nil {
		return out
	}
	out.Port, out.Through = d.In.Port, front(w)
	for _, d := range w.doors {
		for _, n := range d.In.Names {
			if n.IsSet() && !slices.Contains(out.Names, n.Text) && len(out.Names) < maxNames {
				out.Names = append(out.Names, n.Text)
			}
		}
		if !d.Transparent {
			break
		}
	}
	if auth != event.AuthOpen {
		return out
	}
	h := header(w, "authorization")
	if x.set.Mode.Value == openclaw.ModeTrustedProxy {
		h = header(w, strings.ToLower(x.textOf("gateway", "auth", "trustedProxy", "userHeader")))
	}
	if h.Does == deploy.Sets && !h.Pos.IsZero() {
		out.Adds = &h.Pos
	}
	return out
}
