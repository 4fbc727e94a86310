package worker

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/job"
)

// parts hands a stream in, part by part: while one is on its way, the next is filled, and
// one may wait. What the hub has is forgotten.
type parts struct {
	ctx  context.Context
	a    *attempt
	zstd *zstd.Encoder
	next chan []byte // lines
	sent chan struct{}
	seq  int // of the next part; after close how many there are

	mu    sync.Mutex
	lines []byte // guarded by mu
}

// maxLines is how many bytes of lines a part has, so that it is not too long however badly
// they pack.
const maxLines = job.MaxPart - 16<<10

func newParts(ctx context.Context, a *attempt) (*parts, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	return &parts{ctx: ctx, a: a, zstd: z, next: make(chan []byte, 1), sent: make(chan struct{})}, err
}

// write adds the line of an event. It waits when the hub is slow.
func (p *parts) write(e event.Event) error {
	var line bytes.Buffer
	if err := event.NewWriter(&line).Write(e); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.lines)+line.Len() > maxLines {
		if err := p.flush(); err != nil {
			return err
		}
	}
	p.lines = append(p.lines, line.Bytes()...)
	return nil
}

// flush passes on what there is. The caller holds mu.
func (p *parts) flush() error {
	if len(p.lines) == 0 {
		return nil
	}
	select {
	case p.next <- p.lines:
		p.lines = nil
		return nil
	case <-p.ctx.Done():
		return context.Cause(p.ctx)
	}
}

// close waits until the hub has all parts.
func (p *parts) close() error {
	p.mu.Lock()
	err := p.flush()
	close(p.next)
	p.mu.Unlock()
	<-p.sent
	if err == nil && p.ctx.Err() != nil {
		err = context.Cause(p.ctx)
	}
	return err
}

// sendAfter is how long lines wait at most until they are sent.
const sendAfter = 15 * time.Second

// send sends the parts until close. What has waited for a while is sent, too, so that little
// is lost with this worker.
func (p *parts) send() {
	defer close(p.sent)
	ticker := time.NewTicker(sendAfter)
	defer ticker.Stop()
	for {
		select {
		case lines, ok := <-p.next:
			if !ok {
				return
			}
			if err := p.part(lines); err != nil {
				p.a.cancel(err)
			}
		case <-ticker.C:
			if err := p.part(p.waiting()); err != nil {
				p.a.cancel(err)
			}
		}
	}
}

// waiting takes what waits, unless something is about to come before it.
func (p *parts) waiting() []byte {
	if !p.mu.TryLock() {
		return nil
	}
	defer p.mu.Unlock()
	if len(p.next) > 0 {
		return nil
	}
	lines := p.lines
	p.lines = nil
	return lines
}

// part sends one, again and again until the hub says that it has it.
func (p *parts) part(lines []byte) error {
	if len(lines) == 0 || p.ctx.Err() != nil {
		return nil
	}
	data := p.zstd.EncodeAll(lines, nil)
	if len(data) > job.MaxPart {
		return fmt.Errorf("a line of %d bytes is more than a part holds", len(lines))
	}
	text, err := job.EncodePart(job.Part{At: p.a.at, Seq: p.seq, Data: data})
	if err != nil {
		return err
	}
	asked := time.Now()
	reply, err := p.a.w.link.insist(p.ctx, job.AskPart, text)
	if err != nil {
		return err
	}
	var o job.Ordered
	if err := decode(reply, &o); err != nil {
		return err
	}
	p.a.obey(o, asked)
	p.seq++
	return nil
}
