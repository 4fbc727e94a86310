package inspect

import (
	"net/netip"
	"path"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
)

// commandDoors adds the doors that a command opens in a namespace: a tunnel, a forwarder. It
// looks through shells and wrappers as gatewayCommand does. env may be nil.
func (s *source) commandDoors(words []deploy.Value, space deploy.Space, env lookup) {
	for _, c := range plainCommands(words, env, 0) {
		program, args := base(c[0].Text), c[1:]
		switch program {
		case "ssh", "autossh", "autossh-bin", "sshpass":
			s.sshDoors(c, space)
		case "socat", "socat1":
			s.socatDoor(args, space)
		case "cloudflared":
			s.cloudflaredDoor(c, space, env)
		case "ngrok":
			s.tunnelProgram(deploy.KindNgrok, c, space)
		case "cpolar":
			s.tunnelProgram(deploy.KindCpolar, c, space)
		case "frpc":
			s.frpcDoor(c, space)
		case "tailscale":
			s.tailscaleCommand(c, space)
		}
	}
}

// plainCommands are the commands that words come to, without assignments and wrappers.
func plainCommands(words []deploy.Value, env lookup, nested int) [][]deploy.Value {
	rest, script := peel(words, new(deploy.Command))
	switch {
	case script == nil && len(rest) > 0:
		return [][]deploy.Value{rest}
	case script == nil || nested >= maxNested:
		return nil
	}
	var all [][]deploy.Value
	for _, inner := range shellCommands(script.Text, script.Pos, env) {
		all = append(all, plainCommands(inner, env, nested+1)...)
	}
	return all
}

// option is a word of a command line that begins with a dash, and its value.
type option struct {
	name  string // without dashes
	value deploy.Value
}

// splitOptions separates options from operands. valued are the options, with spaces around them,
// that take the next word if they have no "=".
func splitOptions(args []deploy.Value, valued string) (options []option, operands []deploy.Value) {
	for i := 0; i < len(args); i++ {
		w := args[i]
		if !isOption(w.Text) {
			operands = append(operands, w)
			continue
		}
		if w.Text == "--" {
			return options, append(operands, args[i+1:]...)
		}
		name, text, joined := strings.Cut(strings.TrimLeft(w.Text, "-"), "=")
		w.Text = text
		if !joined && strings.Contains(valued, " "+name+" ") && i+1 < len(args) {
			i++
			w = args[i]
		}
		options = append(options, option{name, w})
	}
	return options, operands
}

// named returns the first of the options with one of the names.
func named(options []option, names ...string) (deploy.Value, bool) {
	for _, o := range options {
		for _, n := range names {
			if o.name == n {
				return o.value, true
			}
		}
	}
	return deploy.Value{}, false
}

// gapAt is gap at a place in the file or in one that it includes.
func (s *source) gapAt(kind deploy.Kind, why string, at event.Pos) {
	s.m.Gaps = append(s.m.Gaps, deploy.Gap{Kind: kind, Why: why, Pos: at})
}

// hasFile reports whether the tree has a file of the last part of a name.
func (s *source) hasFile(name string) bool {
	if s.tree == nil {
		return false
	}
	name = path.Base(name)
	for _, f := range s.tree.Files() {
		if path.Base(f.Name) == name {
			return true
		}
	}
	return false
}

// sshDoors adds what -R opens on the other side. What -L opens here leads to elsewhere.
func (s *source) sshDoors(words []deploy.Value, space deploy.Space) {
	const valued = "BbcDEeFIiJLlMmOoPpQRSWw" // -M only of autossh; of ssh it is harmless to skip a word
	isAuto := strings.HasPrefix(base(words[0].Text), "autossh")
	var forwards []deploy.Value
	destination := ""
	for i := 1; i < len(words); i++ {
		w := words[i]
		if !isOption(w.Text) {
			if destination == "" && base(w.Text) != "ssh" {
				destination = w.Text
			}
			continue
		}
		for j := 1; j < len(w.Text); j++ {
			c := w.Text[j]
			if strings.IndexByte(valued, c) < 0 || c == 'M' && !isAuto {
				continue
			}
			value := deploy.Value{State: w.State, Text: w.Text[j+1:], Pos: w.Pos}
			if value.Text == "" && i+1 < len(words) {
				i++
				value = words[i]
			}
			if c == 'R' {
				forwards = append(forwards, value)
			}
			if name, spec, ok := strings.Cut(strings.Replace(value.Text, "=", " ", 1), " "); c == 'o' && ok && strings.EqualFold(name, "RemoteForward") {
				value.Text = strings.Replace(strings.TrimSpace(spec), " ", ":", 1)
				forwards = append(forwards, value)
			}
			break
		}
	}
	for _, f := range forwards {
		s.sshForward(f, destination, space)
	}
}

