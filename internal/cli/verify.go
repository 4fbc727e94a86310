package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/exit"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/policy"
	"github.com/clawsonar/clawsonar/internal/posture"
	"github.com/clawsonar/clawsonar/internal/results"
	"github.com/clawsonar/clawsonar/internal/scan"
)

// verifyOptions are the flags of verify.
type verifyOptions struct {
	scanOptions
	vantage string
	files   []string
	init    bool
	reason  string
}

func newVerify(s streams) *cobra.Command {
	var o verifyOptions
	o.scanOptions.flags() // for their defaults
	f := newFlags("verify")
	f.group("Posture")
	f.text(&o.vantage, "vantage", "", "NAME", "where this run stands: a word that the posture uses, such as loopback, lan or outside (default: what the posture says)", nil)
	f.list(&o.files, "files", "", "PATH", "also compare with files of the deployment: those that inspect reads, or a stream that it wrote with -o jsonl=FILE; repeatable", checkList)
	f.boolean(&o.init, "init", "", "write a posture that states what is seen of the arguments, for a person to edit")
	f.text(&o.reason, "reason", "", "TEXT", "with -init: the reason of every accepted finding (default "+posture.Unstated+", which verify refuses)", nil)
	scopeFlags(f, &o.Scope)
	networkFlags(f, &o.Network)
	f.group("Pace")
	o.timeoutFlag(f)
	f.group("Depth")
	o.levelFlag(f)
	o.authorisationFlags(f)
	o.outputOptions.flags(f)
	o.geoFlag(f)
	cmd := &cobra.Command{
		Use:   "verify [flags] POSTURE",
		Short: "Compare what is seen of endpoints with what was declared",
		Long: `Scan the endpoints and hosts that a posture names, and compare what is seen
with what the posture declares for the place where this run stands. What it
does not state fails: an open port of a host, a surface, a finding above info.
What could not be judged is never as declared.

With -files, the files of the deployment are read as well, and a line says by
which proxy, port or tunnel an endpoint is reached.

With -init, write a posture of what is seen instead: of targets, or of streams
that scan or inspect wrote with -o jsonl=FILE. It goes to stdout. State a reason
for each finding that you accept, or give one for all with -reason.

Exit codes: 0 all as declared · 1 failed while running · 2 usage or input
error · 3 not as declared · 4 not everything could be judged · 130
interrupted.`,
		Example: `  clawsonar verify -init 127.0.0.1:18789 > posture.yaml
  clawsonar verify posture.yaml
  clawsonar verify posture.yaml -vantage outside -authorized -contact me@example.org
  clawsonar verify posture.yaml -files deploy -o sarif=verify.sarif`,
	}
	return f.attach(s, cmd, func(ctx context.Context, args []string) error {
		switch {
		case o.init && len(args) == 0:
			return usage(errors.New("verify -init needs targets, or streams that scan or inspect wrote"))
		case o.init && len(o.files)+len(o.output) > 0:
			return usage(errors.New("verify -init writes a posture to stdout: leave out -files and -output"))
		case o.init:
			return o.generate(ctx, s, args)
		case o.reason != "":
			return usage(errors.New("-reason is for -init: state reasons in the posture"))
		case len(args) != 1:
			return usage(errors.New("verify takes one posture: make one with \"clawsonar verify -init TARGET\""))
		}
		return o.verify(ctx, s, args[0])
	})
}

// verify scans what a posture names and compares.
func (o *verifyOptions) verify(ctx context.Context, s streams, file string) error {
	known, err := openData()
	if err != nil {
		return err
	}
	declared, err := o.load(file)
	if err != nil {
		return usage(err)
	}
	files, err := o.configured(s, known)
	if err != nil {
		return usage(err)
	}
	cfg, gate, err := o.prepare(ctx, s, known)
	if err != nil {
		return usage(err)
	}
	defer cfg.Space.Close()
	if err := o.addPosture(s, cfg, known, declared); err != nil {
		return usage(err)
	}
	inputs := append(o.read(s, []string{file}), named(results.Named{Flag: "posture", Path: file})...)
	for _, name := range o.files {
		inputs = append(inputs, named(results.Named{Flag: "-files", Path: name})...)
	}
	if err := results.Distinct(inputs, o.written(s)); err != nil {
		return usage(err)
	}
	breach := check.NotAsDeclared()
	judge := &posture.Judge{Posture: declared, Files: files, Now: time.Now(), Finding: func(place string, detail ...message.Text) *event.Finding {
		return breach.At(place, event.High, detail...)
	}}
	o.moreChecks = []event.CheckInfo{breach.Doc}
	o.through = func(emit func(event.Event) error) func(event.Event) error {
		return func(e event.Event) error {
			switch x := e.(type) {
			case *event.Target:
				t := judge.Target(x)
				if t == nil {
					return nil
				}
				e = t
			case *event.Summary:
				e = judge.Summary(x)
			}
			return emit(e)
		}
	}
	if err := o.run(ctx, s, cfg, gate, nil); err != nil {
		return err
	}
	return o.result(s, judge)
}

