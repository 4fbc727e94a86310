// Package evidence holds what was observed at a target, as plain data: no
// judgement, no I/O. Everything in it that a target controls is hostile until
// it has been cleaned for the place where it is shown.
package evidence

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/twmb/murmur3"

	"github.com/clawsonar/clawsonar/internal/event"
)

// Field is one header line as received. Names keep the sender's spelling.
type Field struct{ Name, Value string }

// Header is the list of header lines of an answer, in the order received.
type Header []Field

// Get returns the first value of the named header (case-insensitive, RFC 9110
// section 5.1), or "".
func (h Header) Get(name string) string {
	v, _ := h.Lookup(name)
	return v
}

// Lookup returns the first value of the named header and whether it was sent.
func (h Header) Lookup(name string) (string, bool) {
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			return f.Value, true
		}
	}
	return "", false
}

// Digest identifies a body without carrying it.
type Digest struct {
	Bytes  int    `yaml:"bytes"`  // length of the body, decoded from its transfer and content coding
	SHA256 string `yaml:"sha256"` // hex
	// Icon is the hash by which internet search engines index icons:
	// MurmurHash3 (32 bit, seed 0) over the body's base64 text in lines of 76
	// characters. Only recorded captures have it filled in; see IconHash.
	Icon int32 `yaml:"icon"`
}

// Sum computes the digest of a body, without its icon hash.
func Sum(body []byte) Digest {
	sum := sha256.Sum256(body)
	return Digest{Bytes: len(body), SHA256: hex.EncodeToString(sum[:])}
}

// IconHash computes a body's icon hash.
func IconHash(body []byte) int32 {
	text := base64.StdEncoding.EncodeToString(body)
	var b strings.Builder
	b.Grow(len(text) + len(text)/76 + 1)
	for ; text != ""; text = text[min(len(text), 76):] {
		b.WriteString(text[:min(len(text), 76)])
		b.WriteByte('\n')
	}
	return int32(murmur3.Sum32([]byte(b.String())))
}

// Exchange is one request and what came back for it.
type Exchange struct {
	ID     string // id of the request in the plan
	Method string
	Path   string // as sent, base path included
	// Base is the base path that it was asked below, with a final slash; "" where
	// the request has nothing to do with base paths.
	Base   string
	Status int // 0 when no HTTP answer came
	Header Header
	// Body is the answer's body up to the request's cap. For a WebSocket opening
	// that was accepted it is the payload of the first data frame, or of the one
	// that came back for what was said to it. For RFB it is two lines: the
	// version as sent, and "security types: 1 2" with the numbers offered.
	Body      []byte
	Truncated bool   // the body continued beyond the cap
	Err       string // why there is no (whole) answer; "" when there is
	// Unreadable: the body has a content coding that was not asked for and cannot
	// be undone, as Err says. There is no body then.
	Unreadable bool

	// Original, when set, is the digest of the body as it was before a
	// recorder reduced it; recorded captures carry it, live probes do not.
	Original *Digest
}

// Answered reports whether an answer came, whole or not.
func (x *Exchange) Answered() bool {
	return x.Status > 0 || x.Method == RFB && len(x.Body) > 0
}

// Digest returns the digest of the body as the target sent it.
func (x *Exchange) Digest() Digest {
	if x.Original != nil {
		return *x.Original
	}
	return Sum(x.Body)
}

// IconHash returns the icon hash of the body as the target sent it.
func (x *Exchange) IconHash() int32 {
	if x.Original != nil {
		return x.Original.Icon
	}
	return IconHash(x.Body)
}

// MediaType returns the answer's media type in lower case without parameters,
// such as "text/html"; "" when none was sent.
func (x *Exchange) MediaType() string {
	v, _, _ := strings.Cut(x.Header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(v))
}

// TLSInfo describes the TLS connection and the certificate that was shown.
// Verification is a fact here, never a reason to stop.
type TLSInfo struct {
	Version    string    `yaml:"version"` // "TLS 1.3"
	Cipher     string    `yaml:"cipher"`
	ALPN       string    `yaml:"alpn"`
	Subject    string    `yaml:"subject"` // RFC 2253 form
	CommonName string    `yaml:"common_name"`
	Issuer     string    `yaml:"issuer"`
	Names      []string  `yaml:"names"` // subject alternative names, DNS and addresses
	NotBefore  time.Time `yaml:"not_before"`
	NotAfter   time.Time `yaml:"not_after"`
	SelfSigned bool      `yaml:"self_signed"`
	SHA256     string    `yaml:"sha256"` // hex digest of the leaf certificate
	// VerifyError says why the chain does not verify against the system's
	// roots for the name or address dialled; "" when it does.
	VerifyError string `yaml:"verify_error"`
	// NameError says why the certificate is not one for the name that was asked
	// for; "" when it is, and for a bare address.
	NameError string `yaml:"name_error,omitempty"`
	// Legacy is the version that was agreed on when nothing above TLS 1.1 was
	// offered; "" when that failed or was not tried.
	Legacy string `yaml:"legacy,omitempty"`
}

