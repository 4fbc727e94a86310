package queue

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// TestPermissions: a worker that means harm can do to the real server what the table of
// Permissions says, and nothing else.
func TestPermissions(t *testing.T) {
	h := newHub(t).start()
	c := h.worker("fra", "w1")
	other := h.worker("sgp", "w2").connect()
	j := h.add("all", 100, "fra", "sgp")
	h.wait("units", func() bool {
		i, err := h.q.js.Stream(t.Context(), job.UnitsStream)
		return err == nil && i.CachedInfo().State.Msgs == 6
	})

	var mu sync.Mutex
	var denied []string
	nc, err := c.dial(nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		mu.Lock()
		defer mu.Unlock()
		denied = append(denied, err.Error())
	}))
	h.must(err)
	defer nc.Close()
	refused := func(kind, subject string) bool {
		h.must(nc.FlushTimeout(5 * time.Second))
		time.Sleep(30 * time.Millisecond) // the handler has a goroutine of its own
		mu.Lock()
		defer mu.Unlock()
		for _, d := range denied {
			if strings.Contains(strings.ToLower(d), kind) && strings.Contains(d, `"`+subject+`"`) {
				return true
			}
		}
		return false
	}
	next := func(v string) string { return nextAPI + job.UnitsStream + "." + v }
	for _, subject := range []string{
		next("sgp"), next("*"), nextAPI + "OTHER.fra",
		"$JS.ACK." + job.UnitsStream + ".sgp.1.1.1.1.0", "$JS.ACK." + job.UnitsStream + ".fra", "$JS.FC.x",
		job.Ask("sgp", "w1", job.AskBegin), job.Ask("fra", "w2", job.AskBegin), job.Ask("sgp", "w2", job.AskDone), job.Ask("fra", "w1", "other"),
		job.Unit{Job: j.ID, Vantage: "fra", K: 9}.Subject(), job.Unit{Job: j.ID, Vantage: "sgp", K: 1}.Subject(),
		job.Control("fra"), job.Control("sgp"), job.Inbox("w2") + ".x", job.Inbox("w1") + ".x", "x",
		"$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.STREAM.CREATE.X", "$JS.API.STREAM.UPDATE." + job.UnitsStream,
		"$JS.API.STREAM.INFO." + job.UnitsStream, "$JS.API.STREAM.DELETE." + job.UnitsStream, "$JS.API.STREAM.PURGE." + job.UnitsStream,
		"$JS.API.STREAM.MSG.DELETE." + job.UnitsStream, "$JS.API.STREAM.MSG.GET." + job.UnitsStream, "$JS.API.DIRECT.GET." + job.UnitsStream,
		"$JS.API.STREAM.SNAPSHOT." + job.UnitsStream, "$JS.API.STREAM.RESTORE.X",
		"$JS.API.CONSUMER.CREATE." + job.UnitsStream + ".x", "$JS.API.CONSUMER.DURABLE.CREATE." + job.UnitsStream + ".fra", "$JS.API.CONSUMER.DELETE." + job.UnitsStream + ".fra",
		"$JS.API.CONSUMER.PAUSE." + job.UnitsStream + ".fra", "$JS.API.CONSUMER.INFO." + job.UnitsStream + ".fra", "$JS.API.CONSUMER.LIST." + job.UnitsStream,
		"$JS.API.CONSUMER.UNPIN." + job.UnitsStream + ".fra", "$JS.API.SERVER.REMOVE", "$JS.API.META.LEADER.STEPDOWN", "$JS.API.ACCOUNT.PURGE.$G",
		"$SYS.REQ.SERVER.PING", "$SYS.REQ.SERVER.PING.VARZ", "$SYS.REQ.ACCOUNT.$G.CONNZ", "$SYS.REQ.USER.INFO", "$SYS.REQ.SERVER.X.RELOAD", "$SYS.REQ.SERVER.X.KICK",
		"$LDS.x", "$NRG.x", "_R_.x", "_GR_.x", "$GNR.x", "$KV.x.y", "$O.x.y",
	} {
		h.must(nc.Publish(subject, nil))
		if !refused("permissions violation for publish", subject) {
			t.Errorf("it may publish to %s", subject)
		}
	}
	for _, subject := range []string{
		">", "*", "_INBOX.>", "_INBOX.*", job.Inbox("w2") + ".>", job.Inbox("w1"), job.AllUnits, job.UnitsOf("fra"), job.AllRequests, job.Ask("fra", "w1", job.AskBegin),
		job.Control("sgp"), job.Control("*"), "clawsonar.>", "$JS.>", "$JS.API.>", "$JS.EVENT.>", "$SYS.>", next("fra"), "$JS.ACK.>", "_R_.>", "$LDS.>",
	} {
		sub, err := nc.SubscribeSync(subject)
		h.must(err)
		if !refused("permissions violation for subscription", subject) {
			t.Errorf("it may subscribe to %s", subject)
		}
		_ = sub.Unsubscribe()
	}

	// What others may do for it: the hub and the server answer where a request says.
	api := "$JS.API."
	for _, reply := range []string{
		api + "STREAM.DELETE." + job.UnitsStream, api + "STREAM.PURGE." + job.UnitsStream, api + "CONSUMER.DELETE." + job.UnitsStream + ".sgp", api + "CONSUMER.DELETE." + job.UnitsStream + ".fra",
		job.Control("sgp"), job.Ask("sgp", "w2", job.AskFail), job.Unit{Job: j.ID, Vantage: "sgp", K: 77}.Subject(), job.Inbox("w2") + ".x", "$SYS.REQ.SERVER.PING",
	} {
		seen, err := other.nc.SubscribeSync(job.Control("sgp"))
		h.must(err)
		for _, v := range job.Verbs() {
			h.must(nc.PublishRequest(job.Ask("fra", "w1", v), reply, []byte(`{}`)))
			h.must(nc.PublishRequest(job.Ask("fra", "w1", v), reply, nil))
		}
		h.must(nc.PublishRequest(next("fra"), reply, []byte(`{"no_wait":true}`)))
		h.must(nc.PublishRequest(next("fra"), reply, []byte(`{"batch":1,"expires":1000000}`)))
		for _, ack := range []string{"+NXT", "-NAK", "+ACK", "+WPI"} {
			h.must(nc.PublishRequest("$JS.ACK."+job.UnitsStream+".fra.1.1.1.1.0", reply, []byte(ack)))
		}
		h.must(nc.FlushTimeout(5 * time.Second))
		time.Sleep(50 * time.Millisecond)
		if m, err := seen.NextMsg(10 * time.Millisecond); err == nil {
			t.Errorf("with %s as the place of the answer others hear %q", reply, m.Data)
		}
		_ = seen.Unsubscribe()
		s, err := h.q.js.Stream(t.Context(), job.UnitsStream)
		if err != nil {
			t.Errorf("with %s as the place of the answer the stream is gone: %v", reply, err)
			continue
		}
		for _, v := range []string{"fra", "sgp"} {
			if _, err := s.Consumer(t.Context(), v); err != nil {
				t.Errorf("with %s as the place of the answer the consumer of %s: %v", reply, v, err)
			}
		}
	}
	// Nothing of that has reached the units of others.
	if _, n := h.state(j.ID, 1); n[store.UnitWaiting] != 3 {
		t.Errorf("units of the other vantage: %v", n)
	}
	for range 3 {
		if m, u, b := other.next(); b.Order != job.Run || u.K > 3 {
			t.Errorf("%s %+v", m.Subject, b)
		}
	}
	// What is its own it may.
	c.nc = nc
	if _, _, b := c.next(); b.Order != job.Run {
		t.Errorf("%+v", b)
	}
	mu.Lock()
	defer mu.Unlock()
	if last := denied[len(denied)-1]; strings.Contains(last, `"`+next("fra")+`"`) && strings.Contains(last, "Publish") {
		t.Errorf("it may not take units: %s", last)
	}
}

