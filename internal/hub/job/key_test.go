package job

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestKey: it is made once, also by several at once, for its owner alone, and one that is
// damaged is not replaced.
func TestKey(t *testing.T) {
	dir := t.TempDir()
	keys := make([]string, 8)
	var group sync.WaitGroup
	for i := range keys {
		group.Go(func() {
			if k, err := Key(dir); err == nil {
				keys[i] = string(k)
			}
		})
	}
	group.Wait()
	for _, k := range keys {
		if k == "" || k != keys[0] {
			t.Fatal("several keys, or none")
		}
	}
	file := filepath.Join(dir, keyFile)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("%d files are left", len(list))
	}
	if err := os.WriteFile(file, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Key(dir); err == nil || !strings.HasPrefix(err.Error(), file+": not the key") {
		t.Error(err)
	}
}
