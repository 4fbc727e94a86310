package queue

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

const (
	maxAsking   = 8       // requests of a worker that are answered at the same time; more are not heard
	maxHead     = 4 << 10 // bytes of a request, or of the line before a part
	answerTime  = 20 * time.Second
	noteEvery   = 5 * time.Second  // how often the ledger hears of an attempt that asks for connections
	sawEvery    = 15 * time.Second // how often it hears of a worker that does what it did
	maxPendings = 4 * maxConnections
)

// request is what a worker asks.
type request struct {
	*worker
	vantage, name string
	verb          job.Verb
	msg           *nats.Msg
}

// answer begins to take requests. Each kind has a queue of its own, so that grants do not
// wait for parts.
func (q *Queue) answer(ctx context.Context) error {
	for _, v := range job.Verbs() {
		sub, err := q.nc.Subscribe(job.Ask("*", "*", v), func(m *nats.Msg) { q.take(ctx, m) })
		if err == nil {
			err = sub.SetPendingLimits(maxPendings, maxPending)
		}
		if err != nil {
			return err
		}
	}
	return q.nc.Flush()
}

// replies is where the server takes replies to other accounts; no client may name it.
const replies = "_R_."

// take has a request answered, if its worker may ask and does not ask too much. It must not
// wait.
func (q *Queue) take(ctx context.Context, m *nats.Msg) {
	vantage, name, verb, err := job.Asked(m.Subject)
	if err != nil || ctx.Err() != nil || !strings.HasPrefix(m.Reply, replies) {
		// The hub may publish everywhere: it must not do so for a worker of its own account.
		return
	}
	q.mu.Lock()
	w := q.workers[name]
	if w == nil {
		w = &worker{Worker: store.Worker{Name: name}} // perhaps not yet known
	}
	ok := w.asking < maxAsking
	if ok {
		w.asking++
	}
	q.mu.Unlock()
	if !ok {
		return
	}
	q.handlers.Add(1)
	go func() {
		defer q.handlers.Done()
		ctx, cancel := context.WithTimeout(ctx, answerTime)
		defer cancel()
		if err := q.respond(ctx, request{w, vantage, name, verb, m}); err != nil && ctx.Err() == nil {
			q.said.once(string(verb)+" "+name, "a request of %s (%s) was not answered: %v", name, verb, err)
		}
		q.mu.Lock()
		w.asking--
		q.mu.Unlock()
	}()
}

// readWorkers reads who may ask, and cuts off who may not.
func (q *Queue) readWorkers(ctx context.Context) error {
	all, err := q.Ledger.Workers(ctx)
	if err != nil {
		return err
	}
	keys := map[string]bool{}
	q.mu.Lock()
	old := q.workers
	q.workers, q.read = map[string]*worker{}, q.Now()
	for _, w := range all {
		if !w.Revoked.IsZero() {
			continue
		}
		keys[w.Key] = true
		if k := old[w.Name]; k != nil && k.Key == w.Key {
			version := cmp.Or(k.Version, w.Version)
			k.Worker = w
			k.Version = version
			q.workers[w.Name] = k
		} else {
			q.workers[w.Name] = &worker{Worker: w}
		}
	}
	q.mu.Unlock()
	if q.server != nil {
		q.server.auth.only(keys)
	}
	return nil
}

// readSince reads who may ask, unless that was done since; a worker may have been made a
// moment ago. Strangers do not make it read all the time.
func (q *Queue) readSince(ctx context.Context, since time.Time) error {
	q.reading.Lock()
	defer q.reading.Unlock()
	q.mu.Lock()
	read := q.read
	q.mu.Unlock()
	if !read.Before(since) {
		return nil
	}
	if wait := read.Add(lookEvery).Sub(q.Now()); wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return q.readWorkers(ctx)
}

// errUnheard is for what must not be answered.
var errUnheard = errors.New("not a worker, or revoked")

