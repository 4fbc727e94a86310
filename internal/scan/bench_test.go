package scan_test

import (
	"net/netip"
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/scan"
)

// The allocations are those of both sides: the servers are in this process.
func BenchmarkRun(b *testing.B) {
	bench := func(addr netip.AddrPort, outcome event.Outcome, requests int) func(*testing.B) {
		return func(b *testing.B) {
			cfg := config(b, builtin(b), swept(addr, b.N))
			cfg.Concurrency = 16
			cfg.Emit = func(e event.Event) error {
				if ev, ok := e.(*event.Target); ok && (ev.Outcome != outcome || ev.Requests != requests) {
					b.Errorf("%s after %d requests (%s)", ev.Outcome, ev.Requests, ev.Error)
				}
				return nil
			}
			b.ReportAllocs()
			b.ResetTimer()
			if _, err := scan.Run(b.Context(), cfg); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "targets/s")
		}
	}
	gateway := start(b, recorded(b)["openclaw/openclaw-2026.9.6-token.yaml"])
	probed := one(b, config(b, builtin(b), single(gateway.Addr)))
	b.Run("gateway", bench(gateway.Addr, "identified", probed.Requests))
	b.Run("web", bench(web(b, always(200, "<html><title>hello</title></html>", "Content-Type", htmlType)).addr, "other", 1))
	b.Run("closed", bench(closed(b), "closed", 0))
}
