package watch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/clawsonar/clawsonar/internal/event"
)

// smallDisk mounts a file system of a few pages, and returns what leaves so many of them
// free.
func smallDisk(t *testing.T, dir string) (free func(pages int)) {
	t.Helper()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skip("SKIPPED, NOT TESTED: a full disk needs the right to mount a file system: ", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	name := filepath.Join(dir, "filler")
	return func(pages int) {
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		size, page := int64(0), make([]byte, os.Getpagesize())
		for {
			n, err := f.Write(page)
			size += int64(n)
			if errors.Is(err, syscall.ENOSPC) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Truncate(size - int64(pages*len(page))); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFullDisk: whatever a run could still write is kept, is said, and is taken in when
// there is space again.
func TestFullDisk(t *testing.T) {
	for name, tt := range map[string]struct {
		pages    int // that are free
		targets  int
		complete bool // the run that could not be packed, but was over
	}{
		"while it is written": {pages: 2, targets: 60},
		"while it is packed":  {pages: 1, targets: 3, complete: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			free := smallDisk(t, dir)
			var list []string
			for i := range tt.targets {
				list = append(list, fmt.Sprintf("\"127.0.0.%d:1\"", i+1))
			}
			h := begin(t, dir, "targets: ["+strings.Join(list, ", ")+"]").open()
			if err := os.MkdirAll(filepath.Join(h.c.Streams, "office"), 0o700); err != nil {
				t.Fatal(err)
			}
			free(tt.pages)
			err := h.Run(t.Context(), h.c.Watches[0])
			if !errors.Is(err, syscall.ENOSPC) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%v", err)
			}
			files := h.files()
			if len(files) != 1 || !strings.HasSuffix(files[0], partEnd) {
				t.Fatalf("%q", files)
			}
			part := filepath.Join(h.c.Streams, "office", files[0])
			before, err := os.ReadFile(part)
			if err != nil || len(before) == 0 {
				t.Fatalf("%d bytes, %v", len(before), err)
			}
			// No space yet: nothing is lost by trying.
			if err := h.Adopt(t.Context()); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("%v", err)
			}
			whole := before[:strings.LastIndexByte(string(before), '\n')+1]
			if now, _ := os.ReadFile(part); !strings.HasPrefix(string(now), string(whole)) {
				t.Errorf("%d bytes have become %d", len(before), len(now))
			}
			if err := os.Remove(filepath.Join(dir, "filler")); err != nil {
				t.Fatal(err)
			}
			h.run()
			got := h.streams()
			if len(got) != 2 {
				t.Fatalf("%q", h.files())
			}
			if x := got[0]; x.Summary.Complete != tt.complete || len(x.lines) == 0 || len(x.lines) < strings.Count(string(whole), "\n")-2 {
				t.Errorf("%+v, %d lines", x.Summary, len(x.lines))
			}
			if x := got[1]; !x.Summary.Complete || x.Summary.Outcomes[event.OutcomeClosed] != tt.targets {
				t.Errorf("%+v", x.Summary)
			}
		})
	}
}
