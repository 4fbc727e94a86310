package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/filetree"
	"github.com/clawsonar/clawsonar/internal/inspect"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/release"
	"github.com/clawsonar/clawsonar/internal/version"
)

// inspectOptions are the flags of inspect.
type inspectOptions struct {
	release, stateDir, home, compare string
	env                              []string

	audit.Data
	storedOptions
}

func newInspect(s streams) *cobra.Command {
	var o inspectOptions
	o.ownIgnore = true
	f := newFlags("inspect")
	f.group("Deployment")
	f.text(&o.release, "release", "", "VERSION", "the OpenClaw release that the files are for, where they do not say (default: the newest known)", checked(release.Parse)).
		mayFind("it says what the files are for")
	f.text(&o.stateDir, "state-dir", "", "DIR", "the state directory, where it is not at its usual place", nil).
		mustName("it names what is read")
	f.text(&o.home, "home", "", "DIR", "the home directory of the user who runs the gateway", nil).
		mustName("it names what is read")
	f.list(&o.env, "env", "", "FILE", "variables that the deployment gets from outside, NAME=VALUE a line; repeatable", checkFileName).
		mustName("it names a file to read")
	f.text(&o.compare, "compare", "", "FILE", "instead of a report, compare with what \"openclaw security audit --json\" said of the same configuration", checkFileName).
		mustName("it names a file to read")
	advisoryFlags(f, &o.Data)
	o.outputOptions.flags(f)
	o.gateOptions.flags(f)
	cmd := &cobra.Command{
		Use:   "inspect [flags] [PATH ...]",
		Short: "Read a deployment's own files and report who gets to its gateways",
		Long: `Read the files of a deployment and report who gets to each gateway, what it
asks of them, and whether it starts at all: openclaw.json, Compose files,
Kubernetes manifests, Dockerfiles, units, proxies, tunnels and state
directories. Nothing is contacted, run or written.

A PATH is a directory, a file, or a tar stream (packed with gzip or not); - is
one on stdin. Each is a deployment of its own. Without a PATH, this machine's
own deployment is read: state directories, units and the configuration of
proxies.

Every finding names file, line and column. What cannot be judged is named, and
never counted as safe.

Exit codes: 0 done · 2 usage or input error · 3 findings at or above -fail-on ·
4 incomplete, with -fail-on-incomplete · 130 interrupted.`,
		Example: `  clawsonar inspect
  clawsonar inspect deploy -fail-on high
  clawsonar inspect . -o sarif=inspect.sarif
  clawsonar inspect ~/.openclaw -compare audit.json
  ssh host tar c .openclaw /etc/nginx | clawsonar inspect -`,
	}
	return f.attach(s, cmd, func(ctx context.Context, args []string) error { return o.inspect(ctx, s, args) })
}

// deployment is one of those that are inspected.
type deployment struct {
	event.Address // without a gateway
	open          func() (filetree.Tree, error)
}

func (o *inspectOptions) inspect(ctx context.Context, s streams, args []string) error {
	holdMemory()
	known, err := openData()
	if err != nil {
		return err
	}
	all, err := o.deployments(s, args)
	if err != nil {
		return usage(err)
	}
	judge, data, err := o.judge(s, known)
	if err != nil {
		return usage(err)
	}
	if o.compare != "" {
		return o.comparison(s, known, all, judge)
	}
	names := slices.Clone(args)
	for _, in := range readAsData(&o.Data) {
		names = append(names, in.Path)
	}
	names = append(names, o.env...)
	return o.run(ctx, s, known.Set, names, func(emit func(event.Event) error) error {
		err := emit(&event.Scan{
			Type: event.TypeScan, Schema: event.Schema, Tool: event.Tool{Name: "clawsonar", Version: version.String()},
			Started: now(), Level: event.LevelPassive, Kind: event.TargetFiles, Shard: "1/1", Data: data,
		})
		if err != nil {
			return err
		}
		sum := event.NewSummary()
		for _, d := range all {
			tree, err := d.open()
			if err != nil {
				return fmt.Errorf("%s: %w", d.label(), err)
			}
			_, targets := judge(tree, d.Address)
			d.settle(targets, tree)
			for _, t := range targets {
				sum.Add(t)
				if err := emit(t); err != nil {
					return err
				}
			}
			sum.AddNotes(leftOut(tree, d.Address, o.verbose)...)
		}
		sum.Complete, sum.Finished = true, now()
		return emit(sum)
	})
}

