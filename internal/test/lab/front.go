//go:build linux

package lab

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"
)

// frontLimit bounds the start of a web server.
const frontLimit = 20 * time.Second

// Front is a running web server, with or without a gateway behind it.
type Front struct {
	Addr     netip.AddrPort
	URL      string // "http://127.0.0.1:PORT/"
	Password string // with basic authentication: the password of user "lab" for this run; never print it

	proc *process
}

// Stop ends the web server. Calling it again does nothing.
func (f *Front) Stop() { f.proc.stop() }

// Log returns what the web server has printed so far.
func (f *Front) Log() string { return f.proc.output() }

// NginxConfig describes an nginx.
type NginxConfig struct {
	Upstream string // "http://127.0.0.1:PORT" (no slash at the end); empty: a static welcome page
	API      string // upstream of /tools/invoke, /api and /__openclaw, as Upstream; empty: they are not apart

	Below     string            // "/openclaw/": the upstream's place, taken off the path before it is passed on; empty: "/"
	Upgrade   bool              // pass WebSocket openings on
	Forwarded bool              // add Host, X-Real-IP, X-Forwarded-For and -Proto
	BasicAuth bool              // ask for a password before anything is passed on
	SetHeader map[string]string // set towards the upstream, for every visitor
	Addr      netip.AddrPort    // where it listens; zero: on a free port

	Also      string     // a second upstream, "127.0.0.1:PORT": requests go to the two in turn
	Cache     bool       // keep what the upstream answers, even if it forbids that
	Copy      string     // what is answered for the gateway's configuration, from a file
	SkipLogin bool       // BasicAuth, but not of WebSocket openings
	RootLogin string     // at / alone: "401" asks for a password, "302" leads to /login
	Net       *Namespace // where it runs; nil: with everything else
}

var nginxTemplate = template.Must(template.New("nginx.conf").Parse(`daemon off;
# One process: nothing to leave behind, and no change of user when run by root.
master_process off;
pid nginx.pid;
error_log stderr warn;
events {}
http {
	access_log off;
	client_body_temp_path tmp;
	proxy_temp_path tmp;
	fastcgi_temp_path tmp;
	scgi_temp_path tmp;
	uwsgi_temp_path tmp;
	map $http_upgrade $connection_upgrade {
		default upgrade;
		'' close;
	}
	map $http_upgrade $unless_upgrade {
		default off;
		'' restricted;
	}
{{- if .Cache}}
	proxy_cache_path cache keys_zone=answers:1m;
{{- end}}
{{- if .Also}}
	upstream pool {
		server {{.Host}};
		server {{.Also}};
	}
{{- end}}
	server {
		listen {{.Listen}};
		default_type text/html;
{{- if or .BasicAuth .SkipLogin}}
		auth_basic {{if .SkipLogin}}$unless_upgrade{{else}}"restricted"{{end}};
		auth_basic_user_file users;
{{- end}}
{{- if .Cache}}
		proxy_cache answers;
		proxy_cache_valid any 10m;
		proxy_cache_key $request_uri;
		proxy_ignore_headers Cache-Control Expires Set-Cookie Vary;
{{- end}}
{{- if .Copy}}
		location = /__openclaw/control-ui-config.json {
			default_type application/json;
			alias config.json;
		}
{{- end}}
{{- if eq .RootLogin "401"}}
		location = / {
			auth_basic "restricted";
			auth_basic_user_file users;
			proxy_pass {{.Upstream}};
		}
{{- else if eq .RootLogin "302"}}
		location = / {
			return 302 /login;
		}
{{- end}}
{{- if .Upstream}}
{{- range .Places}}
		location {{.Path}} {
			proxy_pass {{.Upstream}};
{{- if or $.Upgrade $.Forwarded}}
			proxy_http_version 1.1;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $connection_upgrade;
{{- end}}
{{- if $.Forwarded}}
			proxy_set_header Host $host;
			proxy_set_header X-Real-IP $remote_addr;
			proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
			proxy_set_header X-Forwarded-Proto $scheme;
{{- end}}
{{- range $name, $value := $.SetHeader}}
			proxy_set_header {{$name}} "{{$value}}";
{{- end}}
		}
{{- end}}
{{- else}}
		root html;
{{- end}}
	}
}
`))