func (s *source) sshForward(f deploy.Value, destination string, space deploy.Space) {
	parts := colonParts(strings.ReplaceAll(f.Text, "/", ":"))
	bind, bound := "", false
	if len(parts) == 4 {
		bind, bound, parts = parts[0], true, parts[1:]
	}
	if len(parts) != 3 || portNumber(parts[2]) == 0 {
		s.gapAt(deploy.KindSSH, "gap.target", f.Pos)
		return
	}
	d := &deploy.Door{
		Kind:  deploy.KindSSH,
		In:    deploy.Listen{Address: bind, Port: portNumber(parts[0]), Reach: event.FilesReachUnknown, Pos: f.Pos},
		To:    deploy.Endpoint{Space: space, Host: parts[1], Port: portNumber(parts[2])},
		Bytes: true,
		TLS:   deploy.No,
		Pos:   f.Pos,
	}
	if destination != "" {
		d.In.Names = []deploy.Value{{State: f.State, Text: destination[strings.LastIndexByte(destination, '@')+1:], Pos: f.Pos}}
	}
	switch {
	case tunnelHost(destination):
		// It answers on its own name, speaks HTTP and says for whom.
		d.In.Address, d.In.Reach = "", event.FilesInternet
		if d.In.Port == 80 || d.In.Port == 443 || d.In.Port == 0 {
			d.Bytes, d.TLS, d.Headers = false, deploy.Yes, tunnelHeaders()
		}
	case bound && !loopback(bind): // as far as GatewayPorts of the other side lets it
		d.In.Reach = event.FilesInternet
		if bind == "*" {
			d.In.Address = ""
		}
	}
	s.m.Doors = append(s.m.Doors, d)
}

// tunnelHost reports whether the other side of an ssh is a public service for tunnels.
func tunnelHost(destination string) bool {
	host := destination[strings.LastIndexByte(destination, '@')+1:]
	host = strings.TrimPrefix(host, "ssh://")
	for _, known := range []string{"serveo.net", "localhost.run", "pinggy.io", "srv.us", "lhr.life", "tunnel.us.ng", "tuns.sh"} {
		if host == known || strings.HasSuffix(host, "."+known) {
			return true
		}
	}
	return false
}

// loopback reports whether an address or name is one of the machine itself.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.Unmap().IsLoopback()
}

// colonParts splits at colons outside of brackets, and removes the brackets.
func colonParts(text string) []string {
	var parts []string
	from, in := 0, false
	for i := range len(text) {
		switch text[i] {
		case '[':
			in = true
		case ']':
			in = false
		case ':':
			if !in {
				parts = append(parts, strings.Trim(text[from:i], "[]"))
				from = i + 1
			}
		}
	}
	return append(parts, strings.Trim(text[from:], "[]"))
}

