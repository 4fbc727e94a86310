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
	text, err := Secret(file, makeKey)
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

func makeKey() ([]byte, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	body, err := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: body}), err
}

// maxSecret is more than any such file has, in bytes.
const maxSecret = 64 << 10

// Secret reads a file of keys; if there is none, it writes what fresh makes, all of it or
// nothing, so that only its owner may read it. Of two that are made at once the first stays.
func Secret(file string, fresh func() ([]byte, error)) ([]byte, error) {
	text, err := bounded.File(file, maxSecret)
	if !errors.Is(err, fs.ErrNotExist) {
		return text, err
	}
	if text, err = fresh(); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*") // 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(f.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return bounded.File(file, maxSecret)
}
