package inspect

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/json5"
)

// platformService is what an app platform runs.
type platformService struct {
	name    string
	pos     event.Pos
	image   deploy.Value
	command []deploy.Value
	build   string // directory of the Dockerfile; "" if it is not known to be built from one
	env     map[string]deploy.Value
	from    []event.Pos
	mounts  []string
}

// platform adds a service of an app platform, and returns the namespace that it is in. One that
// starts something else than a gateway is no gateway.
func (s *source) platform(kind deploy.Kind, p platformService) deploy.Space {
	space := deploy.Space(string(kind) + ":" + s.name + "/" + p.name)
	s.m.Space(space).Pos = p.pos
	look := func(name string) deploy.Value {
		if v, ok := p.env[name]; ok {
			return v
		}
		return deploy.Value{State: deploy.Unknown}
	}
	c, known := containerCommand(p.image, nil, p.command, look)
	if len(p.command) > 0 {
		s.commandDoors(p.command, space, look)
	}
	candidate := c == nil && (len(p.command) == 0 && p.build != "" || s.startsScript(p.command))
	if candidate && len(p.command) > 0 {
		c = &deploy.Command{Args: p.command, Pos: p.command[0].Pos}
	}
	if c == nil && !candidate && (known || !hasGatewayEnv(p.env)) {
		return space
	}
	s.flagSecrets(kind, c)
	s.envSecrets(kind, p.env)
	s.m.Gateways = append(s.m.Gateways, &deploy.Gateway{
		Space: space, Name: p.name, Kind: kind, Pos: p.pos, Container: deploy.Yes, Command: c, Env: p.env, EnvFrom: p.from,
		Candidate: candidate || c == nil, Image: p.image, Release: imageRelease(p.image), Build: p.build,
		Mounts: map[string]string{}, MountsOutside: p.mounts,
	})
	return space
}

// platformDoor is the way in that a platform makes: it ends TLS, and says for whom it speaks.
func (s *source) platformDoor(kind deploy.Kind, name string, space deploy.Space, port int, pos event.Pos) *deploy.Door {
	d := &deploy.Door{
		Kind: kind, Name: name, In: deploy.Listen{Port: 443, Reach: event.FilesInternet, Pos: pos},
		To: deploy.Endpoint{Space: space, Port: port}, TLS: deploy.Yes, Pos: pos, Headers: tunnelHeaders(),
	}
	s.m.Doors = append(s.m.Doors, d)
	return d
}

// portOf is the port that variables tell a service to listen on; 0 if none does.
func portOf(env map[string]deploy.Value) int {
	for _, name := range []string{"PORT", "OPENCLAW_GATEWAY_PORT"} {
		if v := env[name]; v.IsSet() {
			return portNumber(v.Text)
		}
	}
	return 0
}

// flyReader reads fly.toml.
func flyReader() reader {
	return reader{
		kind: deploy.KindFly,
		match: func(name string, data []byte) bool {
			file := path.Base(name)
			return strings.HasPrefix(file, "fly") && strings.HasSuffix(file, ".toml")
		},
		read: readFly,
	}
}

