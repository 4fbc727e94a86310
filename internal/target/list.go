package target

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
)

// List reads targets from what a user or a scanner has written. It is
// recognised by its content: one target a line, nmap's XML and grepable output,
// masscan's list and JSON, CSV with a header line (zmap, naabu, httpx), and JSON
// objects (zmap, naabu, httpx, Shodan, Censys, FOFA), each also gzipped.
//
// Of what a scanner has seen open, the ports in Ports are taken, and, unless
// Only is set, those on which it saw HTTP itself. Anything else, such as a
// printer's port, is better not spoken to.
type List struct {
	Name  string   // names the list in errors and sources, such as "hosts.txt"
	Ports []uint16 // for entries that name none, and see above
	Only  bool     // take no port but Ports from a scanner's output

	// What Read has found out:

	Passed int  // open ports that were not taken
	Cut    bool // a scanner's document breaks off: it is still being written
}

const (
	// maxLine bounds one line of a list, in bytes. Scanners' lines hold banners.
	maxLine   = 4096
	maxRecord = 16 << 20
	// maxNames is how many of a host's names are taken: some hosts have thousands.
	maxNames = 8
)

// Read hands out the entries one by one, as they can be read: r may be a pipe
// that is still being written to. Errors name list and line.
func (l *List) Read(r io.Reader, yield func(Spec) error) error {
	br := bufio.NewReaderSize(r, 64<<10)
	if magic, _ := br.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) { // RFC 1952 section 2.3.1
		z, err := gzip.NewReader(br)
		if err != nil {
			return fmt.Errorf("read %s: %w", l.Name, err)
		}
		br = bufio.NewReaderSize(z, 64<<10)
	}
	in := &input{Reader: br, name: l.Name, line: 1}
	switch first := in.begin(); first {
	case "<":
		return l.readXML(in, yield)
	case "{":
		return l.readJSON(in, yield)
	}
	return l.readLines(in, yield)
}

// input is a list that is being read, and where.
type input struct {
	*bufio.Reader
	name string
	line int // of what comes next
}

// begin skips a byte order mark and white space, and says what follows: "<", "{"
// (also for the "[" of a JSON array), or "" for anything else.
func (in *input) begin() string {
	if mark, _ := in.Peek(3); string(mark) == "\ufeff" {
		_, _ = in.Discard(3)
	}
	for {
		c, err := in.ReadByte()
		if err != nil {
			return ""
		}
		switch c {
		case '\n':
			in.line++
			continue
		case ' ', '\t', '\r':
			continue
		}
		_ = in.UnreadByte()
		switch c {
		case '<', '{':
			return string(c)
		case '[':
			// "[::1]:80" begins the same way.
			if next, _ := in.Peek(2); len(next) < 2 || strings.IndexByte("{[] \t\r\n", next[1]) >= 0 {
				return "{"
			}
		}
		return ""
	}
}

func (in *input) source() string { return fmt.Sprintf("%s:%d", in.name, in.line) }

// fail is an error at the line that comes next.
func (in *input) fail(err error) error { return fmt.Errorf("%s: %w", in.source(), err) }

func (in *input) failed(err error) error { return fmt.Errorf("read %s: %w", in.name, err) }

// text returns the next line without its end; io.EOF when there is none.
func (in *input) text(limit int) (string, error) {
	var long []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(long)+len(part) > limit {
			return "", in.fail(fmt.Errorf("line is longer than %d bytes: one target a line is expected", limit))
		}
		if err == bufio.ErrBufferFull {
			long = append(long, part...)
			continue
		}
		if err != nil && err != io.EOF {
			return "", in.failed(err)
		}
		if err == io.EOF && len(long)+len(part) == 0 {
			return "", io.EOF
		}
		return strings.TrimRight(string(append(long, part...)), "\r\n"), nil
	}
}

// Lines hands out the lines of a list with their source, "hosts.txt:3". Blank
// lines and lines that begin with "#" are skipped, so is what follows a "#"
// after a space or tab.
func Lines(r io.Reader, name string, yield func(text, source string) error) error {
	in := &input{Reader: bufio.NewReader(r), name: name, line: 1}
	in.begin()
	return in.lines(maxLine, func(text string) error { return yield(bare(text), in.source()) })
}

