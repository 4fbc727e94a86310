package inspect

import (
	"encoding/base64"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
)

// Caps of Kubernetes manifests.
const (
	maxObjects    = 5_000 // of a file, and of the files beside it
	maxBeside     = 200   // files that are looked through for what a manifest refers to
	maxBesideSize = 8 << 20
)

func kubernetesReader() reader {
	return reader{kind: deploy.KindKubernetes, match: isKubernetes, read: readKubernetes}
}

func isKubernetes(name string, data []byte) bool {
	ext := strings.ToLower(path.Ext(name))
	if ext != ".yaml" && ext != ".yml" && ext != ".json" {
		return false
	}
	if kustomization(name) {
		return true
	}
	text := string(data)
	return strings.Contains(text, "apiVersion") && strings.Contains(text, "kind")
}

func kustomization(name string) bool {
	base := path.Base(name)
	return base == "kustomization.yaml" || base == "kustomization.yml"
}

// helmAction is what a template of Helm has and a manifest has not.
var helmAction = regexp.MustCompile(`\{\{-?\s*(?:\.(?:Values|Release|Chart|Capabilities)|/\*|\$?\w*\s*:=|include\b|if\b|range\b|with\b|template\b|define\b|toYaml\b|else\b|end\b)`)

// object is one of a cluster.
type object struct {
	kind, name, namespace string
	node                  *ynode
}

type manifests struct {
	s       *source
	objects []object
	beside  []object // of the files in the same directory, once they were looked for
	looked  bool
	gaps    int
	doors   int
	spent   int
}

func readKubernetes(s *source) error {
	if at := helmAction.FindIndex(s.data); at != nil {
		before := string(s.data[:at[0]])
		s.gap(deploy.KindKubernetes, "gap.template", strings.Count(before, "\n")+1, 0)
		return nil
	}
	docs, err := yamlDocuments(s.name, s.data)
	m := &manifests{s: s}
	for _, d := range docs {
		m.objects = appendObjects(m.objects, d, 0)
		if kustomization(s.name) {
			for _, key := range []string{"patches", "patchesStrategicMerge", "patchesJson6902", "helmCharts", "replacements", "components"} {
				if d.has(key) {
					m.gap("gap.template", d.keyPos(key))
				}
			}
		}
	}
	// Secrets come last, since what uses them says what they are.
	for _, o := range m.objects {
		if o.kind != "Secret" {
			m.object(o)
		}
	}
	for _, o := range m.objects {
		if o.kind == "Secret" {
			m.secretObject(o)
		}
	}
	return err
}

// appendObjects adds the objects of a document: one, or those of a List.
func appendObjects(to []object, n *ynode, depth int) []object {
	kind := n.at("kind")
	if n == nil || n.kind != ymapping || kind == "" || !n.has("apiVersion") || len(to) >= maxObjects {
		return to
	}
	if strings.HasSuffix(kind, "List") && depth < maxNested && n.get("items") != nil {
		for _, item := range n.get("items").list() {
			to = appendObjects(to, item, depth+1)
		}
		return to
	}
	o := object{kind: kind, name: n.at("metadata", "name"), namespace: n.at("metadata", "namespace"), node: n}
	if o.name == "" {
		o.name = n.at("metadata", "generateName")
	}
	if o.namespace == "" {
		o.namespace = "default"
	}
	return append(to, o)
}

func (m *manifests) gap(why string, pos event.Pos) {
	if m.gaps++; m.gaps <= maxGaps {
		m.s.m.Gaps = append(m.s.m.Gaps, deploy.Gap{Kind: deploy.KindKubernetes, Why: why, Pos: pos})
	}
}

// spend reports whether so many more values may be looked at: aliases let few lines name many.
func (m *manifests) spend(n int, pos event.Pos) bool {
	before := m.spent
	m.spent += n
	if m.spent > maxSpent && before <= maxSpent {
		m.gap("gap.too-many", pos)
	}
	return m.spent <= maxSpent
}

