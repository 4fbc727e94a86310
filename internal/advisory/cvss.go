package advisory

import (
	"errors"
	"fmt"
	"strings"

	gocvss20 "github.com/pandatix/go-cvss/20"
	gocvss30 "github.com/pandatix/go-cvss/30"
	gocvss31 "github.com/pandatix/go-cvss/31"
	gocvss40 "github.com/pandatix/go-cvss/40"
)

// Base is the base score: as it is given, else as the vector gives it.
func (s Score) Base() (float64, error) {
	if s.Score > 0 {
		return s.Score, nil
	}
	_, score, err := cvss(s.Vector)
	return score, err
}

// cvss reads a vector, which in CVSS 2.0 does not name its version, and computes
// its base score.
func cvss(vector string) (version string, score float64, err error) {
	version, named := strings.CutPrefix(vector, "CVSS:")
	if version, _, _ = strings.Cut(version, "/"); !named {
		version = "2.0"
	}
	switch {
	case len(vector) > maxText:
		err = fmt.Errorf("longer than %d bytes", maxText)
	case strings.ContainsFunc(vector, func(r rune) bool { return r <= ' ' || r > '~' }):
		err = errors.New("not printable ASCII")
	case !named:
		score, err = compute(gocvss20.ParseVector, (*gocvss20.CVSS20).BaseScore, vector)
	case version == "3.0":
		score, err = compute(gocvss30.ParseVector, (*gocvss30.CVSS30).BaseScore, vector)
	case version == "3.1":
		score, err = compute(gocvss31.ParseVector, (*gocvss31.CVSS31).BaseScore, vector)
	case version == "4.0":
		score, err = compute(gocvss40.ParseVector, base40, vector)
	default:
		err = errors.New("not of CVSS 2.0, 3.0, 3.1 or 4.0")
	}
	if err != nil {
		return "", 0, fmt.Errorf("vector %q: %w", cut(vector, 100), err)
	}
	return version, score, nil
}

func compute[V any](parse func(string) (V, error), score func(V) float64, vector string) (float64, error) {
	v, err := parse(vector)
	if err != nil {
		return 0, err
	}
	return score(v), nil
}

// base40 leaves out threat and environment, which in CVSS 4.0 lower the one score
// there is: they are those of another environment.
func base40(v *gocvss40.CVSS40) float64 {
	for _, metric := range []string{"E", "CR", "IR", "AR", "MAV", "MAC", "MAT", "MPR", "MUI", "MVC", "MVI", "MVA", "MSC", "MSI", "MSA"} {
		_ = v.Set(metric, "X") // not defined; every one of them takes it
	}
	return v.Score()
}