// socatDoor adds what a listening address of socat forwards to the other one.
func (s *source) socatDoor(args []deploy.Value, space deploy.Space) {
	_, operands := splitOptions(args, " b t T l lp s L W x r R ")
	if len(operands) < 2 {
		return
	}
	for i, listen := range operands[:2] {
		kind, rest, _ := strings.Cut(listen.Text, ":")
		kind = strings.ToUpper(kind)
		tls := strings.HasPrefix(kind, "OPENSSL") || strings.HasPrefix(kind, "SSL")
		if !tls && !strings.HasPrefix(kind, "TCP") || !strings.HasSuffix(kind, "-L") && !strings.HasSuffix(kind, "-LISTEN") {
			continue
		}
		settings := strings.Split(rest, ",")
		d := &deploy.Door{
			Kind:  deploy.KindSocat,
			In:    deploy.Listen{Space: space, Port: portNumber(settings[0]), Pos: listen.Pos},
			Bytes: true,
			TLS:   deploy.No,
			Pos:   listen.Pos,
		}
		if tls {
			d.TLS = deploy.Yes
			d.Login = &deploy.Login{Kind: "client-certificate", Pos: listen.Pos} // verify is on unless switched off
		}
		for _, setting := range settings[1:] {
			name, value, _ := strings.Cut(setting, "=")
			switch strings.ToLower(name) {
			case "bind":
				d.In.Address = strings.Trim(strings.Split(value, ":")[0], "[]")
				if strings.HasPrefix(value, "[") {
					d.In.Address = colonParts(value)[0]
				}
				if d.In.Address == "0.0.0.0" || d.In.Address == "::" || d.In.Address == "*" {
					d.In.Address = ""
				}
				if strings.EqualFold(d.In.Address, "localhost") {
					d.In.Address = "127.0.0.1"
				}
			case "range":
				d.Login = &deploy.Login{Kind: "allow-list", Pos: listen.Pos}
			case "tcpwrap", "tcpwrappers":
				d.Login = &deploy.Login{Kind: "allow-list", Pos: listen.Pos, Unproven: true}
			case "verify":
				if value == "0" && tls {
					d.Login = nil
				}
			}
		}
		target := operands[1-i]
		kind, rest, _ = strings.Cut(target.Text, ":")
		kind = strings.ToUpper(kind)
		rest, _, _ = strings.Cut(rest, ",")
		switch {
		case strings.HasPrefix(kind, "TCP"), strings.HasPrefix(kind, "OPENSSL"), strings.HasPrefix(kind, "SSL"):
			parts := colonParts(rest)
			if len(parts) != 2 || portNumber(parts[1]) == 0 {
				s.gapAt(deploy.KindSocat, "gap.target", target.Pos)
				return
			}
			d.To = deploy.Endpoint{Space: space, Host: parts[0], Port: portNumber(parts[1]), TLS: !strings.HasPrefix(kind, "TCP")}
		case strings.HasPrefix(kind, "UNIX"):
			d.To = deploy.Endpoint{Space: space, Host: "unix:" + rest}
		default:
			return // a program, a file
		}
		s.m.Doors = append(s.m.Doors, d)
		return
	}
}

// cloudflaredDoor adds a tunnel that the command line alone describes. The rules of others are in a
// file of their own, or at Cloudflare.
func (s *source) cloudflaredDoor(words []deploy.Value, space deploy.Space, env lookup) {
	options, operands := splitOptions(words[1:], " url hostname token token-file config credentials-file cred-file credentials-contents name n edge-ip-version protocol loglevel logfile metrics pidfile origincert region retries grace-period http-host-header origin-server-name unix-socket transport-loglevel proto log-level management-hostname tag post-quantum edge-bind-address edge ")
	is := func(i int, word string) bool { return len(operands) > i && operands[i].Text == word }
	if is(0, "service") && is(1, "install") {
		s.gapAt(deploy.KindCloudflared, "gap.tunnel-elsewhere", words[0].Pos)
		return
	}
	if !is(0, "tunnel") || len(operands) > 1 && !is(1, "run") {
		return // another command, of which none serves
	}
	target, ok := named(options, "url")
	if !ok {
		target, ok = named(options, "unix-socket")
		target.Text = "unix:" + target.Text
	}
	if !ok && env != nil {
		if v := env("TUNNEL_URL"); v.IsSet() {
			target, ok = v, true
		}
	}
	if !ok {
		config, named := named(options, "config")
		if !named {
			config.Text = "config.yml"
		}
		if !s.hasFile(config.Text) || has(options, "token", "token-file") {
			s.gapAt(deploy.KindCloudflared, "gap.tunnel-elsewhere", words[0].Pos)
		}
		return
	}
	to, ok := endpointOf(space, target.Text, 80)
	if !ok {
		s.gapAt(deploy.KindCloudflared, "gap.target", target.Pos)
		return
	}
	d := cloudflareDoor(to, target.Pos)
	if host, ok := named(options, "hostname"); ok {
		d.In.Names, d.In.Pos = []deploy.Value{host}, host.Pos
	}
	s.m.Doors = append(s.m.Doors, d)
}

func has(options []option, names ...string) bool {
	_, ok := named(options, names...)
	return ok
}

