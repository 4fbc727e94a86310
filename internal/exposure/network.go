package exposure

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/json5"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/openclaw"
)

// starts says why the gateway does not start, or not as the file means it.
func (x *gateway) starts() {
	switch p := x.set.Refusal; {
	case p == nil:
	case x.set.Starts == event.StartsNo:
		x.found("refuses-start", event.Medium, p.ID+p.Path, p.Pos, nil, message.Say(p.ID, p.Args...))
		if p.ID == "refuses-start.weak-secret" && x.states.State == deploy.Unset {
			// Which release it is nothing says: earlier ones take it.
			x.found("token-published-example", event.High, "credential", p.Pos, nil, message.Say("token-published-example.earlier"))
		}
	case x.g != nil && x.g.Command != nil: // it may start: that hangs on what is not in the files
		x.note("inspect.may-refuse")
		x.note(p.ID, p.Args...)
	}
	if x.doc == nil {
		return
	}
	problems := x.doc.Problems
	if x.o.Keys != nil {
		problems = append(slices.Clone(problems), x.o.Keys.Check(x.doc, x.release)...)
	}
	for _, p := range problems {
		switch {
		case p.Fatal && x.set.Refusal != nil && p.ID == x.set.Refusal.ID && p.Pos == x.set.Refusal.Pos:
			x.found("config-invalid", event.Medium, p.ID+p.Path, p.Pos, nil, message.Say(p.ID, p.Args...))
			x.t.Findings = slices.DeleteFunc(x.t.Findings, func(f event.Finding) bool { return f.ID == "refuses-start" })
		case p.Fatal:
			x.invalid()
			x.found("config-invalid", event.Medium, p.ID+p.Path, p.Pos, nil, message.Say(p.ID, p.Args...))
		case slices.Contains(x.doc.Partial, p.Pos):
			x.t.Unread(location(p.Pos, p.ID, p.Args...))
		default:
			x.found("setting-without-effect", event.Info, p.ID+p.Path, p.Pos, nil, message.Say(p.ID, p.Args...))
		}
	}
}

// invalid says that the gateway does not start with a configuration whose keys the release
// does not know: what it would ask is told all the same, as its release may be another.
func (x *gateway) invalid() {
	x.t.Files.Starts = event.StartsUnknown
	if x.states.State != deploy.Unset {
		x.t.Files.Starts = event.StartsNo
	}
}

// exposes finds what lets others get to the gateway and to what stands beside it.
func (x *gateway) exposes() {
	for _, i := range x.byReach() {
		w := &x.ways[i]
		if !beyond(w.reach) || x.auths[i] == "" || x.set.Starts == event.StartsNo && len(w.doors) == 0 {
			continue
		}
		d := w.outer()
		steps := x.steps(w)
		key := "listener"
		if d != nil {
			key = string(d.Kind) + " " + d.Name + " " + strconv.Itoa(d.In.Port)
		}
		switch w.reach {
		case event.FilesInternet:
			at := x.set.Tailscale.Pos
			if d != nil {
				at = d.Pos
			}
			if w.name != nil && !w.name.Pos.IsZero() && (d == nil || d.In.Reach == "") {
				at = w.name.Pos
			}
			x.found("exposed-to-internet", event.High, key, at, steps, message.Say("exposed-to-internet.declared", message.Of("front", front(w))))
		case event.FilesHostAddresses, event.FilesLAN:
			switch {
			case d != nil && d.Transparent:
				at, id, says := d.In.Pos, "published-on-all-interfaces", "published-on-all-interfaces.declared"
				args := []message.Arg{message.Number("count", d.In.Port)}
				switch {
				case d.Kind == deploy.KindService, x.inCluster(d.To.Space):
					id, says = "listens-beyond-loopback", "listens-beyond-loopback.declared.nodes"
				case d.In.Port == 0:
					says, args = "published-on-all-interfaces.any-port", nil
				case w.reach == event.FilesLAN:
					id, says = "listens-beyond-loopback", "listens-beyond-loopback.declared.address"
					args = append(args, message.Of("address", d.In.Address))
				}
				f := x.found(id, event.Medium, key, at, steps, message.Say(says, args...))
				x.publishOnLoopback(f, d)
			case d != nil:
				x.found("listens-beyond-loopback", event.Medium, key, d.In.Pos, steps, message.Say("listens-beyond-loopback.declared.front", message.Of("front", string(d.Kind))))
			default:
				at := x.set.Bind.Pos
				if !x.g.SpacePos.IsZero() {
					at = x.g.SpacePos // what brings a container's listener to the host
				} else if at.IsZero() {
					at = x.g.Pos
				}
				f := x.found("listens-beyond-loopback", event.Medium, key, at, steps, message.Say("listens-beyond-loopback.declared.bind", message.Of("setting", x.set.Bind.Value)))
				x.fix(f, x.set.Bind.Pos, x.set.Bind.Value, openclaw.BindLoopback)
			}
		}
		// Clear text is what the outermost door takes, or the gateway itself.
		clear := d == nil && !x.tls() || d != nil && d.TLS != deploy.Yes && !(d.Transparent && x.tlsBehind(w)) && d.In.Reach != event.FilesTailnet && !platform(d)
		if clear && w.reach.Rank() >= event.FilesLAN.Rank() {
			at := x.set.Bind.Pos
			if d != nil {
				at = d.In.Pos
			}
			x.found("plain-http", event.Medium, key, at, nil, message.Say("plain-http.declared"))
		}
	}
	x.beside()
}