// TestWhoMayConnect: a worker with its key and no one else, over TLS and with the protocol of
// clients alone; one that is revoked is cut off.
func TestWhoMayConnect(t *testing.T) {
	h := newHub(t).start()
	c := h.worker("fra", "w1").connect()
	stranger, err := nkeys.CreateUser()
	h.must(err)
	public, err := stranger.PublicKey()
	h.must(err)
	wrong := func([]byte) ([]byte, error) { return stranger.Sign([]byte("another nonce")) }
	hub := h.q.server.auth.hub
	for name, opts := range map[string][]nats.Option{
		"stranger":          {nats.Nkey(public, stranger.Sign)},
		"key of another":    {nats.Nkey(c.public, stranger.Sign)},
		"key of the hub":    {nats.Nkey(hub, stranger.Sign)},
		"another nonce":     {nats.Nkey(public, wrong)},
		"user and password": {nats.Nkey("", nil), nats.UserInfo("hub", "")},
		"token":             {nats.Nkey("", nil), nats.Token("x")},
		"nobody":            {nats.Nkey("", nil)},
	} {
		nc, err := c.dial(append(opts, nats.MaxReconnects(0))...)
		if err == nil {
			nc.Close()
			t.Errorf("%s may connect", name)
		} else if !errors.Is(err, nats.ErrAuthorization) && !strings.Contains(strings.ToLower(err.Error()), "authorization") && !strings.Contains(err.Error(), "nkey") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if nc, err := nats.Connect("nats://"+h.q.Addr(), nats.Nkey(c.public, c.key.Sign), nats.Secure(&tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12})); err == nil {
		nc.Close()
		t.Error("with TLS 1.2")
	}
	raw, err := tls.Dial("tcp", h.q.Addr(), &tls.Config{InsecureSkipVerify: true})
	if err == nil {
		raw.Close()
		t.Error("TLS before the server has said anything")
	}

	// Many connections of one worker: the oldest are closed.
	for range maxConns {
		h.worker("x", fmt.Sprint("y", time.Now().UnixNano()))
		nc, err := c.dial()
		h.must(err)
		defer nc.Close()
	}
	h.wait("the oldest is closed", func() bool { return c.nc.Stats().Reconnects > 0 || !c.nc.IsConnected() })

	h.must(h.ledger.RevokeWorker(t.Context(), "w1", h.now()))
	h.wait("it is cut off", func() bool { return h.q.server.NumClients() == 1 })
	if nc, err := c.dial(nats.MaxReconnects(0)); err == nil {
		nc.Close()
		t.Error("one that was revoked may connect")
	}
	if !h.heard("its key is not that of a worker") {
		t.Error("the operator does not hear of strangers")
	}
	if len(h.said) > 20 {
		t.Errorf("%d lines", len(h.said))
	}
}