// label names a deployment in an error.
func (d *deployment) label() string {
	if d.Input == "-" {
		return "stdin"
	}
	return d.Input
}

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// deployments are what the arguments name. What cannot be read is refused before
// anything is written.
func (o *inspectOptions) deployments(s streams, args []string) ([]deployment, error) {
	if len(args) == 0 {
		return []deployment{o.machine()}, nil
	}
	var out []deployment
	seen := map[string]bool{}
	for _, arg := range args {
		a := event.Address{Kind: event.TargetFiles, Source: string(event.TargetFiles), Input: arg}
		if name := path.Clean(filepath.ToSlash(arg)); seen[name] {
			continue
		} else {
			seen[name] = true
		}
		if arg == "-" {
			a.Base = "stdin"
			out = append(out, deployment{a, func() (filetree.Tree, error) { return filetree.Tar(s.in) }})
			continue
		}
		info, err := os.Stat(arg)
		if err == nil && !info.Mode().IsRegular() && !info.IsDir() && info.Mode()&os.ModeNamedPipe == 0 {
			err = fmt.Errorf("%s: neither a file nor a directory", arg)
		}
		if err == nil && info.Mode()&os.ModeNamedPipe == 0 {
			var f *os.File
			if f, err = os.Open(arg); err == nil {
				f.Close()
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%w: give a directory, a file or a tar stream", err)
		}
		d := deployment{a, func() (filetree.Tree, error) { return filetree.Open(arg) }}
		if info.Mode().IsRegular() && !isArchive(arg) {
			d.Base = filepath.ToSlash(filepath.Dir(arg))
		}
		out = append(out, d)
	}
	if slices.Contains(args, "-") && s.in == nil {
		return nil, errors.New("- is stdin, and there is none")
	}
	return out, nil
}

// isArchive reports whether a file is a tar stream.
func isArchive(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 512)
	n, _ := io.ReadFull(f, head)
	return filetree.IsTar(head[:n])
}

// sourceLocal is where the deployment of this machine comes from.
const sourceLocal = "local"

// machine is this machine's own deployment: where a user's gateway and what leads to
// it have their files.
func (o *inspectOptions) machine() deployment {
	home := o.home
	if home == "" {
		home, _ = os.UserHomeDir()
	}
	return deployment{event.Address{Kind: event.TargetFiles, Source: sourceLocal, Input: "/", Base: "/"}, func() (filetree.Tree, error) {
		var names []string
		for _, pattern := range []string{
			home + "/.openclaw*", home + "/.clawdbot*", home + "/.moltbot*", home + "/.moldbot*", home + "/.config/openclaw",
			home + "/.config/systemd/user", home + "/.config/containers/systemd", home + "/Library/LaunchAgents",
			"/etc/systemd/system", "/etc/containers/systemd", "/etc/nginx", "/etc/caddy", "/etc/traefik", "/etc/cloudflared", "/etc/frp",
		} {
			found, err := filepath.Glob(pattern)
			if err != nil {
				continue // a home with a bracket in its name
			}
			names = append(names, found...)
		}
		running, _ := inspect.Running()
		names = append(names, inspect.Places(running)...)
		if o.stateDir != "" {
			if dir, err := filepath.Abs(o.stateDir); err == nil {
				names = append(names, dir)
			}
		}
		for i, n := range names {
			names[i] = strings.TrimPrefix(filepath.ToSlash(n), "/")
		}
		return filetree.Some("/", names...)
	}}
}

// settle gives targets the address of their deployment, and each a name of its own. What of the tree could not be read may be about any of them.
func (d *deployment) settle(targets []*event.Target, tree filetree.Tree) {
	seen := map[event.Address]int{}
	for _, t := range targets {
		own := d.Address
		own.File, own.Gateway = t.Target.File, t.Target.Gateway
		t.Target = own
		if n := seen[own]; n > 0 {
			t.Target.Gateway += fmt.Sprintf("#%d", n+1)
		}
		seen[own]++
		if t.Files == nil {
			continue
		}
		for _, x := range tree.Skipped() {
			if unread(x.Why) {
				why := message.Say(string(x.Why))
				t.Unread(event.Location{Pos: event.Pos{File: x.Name}, Says: why.English, Message: &why.Message})
			}
		}
	}
}

// unread reports whether something that was left out may hold a part of a deployment.
func unread(why filetree.Why) bool {
	return slices.Contains([]filetree.Why{filetree.TooMany, filetree.TooMuch, filetree.TooDeep, filetree.Unreadable}, why)
}

// leftOut are notes of what was left out and is no part of a deployment.
func leftOut(tree filetree.Tree, a event.Address, verbose bool) []message.Text {
	var out []message.Text
	for _, why := range []filetree.Why{filetree.Special, filetree.Outside, filetree.Never} {
		n, first := 0, ""
		for _, x := range tree.Skipped() {
			if x.Why == why {
				if n++; first == "" {
					first = a.Path(x.Name)
				}
			}
		}
		if n > 0 && (why != filetree.Never || verbose) {
			out = append(out, message.Say(string(why), message.Number("count", n), message.Of("file", first)))
		}
	}
	return out
}

// judging turns the files of a deployment into their model and its targets.
type judging func(filetree.Tree, event.Address) (*deploy.Model, []*event.Target)
