package cli

import (
	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/target"
)

// scopeFlags adds the flags about what may be contacted at all.
func scopeFlags(f *flags, o *audit.Scope) {
	f.group("Scope (addresses, blocks, ranges, names, AS numbers; exclusions win)")
	f.list(&o.Allow, "allow", "", "TARGET", "contact only this; repeatable", checked(target.ParseEntry)).
		mustName("in addition to another allow list it allows more")
	f.text(&o.ScopeFile, "scope", "", "FILE", "contact only what this file lists (and -allow)", nil).
		mustName("in addition to another allow list it allows more")
	f.list(&o.Exclude, "exclude", "e", "TARGET", "never contact this; repeatable", checked(target.ParseEntry)).
		mayFind("it only excludes")
	f.text(&o.ExcludeFile, "exclude-file", "ef", "FILE", "never contact what this file lists", nil).
		mayFind("it only excludes", within)
	f.choice(&o.Unresolved, "exclude-unresolved", "", "WHAT", audit.UnresolvedFails, "if a name to exclude does not exist: fail, or ok: continue and exclude the name only",
		[]string{audit.UnresolvedFails, audit.UnresolvedOK}).
		mustName("it excludes less")
	f.text(&o.ASFile, "as-file", "", "FILE", "blocks of the AS numbers, in the format of iptoasn, pyasn or CAIDA", nil).
		mustName("it says which addresses an allow list allows")
}
