//go:build unix

package filetree

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// What is no file is not opened: a pipe would never end, a device may do anything.
func TestSpecial(t *testing.T) {
	top := t.TempDir()
	put(t, top, map[string]string{"a.yml": "x", "pipe-link": "->pipe"})
	want := "pipe=special socket=special"
	if err := syscall.Mkfifo(filepath.Join(top, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(top, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := exec.Command("mknod", filepath.Join(top, "device"), "c", "1", "5").Run(); err == nil { // /dev/zero
		want = "device=special " + want
	} else {
		t.Logf("DEVICES ARE NOT TESTED: mknod: %v (it needs root)", err)
	}
	tree, err := Dir(top)
	if err != nil {
		t.Fatal(err)
	}
	if got := skipped(tree); got != want {
		t.Error(got)
	}
	if got := names(tree); got != "a.yml pipe-link->pipe" {
		t.Error(got)
	}
	for _, name := range []string{"device", "pipe", "socket", "pipe-link"} {
		if got, err := tree.Read(name, 10); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
	// A pipe takes the place of a file after it was looked at.
	d := tree.(*dir)
	f, err := d.root.OpenFile("pipe", os.O_RDONLY|safeOpen, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}
