package target

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// socketWords reports whether a line, which begins with a word, is one of ss: its header,
// or a socket.
func socketWords(word, text string) bool {
	switch word {
	case "Netid":
		return strings.Contains(text, " Recv-Q ")
	case "State":
		return strings.HasPrefix(strings.TrimLeft(text[len(word):], " "), "Recv-Q ")
	case "tcp", "udp":
		text = strings.TrimLeft(text[len(word):], " ")
		return strings.HasPrefix(text, "LISTEN ") || strings.HasPrefix(text, "UNCONN ")
	}
	return word == "LISTEN" || word == "UNCONN"
}

// socketLine reads a line of ss -ltnp: state, two queues, local address and port, those
// of the peer, and perhaps the processes. Of other states nothing listens.
func (l *List) socketLine(in *input, text string, yield func(Spec) error) error {
	f := firstFields(text, 6) // what is behind the peer is not taken apart
	if f[0] == "Netid" || f[0] == "State" {
		return nil
	}
	if f[0] == "tcp" || f[0] == "udp" { // ss -ltunp
		f = f[1:]
	}
	if len(f) == 0 || f[0] != "LISTEN" {
		return nil
	}
	if len(f) < 5 {
		return in.fail(errors.New(`not a line of ss: "LISTEN RECV-Q SEND-Q ADDRESS:PORT PEER" is expected`))
	}
	i := strings.LastIndexByte(f[3], ':')
	if i < 0 {
		return in.fail(fmt.Errorf("%q is not an address and port", short(f[3])))
	}
	n, err := port(f[3][i+1:])
	if err != nil {
		return in.fail(fmt.Errorf("%w (ss -ltn writes numbers)", err))
	}
	local, device, bound := strings.Cut(f[3][:i], "%")
	local = strings.Trim(local, "[]")
	if local == "*" { // both families
		local = "0.0.0.0"
	}
	addr, err := netip.ParseAddr(local)
	if err != nil {
		return in.fail(fmt.Errorf("%q is not an address", short(local)))
	}
	device = strings.TrimSuffix(device, "]")
	switch {
	case bound && addr.IsUnspecified():
		l.leave(LeftDevice)
		return nil
	case bound && addr.Is6() && addr.IsLinkLocalUnicast():
		addr = addr.WithZone(device)
	}
	p := listener{addr: addr, port: n}
	if _, users, ok := strings.Cut(text, `users:(("`); ok {
		name, _, _ := strings.Cut(users, `",pid=`)
		p.owner = word(name)
	}
	return l.listens(in, p, yield)
}
