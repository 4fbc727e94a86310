package access

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
)

// Listening is where the hub is to listen, and what protects it there.
type Listening struct {
	Addr  string // HOST:PORT or unix:PATH
	TLS   bool   // it serves TLS itself
	Proxy bool   // "behind: proxy": a proxy in front serves TLS
	// Tokens says that a token was made, OIDC that a provider is configured.
	Tokens, OIDC bool
	URL          *url.URL // under which browsers see it; nil if that was not said
}

// Check says why the hub must not start, and what to do, in one line: beyond this
// machine it needs accounts and TLS.
func (l Listening) Check() error {
	accounts := l.Tokens || l.OIDC
	here, err := l.here()
	if err != nil {
		return err
	}
	if u := l.URL; u != nil {
		if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("url %.200q: it has to be http:// or https:// and a host, and nothing else", u.Redacted())
		}
		if u.Scheme == "http" && !loopbackName(u.Hostname()) {
			return fmt.Errorf("url %s: tokens and cookies would cross the network in the clear: use https", u)
		}
	}
	switch {
	case l.Proxy && !accounts:
		return errors.New("behind: proxy lets in everybody that the proxy does, and there are no accounts: make a token (clawsonar-hub token new NAME) or configure auth.oidc")
	case l.Proxy && (l.URL == nil || l.URL.Scheme != "https"):
		return errors.New("behind: proxy needs to know under which address the proxy serves the hub: set url to https:// and its name")
	case l.Proxy && l.TLS:
		return errors.New("either behind: proxy or tls: a proxy that talks TLS to the hub is not supported, let the hub listen on loopback or a unix: socket for it")
	case here:
		return nil
	case !accounts:
		return fmt.Errorf("listen %s: without accounts the hub listens on loopback only: make a token (clawsonar-hub token new NAME), configure auth.oidc, or listen on 127.0.0.1", l.Addr)
	case !l.TLS && !l.Proxy:
		return fmt.Errorf("listen %s: beyond loopback it needs TLS: set tls, or behind: proxy if one in front of it does that, or listen on 127.0.0.1", l.Addr)
	}
	return nil
}

// Says is the line about access that the hub prints when it starts without accounts;
// "" with accounts.
func (l Listening) Says() string {
	if l.Tokens || l.OIDC {
		return ""
	}
	return "there are no accounts: anyone on this machine may look and change; a token (clawsonar-hub token new NAME) ends that"
}

const unixPrefix = "unix:"

// here reports whether nothing but this machine can reach the address.
func (l Listening) here() (bool, error) {
	if path, ok := strings.CutPrefix(l.Addr, unixPrefix); ok {
		if path == "" || strings.HasPrefix(path, "@") {
			return false, fmt.Errorf("listen %q: a unix: socket needs the path of a file, which has permissions", l.Addr)
		}
		return true, nil
	}
	host, port, err := net.SplitHostPort(l.Addr)
	if err != nil || port == "" {
		return false, fmt.Errorf("listen %.100q: it has to be HOST:PORT, such as 127.0.0.1:8790, or unix:PATH", l.Addr)
	}
	return loopbackName(host), nil
}

// loopbackName reports whether a host is localhost or an address of loopback. Any other
// name may be one of the network tomorrow, and "" and the like are every address. What
// localhost means here is looked at again when it listens.
func loopbackName(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// Listen listens, if Check allows it.
func (l Listening) Listen(ctx context.Context) (net.Listener, error) {
	if err := l.Check(); err != nil {
		return nil, err
	}
	if path, ok := strings.CutPrefix(l.Addr, unixPrefix); ok {
		return listenUnix(ctx, path)
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", l.Addr)
	if err != nil {
		return nil, err
	}
	// localhost is what the machine's hosts file says.
	if here, _ := l.here(); here {
		if a, ok := ln.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
			ln.Close()
			return nil, fmt.Errorf("listen %s: that is %s here, which is not loopback: write the address", l.Addr, ln.Addr())
		}
	}
	return ln, nil
}

// listenUnix listens on a socket that only its user and group can use. One that was
// left behind is removed, one that answers is not.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSocket != 0 {
		c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", path)
		if err == nil {
			c.Close()
		} else if errors.Is(err, syscall.ECONNREFUSED) {
			if err := os.Remove(path); err != nil {
				return nil, err
			}
		}
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o660); err != nil {
		ln.Close()
		return nil, err
	}
	return ln, nil
}
