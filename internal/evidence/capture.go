package evidence

import (
	"errors"
	"io/fs"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/strict"
)

// Capture is a recorded conversation with one target, as a file: what is known
// about the target beforehand, what the verdict on it must be, and its answers.
type Capture struct {
	// Made says where the answers are from: "recorded" from a real program, or
	// "by hand".
	Made    string `yaml:"made"`
	Date    string `yaml:"date"`              // of the recording, RFC 3339 date
	Program string `yaml:"program"`           // such as "openclaw 2026.9.6"
	Mode    string `yaml:"mode,omitempty"`    // its authentication, as configured
	Front   string `yaml:"front,omitempty"`   // what stands before it
	Comment string `yaml:"comment,omitempty"` // what is special
	Port    uint16 `yaml:"port,omitempty"`    // 0 for one that says nothing
	Host    string `yaml:"host,omitempty"`    // the name it was asked by; "" for a bare address
	// Reach says from where it was scanned, in the words of the result stream;
	// "" for the same machine.
	Reach event.Reach `yaml:"reach,omitempty"`
	Bound string      `yaml:"bound,omitempty"` // what its listener is bound to, where this machine is looked at
	// Found is what led to it without contacting it.
	Found *event.Discovery `yaml:"found,omitempty"`
	Base  string           `yaml:"base,omitempty"` // base path, as in a target

	Expect    Expectation        `yaml:"expect"`
	TLS       *TLSInfo           `yaml:"tls,omitempty"`
	Exchanges []CapturedExchange `yaml:"exchanges"`
}

// Expectation is the verdict that a capture must get, from what was configured
// and not from what was judged. An empty Product means that nothing may be
// recognised beyond a tentative guess.
type Expectation struct {
	Product    string          `yaml:"product,omitempty"`
	Brand      string          `yaml:"brand,omitempty"`
	Candidates []string        `yaml:"candidates,omitempty,flow"` // one: that exact release
	Auth       event.AuthState `yaml:"auth,omitempty"`
	Gate       event.AuthMode  `yaml:"gate,omitempty"` // what asks, when the auth state is gated; "" where that was not checked
	Front      string          `yaml:"front,omitempty"`
	// Findings are the checks that must raise something; nil where that has not
	// been looked at.
	Findings []string `yaml:"findings,omitempty,flow"`
}

// CapturedExchange is an Exchange as it is written to a file.
type CapturedExchange struct {
	ID     string   `yaml:"id"`
	Method string   `yaml:"method"`
	Path   string   `yaml:"path"`
	Status int      `yaml:"status"`
	Header []string `yaml:"header,omitempty"` // "Name: value"
	Body   string   `yaml:"body,omitempty"`
	// Original stands in for a body that was reduced to the facts in it: the body of
	// the program's maker is not ours to pass on.
	Original *Digest `yaml:"original,omitempty"`
	// WebSocket: it was an opening; Say names what was said to the first frame.
	// Replicas do not answer what is said.
	WebSocket bool   `yaml:"websocket,omitempty"`
	Reply     string `yaml:"say,omitempty"`
}

// LoadCapture reads one capture file strictly.
func LoadCapture(data []byte, name string) (Capture, error) {
	var c Capture
	if err := strict.YAML(name, data, &c); err != nil {
		return Capture{}, err
	}
	if c.Made != "recorded" && c.Made != "by hand" {
		return Capture{}, strict.At(name, data, errors.New(`made must be "recorded" or "by hand"`), "made")
	}
	if len(c.Exchanges) == 0 {
		return Capture{}, strict.At(name, data, errors.New("no exchanges"), "exchanges")
	}
	return c, nil
}

// LoadCaptures reads all captures below dir, by path.
func LoadCaptures(fsys fs.FS, dir string) (map[string]Capture, error) {
	out := map[string]Capture{}
	err := fs.WalkDir(fsys, dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".yaml" {
			return err
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		out[name], err = LoadCapture(data, name)
		return err
	})
	return out, err
}

// Deep reports whether the capture holds what only level deep asks for.
func (c *Capture) Deep() bool {
	only := []string{"origin", "tools-attributed", "hooks-counted"}
	return slices.ContainsFunc(c.Exchanges, func(x CapturedExchange) bool { return slices.Contains(only, x.ID) })
}

// Observation returns what a probe that made every recorded request would have
// observed.
func (c *Capture) Observation() Observation {
	port := c.Port
	if port == 0 {
		port = 1
	}
	// The end of the day: a certificate that was made for the recording is valid.
	date, err := time.Parse(time.DateOnly, c.Date)
	if err != nil {
		date = time.Unix(0, 0).UTC()
	}
	date = date.Add(24*time.Hour - time.Second)
	addr := netip.IPv6Loopback()
	if c.Reach != "" {
		addr = netip.MustParseAddr("2001:db8::1") // RFC 3849
	}
	o := Observation{
		Time: date, Name: c.Host, Addr: netip.AddrPortFrom(addr, port),
		Scheme: "http", Base: c.Base, Outcome: event.OutcomeOther, TLS: c.TLS, Connections: 1,
	}
	if c.TLS != nil {
		o.Scheme = "https"
	}
	for _, x := range c.Exchanges {
		o.Exchanges = append(o.Exchanges, x.Exchange())
	}
	o.Requests = len(o.Exchanges)
	return o
}

// Exchange returns the exchange as a probe would have recorded it.
func (x *CapturedExchange) Exchange() Exchange {
	out := Exchange{ID: x.ID, Method: x.Method, Path: x.Path, Status: x.Status, Body: []byte(x.Body), Original: x.Original}
	for _, line := range x.Header {
		name, value, _ := strings.Cut(line, ": ")
		out.Header = append(out.Header, Field{name, value})
	}
	return out
}
