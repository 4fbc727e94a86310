package target

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// tailnetMachine is what is read of a machine of tailscale status --json.
type tailnetMachine struct {
	DNSName      string
	TailscaleIPs []string
	Online       bool
	ShareeNode   bool // its users may use ours, not the other way round
	Tags         []string
}

// tailnet takes this machine, once its peers have been read.
func (l *List) tailnet(in *input, data []byte, yield func(Spec) error) error {
	var s struct {
		BackendState string
		Self         *tailnetMachine
	}
	if err := decode(data, &s); err != nil {
		return in.fail(err)
	}
	if s.BackendState != "Running" {
		return in.fail(fmt.Errorf("the tailnet is not connected (%q): the list has nothing to tell: tailscale up", short(s.BackendState)))
	}
	if s.Self == nil {
		return in.fail(errors.New("this machine is missing in the list: give the whole of tailscale status --json"))
	}
	s.Self.Online = true
	return l.tailnetHost(in, s.Self, yield)
}

func (l *List) tailnetPeer(in *input, data []byte, yield func(Spec) error) error {
	var m tailnetMachine
	if err := decode(data, &m); err != nil {
		return in.fail(err)
	}
	return l.tailnetHost(in, &m, yield)
}

func (l *List) tailnetHost(in *input, m *tailnetMachine, yield func(Spec) error) error {
	name := strings.ToLower(strings.TrimSuffix(m.DNSName, "."))
	switch {
	case m.ShareeNode, slices.Contains(m.Tags, "tag:mullvad-exit-node"), strings.HasSuffix(name, ".mullvad.ts.net"):
		l.leave(LeftForeign)
		return nil
	case !m.Online, len(m.TailscaleIPs) == 0:
		l.leave(LeftOffline)
		return nil
	}
	for _, addr := range m.TailscaleIPs {
		h := host{addr: addr}
		if name != "" {
			h.names = []string{name}
		}
		if err := l.take(in, h, yield); err != nil {
			return err
		}
	}
	return nil
}
