package job

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"

	"github.com/nats-io/nkeys"
	"go.yaml.in/yaml/v4"

	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/strict"
)

// Credentials are all that a worker needs to be one, as a file of YAML that only its owner
// may read.
type Credentials struct {
	Hub     string `yaml:"hub"` // tls://HOST:PORT
	Vantage string `yaml:"vantage"`
	Worker  string `yaml:"worker"` // its name
	Seed    string `yaml:"seed"`   // of its NKey
	Pin     string `yaml:"pin"`    // of the hub's TLS key; see Pin
	Signer  string `yaml:"signer"` // the public key that signs records; see Signer
}

// Pin is the SHA-256 of a public key, as a certificate has it (RawSubjectPublicKeyInfo), in
// hex.
func Pin(spki []byte) string {
	sum := sha256.Sum256(spki)
	return hex.EncodeToString(sum[:])
}

// Signer writes the public key that signs records, in base64.
func Signer(key ed25519.PublicKey) string { return base64.StdEncoding.EncodeToString(key) }

// NewCredentials makes a worker: its credentials, and the public NKey by which the hub
// knows it.
func NewCredentials(hub, vantage, worker, pin string, signer ed25519.PublicKey) (*Credentials, string, error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return nil, "", err
	}
	seed, err := pair.Seed()
	if err != nil {
		return nil, "", err
	}
	public, err := pair.PublicKey()
	if err != nil {
		return nil, "", err
	}
	c := &Credentials{hub, vantage, worker, string(seed), pin, Signer(signer)}
	return c, public, c.check()
}

// check refuses credentials that make no sense. It never quotes the seed.
func (c *Credentials) check() error {
	u, err := url.Parse(c.Hub)
	if err != nil || u.Scheme != "tls" || u.Port() == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("hub: not an address such as tls://hub.example.org:8791")
	}
	if err := CheckName(c.Vantage); err != nil {
		return fmt.Errorf("vantage: %w", err)
	}
	if err := CheckName(c.Worker); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	pair, err := nkeys.FromSeed([]byte(c.Seed))
	if err == nil {
		var public string
		if public, err = pair.PublicKey(); err == nil && !nkeys.IsValidPublicUserKey(public) {
			err = nkeys.ErrInvalidSeed
		}
		pair.Wipe()
	}
	if err != nil {
		return errors.New("seed: not the seed of a worker's key: make the file again with \"clawsonar-hub worker new\"")
	}
	if b, err := hex.DecodeString(c.Pin); err != nil || len(b) != sha256.Size {
		return errors.New("pin: not the SHA-256 of a key in hex: make the file again with \"clawsonar-hub worker new\"")
	}
	if c.signer() == nil {
		return errors.New("signer: not a public key: make the file again with \"clawsonar-hub worker new\"")
	}
	return nil
}

func (c *Credentials) signer() ed25519.PublicKey {
	b, err := base64.StdEncoding.Strict().DecodeString(c.Signer)
	if err != nil || len(b) != ed25519.PublicKeySize {
		return nil
	}
	return b
}

// Open reads a record that the hub of the credentials has signed.
func (c *Credentials) Open(data []byte) (*Record, error) { return Open(c.signer(), data) }

// Write writes a new file that only its owner may read.
func (c *Credentials) Write(file string) (err error) {
	if err := c.check(); err != nil {
		return err
	}
	text, err := yaml.Dump(c)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// ReadCredentials reads a file that only its owner may read.
func ReadCredentials(file string) (*Credentials, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s: others may read it (mode %04o), and it has the key of a worker: run chmod 600 on it, and if others use this machine revoke the worker", file, info.Mode().Perm())
	}
	text, err := bounded.Read(f, file, bounded.MaxYAML)
	if err != nil {
		return nil, err
	}
	var c Credentials
	if err := strict.YAML(file, text, &c); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &c, nil
}