// tunnelProgram adds what `ngrok http 18789` and its like open.
func (s *source) tunnelProgram(kind deploy.Kind, words []deploy.Value, space deploy.Space) {
	options, operands := splitOptions(words[1:], " config authtoken url domain hostname subdomain region r basic-auth auth httpauth oauth oauth-allow-domain oauth-allow-email oauth-client-id oauth-client-secret oidc oidc-client-id oidc-client-secret cidr-allow cidr-deny host-header log log-format log-level scheme traffic-policy-file traffic-policy-url policy-file mutual-tls-cas name remote-addr proxy-proto pooling verify-webhook verify-webhook-secret request-header-add request-header-remove upstream-protocol dashboard inspect_addr remote_addr daemon ")
	if len(operands) == 0 {
		return
	}
	proto := operands[0].Text
	switch proto {
	case "start", "start-all", "service":
		if !s.hasConfigOf(string(kind)) {
			s.gapAt(kind, "gap.tunnel-elsewhere", words[0].Pos)
		}
		return
	case "http", "tcp", "tls", "https":
	default:
		return
	}
	target := deploy.Value{Text: "80", Pos: operands[0].Pos}
	if len(operands) > 1 {
		target = operands[len(operands)-1]
	}
	to, ok := endpointOf(space, target.Text, 80)
	if !ok || target.State == deploy.Unknown && to.Port == 0 {
		s.gapAt(kind, "gap.target", target.Pos)
		return
	}
	d := &deploy.Door{Kind: kind, In: deploy.Listen{Reach: event.FilesInternet, Pos: target.Pos}, To: to, Pos: target.Pos}
	if proto == "tcp" || proto == "tls" {
		d.Bytes, d.BytesPos, d.TLS = true, operands[0].Pos, deploy.No
		if proto == "tls" {
			d.TLS = deploy.Yes
		}
	} else {
		d.Headers, d.TLS = tunnelHeaders(), deploy.Yes
	}
	if host, ok := named(options, "url", "domain", "hostname", "subdomain", "remote-addr", "remote_addr"); ok {
		if _, rest, ok := strings.Cut(host.Text, "://"); ok {
			host.Text = rest
		}
		d.In.Names = []deploy.Value{host}
	}
	for _, o := range options {
		l := &deploy.Login{Pos: o.value.Pos}
		switch o.name {
		case "basic-auth", "auth", "httpauth":
			l.Kind = "basic"
		case "oauth", "oidc":
			l.Kind = "oauth"
		case "cidr-allow":
			l.Kind = "allow-list"
		case "mutual-tls-cas":
			l.Kind = "client-certificate"
		case "traffic-policy-file", "traffic-policy-url", "policy-file", "verify-webhook":
			l.Kind, l.Unproven = "access", true
		default:
			continue
		}
		d.Login = l
		break
	}
	s.m.Doors = append(s.m.Doors, d)
}

// hasConfigOf reports whether the tree has a configuration that a tunnel's program would take.
func (s *source) hasConfigOf(program string) bool {
	if s.tree == nil {
		return false
	}
	for _, f := range s.tree.Files() {
		if strings.Contains(path.Base(f.Name), program) && hasExt(f.Name, ".yml", ".yaml") {
			return true
		}
	}
	return false
}

