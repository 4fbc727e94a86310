// Package minisign signs files as minisign does, for tests.
package minisign

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"

	"golang.org/x/crypto/blake2b"
)

// Key is a key for tests: each number has its own.
type Key byte

func (k Key) secret() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(k)}, ed25519.SeedSize))
}

func (k Key) id() []byte { return bytes.Repeat([]byte{byte(k)}, 8) }

// Public is the file of the public key.
func (k Key) Public() string {
	raw := append(append([]byte("Ed"), k.id()...), k.secret().Public().(ed25519.PublicKey)...)
	return fmt.Sprintf("untrusted comment: a key for tests\n%s\n", base64.StdEncoding.EncodeToString(raw))
}

// Sign makes the signature of a file.
func (k Key) Sign(file []byte) string {
	const trusted = "made for a test"
	sum := blake2b.Sum512(file)
	sig := ed25519.Sign(k.secret(), sum[:])
	global := ed25519.Sign(k.secret(), append(bytes.Clone(sig), trusted...))
	return fmt.Sprintf("untrusted comment: signature for a test\n%s\ntrusted comment: %s\n%s\n",
		base64.StdEncoding.EncodeToString(append(append([]byte("ED"), k.id()...), sig...)), trusted, base64.StdEncoding.EncodeToString(global))
}
