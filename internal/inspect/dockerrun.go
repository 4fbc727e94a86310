package inspect

import (
	"path"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
)

// container is what `docker run` or a quadlet starts.
type container struct {
	name                string
	image               deploy.Value
	entrypoint, command []deploy.Value
	env                 map[string]deploy.Value
	envFrom             []event.Pos
	ports, volumes      []deploy.Value
	network, user, pod  deploy.Value
	pos                 event.Pos
}

// dockerRun adds the container that a `docker run` or `podman run` starts.
func (s *source) dockerRun(kind deploy.Kind, words []deploy.Value, env lookup) {
	for _, c := range plainCommands(words, env, 0) {
		switch base(c[0].Text) {
		case "docker", "podman", "nerdctl":
			s.dockerWords(kind, c, env)
		}
	}
}

func (s *source) dockerWords(kind deploy.Kind, words []deploy.Value, env lookup) {
	i := 1
	for i < len(words) && (isOption(words[i].Text) || words[i].Text == "container") {
		i++
	}
	if i >= len(words) || words[i].Text != "run" && words[i].Text != "create" {
		return
	}
	r := container{env: map[string]deploy.Value{}, pos: words[0].Pos}
	for i++; i < len(words) && isOption(words[i].Text); i++ {
		w := words[i]
		name, text, joined := strings.Cut(w.Text, "=")
		switch {
		case dockerAlone(name):
			continue
		case !strings.HasPrefix(name, "--") && len(name) > 2: // -p80:80, -it
			if strings.Trim(name[1:], "ditqP") == "" {
				continue
			}
			name, text, joined = w.Text[:2], strings.TrimPrefix(w.Text[2:], "="), true
			if strings.Trim(w.Text[1:len(w.Text)-1], "ditqP") == "" { // -itp 80:80
				name, joined = "-"+w.Text[len(w.Text)-1:], false
			}
		}
		w.Text = text
		if !joined {
			if i+1 >= len(words) {
				break
			}
			i++
			w = words[i]
		}
		switch name {
		case "-p", "--publish":
			r.ports = append(r.ports, w)
		case "-v", "--volume":
			r.volumes = append(r.volumes, w)
		case "--mount":
			if v, ok := mountOption(w); ok {
				r.volumes = append(r.volumes, v)
			}
		case "--network", "--net":
			r.network = w
		case "--name":
			r.name = w.Text
		case "-u", "--user":
			r.user = w
		case "--pod":
			r.pod = w
		case "--entrypoint":
			r.entrypoint = []deploy.Value{w}
		case "-e", "--env":
			if name, v, ok := assignment(w); ok {
				r.env[name] = v
			} else if env != nil {
				v := env(w.Text)
				v.Pos = w.Pos
				r.env[w.Text] = v
			} else {
				r.env[w.Text] = deploy.Value{State: deploy.Unknown, Pos: w.Pos}
			}
		case "--env-file":
			if !s.envFile(w.Text, r.env) {
				r.envFrom = append(r.envFrom, w.Pos)
			}
		}
	}
	if i >= len(words) {
		return
	}
	r.image, r.command = words[i], words[i+1:]
	s.container(kind, r)
}

// mountOption turns type=bind,source=A,target=B into A:B.
func mountOption(w deploy.Value) (deploy.Value, bool) {
	var from, to string
	for _, part := range strings.Split(w.Text, ",") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "source", "src":
			from = value
		case "target", "dst", "destination":
			to = value
		}
	}
	w.Text = from + ":" + to
	return w, to != ""
}

// dockerAlone reports whether an option of docker run takes no value.
func dockerAlone(name string) bool {
	switch name {
	case "-d", "-i", "-t", "-P", "-q", "--detach", "--interactive", "--tty", "--rm", "--init", "--privileged", "--publish-all", "--read-only",
		"--no-healthcheck", "--oom-kill-disable", "--quiet", "--replace", "--sig-proxy", "--tls-verify", "--rmi", "--no-hosts", "--no-hostname":
		return true
	}
	return false
}

