// Command clawsonar tells whether OpenClaw gateways stand open to whoever
// reaches them. See the README, or run "clawsonar help".
package main

import (
	"os"

	"github.com/clawsonar/clawsonar/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
