package scan

import "sync"

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
}

const windowBits = 1 << 22

func newWindow(next uint64) *window {
	w := &window{next: next, done: make([]uint64, windowBits/64)}
	w.free = sync.NewCond(&w.mu)
	return w
}

// wait blocks while position i is too far ahead of the low-water mark to be
// followed, and the run goes on.
func (w *window) wait(i uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i >= w.next+windowBits && !w.over {
		w.free.Wait()
	}
}

// end lets go whoever waits: the run is given up, and with it the targets that
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
