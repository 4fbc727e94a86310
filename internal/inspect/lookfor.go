package inspect

import (
	"maps"
	"path"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
)

// lookFor finds the file of the tree that a path of the deployed machine means: at this path, next to
// the file that names it, or the only one with the same last parts.
func (s *source) lookFor(name string) (string, bool) { return s.lookForKind(name, false) }

// lookForDir is lookFor for a directory.
func (s *source) lookForDir(name string) (string, bool) { return s.lookForKind(name, true) }

func (s *source) lookForKind(name string, dir bool) (string, bool) {
	if s.tree == nil || name == "" || strings.ContainsAny(name, "*?$%") {
		return "", false
	}
	if rest, ok := strings.CutPrefix(name, "~/"); ok && s.home != "" {
		candidate := path.Join(s.home, rest)
		info, ok := s.tree.Stat(candidate)
		return candidate, ok && info.Mode.IsDir() == dir && info.Link == ""
	}
	clean := strings.TrimPrefix(path.Clean("/"+strings.TrimPrefix(name, "~/")), "/")
	for _, candidate := range []string{clean, path.Join(path.Dir(s.name), name), path.Join(path.Dir(s.name), path.Base(clean))} {
		if info, ok := s.tree.Stat(candidate); ok && info.Mode.IsDir() == dir && info.Link == "" {
			return candidate, true
		}
	}
	// The part from a directory of the product's on, or the last two.
	parts := strings.Split(clean, "/")
	from := max(len(parts)-2, 0)
	for i, p := range parts {
		if stateName(p) {
			from = i
		}
	}
	tail, found := "/"+strings.Join(parts[from:], "/"), ""
	for _, f := range s.tree.Files() {
		name := f.Name
		if dir { // not every tree lists its directories
			i := strings.Index("/"+name+"/", tail+"/")
			if i < 0 {
				continue
			}
			name = ("/" + name)[1:min(i+len(tail), len(name)+1)]
			if !f.Mode.IsDir() && name == f.Name {
				continue
			}
		} else if !f.Mode.IsRegular() || !strings.HasSuffix("/"+name, tail) {
			continue
		}
		if found != "" && found != name {
			return "", false
		}
		found = name
	}
	return found, found != ""
}

// stateName reports whether a directory has the name of a state directory.
func stateName(dir string) bool {
	switch dir {
	case ".openclaw", ".clawdbot", ".moltbot", ".moldbot":
		return true
	}
	return strings.HasPrefix(dir, ".openclaw-")
}

// addFile adds a file for its modes, where they mean something.
func (s *source) addFile(name string, what deploy.FileWhat) {
	if s.tree == nil || !s.tree.Modes() {
		return
	}
	for _, have := range s.m.Files {
		if have.Path == name {
			return
		}
	}
	info, ok := s.tree.Stat(name)
	if !ok {
		return
	}
	s.m.Files = append(s.m.Files, deploy.File{
		Path: name, Mode: uint32(info.Mode.Perm()), Dir: info.Mode.IsDir(), Link: info.Link != "", UID: info.UID, What: what,
	})
}

// envFile reads a file of variables, as units and docker name them, into env. It
// reports whether the file is in the tree.
func (s *source) envFile(name string, env map[string]deploy.Value) bool {
	file, ok := s.lookFor(name)
	if !ok {
		return false
	}
	data, err := s.tree.Read(file, 1<<20)
	if err != nil {
		return false
	}
	maps.Copy(env, dotenv(file, data, nil))
	return true
}
