//go:build !linux

package inspect

import "github.com/clawsonar/clawsonar/internal/deploy"

// AddProcesses adds nothing: only Linux shows a program's arguments and environment as files.
func AddProcesses(*deploy.Model) {}
