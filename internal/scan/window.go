package scan

import (
	"slices"
	"sync"

	"github.com/clawsonar/clawsonar/internal/event"
)

// window follows which positions of a run are done, while they are finished out
// of order, and knows the low-water mark: everything before it is done.
//
// It is a ring of bits. A target that takes its full time holds the mark back
// while others pass, so the ring is wide: at 100,000 targets a second it holds
// 40 s in 512 KiB, more than one target can take.
type window struct {
	mu   sync.Mutex
	free *sync.Cond
	next uint64 // the low-water mark
	done []uint64
	over bool // nothing will be finished any more

	books *books // nil without a journal
}

// books count what has no line in the stream, up to the mark exactly: a run that
// continues from there counts the rest.
type books struct {
	counts  [kinds]int
	ahead   [kinds][]uint64        // rings of bits, of positions behind the mark
	more    map[uint64][kinds]int  // those of positions that have several
	pending map[uint64]*[kinds]int // positions before the mark that are still to be done
}

// kinds is how many outcomes targets may have that have no line, and one more,
// named, that counts those of them which the user had named.
const (
	kinds = 4
	named = 3
)

func unlistedOutcomes() [named]event.Outcome {
	return [named]event.Outcome{event.OutcomeClosed, event.OutcomeSilent, event.OutcomeExcluded}
}

func kindOf(o event.Outcome) int {
	all := unlistedOutcomes()
	return slices.Index(all[:], o)
}

const windowBits = 1 << 22

func newWindow(next uint64) *window {
	w := &window{next: next, done: make([]uint64, windowBits/64)}
	w.free = sync.NewCond(&w.mu)
	return w
}

// keepBooks has what has no line counted from m on.
func (w *window) keepBooks(m Mark) {
	b := &books{more: map[uint64][kinds]int{}, pending: map[uint64]*[kinds]int{}}
	for k := range kinds {
		b.ahead[k] = make([]uint64, windowBits/64)
	}
	for k, o := range unlistedOutcomes() {
		b.counts[k] = m.Unlisted[o]
	}
	if m.Unjudged != nil {
		b.counts[named] = int(m.Unjudged.Count)
	}
	for _, p := range m.Pending {
		b.pending[p] = new([kinds]int)
	}
	w.books = b
}

// unlisted counts a target at position i that has no line, by each of its kinds,
// before that position is finished.
func (w *window) unlisted(i uint64, kinds []int) {
	if w == nil || w.books == nil {
		return
	}
	for _, k := range kinds {
		w.count(i, k)
	}
}

func (w *window) count(i uint64, k int) {
	if k < 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.books
	if p := b.pending[i]; p != nil {
		p[k]++
		return
	}
	word, bit := &b.ahead[k][i%windowBits/64], uint64(1)<<(i%64)
	if *word&bit == 0 {
		*word |= bit
		return
	}
	more := b.more[i]
	more[k]++
	b.more[i] = more
}

// pass counts position i, which the mark passes. The caller holds mu.
func (b *books) pass(i uint64) {
	if b == nil {
		return
	}
	for k := range kinds {
		if word, bit := &b.ahead[k][i%windowBits/64], uint64(1)<<(i%64); *word&bit != 0 {
			*word &^= bit
			b.counts[k]++
		}
	}
	if len(b.more) == 0 {
		return
	}
	for k, n := range b.more[i] {
		b.counts[k] += n
	}
	delete(b.more, i)
}

// redone marks a position before the mark, which was still to be done, as done.
func (w *window) redone(i uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.books.pending[i]
	if p == nil {
		return
	}
	for k, n := range p {
		w.books.counts[k] += n
	}
	delete(w.books.pending, i)
}

// state returns the mark. Of held, which are positions whose line is not written,
// or which are to be tried again, those before it are still to be done; the kinds
// by which they count until now, having no line, are taken back.
func (w *window) state(held map[uint64][]int) Mark {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := Mark{Next: w.next, Unlisted: map[event.Outcome]int{}}
	b := w.books
	counts := b.counts
	for i := range b.pending {
		m.Pending = append(m.Pending, i)
	}
	for i, kinds := range held {
		if b.pending[i] != nil || i >= w.next {
			continue
		}
		m.Pending = append(m.Pending, i)
		for _, k := range kinds {
			counts[k]--
		}
	}
	slices.Sort(m.Pending)
	for k, o := range unlistedOutcomes() {
		if counts[k] > 0 {
			m.Unlisted[o] = counts[k]
		}
	}
	if counts[named] > 0 {
		m.Unjudged = &event.Unlisted{Count: int64(counts[named]), Targets: []event.Place{}}
	}
	return m
}

// wait blocks while position i is too far ahead of the low-water mark to be
// followed, and the run continues.
func (w *window) wait(i uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i >= w.next+windowBits && !w.over {
		w.free.Wait()
	}
}

// end ends all waiting: the run is given up, and with it the targets that
// hold the mark back.
func (w *window) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.free.Broadcast()
}

// finish marks position i as done.
func (w *window) finish(i uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done[i%windowBits/64] |= 1 << (i % 64)
	from := w.next
	for w.done[w.next%windowBits/64]&(1<<(w.next%64)) != 0 {
		w.done[w.next%windowBits/64] &^= 1 << (w.next % 64)
		w.books.pass(w.next)
		w.next++
	}
	if w.next != from {
		w.free.Broadcast()
	}
}

// mark returns the low-water mark.
func (w *window) mark() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.next
}

// whole reports whether all positions that an earlier run has left are done.
func (w *window) whole() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.books == nil || len(w.books.pending) == 0
}
