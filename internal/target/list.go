package target

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/event"
)

// List reads targets from what a user or a scanner has written. It is
// recognised by its content: one target a line, nmap's XML and grepable output,
// masscan's list and JSON, CSV with a header line (zmap, naabu, httpx), JSON
// objects (zmap, naabu, httpx, Shodan, Censys, FOFA), and what tools tell of one's own
// machines: docker ps, docker inspect, podman ps, docker compose config, kubectl get,
// tailscale status, avahi-browse and ss. Each may be gzipped.
//
// Of what a scanner has seen open, the ports in Ports are taken, and, unless
// Only is set, those on which it saw HTTP itself, or that lead to one of Ports within a
// container or cluster. Anything else, such as a printer's port, is better not spoken to.
//
// What is published on every address of a machine, or on its loopback, is taken for this
// one's, and reached over loopback; Spec.Bound says so, or Spec.Found.
//
// Nothing of a list is passed over in silence: what is not understood, and a list
// of a scanner that is cut, is an error. Of a list with one target a line nobody
// can tell whether lines are missing at its end.
type List struct {
	Name  string   // names the list in errors and sources, such as "hosts.txt"
	Ports []uint16 // for entries that name none, and see above
	Only  bool     // take no port but Ports from a scanner's output

	// Found out by Read: open ports that were not taken, what else is no target, and the
	// entries that were taken for this machine.
	Passed int
	Left   map[Reason]int
	Here   int

	isWanted *[1 << 16]bool // Ports, by number
	unnamed  int            // announcements of which more is to come
	cluster  *cluster       // what waits for the end of the list; nil for nothing
}

const (
	// maxLine bounds a line with one target, in bytes, maxRecord what a scanner
	// says of one host: it may hold banners and pages.
	maxLine   = 4096
	maxRecord = 3 << 20
	// maxNames is how many of a host's names are taken: some hosts have thousands.
	maxNames = 8
	// maxPorts is how many ports a host may have, those given twice counted twice.
	maxPorts = 1 << 17
	// maxColumns is how many fields a line of CSV may have.
	maxColumns = 4096
)

var errPorts = fmt.Errorf("more than %d ports of one host", maxPorts)

// ErrCut is the end of a list before its end.
var ErrCut = errors.New("the list is cut: its end is missing")

// Read yields the entries one by one, as they can be read: r may be a pipe
// that is still being written to. Errors name list and line.
func (l *List) Read(r io.Reader, yield func(Spec) error) error {
	br, err := bounded.Unpack(r)
	if err != nil {
		return fmt.Errorf("read %s: %w", l.Name, err)
	}
	l.isWanted = new([1 << 16]bool)
	for _, port := range l.Ports {
		l.isWanted[port] = true
	}
	l.cluster, l.unnamed = nil, 0
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
	name    string
	line    int  // of what comes next
	unended bool // text has returned a last line that has no end
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
			long = append(spaceFor(long, len(part)), part...)
			continue
		}
		if err != nil && err != io.EOF {
			return "", in.failed(err)
		}
		if err == io.EOF && len(long)+len(part) == 0 {
			return "", io.EOF
		}
		in.unended = err == io.EOF
		if len(long) == 0 {
			return strings.TrimRight(string(part), "\r\n"), nil
		}
		return strings.TrimRight(string(append(spaceFor(long, len(part)), part...)), "\r\n"), nil
	}
}

// spaceFor returns b with space for n more bytes: twice as much at a time, as
// append, which grows by a quarter, leaves five times the length behind.
func spaceFor(b []byte, n int) []byte {
	if cap(b)-len(b) < n {
		b = slices.Grow(b, max(len(b), n, 1<<10))
	}
	return b
}

// Lines yields the lines of a list with their source, "hosts.txt:3". Blank
// lines and lines that begin with "#" are skipped, so is what follows a "#"
// after a space or tab.
func Lines(r io.Reader, name string, yield func(text, source string) error) error {
	in := &input{Reader: bufio.NewReader(r), name: name, line: 1}
	in.begin()
	return in.lines(maxLine, nil, func(text string) error { return yield(bare(text), in.source()) })
}

