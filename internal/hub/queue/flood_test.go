package queue

import (
	"encoding/json"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/hub/job"
)

// TestFlood: a worker with good credentials that asks ten thousand times a second, for
// connections, for units of other jobs and with parts as large as they may be, keeps neither
// the hub nor another worker from their work, and the hub's memory has a bound.
func TestFlood(t *testing.T) {
	h := newHub(t).start()
	bad, good := h.worker("fra", "bad").connect(), h.worker("fra", "good").connect()
	j := h.add("all", 100, "fra")
	_, u, b := bad.next()
	text := func(v any) []byte {
		out, err := json.Marshal(v)
		h.must(err)
		return out
	}
	at := job.At{Unit: u, Attempt: b.Attempt}
	part, err := job.EncodePart(job.Part{At: at, Seq: 7, Data: make([]byte, job.MaxPart)})
	h.must(err)
	requests := []struct {
		verb job.Verb
		text []byte
	}{
		{job.AskGrant, text(job.Want{At: at, N: 1 << 30})},
		{job.AskBegin, text(job.Begin{Unit: job.Unit{Job: "0000000000000", Vantage: "fra", K: 1}, Version: "1", Data: "d"})},
		{job.AskBegin, text(job.Begin{Unit: u, Version: "1", Data: "d"})},
		{job.AskDone, text(job.Done{At: at, Parts: 1 << 30})},
		{job.AskRecord, text(job.Fetch{Job: j.ID, Offset: -1})},
	}
	end := make(chan struct{})
	sent, peak := 0, uint64(0)
	var flood sync.WaitGroup
	flood.Go(func() {
		for tick := time.NewTicker(10 * time.Millisecond); ; {
			select {
			case <-end:
				tick.Stop()
				return
			case <-tick.C:
			}
			for i := range 100 {
				r := requests[i%len(requests)]
				if bad.nc.PublishRequest(job.Ask("fra", "bad", r.verb), job.Inbox("bad")+".x", r.text) == nil {
					sent++
				}
			}
			if bad.nc.PublishRequest(job.Ask("fra", "bad", job.AskPart), job.Inbox("bad")+".x", part) == nil {
				sent++
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
		}
	})
	began := time.Now()
	time.Sleep(time.Second) // of nothing else
	asked := time.Now()
	good.finishBut(u)
	took := time.Since(asked)
	close(end)
	flood.Wait()
	t.Logf("%d requests in %s, two units of another worker in %s, at most %d MiB", sent, time.Since(began), took, peak>>20)
	if took > 10*time.Second || sent < 1000 || peak > 512<<20 {
		t.Error("that is too much")
	}
}