// Why a certificate does not verify, or is not one for the name that was asked
// for: the texts of VerifyError and NameError. Those of the library quote names,
// authorities and dates.
const (
	UnknownAuthority = "certificate signed by unknown authority"
	OutOfDate        = "certificate has expired or is not yet valid"
	WrongName        = "certificate is valid for another name"
	WrongUse         = "certificate is not for a server, or may not sign"
	WeakSignature    = "certificate has an insecure signature"
	NotVerified      = "not verified: this system's verifier may contact others"
	Unverified       = "certificate does not verify"
)

// Reason returns the one of these texts for a text of package crypto/x509, or for
// one of these; "" for "".
func Reason(text string) string {
	text = strings.TrimPrefix(text, "x509: ")
	for _, r := range []struct{ prefix, reason string }{
		{"certificate signed by unknown authority", UnknownAuthority},
		{"certificate has expired or is not yet valid", OutOfDate},
		{"certificate is valid for ", WrongName},
		{"certificate is not valid for any names", WrongName},
		{"certificate relies on legacy Common Name", WrongName},
		{"cannot validate certificate for ", WrongName},
		{"certificate specifies an incompatible key usage", WrongUse},
		{"certificate is not authorized to sign", WrongUse},
		{"certificate is not for a server", WrongUse},
		{"cannot verify signature: insecure algorithm", WeakSignature},
		{"certificate has an insecure signature", WeakSignature},
		{"not verified: ", NotVerified},
		{"", Unverified},
	} {
		if text != "" && strings.HasPrefix(text, r.prefix) {
			return r.reason
		}
	}
	return ""
}

// Observation is everything observed at one target.
type Observation struct {
	Time      time.Time       // start of the probe
	Addr      netip.AddrPort  // what was dialled; zero when a name did not resolve
	Name      string          // host name used for SNI and Host; "" for a bare address
	Scheme    string          // "http" or "https" as it turned out; "" when nothing answered
	Base      string          // base path without the final slash: "" or "/claw"
	Outcome   event.Outcome   // set for all outcomes but Identified, which is a judgement
	Err       string          // short text for outcomes that need one
	Cause     message.Message // what Err was made of, where that has arguments
	TLS       *TLSInfo        // nil without TLS
	Exchanges []Exchange      // in the order they were made

	// Random is the part of request paths that is new in each probe, 12 hex
	// digits; no cache can have met it. "" stands for zeros.
	Random string
	// Unfinished: the time was up before all was asked that would have been.
	Unfinished bool

	Requests    int // HTTP requests and WebSocket openings sent
	Connections int // TCP connections that were established
	Duration    time.Duration
}

// Host returns the host that is asked: its name, else its address without a zone.
func (o *Observation) Host() string {
	if o.Name != "" {
		return o.Name
	}
	return o.Addr.Addr().WithZone("").String()
}

// Origin returns the target's web origin (RFC 6454 section 6.2).
func (o *Observation) Origin() string {
	host := o.Host()
	if o.Name == "" && o.Addr.Addr().Is6() {
		host = "[" + host + "]"
	}
	port := o.Addr.Port()
	if o.Scheme == "http" && port != 80 || o.Scheme == "https" && port != 443 {
		host += ":" + strconv.Itoa(int(port))
	}
	return o.Scheme + "://" + host
}

// Exchange returns the exchange with the given request id, or nil. Of those below
// base paths it is the one below the observation's.
func (o *Observation) Exchange(id string) *Exchange {
	for i := range o.Exchanges {
		if x := &o.Exchanges[i]; x.ID == id && o.Here(x) {
			return x
		}
	}
	return nil
}

// Here reports whether an exchange was not made below another base path than the
// observation's.
func (o *Observation) Here(x *Exchange) bool {
	return x.Base == "" || strings.TrimSuffix(x.Base, "/") == o.Base
}

// Label is what results call an exchange: its id, and the base path with it if
// that is not the observation's.
func (o *Observation) Label(x *Exchange) string {
	if o.Here(x) {
		return x.ID
	}
	return x.ID + "@" + x.Base
}

// Request is one thing to ask of a target. Only what the validator of the
// fingerprint language lets through becomes a Request.
type Request struct {
	ID        string
	Method    string
	Path      string // base path included
	Header    Header // beyond User-Agent, Accept, Accept-Encoding; a Host replaces the target's
	Body      string
	WebSocket bool   // an opening handshake (RFC 6455 section 4.1), then one frame
	Reply     string // what is said to the first frame, see package handshake; "" for nothing
	RFB       bool   // no HTTP: the opening of RFB up to the list of security types (RFC 6143 section 7.1)
	Fresh     bool   // on a connection of its own, which may lead to another backend
	MaxBody   int    // cap on the body kept, in bytes; 0 means the wire's default
}

// RFB is the method of an exchange that is an RFB opening.
const RFB = "RFB"