// lines yields what is not blank, comments apart.
func (in *input) lines(limit int, comment func(text string), yield func(text string) error) error {
	for ; ; in.line++ {
		text, err := in.text(limit)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if text[0] == '#' {
			if comment != nil {
				comment(text)
			}
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

// tableOf refuses the first line of a table for people, and says how its program writes for
// others.
func tableOf(line string) error {
	for _, t := range []struct{ words, instead string }{
		{"CONTAINER ID", `docker ps --format "{{json .}}", or podman ps --format json`},
		{"NAMESPACE NAME", "kubectl get ... -o json"},
	} {
		if strings.HasPrefix(strings.Join(firstFields(line, 2), " "), t.words) {
			return fmt.Errorf("this is a table for people, which may leave out what it has no space for: use %s", t.instead)
		}
	}
	return nil
}

// firstFields are the first fields of a line, n at most: a line may have a million.
func firstFields(line string, n int) []string {
	out := make([]string, 0, n)
	for field := range strings.FieldsSeq(line) {
		if len(out) == n {
			break
		}
		out = append(out, field)
	}
	return out
}

// readLines reads formats of which each line stands for itself. Which one a
// line is of it says itself.
func (l *List) readLines(in *input, yield func(Spec) error) error {
	var header []string
	first := true
	open := false // a comment has begun a list of a scanner, and none has ended it
	err := in.lines(maxRecord, func(comment string) {
		switch {
		case comment == "#masscan", strings.HasPrefix(comment, "# Masscan ") && strings.Contains(comment, " scan initiated "),
			strings.HasPrefix(comment, "# Nmap ") && strings.Contains(comment, " scan initiated "):
			open = true
		case comment == "# end", strings.HasPrefix(comment, "# Masscan done at "), strings.HasPrefix(comment, "# Nmap done at "):
			open = false
		}
	}, func(text string) error {
		if first {
			first = false
			if err := tableOf(text); err != nil {
				return in.fail(err)
			}
			if header = csvHeader(text); header != nil {
				if in.unended {
					return in.fail(ErrCut)
				}
				return nil
			}
		}
		var scanned func(*input, string, func(Spec) error) error
		switch word, _, more := strings.Cut(text, " "); {
		case header != nil:
			scanned = func(in *input, text string, yield func(Spec) error) error {
				return l.csvRecord(in, header, text, yield)
			}
		case more && (word == "Host:" || word == "Timestamp:"):
			scanned = l.grepable
		case more && (word == "open" || word == "banner"):
			scanned = l.masscanLine
		case more && socketWords(word, text):
			scanned = l.socketLine
		case strings.HasPrefix(text, "=;"), strings.HasPrefix(text, "+;"), strings.HasPrefix(text, "-;"):
			scanned = l.announcement
		}
		switch {
		case scanned != nil && in.unended:
			return in.fail(ErrCut)
		case scanned != nil:
			return scanned(in, text, yield)
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
	if err == nil && open {
		err = in.fail(ErrCut)
	}
	for ; l.unnamed > 0; l.unnamed-- {
		l.leave(LeftUnnamed)
	}
	return err
}

// masscanLine reads a line of masscan -oL: state, protocol, port, address, time.
func (l *List) masscanLine(in *input, text string, yield func(Spec) error) error {
	var f []string
	for field := range strings.FieldsSeq(text) {
		if f = append(f, field); len(f) == 6 {
			break
		}
	}
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
				if len(h.open) > maxPorts {
					return in.fail(errPorts)
				}
				p := strings.SplitN(port, "/", 6)
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
	if strings.Count(text, ",") >= maxColumns {
		return nil
	}
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

// csvText returns the text of the record that begins with a line. A quoted field
// may continue on the next line. Where that looks like a record of its own, a quote
// is where none should be, and the targets up to the next one would be lost.
func (in *input) csvText(header []string, text string) (string, error) {
	at := *in
	var record strings.Builder
	commas, quoted := 0, false
	for {
		for i := range len(text) {
			switch text[i] {
			case '"':
				quoted = !quoted
			case ',':
				if !quoted {
					commas++
				}
			}
		}
		switch {
		case commas >= maxColumns:
			return "", at.fail(fmt.Errorf("line of CSV with more than %d fields", maxColumns))
		case record.Len()+len(text) > maxRecord:
			return "", at.fail(fmt.Errorf("quoted field is longer than %d MiB: is a quote missing?", maxRecord>>20))
		case !quoted && record.Len() == 0:
			return text, nil
		}
		record.WriteString(text)
		if !quoted {
			return record.String(), nil
		}
		record.WriteByte('\n')
		in.line++
		more, err := in.text(maxRecord)
		switch {
		case err == io.EOF:
			return "", at.fail(errors.New("a quote begins a field that has no end: remove it, or close it"))
		case err != nil:
			return "", err
		case in.unended:
			return "", in.fail(ErrCut)
		case recordLike(header, more):
			return "", at.fail(fmt.Errorf("a quote begins a field that continues over line %d, which looks like a target: remove the quote, or close it", in.line))
		}
		text = more
	}
}

// recordLike reports whether a line has as many fields as the header, and a host
// where one belongs.
func recordLike(header []string, text string) bool {
	fields := strings.SplitN(text, ",", len(header)+1)
	if len(fields) < len(header) {
		return false
	}
	for i, column := range header {
		if !slices.Contains([]string{"ip", "saddr", "ip_str", "host", "hostname", "url"}, column) {
			continue
		}
		value := strings.Trim(fields[i], `" `)
		if _, err := netip.ParseAddr(value); err == nil || strings.Contains(value, "://") || checkName(value) == nil {
			return true
		}
	}
	return false
}

func (l *List) csvRecord(in *input, header []string, text string, yield func(Spec) error) error {
	at := *in
	text, err := in.csvText(header, text)
	if err != nil {
		return err
	}
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = -1
	fields, err := r.Read()
	if err != nil {
		var parse *csv.ParseError
		if errors.As(err, &parse) {
			err = parse.Err // its line is that of the record
		}
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
	again bool             // says more of a port that was listed before
	known bool             // it says which ports are open; none means none
	bound netip.AddrPort   // what the one open port is bound to, if that is a wildcard or beyond loopback
	owner string           // what listens, or publishes the port
	found *event.Discovery // what led to it, if that is to be told
	here  bool             // an address is meant that every machine has
	bad   string           // what was there instead of a port, first, quoted
}

// service is an open port. With http it is taken even if it is none of those wanted.
type service struct {
	port      uint16
	http, tls bool
}

// takes reports whether a port is taken.
func (l *List) takes(s service) bool { return l.isWanted[s.port] || s.http && !l.Only }

// add notes an open TCP port.
func (h *host) add(text string, http, tls bool) {
	h.known = true
	n, err := port(text)
	if err != nil {
		if h.bad == "" {
			h.bad = fmt.Sprintf("%q", short(text))
		}
		return
	}
	h.open = append(h.open, service{port: n, http: http, tls: tls})
}

// short cuts foreign text for an error.
func short(text string) string {
	if len(text) > 80 {
		return strings.ToValidUTF8(text[:80], "") + "…"
	}
	return strings.Clone(text)
}

// take yields the wanted ports of a host, under each of its names.
func (l *List) take(in *input, h host, yield func(Spec) error) error {
	if h.addr == "" && len(h.names) == 0 {
		return in.fail(errors.New("names no host"))
	}
	spec := Spec{Source: in.source(), Exact: h.known, Process: h.owner, Found: h.found}
	if h.addr != "" {
		addr, err := netip.ParseAddr(h.addr)
		if err != nil {
			return in.fail(fmt.Errorf("%q is not an address", short(h.addr)))
		}
		spec.Input = h.addr
		if spec, err = spec.withAddr(addr); err != nil {
			return in.fail(err)
		}
	}
	if h.bound.IsValid() {
		spec.Bound = h.bound.String()
	}
	plain, secure, err := l.wanted(h)
	if err != nil {
		return in.fail(err)
	}
	names := l.names(h)
	if len(names) == 0 && h.addr == "" {
		return in.fail(fmt.Errorf("%q is not an address or host name", short(h.names[0])))
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
			if h.here {
				l.Here++
			}
			if err := yield(spec); err != nil {
				return err
			}
		}
	}
	return nil
}

func (h *host) badPort() error {
	return fmt.Errorf("%s is not a port: use a number from 1 to 65535", h.bad)
}

// wanted returns the ports to take, those that speak TLS apart.
func (l *List) wanted(h host) (plain, secure []uint16, err error) {
	if !h.known {
		return l.Ports, nil, nil
	}
	if len(h.open) > maxPorts {
		return nil, nil, errPorts
	}
	if h.bad != "" {
		return nil, nil, h.badPort()
	}
	taken := map[uint16]bool{}
	for _, s := range h.open {
		wanted := l.isWanted[s.port]
		switch {
		case wanted && h.again, taken[s.port]:
		case !l.takes(s):
			l.Passed++
		case s.tls:
			secure = append(secure, s.port)
			taken[s.port] = true
		default:
			plain = append(plain, s.port)
			taken[s.port] = true
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
