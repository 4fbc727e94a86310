package inspect

import (
	"testing"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/filetree"
)

// readTraefik reads a tree with all readers, and leaves the doors of Traefik and what else was not read.
func readTraefik(tree filetree.Tree, env map[string]deploy.Value) *deploy.Model {
	m := readProxies(readers(), tree, env)
	linkTraefik(m, tree, env)
	var doors []*deploy.Door
	for _, d := range m.Doors {
		if d.Kind == deploy.KindTraefik {
			doors = append(doors, d)
		}
	}
	m.Doors = doors
	return m
}

func TestTraefik(t *testing.T) { readExamples(t, "traefik", readTraefik) }

func TestOtherProxies(t *testing.T) {
	readExamples(t, "otherproxy", func(tree filetree.Tree, env map[string]deploy.Value) *deploy.Model {
		return readProxies(readers(), tree, env)
	})
}

func FuzzTraefik(f *testing.F) { fuzzProxy(f, "traefik", "compose.yml", readTraefik) }

// TestProxySpaces: a proxy whose configuration a container has runs in it.
func TestProxySpaces(t *testing.T) {
	readExamples(t, "proxyspace", func(tree filetree.Tree, env map[string]deploy.Value) *deploy.Model {
		m := readProxies(readers(), tree, env)
		linkProxies(m, tree, env)
		return m
	})
}
