package cli

import (
	"os"

	"github.com/clawsonar/clawsonar/internal/data"
)

// openData returns what is known, as clawsonar does: what is installed while a hub or a
// worker runs is used once it is started again.
func openData() (*data.Known, error) {
	k, err := data.Open(os.Getenv(data.Variable))
	return k, usage(err)
}
