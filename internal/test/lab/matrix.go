//go:build linux

package lab

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
)

// FrontKind says what stands in front of an instance's gateway.
type FrontKind string

// The fronts of the matrix.
const (
	NoFront    FrontKind = ""
	NginxFront FrontKind = "nginx" // proxy_pass and nothing else
	CaddyFront FrontKind = "caddy" // plain reverse_proxy

	NginxUpgradeFront   FrontKind = "nginx-upgrade"   // passes WebSockets on, but not for whom it speaks
	NginxForwardedFront FrontKind = "nginx-forwarded" // says for whom it speaks
	NginxUserFront      FrontKind = "nginx-user"      // says that everybody is the same user
	NginxBelowFront     FrontKind = "nginx-below"     // has it below /openclaw/, which it takes off

	NginxTokenFront FrontKind = "nginx-token" // adds the gateway's token for everybody
	NginxLoginFront FrontKind = "nginx-login" // asks for a password of its own
	NginxSplitFront FrontKind = "nginx-split" // leads /tools/invoke, /api and /__openclaw to another gateway

	NginxCacheFront     FrontKind = "nginx-cache"      // has kept what it answered the owner
	NginxCopyFront      FrontKind = "nginx-copy"       // answers for the configuration from a file
	NginxPoolFront      FrontKind = "nginx-pool"       // leads to another gateway with every other request, see Instance.Peer
	NginxSkipLoginFront FrontKind = "nginx-skip-login" // asks for a password, but not when a WebSocket is opened
	NginxRootLoginFront FrontKind = "nginx-root-login" // asks for a password at / alone
	NginxRedirectFront  FrontKind = "nginx-redirect"   // leads from / alone to a login
)

// belowPath is the place of a gateway behind NginxBelowFront.
const belowPath = "/openclaw/"

// Instance is one case of the end-to-end matrix: a gateway, possibly behind a
// front, and what is true of it because it was configured so. Instances whose
// Gateway has the same name share that gateway.
type Instance struct {
	Name    string
	Gateway Config
	Front   FrontKind
	API     *Config // with NginxSplitFront: the gateway of /tools/invoke, /api and /__openclaw
	Peer    *Config // the other gateway behind a NginxPoolFront
	Truth   Truth
	Host    string // name to look at it by; "" for its address
	Comment string // what is special, for the capture
}

// Truth is what an auditor on the same machine ought to say. The words are
// those of the result stream.
type Truth struct {
	Product    string
	Brand      string
	Release    string
	Candidates []string // releases that cannot be told apart from outside; nil: no version can be seen at all
	AuthState  event.AuthState
	AuthMode   event.AuthMode // "" where the answers cannot show it
	Findings   []string       // of those that depend on where one looks from and what is switched on; see telling in the end-to-end tests
	Front      string         // kind of the front, "" without
	Note       string         // part of a note that must be there
}

// Running is an instance that answers.
type Running struct {
	Instance
	Gateway *Gateway
	API     *Gateway // with NginxSplitFront
	URL     string   // where to look at it: the front, if there is one
}

// Matrix returns the standard instances.
func Matrix() []Instance {
	var list []Instance
	add := func(front FrontKind, state event.AuthState, c Config, edit ...func(*Truth)) {
		truth := Truth{
			Product:    "openclaw",
			Brand:      c.Package,
			Release:    c.Version,
			Candidates: []string{c.Version},
			AuthState:  state,
			AuthMode:   c.Mode,
		}
		truth.Front, _, _ = strings.Cut(string(front), "-")
		for _, e := range edit {
			e(&truth)
		}
		name := c.Name
		if front != NoFront {
			name += "-" + string(front)
		}
		list = append(list, Instance{Name: name, Gateway: c, Front: front, Truth: truth})
	}
	// 2026.1.24 and 2026.1.24-3 serve the same files.
	shared := func(t *Truth) { t.Candidates = []string{"2026.1.24", "2026.1.24-3"} }

	add(NoFront, event.AuthOpen, ConfigOf(Oldest, "none", None), shared)
	add(NoFront, event.AuthRequired, ConfigOf(Oldest, "token", Token), shared)
	// Mode none does not exist in this one. It shows its canvas to everybody.
	add(NoFront, event.AuthRequired, ConfigOf(Rebrand, "token", Token))
	for _, version := range []string{Spring, Summer, Newest} {
		add(NoFront, event.AuthOpen, ConfigOf(version, "none", None))
		add(NoFront, event.AuthRequired, ConfigOf(version, "token", Token))
	}
	add(NoFront, event.AuthRequired, ConfigOf(Summer, "password", Password))
	add(NginxFront, event.AuthOpen, ConfigOf(Summer, "none", None))
	add(CaddyFront, event.AuthOpen, ConfigOf(Spring, "none", None))
	// From 2026.8.1 a gateway refuses forwarding headers from a proxy that it
	// was not told about; all it then shows is that it is one of those.
	add(CaddyFront, event.AuthBlocked, ConfigOf(Newest, "none", None), func(t *Truth) {
		t.Candidates, t.AuthMode = nil, ""
	})

	// A proxy has all of it below a path that it takes off.
	add(NginxBelowFront, event.AuthRequired, ConfigOf(Oldest, "token", Token), shared)
	add(NginxBelowFront, event.AuthOpen, ConfigOf(Spring, "none", None))
	add(NginxBelowFront, event.AuthOpen, ConfigOf(Newest, "none", None))

	// Every request gets the token added: as good as none.
	add(NginxTokenFront, event.AuthOpen, ConfigOf(Newest, "token", Token), func(t *Truth) { t.AuthMode = "" })
	// Nothing of the gateway shows behind another server's login.
	add(NginxLoginFront, event.AuthGated, ConfigOf(Newest, "token", Token), func(t *Truth) {
		*t = Truth{Release: t.Release, AuthState: t.AuthState, Front: t.Front}
	})

	c := ConfigOf(Newest, "tls", Token)
	c.TLS = true
	add(NoFront, event.AuthRequired, c)
	c = ConfigOf(Newest, "base-path", Token)
	c.BasePath = "/claw"
	add(NoFront, event.AuthRequired, c)
	c = ConfigOf(Newest, "no-ui", Token)
	c.NoControlUI = true
	add(NoFront, event.AuthRequired, c)
	return list
}

