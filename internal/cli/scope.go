package cli

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/clawsonar/clawsonar/internal/report"
	"github.com/clawsonar/clawsonar/internal/target"
	"github.com/clawsonar/clawsonar/internal/wire"
)

// scopeOptions are the flags about what may be contacted at all.
type scopeOptions struct {
	allow, exclude             []string
	scope, excludeFile, asFile string
	unresolved                 string
	unknown                    int // names of rules that were not looked up
}

// What -exclude-unresolved takes.
const (
	unresolvedFails = "fail"
	unresolvedOK    = "ok"
)

func (o *scopeOptions) flags(f *flags) {
	f.group("Scope (addresses, blocks, ranges, names, AS numbers; what is excluded wins)")
	f.list(&o.allow, "allow", "", "TARGET", "contact nothing but this; repeatable", checkRule).
		mustName("beside another allow list it lets in more")
	f.text(&o.scope, "scope", "", "FILE", "contact nothing but what this file lists (and -allow)", nil).
		mustName("beside another allow list it lets in more")
	f.list(&o.exclude, "exclude", "e", "TARGET", "never contact this; repeatable", checkRule).
		mayFind("it only shuts out")
	f.text(&o.excludeFile, "exclude-file", "ef", "FILE", "never contact what this file lists", nil).
		mayFind("it only shuts out", within)
	f.choice(&o.unresolved, "exclude-unresolved", "", "WHAT", unresolvedFails, "when a name to exclude does not exist: fail, or ok: go on, excluding the name only",
		[]string{unresolvedFails, unresolvedOK}).
		mustName("it excludes less")
	f.text(&o.asFile, "as-file", "", "FILE", "which blocks belong to which AS number, as iptoasn, pyasn or CAIDA publish it", nil).
		mustName("it says which addresses an allow list lets in")
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
func (o *scanOptions) makeScope(ctx context.Context, s streams, resolver *wire.Resolver) (*target.Scope, error) {
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
	answers, err := o.lookUp(ctx, resolver, slices.Concat(allow, deny))
	if err != nil {
		return nil, err
	}
	var notes []string
	none := func(r sourced) bool {
		if r.Name == "" || o.dryRun || len(answers[r.Name]) > 0 {
			return false
		}
		notes = append(notes, fmt.Sprintf("%s: %s has no address: only the name counts", r.source, report.Clean(r.Name)))
		return true
	}
	l := target.Limits{Public: o.authorized && o.contact != ""}
	if len(allow) > 0 {
		l.Allow = []netip.Prefix{} // names without an address: nothing is allowed
	}
	for _, r := range allow {
		none(r)
		l.Wide = append(l.Wide, systems[r.AS]...)
		if r.Wide {
			l.Wide = append(l.Wide, r.Blocks...)
		} else {
			l.Allow = append(l.Allow, r.Blocks...)
		}
		for _, a := range answers[r.Name] {
			// An IPv4-mapped one is no way to let a special address in.
			if a.Is4In6() {
				l.Wide = append(l.Wide, single(a))
			} else {
				l.Allow = append(l.Allow, single(a))
			}
		}
	}
	for _, r := range deny {
		if none(r) && o.unresolved != unresolvedOK {
			return nil, fmt.Errorf("%s: %s does not exist, so what it stands for would not be excluded: correct it, or go on with -exclude-unresolved ok", r.source, r.Name)
		}
		l.Deny = append(append(l.Deny, r.Blocks...), systems[r.AS]...)
		for _, a := range answers[r.Name] {
			l.Deny = append(l.Deny, single(a))
		}
		if r.Name != "" {
			l.Names = append(l.Names, r.Name)
		}
	}
	for _, note := range notes {
		if !o.silent {
			fmt.Fprintf(s.err, "clawsonar: %s\n", note)
		}
	}
	return l.Scope(), nil
}

// single is the block of one address.
func single(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen())
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

// lookUp returns the addresses of the names that rules are about, at the start: a
// name that moves later cannot widen the scope. It asks for both families,
// whatever -addresses says of targets. One that does not exist has none; that not
// all can be found out is an error. A dry run looks nothing up: that is contact.
func (o *scanOptions) lookUp(ctx context.Context, resolver *wire.Resolver, rules []sourced) (map[string][]netip.Addr, error) {
	const atOnce = 50
	out := map[string][]netip.Addr{}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, r := range rules {
		mu.Lock()
		_, known := out[r.Name]
		if r.Name != "" {
			out[r.Name] = nil
		}
		mu.Unlock()
		if r.Name == "" || known || o.dryRun {
			continue
		}
		group.Go(func() error {
			a := resolver.All(ctx, r.Name)
			if trouble := a.Trouble(); trouble != "" {
				return fmt.Errorf("%s: %s: %s", r.source, r.Name, trouble)
			}
			mu.Lock()
			defer mu.Unlock()
			out[r.Name] = a.Addrs
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if o.dryRun {
		o.unknown = len(out)
	}
	return out, nil
}