func (m *manifests) door(d *deploy.Door) {
	if m.doors++; m.doors > maxDoors {
		if m.doors == maxDoors+1 {
			m.gap("gap.too-many", d.Pos)
		}
		return
	}
	m.s.m.Doors = append(m.s.m.Doors, d)
}

// find looks for an object: in this file, then in those of the same directory.
func (m *manifests) find(kind, namespace, name string) *ynode {
	for _, o := range m.objects {
		if o.kind == kind && o.name == name && o.namespace == namespace {
			return o.node
		}
	}
	for _, o := range m.others() {
		if o.kind == kind && o.name == name && o.namespace == namespace {
			return o.node
		}
	}
	return nil
}

func (m *manifests) others() []object {
	if m.looked {
		return m.beside
	}
	m.looked = true
	files, size := 0, 0
	for _, f := range m.s.tree.Files() {
		if path.Dir(f.Name) != path.Dir(m.s.name) || f.Name == m.s.name || !f.Mode.IsRegular() || f.Size > maxBesideSize || !isKubernetes(f.Name, []byte("apiVersion kind")) {
			continue
		}
		if files++; files > maxBeside || size > maxBesideSize {
			break
		}
		data, err := m.s.tree.Read(f.Name, MaxFile)
		if err != nil || !isKubernetes(f.Name, data) || helmAction.Match(data) {
			continue
		}
		size += len(data)
		docs, _ := yamlDocuments(f.Name, data)
		for _, d := range docs {
			m.beside = appendObjects(m.beside, d, 0)
		}
	}
	return m.beside
}

func domainOf(namespace string) string { return "kubernetes:" + namespace }

func (m *manifests) object(o object) {
	switch o.kind {
	case "Pod":
		m.pod(o, o.node)
	case "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job":
		m.pod(o, o.node.get("spec", "template"))
	case "CronJob":
		m.pod(o, o.node.get("spec", "jobTemplate", "spec", "template"))
	case "ConfigMap":
		m.configMap(o, o.node.get("data"), o.namespace+"/"+o.name)
	case "Service":
		m.service(o)
	case "Ingress":
		m.ingress(o)
	case "HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute":
		m.route(o)
	case "IngressRoute", "IngressRouteTCP":
		m.ingressRoute(o)
	case "NetworkPolicy", "CiliumNetworkPolicy":
		m.s.m.Gaps = append(m.s.m.Gaps, deploy.Gap{Minor: true, Kind: deploy.KindKubernetes, Why: "gap.network-policy", Pos: o.node.keyPos("kind")})
	case "HelmRelease", "HelmChart", "Application":
		if mentionsProduct(o.name) {
			m.gap("gap.template", o.node.keyPos("kind"))
		}
	}
}

// configMap adds the configurations that a ConfigMap, or a Secret in clear, holds.
func (m *manifests) configMap(o object, data *ynode, name string) {
	for _, key := range data.unique() {
		if isConfigKey(key.key, key.value) && m.spend(1+len(key.value.text)/64, key.pos) {
			c := embeddedConfig(key.value, name, key.value.text)
			c.Pos = key.pos
			m.s.m.Configs = append(m.s.m.Configs, c)
		} else if key.value.kind == yscalar && key.value.exact && m.spend(1+len(key.value.text)/64, key.pos) {
			m.s.embedded(key.key, key.value.text, key.value.begin, heldSpace(name))
		}
	}
}

// heldSpace stands for the pods that a ConfigMap is shown in, until they are known.
func heldSpace(name string) deploy.Space { return deploy.Space("configmap:" + name) }

// shown notes which ConfigMaps the volumes of a pod show, whatever runs in it.
func (m *manifests) shown(o object, spec *ynode, info *deploy.SpaceInfo) {
	for _, v := range spec.get("volumes").list() {
		configMaps, secrets := volumeObjects(v)
		for _, name := range configMaps {
			info.Holds = append(info.Holds, string(heldSpace(o.namespace+"/"+name)))
		}
		for _, name := range secrets {
			info.Holds = append(info.Holds, string(heldSpace("secret/"+o.namespace+"/"+name)))
		}
		if len(info.Holds) > maxObjects {
			return
		}
	}
}