// TestRequestsThatAreWrong: what a worker says is not believed, and no request makes the hub
// fail.
func TestRequestsThatAreWrong(t *testing.T) {
	h := newHub(t).start()
	c := h.worker("fra", "w1").connect()
	other := h.worker("sgp", "w2").connect()
	j := h.add("all", 100, "fra", "sgp")
	_, theirs, b := other.next()
	mine := job.Unit{Job: j.ID, Vantage: "fra", K: 1}
	begin := func(change func(*job.Begin)) job.Begin {
		x := job.Begin{Unit: mine, Version: "1", Data: "d"}
		change(&x)
		return x
	}
	for name, tt := range map[string]struct {
		verb job.Verb
		what any
		want job.Order
		why  string
	}{
		"version":            {job.AskBegin, begin(func(b *job.Begin) { b.Version = "\x1b2" }), job.Refuse, "the hub is 1"},
		"data":               {job.AskBegin, begin(func(b *job.Begin) { b.Data = "e" }), job.Refuse, "not those of the hub"},
		"later version":      {job.AskBegin, []byte(`{"job":"` + j.ID + `","vantage":"fra","k":1,"version":"2","new":1}`), job.Refuse, "the hub is 1"},
		"vantage":            {job.AskBegin, begin(func(b *job.Begin) { b.Unit = theirs }), job.Refuse, "speaks of a unit of"},
		"no such unit":       {job.AskBegin, begin(func(b *job.Begin) { b.K = 4 }), job.Drop, "no such unit"},
		"unit 0":             {job.AskBegin, begin(func(b *job.Begin) { b.K = 0 }), job.Drop, "no such unit"},
		"no such job":        {job.AskBegin, begin(func(b *job.Begin) { b.Job = "x'; --" }), job.Drop, "no such job"},
		"no JSON":            {job.AskBegin, []byte("\x00\xff"), job.Refuse, "no JSON"},
		"nothing":            {job.AskGrant, []byte{}, job.Refuse, "no JSON"},
		"two":                {job.AskDone, []byte(`{} {}`), job.Refuse, "as expected"},
		"unknown key":        {job.AskFail, []byte(`{"job":"x","boss":true}`), job.Refuse, "as expected"},
		"not begun":          {job.AskGrant, job.Want{At: job.At{Unit: mine, Attempt: 5}, N: 1}, job.Lost, ""},
		"attempt of another": {job.AskGrant, job.Want{At: job.At{Unit: theirs, Attempt: b.Attempt}, N: 1}, job.Refuse, "speaks of a unit of"},
		"done of another":    {job.AskDone, job.Done{At: job.At{Unit: theirs, Attempt: b.Attempt}, Parts: 1}, job.Refuse, "speaks of a unit of"},
		"fail of another":    {job.AskFail, job.Fail{At: job.At{Unit: theirs, Attempt: b.Attempt}}, job.Refuse, "speaks of a unit of"},
		"part of another":    {job.AskPart, []byte(fmt.Sprintf(`{"job":%q,"vantage":"sgp","k":%d,"attempt":%d,"seq":0}`+"\nx", theirs.Job, theirs.K, b.Attempt)), job.Refuse, "speaks of a unit of"},
		"no part":            {job.AskPart, []byte(`{}`), job.Refuse, "not as expected"},
		"long head":          {job.AskPart, []byte(`{"seq":0` + strings.Repeat(" ", maxHead) + "}\n"), job.Refuse, "not as expected"},
		"long":               {job.AskDone, []byte(`{"parts":0` + strings.Repeat(" ", maxHead) + "}"), job.Refuse, "not as expected"},
	} {
		if o := ask[job.Ordered](c, tt.verb, tt.what); o.Order != tt.want || !strings.Contains(o.Why, tt.why) || strings.ContainsRune(o.Why, 0x1b) {
			t.Errorf("%s: %+v", name, o)
		}
	}
	if m, err := c.nc.Request(job.Ask("fra", "w1", job.AskRecord), []byte(`{"job":"`+j.ID+`","offset":7}`), 5*time.Second); err != nil || string(m.Data) != "of "+j.ID {
		t.Errorf("record: %q %v", m.Data, err)
	}
	if m, err := c.nc.Request(job.Ask("fra", "w1", job.AskList), []byte(`{"job":"nosuch","offset":0}`), 5*time.Second); err != nil || len(m.Data) > 0 {
		t.Errorf("list: %q %v", m.Data, err)
	}
	for i := range 30 {
		ask[job.Ordered](c, job.AskBegin, begin(func(b *job.Begin) { b.Version = fmt.Sprint("x", i) }))
	}
	// The refusals are listed, each once, whatever words the worker puts into them.
	if !h.heard(`w1 was refused: it is clawsonar-hub`) || !h.heard("w1 was refused: its fingerprints") || len(h.said) > 12 {
		t.Errorf("%d lines", len(h.said))
	}
	// The ledger has why, until the worker begins a unit.
	refused := func() (why string) {
		w, err := h.ledger.WorkerOf(t.Context(), c.public)
		h.must(err)
		if (w.Why == "") != w.Refused.IsZero() {
			t.Errorf("%+v", w)
		}
		return w.Why
	}
	if refused() == "" {
		t.Error("the ledger does not have why it was refused")
	}
	h.pass(sawEvery)
	ask[job.Begun](c, job.AskBegin, begin(func(b *job.Begin) { b.Version = "2" }))
	if why := refused(); why != "it is clawsonar-hub 2, the hub is 1: install the same" {
		t.Errorf("refused: %q", why)
	}
	if b := c.begin(mine); b.Order != job.Run {
		t.Errorf("%+v", b)
	}
	h.wait("that the ledger forgets why", func() bool { return refused() == "" }) // after the answer
	// A worker that asks more than is answered harms itself.
	for range 2000 {
		h.must(c.nc.PublishRequest(job.Ask("fra", "w1", job.AskBegin), job.Inbox("w1")+".x", []byte("{")))
	}
	if g := ask[job.Grant](other, job.AskGrant, job.Want{At: job.At{Unit: theirs, Attempt: b.Attempt}}); g.Order != job.Run {
		t.Errorf("another worker: %+v", g)
	}
}

