package exit

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestCode(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
		want string
	}{
		{nil, 0, ""},
		{Wrong(nil), 0, ""},
		{errors.New("disk full"), 1, "p: disk full\n"},
		{Wrong(errors.New("no such flag")), 2, "p: no such flag\n"},
		{fmt.Errorf("scan: %w", Wrong(errors.New("no such flag"))), 2, "p: no such flag\n"},
		{&Error{Code: 130}, 130, ""},
		{errors.Join(errors.New("a"), errors.Join(Wrong(errors.New("b")), nil)), 2, "p: a\np: b\n"},
		{errors.New("hostile\n\x1b[31m"), 1, "p: hostile"},
	} {
		var out strings.Builder
		if code := Code("p", c.err, &out); code != c.code || !strings.HasPrefix(out.String(), c.want) || strings.Count(out.String(), "\n") != strings.Count(c.want+map[bool]string{true: "\n"}[c.want == "p: hostile"], "\n") || strings.Contains(out.String(), "\x1b") {
			t.Errorf("%v: %d, %q", c.err, code, out.String())
		}
	}
}
