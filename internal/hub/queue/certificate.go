package queue

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"path/filepath"
	"time"

	"github.com/clawsonar/clawsonar/internal/hub/job"
)

// keyFile has the private key and the certificate of the server, in PEM.
const keyFile = "tls.pem"

// certificate reads the server's key and certificate, or makes them when there are none.
// Workers know the key by its pin and look at nothing else, so it has no date at which all
// of them would stop.
func certificate(dir string, now time.Time) (tls.Certificate, error) {
	file := filepath.Join(dir, keyFile)
	text, err := job.Secret(file, func() ([]byte, error) { return makeCertificate(now) })
	if err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		return pair, fmt.Errorf("%s: %w: put back the one that workers know, or remove it and make the credentials of all workers anew", file, err)
	}
	return pair, nil
}

func makeCertificate(now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	cert, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "clawsonar-hub"},
		NotBefore:    now.Add(-24 * time.Hour),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // RFC 5280, 4.1.2.5: none
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, &x509.Certificate{Subject: pkix.Name{CommonName: "clawsonar-hub"}}, key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = errors.Join(
		pem.Encode(&b, &pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	return b.Bytes(), err
}
