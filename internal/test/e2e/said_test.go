//go:build e2e && linux

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/handshake"
	"github.com/clawsonar/clawsonar/internal/test/lab"
)

// TestSaidToOpenGateways says everything that level deep can say to gateways that
// are open to anyone, over loopback and from another host behind every front,
// whether the scanner would say it there or not; then it scans them at level deep.
// Nothing may come of it but refusals and lines in the log: no file, no row of a
// table, no pairing, no session.
func TestSaidToOpenGateways(t *testing.T) {
	t.Parallel()
	ctx, l, n := remote(t, "what level deep says, to open gateways")
	for _, version := range some(t, allReleases()) {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			saidToOpen(ctx, t, l, n, version)
		})
	}
}

// saying is a message with the headers that its opening has.
type saying struct {
	name string
	http.Header
	host string
}

// sayings are all messages of the fingerprints with each set of headers that an
// opening may have, and without any.
func sayings() []saying {
	var list []saying
	for _, name := range handshake.Names() {
		if name == handshake.RFB {
			continue
		}
		for _, s := range []saying{
			{}, {Header: http.Header{"Origin": {"https://audit.invalid"}}},
			{Header: http.Header{"Origin": {"http://audit.example"}}, host: "audit.example"},
			{Header: http.Header{"Origin": {"{origin}"}}},
			{Header: http.Header{"X-Forwarded-For": {"203.0.113.7"}}},
		} {
			s.name = name
			list = append(list, s)
		}
	}
	return list
}

func saidToOpen(ctx context.Context, t *testing.T, l *lab.Lab, n *lab.Net, version string) {
	instances := openMatrix(n, version)
	running, stop, err := l.StartMatrix(ctx, t.TempDir(), instances, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	gateways := map[string]*lab.Gateway{}
	for _, r := range running {
		gateways[r.Gateway.Config.Name] = r.Gateway
		if r.API != nil {
			gateways[r.API.Config.Name] = r.API
		}
	}
	if version == lab.Newest {
		// The first request that a gateway of this release ever accepts makes a profile:
		// its owner's, or that of the user whom a proxy names, no matter who sends it.
		for _, r := range running {
			visit(ctx, t, n.Gateway, r.URL)
		}
	}
	before := map[string]state{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for name, g := range gateways {
		wg.Go(func() {
			state, err := settle(ctx, g)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			before[name] = state
		})
	}
	wg.Wait()

	// changed compares the gateways' states with those of the last time.
	changed := func(what string) {
		t.Helper()
		time.Sleep(2 * time.Second) // what is written late counts, too
		for name, g := range gateways {
			after, err := snapshot(ctx, g)
			if err != nil {
				t.Error(err)
				continue
			}
			for _, c := range withoutIdle(diff(before[name], after)) {
				if c.Kind != logLine {
					t.Errorf("%s: the state of %s was changed: %s", what, name, c)
				} else if strings.Contains(c.Detail, "approved") || strings.Contains(c.Detail, "webchat connected") || strings.Contains(c.Detail, "hello") {
					t.Errorf("%s: %s accepted a client: %s", what, name, c.Detail)
				}
			}
			before[name] = after
		}
	}
	for _, r := range running {
		from := n.Viewer
		if r.Front == lab.NoFront {
			from = n.Gateway // over loopback
		}
		answers := map[string]int{}
		for _, s := range sayings() {
			answer, err := say(ctx, from, r.URL, s)
			if err != nil {
				answer = "not reached: " + err.Error()
				// From 2026.8.1 on a proxy that is not known is refused.
				if s.Header.Get("X-Forwarded-For") == "" && slices.Contains([]lab.FrontKind{lab.NoFront, lab.NginxUpgradeFront, lab.NginxSplitFront}, r.Front) {
					t.Errorf("%s: %+v: %s", r.Name, s, answer)
				}
			}
			answers[answer]++
		}
		t.Logf("%s: %v", r.Name, answers)
		for answer, times := range answers {
			if strings.HasPrefix(answer, accepted) {
				t.Errorf("%s: %d times %s", r.Name, times, answer)
			}
		}
		targets, _, _ := scanFrom(t, from, r.URL, "-level", "deep")
		for _, x := range targets {
			auth := event.AuthState("no verdict")
			if x.Auth != nil {
				auth = x.Auth.State
			}
			t.Logf("%s: level deep: %s, %d requests", r.Name, auth, x.Requests)
		}
		changed("what was said and asked at " + r.Name)
	}
}

// visit looks at a gateway's configuration, as its page does.
func visit(ctx context.Context, t *testing.T, from *lab.Namespace, url string) {
	t.Helper()
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: from.DialContext}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"__openclaw/control-ui-config.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// accepted begins an answer that is no refusal.
const accepted = "accepted"

// say opens a WebSocket, answers its first frame, and returns the refusal that comes
// back, or what begins with accepted.
func say(ctx context.Context, from *lab.Namespace, url string, s saying) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	origin := strings.TrimSuffix(url, "/")
	header := s.Header.Clone()
	if header.Get("Origin") == "{origin}" {
		header.Set("Origin", origin)
	}
	_, rest, _ := strings.Cut(url, "://")
	hostPort, _, _ := strings.Cut(rest, "/")
	dialer := ws.Dialer{
		Header: ws.HandshakeHeaderHTTP(header), Host: s.host,
		NetDial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			if addr, err := netip.ParseAddrPort(hostPort); err != nil || !addr.IsValid() {
				return nil, fmt.Errorf("%q is no address", hostPort)
			}
			return from.DialContext(ctx, network, hostPort)
		},
	}
	conn, buffered, _, err := dialer.Dial(ctx, "ws://"+rest)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	var in io.Reader = conn
	if buffered != nil {
		in = io.MultiReader(io.LimitReader(buffered, int64(buffered.Buffered())), conn)
	}
	rw := struct {
		io.Reader
		io.Writer
	}{in, conn}
	first, _, err := wsutil.ReadServerData(rw)
	if err != nil {
		return "", err
	}
	message, err := handshake.Message(s.name, first)
	if err != nil {
		return "", err
	}
	if err := wsutil.WriteClientText(rw, message); err != nil {
		return "", err
	}
	raw, _, err := wsutil.ReadServerData(rw)
	if err != nil {
		return "", err
	}
	var frame struct {
		Type  string
		OK    *bool
		Error struct{ Message string }
	}
	if err := json.Unmarshal(raw, &frame); err != nil {
		return "", err
	}
	if frame.Type != "res" || frame.OK == nil || *frame.OK {
		return fmt.Sprintf("%s by a frame of %d bytes", accepted, len(raw)), nil
	}
	return frame.Error.Message, nil
}