// container adds a container: the gateway that it starts, and the ports that it publishes. One
// that starts no gateway and publishes nothing leaves no trace.
func (s *source) container(kind deploy.Kind, r container) {
	look := func(name string) deploy.Value {
		if v, ok := r.env[name]; ok {
			return v
		}
		return deploy.Value{State: deploy.Unknown}
	}
	space, at := s.containerSpace(r), r.network.Pos
	c, known := containerCommand(r.image, r.entrypoint, r.command, look)
	for _, words := range [][]deploy.Value{append(append([]deploy.Value{}, r.entrypoint...), r.command...)} {
		s.commandDoors(words, space, look)
	}
	if space != deploy.Host {
		info := s.m.Space(space)
		info.Pos = r.pos
		if r.name != "" {
			info.Names = append(info.Names, r.name)
		}
		if n := r.network.Text; n != "" && n != "bridge" {
			info.Domain = "network:" + n
		}
		for _, p := range r.ports {
			s.publish(r.name, p, space)
		}
	}
	candidate := c == nil && !known && hasGatewayEnv(r.env)
	if c == nil && !candidate {
		return
	}
	s.flagSecrets(kind, c)
	s.envSecrets(kind, r.env)
	g := &deploy.Gateway{
		Space: space, Name: r.name, Kind: kind, Pos: r.pos, Container: deploy.Yes, Command: c, Env: r.env, EnvFrom: r.envFrom,
		Candidate: candidate, Image: r.image, Release: imageRelease(r.image), Mounts: map[string]string{},
	}
	if space == deploy.Host {
		g.SpacePos = at
	}
	for _, v := range r.volumes {
		from, to := volumeMapping(v.Text)
		if to == "" {
			continue
		}
		if dir, ok := s.lookForDir(from); ok {
			g.Mounts[path.Clean(to)] = dir
		} else if file, ok := s.lookFor(from); ok && strings.ContainsRune(from, '/') {
			g.Mounts[path.Clean(to)] = file
		} else {
			g.MountsOutside = append(g.MountsOutside, path.Clean(to))
		}
	}
	holds := false
	for _, m := range g.MountsOutside {
		holds = holds || mayHoldConfig(m)
	}
	g.NoConfig = !holds && isGatewayImage(r.image.Text)
	if user := r.user.Text; isRoot(user) {
		pos := r.user.Pos
		g.Root = &pos
	}
	s.m.Gateways = append(s.m.Gateways, g)
}

func (s *source) containerSpace(r container) deploy.Space {
	network, options, _ := strings.Cut(r.network.Text, ":")
	switch {
	case r.pod.Text != "":
		return deploy.Space("container:" + path.Dir(s.name) + "/pod " + strings.TrimSuffix(path.Base(r.pod.Text), ".pod"))
	case network == "host":
		return deploy.Host
	case network == "container":
		return deploy.Space("container:" + path.Dir(s.name) + "/" + options)
	case r.name != "":
		return deploy.Space("container:" + path.Dir(s.name) + "/" + r.name)
	}
	return deploy.Space("container:" + r.pos.String())
}

// publish adds a published port.
func (s *source) publish(name string, p deploy.Value, space deploy.Space) {
	address, published, target, protocol := portMapping(p.Text)
	if protocol == "udp" || protocol == "sctp" {
		return
	}
	from, to, ok := portRange(target)
	host, hostTo, hostOK := 0, 0, published == ""
	if !hostOK {
		host, hostTo, hostOK = portRange(published)
	}
	if !ok || !hostOK || p.State == deploy.Unknown || to-from >= maxRange || host > 0 && hostTo-host != to-from {
		s.gapAt(deploy.KindPort, "gap.target", p.Pos)
		return
	}
	if address == "0.0.0.0" || address == "::" {
		address = ""
	}
	for i := 0; from+i <= to; i++ {
		d := &deploy.Door{
			Kind: deploy.KindPort, Name: name, Transparent: true, Pos: p.Pos,
			In: deploy.Listen{Space: deploy.Host, Address: address, Pos: p.Pos},
			To: deploy.Endpoint{Space: space, Port: from + i},
		}
		if host > 0 {
			d.In.Port = host + i
		}
		s.m.Doors = append(s.m.Doors, d)
	}
}
