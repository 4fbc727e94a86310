// Package replica serves recorded captures on loopback, so that the whole way
// from a socket to a report can be walked without the program they are from.
package replica

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/clawsonar/clawsonar/internal/evidence"
)

// Replica is a running server.
type Replica struct {
	Addr netip.AddrPort
	srv  *http.Server
	now  atomic.Pointer[http.Handler]
	stop func() // ends the conversations that have left the server's hands
	done chan struct{}
}

// Start serves a capture on a free port of 127.0.0.1 until Close. What was not
// recorded is answered as the recorded program answers what it does not have,
// if that was recorded (request id "nothing-there"), else with 404.
func Start(c evidence.Capture) (*Replica, error) {
	return StartAt(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0), c)
}

// StartAt is Start at another address; port 0 is a free one.
func StartAt(at netip.AddrPort, c evidence.Capture) (*Replica, error) {
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		return nil, fmt.Errorf("start a replica: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &Replica{Addr: l.Addr().(*net.TCPAddr).AddrPort(), stop: stop, done: make(chan struct{})}
	r.srv = &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { (*r.now.Load()).ServeHTTP(w, req) }),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	r.Become(c)
	go func() {
		defer close(r.done)
		_ = r.srv.Serve(l) // returns when Close is called
	}()
	return r, nil
}

// Become makes it serve another capture from the next request on.
func (r *Replica) Become(c evidence.Capture) {
	h := handler(c)
	r.now.Store(&h)
}

// Close stops the server and its connections.
func (r *Replica) Close() {
	r.srv.Close()
	r.stop()
	<-r.done
}

func handler(c evidence.Capture) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		x := find(c, req)
		if x == nil {
			http.Error(w, "Not Found", http.StatusNotFound)
			return
		}
		if x.Status == http.StatusSwitchingProtocols {
			speakFirst(w, req, x.Body)
			return
		}
		h := w.Header()
		h["Date"] = nil // what a program sends is what was recorded, no more
		for _, f := range x.Exchange().Header {
			h.Add(f.Name, f.Value)
		}
		h.Set("Content-Length", strconv.Itoa(len(x.Body)))
		w.WriteHeader(x.Status)
		_, _ = w.Write([]byte(x.Body))
	})
}

// find returns the recorded answer to a request.
func find(c evidence.Capture, req *http.Request) *evidence.CapturedExchange {
	opening := strings.EqualFold(req.Header.Get("Upgrade"), "websocket")
	var other *evidence.CapturedExchange
	for i := range c.Exchanges {
		x := &c.Exchanges[i]
		switch {
		case x.ID == "nothing-there":
			other = x
		case x.WebSocket != opening || x.Reply != "":
		case x.Method == req.Method && x.Path == recordedPath(req.URL.RequestURI()):
			return x
		}
	}
	return other
}

// random is what a probe puts at the end of a path that no cache has met.
var random = regexp.MustCompile(`-[0-9a-f]{12}$`)

// recordedPath is the path under which the answer was recorded: there the digits
// are zeros.
func recordedPath(path string) string { return random.ReplaceAllString(path, "-000000000000") }

// speakFirst accepts a WebSocket opening, sends the recorded frame, and waits
// for the other side to say goodbye.
func speakFirst(w http.ResponseWriter, req *http.Request, frame string) {
	conn, _, _, err := ws.UpgradeHTTP(req, w)
	if err != nil {
		return
	}
	defer conn.Close()
	defer context.AfterFunc(req.Context(), func() { conn.Close() })()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if err := ws.WriteFrame(conn, ws.NewTextFrame([]byte(frame))); err != nil {
		return
	}
	h, err := ws.ReadHeader(conn)
	if err != nil || h.OpCode != ws.OpClose {
		return
	}
	var bye bytes.Buffer
	_ = ws.WriteFrame(&bye, ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, "")))
	_, _ = conn.Write(bye.Bytes())
}
