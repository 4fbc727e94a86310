package discover

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/local"
)

func rules(t testing.TB) Rules {
	t.Helper()
	k, err := local.Load(fingerprints.FS)
	if err != nil {
		t.Fatal(err)
	}
	return Rules{LeftAlone: k.LeftAlone, Own: []uint16{18789}}
}

// engine listens on a socket and answers every request with these bytes.
func engine(t *testing.T, path, answer string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			request := make([]byte, 4096)
			n, _ := c.Read(request)
			if !strings.HasPrefix(string(request[:n]), "GET /containers/json HTTP/1.1\r\n") {
				t.Errorf("asked %q", request[:n])
			}
			fmt.Fprint(c, answer)
			c.Close()
		}
	}()
}

func ok(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func TestDocker(t *testing.T) {
	for name, tt := range map[string]struct{ list, want, note string }{
		// As Docker writes it, and Podman's service.
		"every address twice, loopback, one address": {
			list: `[{"Id":"0123456789abcdef","Names":["/claw"],"Image":"openclaw","State":"running","Ports":[
				{"IP":"::","PrivatePort":18789,"PublicPort":18789,"Type":"tcp"},{"IP":"0.0.0.0","PrivatePort":18789,"PublicPort":18789,"Type":"tcp"},
				{"IP":"127.0.0.1","PrivatePort":18789,"PublicPort":9999,"Type":"tcp"},{"IP":"192.168.1.5","PrivatePort":80,"PublicPort":8080,"Type":"tcp"},
				{"PrivatePort":18790,"Type":"tcp"},{"IP":"0.0.0.0","PrivatePort":53,"PublicPort":53,"Type":"udp"}],"HostConfig":{"NetworkMode":"bridge"}}]`,
			want: `{ip:192.168.1.5,port:8080,container:claw,found:{by:docker,published:192.168.1.5:8080}}
{ip:127.0.0.1,port:9999,container:claw,found:{by:docker,published:127.0.0.1:9999}}
{ip:127.0.0.1,port:18789,container:claw,found:{by:docker,published:0.0.0.0:18789}}
`,
		},
		"an address that is not said is every one": {
			list: `[{"Id":"0123456789abcdef","Names":[],"Ports":[{"IP":"","PrivatePort":18789,"PublicPort":1,"Type":"tcp"}]}]`,
			want: "{ip:127.0.0.1,port:1,container:0123456789ab,found:{by:docker,published:0.0.0.0:1}}\n",
		},
		"IPv6 alone": {
			list: `[{"Id":"x","Ports":[{"IP":"::","PrivatePort":18789,"PublicPort":1,"Type":"tcp"}]}]`,
			want: "{ip:::1,port:1,container:x,found:{by:docker,published:[::]:1}}\n",
		},
		"what is left alone, by its port within": {
			list: `[{"Id":"db","Ports":[{"IP":"0.0.0.0","PrivatePort":6379,"PublicPort":18789,"Type":"tcp"}]}]`,
			note: "docker: container db: port 18789 is left alone: Redis",
		},
		"the host's network":  {list: `[{"Id":"x","Names":["/a\u001b[2Jb"],"Ports":[],"HostConfig":{"NetworkMode":"host"}}]`, note: "has the network of this machine"},
		"no address":          {list: `[{"Id":"x","Ports":[{"IP":"every\u001bwhere","PrivatePort":1,"PublicPort":1,"Type":"tcp"}]}]`, note: "is not an address"},
		"nothing runs":        {list: `[]`},
		"nothing, as Go says": {list: `null`},
	} {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "s")
			engine(t, socket, ok(tt.list))
			r, err := Docker(t.Context(), Engines{Socket: socket}, rules(t))
			if got := lines(t, r.Found); err != nil || got != tt.want {
				t.Errorf("error %v, found\n%swant\n%s", err, got, tt.want)
			}
			notes := strings.Join(r.Notes, "\n")
			if tt.note == "" && notes != "" || !strings.Contains(notes, tt.note) || strings.ContainsRune(notes, '\x1b') {
				t.Errorf("notes %q, want %q", notes, tt.note)
			}
		})
	}
}

