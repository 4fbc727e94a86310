package target

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/clawsonar/clawsonar/internal/bounded"
)

// record is what is read of a JSON object, or line of CSV, of a scanner or
// search engine. The names are theirs:
//
//	masscan  ip, ports[]: port, proto, status, service.name
//	zmap     saddr, sport
//	naabu    ip, host (only when it is not the ip), port, protocol, tls
//	httpx    url, failed
//	Shodan   ip_str, port, transport, hostnames, http, ssl
//	Censys   ip, services[]: port, service_name, extended_service_name,
//	         transport_protocol; dns.names. In its newer platform all of it is
//	         inside another object, and service_name is protocol
//	FOFA     host, ip, port, protocol
//	one's own  ip, port, name
type record struct {
	// Found is of our own, which Found has more of.
	Found loose  `json:"found"`
	IP    loose  `json:"ip"` // in Shodan's a number
	IPStr string `json:"ip_str"`
	SAddr string `json:"saddr"`

	Name      loose    `json:"name"` // counts only with an address
	Host      loose    `json:"host"`
	Hostnames nameList `json:"hostnames"`
	DNS       struct {
		Names nameList `json:"names"`
	} `json:"dns"`

	Port, SPort loose
	Ports       json.RawMessage // of openPort, one by one: there may be many
	Services    json.RawMessage
	Protocol    string
	Transport   string
	TLS         present
	HTTP, SSL   present

	URL    string
	Failed bool
	// Finished is what old releases of masscan end their list with.
	Finished present

	Resource, Result *record
	HostV1           *record `json:"host_v1"`
}

// nameList holds of a list of names those that may be taken.
type nameList []string

func (n *nameList) UnmarshalJSON(data []byte) error {
	*n = nil
	if string(data) == "null" {
		return nil
	}
	return bounded.Elements(data, func(element []byte) error {
		var name string
		if err := json.Unmarshal(element, &name); err != nil {
			return err
		}
		// The first one is kept for the error, should none be a name.
		if len(*n) == 0 || len(*n) <= maxNames && checkName(name) == nil {
			*n = append(*n, name)
		}
		return nil
	})
}

// openPort is a member of a record's list of ports: an object or a number.
type openPort struct {
	Port      loose
	Proto     string
	Status    string
	Service   struct{ Name string }
	Name      string `json:"service_name"`
	Extended  string `json:"extended_service_name"`
	Protocol  loose  // naabu before 2.1 has a number
	Transport string `json:"transport_protocol"`
	TLS       present
}

func (p *openPort) UnmarshalJSON(data []byte) error {
	type plain openPort
	if data[0] == '{' {
		return json.Unmarshal(data, (*plain)(p))
	}
	return json.Unmarshal(data, &p.Port)
}

// loose is a text that some write as a number, and some as an object.
type loose struct {
	text   string
	object json.RawMessage
}

func (t *loose) UnmarshalJSON(data []byte) error {
	switch data[0] {
	case '"':
		return json.Unmarshal(data, &t.text)
	case '{':
		t.object = bytes.Clone(data)
	case 'n':
	default:
		t.text = string(data)
	}
	return nil
}

// present is whether there is something: true, a text, an object that is not
// empty.
type present bool

func (p *present) UnmarshalJSON(data []byte) error {
	switch string(data) {
	case "null", "false", `""`, "0", "{}", "[]":
		*p = false
	default:
		*p = true
	}
	return nil
}

// readJSON reads objects one after the other: JSON lines, a list, or either
// with the irregular commas of masscan's releases. A list that is not closed is
// what masscan leaves when it is stopped.
func (l *List) readJSON(in *input, yield func(Spec) error) error {
	r := objects{input: in}
	for {
		data, err := r.next()
		switch {
		case err == io.EOF:
			return l.together(yield)
		case err != nil:
			return err
		}
		at := *in
		at.line -= bytes.Count(data, []byte("\n"))
		// Old releases of masscan do not quote this one.
		if bytes.HasPrefix(data, []byte("{finished")) {
			continue
		}
		var rec record
		if err := json.Unmarshal(data, &rec); err != nil {
			return at.fail(fmt.Errorf("not JSON that is known: %w", err))
		}
		known := rec.Found.object != nil
		switch {
		case known:
			err = l.found(&at, data, yield)
		case !rec.namesHost():
			known, err = l.ofTool(&at, data, yield)
		}
		if err == nil && !known {
			err = l.record(&at, &rec, yield)
		}
		if err != nil {
			return err
		}
	}
}

