package audit

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/clawsonar/clawsonar/internal/target"
	"github.com/clawsonar/clawsonar/internal/wire"
)

// Scope says what may be contacted at all. Exclusions win.
type Scope struct {
	Allow, Exclude                 []string
	ScopeFile, ExcludeFile, ASFile string
	Unresolved                     string // UnresolvedFails or UnresolvedOK
}

// What is done if a name to exclude does not exist.
const (
	UnresolvedFails = "fail"
	UnresolvedOK    = "ok" // the name alone is excluded
)

// Limits reads everything that says what may be contacted, as Prepare does.
func (b *Builder) Limits(ctx context.Context) (target.Limits, error) {
	resolver, err := b.resolver()
	if err != nil {
		return target.Limits{}, err
	}
	return b.scope(ctx, resolver)
}

// scope reads everything that says what may be contacted. What cannot be
// read, or understood, stops the run: it might be what is not to be contacted.
func (b *Builder) scope(ctx context.Context, resolver *wire.Resolver) (l target.Limits, err error) {
	if b.Fixed != nil {
		return *b.Fixed, nil
	}
	bounds := target.Bounds{Public: b.MayPublic(), Unresolved: b.Unresolved == UnresolvedOK}
	if bounds.Allow, err = b.entries("allow", b.Allow, "scope", b.ScopeFile); err != nil {
		return l, err
	}
	if bounds.Deny, err = b.entries("exclude", b.Exclude, "exclude-file", b.ExcludeFile); err != nil {
		return l, err
	}
	if b.ScopeFile != "" && len(bounds.Allow) == len(b.Allow) {
		return l, fmt.Errorf("%s: %s allows nothing: list addresses, blocks or ranges, one a line", b.At("scope"), b.ScopeFile)
	}
	if err := b.readASFile(&bounds); err != nil {
		return l, err
	}
	if b.Offline {
		b.Unknown = len(bounds.Names())
	} else if err := lookUp(ctx, resolver, &bounds); err != nil {
		return l, err
	}
	var notes []string
	l, notes, err = bounds.Limits()
	if none := (*target.NoSuchName)(nil); errors.As(err, &none) {
		return l, fmt.Errorf("%w: correct it, or continue with %s %s", err, b.Call("exclude-unresolved"), UnresolvedOK)
	}
	if err != nil {
		return l, err
	}
	for _, note := range notes {
		b.say("%s", note)
	}
	return l, nil
}

// entries reads those of a setting, and those of the file that another one names.
func (b *Builder) entries(setting string, texts []string, fileSetting, file string) ([]target.Sourced, error) {
	var out []target.Sourced
	for _, text := range texts {
		r, err := target.ParseEntry(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.At(setting), err)
		}
		out = append(out, target.Sourced{Entry: r, Source: b.At(setting)})
	}
	if file == "" {
		return out, nil
	}
	in, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.At(fileSetting), err)
	}
	defer in.Close()
	more, err := target.Entries(in, file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.At(fileSetting), err)
	}
	return append(out, more...), nil
}

// readASFile reads the blocks of the AS numbers of the entries, if any is.
func (b *Builder) readASFile(bounds *target.Bounds) error {
	numbers := bounds.Numbers()
	if len(numbers) == 0 {
		return nil
	}
	if b.ASFile == "" {
		return fmt.Errorf("%s: AS%d: its addresses are not known: name a file with %s", numbers[0].Source, numbers[0].AS, b.Call("as-file"))
	}
	in, err := os.Open(b.ASFile)
	if err == nil {
		defer in.Close()
		err = bounds.ReadSystems(in, b.ASFile)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", b.At("as-file"), err)
	}
	return nil
}

// lookUp finds the addresses of the names of the entries, of both families,
// regardless of Settings.Addresses, which is about targets. One that does not exist has
// none; that not all can be found out is an error.
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
