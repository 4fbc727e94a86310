package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/replica"
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
		},
	})
}

// startReplica starts a gateway that is open, and writes a watch.yaml for it.
func startReplica(ts *testscript.TestScript, neg bool, args []string) {
	all, err := evidence.LoadCaptures(captures.FS, ".")
	ts.Check(err)
	r, err := replica.Start(all["openclaw/openclaw-2026.9.6-none.yaml"])
	ts.Check(err)
	ts.Defer(r.Close)
	ts.Check(os.Chmod(ts.MkAbs("tell.sh"), 0o700))
	ts.Check(os.WriteFile(filepath.Join(ts.MkAbs("."), "watch.yaml"), fmt.Appendf(nil, `watches:
  - {name: lab, targets: [%q], every: 1h}
alerts:
  - {name: people, when: opened, to: ["exec:./tell.sh"]}
`, r.Addr), 0o600))
}
