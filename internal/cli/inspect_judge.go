package cli

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/exposure"
	"github.com/clawsonar/clawsonar/internal/filetree"
	"github.com/clawsonar/clawsonar/internal/inspect"
	"github.com/clawsonar/clawsonar/internal/release"
)

// judge loads what the judging needs.
func (o *inspectOptions) judge(s streams, known *data.Known) (judging, event.Data, error) {
	var none event.Data
	advisories, err := loadData(known, &o.Data, s)
	if err != nil {
		return nil, none, err
	}
	keys, err := known.Keys()
	if err != nil {
		return nil, none, err
	}
	var stated release.Version
	if o.release != "" {
		if stated, err = release.Parse(o.release); err != nil {
			return nil, none, err
		}
	}
	env := map[string]deploy.Value{}
	for _, name := range o.env {
		text, err := bounded.File(name, inspect.MaxFile)
		if err != nil {
			return nil, none, fmt.Errorf("-env: %w", err)
		}
		for variable, v := range inspect.Variables(name, text) {
			env[variable] = v
		}
	}
	judge := func(tree filetree.Tree, a event.Address) (*deploy.Model, []*event.Target) {
		options := inspect.Options{Env: env, StateDir: o.stateDirIn(a), Home: o.homeIn(a)}
		if a.Source == sourceLocal {
			options.Running, options.Gaps = inspect.Running()
		}
		d := inspect.Read(tree, options)
		return d.Model, exposure.Judge(d.Model, exposure.Options{
			Input: a.Input, Read: d.Read, Load: d.Load, Line: d.Line, Release: stated, Releases: known.Releases(),
			Advisories: advisories, Keys: keys,
		})
	}
	return judge, known.About(advisories.DB), nil
}

// stateDirIn is the state directory as the tree of a deployment names it; "" if nothing
// names it.
func (o *inspectOptions) stateDirIn(a event.Address) string {
	if o.stateDir == "" && o.home != "" {
		return inTree(a, filepath.Join(o.home, ".openclaw"))
	}
	return inTree(a, o.stateDir)
}

// homeIn is the home directory as the tree of a deployment names it.
func (o *inspectOptions) homeIn(a event.Address) string { return inTree(a, o.home) }

// inTree is a path as the tree of a deployment names it: it may be given as the user
// finds it, or as it is in the tree.
func inTree(a event.Address, name string) string {
	if name == "" {
		return ""
	}
	if abs, err := filepath.Abs(name); err == nil && a.Source == sourceLocal {
		name = abs
	}
	name = filepath.ToSlash(filepath.Clean(name))
	if rest, ok := strings.CutPrefix(name, strings.TrimSuffix(a.Path(""), "/")+"/"); ok {
		name = rest
	}
	return strings.TrimPrefix(name, "/")
}
