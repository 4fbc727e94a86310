package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"time"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/advisory"
	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
)

// advisoryFile is where the built-in advisories are.
const advisoryFile = "advisories/openclaw.json"

// AllAdvisories is the word of Data.Advisories for those, too, that cannot be reached
// through the gateway's port.
const AllAdvisories = "all"

// Data says which advisories a release is matched against.
type Data struct {
	Advisories []string // a file, AllAdvisories, or both
	VEX        string
}

// Load reads the advisories and the statements about them. Warnings go to warn, unless
// that is nil.
func (d *Data) Load(n Naming, warn func(text string)) (*check.Advisories, error) {
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
		if out.DB, err = Advisories(); err != nil {
			return nil, err
		}
	}
	if d.VEX == "" {
		return &out, nil
	}
	data, err := bounded.File(d.VEX, advisory.MaxDocument)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.At("vex"), err)
	}
	vex, warnings, err := advisory.LoadVEX(d.VEX, data, out.DB)
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
	data, err := bounded.File(name, advisory.MaxDocument)
	if err != nil {
		return nil, err
	}
	db, err := advisory.Load(name, data)
	if err != nil {
		return nil, fmt.Errorf("%w: make such a file with \"clawsonar advisories update -o\"", err)
	}
	return db, nil
}

// Fingerprints are those that come with the program.
func Fingerprints() (*fingerprint.Set, error) {
	set, err := fingerprint.Load(fingerprints.FS)
	if err != nil {
		return nil, fmt.Errorf("built-in fingerprints: %w", err)
	}
	return set, nil
}

// Advisories are those that come with the program.
func Advisories() (*advisory.DB, error) { return Builtin(advisoryFile, advisory.Load) }

// DataDigest is a digest of all data that comes with the program: what has the same one
// judges alike.
func DataDigest() (string, error) { return digest(fingerprints.FS) }

// digest is that of all files of a directory, with their names.
func digest(dir fs.FS) (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(dir, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(dir, name)
		fmt.Fprintf(sum, "%q %d\n", name, len(data))
		sum.Write(data)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)), err
}

// Builtin loads a file of the program's own data.
func Builtin[T any](file string, load func(string, []byte) (T, error)) (T, error) {
	data, err := fs.ReadFile(fingerprints.FS, file)
	if err != nil {
		var none T
		return none, fmt.Errorf("built-in data: %w", err)
	}
	loaded, err := load(file, data)
	if err != nil {
		return loaded, fmt.Errorf("built-in %w", err)
	}
	return loaded, nil
}

// Dates says of which date the data is.
func Dates(set *fingerprint.Set, advisories *advisory.DB) event.Data {
	table := set.Releases("openclaw")
	return event.Data{
		Releases: table.Len(), NewestRelease: table.Newest().Version.String(),
		ReleasesAsOf: table.AsOf().Format(time.DateOnly),
		Advisories:   len(advisories.All()), AdvisoriesAsOf: advisories.AsOf().Format(time.DateOnly),
	}
}
