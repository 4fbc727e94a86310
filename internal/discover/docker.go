package discover

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/local"
	"github.com/clawsonar/clawsonar/internal/target"
	"github.com/clawsonar/clawsonar/internal/wire"
)

// Limits on the list of a container engine.
const (
	maxList   = 16 << 20 // bytes
	maxValues = 1 << 20  // of JSON
	dockerFor = 10 * time.Second
)

// Engines says where container engines listen.
type Engines struct {
	// Socket, if set, is the one to ask.
	Socket string
	// Getenv is os.Getenv, Root "" but in tests, before each of the usual paths.
	Getenv func(string) string
	Root   string
}

// Rules say which ports are left alone.
type Rules struct {
	LeftAlone local.LeftAlone
	Own       []uint16 // ports of products, which are none of them
}

// Docker asks the container engines of this machine, Docker's or Podman's, once each for
// their running containers, and returns the ports that these publish. It fails if none can
// be asked.
func Docker(ctx context.Context, e Engines, rules Rules) (Result, error) {
	sockets, err := e.sockets()
	if err != nil {
		return Result{}, fmt.Errorf("docker: %w", err)
	}
	var r Result
	var failed []error
	for _, socket := range sockets {
		one, cancel := context.WithTimeout(ctx, dockerFor)
		// Podman knows the path as well.
		data, err := wire.AskSocket(one, socket, "/containers/json", maxList)
		cancel()
		switch {
		case ctx.Err() != nil:
			return Result{}, context.Cause(ctx)
		case err == nil:
			err = r.containers(data, rules)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("docker: %s: %w", socket, why(err)))
			continue
		}
		r.Asked = strings.TrimPrefix(r.Asked+", ", ", ") + "docker at " + socket
	}
	if len(failed) == len(sockets) {
		return Result{}, failed[0]
	}
	for _, err := range failed {
		r.note("%s", err)
	}
	return r, nil
}

// why says what to do about an error of a socket.
func why(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("no such socket: is the container engine running? Name its socket with -docker=SOCKET")
	case errors.Is(err, fs.ErrPermission):
		return errors.New("not permitted: run as a user who may use the container engine")
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("nothing listens there: is the container engine running?")
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("no answer in time")
	}
	return err
}

// sockets returns those to ask: what was named or the environment names, or else the
// usual ones that exist, each once.
func (e Engines) sockets() ([]string, error) {
	if e.Socket != "" {
		return []string{e.Socket}, nil
	}
	for _, name := range []string{"DOCKER_HOST", "CONTAINER_HOST"} {
		host := e.Getenv(name)
		if host == "" {
			continue
		}
		if path, ok := strings.CutPrefix(host, "unix://"); ok && path != "" {
			return []string{path}, nil
		}
		// It may hold the name of a user.
		return nil, fmt.Errorf("%s names no socket of this machine (unix://PATH): name one with -docker=SOCKET", name)
	}
	usual := []string{"/var/run/docker.sock", "/run/podman/podman.sock"}
	if run := e.Getenv("XDG_RUNTIME_DIR"); run != "" {
		usual = append(usual, filepath.Join(run, "docker.sock"), filepath.Join(run, "podman", "podman.sock"))
	}
	if home := e.Getenv("HOME"); home != "" {
		usual = append(usual, filepath.Join(home, ".docker", "run", "docker.sock"))
	}
	var out []string
	var seen []os.FileInfo
	for _, path := range usual {
		path = e.Root + path
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil: // it cannot be looked at, which asking will say
			out = append(out, path)
		case info.Mode()&fs.ModeSocket != 0 && !slices.ContainsFunc(seen, func(o os.FileInfo) bool { return os.SameFile(o, info) }):
			out, seen = append(out, path), append(seen, info)
		}
	}
	if out == nil {
		return nil, fmt.Errorf("no socket of a container engine at %s: name it with -docker=SOCKET", strings.Join(usual, ", "))
	}
	return out, nil
}

// container is what is read of an engine's answer.
type container struct {
	ID         string `json:"Id"`
	Names      []string
	Ports      []publishedPort
	HostConfig struct{ NetworkMode string }
}

type publishedPort struct {
	IP          string // "" stands for every address
	PrivatePort uint16
	PublicPort  uint16 // 0: not published
	Type        string
}

// containers takes the ports of a list.
func (r *Result) containers(data []byte, rules Rules) error {
	if err := bounded.JSON(data, maxValues); err != nil {
		return fmt.Errorf("its answer is %w", err)
	}
	var list []container
	if err := json.Unmarshal(data, &list); err != nil {
		return errors.New("its answer is no list of containers")
	}
	for _, c := range list {
		name := clean.N(c.name(), 64)
		if c.HostConfig.NetworkMode == "host" {
			r.note("docker: container %s has the network of this machine: what listens there \"clawsonar scan\" finds", name)
		}
		r.ports(name, c.Ports, rules)
	}
	return nil
}

func (c *container) name() string {
	if len(c.Names) > 0 {
		return strings.TrimPrefix(c.Names[0], "/")
	}
	return c.ID[:min(len(c.ID), 12)]
}

func (r *Result) ports(container string, ports []publishedPort, rules Rules) {
	every := map[uint16]bool{} // published on every IPv4 address
	// IPv4 first, since engines list a port that is published on all addresses twice.
	slices.SortStableFunc(ports, func(a, b publishedPort) int {
		return cmp.Or(strings.Count(a.IP, ":")-strings.Count(b.IP, ":"), cmp.Compare(a.PublicPort, b.PublicPort))
	})
	for _, p := range ports {
		if p.PublicPort == 0 || p.Type != "" && p.Type != "tcp" {
			continue
		}
		addr, err := netip.ParseAddr(cmp.Or(p.IP, "0.0.0.0"))
		if err != nil {
			r.note("docker: container %s: port %d is left out: %q is not an address", container, p.PublicPort, clean.N(p.IP, 64))
			continue
		}
		addr = addr.Unmap()
		if known := rules.LeftAlone.Port(p.PrivatePort); known != nil && !slices.Contains(rules.Own, p.PrivatePort) {
			r.note("docker: container %s: port %d is left alone: %s", container, p.PublicPort, known.Name)
			continue
		}
		f := target.Found{
			IP: addr, Port: p.PublicPort, Container: container,
			Found: event.Discovery{By: event.ByDocker, Published: netip.AddrPortFrom(addr, p.PublicPort).String()},
		}
		// Loopback leads to what is published on every address, as it does in a scan of
		// this machine.
		switch {
		case !addr.IsUnspecified():
		case addr.Is4():
			f.IP, every[p.PublicPort] = netip.AddrFrom4([4]byte{127, 0, 0, 1}), true
		case every[p.PublicPort]:
			continue
		default:
			f.IP = netip.IPv6Loopback()
		}
		r.add(f)
	}
}