// frpcDoor adds a proxy that the command line of frpc alone describes.
func (s *source) frpcDoor(words []deploy.Value, space deploy.Space) {
	options, operands := splitOptions(words[1:], " c config config_dir l local-port local_port r remote-port remote_port i local-ip local_ip s server-addr server_addr P server-port p protocol t token n proxy-name proxy_name u user d custom-domain custom_domain sd locations http-user http_user http-pwd http_pwd log-level ")
	if len(operands) == 0 {
		config, ok := named(options, "c", "config", "config_dir")
		if !ok {
			config.Text = "frpc.ini"
		}
		if !s.hasFile(config.Text) {
			s.gapAt(deploy.KindFrp, "gap.tunnel-elsewhere", words[0].Pos)
		}
		return
	}
	kind := operands[0]
	local, ok := named(options, "l", "local-port", "local_port")
	if kind.Text != "tcp" && kind.Text != "http" && kind.Text != "https" || !ok {
		return
	}
	d := &deploy.Door{
		Kind: deploy.KindFrp,
		In:   deploy.Listen{Reach: event.FilesInternet, Pos: local.Pos},
		To:   deploy.Endpoint{Space: space, Port: portNumber(local.Text)},
		TLS:  deploy.No,
		Pos:  local.Pos,
	}
	if d.To.Port == 0 {
		s.gapAt(deploy.KindFrp, "gap.target", local.Pos)
		return
	}
	if ip, ok := named(options, "i", "local-ip", "local_ip"); ok {
		d.To.Host = ip.Text
	}
	if remote, ok := named(options, "r", "remote-port", "remote_port"); ok {
		d.In.Port, d.In.Pos = portNumber(remote.Text), remote.Pos
	}
	if host, ok := named(options, "d", "custom-domain", "custom_domain", "sd"); ok {
		d.In.Names = []deploy.Value{host}
	}
	if kind.Text == "http" {
		d.Headers = map[string]deploy.Header{"x-forwarded-for": {Does: deploy.Appends, From: deploy.FromPeer}}
		if user, ok := named(options, "http-user", "http_user"); ok {
			d.Login = &deploy.Login{Kind: "basic", Pos: user.Pos}
		}
	} else {
		d.Bytes, d.BytesPos = true, kind.Pos
	}
	s.m.Doors = append(s.m.Doors, d)
}

// tailscaleCommand adds what `tailscale serve` and `tailscale funnel` open, in their old form and
// the one since 1.52.
func (s *source) tailscaleCommand(words []deploy.Value, space deploy.Space) {
	options, operands := splitOptions(words[1:], " socket https http tcp tls-terminated-tcp set-path service proxy-protocol ")
	if len(operands) < 2 {
		return
	}
	funnel := operands[0].Text == "funnel"
	if !funnel && operands[0].Text != "serve" {
		return
	}
	switch operands[1].Text {
	case "status", "reset", "get-config", "drain", "clear", "advertise":
		return
	case "set-config":
		s.gapAt(deploy.KindTailscale, "gap.referenced", operands[1].Pos)
		return
	}
	target := operands[len(operands)-1]
	if target.Text == "off" {
		return
	}
	port, bytesOnly, tls, mount := 443, false, deploy.Yes, ""
	for _, o := range options {
		switch o.name {
		case "https", "http", "tcp", "tls-terminated-tcp":
			if p := portNumber(o.value.Text); p > 0 {
				port = p
			}
			if o.name == "http" || o.name == "tcp" {
				tls = deploy.No
			}
			bytesOnly = o.name == "tcp" || o.name == "tls-terminated-tcp"
		case "set-path":
			mount = o.value.Text
		}
	}
	if target.Text == "on" { // of old: what is served on this port becomes public
		port = portNumber(operands[1].Text)
		for _, d := range s.m.Doors {
			if d.Kind == deploy.KindTailscale && d.In.Port == port && d.Pos.File == s.name {
				d.Kind, d.In.Reach, d.In.Pos = deploy.KindFunnel, event.FilesInternet, operands[1].Pos
			}
		}
		return
	}
	if len(operands) > 2 { // of old: serve https:443 / http://127.0.0.1:18789
		kind, p, _ := strings.Cut(operands[1].Text, ":")
		if portNumber(p) > 0 {
			port = portNumber(p)
		}
		bytesOnly = kind == "tcp" || kind == "tls-terminated-tcp"
		if len(operands) > 3 || !bytesOnly {
			mount = operands[2].Text
		}
		if kind == "http" || kind == "tcp" {
			tls = deploy.No
		}
	}
	if strings.HasPrefix(target.Text, "text:") || strings.HasPrefix(target.Text, "/") {
		return // a text, or files
	}
	to, ok := endpointOf(space, strings.TrimPrefix(target.Text, "tcp://"), 80)
	if !ok || target.State == deploy.Unknown {
		s.gapAt(deploy.KindTailscale, "gap.target", target.Pos)
		return
	}
	d := tailscaleDoor(to, target.Pos)
	d.In.Port, d.Path, d.TLS = port, mount, tls
	if bytesOnly {
		d.Bytes, d.Headers = true, nil
	}
	if funnel {
		d.Kind, d.In.Reach, d.In.Pos = deploy.KindFunnel, event.FilesInternet, operands[0].Pos
	}
	s.m.Doors = append(s.m.Doors, d)
}