func isConfigKey(key string, value *ynode) bool {
	if value.kind != yscalar || !strings.Contains(value.text, "{") {
		return false
	}
	ext := path.Ext(key)
	return configName(key) || (ext == ".json" || ext == ".json5") && strings.Contains(value.text, "gateway")
}

func holdsConfig(data *ynode) bool {
	for _, key := range data.unique() {
		if isConfigKey(key.key, key.value) {
			return true
		}
	}
	return false
}

// secretObject adds the values of a Secret that are a gateway's, by their names.
func (m *manifests) secretObject(o object) {
	m.configMap(o, o.node.get("stringData"), "secret/"+o.namespace+"/"+o.name)
	for _, field := range []string{"stringData", "data"} {
		for _, key := range o.node.get(field).unique() {
			what := secretVariable(strings.ReplaceAll(key.key, "-", "_"))
			if what == "" || !strings.Contains(what, " ") && !mentionsProduct(o.name) || !m.spend(1, key.pos) {
				continue
			}
			if v, ok := secretValue(field, key); ok {
				m.secret(what, v)
			}
		}
	}
}

// secretValue is a value of a Secret: as text in stringData, in base64 in data.
func secretValue(field string, key ymember) (deploy.Value, bool) {
	v := deploy.Value{State: deploy.Set, Text: key.value.text, Pos: key.pos}
	if field == "data" {
		text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(key.value.text))
		if err != nil {
			return v, false
		}
		v.Text = string(text)
	}
	v.Text = strings.TrimRight(v.Text, "\n")
	return v, key.value.kind == yscalar && v.Text != ""
}

// secret adds a secret. What uses it knows best what it is.
func (m *manifests) secret(what string, v deploy.Value) {
	if !plainSecret(v.Text) {
		return
	}
	have := m.s.m.Secrets
	for i := len(have) - 1; i >= 0; i-- {
		if have[i].Value.Pos == v.Pos {
			if strings.Contains(what, " ") {
				have[i].What = what
			}
			return
		}
	}
	m.s.m.Secrets = append(have, deploy.Secret{What: what, Kind: deploy.KindKubernetes, Value: v})
}

// lookUp finds a key of a Secret or ConfigMap; there is false if the object is not in the files.
func (m *manifests) lookUp(kind, namespace, name, key string) (v deploy.Value, found, there bool) {
	n := m.find(kind, namespace, name)
	if n == nil {
		return deploy.Value{}, false, false
	}
	for _, field := range []string{"stringData", "data"} {
		if k := n.get(field).member(key); k != nil {
			if kind == "Secret" {
				v, found = secretValue(field, *k)
				return v, found, true
			}
			return deploy.Value{State: deploy.Set, Text: k.value.text, Pos: k.pos}, true, true
		}
	}
	return deploy.Value{}, false, true
}

// pod adds a pod: its namespace, the doors of host ports, the gateways in it.
func (m *manifests) pod(o object, template *ynode) {
	spec := template.get("spec")
	if spec == nil {
		return
	}
	if c := spec.get("containers"); c != nil && !listsMappings(c) {
		m.gap(gapUnread, spec.keyPos("containers"))
	}
	space, spacePos := deploy.Space("pod:"+o.namespace+"/"+o.name), event.Pos{}
	if spec.at("hostNetwork") == "true" {
		space, spacePos = deploy.Host, spec.keyPos("hostNetwork")
		m.s.m.Space(space)
	} else {
		info := m.s.m.Space(space)
		info.Made, info.Domain, info.Pos = deploy.KindKubernetes, domainOf(o.namespace), o.node.get("metadata").keyPos("name")
		info.Labels, info.LabelPos, info.Ports = map[string]string{}, map[string]event.Pos{}, map[string]int{}
		for _, l := range template.get("metadata", "labels").unique() {
			info.Labels[l.key], info.LabelPos[l.key] = l.value.text, l.pos
		}
	}
	m.shown(o, spec, m.s.m.Space(space))
	containers := append([]*ynode{}, spec.get("containers").list()...)
	for _, c := range spec.get("initContainers").list() {
		if c.at("restartPolicy") == "Always" {
			containers = append(containers, c)
		}
	}
	for _, c := range containers {
		if !m.spend(10+len(c.get("env").list())+len(c.get("ports").list()), c.pos) {
			return
		}
		for _, p := range c.get("ports").list() {
			m.containerPort(o, p, space)
		}
		m.container(o, spec, c, space, spacePos)
	}
}

