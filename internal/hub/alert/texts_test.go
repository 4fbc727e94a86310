package alert

import (
	"testing"

	"github.com/clawsonar/clawsonar/internal/report"
	"github.com/clawsonar/clawsonar/internal/test/texts"
)

func TestCataloguesAreComplete(t *testing.T) {
	used := texts.Used(t, "*.go")
	for _, lang := range report.Languages()[1:] {
		texts.Check(t, used, "lang/"+lang+".yaml", "../../report/lang/"+lang+".yaml")
		if _, err := newTexts(lang); err != nil {
			t.Error(err)
		}
	}
}
