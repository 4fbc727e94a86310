// Package release knows the releases of the gateway: how its versions are
// written and ordered, which of them exist, and which of them a page comes from
// that references given script and style names.
//
// Everything here is pure: a table is built from bytes the caller has, and no
// function reads a file or the network.
package release

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Version is one release of the gateway, in the vendor's own scheme, which looks
// like semantic versioning and sorts differently:
//
//	2026.7.1-beta.6 < 2026.7.1 < 2026.7.1-2 < 2026.7.2
//
// A bare number after the dash is a correction and is later than its base; alpha,
// beta and rc come before it. (Source: the update and tag helpers in the released
// package, 2026.9.6.) The zero value means unknown. Versions can be compared with
// == and used as map keys; equal versions have equal fields.
type Version struct {
	year  uint16
	month uint8
	stage stage
	patch uint16
	n     uint16 // the number after the stage; 0 for a plain release
}

// stage is where in the life of one patch a release stands. The order of the
// constants is the order of the releases.
type stage int8

const (
	alpha      stage = -3
	beta       stage = -2
	rc         stage = -1
	plain      stage = 0
	correction stage = 1
)

// String is what stands between the patch and the number after the stage.
func (s stage) String() string {
	return [...]string{"-alpha.", "-beta.", "-rc.", "", "-"}[s-alpha]
}

// maxVersionLen is longer than any version can be: 2026.12.65535-alpha.65535 with
// a leading v has 26 characters.
const maxVersionLen = 32

// extendedPatch is the first patch number the vendor reserves for extended-stable
// lines; the ordinary numbers of a month stay below it.
const extendedPatch = 33

// Parse reads one version: YYYY.M.P, optionally followed by -N (a correction) or by
// -alpha.N, -beta.N, -rc.N, or the older spelling .beta.N. One leading "v" is
// accepted, since tags and advisories carry it.
//
// Nothing else passes: no blanks, no leading zeros, no build metadata, month 1 to
// 12, patch and N 1 to 65535. The error quotes at most the beginning of the input,
// escaped, so it can be shown even when s is untrusted.
func Parse(s string) (Version, error) {
	v, ok := parse(s)
	if !ok {
		shown := s
		if len(shown) > maxVersionLen {
			shown = shown[:maxVersionLen] + "…"
		}
		return Version{}, fmt.Errorf("%q is not a release: want YYYY.M.P, or that with -N, -alpha.N, -beta.N or -rc.N", shown)
	}
	return v, nil
}

// MustParse is Parse for a release that is written in our own source; it panics
// on anything else.
func MustParse(s string) Version {
	v, err := Parse(s)
	if err != nil {
		panic(err)
	}
	return v
}

func parse(s string) (Version, bool) {
	if len(s) > maxVersionLen {
		return Version{}, false
	}
	s = strings.TrimPrefix(s, "v")
	year, rest, ok := strings.Cut(s, ".")
	if !ok || len(year) != 4 {
		return Version{}, false
	}
	month, rest, ok := strings.Cut(rest, ".")
	if !ok {
		return Version{}, false
	}
	patch, suffix := rest, ""
	if i := strings.IndexAny(rest, "-."); i >= 0 {
		patch, suffix = rest[:i], rest[i:]
	}
	v := Version{year: number(year), patch: number(patch)}
	if m := number(month); m <= 12 {
		v.month = uint8(m)
	}
	if v.year == 0 || v.month == 0 || v.patch == 0 {
		return Version{}, false
	}
	if suffix == "" {
		return v, true
	}
	suffix = strings.Replace(suffix, ".beta.", "-beta.", 1)
	digits := ""
	for _, v.stage = range []stage{alpha, beta, rc, correction} {
		if rest, ok := strings.CutPrefix(suffix, v.stage.String()); ok {
			digits = rest
			break
		}
	}
	v.n = number(digits)
	return v, v.n != 0
}

