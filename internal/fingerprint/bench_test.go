package fingerprint_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
)

// BenchmarkPlain is what it costs to think about a web server that is none of
// ours: most of a sweep. It must not grow with the number of products.
func BenchmarkPlain(b *testing.B) {
	set := builtin(b)
	for name, body := range map[string]string{
		"small": "<html><head><title>hello</title></head></html>",
		"large": "<html><head><title>hello</title></head><body>" + strings.Repeat("<p>some <b>words</b> of a page</p>\n", 3000) + "</body></html>",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				o := evidence.Observation{
					Addr: netip.MustParseAddrPort("10.0.0.7:80"), Scheme: "http", Outcome: event.OutcomeOther, Requests: 1,
					Exchanges: []evidence.Exchange{{
						ID: "root", Method: "GET", Path: "/", Status: 200, Body: []byte(body),
						Header: evidence.Header{{Name: "Server", Value: "nginx"}, {Name: "Content-Type", Value: "text/html; charset=utf-8"}},
					}},
				}
				c := set.Open(&o, event.LevelStandard)
				if _, ok := c.Next(); ok {
					b.Fatal("asks for more")
				}
				if v := c.Verdict(); v.Product.ID != "" {
					b.Fatal(v.Product.ID)
				}
			}
		})
	}
}

// BenchmarkGateway is what it costs to think about a gateway: all that there is
// to ask, and the verdict.
func BenchmarkGateway(b *testing.B) {
	set := builtin(b)
	for _, name := range []string{"openclaw-2026.9.6-token", "openclaw-2026.3.13-none"} {
		c := recorded(b)["openclaw/"+name+".yaml"]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if v := set.Replay(&c, event.LevelStandard).Verdict(); v.Product.ID != "openclaw" {
					b.Fatal(v.Product.ID)
				}
			}
		})
	}
}
