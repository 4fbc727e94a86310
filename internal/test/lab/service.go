//go:build linux

package lab

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
)

// Service is a running program that listens on a port.
type Service struct{ proc *process }

// Stop ends the program. Calling it again does nothing.
func (s *Service) Stop() { s.proc.stop() }

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
	s := &Service{}
	if s.proc, err = startProcess(cmd, filepath.Join(workdir, tool+"-"+fmt.Sprint(addr.Port())+".log")); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, frontLimit)
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
		return nil, fmt.Errorf("start %s on %s: %w\n%s", tool, addr, err, lastLines(s.proc.output(), 10))
	}
	return s, nil
}
