package access

import (
	"testing"

	"github.com/clawsonar/clawsonar/internal/test/texts"
)

// Every language has every text.
func TestTexts(t *testing.T) {
	texts.Check(t, texts.Used(t, "*.go", "html/*.html"), "lang/zh.yaml", "../../report/lang/zh.yaml")
}
