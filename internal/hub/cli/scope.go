package cli

import (
	"flag"
	"fmt"

	"github.com/clawsonar/clawsonar/internal/audit"
)

// scopeFlags adds the flags about what may be contacted at all.
func scopeFlags(f *flag.FlagSet, o *audit.Scope) {
	f.StringVar(&o.ScopeFile, "scope", "", "contact only what `FILE` lists")
	f.Func("exclude", "never contact `WHAT`, an address, block, range or name; may be repeated", func(text string) error {
		o.Exclude = append(o.Exclude, text)
		return nil
	})
	f.StringVar(&o.ExcludeFile, "exclude-file", "", "never contact what `FILE` lists")
	f.StringVar(&o.Unresolved, "exclude-unresolved", o.Unresolved, "what to do if a name to exclude does not exist: `fail|ok`")
	f.StringVar(&o.ASFile, "as-file", "", "`FILE` with the blocks of AS numbers")
}

func checkScope(o *audit.Scope) error {
	if o.Unresolved != audit.UnresolvedFails && o.Unresolved != audit.UnresolvedOK {
		return fmt.Errorf("-exclude-unresolved: %.40q is not known: use %s or %s", o.Unresolved, audit.UnresolvedFails, audit.UnresolvedOK)
	}
	return nil
}
