package cli

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nkeys"
	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/replica"
	"github.com/clawsonar/clawsonar/internal/test/mmdb"
	"github.com/clawsonar/clawsonar/internal/test/script"
	"github.com/clawsonar/clawsonar/testdata/captures"
)

func TestMain(m *testing.M) {
	testscript.Main(leakless{m}, map[string]func(){
		"hub": func() { os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

type leakless struct{ *testing.M }

func (m leakless) Run() int {
	// What this machine has installed is not what is tested.
	os.Setenv(data.Variable, data.OnlyBuiltin)
	code := m.M.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":   script.Exits("clawsonar-hub"),
			"replica": startReplica,
			"fleet":   startWorkers,
		},
	})
}

// startReplica starts a gateway that is open, and writes a watch.yaml for it, with a file that
// says in which AS it is.
func startReplica(ts *testscript.TestScript, neg bool, args []string) {
	all, err := evidence.LoadCaptures(captures.FS, ".")
	ts.Check(err)
	r, err := replica.Start(all["openclaw/openclaw-2026.9.6-none.yaml"])
	ts.Check(err)
	ts.Defer(r.Close)
	ts.Check(os.Chmod(ts.MkAbs("tell.sh"), 0o700))
	ts.Check(os.WriteFile(ts.MkAbs("asn.mmdb"), mmdb.File("asn", map[string]mmdb.Map{"127.0.0.0/8": mmdb.AS(64500, "Loopback Net")}), 0o600))
	ts.Check(os.WriteFile(filepath.Join(ts.MkAbs("."), "watch.yaml"), fmt.Appendf(nil, `geo: asn.mmdb
watches:
  - {name: lab, targets: [%q], every: 1h}
alerts:
  - {name: people, when: opened, to: ["exec:./tell.sh"]}
`, r.Addr), 0o600))
}

// startWorkers starts a gateway that is open and one place that is closed, and writes a
// watch.yaml with workers, and jobs: job.yaml over a range with the gateway, closed.yaml that
// names the closed place.
func startWorkers(ts *testscript.TestScript, neg bool, args []string) {
	all, err := evidence.LoadCaptures(captures.FS, ".")
	ts.Check(err)
	r, err := replica.Start(all["openclaw/openclaw-2026.9.6-none.yaml"])
	ts.Check(err)
	ts.Defer(r.Close)
	free := func() int {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		defer l.Close()
		return l.Addr().(*net.TCPAddr).Port
	}
	pages, workers, closed := free(), free(), free()
	pair, err := nkeys.CreateUser()
	ts.Check(err)
	seed, err := pair.Seed()
	ts.Check(err)
	for name, text := range map[string]string{
		"hub.nk":      string(seed),
		"watch.yaml":  fmt.Sprintf("listen: 127.0.0.1:%d\nworkers: {listen: '127.0.0.1:%d', rate-limit: 100}\n", pages, workers),
		"job.yaml":    fmt.Sprintf("name: lab\ntargets: [127.0.0.0/29]\nports: %d\nvantages: [fra, sgp]\nunits: 2\n", r.Addr.Port()),
		"closed.yaml": fmt.Sprintf("name: closed\ntargets: ['127.0.0.1:%d']\nvantages: [fra, sgp]\n", closed),
	} {
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
}
