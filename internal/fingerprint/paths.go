package fingerprint

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"github.com/clawsonar/clawsonar/internal/strict"
)

// paths are those that a file which is not built in may ask for.
type paths map[string]bool

// LoadOwn is Load for files that are not built in. They may ask for "/", for the
// paths of the reviewed list, and for those that the user has confirmed, by GET and
// HEAD, with nothing else in the request.
func LoadOwn(fsys fs.FS, list []byte, confirmed []string) (*Set, error) {
	var file struct {
		Paths []struct {
			Path string `yaml:"path"`
			Why  string `yaml:"why"` // it changes nothing and has no secret
		} `yaml:"paths"`
	}
	if err := decode(list, "paths.yaml", &file); err != nil {
		return nil, err
	}
	allowed := paths{}
	for i, p := range file.Paths {
		if err := CheckPath(p.Path); err != nil || p.Why == "" || p.Path != strings.ToLower(p.Path) {
			return nil, strict.At("paths.yaml", list, errors.New("a path is plain, in small letters, and has a reason"), "paths", i)
		}
		allowed[p.Path] = true
	}
	for _, p := range confirmed {
		if err := CheckPath(p); err != nil {
			return nil, err
		}
		allowed[p] = true
	}
	return load(fsys, allowed)
}

// plainPath has no second spelling: no escapes, dot segments, doubled slashes,
// parameters or query.
var plainPath = regexp.MustCompile(`^/(?:(?:\.well-known|[A-Za-z0-9_-][A-Za-z0-9._-]*)(?:/|$))*$`)

// CheckPath reports whether a user may confirm a path.
func CheckPath(path string) error {
	if !plainPath.MatchString(path) {
		return fmt.Errorf("path %q: write it plainly: a slash, then letters, digits, dots, hyphens and slashes, without a query", path)
	}
	if why := sideEffect(path); why != "" {
		return fmt.Errorf("path %q may not be asked for: %s", path, why)
	}
	return nil
}

// permit refuses every request that is not a GET or HEAD of one of the paths. What is
// built in, for which there are none, may ask for more.
func (p paths) permit(r *requestSpec) error {
	switch {
	case p == nil:
		return nil
	case r.RFB:
		return fmt.Errorf("rfb is for built-in files")
	case r.method() != "GET" && r.method() != "HEAD":
		return fmt.Errorf("method %q may not be sent: use GET or HEAD", r.Method)
	case r.Body != "":
		return fmt.Errorf("%s has no body", r.method())
	case r.Reply != "":
		return fmt.Errorf("reply is for built-in files: a WebSocket is opened, and nothing is sent in it")
	case len(r.Headers) > 0:
		return fmt.Errorf("headers are for built-in files")
	}
	return p.path(place(r.Path, "", ""))
}

// path refuses a path that is not one of those.
func (p paths) path(path string) error {
	if p == nil || p[path] {
		return nil
	}
	if err := CheckPath(path); err != nil {
		return err
	}
	return fmt.Errorf("path %q is not on the list of permitted paths: if asking for it changes nothing and gives out no secret, confirm it with -allow-path %s", path, path)
}
