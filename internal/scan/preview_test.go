package scan

import (
	"net/netip"
	"testing"

	"github.com/clawsonar/clawsonar/internal/target"
)

func TestPreview(t *testing.T) {
	for _, tt := range []struct {
		name            string
		inputs          []string
		deny            string
		shard           target.Shard
		sampled         uint64
		targets         uint64
		sample          int
		excluded, names int
		counted         bool
	}{
		{name: "nothing", sampled: 5},
		{name: "all are sampled", inputs: []string{"192.0.2.0/30"}, sampled: 20, targets: 4, sample: 4, counted: true},
		{name: "some are", inputs: []string{"192.0.2.0/24"}, sampled: 20, targets: 256, sample: 20, counted: true},
		{name: "a shard", inputs: []string{"192.0.2.0/24"}, shard: target.Shard{K: 2, N: 4}, sampled: 20, targets: 64, sample: 20, counted: true},
		{name: "excluded, and a name", inputs: []string{"192.0.2.0/24", "gw.example.net"}, deny: "192.0.2.0/28", sampled: 1, targets: 257, sample: 1, excluded: 16, names: 1, counted: true},
		{name: "too many to count", inputs: []string{"10.0.0.0/8"}, sampled: 3, targets: 1 << 24, sample: 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var deny []netip.Prefix
			if tt.deny != "" {
				deny = append(deny, netip.MustParsePrefix(tt.deny))
			}
			cfg := &Config{Space: new(target.Space), Scope: target.NewScope(nil, deny, true), Seed: 7, Shard: tt.shard}
			for _, in := range tt.inputs {
				spec, err := target.Parse(in, "", []uint16{80})
				if err == nil {
					err = cfg.Space.Add(spec)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			p, err := cfg.Preview(tt.sampled)
			if err != nil || p.Targets != tt.targets || len(p.Sample) != tt.sample || p.Excluded != tt.excluded || p.Names != tt.names || p.Counted != tt.counted {
				t.Errorf("%+v, %v", p, err)
			}
			for i, s := range p.Sample {
				if i > 0 && p.Sample[i-1].Addr.Compare(s.Addr) >= 0 {
					t.Errorf("%v comes after %v", s.Addr, p.Sample[i-1].Addr)
				}
			}
		})
	}
}
