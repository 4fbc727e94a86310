package inspect

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
)

// A project is a directory: its Compose file with the override file beside it. Any other Compose
// file is a project of its own, unless it has services that are only complete together with the
// directory's Compose file: then it is laid over that, as a second project.

// Caps of Compose files.
const (
	maxGaps     = 200
	maxServices = 2_000 // of a project
	maxDoors    = 8_192 // that one file makes
	maxRange    = 2_048 // ports of a range
	maxEnvFiles = 100
	maxExtends  = 10
	maxSpent    = 400_000 // values that are looked at, however often aliases repeat them
)

func composeReader() reader {
	return reader{kind: deploy.KindCompose, match: isCompose, read: readCompose}
}

// composeBases are the names of a directory's Compose file, in the order in which they are looked for.
func composeBases() []string {
	return []string{"compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"}
}

func composeOverrides() []string {
	return []string{"compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml"}
}

func isYAML(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	return ext == ".yml" || ext == ".yaml"
}

func composeName(name string) bool {
	base := strings.ToLower(path.Base(name))
	return isYAML(name) && (strings.HasPrefix(base, "docker-compose") || strings.HasPrefix(base, "compose"))
}

func isCompose(name string, data []byte) bool {
	if !isYAML(name) {
		return false
	}
	return composeName(name) || hasLine(data, "services:")
}

// hasLine reports whether a line of a text begins with a word.
func hasLine(data []byte, word string) bool {
	text := string(data)
	return strings.HasPrefix(text, word) || strings.Contains(text, "\n"+word)
}

func readCompose(s *source) error {
	dir, base := path.Dir(s.name), path.Base(s.name)
	root, err := composeRoot(s.name, s.data)
	if err != nil {
		return err
	}
	if root == nil {
		return nil
	}
	main := s.sibling(dir, composeBases())
	p := newProject(s, dir)
	switch {
	case slices.Contains(composeOverrides(), base) && main != "":
		return nil // read with the file that it is laid over
	case base == main:
		p.add(root)
		if over := s.sibling(dir, composeOverrides()); over != "" {
			p.addFile(path.Join(dir, over))
		}
	case main != "" && completesOther(root):
		p.name = deploy.Space("compose:" + path.Join(dir, base))
		p.addFile(path.Join(dir, main))
		p.add(root)
	default:
		if main != "" {
			p.name = deploy.Space("compose:" + path.Join(dir, base))
		}
		p.add(root)
	}
	p.read()
	return nil
}

// composeRoot is the document of a Compose file; nil if it is something else.
func composeRoot(name string, data []byte) (*ynode, error) {
	docs, err := yamlDocuments(name, data)
	if err != nil {
		return nil, err
	}
	for _, d := range docs {
		services := d.get("services")
		if services == nil || services.kind != ymapping || d.has("apiVersion") {
			continue
		}
		if composeName(name) {
			return d, nil
		}
		for _, m := range services.members {
			if m.value.kind == ymapping && m.value.has("image", "build", "extends") {
				return d, nil
			}
		}
	}
	return nil, nil
}

// completesOther reports whether a service has neither an image nor a way to make one.
func completesOther(root *ynode) bool {
	for _, m := range root.get("services").members {
		if !m.value.has("image", "build", "extends") {
			return true
		}
	}
	return false
}

// sibling is the first of several names that a directory of the tree has.
func (s *source) sibling(dir string, names []string) string {
	for _, n := range names {
		if info, ok := s.tree.Stat(path.Join(dir, n)); ok && info.Mode.IsRegular() {
			return n
		}
	}
	return ""
}

type project struct {
	s        *source
	dir      string
	name     deploy.Space // that the spaces of its services begin with
	services map[string]*ynode
	order    []string
	root     *ynode // of everything else, merged
	vars     map[string]deploy.Value
	example  map[string]deploy.Value            // of a file that is there to be copied to .env
	files    map[string]*ynode                  // read for extends
	envFiles map[string]map[string]deploy.Value // read for env_file
	space    map[string]deploy.Space
	merge    merger
	doors    int
	gaps     int
	spent    int
}

