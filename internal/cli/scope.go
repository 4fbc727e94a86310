package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/clawsonar/clawsonar/internal/report"
	"github.com/clawsonar/clawsonar/internal/target"
	"github.com/clawsonar/clawsonar/internal/wire"
)

// scopeOptions are the flags about what may be contacted at all.
type scopeOptions struct {
	allow, exclude             []string
	scope, excludeFile, asFile string
}

func (o *scopeOptions) flags(f *flags) {
	f.group("Scope (addresses, blocks, ranges, names, AS numbers; what is excluded wins)")
	f.list(&o.allow, "allow", "", "TARGET", "contact nothing but this; repeatable", checkRule)
	f.text(&o.scope, "scope", "", "FILE", "contact nothing but what this file lists (and -allow)", nil)
	f.list(&o.exclude, "exclude", "e", "TARGET", "never contact this; repeatable", checkRule)
	f.text(&o.excludeFile, "exclude-file", "ef", "FILE", "never contact what this file lists", nil)
	f.text(&o.asFile, "as-file", "", "FILE", "which blocks belong to which AS number, as iptoasn, pyasn or CAIDA publish it", nil)
}

func checkRule(s string) error {
	_, err := target.ParseRule(s)
	return err
}

// sourced is a rule and where it comes from.
type sourced struct {
	target.Rule
	source string
}

// makeScope reads everything that says what may be contacted. What cannot be
// read, or understood, stops the run: it might be what is not to be contacted.
func (o *scanOptions) makeScope(s streams, resolver *wire.Resolver) (*target.Scope, error) {
	allow, err := scopeRules("-allow", o.allow, "-scope", o.scope)
	if err != nil {
		return nil, err
	}
	deny, err := scopeRules("-exclude", o.exclude, "-exclude-file", o.excludeFile)
	if err != nil {
		return nil, err
	}
	if o.scope != "" && len(allow) == len(o.allow) {
		return nil, fmt.Errorf("-scope: %s allows nothing: list addresses, blocks or ranges, one a line", o.scope)
	}
	systems, err := o.readASFile(append(allow, deny...))
	if err != nil {
		return nil, err
	}
	blocks := func(rules []sourced) (out []netip.Prefix, names []string, err error) {
		for _, r := range rules {
			out = append(append(out, r.Blocks...), systems[r.AS]...)
			if r.Name == "" {
				continue
			}
			names = append(names, r.Name)
			if o.dryRun {
				continue // a look-up is contact, too
			}
			addrs, err := lookUp(s, o.silent, resolver, r)
			if err != nil {
				return nil, nil, err
			}
			for _, a := range addrs {
				out = append(out, netip.PrefixFrom(a, a.BitLen()))
			}
		}
		return out, names, nil
	}
	allowed, _, err := blocks(allow)
	if err != nil {
		return nil, err
	}
	if len(allow) > 0 && allowed == nil {
		allowed = []netip.Prefix{} // names without an address: nothing is allowed
	}
	denied, names, err := blocks(deny)
	if err != nil {
		return nil, err
	}
	return target.NewScope(allowed, denied, o.authorized && o.contact != "", names...), nil
}

// scopeRules reads those of a flag, and those of the file that another flag names.
func scopeRules(flag string, texts []string, fileFlag, file string) ([]sourced, error) {
	var out []sourced
	for _, text := range texts {
		r, err := target.ParseRule(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
		out = append(out, sourced{r, flag})
	}
	if file == "" {
		return out, nil
	}
	in, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", fileFlag, err)
	}
	defer in.Close()
	err = target.Lines(in, file, func(text, source string) error {
		r, err := target.ParseRule(text)
		if err != nil {
			return fmt.Errorf("%s: %w", source, err)
		}
		out = append(out, sourced{r, source})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", fileFlag, err)
	}
	return out, nil
}

// readASFile returns the blocks of the AS numbers that are named.
func (o *scanOptions) readASFile(rules []sourced) (map[uint32][]netip.Prefix, error) {
	wanted := map[uint32]bool{}
	for _, r := range rules {
		if r.AS == 0 {
			continue
		}
		if o.asFile == "" {
			return nil, fmt.Errorf("%s: AS%d: which addresses that is says no file: name one with -as-file", r.source, r.AS)
		}
		wanted[r.AS] = true
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	in, err := os.Open(o.asFile)
	if err != nil {
		return nil, fmt.Errorf("-as-file: %w", err)
	}
	defer in.Close()
	systems, err := target.ASBlocks(in, o.asFile, wanted)
	if err != nil {
		return nil, fmt.Errorf("-as-file: %w", err)
	}
	for _, r := range rules {
		if r.AS != 0 && len(systems[r.AS]) == 0 {
			return nil, fmt.Errorf("%s: AS%d is not in %s", r.source, r.AS, o.asFile)
		}
	}
	return systems, nil
}

// lookUp returns the addresses of a name that a rule is about, at the start: a
// name that moves later cannot widen the scope. One that does not exist has
// none; that it cannot be found out is an error.
func lookUp(s streams, silent bool, resolver *wire.Resolver, r sourced) ([]netip.Addr, error) {
	addrs, err := resolver.Resolve(context.Background(), r.Name)
	switch {
	case err == nil && len(addrs) > 0:
		return addrs, nil
	case err == nil, wire.NoSuchName(err):
		if !silent {
			fmt.Fprintf(s.err, "clawsonar: %s: %s has no address: only the name counts\n", r.source, report.Clean(r.Name))
		}
		return nil, nil
	}
	return nil, fmt.Errorf("%s: the addresses of %s cannot be looked up: %w", r.source, r.Name, errors.Unwrap(err))
}
