package target

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
)

// Found is a target that was found without contacting it, as a line of JSON: what
// "clawsonar discover" prints, and lists take. Its port is taken as it is, as that of
// host:port in a list of text is.
type Found struct {
	IP   netip.Addr `json:"ip"` // with its zone if it is link-local
	Port uint16     `json:"port"`
	// Name is the host's name, by which it is called at that address; "" for none.
	Name string `json:"name,omitempty"`
	TLS  bool   `json:"tls,omitempty"`
	// Container is the name of the container, for people.
	Container string          `json:"container,omitempty"`
	Found     event.Discovery `json:"found"`
}

// Spec returns the entry of a space. It fails for what no address or name can be.
func (f *Found) Spec(source string) (Spec, error) {
	by := f.Found.By
	s := Spec{Source: source, Ports: []uint16{f.Port}, Exact: true, Found: &f.Found, Process: word(f.Container)}
	switch {
	case !slices.Contains(event.Finders(), by):
		return Spec{}, fmt.Errorf("found by %q: it is one of %s", short(string(by)), strings.Join(event.Words(event.Finders()...), ", "))
	case !f.IP.IsValid():
		return Spec{}, errors.New("ip is missing")
	case f.Port == 0:
		return Spec{}, errors.New("port is missing: use a number from 1 to 65535")
	case f.Name != "" && !IsName(f.Name):
		return Spec{}, fmt.Errorf("name %q is not a host name", short(f.Name))
	}
	if p := f.Found.Published; p != "" {
		if _, err := netip.ParseAddrPort(p); err != nil {
			return Spec{}, fmt.Errorf("published %q is not an address with a port", short(p))
		}
	}
	if f.Found.Announced != nil {
		f.Found.Announced = event.AnnouncedKeys(f.Found.Announced)
	}
	s.Input = netip.AddrPortFrom(f.IP, f.Port).String()
	s, err := s.withAddr(f.IP)
	if err != nil {
		return Spec{}, err
	}
	s.Name = strings.ToLower(strings.TrimSuffix(f.Name, "."))
	if f.TLS {
		s.Scheme = "https"
	}
	return s, nil
}

// IsName reports whether a text is a host name.
func IsName(text string) bool { return checkName(text) == nil }

// found takes a line of Found.
func (l *List) found(in *input, data []byte, yield func(Spec) error) error {
	var f Found
	err := json.Unmarshal(data, &f)
	var spec Spec
	if err == nil {
		spec, err = f.Spec(in.source())
	}
	if err != nil {
		return in.fail(fmt.Errorf("not a line of \"clawsonar discover\": %w", err))
	}
	return yield(spec)
}
