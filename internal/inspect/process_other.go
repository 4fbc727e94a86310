//go:build !linux

package inspect

import "github.com/clawsonar/clawsonar/internal/deploy"

// Running are none: only Linux shows a program's arguments and environment as files.
func Running() ([]*deploy.Gateway, []deploy.Gap) { return nil, nil }
