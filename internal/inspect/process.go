package inspect

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
)

// processes are the running programs of a machine, as /proc shows them.
type processes interface {
	// IDs are those of all programs, in ascending order.
	IDs() []int
	// Read returns at most limit bytes of a file of a program, "cmdline", "cgroup" or "environ"; an error if
	// that is not allowed.
	Read(id int, file string, limit int64) ([]byte, error)
}

// maxProcesses caps how many programs are looked at, and maxProcess what is read of each.
const (
	maxProcesses = 100_000
	maxProcess   = 256 << 10
)

// addProcesses adds the gateways that run. Places are of files of /proc and have a line of 1; a
// variable's is that of its place among them. An environment that may not be read leaves all
// variables unknown.
func addProcesses(m *deploy.Model, all processes) {
	first, _ := all.Read(1, "cgroup", maxProcess)
	here := inContainer(first) // the same for all that can be seen
	for i, id := range all.IDs() {
		if i >= maxProcesses {
			return
		}
		data, err := all.Read(id, "cmdline", maxProcess)
		if err != nil || len(data) == 0 {
			continue
		}
		name := "/proc/" + strconv.Itoa(id) + "/"
		at := event.Pos{File: name + "cmdline", Line: 1}
		var words []deploy.Value
		for _, w := range bytes.Split(bytes.TrimRight(data, "\x00"), []byte{0}) {
			if len(words) < maxWords {
				words = append(words, deploy.Value{State: deploy.Set, Text: string(w), Pos: at})
			}
		}
		c := gatewayCommand(words)
		if isShell(base(words[0].Text)) || base(words[0].Text) == "sudo" {
			continue // it only waits for the one that it started
		}
		if c == nil {
			// A gateway that gave itself another title: its flags are not to be seen any more.
			title, _, _ := strings.Cut(words[0].Text, " ")
			if product, ok := strings.CutSuffix(title, "-gateway"); !ok || !isProduct(base(product)) {
				continue
			}
			c = &deploy.Command{Args: words, Flags: map[string]deploy.Value{
				"bind": {State: deploy.Unknown, Pos: at}, "port": {State: deploy.Unknown, Pos: at}, "auth": {State: deploy.Unknown, Pos: at},
			}, Pos: at}
		}
		g := &deploy.Gateway{Space: deploy.Host, Name: strconv.Itoa(id), Kind: deploy.KindProcess, Pos: at, Command: c, Env: map[string]deploy.Value{}}
		if cgroup, err := all.Read(id, "cgroup", maxProcess); err == nil && inContainer(cgroup) && !here {
			m.Gaps = append(m.Gaps, deploy.Gap{Kind: deploy.KindProcess, Why: "gap.in-container", Pos: at})
			continue
		}
		environ, err := all.Read(id, "environ", maxProcess)
		if err != nil {
			g.EnvFrom = []event.Pos{{File: name + "environ", Line: 1}}
		}
		for i, v := range bytes.Split(bytes.TrimRight(environ, "\x00"), []byte{0}) {
			if key, text, ok := strings.Cut(string(v), "="); ok && i < maxWords {
				g.Env[key] = deploy.Value{State: deploy.Set, Text: text, Pos: event.Pos{File: name + "environ", Line: i + 1}}
			}
		}
		m.Gateways = append(m.Gateways, g)
	}
}

// inContainer reports whether the control groups of a program are those of a container.
func inContainer(cgroup []byte) bool {
	for _, mark := range []string{"docker", "kubepods", "containerd", "lxc", "libpod"} {
		if bytes.Contains(cgroup, []byte(mark)) {
			return true
		}
	}
	return false
}
