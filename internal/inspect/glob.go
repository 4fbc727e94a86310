package inspect

import (
	"path"
	"strings"

	"github.com/clawsonar/clawsonar/internal/filetree"
)

// globFiles returns the files of a tree that a pattern matches, in the order of their
// names; of links, where they lead.
func globFiles(tree filetree.Tree, pattern string) []string {
	if pattern == ".." || strings.HasPrefix(pattern, "../") {
		return nil
	}
	if !strings.ContainsAny(pattern, "*?[") {
		if info, ok := tree.Stat(pattern); ok && info.Mode.IsRegular() {
			return []string{pattern}
		}
		return nil
	}
	var found []string
	for _, f := range tree.Files() {
		if ok, err := path.Match(pattern, f.Name); err == nil && ok && !f.Mode.IsDir() {
			if f.Link != "" {
				f.Name = f.Link
			}
			found = append(found, f.Name)
		}
	}
	return found
}
