package alert

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
)

// webhook posts the document.
type webhook struct {
	client *http.Client
	to     string
	key    []byte // nil for no signature
}

func (w *webhook) send(ctx context.Context, m *message) error {
	stamp := strconv.FormatInt(m.now.Unix(), 10)
	h := http.Header{}
	h.Set("X-Clawsonar-Event", m.word())
	h.Set("X-Clawsonar-Delivery", m.Delivery)
	h.Set("X-Clawsonar-Timestamp", stamp)
	if w.key != nil {
		h.Set("X-Clawsonar-Signature", "sha256="+signature(w.key, stamp, m.body))
	}
	_, err := post(ctx, w.client, w.to, h, m.body)
	return err
}

// signature is over "TIMESTAMP.BODY", so that an old body cannot be sent with a new time.
func signature(key []byte, stamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(stamp + "."))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
