package inspect

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/clawsonar/clawsonar/internal/deploy"
)

// procfs is the /proc of this machine.
type procfs struct{}

func (procfs) IDs() []int {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(maxProcesses)
	var ids []int
	for _, name := range names {
		if id, err := strconv.Atoi(name); err == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (procfs) Read(id int, file string, limit int64) ([]byte, error) {
	f, err := os.Open(filepath.Join("/proc", strconv.Itoa(id), file))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// Running are the gateways that run on this machine, and what of them cannot be judged.
func Running() ([]*deploy.Gateway, []deploy.Gap) {
	m := &deploy.Model{}
	addProcesses(m, procfs{})
	return m.Gateways, m.Gaps
}
