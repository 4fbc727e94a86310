//go:build linux

package bench

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"strings"
	"time"

	"github.com/gobwas/ws"

	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/testdata/captures"
)

// serve prints its port, which is the one that is given unless that is 0, and serves
// until stdin ends: "web", "tls" (the same page over TLS), or the name of a capture.
func serve(role, port string) {
	l, err := net.Listen("tcp4", "0.0.0.0:"+port) // every loopback address
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	handle := web
	switch role {
	case "web":
	case "tls":
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate()}})
	default:
		all, err := evidence.LoadCaptures(captures.FS, ".")
		if err != nil {
			panic(err)
		}
		handle = gateway(all[role])
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); handle(c) }()
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

const page = "<html><head><title>Welcome to nginx!</title></head><body><h1>Welcome to nginx!</h1></body></html>"

// web answers each request with the page, as cheaply as Go can, and closes where
// the client asks for that.
func web(c net.Conn) {
	answer := []byte(fmt.Sprintf("HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: keep-alive\r\n\r\n%s", len(page), page))
	buf := make([]byte, 1024)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if _, err := c.Write(answer); err != nil || bytes.Contains(buf[:n], []byte("Connection: close")) {
			return
		}
	}
}

// gateway answers as package replica does, from answers written out beforehand.
func gateway(capture evidence.Capture) func(net.Conn) {
	const opening = "ws"
	answers := map[string][]byte{}
	other := []byte("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
	for i := range capture.Exchanges {
		x := &capture.Exchanges[i]
		var b bytes.Buffer
		if x.Status == 101 {
			answers[opening] = ws.MustCompileFrame(ws.NewTextFrame([]byte(x.Body)))
			continue
		}
		fmt.Fprintf(&b, "HTTP/1.1 %d Status\r\n", x.Status)
		for _, f := range x.Exchange().Header {
			if !strings.EqualFold(f.Name, "Content-Length") && !strings.EqualFold(f.Name, "Transfer-Encoding") && !strings.EqualFold(f.Name, "Connection") {
				fmt.Fprintf(&b, "%s: %s\r\n", f.Name, f.Value)
			}
		}
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(x.Body), x.Body)
		if x.ID == "nothing-there" {
			other = b.Bytes()
		}
		if key := x.Method + " " + x.Path; answers[key] == nil {
			answers[key] = b.Bytes()
		}
	}
	return func(c net.Conn) {
		r := bufio.NewReaderSize(c, 2048)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			key := ""
			length := 0
			for {
				field, err := r.ReadSlice('\n')
				if err != nil {
					return
				}
				if len(field) == 2 {
					break
				}
				if v, ok := bytes.CutPrefix(field, []byte("Sec-WebSocket-Key: ")); ok {
					key = string(bytes.TrimSpace(v))
				}
				if v, ok := bytes.CutPrefix(field, []byte("Content-Length: ")); ok {
					_, _ = fmt.Sscan(string(v), &length)
				}
			}
			_, _ = r.Discard(length)
			if key != "" && answers[opening] != nil {
				sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // RFC 6455 section 1.3
				head := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
					base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"
				if _, err := c.Write(append([]byte(head), answers[opening]...)); err != nil {
					return
				}
				if h, err := ws.ReadHeader(r); err != nil || h.OpCode != ws.OpClose {
					return
				}
				_, _ = c.Write(ws.MustCompileFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))))
				return
			}
			request := strings.TrimSuffix(strings.TrimSpace(line), " HTTP/1.1")
			answer, ok := answers[request]
			if !ok {
				answer = other
			}
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
	}
}

func certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
