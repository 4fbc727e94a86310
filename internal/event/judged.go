package event

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Judged reports whether the scan found out what the target is: a product, and
// what it asks of an unauthenticated client, or certainly something else. Closed, silent and
// excluded say nothing of a target that was named; of a member of a range, of one
// of the ports tried of a host, or of one of the addresses of a name they are an
// answer: Summary.Unlisted has the hosts and names of which no other came. What
// this version does not know counts as not judged.
func (t *Target) Judged() bool {
	if t.Target.Kind == TargetFiles && t.Outcome != OutcomeAbsent {
		return t.judgedInFiles()
	}
	if t.Posture != nil && t.Posture.Result != PostureNotJudged {
		return true // closed, where that is what was declared
	}
	switch t.Outcome {
	case OutcomeIdentified, OutcomeHelper:
		return t.Auth != nil && stated(t.Auth.State)
	case OutcomeOther:
		// A guess at a product that answered otherwise is something else; one that
		// did not finish is listed as identified.
		return t.answered()
	case OutcomeClosed, OutcomeSilent, OutcomeExcluded:
		return t.Target.Member != ""
	case OutcomeAbsent: // in a comparison: no longer looked at
		return true
	}
	return false
}

// judgedInFiles is Judged of a deployment; see Unread.
func (t *Target) judgedInFiles() bool {
	switch t.Outcome {
	case OutcomeOther:
		return t.Files != nil && len(t.Files.Unjudged) == 0
	case OutcomeIdentified:
		return t.Refuses() || t.Auth != nil && stated(t.Auth.State)
	}
	return false
}

// MaxUnread is how many places a target names that could not be judged.
const MaxUnread = 1000

// Unread notes a place of a deployment that could not be judged. It might change what the
// rest says, so that this is no verdict any more, but for what stands open.
func (t *Target) Unread(l Location) {
	if len(t.Files.Unjudged) < MaxUnread {
		t.Files.Unjudged = append(t.Files.Unjudged, l)
	}
	if t.Auth == nil || t.Auth.State == AuthOpen || t.Auth.State == AuthClaimable {
		return
	}
	t.Auth.State, t.Auth.Mode = AuthUnknown, ""
	t.Files.Starts = StartsUnknown
}

// Refuses reports whether the target is a gateway that does not start with what its
// files declare, so that nobody gets to it.
func (t *Target) Refuses() bool { return t.Files != nil && t.Files.Starts == StartsNo }

// stated reports whether an auth state says what an unauthenticated client meets. Blocked does
// not: the gateway refuses before its authentication shows.
func stated(state AuthState) bool {
	switch state {
	case AuthOpen, AuthRequired, AuthGated, AuthClaimable:
		return true
	}
	return false
}

// answered reports whether the first answer is whole and the target's own: 502,
// 503 and 504 are what a proxy, or a server that is still starting, says
// instead (RFC 9110 sections 15.6.3 to 15.6.5).
func (t *Target) answered() bool {
	if len(t.Evidence) == 0 {
		return true
	}
	x := t.Evidence[0]
	return x.Error == "" && (x.Status < 502 || x.Status > 504)
}

// Why names the reason for which a target is not judged: its auth state if a
// product was recognised, else its outcome.
func (t *Target) Why() string {
	switch {
	case t.Files != nil && len(t.Files.Unjudged) > 0:
		return WhyUnread
	case t.Outcome == OutcomeOther:
		return "no whole answer"
	case t.Auth != nil && t.Auth.State != "" && !stated(t.Auth.State):
		return string(t.Auth.State)
	}
	return string(t.Outcome)
}

// WhyUnread is what Why says of a deployment of which a part could not be judged.
const WhyUnread = "not all could be judged"

// Unjudged gathers what could not be judged, and names the first of it.
type Unjudged struct {
	Count  int64
	Places []Place // each once
	named  int64   // how many of Count they stand for
}

// Target takes a line of the stream, if it is not judged.
func (u *Unjudged) Target(t *Target) {
	if !t.Judged() {
		u.add(Place{t.Target.Place(), t.Why()})
	}
}

// Summary takes what has no line.
func (u *Unjudged) Summary(s *Summary) {
	if s.Unlisted == nil {
		return
	}
	for _, p := range s.Unlisted.Targets {
		u.add(p)
	}
	u.Count += s.Unlisted.Count - int64(len(s.Unlisted.Targets))
}

func (u *Unjudged) add(p Place) {
	u.Count++
	known := slices.Contains(u.Places, p)
	if !known && len(u.Places) < MaxUnlisted {
		u.Places, known = append(u.Places, p), true
	}
	if known {
		u.named++
	}
}

// More returns how many there are besides the first n places.
func (u *Unjudged) More(n int) int64 {
	if n >= len(u.Places) {
		return u.Count - u.named
	}
	return u.Count - int64(n)
}

// Place names a target as host:port and its base path, if it has one; a name that
// has no address by itself; a gateway in files by its file, and its name within that.
func (a Address) Place() string {
	if a.Kind == TargetFiles {
		return a.inFiles()
	}
	host := a.Name
	if host == "" {
		host = a.IP
	}
	switch {
	case host == "":
		return a.Input
	case a.IP == "":
		return host
	case a.Port != 0:
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		host += ":" + strconv.Itoa(a.Port)
	}
	if _, rest, ok := strings.Cut(a.URL, "://"); ok {
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			host += strings.TrimRight(rest[i:], "/")
		}
	}
	return host
}

// inFiles names a gateway of a deployment.
func (a Address) inFiles() string {
	out := a.Input
	if a.File != "" {
		out = a.Path(a.File)
	}
	if a.Gateway != "" {
		out += " (" + a.Gateway + ")"
	}
	return out
}

// Path returns the path of a file of a deployment, as the user finds it: Pos.File is
// relative to the deployment.
func (a Address) Path(name string) string { return path.Join(cmp.Or(a.Base, a.Input), name) }

// At is the place of a setting as the user finds it, as FILE:LINE.
func (a Address) At(p Pos) string {
	p.File = a.Path(p.File)
	return p.String()
}
