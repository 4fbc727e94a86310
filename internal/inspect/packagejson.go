package inspect

import (
	"bytes"
	"path"
	"regexp"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/release"
)

// packageReader reads which release package.json or package-lock.json installs.
func packageReader() reader {
	return reader{
		kind: deploy.KindPackage,
		match: func(name string, data []byte) bool {
			file := path.Base(name)
			return (file == "package.json" || file == "package-lock.json" || file == "npm-shrinkwrap.json") && mentionsProduct(string(data))
		},
		read: func(s *source) error {
			if path.Base(s.name) != "package.json" {
				readLock(s)
				return nil
			}
			return readPackage(s)
		},
	}
}

func readPackage(s *source) error {
	root, err := s.document()
	if err != nil || root == nil {
		return err
	}
	for _, list := range []string{"dependencies", "devDependencies", "optionalDependencies"} {
		for _, name := range []string{"openclaw", "clawdbot", "moltbot"} {
			v := root.Get(list, name)
			if v == nil {
				continue
			}
			if _, err := release.Parse(scalar(v)); err == nil {
				s.m.Releases = append(s.m.Releases, valueOf(v))
				continue
			}
			locked := false
			for _, file := range []string{"package-lock.json", "npm-shrinkwrap.json"} {
				if s.tree != nil {
					_, ok := s.tree.Stat(path.Join(path.Dir(s.name), file))
					locked = locked || ok
				}
			}
			if !locked {
				s.m.Gaps = append(s.m.Gaps, deploy.Gap{Minor: true, Kind: deploy.KindPackage, Why: "gap.release-range", Pos: v.Pos})
			}
		}
	}
	return nil
}

// readLock looks for the product's entry: lock files are too large to be read whole for it.
func readLock(s *source) {
	entry := regexp.MustCompile(`"(?:node_modules/)?(?:openclaw|clawdbot|moltbot)"\s*:\s*\{\s*"version"\s*:\s*"([0-9A-Za-z.+-]{1,40})"`)
	for _, m := range entry.FindAllSubmatchIndex(s.data, 10) {
		text := string(s.data[m[2]:m[3]])
		if _, err := release.Parse(text); err != nil {
			continue
		}
		before := s.data[:m[2]]
		pos := event.Pos{File: s.name, Line: bytes.Count(before, []byte("\n")) + 1, Column: utf16Len(string(before[bytes.LastIndexByte(before, '\n')+1:])) + 1}
		s.m.Releases = append(s.m.Releases, deploy.Value{State: deploy.Set, Text: text, Pos: pos})
	}
}
