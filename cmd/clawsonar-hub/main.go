// Command clawsonar-hub watches the gateways of one's own networks: it scans them again
// and again, keeps their history, tells what changed and shows it. See docs/hub.md, or
// run "clawsonar-hub help".
package main

import (
	"os"

	"github.com/clawsonar/clawsonar/internal/hub/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr))
}