// listsMappings reports whether a node is a list of mappings, and not an empty one.
func listsMappings(n *ynode) bool {
	list := n.list()
	return len(list) > 0 && !slices.ContainsFunc(list, func(c *ynode) bool { return c == nil || c.kind != ymapping })
}

func (m *manifests) containerPort(o object, p *ynode, space deploy.Space) {
	port, _, ok := portRange(p.at("containerPort"))
	if proto := p.at("protocol"); !ok || proto != "" && proto != "TCP" {
		return
	}
	if name := p.at("name"); name != "" && space != deploy.Host {
		m.s.m.Space(space).Ports[name] = port
	}
	if host, _, ok := portRange(p.at("hostPort")); ok && space != deploy.Host {
		address := p.at("hostIP")
		if address == "0.0.0.0" || address == "::" {
			address = ""
		}
		in := p.keyPos("hostPort")
		if address != "" {
			in = p.keyPos("hostIP")
		}
		m.door(&deploy.Door{
			Kind: deploy.KindPort, Name: o.name, Transparent: true, Pos: p.keyPos("hostPort"),
			In: deploy.Listen{Space: deploy.Host, Address: address, Port: host, Pos: in},
			To: deploy.Endpoint{Space: space, Port: port},
		})
	}
}

// environment is that of a container, and the places that may add to it from outside.
func (m *manifests) environment(o object, c *ynode) (env map[string]deploy.Value, from []event.Pos) {
	env = map[string]deploy.Value{}
	for _, f := range c.get("envFrom").list() {
		prefix := f.at("prefix")
		for _, kind := range []string{"configMapRef", "secretRef"} {
			ref := f.get(kind)
			if ref == nil {
				continue
			}
			object := map[string]string{"configMapRef": "ConfigMap", "secretRef": "Secret"}[kind]
			n := m.find(object, o.namespace, ref.at("name"))
			if n == nil {
				from = append(from, f.pos)
				continue
			}
			for _, field := range []string{"data", "stringData"} {
				for _, key := range n.get(field).unique() {
					if !m.spend(1, f.pos) {
						return env, from
					}
					v := deploy.Value{State: deploy.Set, Text: key.value.text, Pos: key.pos}
					if object == "Secret" {
						v, _ = secretValue(field, key)
						if what := secretVariable(prefix + key.key); what != "" {
							m.secret(what, v)
						}
					}
					v.Via = []event.Pos{f.pos}
					env[prefix+key.key] = v
				}
			}
		}
	}
	for _, e := range c.get("env").list() {
		name := e.at("name")
		if name == "" {
			continue
		}
		from := e.get("valueFrom")
		if from == nil {
			v := deploy.Value{State: deploy.Set, Text: e.at("value"), Pos: e.pos}
			if e.has("value") {
				v.Pos = e.keyPos("value")
				if v.Pos.Line == e.pos.Line {
					v.Pos = e.pos
				}
			}
			env[name] = expandReferences(v, env)
			if what := secretVariable(name); what != "" && v.Text == env[name].Text {
				m.secret(what, v)
			}
			continue
		}
		v := deploy.Value{State: deploy.Present, Pos: e.pos}
		for _, kind := range []string{"secretKeyRef", "configMapKeyRef"} {
			ref := from.get(kind)
			if ref == nil {
				continue
			}
			object := map[string]string{"configMapKeyRef": "ConfigMap", "secretKeyRef": "Secret"}[kind]
			value, found, there := m.lookUp(object, o.namespace, ref.at("name"), ref.at("key"))
			switch {
			case found:
				if what := secretVariable(name); what != "" {
					m.secret(what, value)
				}
				v.State, v.Text, v.Via = deploy.Set, value.Text, []event.Pos{value.Pos}
			case ref.at("optional") == "true" && there:
				v.State = deploy.Unset
			case ref.at("optional") == "true":
				v.State = deploy.Unknown
			}
		}
		if v.State != deploy.Unset {
			env[name] = v
		}
	}
	return env, from
}

