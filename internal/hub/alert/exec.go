package alert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/clean"
)

// program runs a program for each delivery, without a shell.
type program struct {
	args []string
	dir  string
}

func execPlace(command, dir string) (place, error) {
	args := strings.Fields(command)
	if len(args) == 0 {
		return place{}, errors.New("exec: the program is missing")
	}
	name := "exec:" + clean.Text(args[0])
	path, err := args[0], error(nil)
	if strings.ContainsRune(path, '/') { // else it is in PATH
		path, err = filepath.Abs(resolve(dir, path))
	}
	if err == nil {
		args[0], err = exec.LookPath(path)
	}
	if err == nil {
		args[0], err = filepath.Abs(args[0]) // it is started in another directory
	}
	if err != nil {
		return place{}, fmt.Errorf("exec: %w", err)
	}
	var hidden []string
	for _, a := range args[1:] {
		if len(a) >= 4 {
			hidden = append(hidden, a)
		}
	}
	return place{name, &program{args, dir}, hidden}, nil
}

func (p *program) send(ctx context.Context, m *message) error {
	cmd := exec.CommandContext(ctx, p.args[0], p.args[1:]...)
	cmd.Dir = p.dir
	cmd.Env = m.environment()
	cmd.Stdin = bytes.NewReader(m.body)
	said := &tail{}
	cmd.Stderr = said
	end := group(cmd)
	// What it has started may hold its output open: it is ended after that.
	cmd.WaitDelay = 500 * time.Millisecond
	err := cmd.Run()
	if cmd.Process != nil {
		end()
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("it was ended: %w", ctx.Err())
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		return nil
	case len(said.text) > 0:
		return fmt.Errorf("%w: %s", err, said.text)
	}
	return err
}

// environment is all that the program sees of ours.
func (m *message) environment() (out []string) {
	for _, name := range []string{"PATH", "HOME", "LANG"} {
		if v, ok := os.LookupEnv(name); ok {
			out = append(out, name+"="+v)
		}
	}
	var first change
	if len(m.Changes) > 0 {
		first = m.Changes[0]
	}
	for _, v := range []struct{ name, value string }{
		{"EVENT", m.word()}, {"SUMMARY", m.Summary}, {"PLACE", first.Place}, {"OLD", string(first.OldVerdict)}, {"NEW", string(first.Verdict)},
		{"SEVERITY", string(m.Severity)}, {"DELIVERY", m.Delivery}, {"URL", m.URL},
	} {
		out = append(out, "CLAWSONAR_"+v.name+"="+v.value)
	}
	return out
}

// tail keeps the end of what is written.
type tail struct{ text []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	if over := len(t.text) - 200; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}
