package target

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// nmapHost is a host element of nmap -oX (nmap.dtd); masscan -oX writes the
// same.
type nmapHost struct {
	Status struct {
		State string `xml:"state,attr"`
	} `xml:"status"`
	Addresses []struct {
		Addr string `xml:"addr,attr"`
		Type string `xml:"addrtype,attr"`
	} `xml:"address"`
	Names []struct {
		Name string `xml:"name,attr"`
		Type string `xml:"type,attr"`
	} `xml:"hostnames>hostname"`
	// Not there after a scan for hosts only.
	Ports *struct {
		Port []struct {
			Protocol string `xml:"protocol,attr"`
			ID       string `xml:"portid,attr"`
			State    struct {
				State string `xml:"state,attr"`
			} `xml:"state"`
			Service struct {
				Name   string `xml:"name,attr"`
				Tunnel string `xml:"tunnel,attr"`
				Method string `xml:"method,attr"`
			} `xml:"service"`
		} `xml:"port"`
	} `xml:"ports"`
}

// readXML reads nmap's XML host by host. One that breaks off is what nmap
// leaves while it runs.
func (l *List) readXML(in *input, yield func(Spec) error) error {
	d := xml.NewDecoder(in.Reader)
	// What is read of it is ASCII in any encoding that nmap has used.
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	before := in.line - 1
	root := false
	for {
		at := *in
		line, _ := d.InputPos()
		at.line = before + line
		token, err := d.Token()
		var start xml.StartElement
		var h nmapHost
		if err == nil {
			var ok bool
			if start, ok = token.(xml.StartElement); !ok {
				continue
			}
			if !root && start.Name.Local != "nmaprun" {
				return at.fail(fmt.Errorf("XML of %q: only nmap's is known", start.Name.Local))
			}
			if root = true; start.Name.Local != "host" {
				continue
			}
			err = d.DecodeElement(&h, &start)
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF), strings.Contains(err.Error(), "unexpected EOF"):
			// The decoder has no error of its own for an end within an element.
			l.Cut = !root || !errors.Is(err, io.EOF)
			return nil
		default:
			return fmt.Errorf("%s: %w", in.name, err)
		}
		if err := l.nmapHost(&at, &h, yield); err != nil {
			return err
		}
	}
}

func (l *List) nmapHost(in *input, h *nmapHost, yield func(Spec) error) error {
	if h.Status.State != "" && h.Status.State != "up" {
		return nil
	}
	out := host{known: h.Ports != nil}
	for _, a := range h.Addresses {
		if a.Type != "mac" && out.addr == "" {
			out.addr = a.Addr
		}
	}
	if out.addr == "" {
		return nil
	}
	// What the user of nmap typed; else what the address's owner calls it.
	for _, kind := range []string{"user", "PTR"} {
		for _, n := range h.Names {
			if n.Type == kind && len(out.names) == 0 {
				out.names = append(out.names, n.Name)
			}
		}
	}
	if h.Ports != nil {
		for _, p := range h.Ports.Port {
			if p.Protocol != "tcp" || p.State.State != "open" {
				continue
			}
			// Without probing, the service is only what the port is registered for.
			s := p.Service
			probed := s.Method == "probed"
			out.add(p.ID, probed && strings.HasPrefix(s.Name, "http"), probed && (s.Tunnel == "ssl" || s.Name == "https"))
		}
	}
	return l.take(in, out, yield)
}