// front names what clients talk to first: not what hands packets on to it.
func front(w *way) string {
	for _, d := range w.doors {
		if !d.Transparent {
			return string(d.Kind)
		}
	}
	if d := w.outer(); d != nil {
		return string(d.Kind)
	}
	return "bind"
}

// platform reports whether a door is of a service that takes HTTPS by itself.
func platform(d *deploy.Door) bool {
	switch d.Kind {
	case deploy.KindFly, deploy.KindRender, deploy.KindRailway, deploy.KindCloudflared, deploy.KindFunnel, deploy.KindTailscale:
		return true
	case deploy.KindNgrok, deploy.KindCpolar:
		return !d.Bytes
	}
	return false
}

// tls reports whether the gateway itself speaks TLS.
func (x *gateway) tls() bool {
	_, on := x.on("gateway", "tls", "enabled")
	return on
}

// tlsBehind reports whether what a transparent door leads to speaks TLS.
func (x *gateway) tlsBehind(w *way) bool {
	for _, d := range w.doors {
		if !d.Transparent {
			return d.TLS == deploy.Yes
		}
	}
	return x.tls()
}

// publishOnLoopback is the change of a published port.
func (x *gateway) publishOnLoopback(f *event.Finding, d *deploy.Door) {
	if d.Kind != deploy.KindPort || d.In.Port == 0 || x.o.Line == nil {
		return
	}
	port := strconv.Itoa(d.In.Port)
	line := x.o.Line(d.In.Pos)
	for _, q := range []string{`"`, `'`, "- "} {
		for _, rest := range []string{port + ":", "0.0.0.0:" + port + ":"} {
			if strings.Contains(line, q+rest) {
				x.fix(f, event.Pos{File: d.In.Pos.File, Line: d.In.Pos.Line}, q+rest, q+"127.0.0.1:"+port+":")
				return
			}
		}
	}
}

// helpers are the services beside a gateway, by port.
func helpers() map[int]string {
	return map[int]string{
		6080: "novnc-reachable", 5900: "novnc-reachable", 5901: "novnc-reachable",
		7681: "helper-open", 9222: "cdp-reachable", 18790: "bridge",
	}
}

// helperNamed is what a port is by its name, "" if that does not tell.
func helperNamed(port string) string {
	switch strings.ToLower(port) {
	case "ttyd", "terminal", "wetty":
		return "helper-open"
	case "novnc", "vnc":
		return "novnc-reachable"
	case "cdp":
		return "cdp-reachable"
	}
	return ""
}

// mayBeBeside reports whether a door leads to a service that stands beside gateways.
func mayBeBeside(d *deploy.Door) bool {
	return helpers()[d.To.Port] != "" || d.To.Port == defaultPort+2 || helperNamed(d.To.Name) != ""
}

// beside finds services beside the gateway that others reach.
func (x *gateway) beside() {
	table := helpers()
	if x.at.port == defaultPort {
		table[defaultPort+2] = "browser-control-reachable"
	}
	for _, i := range x.besides {
		if !x.spend(1) {
			x.gap(x.m.Doors[i].Kind, "gap.too-many", x.m.Doors[i].Pos)
			return
		}
		d := x.m.Doors[i]
		id := cmp.Or(helperNamed(d.To.Name), table[d.To.Port])
		if id == "" || !x.belongs(i) {
			continue
		}
		reach := x.reach(d)
		ways, all := x.outside(d)
		if !all {
			x.gap(d.Kind, "gap.too-many-ways", d.Pos)
		}
		for _, w := range ways {
			if o := w.outer(); o != d && table[o.To.Port] != "" || o != d && o.To.Name != "" {
				continue // told of that one
			}
			if w.reach.Rank() > reach.Rank() {
				reach = w.reach
			}
		}
		if !beyond(reach) {
			continue
		}
		key := string(d.Kind) + " " + strconv.Itoa(d.To.Port) + d.To.Name
		if id == "bridge" {
			if d.Transparent && d.Kind == deploy.KindPort {
				x.found("listens-beyond-loopback", event.Low, key, d.In.Pos, nil, message.Say("listens-beyond-loopback.declared.bridge"))
			}
			continue
		}
		severity := event.High
		if reach.Rank() >= event.FilesLAN.Rank() {
			severity = event.Critical
		}
		if d.Login != nil {
			severity = event.Medium
		}
		at, says := d.Pos, "helper.declared"
		if id == "browser-control-reachable" && d.Transparent && d.To.Space != deploy.Host {
			// It listens on loopback of its container unless it is told otherwise.
			severity, says = event.Medium, "helper.declared.loopback"
		}
		x.found(id, severity, key, at, nil, message.Say(says, message.Of("setting", cmp.Or(d.To.Name, strconv.Itoa(d.To.Port)))))
	}
}

