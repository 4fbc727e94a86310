package local

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/clawsonar/clawsonar/internal/strict"
)

// File is where the built-in knowledge is in the fingerprints.
const File = "local/listeners.yaml"

// Known is what is known of programs that listen.
type Known struct {
	LeftAlone LeftAlone `yaml:"left_alone"`
	// Own are words in the name or command line of a program that is asked
	// on any port.
	Own []string `yaml:"own"`
	// Forwarders are names of programs that forward to what is behind them.
	Forwarders []string `yaml:"forwarders"`
}

// Forwards reports whether a listener's program forwards to what is behind it.
func (k *Known) Forwards(l Listener) bool {
	return l.Process != "" && slices.Contains(k.Forwarders, l.name())
}

// name is the program's name as the lists have it.
func (l Listener) name() string { return strings.TrimSuffix(strings.ToLower(l.Process), ".exe") }

// LeftAlone lists the protocols whose servers are not to be asked for a web
// page, since they take any bytes for a job, an order or an attack.
type LeftAlone []Protocol

// Protocol is one of them: its name, why it is left alone, and by what a
// listener is known to speak it.
type Protocol struct {
	Name      string   `yaml:"name"`
	Why       string   `yaml:"why"`
	Ports     []ports  `yaml:"ports"`
	Programs  []string `yaml:"programs"`  // names, exact
	Arguments []string `yaml:"arguments"` // parts of an argument that also holds the port
}

// ports are a port or a range, both ends included.
type ports struct{ first, last uint16 }

// UnmarshalText reads 22 or 9100-9107.
func (p *ports) UnmarshalText(text []byte) error {
	a, b, isRange := strings.Cut(string(text), "-")
	if !isRange {
		b = a
	}
	first, err1 := strconv.ParseUint(a, 10, 16)
	last, err2 := strconv.ParseUint(b, 10, 16)
	if err1 != nil || err2 != nil || first == 0 || last < first {
		return fmt.Errorf("%q is neither a port nor a range such as 9100-9107", text)
	}
	p.first, p.last = uint16(first), uint16(last)
	return nil
}

// Load reads what is known from a folder of fingerprints. What it does not
// understand is an error: it might be what is not to be contacted.
func Load(fsys fs.FS) (*Known, error) {
	data, err := fs.ReadFile(fsys, File)
	if err != nil {
		return nil, err
	}
	return parse(data)
}

func parse(data []byte) (*Known, error) {
	k := new(Known)
	if err := strict.YAML(File, data, k); err != nil {
		return nil, err
	}
	if len(k.LeftAlone) == 0 {
		return nil, strict.At(File, data, errors.New("left_alone: nothing is listed"), "left_alone")
	}
	words := slices.Concat(k.Forwarders, k.Own)
	for i, p := range k.LeftAlone {
		fail := func(format string, args ...any) error {
			return strict.At(File, data, fmt.Errorf(format, args...), "left_alone", i)
		}
		switch {
		case p.Name == "" || p.Why == "":
			return nil, fail("give it a name and say why")
		case len(p.Ports)+len(p.Programs)+len(p.Arguments) == 0:
			return nil, fail("nothing says how it is known: add ports, programs or arguments")
		}
		words = append(append(words, p.Programs...), p.Arguments...)
		for _, name := range p.Programs {
			if slices.Contains(k.Forwarders, name) {
				return nil, fail("%s is a forwarder, too: it may lead to a web server", name)
			}
		}
	}
	for _, w := range words {
		if w == "" || w != strings.ToLower(strings.TrimSpace(w)) {
			return nil, fmt.Errorf("%s: %q: write it in small letters, without spaces around it", File, w)
		}
	}
	return k, nil
}

// Program returns the protocol that a listener's program or its arguments show;
// nil if they show none.
func (a LeftAlone) Program(l Listener) *Protocol {
	name := l.name()
	port := strconv.Itoa(int(l.Addr.Port()))
	for i, p := range a {
		if name != "" && slices.Contains(p.Programs, name) {
			return &a[i]
		}
		for _, word := range l.Words {
			word = strings.ToLower(word)
			if hasNumber(word, port) && slices.ContainsFunc(p.Arguments, func(s string) bool { return strings.Contains(word, s) }) {
				return &a[i]
			}
		}
	}
	return nil
}

// Port returns the protocol that is usual on a port; nil for none on the list.
func (a LeftAlone) Port(port uint16) *Protocol {
	for i, p := range a {
		if slices.ContainsFunc(p.Ports, func(r ports) bool { return r.first <= port && port <= r.last }) {
			return &a[i]
		}
	}
	return nil
}

// hasNumber reports whether the digits stand in s as a number of their own.
func hasNumber(s, digits string) bool {
	return slices.Contains(strings.FieldsFunc(s, func(r rune) bool { return r < '0' || r > '9' }), digits)
}
