package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/local"
	"github.com/clawsonar/clawsonar/internal/pace"
	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/target"
)

// addTargets fills the space from arguments, list, stdin or this machine, or sets
// up reading the list while the scan runs.
func (o *scanOptions) addTargets(ctx context.Context, s streams, cfg *scan.Config, set *fingerprint.Set, args []string) error {
	own := set.Ports(o.family, o.helpers)
	ports := append(slices.Clone(own), webPorts()...)
	if o.ports != "" {
		p, err := o.namedPorts(set)
		if err != nil {
			return usage(fmt.Errorf("-ports: %w", err))
		}
		ports, own = p, p
	}
	base, err := parseBase(o.basePath)
	if err != nil {
		return usage(err)
	}
	admit := func(spec target.Spec, add func(target.Spec) error) error {
		if !spec.Exact && spec.Source != local.Source {
			cfg.Head.Ports = ports
		}
		if spec.Base == "" {
			spec.Base = base
		}
		err := o.mayProbe(cfg.Scope, spec)
		if err == nil {
			err = add(spec)
		}
		if err != nil && spec.Source != fromArgs {
			err = fmt.Errorf("%s: %w", spec.Source, err)
		}
		return err
	}
	add := func(spec target.Spec) error { return admit(spec, cfg.Space.Add) }
	for _, arg := range args {
		spec, err := target.Parse(arg, fromArgs, ports)
		if err != nil {
			return usage(err)
		}
		if err := add(spec); err != nil {
			return usage(err)
		}
	}
	files := o.lists
	if len(files) == 0 && len(args) == 0 && isPipe(s.in) {
		files = []string{"-"}
	}
	if !o.stream {
		for _, file := range files {
			if err := o.readList(s, file, ports, add); err != nil {
				return usage(err)
			}
		}
		if len(files)+len(args) > 0 {
			return nil
		}
		return o.addLocal(ctx, s, cfg, own, ports, add)
	}
	if err := o.mayStream(files, args); err != nil {
		return usage(err)
	}
	cfg.Stream = func(yield func(target.Spec) error) error {
		return usage(o.readList(s, files[0], ports, func(spec target.Spec) error { return admit(spec, yield) }))
	}
	return nil
}

// familyPorts is the name of a set of ports in -ports.
const familyPorts = "family"

// namedPorts reads -ports.
func (o *scanOptions) namedPorts(set *fingerprint.Set) ([]uint16, error) {
	rest, named := withoutFamily(o.ports)
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

// mayStream refuses options that need the whole list.
func (o *scanOptions) mayStream(files, args []string) error {
	switch {
	case len(args) > 0:
		return errors.New("-stream: targets come from -list or stdin alone")
	case len(files) > 1:
		return errors.New("-stream: one list at a time: join them with cat")
	case len(files) == 0:
		return errors.New("-stream: name a list with -list, or pipe one in")
	case o.shard != "" || o.journal != "" || o.resume != "":
		return errors.New("-stream: a list that is still being written has no shards and no journal")
	case o.dryRun:
		return errors.New("-stream: a list that is still being written cannot be counted: leave out -dry-run or -stream")
	}
	return nil
}

// fromArgs is the source of a target on the command line.
const fromArgs = "args"

// mayProbe refuses what is globally reachable unless the operator has stated
// the right to probe it. Names are judged by the scope, once they are resolved.
func (o *scanOptions) mayProbe(scope *target.Scope, spec target.Spec) error {
	if !spec.First.IsValid() || o.authorized && o.contact != "" {
		return nil
	}
	if scope.HasPublic(spec.First, spec.Last) {
		what := "it is"
		if spec.First != spec.Last {
			what = "it has addresses that are"
		}
		return fmt.Errorf("target %q: %s globally reachable: state your right to probe with -authorized and -contact", spec.Input, what)
	}
	return nil
}

// parseBase reads a base path, by the rules for the path of a URL.
func parseBase(path string) (string, error) {
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

// readList reads a list of at least one target; "-" is stdin.
func (o *scanOptions) readList(s streams, file string, ports []uint16, add func(target.Spec) error) error {
	l := target.List{Name: file, Ports: ports, Only: o.ports != ""}
	which, in := "-list: "+file, s.in
	if file == "-" {
		l.Name, which = "stdin", "stdin"
	} else {
		r, err := os.Open(file)
		if err != nil {
			return fmt.Errorf("-list: %w", err)
		}
		defer r.Close()
		in = r
	}
	n := 0
	err := l.Read(in, func(spec target.Spec) error {
		n++
		spec.Listed = true
		return add(spec)
	})
	switch {
	case err != nil:
		return err
	case n == 0 && l.Passed > 0:
		return fmt.Errorf("%s contains no target on a wanted port, but %d open ports: choose with -ports", which, l.Passed)
	case n == 0 && file == "-":
		return errors.New("stdin contains no target: give one a line (to scan this machine, take stdin from /dev/null)")
	case n == 0:
		return fmt.Errorf("%s contains no target: give one a line", which)
	case o.silent:
		return nil
	}
	if l.Passed > 0 {
		fmt.Fprintf(s.err, "clawsonar: %s: %d open ports were skipped: use -ports to scan them\n", l.Name, l.Passed)
	}
	return nil
}

// isPipe reports whether stdin has data: a terminal, /dev/null and a closed stdin
// do not.
func isPipe(in io.Reader) bool {
	f, ok := in.(*os.File)
	if !ok {
		return in != nil
	}
	info, err := f.Stat()
	return err == nil && (info.Mode()&os.ModeNamedPipe != 0 || info.Mode().IsRegular())
}

// spare is how many files are open besides one connection for each target in
// flight: standard streams, outputs, the journal, look-ups of names.
const spare = 100

// inFlight returns how many targets may be in flight: what the user wants, limited
// by how many files this process may have open.
func (o *scanOptions) inFlight(s streams) int {
	files := pace.Descriptors()
	most := max(files-spare, files/2, 1)
	if files == 0 || o.concurrency <= most {
		return o.concurrency
	}
	if !o.silent {
		fmt.Fprintf(s.err, "clawsonar: %d targets at a time instead of %d: this process may have only %d files open (ulimit -n)\n", most, o.concurrency, files)
	}
	return most
}