func newProject(s *source, dir string) *project {
	p := &project{s: s, dir: dir, name: deploy.Space("compose:" + path.Clean(dir)), services: map[string]*ynode{}, files: map[string]*ynode{}, envFiles: map[string]map[string]deploy.Value{}, space: map[string]deploy.Space{}, merge: merger{maxSpent}}
	if dir == "." {
		p.name = "compose:"
	}
	if data, err := s.tree.Read(path.Join(dir, ".env"), MaxFile); err == nil {
		p.vars = dotenv(path.Join(dir, ".env"), data, p.given)
		return p
	}
	for _, name := range []string{".env.example", ".env.sample", ".env.template", "env.example", ".env.dist", "example.env", "sample.env"} {
		if data, err := s.tree.Read(path.Join(dir, name), MaxFile); err == nil {
			p.example = dotenv(path.Join(dir, name), data, p.given)
			break
		}
	}
	return p
}

// given is a variable that the user named.
func (p *project) given(name string) deploy.Value { return p.s.env[name] }

// variable is what Compose puts for a variable: the shell's before that of .env.
func (p *project) variable(name string) deploy.Value {
	if v, ok := p.s.env[name]; ok {
		return v
	}
	return p.vars[name]
}

// spend reports whether so many more values may be looked at, and says once that they may not.
func (p *project) spend(n int, pos event.Pos) bool {
	before := p.spent
	p.spent += n
	if p.spent > maxSpent && before <= maxSpent {
		p.gap(gapTooMuch, pos)
	}
	return p.spent <= maxSpent
}

// value is a scalar with its variables replaced, with the place given.
func (p *project) value(n *ynode, pos event.Pos) deploy.Value {
	if n == nil || n.kind != yscalar || !p.spend(1+len(n.text)/64, n.pos) {
		return deploy.Value{}
	}
	return interpolate(n.text, pos, p.variable)
}

func (p *project) text(n *ynode) string { return p.value(n, event.Pos{}).Text }

func (p *project) gap(why string, pos event.Pos) {
	if p.gaps++; p.gaps <= maxGaps {
		p.s.m.Gaps = append(p.s.m.Gaps, deploy.Gap{Kind: deploy.KindCompose, Why: why, Pos: pos})
	}
}

func (p *project) addFile(name string) {
	data, err := p.s.tree.Read(name, MaxFile)
	if err == nil {
		var root *ynode
		if root, err = composeRoot(name, data); err == nil && root != nil {
			p.add(root)
		}
	}
	if err != nil {
		p.gap(gapUnread, event.Pos{File: name, Line: 1})
	}
}

// add lays a file over those that were added before.
func (p *project) add(root *ynode) {
	if p.root == nil {
		p.root = root
	} else {
		p.root = p.merge.mapping(p.root, &ynode{kind: ymapping, pos: root.pos, members: without(root.members, "services")}, "", 0)
	}
	if root.has("include") {
		p.gap(gapInclude, root.keyPos("include"))
	}
	for _, m := range root.get("services").unique() {
		if m.value.kind != ymapping {
			continue
		}
		under, there := p.services[m.key]
		switch {
		case !there && len(p.order) >= maxServices:
			p.gap(gapTooMuch, m.pos)
			return
		case m.value.tag == "!reset":
			p.services[m.key] = &ynode{kind: ymapping, pos: m.pos}
		case !there:
			p.services[m.key] = &ynode{kind: ymapping, pos: m.pos, members: m.value.members}
			p.order = append(p.order, m.key)
		default:
			p.services[m.key] = p.merge.service(under, m.value)
		}
	}
}

func without(members []ymember, key string) []ymember {
	var out []ymember
	for _, m := range members {
		if m.key != key {
			out = append(out, m)
		}
	}
	return out
}

func (p *project) read() {
	for _, name := range p.order {
		p.services[name] = p.extended(p.services[name], 0)
	}
	for _, name := range p.order {
		p.space[name] = deploy.Space(strings.TrimSuffix(string(p.name), "/") + "/" + name)
		if p.name == "compose:" {
			p.space[name] = deploy.Space("compose:" + name)
		}
	}
	for _, name := range p.order {
		if !p.spend(p.size(p.services[name]), p.services[name].pos) {
			return
		}
		p.service(name, p.services[name])
	}
}