// load reads a posture, and sees that it has a statement for where the run stands.
func (o *verifyOptions) load(file string) (*posture.Posture, error) {
	data, err := bounded.File(file, bounded.MaxYAML)
	if err != nil {
		return nil, err
	}
	p, err := posture.Load(file, data, check.IDs())
	if err != nil {
		return nil, err
	}
	return p, p.Stand(o.vantage)
}

// addPosture adds what a posture names, and nothing else.
func (o *verifyOptions) addPosture(s streams, cfg *scan.Config, known *data.Known, declared *posture.Posture) error {
	cfg.Helpers, cfg.ListAll = false, true
	usual := append(known.Set.Ports(false, true), audit.WebPorts()...)
	b := o.builder(s, known)
	for _, spec := range declared.Specs(usual) {
		err := b.MayProbe(cfg.Scope, spec)
		if err == nil {
			err = cfg.Space.Add(spec)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", spec.Source, err)
		}
		if len(spec.Ports) > 1 {
			cfg.Head.Ports = usual
		}
	}
	return nil
}

// result turns the comparison into the exit code.
func (o *verifyOptions) result(s streams, judge *posture.Judge) error {
	totals := judge.Totals()
	say := func(what string, result event.PostureResult) {
		if names := judge.Named(result); len(names) > 0 && !o.silent {
			fmt.Fprintf(s.err, "clawsonar: %s: %s\n", what, clean.Text(strings.Join(names, ", ")))
		}
	}
	say("not as declared", event.PostureBreach)
	say("not judged", event.PostureNotJudged)
	switch {
	case totals[event.PostureBreach] > 0:
		return &exit.Error{Code: policy.Findings}
	case totals[event.PostureNotJudged] > 0:
		return &exit.Error{Code: policy.Incomplete}
	}
	return nil
}

// configured is what files of the deployment say.
func (o *verifyOptions) configured(s streams, known *data.Known) ([]*event.Target, error) {
	var out []*event.Target
	for _, name := range o.files {
		if !isStream(name) {
			found, err := inspected(s, known, name)
			if err != nil {
				return nil, fmt.Errorf("-files: %w", err)
			}
			out = append(out, found...)
			continue
		}
		all, err := sources(s, known.Set, name)
		if err != nil {
			return nil, fmt.Errorf("-files: %w", err)
		}
		for _, read := range all {
			err := read(func(e event.Event) error {
				if t, ok := e.(*event.Target); ok && t.Target.Kind == event.TargetFiles {
					out = append(out, t)
				}
				return nil
			})
			if err != nil {
				return nil, fmt.Errorf("-files: %w", err)
			}
		}
	}
	return out, nil
}

// inspected is what inspect says of a deployment.
func inspected(s streams, known *data.Known, name string) ([]*event.Target, error) {
	var o inspectOptions
	all, err := o.deployments(s, []string{name})
	if err != nil {
		return nil, err
	}
	judge, _, err := o.judge(s, known)
	if err != nil {
		return nil, err
	}
	var out []*event.Target
	for _, d := range all {
		tree, err := d.open()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d.label(), err)
		}
		_, found := judge(tree, d.Address)
		d.settle(found, tree)
		out = append(out, found...)
	}
	return out, nil
}

// isStream reports whether an argument is a stored stream.
func isStream(name string) bool {
	lower := strings.ToLower(name)
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular() && (strings.HasSuffix(lower, ".jsonl") || strings.HasSuffix(lower, ".ndjson"))
}

// generate writes a posture of streams, or of a scan.
func (o *verifyOptions) generate(ctx context.Context, s streams, args []string) error {
	known, err := openData()
	if err != nil {
		return err
	}
	g := &posture.Generator{Vantage: o.vantage, Reason: o.reason}
	if slices.ContainsFunc(args, isStream) {
		err = readStreams(s, known, args, g)
	} else {
		err = o.look(ctx, s, known, args, g)
	}
	if err != nil {
		return err
	}
	text, err := g.Write()
	if err != nil {
		return usage(err)
	}
	_, err = s.out.Write(text)
	return err
}

func readStreams(s streams, known *data.Known, names []string, g *posture.Generator) error {
	all, err := sources(s, known.Set, names...)
	if err != nil {
		return usage(err)
	}
	for _, read := range all {
		if err := read(func(e event.Event) error { g.Event(e); return nil }); err != nil {
			return usage(err)
		}
	}
	return nil
}

// look scans targets, and writes no results.
func (o *verifyOptions) look(ctx context.Context, s streams, known *data.Known, args []string, g *posture.Generator) error {
	cfg, _, err := o.prepare(ctx, s, known)
	if err != nil {
		return usage(err)
	}
	defer cfg.Space.Close()
	o.Helpers = true // their ports are tried of a host, as verify will
	if err := o.addTargets(ctx, s, cfg, known, args); err != nil {
		return err
	}
	cfg.Helpers, cfg.ListAll = false, true
	cfg.Emit = func(e event.Event) error { g.Event(e); return nil }
	cfg.Count = new(scan.Count)
	defer s.inOrder()()
	summary, err := scan.Run(ctx, *cfg)
	switch {
	case err != nil:
		return err
	case !summary.Complete:
		return &exit.Error{Code: exit.Interrupted, Err: errors.New("interrupted: no posture is written")}
	}
	return nil
}