// lines hands out what is not blank nor a comment.
func (in *input) lines(limit int, yield func(text string) error) error {
	for ; ; in.line++ {
		text, err := in.text(limit)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if text = strings.TrimSpace(text); text == "" || text[0] == '#' {
			continue
		}
		if err := yield(text); err != nil {
			return err
		}
	}
}

// bare cuts a comment off.
func bare(text string) string {
	for _, mark := range []string{" #", "\t#"} {
		text, _, _ = strings.Cut(text, mark)
	}
	return strings.TrimSpace(text)
}

// readLines reads formats of which each line stands for itself. Which one a
// line is of it says itself.
func (l *List) readLines(in *input, yield func(Spec) error) error {
	var header []string
	first := true
	return in.lines(maxRecord, func(text string) error {
		if first {
			first = false
			if header = csvHeader(text); header != nil {
				return nil
			}
		}
		switch {
		case header != nil:
			return l.csvRecord(in, header, text, yield)
		case strings.HasPrefix(text, "Host: "), strings.HasPrefix(text, "Timestamp: "):
			return l.grepable(in, text, yield)
		case strings.HasPrefix(text, "open "), strings.HasPrefix(text, "banner "):
			return l.masscanLine(in, text, yield)
		}
		if len(text) >= maxLine {
			return in.fail(fmt.Errorf("line is longer than %d bytes: one target a line is expected", maxLine))
		}
		text = bare(text)
		if strings.Contains(text, "://") {
			// httpx puts status and title behind a URL, in brackets.
			text, _, _ = strings.Cut(text, " [")
		}
		spec, err := Parse(text, in.source(), l.Ports)
		if err != nil {
			return in.fail(err)
		}
		spec.Implied = spec.Name != ""
		return yield(spec)
	})
}

// masscanLine reads a line of masscan -oL: state, protocol, port, address, time.
func (l *List) masscanLine(in *input, text string, yield func(Spec) error) error {
	f := strings.Fields(text)
	if len(f) < 4 {
		return in.fail(errors.New(`not a line of masscan: "open tcp PORT ADDRESS TIME" is expected`))
	}
	h := host{addr: f[3], known: true}
	// A banner follows the "open" of its port, so it adds HTTP only.
	banner := f[0] == "banner"
	if f[1] == "tcp" && (!banner || len(f) > 5 && f[5] == "http") {
		h.add(f[2], banner, false)
		h.again = banner
	}
	return l.take(in, h, yield)
}

// grepable reads a line of nmap -oG or masscan -oG: tab-separated fields, of
// which Ports has port/state/protocol/owner/service/… for each.
func (l *List) grepable(in *input, text string, yield func(Spec) error) error {
	h := host{known: true} // "Status: Up" is of a host whose ports have a line of their own
	for field := range strings.SplitSeq(text, "\t") {
		name, value, _ := strings.Cut(field, ": ")
		switch name {
		case "Host":
			addr, rest, _ := strings.Cut(value, " ")
			h.addr = addr
			if name := strings.Trim(rest, "()"); name != "" {
				h.names = []string{name}
			}
		case "Ports":
			for port := range strings.SplitSeq(value, ", ") {
				p := strings.Split(port, "/")
				if len(p) < 5 || p[1] != "open" || p[2] != "tcp" {
					continue
				}
				h.add(p[0], strings.HasSuffix(p[4], "http"), strings.HasPrefix(p[4], "ssl"))
			}
		}
	}
	return l.take(in, h, yield)
}

// csvHeader returns the columns, in lower case, if a line is the header of a
// scanner's CSV; a single column is told from a host name by what zmap calls it.
func csvHeader(text string) []string {
	header, err := csv.NewReader(strings.NewReader(text)).Read()
	if err != nil {
		return nil
	}
	for i := range header {
		header[i] = strings.ToLower(strings.TrimSpace(header[i]))
	}
	for _, name := range []string{"saddr", "ip", "url", "host"} {
		if slices.Contains(header, name) && (len(header) > 1 || name == "saddr") {
			return header
		}
	}
	return nil
}

