//go:build !linux

package wire

import "errors"

const bindable = false

func bindTo(uintptr, string) error { return errors.ErrUnsupported }