// TestServerOfOnesOwn: what ServerAccounts prints is what a NATS server needs for the workers,
// and a hub that uses that server does the same as with its own.
func TestServerOfOnesOwn(t *testing.T) {
	h := newHub(t)
	w, gone := h.worker("fra", "w1"), h.worker("fra", "w2")
	h.must(h.ledger.RevokeWorker(t.Context(), "w2", h.now()))
	key, err := nkeys.CreateUser()
	h.must(err)
	public, err := key.PublicKey()
	h.must(err)
	seed, err := key.Seed()
	h.must(err)
	all, err := h.ledger.Workers(t.Context())
	h.must(err)
	accounts := ServerAccounts(public, all)
	if strings.Contains(accounts, gone.public) || !strings.Contains(accounts, w.public) {
		t.Errorf("accounts:\n%s", accounts)
	}
	conf := filepath.Join(h.o.Dir, "nats.conf")
	h.must(os.WriteFile(conf, []byte(fmt.Sprintf("listen: 127.0.0.1:-1\njetstream {store_dir: %q}\n%s", h.o.Dir, accounts)), 0o600))
	o, err := server.ProcessConfigFile(conf)
	h.must(err)
	o.NoSigs, o.NoLog = true, true
	s, err := server.NewServer(o)
	h.must(err)
	s.Start()
	defer func() { s.Shutdown(); s.WaitForShutdown() }()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("no server")
	}
	file := filepath.Join(h.o.Dir, "seed")
	h.must(os.WriteFile(file, seed, 0o600))
	h.o.Listen, h.o.URL, h.o.Credentials = "", s.ClientURL(), file
	h.start()
	defer h.stop()
	nc, err := nats.Connect(s.ClientURL(), nats.Nkey(w.public, w.key.Sign), nats.CustomInboxPrefix(job.Inbox("w1")))
	h.must(err)
	defer nc.Close()
	w.nc = nc
	j := h.add("all", 100, "fra")
	_, u, b := w.next()
	if o := w.send(job.At{Unit: u, Attempt: b.Attempt}); o.Order != job.Drop || u.Job != j.ID {
		t.Errorf("%+v", o)
	}
	// One that was revoked stays connected there, and gets no answer.
	h.must(h.ledger.RevokeWorker(t.Context(), "w1", h.now()))
	h.wait("no answers", func() bool {
		_, err := nc.Request(job.Ask("fra", "w1", job.AskGrant), []byte(`{}`), 100*time.Millisecond)
		return errors.Is(err, nats.ErrTimeout)
	})
}

// TestUsable: servers that are too old, or do not say what they are, are refused.
func TestUsable(t *testing.T) {
	for version, want := range map[string]bool{
		"2.10.0": true, "2.15.2": true, "2.11.0-beta.1": true, "3.0.1": true,
		"2.9.10": false, "2.9.25": false, "1.4.1": false, "0.0.0": false, "": false, "\x1b": false, "2": false,
	} {
		if err := usable(version); (err == nil) != want {
			t.Errorf("%q: %v", version, err)
		}
	}
}