// size is about how much a service holds.
func (p *project) size(n *ynode) int {
	size := 1
	for _, m := range n.members {
		size += 1 + len(m.value.items) + len(m.value.members)
	}
	return size
}

// extended is a service together with the one that it extends.
func (p *project) extended(n *ynode, depth int) *ynode {
	e := n.get("extends")
	if e == nil || e.kind == ynull {
		return n
	}
	name, file := p.text(e), ""
	if e.kind == ymapping {
		name, file = p.text(e.get("service")), p.text(e.get("file"))
	}
	var under *ynode
	if file == "" {
		under = p.services[name]
	} else {
		full := path.Join(path.Dir(e.pos.File), file)
		root, read := p.files[full]
		if !read && len(p.files) < maxEnvFiles {
			if data, err := p.s.tree.Read(full, MaxFile); err == nil {
				root, _ = composeRoot(full, data)
			}
			p.files[full] = root
		}
		under = root.get("services", name)
	}
	if under == nil || under.kind != ymapping || depth >= maxExtends || !p.spend(len(under.members)+len(n.members), n.pos) {
		p.gap(gapExtends, n.keyPos("extends"))
		return n
	}
	under = p.extended(under, depth+1)
	own := &ynode{kind: ymapping, pos: n.pos, members: without(n.members, "extends")}
	return p.merge.service(&ynode{kind: ymapping, pos: under.pos, members: without(under.members, "extends")}, own)
}

// network returns the namespace of a service, and the setting that makes it another than its own.
func (p *project) network(name string, n *ynode, depth int) (deploy.Space, event.Pos) {
	mode, pos := p.text(n.get("network_mode")), n.keyPos("network_mode")
	if mode == "" {
		if p.hostNetwork(n) {
			return deploy.Host, n.keyPos("networks")
		}
		return p.space[name], event.Pos{}
	}
	if mode == "host" {
		return deploy.Host, pos
	}
	if other, ok := strings.CutPrefix(mode, "service:"); ok && depth < maxExtends {
		if svc := p.services[other]; svc != nil {
			space, _ := p.network(other, svc, depth+1)
			return space, pos
		}
	}
	if other, ok := strings.CutPrefix(mode, "container:"); ok && depth < maxExtends {
		for _, candidate := range p.order {
			if p.text(p.services[candidate].get("container_name")) == other && candidate != name {
				space, _ := p.network(candidate, p.services[candidate], depth+1)
				return space, pos
			}
		}
		return deploy.Space("container:" + other), pos
	}
	return p.space[name], event.Pos{}
}

// hostNetwork reports whether a service is in the host's network by an external network of that name.
func (p *project) hostNetwork(n *ynode) bool {
	for _, m := range keyed(n.get("networks")).unique() {
		def := p.root.get("networks", m.key)
		if def.at("name") == "host" && def.at("external") == "true" {
			return true
		}
	}
	return false
}

func (p *project) service(name string, n *ynode) {
	m := p.s.m
	space, spacePos := p.network(name, n, 0)
	own := space == p.space[name]
	info := m.Space(space)
	if own {
		info.Made, info.Domain, info.Pos = deploy.KindCompose, string(p.name), n.pos
		p.names(name, n, info)
	}
	if space != deploy.Host { // labels are a container's, whatever network it is in
		p.labels(n.get("labels"), info)
		p.labels(n.get("deploy", "labels"), info)
		p.held(n, info)
	}
	if own && p.text(n.get("network_mode")) != "none" {
		for _, port := range n.get("ports").list() {
			p.port(name, port, space)
		}
	}
	p.gateway(name, n, space, spacePos)
}

// held notes which files of the tree a container has, whatever runs in it.
func (p *project) held(n *ynode, info *deploy.SpaceInfo) {
	as := &deploy.Gateway{Mounts: map[string]string{}}
	p.volumes(n, as)
	if info.Mounts == nil {
		info.Mounts = map[string]string{}
	}
	maps.Copy(info.Mounts, as.Mounts)
	context := p.text(n.get("build"))
	if c := n.get("build", "context"); c != nil {
		context = p.text(c)
	}
	if dir, ok := p.inTree(context); ok && n.has("build") {
		info.Build = dir
	}
}

