package cli

import (
	"context"
	"fmt"
	"net/netip"
	"os"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/target"
	"github.com/clawsonar/clawsonar/internal/wire"
)

// scopeOptions are the flags about what may be contacted at all.
type scopeOptions struct {
	allow, exclude             []string
	scope, excludeFile, asFile string
	unresolved                 string
	unknown                    int // names of entries that were not looked up
}

// What -exclude-unresolved takes.
const (
	unresolvedFails = "fail"
	unresolvedOK    = "ok"
)

func (o *scopeOptions) flags(f *flags) {
	f.group("Scope (addresses, blocks, ranges, names, AS numbers; exclusions win)")
	f.list(&o.allow, "allow", "", "TARGET", "contact only this; repeatable", checked(target.ParseEntry)).
		mustName("in addition to another allow list it allows more")
	f.text(&o.scope, "scope", "", "FILE", "contact only what this file lists (and -allow)", nil).
		mustName("in addition to another allow list it allows more")
	f.list(&o.exclude, "exclude", "e", "TARGET", "never contact this; repeatable", checked(target.ParseEntry)).
		mayFind("it only excludes")
	f.text(&o.excludeFile, "exclude-file", "ef", "FILE", "never contact what this file lists", nil).
		mayFind("it only excludes", within)
	f.choice(&o.unresolved, "exclude-unresolved", "", "WHAT", unresolvedFails, "if a name to exclude does not exist: fail, or ok: continue and exclude the name only",
		[]string{unresolvedFails, unresolvedOK}).
		mustName("it excludes less")
	f.text(&o.asFile, "as-file", "", "FILE", "blocks of the AS numbers, in the format of iptoasn, pyasn or CAIDA", nil).
		mustName("it says which addresses an allow list allows")
}

// makeScope reads everything that says what may be contacted. What cannot be
// read, or understood, stops the run: it might be what is not to be contacted.
func (o *scanOptions) makeScope(ctx context.Context, s streams, resolver *wire.Resolver) (*target.Scope, error) {
	b := target.Bounds{Public: o.authorized && o.contact != "", Unresolved: o.unresolved == unresolvedOK}
	var err error
	if b.Allow, err = scopeEntries("-allow", o.allow, "-scope", o.scope); err != nil {
		return nil, err
	}
	if b.Deny, err = scopeEntries("-exclude", o.exclude, "-exclude-file", o.excludeFile); err != nil {
		return nil, err
	}
	if o.scope != "" && len(b.Allow) == len(o.allow) {
		return nil, fmt.Errorf("-scope: %s allows nothing: list addresses, blocks or ranges, one a line", o.scope)
	}
	if err := o.readASFile(&b); err != nil {
		return nil, err
	}
	// A dry run looks nothing up: that is contact.
	if o.dryRun {
		o.unknown = len(b.Names())
	} else if err := lookUp(ctx, resolver, &b); err != nil {
		return nil, err
	}
	l, notes, err := b.Limits()
	if err != nil {
		return nil, err
	}
	for _, note := range notes {
		if !o.silent {
			fmt.Fprintf(s.err, "clawsonar: %s\n", clean.Text(note))
		}
	}
	return l.Scope(), nil
}

// scopeEntries reads those of a flag, and those of the file that another flag names.
func scopeEntries(flag string, texts []string, fileFlag, file string) ([]target.Sourced, error) {
	var out []target.Sourced
	for _, text := range texts {
		r, err := target.ParseEntry(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
		out = append(out, target.Sourced{Entry: r, Source: flag})
	}
	if file == "" {
		return out, nil
	}
	in, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", fileFlag, err)
	}
	defer in.Close()
	more, err := target.Entries(in, file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", fileFlag, err)
	}
	return append(out, more...), nil
}

// readASFile reads the blocks of the AS numbers of the entries, if any is.
func (o *scanOptions) readASFile(b *target.Bounds) error {
	numbers := b.Numbers()
	if len(numbers) == 0 {
		return nil
	}
	if o.asFile == "" {
		return fmt.Errorf("%s: AS%d: its addresses are not known: name a file with -as-file", numbers[0].Source, numbers[0].AS)
	}
	in, err := os.Open(o.asFile)
	if err == nil {
		defer in.Close()
		err = b.ReadSystems(in, o.asFile)
	}
	if err != nil {
		return fmt.Errorf("-as-file: %w", err)
	}
	return nil
}

// lookUp finds the addresses of the names of the entries, of both families,
// regardless of -addresses, which is about targets. One that does not exist has none; that not
// all can be found out is an error.
func lookUp(ctx context.Context, resolver *wire.Resolver, b *target.Bounds) error {
	b.Addrs = map[string][]netip.Addr{}
	entries := b.Names()
	var names []string
	for _, r := range entries {
		names = append(names, r.Name)
	}
	return resolver.Each(ctx, names, func(i int, a wire.Answer) error {
		if trouble := a.Trouble().English; trouble != "" {
			return fmt.Errorf("%s: %s: %s", entries[i].Source, names[i], trouble)
		}
		b.Addrs[names[i]] = a.Addrs
		return nil
	})
}