// Forks returns gateways under other names that answer like OpenClaw, in mode
// token. Their version numbers are their own, even where OpenClaw has the same.
func Forks() []Instance {
	fork := func(name, pkg, version, brand, comment string, releases ...string) Instance {
		c := Config{Name: "fork-" + name + "-token", Package: pkg, Version: version, Mode: Token}
		return Instance{Name: c.Name, Gateway: c, Comment: comment, Truth: Truth{
			Product: "openclaw", Brand: brand, Release: version, Candidates: releases,
			AuthState: event.AuthRequired, AuthMode: c.Mode,
		}}
	}
	return []Instance{
		fork("openclaw-cn", "openclaw-cn", "2026.1.31", "openclaw-cn",
			"A fork. Its page calls itself Clawdbot; its assets are of no release."),
		// The page is all there is to see, and that is the release's.
		fork("gguf-claw", "@gguf/claw", "2026.2.20", "openclaw",
			"A fork. Its Control UI is that of OpenClaw 2026.2.21, byte for byte.", "2026.2.21"),
		fork("clawmongo", "@romiluz/clawmongo", "2026.4.8", "clawmongo",
			"A fork. Its page is a build of its own that shares two scripts with OpenClaw 2026.4.5 and 2026.4.7."),
	}
}

// nginx describes the nginx that stands in front of an instance's gateway.
func (i *Instance) nginx(g *Gateway) NginxConfig {
	c := NginxConfig{Upstream: "http://" + g.loopback().String(), Net: g.Config.Net, Upgrade: i.Front != NginxFront}
	switch i.Front {
	case NginxForwardedFront:
		c.Forwarded = true
	case NginxTokenFront:
		c.SetHeader = map[string]string{"Authorization": "Bearer " + g.Secret}
	case NginxUserFront:
		c.Forwarded = true
		c.SetHeader = map[string]string{"X-Forwarded-User": "somebody"}
	case NginxBelowFront:
		c.Below = belowPath
	case NginxLoginFront:
		c.BasicAuth = true
	case NginxCacheFront:
		c.Cache = true
	case NginxSkipLoginFront:
		c.SkipLogin = true
	case NginxRootLoginFront:
		c.RootLogin = "401"
	case NginxRedirectFront:
		c.RootLogin = "302"
	}
	return c
}

// asOwner asks for the configuration with the gateway's token, at the gateway or
// a front of it, and returns it.
func (g *Gateway) asOwner(ctx context.Context, base string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"__openclaw/control-ui-config.json", nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+g.Secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the owner's look at the configuration: %s", resp.Status)
	}
	return string(body), err
}

// StartMatrix starts the gateways that the instances need, parallel at a time
// and each once, then the fronts. The function it returns stops them all, and
// is never nil.
func (l *Lab) StartMatrix(ctx context.Context, workdir string, instances []Instance, parallel int) (running []Running, stop func(), err error) {
	var configs []Config
	index := map[string]int{}
	needs := func(c Config) {
		if _, ok := index[c.Name]; !ok {
			index[c.Name] = len(configs)
			configs = append(configs, c)
		}
	}
	for _, instance := range instances {
		needs(instance.Gateway)
		for _, other := range []*Config{instance.API, instance.Peer} {
			if other != nil {
				needs(*other)
			}
		}
	}
	gateways, err := l.StartAll(ctx, filepath.Join(workdir, "gateways"), configs, parallel)
	if err != nil {
		return nil, func() {}, err
	}
	var fronts []*Front
	stop = func() {
		for _, f := range fronts {
			f.Stop()
		}
		StopAll(gateways)
	}
	for _, instance := range instances {
		g := gateways[index[instance.Gateway.Name]]
		r := Running{Instance: instance, Gateway: g, URL: g.URL}
		if instance.API != nil {
			r.API = gateways[index[instance.API.Name]]
		}
		dir := filepath.Join(workdir, "fronts", instance.Name)
		var f *Front
		switch instance.Front {
		case NoFront:
		case CaddyFront:
			f, err = Caddy(ctx, g.Config.Net, dir, g.loopback().String())
		default:
			c := instance.nginx(g)
			if r.API != nil {
				c.API = "http://" + r.API.loopback().String()
			}
			if instance.Peer != nil {
				c.Also = gateways[index[instance.Peer.Name]].loopback().String()
			}
			if instance.Front == NginxCopyFront {
				c.Copy, err = g.asOwner(ctx, g.URL)
			}
			if err == nil {
				f, err = Nginx(ctx, dir, c)
			}
			if err == nil && instance.Front == NginxCacheFront {
				_, err = g.asOwner(ctx, f.URL)
			}
		}
		if err != nil {
			stop()
			return nil, func() {}, fmt.Errorf("instance %s: %w", instance.Name, err)
		}
		if f != nil {
			fronts = append(fronts, f)
			r.URL = f.URL
		}
		if instance.Front == NginxBelowFront {
			r.URL = strings.TrimSuffix(r.URL, "/") + belowPath
		}
		if instance.Host != "" {
			r.URL = strings.Replace(r.URL, g.Addr.Addr().String(), instance.Host, 1)
		}
		running = append(running, r)
	}
	return running, stop, nil
}