var reference = regexp.MustCompile(`\$?\$\(([A-Za-z_.][A-Za-z0-9_.-]*)\)`)

// expandReferences replaces $(NAME), as Kubernetes does in variables and commands.
func expandReferences(v deploy.Value, env map[string]deploy.Value) deploy.Value {
	if !strings.Contains(v.Text, "$(") {
		return v
	}
	v.Text = reference.ReplaceAllStringFunc(v.Text, func(text string) string {
		if strings.HasPrefix(text, "$$") {
			return text[1:]
		}
		known, ok := env[text[2:len(text)-1]]
		if !ok {
			return text
		}
		v.State = worse(v.State, known.State)
		if len(v.Via) < maxVia {
			v.Via = append(v.Via, known.Pos)
		}
		return known.Text
	})
	if len(v.Text) > maxExpansion {
		v.State, v.Text = deploy.Unknown, ""
	}
	return v
}

func (m *manifests) container(o object, spec, c *ynode, space deploy.Space, spacePos event.Pos) {
	image := c.get("image").value()
	if image.State != deploy.Unset {
		image.Pos = c.keyPos("image")
	}
	words := func(key string, env map[string]deploy.Value) []deploy.Value {
		var out []deploy.Value
		for _, w := range c.get(key).list() {
			if w.kind == yscalar && len(out) < maxWords && m.spend(1+len(w.text)/64, w.pos) {
				out = append(out, expandReferences(deploy.Value{State: deploy.Set, Text: w.text, Pos: w.wordPos()}, env))
			}
		}
		return out
	}
	if len(c.get("command").list())+len(c.get("args").list()) == 0 && !isGatewayImage(image.Text) && !mayBeGateway(c) {
		return
	}
	secrets := len(m.s.m.Secrets)
	env, from := m.environment(o, c)
	shellEnv := func(name string) deploy.Value {
		if v, ok := env[name]; ok {
			return v
		}
		return deploy.Value{State: deploy.Unknown}
	}
	command, known := containerCommand(image, words("command", env), words("args", env), shellEnv)
	if command == nil {
		m.s.commandDoors(programWords(image, words("command", env), words("args", env)), space, shellEnv)
	}
	switch {
	case command != nil:
	case known, !hasGatewayEnv(env):
		m.s.m.Secrets = m.s.m.Secrets[:secrets] // those of something else
		return
	}
	g := &deploy.Gateway{
		Space: space, SpacePos: spacePos, Name: c.at("name"), Kind: deploy.KindKubernetes, Pos: c.pos, Container: deploy.Yes,
		Command: command, Env: env, EnvFrom: from, Image: image, Release: imageRelease(image), Mounts: map[string]string{},
		Candidate: command != nil && !known,
	}
	if command != nil {
		m.s.flagSecrets(deploy.KindKubernetes, command)
	}
	m.volumes(o, spec, c, g)
	g.NoConfig = !containsMount(g.MountsOutside)
	security := c.get("securityContext")
	if !security.has("runAsUser") {
		security = spec.get("securityContext")
	}
	if security.at("runAsUser") == "0" {
		pos := security.keyPos("runAsUser")
		g.Root = &pos
	}
	m.s.m.Gateways = append(m.s.m.Gateways, g)
}

func containsMount(outside []string) bool {
	for _, name := range outside {
		if mayHoldConfig(name) {
			return true
		}
	}
	return false
}

// mayBeGateway reports whether a container has a variable of a gateway.
func mayBeGateway(c *ynode) bool {
	for _, e := range c.get("env").list() {
		if mentionsProduct(e.at("name")) {
			return true
		}
	}
	return len(c.get("envFrom").list()) > 0
}