func readFly(s *source) error {
	root, err := s.document()
	if err != nil || root == nil {
		return err
	}
	env := map[string]deploy.Value{}
	from := memberPos(root, "env")
	if vars := root.Get("env"); vars != nil {
		for _, m := range vars.Members {
			env[m.Key] = valueOf(m.Value)
		}
	}
	if from.IsZero() {
		from = memberPos(root, "app")
	}
	if from.IsZero() {
		from = s.pos(1, 1)
	}
	p := platformService{env: env, from: []event.Pos{from}, image: valueOf(root.Get("build", "image"))}
	if !p.image.IsSet() {
		p.build = path.Join(path.Dir(s.name), path.Dir(scalar(root.Get("build", "dockerfile"))))
	}
	mounts := items(root.Get("mounts"))
	if m := root.Get("mounts"); len(mounts) == 0 && m != nil {
		mounts = append(mounts, m)
	}
	for _, m := range mounts {
		if to := scalar(m.Get("destination")); to != "" {
			p.mounts = append(p.mounts, to)
		}
	}
	spaces := map[string]deploy.Space{}
	if processes := root.Get("processes"); processes != nil {
		for _, m := range processes.Members {
			p.name, p.pos = m.Key, m.Value.Pos
			p.command = shellWords(scalar(m.Value), afterQuote(m.Value))
			spaces[m.Key] = s.platform(deploy.KindFly, p)
		}
	}
	if len(spaces) == 0 {
		p.name, p.pos = "app", from
		if at := memberPos(root, "app"); !at.IsZero() {
			p.pos = at
		}
		spaces["app"] = s.platform(deploy.KindFly, p)
	}
	serves := func(service *json5.Node) []deploy.Space {
		var all []deploy.Space
		for _, name := range items(service.Get("processes")) {
			if space, ok := spaces[scalar(name)]; ok {
				all = append(all, space)
			}
		}
		if len(all) == 0 {
			if space, ok := spaces["app"]; ok {
				return []deploy.Space{space}
			}
			for _, name := range slices.Sorted(maps.Keys(spaces)) {
				all = append(all, spaces[name])
			}
		}
		return all
	}
	app := scalar(root.Get("app"))
	if service := root.Get("http_service"); service != nil {
		port := number(service.Get("internal_port"))
		if port == 0 {
			port = 8080
		}
		for _, space := range serves(service) {
			d := s.platformDoor(deploy.KindFly, app, space, port, memberPos(root, "http_service"))
			if !isYesNode(service.Get("force_https")) {
				d.TLS = deploy.NotKnown
			}
		}
	}
	for _, service := range items(root.Get("services")) {
		if scalar(service.Get("protocol")) == "udp" {
			continue
		}
		for _, out := range items(service.Get("ports")) {
			for _, space := range serves(service) {
				d := s.platformDoor(deploy.KindFly, app, space, number(service.Get("internal_port")), service.Pos)
				d.In.Port, d.In.Pos = number(out.Get("port")), out.Pos
				d.TLS, d.Bytes, d.BytesPos = deploy.No, true, out.Pos
				for _, h := range items(out.Get("handlers")) {
					switch scalar(h) {
					case "tls":
						d.TLS = deploy.Yes
					case "http":
						d.Bytes, d.BytesPos = false, event.Pos{}
					}
				}
				if isYesNode(out.Get("force_https")) {
					d.TLS = deploy.Yes
				}
				if d.Bytes {
					d.Headers = nil
				}
			}
		}
	}
	return nil
}

// afterQuote is where the text of a scalar begins.
func afterQuote(n *json5.Node) event.Pos {
	at := n.Pos
	if at.Column > 0 {
		at.Column++
	}
	return at
}

// renderReader reads blueprints of Render.
func renderReader() reader {
	return reader{
		kind: deploy.KindRender,
		match: func(name string, _ []byte) bool {
			return path.Base(name) == "render.yaml" || path.Base(name) == "render.yml"
		},
		read: readRender,
	}
}

func readRender(s *source) error {
	root, err := s.document()
	if err != nil || root == nil {
		return err
	}
	services := items(root.Get("services"))
	groups := items(root.Get("envVarGroups"))
	for _, project := range items(root.Get("projects")) {
		for _, e := range items(project.Get("environments")) {
			services = append(services, items(e.Get("services"))...)
			groups = append(groups, items(e.Get("envVarGroups"))...)
		}
	}
	for _, service := range services {
		s.renderService(service, groups)
	}
	return nil
}

func (s *source) renderService(service *json5.Node, groups []*json5.Node) {
	kind := service.Get("type")
	p := platformService{
		name: scalar(service.Get("name")), env: map[string]deploy.Value{},
		image: valueOf(service.Get("image", "url")),
	}
	if kind == nil {
		return
	}
	p.pos = kind.Pos
	var add func(vars *json5.Node, depth int)
	add = func(vars *json5.Node, depth int) {
		for _, v := range items(vars) {
			if group := v.Get("fromGroup"); group != nil {
				known := false
				for _, g := range groups {
					if scalar(g.Get("name")) == scalar(group) && depth == 0 {
						known = true
						add(g.Get("envVars"), 1)
					}
				}
				if !known {
					p.from = append(p.from, group.Pos)
				}
				continue
			}
			key := v.Get("key")
			if key == nil {
				continue
			}
			value := valueOf(v.Get("value"))
			if value.State == deploy.Unset {
				value = deploy.Value{State: deploy.Present, Pos: key.Pos} // made, asked for, or another service's
			}
			p.env[scalar(key)] = value
		}
	}
	add(service.Get("envVars"), 0)
	runtime := scalar(first(service, "runtime", "env"))
	if command := first(service, "dockerCommand", "startCommand"); command != nil {
		p.command = shellWords(scalar(command), command.Pos)
	}
	if runtime == "docker" {
		dir := path.Dir(s.name)
		if d := first(service, "dockerContext", "rootDir"); d != nil {
			dir = path.Join(dir, scalar(d))
		}
		p.build = dir
	}
	if to := scalar(service.Get("disk", "mountPath")); to != "" {
		p.mounts = append(p.mounts, to)
	}
	space := s.platform(deploy.KindRender, p)
	switch scalar(kind) {
	case "web":
		s.platformDoor(deploy.KindRender, p.name, space, portOf(p.env), kind.Pos)
	case "pserv":
		d := s.platformDoor(deploy.KindRender, p.name, space, portOf(p.env), kind.Pos)
		d.In.Reach, d.In.Port, d.Headers, d.TLS, d.Transparent = event.FilesContainerNet, d.To.Port, nil, deploy.No, true
	}
}