// objects are the JSON objects of a list.
type objects struct {
	*input
	lists  int // that are open
	data   []byte
	around *around
	opened bool // there was one in this object
}

// around is an object whose members are read one by one, since they may be many: the items
// of a cluster, or the peers of a tailnet. It comes itself when they have been read, without them.
type around struct {
	head  []byte
	lists int // that are open around it
	close byte
}

// opens reports whether a list or object that begins at c, right within an object, is one
// whose members are read one by one.
func (in *objects) opens(c byte) bool {
	key, mark := `"items"`, `"apiVersion"`
	switch {
	case in.opened:
		return false
	case c == '[':
	case c == '{':
		key, mark = `"Peer"`, `"BackendState"`
	default:
		return false
	}
	head, ok := bytes.CutSuffix(bytes.TrimRight(in.data, " \t\r\n"), []byte(":"))
	return ok && bytes.HasSuffix(bytes.TrimRight(head, " \t\r\n"), []byte(key)) && bytes.Contains(head, []byte(mark))
}

// next returns the next object, which is valid until the next call; io.EOF when
// there is none. What it holds is looked at only as far as finding its end needs.
func (in *objects) next() ([]byte, error) {
	in.data, in.opened = in.data[:0], in.around != nil
	var s bounded.Scanner
	for {
		c, err := in.ReadByte()
		switch {
		case err == io.EOF && s.Depth == 0 && in.lists == 0 && in.around == nil:
			return nil, io.EOF
		case err == io.EOF:
			return nil, in.fail(ErrCut)
		case err != nil:
			return nil, in.failed(err)
		}
		if c == '\n' {
			in.line++
		}
		keyed := in.around != nil && in.around.close == '}'
		if s.Depth == 0 && (c != '{' || s.Quoted()) {
			switch {
			case in.around != nil && in.lists == in.around.lists && c == in.around.close && !s.Quoted():
				in.data = append(append(in.data, in.around.head...), c)
				in.around, s.Depth = nil, 1
			case keyed && (s.Quoted() || c == '"'):
				s.Next(c)
			case keyed && c == ':':
			case c == '[' && in.lists < bounded.Depth:
				in.lists++
			case c == ']' && in.lists > 0:
				in.lists--
			// 0x1e begins a record of a JSON sequence (RFC 7464).
			case strings.IndexByte(" \t\r\n,\x1e", c) < 0:
				return nil, in.fail(errors.New("a JSON object is expected"))
			}
			continue
		}
		if len(in.data) >= maxRecord {
			return nil, in.fail(fmt.Errorf("JSON object is larger than %d MiB", maxRecord>>20))
		}
		if s.Depth == 1 && !s.Quoted() && in.opens(c) {
			// In one line, so that it is where its end is.
			head := bytes.ReplaceAll(append(in.data, c), []byte("\n"), []byte(" "))
			in.around = &around{head: bytes.Clone(head), lists: in.lists, close: c + 2} // "]" or "}"
			in.data, in.opened, s = in.data[:0], true, bounded.Scanner{}
			continue
		}
		in.data = append(spaceFor(in.data, 1), c)
		if s.Next(c); s.Depth > bounded.Depth {
			return nil, in.fail(fmt.Errorf("JSON object is nested deeper than %d levels", bounded.Depth))
		}
		if s.Depth == 0 {
			return in.data, nil
		}
	}
}

// record takes the targets that a record names.
func (l *List) record(in *input, rec *record, yield func(Spec) error) error {
	rec, err := rec.inner()
	if err != nil {
		return in.fail(fmt.Errorf("not JSON that is known: %w", err))
	}
	switch {
	case rec.Failed || bool(rec.Finished):
		return nil
	case rec.URL != "":
		return l.address(in, rec.URL, yield)
	}
	h := host{addr: cmp.Or(rec.IPStr, rec.SAddr, rec.IP.text)}
	name, scheme := hostOf(rec.Host.text)
	if _, err := netip.ParseAddr(name); err == nil {
		h.addr = cmp.Or(h.addr, name)
	} else if name != "" {
		h.names = append(h.names, name)
	}
	h.names = append(append(h.names, rec.Hostnames...), rec.DNS.Names...)
	if h.addr != "" && rec.Name.text != "" {
		h.names = append(h.names, rec.Name.text)
	}
	if h.addr == "" && len(h.names) == 0 {
		return in.fail(errors.New("JSON object names no host: expected is what masscan, zmap, naabu, httpx, Shodan, Censys, FOFA, docker, podman, kubectl or tailscale write"))
	}
	if text := cmp.Or(rec.Port.text, rec.SPort.text); text != "" || rec.Port.object != nil {
		h.known = true
		if tcp(rec.Transport) && tcp(rec.Protocol) {
			if rec.Port.object != nil { // releases of naabu before 2.1
				var p openPort
				if err := json.Unmarshal(rec.Port.object, &p); err != nil {
					return in.fail(err)
				}
				text, rec.TLS = p.Port.text, p.TLS
			}
			web := cmp.Or(scheme, strings.ToLower(rec.Protocol))
			h.add(text, bool(rec.HTTP) || strings.HasPrefix(web, "http"), bool(rec.TLS || rec.SSL) || web == "https")
		}
	}
	for _, list := range []json.RawMessage{rec.Ports, rec.Services} {
		if err := h.addPorts(list); err != nil {
			return in.fail(err)
		}
	}
	return l.take(in, h, yield)
}

