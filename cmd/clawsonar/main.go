// Command clawsonar tells whether OpenClaw gateways are open to anyone
// who reaches them. See the README, or run "clawsonar help".
package main

import (
	"os"

	"github.com/clawsonar/clawsonar/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
