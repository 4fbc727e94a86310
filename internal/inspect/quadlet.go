package inspect

import (
	"path"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
)

// quadletReader reads the units that Podman makes containers of.
func quadletReader() reader {
	is := func(name string) bool { return hasExt(name, ".container", ".pod", ".kube") }
	return reader{
		kind:  deploy.KindQuadlet,
		match: func(name string, _ []byte) bool { return is(name) || is(dropInOf(name)) },
		read: func(s *source) error {
			if unit := dropInOf(s.name); unit != "" {
				if !s.hasFile(unit) {
					s.gap(deploy.KindQuadlet, "gap.referenced", 1, 1)
				}
				return nil
			}
			unit := path.Base(s.name)
			sections := iniSections(s)
			for _, d := range s.dropIns(unit) {
				sections = append(sections, iniSections(d)...)
			}
			name := strings.TrimSuffix(unit, path.Ext(unit))
			switch path.Ext(unit) {
			case ".container":
				s.quadletContainer(name, sections)
			case ".pod":
				s.quadletPod(name, settingsOf(sections, "Pod"))
			default:
				for _, p := range settingsOf(sections, "Kube").list("PublishPort") {
					s.gapAt(deploy.KindQuadlet, "gap.target", p.Pos)
				}
			}
			return nil
		},
	}
}

func (s *source) quadletContainer(name string, sections []section) {
	c := settingsOf(sections, "Container")
	sp := specifiers{unit: name, system: s.systemUnit(sections)}
	if sp.system == deploy.NotKnown && !strings.Contains(s.name, "etc/containers/systemd/") {
		sp.system = deploy.No // of a user, as is usual
	}
	env, from := s.unitEnv(c, sp)
	one := func(setting string) deploy.Value {
		v, ok := c.last(setting)
		if !ok {
			return deploy.Value{}
		}
		at := v.Pos
		v = sp.expand(v.Text)
		v.Pos = at
		return v
	}
	r := container{
		name: name, image: one("Image"), env: env, envFrom: from, pos: one("Image").Pos,
		network: one("Network"), user: one("User"), pod: one("Pod"),
	}
	if n := one("ContainerName"); n.IsSet() {
		r.name = n.Text
	}
	if v, ok := c.last("Exec"); ok {
		r.command = unitWords(v, sp, nil)
	}
	if v, ok := c.last("Entrypoint"); ok {
		r.entrypoint = unitWords(v, sp, nil)
	}
	for _, v := range c.list("PublishPort") {
		at := v.Pos
		v = sp.expand(v.Text)
		v.Pos = at
		r.ports = append(r.ports, v)
	}
	for _, v := range c.list("Volume") {
		r.volumes = append(r.volumes, sp.expand(v.Text))
	}
	if !r.image.IsSet() {
		s.gap(deploy.KindQuadlet, "gap.referenced", 1, 1)
		return
	}
	if strings.HasSuffix(r.image.Text, ".build") || strings.HasSuffix(r.image.Text, ".image") {
		r.image.State = deploy.Unknown
	}
	before := len(s.m.Gateways)
	s.container(deploy.KindQuadlet, r)
	if len(s.m.Gateways) > before {
		s.addFile(s.name, deploy.UnitFile)
	}
}

func (s *source) quadletPod(name string, pod settings) {
	space := s.containerSpace(container{pod: deploy.Value{Text: name}})
	if n, ok := pod.last("Network"); ok && n.Text == "host" {
		for _, p := range pod.list("PublishPort") {
			s.gapAt(deploy.KindQuadlet, "gap.target", p.Pos)
		}
		return
	}
	for _, p := range pod.list("PublishPort") {
		s.publish(name, p, space)
	}
}
