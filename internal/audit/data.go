package audit

import (
	"fmt"

	"github.com/clawsonar/clawsonar/internal/advisory"
	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/data"
)

// AllAdvisories is the word of Data.Advisories for those, too, that cannot be reached
// through the gateway's port.
const AllAdvisories = "all"

// Data says which advisories a release is matched against.
type Data struct {
	Advisories []string // a file, AllAdvisories, or both
	VEX        string
}

// Load reads the advisories, unless they are those that are known, and the statements
// about them. Warnings go to warn, unless that is nil.
func (d *Data) Load(known *data.Known, n Naming, warn func(text string)) (*check.Advisories, error) {
	var out check.Advisories
	var err error
	for _, name := range d.Advisories {
		switch {
		case name == AllAdvisories:
			out.All = true
		case out.DB != nil:
			return nil, fmt.Errorf("%s: a second file, %s: give one", n.At("advisories"), name)
		default:
			if out.DB, err = readAdvisories(name); err != nil {
				return nil, fmt.Errorf("%s: %w", n.At("advisories"), err)
			}
		}
	}
	if out.DB == nil {
		if out.DB, err = known.Advisories(); err != nil {
			return nil, err
		}
	}
	if d.VEX == "" {
		return &out, nil
	}
	statements, err := bounded.File(d.VEX, advisory.MaxDocument)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.At("vex"), err)
	}
	vex, warnings, err := advisory.LoadVEX(d.VEX, statements, out.DB)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.At("vex"), err)
	}
	for _, w := range warnings {
		if warn != nil {
			warn(d.VEX + ": " + w)
		}
	}
	out.VEX = vex
	return &out, nil
}

func readAdvisories(name string) (*advisory.DB, error) {
	text, err := bounded.File(name, advisory.MaxDocument)
	if err != nil {
		return nil, err
	}
	db, err := advisory.Load(name, text)
	if err != nil {
		return nil, fmt.Errorf("%w: make such a file with \"clawsonar advisories update -o\"", err)
	}
	return db, nil
}