// belonging is a place that ways lead to.
type belonging struct {
	space     deploy.Space
	host      string
	selecting bool
	name      string // of a door that selects by labels
}

// belongs reports whether a door leads to where this gateway runs, or beside it, be it by
// other doors.
func (x *gateway) belongs(door int) bool {
	seen := map[int]bool{door: true}
	at := []int{door}
	for range maxDoors {
		var next []int
		for _, i := range at {
			if !x.spend(1) {
				return false
			}
			if d := x.m.Doors[i]; d.To.Port == 0 && d.To.Name == "" {
				continue
			}
			if x.leadsBeside(i) {
				return true
			}
			for _, g := range x.index.onto[i] {
				if g.space == deploy.Host {
					continue
				}
				for _, o := range x.index.entrances[g] {
					if !seen[o] {
						seen[o] = true
						next = append(next, o)
					}
				}
			}
		}
		if at = next; len(at) == 0 {
			break
		}
	}
	return false
}

// leadsBeside is belongs, without other doors.
func (x *gateway) leadsBeside(door int) bool {
	d := x.m.Doors[door]
	beside := socket{space: x.at.space, port: d.To.Port}
	here := x.m.Spaces[x.at.space]
	if d.To.Port == 0 && here != nil {
		beside.port = here.Ports[d.To.Name]
	}
	if x.connects(d, beside) && (x.at.space != deploy.Host || common(x.index.dirs[door], split(x.at.near)) > 0) {
		return true
	}
	if x.front == nil {
		x.front = map[belonging]bool{}
		for _, w := range x.ways {
			for _, o := range w.doors {
				if o.To.Select != nil {
					x.front[belonging{o.To.Space, o.To.Host, true, o.Name}] = true
				}
				x.front[belonging{o.To.Space, o.To.Host, false, ""}] = true
			}
		}
	}
	if d.To.Host != "" && x.front[belonging{d.To.Space, d.To.Host, false, ""}] || d.To.Select != nil && x.front[belonging{d.To.Space, d.To.Host, true, d.Name}] {
		return true // to the same as one of its ways in
	}
	return sameDomain(here, x.m.Spaces[d.To.Space]) && d.To.Space != deploy.Host && x.g != nil && x.g.Kind == deploy.KindCompose
}

// proxies finds what a proxy does, or lacks, so that the gateway takes clients for
// others than they are.
func (x *gateway) proxies() {
	for _, i := range x.byReach() {
		w := &x.ways[i]
		d := x.speaker(w)
		if d == nil || x.auths[i] == "" && !beyond(w.reach) {
			continue
		}
		v := x.sees(w)
		key := string(d.Kind) + " " + d.Name
		steps := x.steps(w)
		far := beyond(w.reach)
		if x.auths[i] == event.AuthBlocked && !d.Own {
			at := x.place("gateway", "trustedProxies")
			x.found("proxy-attribution-blocked", event.Medium, "trustedProxies", at, steps, message.Say("proxy-attribution-blocked.declared", message.Of("front", string(d.Kind))))
			continue
		}
		if far && v.local && (v.trusted != deploy.Yes || bytes(w) || x.release.Compare(attributes()) >= 0) && !d.Own {
			at, id := d.Pos, "everyone-is-local.declared.no-header"
			h := header(w, "x-forwarded-for")
			switch {
			case d.Bytes:
				id = "everyone-is-local.declared.bytes"
				if !d.BytesPos.IsZero() {
					at = d.BytesPos
				}
			case h.Does == deploy.Removes:
				at, id = h.Pos, "everyone-is-local.declared.removed"
			}
			x.found("everyone-is-local", event.High, key, at, steps, message.Say(id, message.Of("front", string(d.Kind))))
		}
		x.claims(w, d, far, steps)
		x.claimsAddress(w, d, far && v.trusted == deploy.Yes && ownProxy(d) && !bytes(w), steps)
		if _, on := x.on("gateway", "allowRealIpFallback"); on && far && v.trusted == deploy.Yes && header(w, "x-real-ip").Does != deploy.Sets && header(w, "x-real-ip").Does != deploy.Removes {
			x.found("trusted-proxy-spoofable", event.High, "real-ip", x.place("gateway", "allowRealIpFallback"), steps, message.Say("trusted-proxy-spoofable.declared.real-ip", message.Of("front", string(d.Kind))))
		}
	}
	x.wide()
}