// What Podman's service answers, recorded of containers that were created: those that run
// are told of in the same way.
func TestPodman(t *testing.T) {
	data, err := os.ReadFile("testdata/podman-4.3.1-created.json")
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "s")
	engine(t, socket, ok(string(data)))
	r, err := Docker(t.Context(), Engines{Socket: socket}, rules(t))
	const want = `{ip:127.0.0.1,port:18789,container:claw,found:{by:docker,published:0.0.0.0:18789}}
{ip:127.0.0.1,port:9999,container:own,found:{by:docker,published:127.0.0.1:9999}}
{ip:::1,port:7777,container:six,found:{by:docker,published:[::]:7777}}
`
	if got := lines(t, r.Found); err != nil || got != want {
		t.Errorf("error %v, found\n%swant\n%s", err, got, want)
	}
}

func TestDockerErrors(t *testing.T) {
	for name, tt := range map[string]struct{ answer, want string }{
		"not a list":      {ok(`{"message":"no"}`), "its answer is no list of containers"},
		"not JSON":        {ok(`[{"Ports":[{"PublicPort":"x"}]}]`), "its answer is no list of containers"},
		"nested":          {ok(strings.Repeat("[", 100)), "its answer is nested deeper"},
		"cut":             {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[", "unexpected EOF"},
		"refused":         {"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "it answers with status 403"},
		"not HTTP":        {"SSH-2.0-x\r\n", "answer is not HTTP"},
		"nothing":         {"", "EOF"},
		"a broken length": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "broken chunked coding"},
		"too much":        {"HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat(" ", maxList+1), "its answer is larger than 16 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "s")
			engine(t, socket, tt.answer)
			_, err := Docker(t.Context(), Engines{Socket: socket}, rules(t))
			if err == nil || !strings.HasPrefix(err.Error(), "docker: "+socket+": ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
	dead := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	for socket, want := range map[string]string{dead: "nothing listens there", dead + "x": "no such socket"} {
		if _, err := Docker(t.Context(), Engines{Socket: socket}, rules(t)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", socket, err, want)
		}
	}
	if got := why(&fs.PathError{Err: fs.ErrPermission}).Error(); !strings.Contains(got, "not permitted") {
		t.Error(got)
	}
}

func TestSockets(t *testing.T) {
	root := t.TempDir()
	env := map[string]string{"XDG_RUNTIME_DIR": "/run/user/1"}
	e := Engines{Root: root, Getenv: func(name string) string { return env[name] }}
	if _, err := e.sockets(); err == nil || !strings.Contains(err.Error(), "/run/user/1/podman/podman.sock") {
		t.Errorf("none there: error %v, want one that names the places", err)
	}
	engine(t, root+"/run/podman/podman.sock", ok("[]"))
	engine(t, root+"/run/user/1/podman/podman.sock", "HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n")
	if err := os.MkdirAll(root+"/var/run", 0o700); err != nil {
		t.Fatal(err)
	}
	// Debian's podman-docker makes this link.
	if err := os.Symlink(root+"/run/podman/podman.sock", root+"/var/run/docker.sock"); err != nil {
		t.Fatal(err)
	}
	got, err := e.sockets()
	if want := root + "/var/run/docker.sock " + root + "/run/user/1/podman/podman.sock"; err != nil || strings.Join(got, " ") != want {
		t.Errorf("%v, error %v, want %s", got, err, want)
	}
	r, err := Docker(t.Context(), e, rules(t))
	if err != nil || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "status 500") {
		t.Errorf("one of two answers: notes %q, error %v", r.Notes, err)
	}
	env["DOCKER_HOST"] = "unix:///x"
	if got, err := e.sockets(); err != nil || len(got) != 1 || got[0] != "/x" {
		t.Errorf("%v, error %v, want what the environment names", got, err)
	}
	env["DOCKER_HOST"] = "ssh://jane@host"
	if _, err := e.sockets(); err == nil || strings.Contains(err.Error(), "jane") || !strings.Contains(err.Error(), "DOCKER_HOST names no socket") {
		t.Errorf("another machine: error %v", err)
	}
}

func FuzzDocker(f *testing.F) {
	f.Add([]byte(`[{"Id":"x","Names":["/a"],"Ports":[{"IP":"::","PrivatePort":18789,"PublicPort":1,"Type":"tcp"}],"HostConfig":{"NetworkMode":"host"}}]`))
	rules := rules(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		var r Result
		if r.containers(data, rules) != nil {
			return
		}
		for _, x := range r.Found {
			if _, err := x.Spec("docker"); err != nil {
				t.Errorf("%+v: %v", x, err)
			}
		}
	})
}
