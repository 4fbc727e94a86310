package target

import (
	"bufio"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/clawsonar/clawsonar/internal/bounded"
)

// maxToken bounds a tag, comment or text of XML, in bytes. What nmap's scripts
// have found out is an attribute.
const maxToken = 1 << 20

// maxAttrs bounds the attributes of a tag. Within a value, nmap writes a quote as
// an entity, so none is counted there.
const maxAttrs = 1000

var (
	errToken = fmt.Errorf("a tag, comment or text is longer than %s", bounded.Size(maxToken))
	errAttrs = fmt.Errorf("a tag has more than %d attributes", maxAttrs)
)

// xmlSource gives the XML decoder, which holds a whole token in memory, no more
// than one may have.
type xmlSource struct {
	*bufio.Reader
	left  int  // of this token
	attrs int  // in it
	last  byte // that was no space
}

// next begins a token.
func (s *xmlSource) next() { s.left, s.attrs, s.last = maxToken, 0, 0 }

// ReadByte is what the decoder reads with.
func (s *xmlSource) ReadByte() (byte, error) {
	if s.left--; s.left < 0 {
		return 0, errToken
	}
	c, err := s.Reader.ReadByte()
	if s.last == '=' && (c == '"' || c == '\'') {
		if s.attrs++; s.attrs > maxAttrs {
			return 0, errAttrs
		}
	}
	if c > ' ' {
		s.last = c
	}
	return c, err
}

// nmapHost is what is taken of a host element of nmap -oX (nmap.dtd); masscan -oX
// writes the same.
type nmapHost struct {
	state, addr string
	user, ptr   string // its names
	scanned     bool   // its ports were looked at: not so after a scan for hosts only
	port        nmapPort
	out         host
}

type nmapPort struct {
	protocol, id, state  string
	name, tunnel, method string // of the service
}

// readXML reads nmap's XML host by host.
func (l *List) readXML(in *input, yield func(Spec) error) error {
	src := &xmlSource{Reader: in.Reader}
	d := xml.NewDecoder(src)
	// What is read of it is ASCII in any encoding that nmap has used.
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	before := in.line - 1
	var path []string // the elements that are open
	var h *nmapHost
	hostLine, hostDepth := 0, 0
	root := false
	at := *in
	for {
		line, _ := d.InputPos()
		at.line = before + line
		src.next()
		token, err := d.Token()
		switch {
		case err == nil:
		case errors.Is(err, errToken), errors.Is(err, errAttrs):
			return at.fail(err)
		case errors.Is(err, io.EOF) && root:
			return nil
		case errors.Is(err, io.EOF), strings.Contains(err.Error(), "unexpected EOF"):
			// The decoder has no error of its own for an end within an element.
			line, _ = d.InputPos()
			at.line = before + line
			return at.fail(ErrCut)
		default:
			return fmt.Errorf("%s: %w", in.name, err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			name := token.Name.Local
			if !root && name != "nmaprun" {
				return at.fail(fmt.Errorf("XML of %q: only nmap's is known", short(name)))
			}
			root = true
			if path = append(path, name); len(path) > bounded.Depth {
				return at.fail(fmt.Errorf("XML is nested deeper than %d levels", bounded.Depth))
			}
			if h != nil {
				h.start(path[hostDepth:], token.Attr)
			} else if name == "host" {
				h, hostLine, hostDepth = new(nmapHost), at.line, len(path)
			}
		case xml.EndElement:
			if h != nil && len(path) == hostDepth {
				at.line = hostLine
				if err := l.nmapHost(&at, h, yield); err != nil {
					return err
				}
				h = nil
			} else if h != nil {
				if h.end(path[hostDepth:]); len(h.out.open) > maxPorts {
					return at.fail(errPorts)
				}
			}
			path = path[:len(path)-1]
		}
	}
}

// start takes an element within a host, path being where it is.
func (h *nmapHost) start(path []string, attrs []xml.Attr) {
	get := func(name string) string {
		for _, a := range attrs {
			if a.Name.Local == name {
				return a.Value
			}
		}
		return ""
	}
	switch strings.Join(path, "/") {
	case "status":
		h.state = get("state")
	case "address":
		if h.addr == "" && get("addrtype") != "mac" {
			h.addr = get("addr")
		}
	case "hostnames/hostname":
		switch kind := get("type"); {
		case kind == "user" && h.user == "":
			h.user = get("name")
		case kind == "PTR" && h.ptr == "":
			h.ptr = get("name")
		}
	case "ports":
		h.scanned = true
	case "ports/port":
		h.port = nmapPort{protocol: get("protocol"), id: get("portid")}
	case "ports/port/state":
		h.port.state = get("state")
	case "ports/port/service":
		h.port.name, h.port.tunnel, h.port.method = get("name"), get("tunnel"), get("method")
	}
}

// end takes the end of an element within a host.
func (h *nmapHost) end(path []string) {
	p := h.port
	if strings.Join(path, "/") != "ports/port" || p.protocol != "tcp" || p.state != "open" {
		return
	}
	// Without probing, the service is only what the port is registered for.
	probed := p.method == "probed"
	h.out.add(p.id, probed && strings.HasPrefix(p.name, "http"), probed && (p.tunnel == "ssl" || p.name == "https"))
}

func (l *List) nmapHost(in *input, h *nmapHost, yield func(Spec) error) error {
	if h.state != "" && h.state != "up" || h.addr == "" {
		return nil
	}
	h.out.known, h.out.addr = h.scanned, h.addr
	// What the user of nmap typed; else what the address's owner calls it.
	if name := cmp.Or(h.user, h.ptr); name != "" {
		h.out.names = []string{name}
	}
	return l.take(in, h.out, yield)
}
