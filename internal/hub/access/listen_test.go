package access

import (
	"context"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func parsed(t *testing.T, text string) *url.URL {
	t.Helper()
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestCheck(t *testing.T) {
	const (
		none  = iota // no accounts
		plain        // accounts
		tls          // accounts and TLS
		proxy        // accounts, behind a proxy that serves https
	)
	here := []bool{none: true, plain: true, tls: true, proxy: true}
	away := []bool{none: false, plain: false, tls: true, proxy: true}
	never := []bool{none: false, plain: false, tls: false, proxy: false}
	for addr, want := range map[string][]bool{
		"127.0.0.1:8790": here, "127.8.8.8:0": here, "[::1]:8790": here, "[::1%lo]:8790": here, "localhost:8790": here, "LOCALHOST:1": here,
		"[::ffff:127.0.0.1]:8790": here, "unix:/run/hub.sock": here, "unix:hub.sock": here,
		":8790": away, "0.0.0.0:8790": away, "[::]:8790": away, "[::ffff:0.0.0.0]:8790": away, "[::ffff:192.0.2.1]:1": away, "*:8790": away,
		"192.0.2.1:8790": away, "10.0.0.1:8790": away, "[fe80::1%eth0]:8790": away, "169.254.1.1:80": away, "[::%lo]:1": away,
		// Names, among them those that some resolvers read as an address of loopback or as any.
		"board.example:443": away, "localhost.example:1": away, "x.localhost:1": away, "localhost.:1": away, "127.1:1": away, "0:8790": away, "2130706433:1": away, "0177.0.0.1:1": away,
		"": never, "8790": never, "127.0.0.1": never, "127.0.0.1:": never, "::1:8790": never, "unix:": never, "unix:@hub": never, "http://127.0.0.1:8790": never,
	} {
		for how, ok := range want {
			l := Listening{Addr: addr, Tokens: how != none, TLS: how == tls, Proxy: how == proxy}
			if how == proxy {
				l.URL = parsed(t, "https://board.example")
			}
			err := l.Check()
			if (err == nil) != ok || err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("%q, %d: %v", addr, how, err)
			}
			l.Tokens, l.OIDC = false, l.Tokens
			if again := l.Check(); (again == nil) != ok {
				t.Errorf("%q, %d, with a provider: %v", addr, how, again)
			}
		}
	}
}

func TestCheckProxyAndURL(t *testing.T) {
	for _, c := range []struct {
		l    Listening
		want string
	}{
		{Listening{Addr: "127.0.0.1:1", Proxy: true, URL: parsed(t, "https://a.example")}, "there are no accounts"},
		{Listening{Addr: "unix:/x", Proxy: true, URL: parsed(t, "https://a.example")}, "there are no accounts"},
		{Listening{Addr: "127.0.0.1:1", Proxy: true, Tokens: true}, "set url"},
		{Listening{Addr: "127.0.0.1:1", Proxy: true, Tokens: true, URL: parsed(t, "http://localhost")}, "set url"},
		{Listening{Addr: "0.0.0.0:1", Proxy: true, TLS: true, Tokens: true, URL: parsed(t, "https://a.example")}, "either"},
		{Listening{Addr: "0.0.0.0:1", TLS: true, Tokens: true, URL: parsed(t, "http://a.example")}, "in the clear"},
		{Listening{Addr: "127.0.0.1:1", URL: parsed(t, "http://a.example")}, "in the clear"},
		{Listening{Addr: "127.0.0.1:1", URL: parsed(t, "ftp://localhost")}, "http://"},
		{Listening{Addr: "127.0.0.1:1", URL: parsed(t, "https://u:p@a.example")}, "nothing else"},
		{Listening{Addr: "127.0.0.1:1", URL: parsed(t, "https://a.example/board")}, "nothing else"},
		{Listening{Addr: "127.0.0.1:1", URL: parsed(t, "http://127.0.0.1:8790/")}, ""},
		{Listening{Addr: "0.0.0.0:1", TLS: true, OIDC: true, URL: parsed(t, "https://a.example:8790")}, ""},
	} {
		err := c.l.Check()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v", c.l, err)
		}
	}
	if (Listening{}).Says() == "" || (Listening{OIDC: true}).Says() != "" {
		t.Error("what it says when it starts")
	}
}

func TestListen(t *testing.T) {
	ctx := context.Background()
	if ln, err := (Listening{Addr: "0.0.0.0:0"}).Listen(ctx); err == nil {
		ln.Close()
		t.Error("it listens everywhere without accounts")
	}
	ln, err := (Listening{Addr: "localhost:0"}).Listen(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !ln.Addr().(*net.TCPAddr).IP.IsLoopback() {
		t.Error(ln.Addr())
	}
	ln.Close()

	path := filepath.Join(t.TempDir(), "hub.sock")
	l := Listening{Addr: "unix:" + path}
	ln, err = l.Listen(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	go func() {
		if c, err := ln.Accept(); err == nil {
			c.Close()
		}
	}()
	if second, err := l.Listen(ctx); err == nil {
		second.Close()
		t.Error("two hubs on one socket")
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close() // as one that was killed
	ln, err = l.Listen(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if ln, err := l.Listen(ctx); err == nil {
		ln.Close()
		t.Error("a file was taken for a socket")
	}
}