// volumes fills in what a container mounts.
func (m *manifests) volumes(o object, spec, c *ynode, g *deploy.Gateway) {
	sources := map[string]*ynode{}
	for _, v := range spec.get("volumes").list() {
		sources[v.at("name")] = v
		// A container that runs before may copy it to where the gateway looks.
		m.configsOf(o, v, g)
	}
	for _, mount := range c.get("volumeMounts").list() {
		v := sources[mount.at("name")]
		to := mount.at("mountPath")
		if to == "" || !m.spend(1, mount.pos) {
			continue
		}
		switch {
		case v.has("emptyDir"), v.has("downwardAPI"):
		case v.has("configMap"), v.has("secret"), v.has("projected"):
			if !m.known(o, v) {
				g.MountsOutside = append(g.MountsOutside, path.Clean(to))
			}
			for key, file := range m.generated(v.at("configMap", "name")) {
				switch sub := mount.at("subPath"); {
				case len(g.Mounts) >= maxCopies:
				case sub == key:
					g.Mounts[path.Clean(to)] = file
				case sub == "":
					g.Mounts[path.Join(to, key)] = file
				}
			}
		default:
			g.MountsOutside = append(g.MountsOutside, path.Clean(to))
		}
	}
	if len(g.ConfigNames) > 0 {
		return
	}
	// None is mounted in what is here. If there is only one in the namespace, what else is it for?
	var only []string
	for _, other := range append(append([]object{}, m.objects...), m.others()...) {
		if other.kind == "ConfigMap" && other.namespace == o.namespace && holdsConfig(other.node.get("data")) {
			only = append(only, other.namespace+"/"+other.name)
		}
	}
	if len(only) == 1 {
		g.ConfigNames = only
	}
}

// volumeObjects are the ConfigMaps and Secrets that a volume shows.
func volumeObjects(v *ynode) (configMaps, secrets []string) {
	if n := v.at("configMap", "name"); n != "" {
		configMaps = append(configMaps, n)
	}
	if n := v.at("secret", "secretName"); n != "" {
		secrets = append(secrets, n)
	}
	for _, s := range v.get("projected", "sources").list() {
		if n := s.at("configMap", "name"); n != "" {
			configMaps = append(configMaps, n)
		}
		if n := s.at("secret", "name"); n != "" {
			secrets = append(secrets, n)
		}
	}
	return configMaps, secrets
}

func (m *manifests) configsOf(o object, v *ynode, g *deploy.Gateway) {
	configMaps, secrets := volumeObjects(v)
	for _, name := range configMaps {
		if holdsConfig(m.find("ConfigMap", o.namespace, name).get("data")) {
			g.ConfigNames = append(g.ConfigNames, o.namespace+"/"+name)
		}
	}
	for _, name := range secrets {
		if holdsConfig(m.find("Secret", o.namespace, name).get("stringData")) {
			g.ConfigNames = append(g.ConfigNames, "secret/"+o.namespace+"/"+name)
		}
	}
}

// generated are the files of a ConfigMap that kustomize makes of files in the tree, by their keys;
// nil if it makes none of that name.
func (m *manifests) generated(name string) map[string]string {
	dir := path.Dir(m.s.name)
	for _, base := range []string{"kustomization.yaml", "kustomization.yml"} {
		data, err := m.s.tree.Read(path.Join(dir, base), MaxFile)
		if err != nil {
			continue
		}
		docs, _ := yamlDocuments(path.Join(dir, base), data)
		for _, d := range docs {
			for _, generator := range d.get("configMapGenerator").list() {
				if generator.at("name") != name {
					continue
				}
				files := map[string]string{}
				for _, f := range generator.get("files").list() {
					key, file, ok := strings.Cut(f.text, "=")
					if !ok {
						key, file = path.Base(f.text), f.text
					}
					files[key] = path.Join(dir, file)
				}
				return files
			}
		}
	}
	return nil
}

// known reports whether all that a volume shows is in the files.
func (m *manifests) known(o object, v *ynode) bool {
	configMaps, secrets := volumeObjects(v)
	for _, name := range configMaps {
		if m.find("ConfigMap", o.namespace, name) == nil && m.generated(name) == nil {
			return false
		}
	}
	for _, name := range secrets {
		if m.find("Secret", o.namespace, name) == nil {
			return false
		}
	}
	return true
}
