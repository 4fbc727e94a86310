package audit

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/local"
	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/target"
)

// WebPorts are tried besides a product's own: where proxies listen.
func WebPorts() []uint16 { return []uint16{80, 443, 8080, 8443} }

// FromArgs is the source of a target on the command line.
const FromArgs = "args"

// familyPorts is the name of a set of ports.
const familyPorts = "family"

// CheckPorts checks a list of ports, in which the name of a set may stand.
func CheckPorts(s string) error {
	rest, named := withoutFamily(s)
	if named && rest == "" {
		return nil
	}
	_, err := target.Ports(rest)
	return err
}

// withoutFamily takes the name of the set out of a list of ports, and reports
// whether it was there.
func withoutFamily(list string) (rest string, named bool) {
	var parts []string
	for part := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(part) == familyPorts {
			named = true
			continue
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ","), named
}

// namedPorts reads the setting of the ports.
func (s *Settings) namedPorts(set *fingerprint.Set) ([]uint16, error) {
	rest, named := withoutFamily(s.Ports)
	var out []uint16
	if rest != "" {
		var err error
		if out, err = target.Ports(rest); err != nil {
			return nil, err
		}
	}
	if !named {
		return out, nil
	}
	for _, port := range set.Ports(true, true) {
		if !slices.Contains(out, port) {
			out = append(out, port)
		}
	}
	return out, nil
}

// ParseBase reads a base path, by the rules for the path of a URL.
func ParseBase(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	spec, err := target.Parse("http://localhost/"+strings.TrimLeft(path, "/"), "", nil)
	if err != nil || strings.Contains(path, "://") {
		// Not quoted: what does not parse may contain a password or token.
		return "", errors.New("not a path: write it as /claw")
	}
	return spec.Base, nil
}

// Targets adds entries to the space of a configuration.
type Targets struct {
	// Ports are tried of targets that name none. Own are those of products among them;
	// if ports were named, those.
	Ports, Own []uint16

	b    *Builder
	cfg  *scan.Config
	base string
}

// Into returns what adds targets to a configuration.
func (b *Builder) Into(cfg *scan.Config) (*Targets, error) {
	t := &Targets{b: b, cfg: cfg, Own: b.Known.Set.Ports(b.Family, b.Helpers)}
	t.Ports = append(slices.Clone(t.Own), WebPorts()...)
	if b.Ports != "" {
		p, err := b.namedPorts(b.Known.Set)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.At("ports"), err)
		}
		t.Ports, t.Own = p, p
	}
	var err error
	t.base, err = ParseBase(b.BasePath)
	return t, err
}

// Admit passes an entry on, completed, unless it may not be probed.
func (t *Targets) Admit(spec target.Spec, add func(target.Spec) error) error {
	if !spec.Exact && spec.Source != local.Source {
		t.cfg.Head.Ports = t.Ports
	}
	if spec.Base == "" {
		spec.Base = t.base
	}
	err := t.b.MayProbe(t.cfg.Scope, spec)
	if err == nil {
		err = add(spec)
	}
	return sourced(spec.Source, err)
}

// Put admits an entry to the space.
func (t *Targets) Put(spec target.Spec) error { return t.Admit(spec, t.cfg.Space.Add) }

// Add adds a target as the user writes it.
func (t *Targets) Add(text, source string) error {
	spec, err := target.Parse(text, source, t.Ports)
	if err != nil {
		return sourced(source, err)
	}
	return t.Put(spec)
}

// sourced says where an entry is from, unless the user has just typed it.
func sourced(source string, err error) error {
	if err == nil || source == FromArgs {
		return err
	}
	return fmt.Errorf("%s: %w", source, err)
}

// File reads a list of at least one target.
func (t *Targets) File(file string, add func(target.Spec) error) error {
	in, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("%s: %w", t.b.At("list"), err)
	}
	defer in.Close()
	return t.list(file, t.b.At("list")+": "+file, "", in, add)
}

// Stdin reads such a list from a pipe.
func (t *Targets) Stdin(in io.Reader, add func(target.Spec) error) error {
	return t.list("stdin", "stdin", " (to scan this machine, take stdin from /dev/null)", in, add)
}

func (t *Targets) list(name, which, instead string, in io.Reader, add func(target.Spec) error) error {
	l := target.List{Name: name, Ports: t.Ports, Only: t.b.Ports != ""}
	n := 0
	err := l.Read(in, func(spec target.Spec) error {
		n++
		spec.Listed = true
		if l.Here > 0 && t.b.here == "" {
			t.b.here = spec.Source
		}
		return add(spec)
	})
	switch {
	case err != nil:
		return err
	case n == 0 && l.Passed > 0:
		return fmt.Errorf("%s contains no target on a wanted port, but %d open ports: choose with %s", which, l.Passed, t.b.Call("ports"))
	case n == 0:
		if len(l.Left) > 0 {
			why := slices.Sorted(maps.Keys(l.Left))
			return fmt.Errorf("%s contains no target: %d skipped: %s", which, l.Left[why[0]], why[0])
		}
		return fmt.Errorf("%s contains no target: give one a line%s", which, instead)
	}
	for _, why := range slices.Sorted(maps.Keys(l.Left)) {
		t.b.say("%s: %d skipped: %s", l.Name, l.Left[why], why)
	}
	if l.Here > 0 {
		t.b.say("%s: %d ports on every address, or on loopback, are taken to be this machine's", l.Name, l.Here)
	}
	if l.Passed > 0 {
		t.b.say("%s: %d open ports were skipped: use %s to scan them", l.Name, l.Passed, t.b.Call("ports"))
	}
	return nil
}

// MayProbe refuses what is globally reachable unless the operator has stated
// the right to probe it. Names are judged by the scope, once they are resolved.
func (b *Builder) MayProbe(scope *target.Scope, spec target.Spec) error {
	if !spec.First.IsValid() || b.MayPublic() {
		return nil
	}
	if scope.HasPublic(spec.First, spec.Last) {
		what := "it is"
		if spec.First != spec.Last {
			what = "it has addresses that are"
		}
		return fmt.Errorf("target %q: %s globally reachable: state your right to probe with %s and %s", spec.Input, what, b.Call("authorized"), b.Call("contact"))
	}
	return nil
}
