package cli

import (
	"os"

	"github.com/clawsonar/clawsonar/internal/data"
)

// openData returns what is known: the data that is built in, or newer data that was
// installed. Each command asks once.
func openData() (*data.Known, error) {
	k, err := data.Open(os.Getenv(data.Variable))
	return k, usage(err)
}
