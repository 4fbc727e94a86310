package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/evidence"
)

// AskSocket sends one GET request to a program of this machine that listens on a Unix
// socket, and returns the body of its answer of at most limit bytes. It fails for any
// other status than 200, and at the end of ctx.
func AskSocket(ctx context.Context, socket, path string, limit int) ([]byte, error) {
	c, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: clawsonar\r\nConnection: close\r\n\r\n", path); err != nil {
		return nil, err
	}
	r := bufio.NewReaderSize(c, bufSize)
	h, err := readHead(r)
	var x evidence.Exchange
	if err == nil && h.status == 200 {
		_, err = readBody(r, h, "GET", limit, &x)
	}
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, errors.New(text(err))
	case h.status != 200:
		return nil, fmt.Errorf("it answers with status %d", h.status)
	case x.Truncated:
		return nil, fmt.Errorf("its answer is larger than %s", bounded.Size(int64(limit)))
	}
	return x.Body, nil
}
