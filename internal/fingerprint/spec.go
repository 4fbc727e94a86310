package fingerprint

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// spec is a fingerprint file as it is written.
type spec struct {
	ID       string            `yaml:"id"`
	Name     string            `yaml:"name"`
	Releases string            `yaml:"releases"` // name of the release table, if there is one
	Ports    []uint16          `yaml:"ports"`    // where the product listens by default
	Requests []requestSpec     `yaml:"requests"`
	Signals  map[string]signal `yaml:"signals"`
	Identity []identityRule    `yaml:"identity"`
	Brand    []brandRule       `yaml:"brand"`
	Auth     []authRule        `yaml:"auth"`
	Version  []versionSource   `yaml:"version"`
	Surfaces []surfaceRule     `yaml:"surfaces"`
	Notes    []noteRule        `yaml:"notes"`
}

// frontSpec is the file of fronts: what stands before a product.
type frontSpec struct {
	Fronts []frontRule `yaml:"fronts"`
	Gates  []frontRule `yaml:"gates"`
}

type frontRule struct {
	ID    string `yaml:"id"`
	Name  string `yaml:"name"`
	match `yaml:",inline"`
}

type requestSpec struct {
	ID        string            `yaml:"id"`
	Method    string            `yaml:"method"` // default GET
	Path      string            `yaml:"path"`   // "{base}" stands for the base path
	WebSocket bool              `yaml:"websocket"`
	Headers   map[string]string `yaml:"headers"`
	Body      string            `yaml:"body"`
	Level     Level             `yaml:"level"` // default passive
	// For names the questions that the request can answer; it is sent only
	// while one of them is open. Empty: sent whenever its condition holds.
	For     []string `yaml:"for"`
	When    cond     `yaml:"when"`
	MaxBody int      `yaml:"max_body"`
}

// cond holds when all of All, at least one of Any (if there are any), and none
// of None hold. They are names of signals.
type cond struct {
	All  []string `yaml:"all"`
	Any  []string `yaml:"any"`
	None []string `yaml:"none"`
}

func (c cond) empty() bool { return len(c.All)+len(c.Any)+len(c.None) == 0 }

// signal is either a condition on other signals, or something to see in the
// answer to one of the requests it names.
type signal struct {
	On    oneOrMore `yaml:"on"`
	cond  `yaml:",inline"`
	match `yaml:",inline"`
	// DefaultPort holds on the product's own ports.
	DefaultPort bool `yaml:"default_port"`
	// Subject is a pattern on the certificate's subject (RFC 2253 form).
	Subject *pattern `yaml:"subject"`
}

type identityRule struct {
	Confidence Confidence `yaml:"confidence"`
	cond       `yaml:",inline"`
}

type brandRule struct {
	Brand string `yaml:"brand"`
	cond  `yaml:",inline"`
}

type authRule struct {
	State State  `yaml:"state"`
	Mode  string `yaml:"mode"`
	cond  `yaml:",inline"`
}

type surfaceRule struct {
	ID    string `yaml:"id"`
	Path  string `yaml:"path"`
	State string `yaml:"state"`
	cond  `yaml:",inline"`
}

type noteRule struct {
	Text string `yaml:"text"`
	cond `yaml:",inline"`
}

// versionSource says where an answer names the release. Exactly one of
// Attribute, Body, JSON and Assets is set.
type versionSource struct {
	Source     string     `yaml:"source"`
	On         string     `yaml:"on"`
	Attribute  string     `yaml:"attribute"` // of the html element
	Body       *pattern   `yaml:"body"`
	JSON       string     `yaml:"json"`
	Stamp      bool       `yaml:"stamp"` // a build stamp: release, commit, maybe a time
	Assets     bool       `yaml:"assets"`
	Confidence Confidence `yaml:"confidence"`
	cond       `yaml:",inline"`
}

// decode reads YAML strictly: an unknown key is an error with its line.
func decode(data []byte, name string, into any) error {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("%s: %s", name, yamlError(err))
	}
	return nil
}

// yamlError puts the library's message on one line. Of several errors it keeps
// the first: the others often follow from it.
func yamlError(err error) string {
	text := err.Error()
	var many *yaml.LoadErrors
	if errors.As(err, &many) && len(many.Errors) > 0 {
		text = many.Errors[0].Error()
	}
	text = strings.TrimPrefix(text, "yaml: ")
	return strings.Join(strings.Fields(text), " ")
}

// lineOf finds the line of a place in a document that has been decoded: keys
// by name, list entries by index. It returns the line of the deepest part that
// exists. Only errors need it, so the document is read again.
func lineOf(data []byte, path ...any) int {
	var root yaml.Node
	if yaml.Unmarshal(data, &root) != nil || len(root.Content) == 0 {
		return 1
	}
	n := root.Content[0]
	line := n.Line
	for _, step := range path {
		var next *yaml.Node
		switch step := step.(type) {
		case string:
			for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == step {
					line, next = n.Content[i].Line, n.Content[i+1]
				}
			}
		case int:
			if n.Kind == yaml.SequenceNode && step < len(n.Content) {
				next = n.Content[step]
				line = next.Line
			}
		}
		if next == nil {
			return line
		}
		n = next
	}
	return line
}

// oneOrMore is a YAML string or a list of strings.
type oneOrMore []string

func (o *oneOrMore) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*o = []string{n.Value}
		return nil
	}
	return n.Decode((*[]string)(o))
}
