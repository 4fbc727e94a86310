package fingerprint_test

import (
	"testing"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
)

func TestLoadBuiltin(t *testing.T) {
	set, err := fingerprint.Load(fingerprints.FS)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", set.Products())
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := fingerprint.Load(fingerprints.FS); err != nil {
			b.Fatal(err)
		}
	}
}