// respond answers a request, after what it brings about is in the ledger. An error means that
// there is no answer: the worker asks again.
func (q *Queue) respond(ctx context.Context, r request) error {
	if r.Key == "" {
		if err := q.readSince(ctx, q.Now()); err != nil {
			return err
		}
	}
	q.mu.Lock()
	w := q.workers[r.name]
	known := w != nil && w.Vantage == r.vantage
	q.mu.Unlock()
	if !known {
		return errUnheard
	}
	r.worker = w
	switch r.verb {
	case job.AskRecord, job.AskList:
		return q.fetch(ctx, r)
	case job.AskBegin:
		return q.begin(ctx, r)
	case job.AskGrant:
		return q.grant(ctx, r)
	case job.AskPart:
		return q.part(ctx, r)
	case job.AskDone:
		return q.done(ctx, r)
	case job.AskFail:
		return q.fail(ctx, r)
	case job.AskIdle:
		return q.idle(ctx, r)
	}
	return fmt.Errorf("%.40q is no request", string(r.verb))
}

// read decodes the content of a request.
func (r request) read(into any) error {
	if len(r.msg.Data) > maxHead {
		return fmt.Errorf("a request of %d bytes", len(r.msg.Data))
	}
	d := json.NewDecoder(bytes.NewReader(r.msg.Data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the request")
	}
	return nil
}

// reply sends an answer.
func (r request) reply(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return r.msg.Respond(text)
}

// refuse is the answer to what is wrong with a request.
func (q *Queue) refuse(ctx context.Context, r request, format string, v ...any) job.Ordered {
	why := clean.N(fmt.Sprintf(format, v...), maxSaid)
	// By the kind, since it may be different words each time.
	q.said.once("refuse "+r.name+" "+format, "%s was refused: %s", r.name, why)
	q.refused(ctx, r, why)
	return job.Ordered{Order: job.Refuse, Why: why}
}

// refused notes in the ledger, now and then, why a worker was refused; "" that it was not.
func (q *Queue) refused(ctx context.Context, r request, why string) {
	now := q.Now()
	q.mu.Lock()
	tell := now.Sub(r.worker.Refused) >= sawEvery
	if why == "" {
		tell = r.worker.Why != ""
	}
	if tell {
		r.worker.Refused, r.worker.Why = now, why
	}
	q.mu.Unlock()
	if tell {
		if err := q.Ledger.RefusedWorker(ctx, r.name, why, now); err != nil {
			q.said.once("saw", "the database cannot be written: %v", err)
		}
	}
}

// may says whether a request of a worker may be about a unit, and what its job wants.
func (q *Queue) may(ctx context.Context, r request, u job.Unit) (store.Job, job.Ordered) {
	if u.Vantage != r.vantage {
		return store.Job{}, q.refuse(ctx, r, "it is at %s and speaks of a unit of %.40q", r.vantage, u.Vantage)
	}
	j, o := q.stands(u.Job, u.Vantage)
	if o.Order != job.Drop && (u.K == 0 || u.K > j.Units) {
		o = job.Ordered{Order: job.Drop, Why: "there is no such unit"}
	}
	return j, o
}

// fetch sends a piece of a job's record or list.
func (q *Queue) fetch(ctx context.Context, r request) error {
	var f job.Fetch
	if err := r.read(&f); err != nil {
		return err
	}
	if _, o := q.stands(f.Job, r.vantage); o.Order == job.Drop || f.Offset < 0 {
		return r.msg.Respond(nil)
	}
	get := q.Ledger.JobRecord
	if r.verb == job.AskList {
		get = q.Ledger.JobList
	}
	text, err := get(ctx, f.Job, f.Offset)
	if err != nil {
		return err
	}
	return r.msg.Respond(text[:min(len(text), job.MaxPart)])
}

// begin begins an attempt.
func (q *Queue) begin(ctx context.Context, r request) error {
	var b job.Begin
	if err := json.Unmarshal(r.msg.Data, &b); err != nil || len(r.msg.Data) > maxHead { // a later version may say more
		return r.reply(job.Begun{Ordered: q.refuse(ctx, r, "its request is no JSON as expected: %v", err)})
	}
	version := clean.N(b.Version, 40)
	_, o := q.may(ctx, r, b.Unit)
	switch {
	case o.Order == job.Refuse:
	case q.Version != "" && b.Version != q.Version:
		o = q.refuse(ctx, r, "it is clawsonar-hub %s, the hub is %s: install the same", version, q.Version)
	case q.Data != "" && b.Data != q.Data:
		o = q.refuse(ctx, r, "its fingerprints or advisories are not those of the hub: install the same")
	}
	q.saw(ctx, r, version, asBefore)
	if o.Order != job.Run {
		return r.reply(job.Begun{Ordered: o})
	}
	if by := q.at(b.Unit); by != "" && by != r.name {
		return r.reply(job.Begun{Ordered: job.Ordered{Job: b.Job, Order: job.Refuse, Why: by + " is at work at it"}})
	}
	now := q.Now()
	begun, err := q.Ledger.BeginUnit(ctx, b.Unit, r.name, now)
	if err != nil {
		return err
	}
	if begun.Order != job.Run {
		return r.reply(begun)
	}
	q.mu.Lock()
	q.live[b.Unit] = &attempt{id: begun.Attempt, worker: r.name, heard: now, noted: now}
	q.mu.Unlock()
	err = r.reply(begun)
	// For these the worker need not wait.
	q.saw(ctx, r, version, doing(b.Unit))
	q.refused(ctx, r, "")
	return err
}

// at returns which worker is at work at a unit; "" if none was heard of for a while.
func (q *Queue) at(u job.Unit) string {
	q.mu.Lock()
	defer q.mu.Unlock()
	if a := q.live[u]; a != nil && q.Now().Sub(a.heard) < job.Lease/2 {
		return a.worker
	}
	return ""
}

func doing(u job.Unit) string { return u.Job + "/" + strconv.FormatUint(u.K, 10) }

// idle notes that a worker is there.
func (q *Queue) idle(ctx context.Context, r request) error {
	var i job.Idle
	if err := r.read(&i); err != nil {
		return r.reply(q.refuse(ctx, r, "its request is no JSON as expected: %v", err))
	}
	q.saw(ctx, r, clean.N(i.Version, 40), "")
	return r.reply(job.Ordered{Order: job.Run})
}

// asBefore is what a worker does of which nothing new is known.
const asBefore = "as before"

// saw notes in the ledger, now and then, that a worker was heard of, and what it does: a
// unit, "" for nothing, or asBefore.
func (q *Queue) saw(ctx context.Context, r request, version, what string) {
	now := q.Now()
	q.mu.Lock()
	if version != "" {
		r.worker.Version = version
	}
	if what == asBefore {
		what = r.doing
	}
	tell := what != r.doing || now.Sub(r.worker.saw) >= sawEvery
	if tell {
		r.worker.saw, r.worker.doing = now, what
	}
	version = r.worker.Version
	q.mu.Unlock()
	if tell {
		if err := q.Ledger.SawWorker(ctx, r.name, version, what, now); err != nil {
			q.said.once("saw", "the database cannot be written: %v", err)
		}
	}
}

// grant gives connections, or says why there are none.
func (q *Queue) grant(ctx context.Context, r request) error {
	var w job.Want
	if err := r.read(&w); err != nil {
		return r.reply(job.Grant{Ordered: q.refuse(ctx, r, "its request is no JSON as expected: %v", err)})
	}
	j, o := q.may(ctx, r, w.Unit)
	if o.Order == job.Run || o.Order == job.Pause {
		heard, err := q.heard(ctx, r, w.At)
		if err != nil {
			return err
		}
		if heard.Order != job.Run && heard.Order != job.Pause {
			o = heard
		}
		q.saw(ctx, r, "", doing(w.Unit))
	}
	if o.Order != job.Run || w.N <= 0 {
		return r.reply(job.Grant{Ordered: o})
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	// It may have been stopped since.
	if o := q.order(q.jobs[w.Job]); o.Order != job.Run {
		return r.reply(job.Grant{Ordered: o})
	}
	q.limiter.ask(q.Now(), j.ID, j.Rate, asked{worker: r.name, n: min(w.N, j.Rate), answer: func(g job.Grant) {
		_ = r.reply(g) // the connection to the server is gone: so is the grant
	}})
	wake(q.asking)
	return nil
}

// grants answers those who wait for connections when it is their turn.
func (q *Queue) grants(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		q.mu.Lock()
		now := q.Now()
		if now.Sub(q.known) > lookAfresh {
			for id := range q.limiter.jobs {
				q.limiter.end(id, "", job.Ordered{Job: id, Order: job.Pause, Why: "the hub cannot read its database"})
			}
		}
		again := q.limiter.serve(now)
		q.mu.Unlock()
		wait := time.Hour
		if !again.IsZero() {
			wait = max(again.Sub(now), time.Millisecond)
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-q.asking:
		}
	}
}

// heard notes that a worker is at work at a unit, and says whether it is to be.
func (q *Queue) heard(ctx context.Context, r request, at job.At) (job.Ordered, error) {
	now := q.Now()
	q.mu.Lock()
	a := q.live[at.Unit]
	if a != nil && a.id == at.Attempt && a.worker == r.name {
		a.heard = now
		if now.Sub(a.noted) < noteEvery {
			q.mu.Unlock()
			return job.Ordered{Order: job.Run}, nil
		}
		a.noted = now
	}
	q.mu.Unlock()
	o, err := q.Ledger.Heard(ctx, at, r.name, now)
	if err == nil && (o.Order == job.Run || o.Order == job.Pause) {
		q.mu.Lock()
		if b := q.live[at.Unit]; b == nil || b.id <= at.Attempt {
			q.live[at.Unit] = &attempt{id: at.Attempt, worker: r.name, heard: now, noted: now}
		}
		q.mu.Unlock()
	} else {
		q.over(at)
	}
	return o, err
}

// over forgets an attempt.
func (q *Queue) over(at job.At) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if a := q.live[at.Unit]; a != nil && a.id == at.Attempt {
		delete(q.live, at.Unit)
	}
}

