//go:build linux

package lab

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Service is a running program that listens on a port.
type Service struct{ proc *process }

// Stop ends the program. Calling it again does nothing.
func (s *Service) Stop() { s.proc.stop() }

// Log returns what the program has printed so far.
func (s *Service) Log() string { return s.proc.output() }

// Serve starts a program in a namespace and waits until it takes connections at
// addr. Its output goes to a file below workdir. The context bounds the start
// only.
func (n *Namespace) Serve(ctx context.Context, workdir string, addr netip.AddrPort, tool string, args ...string) (*Service, error) {
	path, err := FindTool(tool)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", tool, err)
	}
	if err := os.MkdirAll(workdir, 0o700); err != nil {
		return nil, err
	}
	cmd := n.Command(path, args...)
	cmd.Dir = workdir
	cmd.Env = append(cmd.Environ(), "HOME="+workdir)
	return n.serve(ctx, cmd, filepath.Join(workdir, tool+"-"+fmt.Sprint(addr.Port())+".log"), addr, frontLimit)
}

// serve starts cmd, which runs in the namespace, and waits at most limit until it
// takes connections at addr.
func (n *Namespace) serve(ctx context.Context, cmd *exec.Cmd, log string, addr netip.AddrPort, limit time.Duration) (*Service, error) {
	proc, err := startProcess(cmd, log)
	if err != nil {
		return nil, err
	}
	s := &Service{proc}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = s.proc.await(ctx, func() error {
		conn, err := n.DialContext(ctx, "tcp", addr.String())
		if err == nil {
			conn.Close()
		}
		return err
	})
	if err != nil {
		s.Stop()
		return nil, fmt.Errorf("start %s on %s: %w\n%s", strings.Join(cmd.Args, " "), addr, err, lastLines(s.Log(), 10))
	}
	return s, nil
}