// names fills in how others reach a service.
func (p *project) names(name string, n *ynode, info *deploy.SpaceInfo) {
	info.Names = append(info.Names, name)
	for _, key := range []string{"container_name", "hostname"} {
		if t := p.text(n.get(key)); t != "" && t != name {
			info.Names = append(info.Names, t)
		}
	}
	networks := keyed(n.get("networks"))
	members := networks.unique()
	if len(members) == 0 {
		members = []ymember{{key: "default", value: &ynode{}}}
	}
	for _, net := range members {
		for _, alias := range net.value.get("aliases").list() {
			if t := p.text(alias); t != "" && len(info.Names) < maxServices {
				info.Names = append(info.Names, t)
			}
		}
		for _, key := range []string{"ipv4_address", "ipv6_address"} {
			if t := p.text(net.value.get(key)); t != "" {
				info.Addresses = append(info.Addresses, t)
			}
		}
		for _, config := range p.root.get("networks", net.key, "ipam", "config").list() {
			if t := p.text(config.get("subnet")); t != "" && len(info.Addresses) < maxServices {
				info.Addresses = append(info.Addresses, t)
			}
		}
	}
}

func (p *project) labels(n *ynode, info *deploy.SpaceInfo) {
	for _, l := range pairs(n).unique() {
		if !p.spend(1, l.pos) {
			return
		}
		if info.Labels == nil {
			info.Labels, info.LabelPos = map[string]string{}, map[string]event.Pos{}
		}
		key := interpolate(l.key, l.pos, p.variable).Text
		info.Labels[key], info.LabelPos[key] = p.text(l.value), l.pos
	}
}

// port makes the doors of a published port.
func (p *project) port(service string, n *ynode, space deploy.Space) {
	var address, published, target, protocol string
	in := n.pos
	if n.kind == ymapping {
		address, published, target, protocol = p.text(n.get("host_ip")), p.text(n.get("published")), p.text(n.get("target")), p.text(n.get("protocol"))
		if n.has("host_ip") {
			in = n.keyPos("host_ip")
		}
	} else {
		v := p.value(n, n.pos)
		if v.State == deploy.Unknown || v.State == deploy.Present {
			p.gap(gapPort, n.pos)
			return
		}
		address, published, target, protocol = portMapping(v.Text)
	}
	if address == "0.0.0.0" || address == "::" {
		address = ""
	}
	if protocol == "udp" || protocol == "sctp" { // nothing that is judged speaks it
		return
	}
	first, last, ok := portRange(target)
	if !ok {
		p.gap(gapPort, n.pos)
		return
	}
	host, hostLast := 0, 0
	if published != "" {
		if host, hostLast, ok = portRange(published); !ok {
			p.gap(gapPort, n.pos)
			return
		}
	}
	if last-first >= maxRange {
		p.gap(gapTooMuch, n.pos)
		last = first + maxRange - 1
	}
	for i := 0; first+i <= last; i++ {
		if p.doors++; p.doors > maxDoors {
			if p.doors == maxDoors+1 {
				p.gap(gapTooMuch, n.pos)
			}
			return
		}
		d := &deploy.Door{
			Kind: deploy.KindPort, Name: service, Transparent: true, TLS: deploy.NotKnown, Pos: n.pos,
			In: deploy.Listen{Space: deploy.Host, Address: address, Pos: in},
			To: deploy.Endpoint{Space: space, Port: first + i},
		}
		if published != "" && (host+i <= hostLast || i == 0) {
			d.In.Port = host + i
		}
		if !p.hasDoor(d) {
			p.s.m.Doors = append(p.s.m.Doors, d)
		}
	}
}

// hasDoor reports whether the same port is published already, by a file that this one is laid over.
func (p *project) hasDoor(d *deploy.Door) bool {
	for i := len(p.s.m.Doors) - 1; i >= 0 && i >= len(p.s.m.Doors)-maxRange; i-- {
		o := p.s.m.Doors[i]
		if o.Kind == d.Kind && o.To.Space == d.To.Space && o.To.Port == d.To.Port && o.In.Address == d.In.Address && o.In.Port == d.In.Port && d.In.Port != 0 {
			return true
		}
	}
	return false
}