func (l *List) csvRecord(in *input, header []string, text string, yield func(Spec) error) error {
	at := *in
	// A quoted field may go on on the next line.
	for strings.Count(text, `"`)%2 == 1 && len(text) < maxRecord {
		more, err := in.text(maxRecord)
		if err != nil {
			break
		}
		in.line++
		text += "\n" + more
	}
	r := csv.NewReader(strings.NewReader(text))
	r.LazyQuotes, r.FieldsPerRecord = true, -1
	fields, err := r.Read()
	if err != nil {
		return at.fail(fmt.Errorf("not a line of CSV: %w", err))
	}
	column := func(names ...string) string {
		for _, name := range names {
			if i := slices.Index(header, name); i >= 0 && i < len(fields) && fields[i] != "" {
				return fields[i]
			}
		}
		return ""
	}
	if column("failed") == "true" || column("success") == "0" {
		return nil
	}
	return l.record(&at, &record{
		IPStr: column("ip", "saddr", "ip_str"), Host: loose{text: column("host", "hostname")}, URL: column("url"),
		Port: loose{text: column("port", "sport")}, Protocol: column("protocol"), TLS: column("tls") == "true",
	}, yield)
}

// host is what a scanner says of one host.
type host struct {
	addr  string
	names []string
	open  []service
	again bool // says more of a port that was listed before
	known bool // it says which ports are open; none means none
}

type service struct {
	port      uint16
	http, tls bool
	bad       string // what was there instead of a port
}

// add notes an open TCP port.
func (h *host) add(text string, http, tls bool) {
	h.known = true
	n, err := port(text)
	if err != nil {
		h.open = append(h.open, service{bad: text})
		return
	}
	h.open = append(h.open, service{port: n, http: http, tls: tls})
}

func (l *List) wants(port uint16) bool { return slices.Contains(l.Ports, port) }

// take hands out the wanted ports of a host, under each of its names.
func (l *List) take(in *input, h host, yield func(Spec) error) error {
	if h.addr == "" && len(h.names) == 0 {
		return in.fail(errors.New("names no host"))
	}
	spec := Spec{Source: in.source(), Exact: h.known}
	if h.addr != "" {
		addr, err := netip.ParseAddr(h.addr)
		if err != nil {
			return in.fail(fmt.Errorf("%q is not an address", h.addr))
		}
		spec.Input = h.addr
		if spec, err = spec.withAddr(addr); err != nil {
			return in.fail(err)
		}
	}
	plain, secure, err := l.wanted(h)
	if err != nil {
		return in.fail(err)
	}
	names := l.names(h)
	if len(names) == 0 && h.addr == "" {
		return in.fail(fmt.Errorf("%q is not an address or host name", h.names[0]))
	}
	if len(names) == 0 {
		names = []string{""}
	}
	for _, spec.Name = range names {
		if h.addr == "" {
			spec.Input, spec.Implied = spec.Name, true
		}
		for _, part := range []Spec{{Ports: plain}, {Ports: secure, Scheme: "https"}} {
			if spec.Ports, spec.Scheme = part.Ports, part.Scheme; len(spec.Ports) == 0 {
				continue
			}
			if err := yield(spec); err != nil {
				return err
			}
		}
	}
	return nil
}

// wanted returns the ports to take, those that speak TLS apart.
func (l *List) wanted(h host) (plain, secure []uint16, err error) {
	if !h.known {
		return l.Ports, nil, nil
	}
	for _, s := range h.open {
		if s.bad != "" {
			return nil, nil, fmt.Errorf("%q is not a port: use a number from 1 to 65535", s.bad)
		}
		wanted := l.wants(s.port)
		switch {
		case wanted && h.again, slices.Contains(plain, s.port), slices.Contains(secure, s.port):
		case !wanted && (l.Only || !s.http):
			l.Passed++
		case s.tls:
			secure = append(secure, s.port)
		default:
			plain = append(plain, s.port)
		}
	}
	return plain, secure, nil
}

// names returns a host's names, as far as they are names: those that others
// have found out may be anything, such as "*.a.example".
func (l *List) names(h host) []string {
	var out []string
	for _, name := range h.names {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		if checkName(name) == nil && !slices.Contains(out, name) && len(out) < maxNames {
			out = append(out, name)
		}
	}
	return out
}
