package wire

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/clawsonar/clawsonar/internal/evidence"
)

// errNotRFB says that a port where a VNC server was looked for has none.
var errNotRFB = errors.New("does not speak RFB")

// rfb makes the opening of an RFB connection up to the list of security types
// (RFC 6143 sections 7.1.1 and 7.1.2) and hangs up there: no type is chosen, no
// password tried. Version 3.3 servers choose the type themselves.
func (w *Wire) rfb(c *conn, x *evidence.Exchange) error {
	if err := c.until(w.opt.FrameTimeout); err != nil {
		return err
	}
	version := make([]byte, len("RFB 003.008\n"))
	if _, err := io.ReadFull(c.r, version); err != nil {
		return unexpected(err)
	}
	var major, minor int
	if n, err := fmt.Sscanf(string(version), "RFB %03d.%03d\n", &major, &minor); n != 2 || err != nil {
		return errNotRFB
	}
	if _, err := c.Write(version); err != nil {
		return err
	}
	var types []byte
	if major == 3 && minor < 7 {
		chosen := make([]byte, 4)
		if _, err := io.ReadFull(c.r, chosen); err != nil {
			return unexpected(err)
		}
		types = chosen[3:]
	} else {
		n, err := c.r.ReadByte()
		if err != nil {
			return unexpected(err)
		}
		types = make([]byte, n)
		if _, err := io.ReadFull(c.r, types); err != nil {
			return unexpected(err)
		}
	}
	x.Body = fmt.Appendf(nil, "%s\nsecurity types: %s\n", strings.TrimSpace(string(version)), strings.Trim(fmt.Sprint(types), "[]"))
	return nil
}
