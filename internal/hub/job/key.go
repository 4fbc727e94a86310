package job

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/clawsonar/clawsonar/internal/bounded"
)

// keyFile has the private key that signs records, in PEM (PKCS #8).
const keyFile = "sign.pem"

// Key reads the key with which the hub signs records from the directory of its fleet, and
// makes one if there is none. Every worker's credentials have its public half.
func Key(dir string) (ed25519.PrivateKey, error) {
	file := filepath.Join(dir, keyFile)
	text, err := bounded.File(file, 64<<10)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = makeKey(file)
	}
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(text); block != nil {
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if key, ok := key.(ed25519.PrivateKey); ok {
				return key, nil
			}
		}
	}
	return nil, fmt.Errorf("%s: not the key that signs records: put back the one that workers know, or remove it and make the credentials of all workers anew", file)
}

// makeKey writes a new key, all of it or nothing. Of two that are made at once the first
// stays.
func makeKey(file string) ([]byte, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	body, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(file), keyFile+".*") // 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	if err := errors.Join(pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: body}), f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(f.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return bounded.File(file, 64<<10)
}