// portMapping takes [[ADDRESS:]PUBLISHED:]TARGET[/PROTOCOL] apart. Nothing published is a port
// that the engine chooses. ADDRESS "" and those that stand for every address are "".
func portMapping(text string) (address, published, target, protocol string) {
	text, protocol, _ = strings.Cut(strings.TrimSpace(text), "/")
	target = text
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		published, target = text[:i], text[i+1:]
		if i := strings.LastIndexByte(published, ':'); i >= 0 {
			address, published = strings.Trim(published[:i], "[]"), published[i+1:]
		}
	}
	return address, published, target, strings.ToLower(protocol)
}

// portRange reads "N" or "N-M".
func portRange(text string) (from, to int, ok bool) {
	a, b, isRange := strings.Cut(strings.TrimSpace(text), "-")
	n, err := strconv.ParseUint(a, 10, 16)
	if err != nil || n == 0 {
		return 0, 0, false
	}
	if !isRange {
		return int(n), int(n), true
	}
	m, err := strconv.ParseUint(b, 10, 16)
	if err != nil || m < n {
		return 0, 0, false
	}
	return int(n), int(m), true
}

// words are the words of a command: those of a list, or of a text as a shell splits it.
func (p *project) words(n *ynode) []deploy.Value {
	if n == nil || n.kind == ynull {
		return nil
	}
	if n.kind != ylist {
		return n.words(p.value(n, n.begin))
	}
	var words []deploy.Value
	for _, item := range n.items {
		if len(words) >= maxWords {
			break
		}
		words = append(words, p.value(item, item.wordPos()))
	}
	return words
}

// environment is that of a service, and the places outside the files that may add to it.
func (p *project) environment(n *ynode) (env map[string]deploy.Value, from []event.Pos) {
	env = map[string]deploy.Value{}
	for i, f := range n.get("env_file").list() {
		if i >= maxEnvFiles {
			p.gap(gapTooMuch, f.pos)
			break
		}
		name := f
		if f.kind == ymapping {
			name = f.get("path")
		}
		file, ok := p.inTree(p.text(name))
		if !ok {
			from = append(from, f.pos)
			continue
		}
		vars, ok := p.envFile(file)
		if !ok || !p.spend(1+len(vars), f.pos) {
			from = append(from, f.pos)
			continue
		}
		for key, v := range vars {
			v.Via = append([]event.Pos{f.pos}, v.Via...)
			env[key] = v
			p.secret(key, v, isExampleFile(file) && v.State == deploy.Set, true)
		}
	}
	for _, m := range pairs(n.get("environment")).unique() {
		if !p.spend(1, m.pos) {
			break
		}
		key := interpolate(m.key, m.pos, p.variable).Text
		if m.value.kind == ynull { // handed on from the shell or .env
			v := p.variable(key)
			if v.State == deploy.Unset {
				v.State = deploy.Unknown
			} else {
				v.Via = append([]event.Pos{v.Pos}, v.Via...)
			}
			v.Pos = m.pos
			env[key] = v
			continue
		}
		v := p.value(m.value, m.pos)
		env[key] = v
	}
	return env, from
}

// envFile reads a file of variables once, and reports whether it is in the tree.
func (p *project) envFile(name string) (map[string]deploy.Value, bool) {
	vars, ok := p.envFiles[name]
	if !ok && len(p.envFiles) < maxEnvFiles {
		if data, err := p.s.tree.Read(name, MaxFile); err == nil {
			vars = dotenv(name, data, p.variable)
		}
		p.envFiles[name] = vars
	}
	return vars, vars != nil
}

// secret adds a secret that stands in clear in a file.
func (p *project) secret(name string, v deploy.Value, in, example bool) {
	if what := secretVariable(name); what != "" && in && v.Text != "" {
		p.s.addSecret(deploy.Secret{What: what, Kind: deploy.KindCompose, Value: v, Example: example})
	}
}

// inClear reports whether a scalar itself holds its value, or what stands where its variable has none.
func inClear(n *ynode, v deploy.Value) bool {
	return (v.State == deploy.Set || v.State == deploy.Assumed) && v.Text != "" && len(v.Via) == 0 && n != nil && n.kind == yscalar
}

