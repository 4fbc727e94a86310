package access

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// lookAgain is how often the files of a certificate are looked at.
const lookAgain = time.Minute

// certificate is one that is read from files, and again when they change.
type certificate struct {
	cert, key string
	now       func() time.Time
	log       *slog.Logger

	mu     sync.Mutex
	looked time.Time
	stamp  [2]time.Time // of the files that were read
	pair   *tls.Certificate
}

// TLS returns the configuration of a server with a certificate, its chain included, and
// its key, in PEM. When the files change they are read again, so that a certificate can
// be renewed without a restart; one that cannot be used leaves the old one as it is.
func TLS(cert, key string, now func() time.Time, log *slog.Logger) (*tls.Config, error) {
	c := &certificate{cert: cert, key: key, now: now, log: log}
	if err := c.read(); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}, nil
}

// read reads the files, if they are not those that were read before.
func (c *certificate) read() error {
	c.looked = c.now()
	one, err1 := os.Stat(c.cert)
	two, err2 := os.Stat(c.key)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	stamp := [2]time.Time{one.ModTime(), two.ModTime()}
	if stamp == c.stamp {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fmt.Errorf("tls: %s and %s: %w", c.cert, c.key, err)
	}
	c.pair, c.stamp = &pair, stamp
	return nil
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now().Sub(c.looked) >= lookAgain {
		if err := c.read(); err != nil {
			c.log.Error("the certificate cannot be read again, the old one stays", "error", err)
		}
	}
	return c.pair, nil
}
