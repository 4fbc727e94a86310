package data

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/jedisct1/go-minisign"
)

// SignatureEnding is what the name of a signature has after that of its file.
const SignatureEnding = ".minisig"

// MaxSignature is the most that is read of a signature or of a file of keys, in bytes.
const MaxSignature = 4 << 10

// trusted are the public keys of those who publish data of the project.
//
//go:embed keys.pub
var trusted string

// key is a public key of minisign.
type key struct{ minisign.PublicKey }

// id is the key's name, as minisign prints it.
func (k *key) id() string { return keyID(k.KeyId) }

func keyID(id [8]byte) string { return fmt.Sprintf("%016X", binary.LittleEndian.Uint64(id[:])) }

// parseKeys reads public keys as minisign writes them, one or several.
func parseKeys(text string) ([]key, error) {
	var out []key
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "untrusted comment:") {
			continue
		}
		k, err := minisign.NewPublicKey(line)
		if err != nil || k.SignatureAlgorithm != [2]byte{'E', 'd'} {
			return nil, errors.New("no public key of minisign: give the .pub file that minisign -G wrote")
		}
		out = append(out, key{k})
	}
	if len(out) == 0 {
		return nil, errors.New("no public key of minisign is in it")
	}
	return out, nil
}

// verify checks the signature of a file by one of the keys, and returns that.
func verify(file []byte, signature string, keys []key) (*key, error) {
	sig, err := minisign.DecodeSignature(signature)
	// The old kind signs the file itself; minisign makes it on request only.
	if err != nil || sig.SignatureAlgorithm != [2]byte{'E', 'D'} {
		return nil, errors.New("the signature is none of minisign, or not whole: get it again")
	}
	var ids []string
	for i := range keys {
		k := &keys[i]
		if k.KeyId != sig.KeyId {
			ids = append(ids, k.id())
			continue
		}
		if ok, err := k.Verify(file, sig); err != nil || !ok {
			return nil, errors.New("the signature does not fit: the file was changed, or is not whole")
		}
		return k, nil
	}
	return nil, fmt.Errorf("signed by the key %s, which is not trusted (trusted: %s)", keyID(sig.KeyId), strings.Join(ids, ", "))
}
