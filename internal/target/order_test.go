package target

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func TestOrderIsAPermutation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Range(1, 5000).Draw(t, "n")
		o := NewOrder(n, rapid.Uint64().Draw(t, "seed"))
		seen := make([]bool, n)
		for i := range n {
			j := o.At(i)
			if j >= n || seen[j] {
				t.Fatalf("position %d gives %d: out of range or twice", i, j)
			}
			if back := o.Of(j); back != i {
				t.Fatalf("position %d gives %d, which is said to be at %d", i, j, back)
			}
			seen[j] = true
		}
	})
}

func TestOrderIsStable(t *testing.T) {
	// Written down once: the same seed must give the same order everywhere, or
	// the shards of several machines would not fit together.
	for _, c := range []struct {
		n, seed uint64
		want    string
	}{
		{10, 0, "[8 0 6 7 2 3 1 9 4 5]"},
		{10, 1, "[8 6 2 7 1 3 4 5 9 0]"},
		{1 << 32, 7, "[3397927280 2288165032 2478716275 107763443 2384790765 4165393404 2721063788 1638831361 1478376297 1919847788]"},
	} {
		o := NewOrder(c.n, c.seed)
		var got []uint64
		for i := range uint64(10) {
			got = append(got, o.At(i))
		}
		if text := fmt.Sprint(got); text != c.want {
			t.Errorf("n %d, seed %d: %s, want %s", c.n, c.seed, text, c.want)
		}
	}
}

// Four shards are disjoint and together everything, for address and name
// spaces of any size.
func TestShardsPartition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prefix := rapid.SampledFrom([]string{"10.0.0.0/%d", "2001:db8::/%d"}).Draw(t, "family")
		length := rapid.IntRange(12, 32).Draw(t, "bits")
		if prefix[0] == '2' {
			length += 96
		}
		spec, err := Parse(fmt.Sprintf(prefix, length), "test", []uint16{80, 443}[:rapid.IntRange(1, 2).Draw(t, "ports")])
		if err != nil {
			t.Fatal(err)
		}
		var space Space
		if err := space.Add(spec); err != nil {
			t.Fatal(err)
		}
		n := space.Len()
		if n > 1<<21 {
			t.Skip("larger than wanted")
		}
		o := NewOrder(n, rapid.Uint64().Draw(t, "seed"))
		shards := rapid.Uint64Range(1, 7).Draw(t, "shards")
		seen := make([]bool, n)
		total := uint64(0)
		for k := range shards {
			s := Shard{K: k + 1, N: shards}
			for i := range s.Len(n) {
				j := o.At(s.At(i))
				if seen[j] {
					t.Fatalf("index %d is in two shards", j)
				}
				seen[j] = true
				total++
			}
		}
		if total != n {
			t.Fatalf("the shards have %d targets, the space %d", total, n)
		}
	})
}

// A scan of a block must not walk through it: neighbours in time are far apart.
func TestOrderSpreads(t *testing.T) {
	const n = 1 << 16
	o := NewOrder(n, 3)
	near := 0
	for i := range uint64(n - 1) {
		a, b := o.At(i), o.At(i+1)
		if a/256 == b/256 {
			near++
		}
	}
	// 256 networks: by chance one pair in 256 is in the same one.
	if near > 2*n/256 {
		t.Errorf("%d of %d neighbours are in the same /24, want about %d", near, n, n/256)
	}
}

func BenchmarkOrder(b *testing.B) {
	o := NewOrder(1<<32, 1)
	for i := range b.N {
		o.At(uint64(i))
	}
}