// place is a path and what it leads to.
type place struct{ Path, Upstream string }

func (c NginxConfig) places() []place {
	upstream := c.Upstream
	if c.Also != "" {
		upstream = "http://pool"
	}
	first := place{"/", upstream}
	if c.Below != "" {
		first = place{c.Below, upstream + "/"}
	}
	list := []place{first}
	if c.API != "" {
		for _, path := range []string{"/tools/invoke", "/api", "/__openclaw"} {
			list = append(list, place{path, c.API})
		}
	}
	return list
}

// welcomePage has the title and the heading of the page that a fresh nginx
// shows.
const welcomePage = `<!DOCTYPE html>
<html>
<head><title>Welcome to nginx!</title></head>
<body><h1>Welcome to nginx!</h1></body>
</html>
`

// Nginx starts an nginx on a free port, on loopback or in a namespace, with all its files below
// workdir. The context bounds the start only.
func Nginx(ctx context.Context, workdir string, c NginxConfig) (*Front, error) {
	f, err := newFront(c.Net)
	if err != nil {
		return nil, err
	}
	if c.Addr.IsValid() {
		f.Addr = c.Addr
		f.URL = "http://" + c.Addr.String() + "/"
	}
	if c.BasicAuth || c.SkipLogin || c.RootLogin != "" {
		f.Password = rand.Text()
	}
	var config strings.Builder
	err = nginxTemplate.Execute(&config, struct {
		NginxConfig
		Listen netip.AddrPort
		Host   string // of Upstream
		Places []place
	}{c, f.Addr, strings.TrimPrefix(c.Upstream, "http://"), c.places()})
	if err != nil {
		return nil, fmt.Errorf("render nginx configuration: %w", err)
	}
	err = writeFiles(workdir, map[string]string{
		"nginx.conf":      config.String(),
		"users":           "lab:{PLAIN}" + f.Password + "\n",
		"html/index.html": welcomePage,
		"config.json":     c.Copy,
	})
	if err != nil {
		return nil, err
	}
	// -e: without it nginx opens the system's error log first.
	return f.start(ctx, c.Net, workdir, "nginx", "-p", workdir, "-c", "nginx.conf", "-e", "stderr")
}

// Caddy starts a Caddy with a plain reverse_proxy to upstream
// ("127.0.0.1:PORT") on a free port, on loopback or in a namespace, with all its
// files below workdir. The context bounds the start only.
func Caddy(ctx context.Context, n *Namespace, workdir, upstream string) (*Front, error) {
	f, err := newFront(n)
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf(`{
	admin off
	auto_https off
	storage file_system storage
}

http://:%d {
	bind %s
	reverse_proxy %s
}
`, f.Addr.Port(), f.Addr.Addr(), upstream)
	if err := writeFiles(workdir, map[string]string{"Caddyfile": config}); err != nil {
		return nil, err
	}
	return f.start(ctx, n, workdir, "caddy", "run", "--adapter", "caddyfile", "--config", "Caddyfile")
}

func newFront(n *Namespace) (*Front, error) {
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	if n != nil {
		addr = netip.AddrPortFrom(n.Addr, addr.Port())
	}
	return &Front{Addr: addr, URL: "http://" + addr.String() + "/"}, nil
}

func (f *Front) start(ctx context.Context, n *Namespace, workdir, tool string, args ...string) (*Front, error) {
	path, err := FindTool(tool)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w (install the package %s)", tool, err, tool)
	}
	cmd := n.Command(path, args...)
	cmd.Dir = workdir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + workdir}
	if f.proc, err = startProcess(cmd, filepath.Join(workdir, tool+".log")); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, frontLimit)
	defer cancel()
	if err := waitReady(ctx, f.proc, n, f.URL); err != nil {
		f.Stop()
		return nil, fmt.Errorf("start %s: %w\n%s", tool, err, lastLines(f.Log(), 10))
	}
	return f, nil
}

// writeFiles writes files below dir, readable by their owner only.
func writeFiles(dir string, files map[string]string) error {
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}
