package target

import (
	"bufio"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"testing"

	"pgregory.net/rapid"
)

// Each member of an entry comes back as it was, for each of its targets.
func TestSpoolProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, err := newSpool()
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		type entry struct {
			spec     Spec
			first, n uint64
		}
		var entries []entry
		next := uint64(0)
		text := rapid.SampledFrom([]string{"", "a", "gw.example", "http://gw.example/x:1", "\x00\xff:", "f:007", "f:7", ":", "f:"})
		for range rapid.IntRange(1, 3*perBlock).Draw(t, "entries") {
			spec := Spec{
				Name: text.Draw(t, "name"), Scheme: text.Draw(t, "scheme"), Base: text.Draw(t, "base"),
				Input: text.Draw(t, "input"), Source: text.Draw(t, "source"),
				Bound: text.Draw(t, "bound"), Process: text.Draw(t, "process"), Implied: rapid.Bool().Draw(t, "implied"), Exact: rapid.Bool().Draw(t, "exact"),
			}
			n := uint64(rapid.IntRange(1, 5).Draw(t, "addresses"))
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				spec.First = v4(rapid.Uint32Range(0, 1<<30).Draw(t, "v4"))
			case 1:
				spec.First = v6(1, rapid.Uint64Range(0, 1<<60).Draw(t, "v6"))
			case 2:
				spec.First, n = v6(0xfe80<<48, 1).WithZone("eth0"), 1
			default:
				n = 1
			}
			if spec.First.IsValid() {
				spec.Last = plus(spec.First, n-1)
				if rapid.Bool().Draw(t, "plain") {
					spec.Input = spec.First.String()
				}
			}
			spec.Ports = rapid.SliceOfN(rapid.Uint16Range(1, 65535), 1, 3).Draw(t, "ports")
			if rapid.Bool().Draw(t, "usual") {
				spec.Ports = wanted
			}
			n *= uint64(len(spec.Ports))
			if err := s.add(&spec, next, n); err != nil {
				t.Fatal(err)
			}
			entries = append(entries, entry{spec, next, n})
			next += n
		}
		for number, e := range entries {
			e.spec.Listed = true
			if got := s.input(uint64(number)); got != e.spec.Input {
				t.Fatalf("entry %d names %q, want %q", number, got, e.spec.Input)
			}
			for i := range e.n {
				got, entry, place, err := s.at(e.first + i)
				if err != nil || entry != uint64(number) || place != i || !reflect.DeepEqual(got, e.spec) {
					t.Fatalf("target %d: %+v at %d of %d, %v; want %+v at %d of %d", e.first+i, got, place, entry, err, e.spec, i, number)
				}
			}
		}
		if got := s.input(uint64(len(entries))); got != "" {
			t.Fatalf("an entry that is not there names %q", got)
		}
	})
}

// A space of more entries than are held has each of its targets once, in the
// seeded order as well.
func TestLongSpace(t *testing.T) {
	var s Space
	defer s.Close()
	const n = 3*maxHeld + 5
	for i := range uint32(n) {
		if err := s.Add(Spec{First: v4(i), Last: v4(i), Ports: []uint16{1, 2}}); err != nil {
			t.Fatal(err)
		}
	}
	if s.Len() != 2*n {
		t.Fatalf("%d targets, want %d", s.Len(), 2*n)
	}
	seen := map[Target]bool{}
	o := NewOrder(s.Len(), 1)
	for i := range s.Len() {
		j := o.At(i)
		got := at(t, &s, j)
		if seen[got] || got.Addr.Addr() != v4(uint32(j/2)) || got.Addr.Port() != uint16(1+j%2) {
			t.Fatalf("target %d is %+v", j, got)
		}
		seen[got] = true
	}
}

// The temporary file that breaks is an error, not another target.
func TestSpoolBroken(t *testing.T) {
	s, err := newSpool()
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for i := range uint64(2 * perBlock) {
		if err := s.add(&Spec{Name: "gw.example", Ports: wanted, Source: "f:1"}, 4*i, 4); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.f.WriteAt(make([]byte, s.size), 0); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := s.at(0); err == nil {
		t.Error("an overwritten file gives a target")
	}
	if err := s.f.Truncate(10); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := s.at(0); err == nil {
		t.Error("a truncated file gives a target")
	}
}

// The memory that ten million lines take, and the time to look one up.
func BenchmarkTenMillionLines(b *testing.B) {
	var s Space
	defer s.Close()
	r, w := io.Pipe()
	go func() {
		out := bufio.NewWriter(w)
		for i := range 10_000_000 {
			fmt.Fprintf(out, "10.%d.%d.%d:18789\n", i>>16, i>>8&255, i&255)
		}
		out.Flush()
		w.Close()
	}()
	l := List{Name: "hosts.txt", Ports: wanted}
	if err := l.Read(r, s.Add); err != nil {
		b.Fatal(err)
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	o := NewOrder(s.Len(), 1)
	b.ReportAllocs()
	i := uint64(0)
	for b.Loop() {
		if _, err := s.At(o.At(i % s.Len())); err != nil {
			b.Fatal(err)
		}
		i++
	}
	b.ReportMetric(float64(m.HeapInuse)/(1<<20), "heap-MiB")
}
