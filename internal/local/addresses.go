package local

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	psnet "github.com/shirou/gopsutil/v4/net"
)

// Addresses returns the addresses under which another machine may reach this
// one, IPv4 first: those of interfaces that are up, but for loopback, link-local
// addresses and the bridges that containers and virtual machines are on.
func Addresses(ctx context.Context) ([]netip.Addr, error) {
	interfaces, err := psnet.InterfacesWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the operating system for this machine's addresses: %w", err)
	}
	return addresses(interfaces), nil
}

func addresses(interfaces []psnet.InterfaceStat) []netip.Addr {
	inside := []string{"docker", "br-", "veth", "virbr", "cni", "flannel", "cali", "podman", "lxc", "lxd"}
	var out []netip.Addr
	for _, i := range interfaces {
		if !slices.Contains(i.Flags, "up") || slices.Contains(i.Flags, "loopback") ||
			slices.ContainsFunc(inside, func(p string) bool { return strings.HasPrefix(i.Name, p) }) {
			continue
		}
		for _, a := range i.Addrs {
			p, err := netip.ParsePrefix(a.Addr)
			if err != nil {
				continue
			}
			addr := p.Addr().Unmap().WithZone("")
			if !addr.IsLoopback() && addr.IsGlobalUnicast() && !slices.Contains(out, addr) {
				out = append(out, addr)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
	return out
}

// InContainer reports whether this looks like the inside of a container, by the
// files that Docker and Podman leave there. root is "/" but in tests.
func InContainer(root string) bool {
	return slices.ContainsFunc([]string{".dockerenv", "run/.containerenv"}, func(name string) bool {
		_, err := os.Stat(root + name)
		return err == nil
	})
}