// railwayReader reads railway.json, railway.toml, and the Procfile of platforms that take one.
func railwayReader() reader {
	return reader{
		kind: deploy.KindRailway,
		match: func(name string, _ []byte) bool {
			switch path.Base(name) {
			case "railway.json", "railway.toml", "Procfile":
				return true
			}
			return false
		},
		read: readRailway,
	}
}

func readRailway(s *source) error {
	if path.Base(s.name) == "Procfile" {
		for i, line := range strings.Split(string(s.data), "\n") {
			name, command, ok := strings.Cut(line, ":")
			if !ok || strings.HasPrefix(name, "#") || i > maxEntries {
				continue
			}
			at := s.pos(i+1, len(name)+2)
			p := platformService{name: strings.TrimSpace(name), pos: s.pos(i+1, 1), command: shellWords(strings.TrimSpace(command), at), from: []event.Pos{s.pos(i+1, 1)}}
			space, before := deploy.Space(""), len(s.m.Gateways)
			space = s.platform(deploy.KindRailway, p)
			if p.name == "web" && len(s.m.Gateways) > before {
				s.platformDoor(deploy.KindRailway, p.name, space, 0, p.pos)
			}
		}
		return nil
	}
	root, err := s.document()
	if err != nil || root == nil {
		return err
	}
	p := platformService{pos: memberPos(root, "deploy"), build: path.Dir(s.name)}
	if p.pos.IsZero() {
		p.pos = s.pos(1, 1)
	}
	p.from = []event.Pos{p.pos} // its variables are at the platform
	if command := root.Get("deploy", "startCommand"); command != nil {
		p.command, p.pos = shellWords(scalar(command), afterQuote(command)), command.Pos
	}
	if file := scalar(root.Get("build", "dockerfilePath")); file != "" {
		p.build = path.Join(path.Dir(s.name), path.Dir(file))
	}
	before := len(s.m.Gateways)
	space := s.platform(deploy.KindRailway, p)
	if len(s.m.Gateways) > before {
		s.platformDoor(deploy.KindRailway, "", space, 0, p.pos)
	}
	return nil
}

// northflankReader reads templates and service specifications of Northflank.
func northflankReader() reader {
	return reader{
		kind: deploy.KindNorthflank,
		match: func(name string, data []byte) bool {
			return strings.HasSuffix(name, ".json") && strings.Contains(strings.ToLower(path.Base(name)), "northflank")
		},
		read: func(s *source) error {
			root, err := s.document()
			if err == nil {
				s.northflank(root, 0)
			}
			return err
		},
	}
}

// northflank looks for services: objects with a deployment or with ports.
func (s *source) northflank(n *json5.Node, depth int) {
	if n == nil || depth > maxDepth {
		return
	}
	if n.Kind == json5.Object && n.Get("deployment") != nil {
		p := platformService{name: scalar(n.Get("name")), pos: n.Pos, from: []event.Pos{n.Pos}, env: map[string]deploy.Value{}}
		p.image = valueOf(n.Get("deployment", "external", "imagePath"))
		if vars := n.Get("runtimeEnvironment"); vars != nil {
			for _, m := range vars.Members {
				p.env[m.Key] = valueOf(m.Value)
			}
		}
		if command := n.Get("deployment", "docker", "customCommand"); command != nil {
			p.command = shellWords(scalar(command), afterQuote(command))
		}
		if !p.image.IsSet() {
			p.build = path.Dir(s.name)
		}
		space := s.platform(deploy.KindNorthflank, p)
		for _, port := range items(n.Get("ports")) {
			if !isYesNode(port.Get("public")) {
				continue
			}
			inner := port.Get("internalPort")
			d := s.platformDoor(deploy.KindNorthflank, p.name, space, number(inner), port.Pos)
			if strings.EqualFold(scalar(port.Get("protocol")), "TCP") {
				d.Bytes, d.Headers, d.TLS = true, nil, deploy.NotKnown
			}
		}
		return
	}
	for _, m := range n.Members {
		s.northflank(m.Value, depth+1)
	}
	for _, item := range n.Items {
		s.northflank(item, depth+1)
	}
}