// part keeps a part of an attempt.
func (q *Queue) part(ctx context.Context, r request) error {
	head, _, _ := bytes.Cut(r.msg.Data[:min(len(r.msg.Data), maxHead)], []byte("\n"))
	p, err := job.DecodePart(r.msg.Data)
	if err != nil || len(head) >= maxHead {
		return r.reply(q.refuse(ctx, r, "a part is not as expected: %v", err))
	}
	if _, o := q.may(ctx, r, p.Unit); o.Order != job.Run && o.Order != job.Pause {
		return r.reply(o)
	}
	o, err := q.Ledger.AddPart(ctx, p, r.name, q.Now())
	return q.told(ctx, r, p.At, o, err)
}

// done ends a unit.
func (q *Queue) done(ctx context.Context, r request) error {
	var d job.Done
	if err := r.read(&d); err != nil {
		return r.reply(q.refuse(ctx, r, "its request is not as expected: %v", err))
	}
	if _, o := q.may(ctx, r, d.Unit); o.Order != job.Run && o.Order != job.Pause {
		return r.reply(o)
	}
	o, err := q.Ledger.DoneUnit(ctx, d.At, r.name, d.Parts, q.Now())
	return q.told(ctx, r, d.At, o, err)
}

// fail ends an attempt.
func (q *Queue) fail(ctx context.Context, r request) error {
	var f job.Fail
	if err := r.read(&f); err != nil {
		return r.reply(q.refuse(ctx, r, "its request is not as expected: %v", err))
	}
	if _, o := q.may(ctx, r, f.Unit); o.Order != job.Run && o.Order != job.Pause {
		return r.reply(o)
	}
	f.Error = clean.N(f.Error, maxSaid)
	o, err := q.Ledger.FailUnit(ctx, f, r.name, q.Now())
	return q.told(ctx, r, f.At, o, err)
}

// told answers what the ledger says of an attempt.
func (q *Queue) told(ctx context.Context, r request, at job.At, o job.Ordered, err error) error {
	if err != nil {
		return err
	}
	if o.Order == job.Run || o.Order == job.Pause {
		q.mu.Lock()
		if a := q.live[at.Unit]; a != nil && a.id == at.Attempt {
			a.heard = q.Now()
		}
		q.mu.Unlock()
		q.saw(ctx, r, "", doing(at.Unit))
	} else {
		q.over(at)
		wake(q.refills)
		wake(q.ends)
	}
	return r.reply(o)
}
