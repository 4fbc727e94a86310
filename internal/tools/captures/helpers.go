//go:build linux

package main

import (
	"context"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/test/lab"
)

// recordHelpers starts what stands beside gateways, real programs all of them,
// and records it on loopback.
func recordHelpers(ctx context.Context, l *lab.Lab, work, out string) error {
	local := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	var here *lab.Namespace // this machine's own
	serve := func(port uint16, tool string, args ...string) (*lab.Service, error) {
		return here.Serve(ctx, filepath.Join(work, tool), netip.AddrPortFrom(local, port), tool, args...)
	}
	gateway, err := l.Start(ctx, filepath.Join(work, "browser"), lab.Config{
		Name: "browser", Package: "clawdbot", Version: "2026.1.24-3", Mode: lab.Token,
	})
	if err != nil {
		return err
	}
	defer gateway.Stop()
	for _, s := range []struct {
		product, name, program string
		auth                   event.AuthState
		port                   uint16
		tool                   string // to start first; "" for none
		args                   []string
		keep                   bool // until all is recorded
	}{
		{product: "openclaw-browser", name: "clawdbot-2026.1.24-3", program: "clawdbot 2026.1.24-3", auth: event.AuthOpen, port: gateway.Addr.Port() + 2},
		{product: "cdp", name: "chromium", program: "Chromium, headless", auth: event.AuthOpen, port: 9222, tool: "chromium", args: []string{
			"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
			"--disable-component-update", "--disable-sync", "--user-data-dir=" + filepath.Join(work, "profile"),
			"--remote-debugging-port=9222", "about:blank"}},
		{port: 6042, tool: "Xvfb", args: []string{":42", "-screen", "0", "640x480x24", "-listen", "tcp", "-nolisten", "unix"}, keep: true},
		{product: "vnc", name: "x11vnc-password", program: "x11vnc -passwd", auth: event.AuthRequired, port: 5900, tool: "x11vnc",
			args: []string{"-display", "127.0.0.1:42", "-rfbport", "5900", "-localhost", "-forever", "-shared", "-noshm", "-noipv6", "-passwd", "x"}},
		{product: "vnc", name: "x11vnc-open", program: "x11vnc -nopw", auth: event.AuthOpen, port: 5900, tool: "x11vnc", keep: true,
			args: []string{"-display", "127.0.0.1:42", "-rfbport", "5900", "-localhost", "-forever", "-shared", "-noshm", "-noipv6", "-nopw"}},
		{product: "novnc", name: "websockify-open", program: "noVNC behind websockify", auth: event.AuthOpen, port: 6080, tool: "websockify",
			args: []string{"--web", "/usr/share/novnc", "127.0.0.1:6080", "127.0.0.1:5900"}},
	} {
		stop := func() {}
		if s.tool != "" {
			service, err := serve(s.port, s.tool, s.args...)
			if err != nil {
				return err
			}
			if s.keep {
				defer service.Stop()
			} else {
				stop = service.Stop
			}
		}
		if s.product == "" {
			continue
		}
		got, err := ask(ctx, look{URL: netip.AddrPortFrom(local, s.port).String(), Product: s.product})
		stop()
		if err != nil {
			return err
		}
		c := evidence.Capture{
			Made: "recorded", Date: time.Now().UTC().Format(time.DateOnly), Program: s.program, Port: s.port,
			Expect:    evidence.Expectation{Product: s.product, Auth: s.auth},
			Exchanges: got.Exchanges,
		}
		if s.product == "cdp" {
			// "Chromium 156.0.8078.79 built on ..."
			out, err := exec.CommandContext(ctx, s.tool, "--version").Output()
			if err != nil {
				return err
			}
			c.Expect.Candidates = []string{"Chrome/" + strings.Fields(string(out))[1]}
		}
		if err := write(filepath.Join(out, s.product, s.name+".yaml"), c, work); err != nil {
			return err
		}
	}
	return nil
}
