package cli

import (
	"bytes"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// TestDiscoverOneOfTwo: what one of those that are asked tells is printed, though the other
// could not be asked, which is no success.
func TestDiscoverOneOfTwo(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "engine.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`[{"Names":["/claw"],"State":"running","Ports":[{"IP":"0.0.0.0","PrivatePort":18789,"PublicPort":18789,"Type":"tcp"}]}]`))
	})}
	done := make(chan struct{})
	go func() { _ = server.Serve(l); close(done) }()
	defer func() { server.Close(); <-done }()
	for _, tt := range []struct {
		engine string
		code   int
		lines  int
	}{{socket, 1, 1}, {filepath.Join(t.TempDir(), "none.sock"), 2, 0}} {
		var out, said bytes.Buffer
		code := Main([]string{"discover", "-mdns", "-interface", "nowhere0", "-docker=" + tt.engine}, strings.NewReader(""), &out, &said)
		if code != tt.code || strings.Count(out.String(), "\n") != tt.lines || !strings.Contains(said.String(), `no network interface "nowhere0"`) {
			t.Errorf("code %d\n%s%s", code, &out, &said)
		}
		if tt.lines > 0 && !strings.Contains(out.String(), `"port":18789`) {
			t.Errorf("%s", &out)
		}
	}
}
