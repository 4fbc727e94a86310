package web

import (
	"testing"

	"github.com/clawsonar/clawsonar/internal/report"
	"github.com/clawsonar/clawsonar/internal/test/texts"
)

func TestTextsAreComplete(t *testing.T) {
	used := texts.Used(t, "*.go", "html/*.html")
	if len(used) < 100 {
		t.Fatalf("only %d texts found", len(used))
	}
	for _, lang := range report.Languages()[1:] {
		texts.Check(t, used, "lang/"+lang+".yaml", "../../report/lang/"+lang+".yaml")
	}
}
