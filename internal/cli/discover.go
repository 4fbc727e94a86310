package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/discover"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/target"
)

// discoverOptions say who is asked for targets.
type discoverOptions struct {
	finders []event.Finder
	socket  string // of a container engine; "" for the usual ones
	iface   string // "" for all
	wait    time.Duration
	silent  bool
	asked   int // how many could be
}

// announcedFor is how long answers are waited for: those of a quiet network come within
// 150 ms.
const announcedFor = time.Second

func newDiscover(s streams) *cobra.Command {
	o := discoverOptions{}
	var mdns, docker bool
	f := newFlags("discover")
	f.noArgs = true
	f.group("Who is asked")
	f.boolean(&mdns, string(event.ByMDNS), "", "ask the local network for announcements of gateways (multicast DNS); it sees that this machine asks")
	f.add(option{long: string(event.ByDocker), arg: "[=SOCKET]", usage: "ask the container engine of this machine, Docker or Podman, for published ports; without SOCKET that of DOCKER_HOST, or the usual ones"}, func(v string) error {
		on, err := strconv.ParseBool(v)
		if err != nil {
			on, o.socket = true, strings.TrimPrefix(v, "unix://")
		}
		docker = on
		return nil
	})
	f.group("Multicast DNS")
	f.duration(&o.wait, "wait", "", announcedFor, "how long answers are waited for")
	f.text(&o.iface, "interface", "", "NAME", "ask on this network interface only; otherwise on all that are up and take multicast", nil)
	f.group("Output")
	f.boolean(&o.silent, "silent", "", "print targets and errors only")
	f.silent = &o.silent
	cmd := &cobra.Command{
		Use:   "discover -mdns|-docker[=SOCKET] [flags]",
		Short: "Find targets that tell of themselves, without contacting any",
		Long: `Find targets in what this machine and its network tell anyway: gateways that
announce themselves on the local link, and containers with published ports. It
prints a line of JSON for each, which "clawsonar scan" reads from a pipe or with
-list, and contacts no target.

What others say are hints. A scan decides by its own scope what to contact.
Nothing found does not mean that there is nothing: announcements can be off, and
an engine knows only its own containers.

Exit codes: 0 done, also if nothing was found · 1 failed while running, or one of
those to be asked could not be · 2 usage error, or nobody could be asked · 130
interrupted.`,
		Example: `  clawsonar discover -mdns
  clawsonar discover -docker -mdns | clawsonar scan
  clawsonar scan -discover mdns,docker`,
	}
	return f.attach(s, cmd, func(ctx context.Context, _ []string) error {
		if mdns {
			o.finders = append(o.finders, event.ByMDNS)
		}
		if docker {
			o.finders = append(o.finders, event.ByDocker)
		}
		if len(o.finders) == 0 {
			return usage(errors.New("discover: say who is to be asked: -mdns, -docker, or both"))
		}
		known, err := openData()
		if err != nil {
			return err
		}
		found, failed := o.find(ctx, s, known)
		for _, t := range found {
			line, err := json.Marshal(t)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(s.out, "%s\n", line); err != nil {
				return err
			}
		}
		if failed != nil && o.asked > 0 {
			return failed // what the other one told is printed
		}
		return usage(failed)
	})
}

// find asks, and says on stderr what was left out. The error is of all that could not be
// asked; what the others told is returned beside it.
func (o *discoverOptions) find(ctx context.Context, s streams, known *data.Known) ([]target.Found, error) {
	var found []target.Found
	var failed []error
	for _, by := range o.finders {
		var r discover.Result
		var err error
		switch by {
		case event.ByMDNS:
			r, err = discover.MDNS(ctx, o.iface, o.wait)
		case event.ByDocker:
			r, err = o.docker(ctx, known)
		}
		if ctx.Err() != nil {
			return found, err
		}
		if err != nil {
			failed = append(failed, err)
			continue
		}
		o.asked++
		found = append(found, r.Found...)
		if o.silent {
			continue
		}
		for _, n := range r.Notes {
			fmt.Fprintf(s.err, "clawsonar: %s\n", clean.Text(n))
		}
		if r.Unsaid > 0 {
			fmt.Fprintf(s.err, "clawsonar: %s: and %d more that were left out\n", by, r.Unsaid)
		}
		if len(r.Found) == 0 {
			fmt.Fprintf(s.err, "clawsonar: nothing was found: asked was %s\n", clean.Text(r.Asked))
		}
	}
	return found, errors.Join(failed...)
}

func (o *discoverOptions) docker(ctx context.Context, known *data.Known) (discover.Result, error) {
	listeners, err := known.Listeners()
	if err != nil {
		return discover.Result{}, err
	}
	return discover.Docker(ctx, discover.Engines{Socket: o.socket, Getenv: os.Getenv}, discover.Rules{LeftAlone: listeners.LeftAlone, Own: known.Set.Ports(true, true)})
}

// parseFinders reads a list of finders, with commas between.
func parseFinders(text string) ([]event.Finder, error) {
	var out []event.Finder
	for word := range strings.SplitSeq(text, ",") {
		by := event.Finder(strings.TrimSpace(word))
		if !slices.Contains(event.Finders(), by) {
			return nil, fmt.Errorf("%q is unknown: use %s, or both with a comma between", word, strings.Join(event.Words(event.Finders()...), " or "))
		}
		if !slices.Contains(out, by) {
			out = append(out, by)
		}
	}
	return out, nil
}
