package wire

import (
	"bytes"
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
)

// answerer answers requests without allocating.
func answerer(p *peer) {
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nServer: x\r\nContent-Length: 5\r\n\r\nhello")
	buf := make([]byte, 4096)
	for {
		n, err := p.Conn.Read(buf)
		if err != nil || !bytes.HasSuffix(buf[:n], []byte("\r\n\r\n")) {
			return
		}
		p.Conn.Write(answer)
	}
}

// One target: connect, one GET, close. The server's own allocations for a
// connection are counted as well.
func BenchmarkTarget(b *testing.B) {
	s := serve(b, answerer)
	w := newWire(Options{})
	b.ReportAllocs()
	for b.Loop() {
		session := w.Open(b.Context(), s.Target, plenty)
		if !session.ask(get("x")) {
			b.Fatal(session.Observation().Err)
		}
		session.Close()
	}
}

// One further GET on a connection that is open.
func BenchmarkExchange(b *testing.B) {
	s := serve(b, answerer)
	session := newWire(Options{}).Open(b.Context(), s.Target, 1<<62)
	defer session.Close()
	req := get("x")
	b.ReportAllocs()
	for b.Loop() {
		session.obs.Exchanges = session.obs.Exchanges[:0]
		if !session.ask(req) || session.obs.Outcome != event.OutcomeOther {
			b.Fatal(session.Observation().Err)
		}
	}
}
