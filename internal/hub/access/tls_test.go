package access

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// issue writes a certificate of its own with a number.
func issue(t *testing.T, dir string, number int64) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(number), Subject: pkix.Name{CommonName: "board"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, time.Time{}, time.Unix(number*1000, 0)); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	c := &clock{t: time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	if _, err := TLS(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), c.now, log); err == nil {
		t.Error("a certificate that is not there")
	}
	cert, key := issue(t, dir, 1)
	if _, err := TLS(key, cert, c.now, log); err == nil {
		t.Error("certificate and key exchanged")
	}
	config, err := TLS(cert, key, c.now, log)
	if err != nil {
		t.Fatal(err)
	}
	number := func() int64 {
		t.Helper()
		pair, err := config.GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.SerialNumber.Int64()
	}
	issue(t, dir, 2)
	if n := number(); n != 1 {
		t.Errorf("within a minute: %d", n)
	}
	c.add(lookAgain)
	if n := number(); n != 2 {
		t.Errorf("after a minute: %d", n)
	}
	if err := os.WriteFile(cert, []byte("half of"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.add(lookAgain)
	if n := number(); n != 2 {
		t.Errorf("while it is being written: %d", n)
	}
	issue(t, dir, 3)
	c.add(lookAgain)
	if n := number(); n != 3 {
		t.Errorf("after it was renewed: %d", n)
	}
}