// number reads a decimal from 1 to 65535 without sign or leading zero; 0 means it
// is not one.
func number(s string) uint16 {
	if s == "" || s[0] < '1' || s[0] > '9' {
		return 0
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

// Compare returns a negative number when v is earlier than w, 0 when they are the
// same, a positive number when v is later. An unknown version sorts first.
func (v Version) Compare(w Version) int {
	return cmp.Or(
		cmp.Compare(v.year, w.year),
		cmp.Compare(v.month, w.month),
		cmp.Compare(v.patch, w.patch),
		cmp.Compare(v.stage, w.stage),
		cmp.Compare(v.n, w.n),
	)
}

// Number is a positive number that orders versions as Compare does; 0 for an unknown one.
func (v Version) Number() int64 {
	if v.IsZero() {
		return 0
	}
	return int64(v.year)<<43 | int64(v.month)<<35 | int64(v.patch)<<19 | int64(v.stage-alpha)<<16 | int64(v.n)
}

// IsZero reports whether the version is unknown.
func (v Version) IsZero() bool { return v == Version{} }

// Prerelease reports whether v is an alpha, beta or release candidate.
func (v Version) Prerelease() bool { return v.stage < plain }

// Extended reports whether v belongs to an extended-stable line: an old month kept
// alive with back-ported fixes. Such a release is later than fixes it may lack and
// earlier than fixes it may have, so order alone does not tell what it contains.
func (v Version) Extended() bool { return v.patch >= extendedPatch }

// SameLine reports whether both are of the same year and month.
func (v Version) SameLine(w Version) bool { return v.year == w.year && v.month == w.month }

// String returns the canonical spelling, the one npm lists, without a leading v;
// empty for an unknown version. Parse gives back the same version.
func (v Version) String() string {
	if v.IsZero() {
		return ""
	}
	b := make([]byte, 0, maxVersionLen)
	b = strconv.AppendUint(b, uint64(v.year), 10)
	b = append(b, '.')
	b = strconv.AppendUint(b, uint64(v.month), 10)
	b = append(b, '.')
	b = strconv.AppendUint(b, uint64(v.patch), 10)
	if v.stage == plain {
		return string(b)
	}
	b = append(b, v.stage.String()...)
	return string(strconv.AppendUint(b, uint64(v.n), 10))
}

// MarshalText implements encoding.TextMarshaler; an unknown version is empty text.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. Empty text is an unknown
// version; anything else must pass Parse.
func (v *Version) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*v = Version{}
		return nil
	}
	w, err := Parse(string(text))
	if err != nil {
		return err
	}
	*v = w
	return nil
}

// Build is what the Control UI says about the build it came from.
type Build struct {
	Version Version
	Commit  string    // first 12 hex digits of the vendor's commit
	Time    time.Time // when it was built, UTC; zero when the stamp has none
}

// maxBuildLen leaves space for the page's build id, which is the stamp with a
// 64 digit digest behind it: 119 characters in 2026.9.6.
const maxBuildLen = 192

// stampTime is how the stamp writes its time: no colons, since it is part of a
// cache name.
const stampTime = "2006-01-02T15-04-05.000Z"

// ParseBuild reads a build stamp: EMBEDDED_CACHE_VERSION in sw.js (since
// 2026.5.14-beta.2), or the build id attribute of the page (since 2026.9.2), which is
// the same with a digest behind it. It has had three shapes:
//
//	2026.5.28-e93216080aa1
//	2026.8.2-0965053fe6b9-2026-09-01T09-44-31.342Z
//	2026.9.6-release-eb377ac59e6c-2026-09-23T16-33-12.144Z
//
// What follows the time is not looked at. A stamp without a release or without a
// commit (a build from a working tree) is an error.
func ParseBuild(s string) (Build, error) {
	m := stamp.FindStringSubmatch(s)
	if m == nil || len(s) > maxBuildLen {
		return Build{}, errors.New("not a build stamp: want VERSION-COMMIT, optionally with -release before the commit and a time after it")
	}
	v, err := Parse(m[1])
	if err != nil {
		return Build{}, fmt.Errorf("build stamp: %w", err)
	}
	b := Build{Version: v, Commit: m[2]}
	if t, err := time.Parse(stampTime, m[3]); err == nil {
		b.Time = t
	}
	return b, nil
}

// stamp is how a build stamp begins: version, commit and, in five fields, the time.
// The commit is the first field of exactly 12 hex digits. A version has no such field:
// its numbers end at 65535.
var stamp = regexp.MustCompile(`^(.+?)(?:-release)?-([0-9a-f]{12})(?:-([^-]*(?:-[^-]*){4}))?(?:-|$)`)

// isHex reports whether s is exactly n lower-case hex digits.
func isHex(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