// claimsAddress finds that clients choose the address that the gateway takes for theirs,
// or a part of what it is made of.
func (x *gateway) claimsAddress(w *way, d *deploy.Door, believed bool, steps []event.Location) {
	h := header(w, "x-forwarded-for")
	id, at := "forwarded-for-appended.declared", h.Pos
	switch {
	case !believed, h.Does == deploy.Removes, h.Does == deploy.Sets && h.From != deploy.FromClient:
		return
	case h.Does != deploy.Appends:
		id = "forwarded-for-appended.declared.passed"
	}
	if at.IsZero() {
		at = d.Pos
	}
	f := x.found("forwarded-for-appended", event.Medium, string(d.Kind)+" "+d.Name, at, steps, message.Say(id, message.Of("front", string(d.Kind))))
	for _, old := range []string{"$proxy_add_x_forwarded_for", "$http_x_forwarded_for"} {
		x.fix(f, h.Pos, old, "$remote_addr")
	}
}

// claims finds that clients choose the user's name themselves, in mode trusted-proxy.
func (x *gateway) claims(w *way, d *deploy.Door, far bool, steps []event.Location) {
	if x.set.Mode.Value != openclaw.ModeTrustedProxy || x.identified(w, x.sees(w)) != event.AuthOpen {
		return
	}
	name := x.textOf("gateway", "auth", "trustedProxy", "userHeader")
	h := header(w, strings.ToLower(name))
	if h.From == deploy.FromConst {
		return // no claim of theirs: all are the same user
	}
	severity, at := event.High, d.Pos
	if far {
		severity = event.Critical
	}
	if !h.Pos.IsZero() {
		at = h.Pos
	}
	x.found("trusted-proxy-spoofable", severity, "user", at, steps, message.Say("trusted-proxy-spoofable.declared.user", message.Of("front", string(d.Kind)), message.Of("setting", name)))
}

// speaker is the door that connects to the gateway: not one that keeps the address
// of what came before.
func (x *gateway) speaker(w *way) *deploy.Door {
	for _, d := range slices.Backward(w.doors) {
		if !d.Transparent {
			return d
		}
	}
	return nil
}

// ownProxy reports whether a door is a proxy whose headers its owner sets: not the
// network of a service, which adds to what it knows itself.
func ownProxy(d *deploy.Door) bool {
	switch d.Kind {
	case deploy.KindCloudflared, deploy.KindNgrok, deploy.KindCpolar, deploy.KindFly, deploy.KindRender, deploy.KindRailway, deploy.KindTailscale, deploy.KindFunnel:
		return false
	}
	return true
}

// narrow is how many addresses an entry of trustedProxies may have: a proxy and the
// addresses of a small link.
const narrow = 4

// wide finds entries of trustedProxies that are wider than proxies are.
func (x *gateway) wide() {
	n := x.doc.Get("gateway", "trustedProxies")
	if n == nil {
		return
	}
	item, p := widest(n.Items)
	if item == nil {
		return
	}
	severity, id := event.High, "trusted-proxy-spoofable.declared.wide"
	switch {
	case x.set.Mode.Value == openclaw.ModeTrustedProxy && (!x.at.loopback || everywhere(p)):
		severity, id = event.Critical, "trusted-proxy-spoofable.declared.wide-user"
	case x.at.loopback && !slices.ContainsFunc(x.ways, func(w way) bool { return beyond(w.reach) }):
		severity = event.Medium
	}
	f := x.found("trusted-proxy-spoofable", severity, "trustedProxies", n.Pos, nil, message.Say(id, message.Of("setting", item.Text)))
	if f.Locations[0].Pos == n.Pos && len(n.Items) > 1 {
		f.Locations = append(f.Locations, location(item.Pos, "step.entry"))
	}
}

// widest returns the entry with the shortest prefix of those that are wider than proxies
// are, nil if there is none.
func widest(entries []*json5.Node) (item *json5.Node, network netip.Prefix) {
	for _, e := range entries {
		p, ok := prefix(e.Text)
		if !ok || p.Addr().IsLoopback() || 1<<min(62, p.Addr().BitLen()-p.Bits()) <= narrow {
			continue
		}
		if item == nil || p.Bits() < network.Bits() {
			item, network = e, p
		}
	}
	return item, network
}

// everywhere reports whether a prefix is every address.
func everywhere(p netip.Prefix) bool { return p.Bits() == 0 }