// inTree turns a path of the project into one in the tree; false if it leads out of it.
func (p *project) inTree(name string) (string, bool) {
	if name == "" || path.IsAbs(name) || strings.HasPrefix(name, "~") || strings.Contains(name, `\`) {
		return "", false
	}
	full := path.Join(p.dir, name)
	if full == ".." || strings.HasPrefix(full, "../") {
		return "", false
	}
	return full, true
}

func (p *project) gateway(name string, n *ynode, space deploy.Space, spacePos event.Pos) {
	image := p.value(n.get("image"), n.keyPos("image"))
	secrets := len(p.s.m.Secrets)
	env, from := p.environment(n)
	shellEnv := func(name string) deploy.Value {
		if v, ok := env[name]; ok {
			return v
		}
		return deploy.Value{State: deploy.Unknown}
	}
	entrypoint, command := p.words(n.get("entrypoint")), p.words(n.get("command"))
	c, known := containerCommand(image, entrypoint, command, shellEnv)
	if c == nil {
		p.s.commandDoors(programWords(image, entrypoint, command), space, shellEnv)
	}
	builds := n.has("build")
	candidate := false
	switch {
	case c != nil && known:
	case c != nil || builds && len(entrypoint)+len(command) == 0:
		candidate = true
	case known, !hasGatewayEnv(env):
		p.s.m.Secrets = p.s.m.Secrets[:secrets] // those of something else
		return
	}
	g := &deploy.Gateway{
		Space: space, SpacePos: spacePos, Name: name, Kind: deploy.KindCompose, Pos: n.pos, Container: deploy.Yes,
		Command: c, Env: env, EnvFrom: from, Candidate: candidate, Image: image, Release: imageRelease(image),
		Mounts: map[string]string{},
	}
	if build := buildMapping(n.get("build")); builds {
		p.build(build, g)
	}
	p.volumes(n, g)
	p.contents(n, g)
	g.NoConfig = !slices.ContainsFunc(g.MountsOutside, mayHoldConfig) && !n.has("volumes_from") && (builds || isGatewayImage(image.Text))
	if user := p.text(n.get("user")); isRoot(user) {
		pos := n.keyPos("user")
		g.Root = &pos
	}
	for _, m := range pairs(n.get("environment")).unique() {
		v := env[m.key]
		p.secret(m.key, v, inClear(m.value, v), false)
		p.exampleSecret(m)
	}
	if c != nil {
		for _, flag := range []string{"token", "password"} {
			if v, ok := c.Flags[flag]; ok {
				p.secret("OPENCLAW_GATEWAY_"+strings.ToUpper(flag), v, len(v.Via) == 0 && v.State != deploy.Unknown, false)
			}
		}
	}
	p.s.m.Gateways = append(p.s.m.Gateways, g)
}

// exampleSecret adds the secret that a file to be copied to .env has for a variable of the
// gateway, where there is no .env: many keep what they copied.
func (p *project) exampleSecret(m ymember) {
	if secretVariable(m.key) == "" || p.example == nil {
		return
	}
	if v := interpolate(m.value.text, m.pos, func(name string) deploy.Value { return p.example[name] }); m.value.kind == yscalar && len(v.Via) > 0 {
		v.Pos, v.Via = v.Via[0], nil
		p.secret(m.key, v, true, true)
	}
}

// hasGatewayEnv reports whether an environment is one of a gateway, and not of one of its clients.
func hasGatewayEnv(env map[string]deploy.Value) bool {
	found := false
	for name := range env {
		for _, product := range []string{"OPENCLAW_GATEWAY_", "CLAWDBOT_GATEWAY_", "MOLTBOT_GATEWAY_"} {
			switch strings.TrimPrefix(name, product) {
			case "TOKEN", "PASSWORD", "PORT", "BIND":
				found = true
			case "URL", "HOST", "WS_URL":
				return false
			}
		}
	}
	return found
}

func isRoot(user string) bool {
	user, _, _ = strings.Cut(strings.TrimSpace(user), ":")
	return user == "root" || user == "0"
}

func (p *project) build(n *ynode, g *deploy.Gateway) {
	context := p.text(n.get("context"))
	if context == "" {
		context = "."
	}
	dir, ok := p.inTree(context)
	if !ok || n.has("dockerfile_inline") {
		p.gap(gapBuild, n.pos)
		return
	}
	g.Build = dir
	if file := p.text(n.get("dockerfile")); file != "" {
		g.BuildFile = path.Join(dir, file)
	}
}

// volumes fills in where files of the tree, and others, appear in a service.
func (p *project) volumes(n *ynode, g *deploy.Gateway) {
	for _, v := range n.get("volumes").list() {
		var from, to string
		if v.kind == ymapping {
			from, to = p.text(v.get("source")), p.text(v.get("target"))
			if t := p.text(v.get("type")); t != "bind" && t != "" {
				from = ""
			}
		} else {
			from, to = volumeMapping(p.text(v))
		}
		p.mount(from, to, g)
	}
	for _, kind := range []string{"configs", "secrets"} {
		for _, use := range n.get(kind).list() {
			source, to := p.text(use), ""
			if use.kind == ymapping {
				source, to = p.text(use.get("source")), p.text(use.get("target"))
			}
			if to == "" {
				to = source
			}
			if !path.IsAbs(to) {
				to = path.Join(map[string]string{"configs": "/", "secrets": "/run/secrets"}[kind], to)
			}
			if def := p.root.get(kind, source); def.has("file") {
				file := p.text(def.get("file"))
				if !path.IsAbs(file) && !strings.HasPrefix(file, ".") {
					file = "./" + file
				}
				p.mount(file, to, g)
			} else if !def.has("content") {
				g.MountsOutside = append(g.MountsOutside, to)
			}
		}
	}
}

// mayHoldConfig reports whether what is at a path of a container may have a configuration in it.
func mayHoldConfig(name string) bool {
	for _, system := range []string{"/etc", "/run", "/var/run", "/tmp", "/proc", "/sys", "/dev", "/usr", "/var/log"} {
		if name == system || strings.HasPrefix(name, system+"/") {
			return false
		}
	}
	return true
}

// volumeMapping takes SOURCE:TARGET[:OPTIONS] apart. Without a source it is a volume without a name.
func volumeMapping(text string) (from, to string) {
	if len(text) > 2 && text[1] == ':' && (text[2] == '\\' || text[2] == '/') { // C:\…
		drive := text[:2]
		from, to = volumeMapping(text[2:])
		return drive + from, to
	}
	from, rest, ok := strings.Cut(text, ":")
	if !ok {
		return "", text
	}
	to, _, _ = strings.Cut(rest, ":")
	return from, to
}

func (p *project) mount(from, to string, g *deploy.Gateway) {
	if to == "" || len(g.Mounts)+len(g.MountsOutside) > maxServices {
		return
	}
	to = path.Clean(to)
	if strings.HasPrefix(from, ".") {
		if file, ok := p.inTree(from); ok {
			if _, there := p.s.tree.Stat(file); there || file == "." {
				g.Mounts[to] = file
				return
			}
		}
	}
	g.MountsOutside = append(g.MountsOutside, to)
}

// contents adds the configurations that the project itself holds.
func (p *project) contents(n *ynode, g *deploy.Gateway) {
	for _, use := range n.get("configs").list() {
		source := p.text(use)
		if use.kind == ymapping {
			source = p.text(use.get("source"))
		}
		content := p.root.get("configs", source, "content")
		if content == nil || content.kind != yscalar || !strings.Contains(content.text, "{") {
			continue
		}
		name := fmt.Sprintf("%s/%s", p.name, source)
		g.ConfigNames = append(g.ConfigNames, name)
		p.s.m.Configs = append(p.s.m.Configs, embeddedConfig(content, name, p.text(content)))
	}
}

// embeddedConfig is a configuration within a scalar of another file.
func embeddedConfig(n *ynode, name, text string) *deploy.Config {
	at := n.begin
	return &deploy.Config{File: n.pos.File, Name: name, Data: []byte(text), Line: at.Line - 1, Column: at.Column - 1, Pos: n.pos}
}

// Gaps of Compose files: ids of messages.
const (
	gapUnread  = "gap.syntax"
	gapInclude = "gap.referenced"
	gapExtends = "gap.referenced"
	gapTooMuch = "gap.too-many"
	gapPort    = "gap.port"
	gapBuild   = "gap.build"
)