// addPorts notes what a record's list of ports holds.
func (h *host) addPorts(list json.RawMessage) error {
	if len(list) == 0 || string(list) == "null" {
		return nil
	}
	if list[0] != '[' {
		return errors.New("not JSON that is known: ports are not a list")
	}
	return bounded.Elements(list, func(element []byte) error {
		var p openPort
		if err := json.Unmarshal(element, &p); err != nil {
			return fmt.Errorf("not JSON that is known: %w", err)
		}
		switch {
		case h.bad != "":
			return h.badPort()
		case len(h.open) > maxPorts:
			return errPorts
		}
		h.known = true
		if p.Status != "" && p.Status != "open" || !tcp(p.Proto) || !tcp(p.Transport) || !tcp(p.Protocol.text) {
			return nil
		}
		name := strings.ToLower(cmp.Or(p.Extended, p.Name, p.Protocol.text, p.Service.Name))
		if h.again = p.Service.Name != ""; h.again && name != "http" {
			return nil
		}
		h.add(p.Port.text, strings.HasPrefix(name, "http"), bool(p.TLS) || name == "https")
		return nil
	})
}

// namesHost reports whether a record may be of a scanner: it names a host, or wraps one
// that does.
func (rec *record) namesHost() bool {
	return cmp.Or(rec.IPStr, rec.SAddr, rec.IP.text, rec.Host.text, rec.URL) != "" || len(rec.Hostnames)+len(rec.DNS.Names) > 0 ||
		rec.Failed || bool(rec.Finished) || rec.Host.object != nil || rec.Resource != nil || rec.Result != nil || rec.HostV1 != nil
}

// maxInner is how many objects may wrap a record.
const maxInner = 4

// inner returns the record itself, or the one that it only wraps.
func (rec *record) inner() (*record, error) {
	for range maxInner {
		switch {
		case rec.HostV1 != nil:
			rec = rec.HostV1
		case rec.Resource != nil:
			rec = rec.Resource
		case rec.Result != nil:
			rec = rec.Result
		case rec.Host.object != nil:
			in := new(record)
			if err := json.Unmarshal(rec.Host.object, in); err != nil {
				return nil, err
			}
			rec = in
		default:
			return rec, nil
		}
	}
	return nil, errors.New("too many objects within each other")
}

// address takes a URL that httpx has found. Its query is not part of a base
// path.
func (l *List) address(in *input, text string, yield func(Spec) error) error {
	text, _, _ = strings.Cut(text, "#")
	text, _, _ = strings.Cut(text, "?")
	if !strings.Contains(text, "://") {
		return in.fail(errors.New("url is not one: expected is http://host:port"))
	}
	spec, err := Parse(text, in.source(), nil)
	if err != nil {
		return in.fail(err)
	}
	if l.Only && !l.isWanted[spec.Ports[0]] {
		l.Passed++
		return nil
	}
	spec.Implied = spec.Name != ""
	return yield(spec)
}

// hostOf returns the host of what may be a URL, host:port or host, and the
// scheme if there is one.
func hostOf(text string) (name, scheme string) {
	if i := strings.Index(text, "://"); i >= 0 {
		scheme, text = text[:i], text[i+3:]
		text, _, _ = strings.Cut(text, "/")
	}
	if name, _, ok := splitPort(text); ok {
		text = name
	}
	return strings.Trim(text, "[]"), scheme
}

// tcp reports whether a protocol runs over TCP, as far as it is known not to.
func tcp(protocol string) bool {
	switch strings.ToLower(protocol) {
	case "udp", "sctp", "icmp", "quic":
		return false
	}
	return true
}
