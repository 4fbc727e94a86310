package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/target"
)

// addTargets fills the space from arguments, list, stdin or this machine, or sets
// up reading the list while the scan runs.
func (o *scanOptions) addTargets(ctx context.Context, s streams, cfg *scan.Config, known *data.Known, args []string) error {
	t, err := o.builder(s, known).Into(cfg)
	if err != nil {
		return usage(err)
	}
	for _, arg := range args {
		if err := t.Add(arg, audit.FromArgs); err != nil {
			return usage(err)
		}
	}
	if o.discover != "" {
		if err := o.addFound(ctx, s, t, known); err != nil {
			return err
		}
	}
	files := o.Lists
	if len(files) == 0 && len(args) == 0 && o.discover == "" && isPipe(s.in) {
		files = []string{"-"}
	}
	read := func(file string, add func(target.Spec) error) error {
		if file == "-" {
			return t.Stdin(s.in, add)
		}
		return t.File(file, add)
	}
	if !o.stream {
		for _, file := range files {
			if err := read(file, t.Put); err != nil {
				return usage(o.ofList(err))
			}
		}
		if len(files)+len(args) > 0 || o.discover != "" {
			return nil
		}
		return o.addLocal(ctx, s, known, cfg, t)
	}
	if err := o.mayStream(files, args); err != nil {
		return usage(err)
	}
	cfg.Stream = func(yield func(target.Spec) error) error {
		return usage(o.ofList(read(files[0], func(spec target.Spec) error { return t.Admit(spec, yield) })))
	}
	return nil
}

// addFound adds what is found, entries like those of a list.
func (o *scanOptions) addFound(ctx context.Context, s streams, t *audit.Targets, known *data.Known) error {
	switch {
	case o.dryRun:
		return usage(errors.New("-discover: what is found cannot be known without asking: pipe \"clawsonar discover\" into \"clawsonar scan -dry-run\""))
	case o.stream:
		return usage(errors.New("-stream: targets come from -list or stdin alone"))
	}
	finders, err := parseFinders(o.discover)
	if err != nil {
		return usage(err)
	}
	d := discoverOptions{finders: finders, iface: o.Interface, wait: announcedFor, silent: o.silent}
	found, err := d.find(ctx, s, known)
	if err != nil {
		return usage(err)
	}
	for _, f := range found {
		spec, err := f.Spec(string(f.Found.By))
		if err == nil {
			spec.Listed = true
			err = t.Put(spec)
		}
		if err != nil {
			return usage(err)
		}
	}
	if len(found) == 0 {
		return usage(errors.New("-discover: nothing was found, so there is nothing to scan"))
	}
	return nil
}

// ofList adds to an error that a list has what to do about it.
func (o *scanOptions) ofList(err error) error {
	switch {
	case !errors.Is(err, target.ErrCut):
		return err
	case o.stream:
		return fmt.Errorf("%w: what writes it has ended too early; what came before is in the results, which are incomplete", err)
	}
	return fmt.Errorf("%w (-stream scans a list while it is written)", err)
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
