package target

import "math/bits"

// Order is a seeded permutation of the indices 0 … n-1, so that a scan neither
// walks through a network address by address nor needs memory for where it has
// been. The same n and seed give the same order on every machine.
//
// It is a Feistel network over the smallest even number of bits that holds n-1;
// an image outside the range is put through the network again until it is
// inside ("cycle walking"), which takes fewer than four turns on average, since
// the network's range is less than four times n.
type Order struct {
	n    uint64
	half uint // bits of one half
	mask uint64
	keys [rounds]uint64
}

// rounds is enough for an order without visible structure; nothing secret
// depends on it.
const rounds = 4

// NewOrder returns the order of n indices for a seed.
func NewOrder(n, seed uint64) *Order {
	half := max((uint(bits.Len64(max(n, 1)-1))+1)/2, 1)
	o := &Order{n: n, half: half, mask: 1<<half - 1}
	for i := range o.keys {
		seed += 0x9e3779b97f4a7c15
		o.keys[i] = mix(seed)
	}
	return o
}

// At returns the index at position i, 0 <= i < n.
func (o *Order) At(i uint64) uint64 {
	for {
		left, right := i>>o.half, i&o.mask
		for _, key := range o.keys {
			left, right = right, left^(mix(right^key)&o.mask)
		}
		if i = left<<o.half | right; i < o.n {
			return i
		}
	}
}

// Of returns the position of an index, 0 <= index < n: At gives the index there.
func (o *Order) Of(index uint64) uint64 {
	for {
		left, right := index>>o.half, index&o.mask
		for i := range o.keys {
			key := o.keys[rounds-1-i]
			left, right = right^(mix(left^key)&o.mask), left
		}
		if index = left<<o.half | right; index < o.n {
			return index
		}
	}
}

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood: Fast Splittable
// Pseudorandom Number Generators, 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Shard is one of several equal parts of an order: the positions that leave
// the remainder K-1 when divided by N. Shards of the same N are disjoint and
// together everything.
type Shard struct{ K, N uint64 }

// Len returns how many of n positions the shard has.
func (s Shard) Len(n uint64) uint64 { return (n + s.N - s.K) / s.N }

// At returns the shard's i-th position.
func (s Shard) At(i uint64) uint64 { return i*s.N + s.K - 1 }
