package report

import (
	"net/url"
	"path"
	"path/filepath"
	"strings"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
)

// This file puts into words what a scan does not have: targets that are the files of a
// deployment, places in files, and changes of them.

// maxPlacesInFiles is how many places of a finding are shown to people.
const maxPlacesInFiles = 8

func inFiles(t *event.Target) bool { return t.Target.Kind == event.TargetFiles }

// filesReach says who gets packets to a gateway.
func (c *catalogue) filesReach(r event.FilesReach) string {
	switch r {
	case event.FilesLoopback:
		return c.say("reached over loopback only")
	case event.FilesPodLoopback:
		return c.say("reached from the same pod or container only")
	case event.FilesHostLoopback:
		return c.say("reached over loopback of the host")
	case event.FilesContainerNet:
		return c.say("reached from containers of the same network")
	case event.FilesCluster:
		return c.say("reached from the pods of the cluster")
	case event.FilesTailnet:
		return c.say("reached from the tailnet")
	case event.FilesLAN:
		return c.say("reached from every network that the machine is in")
	case event.FilesHostAddresses:
		return c.say("reached at every address of the machine")
	case event.FilesInternet:
		return c.say("reached from the internet")
	}
	return c.say("who reaches it is not known")
}

// placed is a place in a file, in words.
type placed struct{ At, Says string }

// locations are the places of a clean finding, the deciding one first; more counts those
// that are left out.
func (c *catalogue) locations(t *event.Target, all []event.Location) (out []placed, more string) {
	for _, l := range all[:min(len(all), maxPlacesInFiles)] {
		out = append(out, placed{t.Target.At(l.Pos), c.optional(l.Says, l.Message)})
	}
	return out, c.more(len(all) - len(out))
}

// inFile is a place in one line of text.
func (c *catalogue) inFile(p placed) string {
	if p.Says == "" {
		return p.At
	}
	return c.say("%s: %s", p.At, p.Says)
}

// filesWays are the ways in to a gateway that are shown.
func filesWays(t *event.Target) []event.Way {
	if t.Files == nil {
		return nil
	}
	return t.Files.Ways[:min(len(t.Files.Ways), maxPlacesInFiles)]
}

// way is a way in, in one line of text.
func (c *catalogue) way(t *event.Target, w event.Way) string {
	parts := []string{c.filesReach(w.Reach), c.state(w.Auth)}
	places, more := c.locations(t, w.Steps)
	for _, p := range places {
		parts = append(parts, c.inFile(p))
	}
	if more != "" {
		parts = append(parts, more)
	}
	return strings.Join(parts, c.say("; "))
}

// unread are the places that could not be judged, in words.
func (c *catalogue) unread(t *event.Target) []string {
	if t.Files == nil {
		return nil
	}
	var out []string
	places, more := c.locations(t, t.Files.Unjudged)
	for _, p := range places {
		out = append(out, c.say("Not judged: %s", c.inFile(p)))
	}
	if more != "" {
		out = append(out, c.say("Not judged: %s", more))
	}
	return out
}

// maxDiff is how many lines of a change are shown: it is of one line, or of a few.
const maxDiff = 20

// cleanDiff makes the lines of a change safe to print, and keeps their indent.
func cleanDiff(s string) string {
	var out []string
	for line := range strings.SplitSeq(s, "\n") {
		sign := ""
		if line != "" && strings.Contains("+- ", line[:1]) {
			sign, line = line[:1], line[1:]
		}
		text := strings.TrimLeft(line, " \t")
		indent := min(len(line)-len(text), 40)
		if out = append(out, sign+strings.Repeat(" ", indent)+clean.N(text, 400)); len(out) == maxDiff {
			break
		}
	}
	return strings.Join(out, "\n")
}

// diffLines are the lines of the change that fixes a clean finding.
func diffLines(f *event.Finding) []string {
	if f.Diff == "" {
		return nil
	}
	return strings.Split(f.Diff, "\n")
}

// repositoryName names a file of a deployment relative to the directory of the run, if it
// is in that, else below the root of the machine. Root is that directory, "" if it is not
// known.
func repositoryName(t *event.Target, file, root string) string {
	name := path.Clean(strings.ReplaceAll(t.Target.Path(file), "\\", "/"))
	if root != "" {
		full := filepath.FromSlash(name)
		if !filepath.IsAbs(full) {
			full = filepath.Join(root, full)
		}
		if rel, err := filepath.Rel(root, full); err == nil {
			name = pick(filepath.IsLocal(rel), filepath.ToSlash(rel), filepath.ToSlash(full))
		}
	}
	for strings.HasPrefix(name, "../") {
		name = strings.TrimPrefix(name, "../")
	}
	return name
}

// artifact is repositoryName for SARIF.
func artifact(t *event.Target, file, root string) sarifArtifact {
	name := repositoryName(t, file, root)
	if path.IsAbs(name) {
		return sarifArtifact{URI: (&url.URL{Scheme: "file", Path: name}).String()}
	}
	return sarifArtifact{URI: escapedPath(name), URIBaseID: "%SRCROOT%"}
}

// escapedPath is a path as a relative reference: a colon in its first part would make a
// scheme of that (RFC 3986 section 4.2).
func escapedPath(name string) string {
	return strings.ReplaceAll((&url.URL{Path: name}).EscapedPath(), ":", "%3A")
}

// filesLocation is a place in a file for SARIF.
func filesLocation(t *event.Target, l event.Location, root string) sarifLocation {
	out := sarifLocation{Physical: sarifPhysical{Artifact: artifact(t, l.File, root), Region: sarifRegion{max(l.Line, 1), l.Column}}}
	if l.Says != "" {
		m := plainText(l.Says)
		out.Message = &m
	}
	return out
}

// filesLocations are the places of a finding: the deciding one, and the others.
func filesLocations(t *event.Target, all []event.Location, root string) (deciding, related []sarifLocation) {
	if len(all) == 0 {
		all = []event.Location{{Pos: event.Pos{File: t.Target.File}}}
	}
	first := filesLocation(t, all[0], root)
	first.Message = nil
	first.Logical = []sarifLogical{{where(t.Target), "resource"}}
	for i, l := range all[1:] {
		x := filesLocation(t, l, root)
		x.ID = i + 1
		related = append(related, x)
	}
	return []sarifLocation{first}, related
}

// stated is where the release of a gateway is stated.
func stated(t *event.Target) []event.Location {
	if t.Version == nil || t.Version.At == nil {
		return nil
	}
	return []event.Location{{Pos: *t.Version.At}}
}
