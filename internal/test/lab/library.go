//go:build linux

package lab

import (
	"context"
	"path/filepath"
	"strings"
)

// Library puts packages without dependencies into the cache, if they are not there already,
// and returns the folder from which a script can require them. The first, "NAME@VERSION",
// gives the folder its name.
func (l *Lab) Library(ctx context.Context, packages ...string) (string, error) {
	pkg, version, _ := strings.Cut(packages[0], "@")
	name := "library-" + dirName(pkg, version)
	args := append([]string{"--ignore-scripts"}, packages...)
	if err := l.install(ctx, name, pkg, version, `{"name":"lab","private":true}`, args...); err != nil {
		return "", err
	}
	return filepath.Join(l.dir, name), nil
}
