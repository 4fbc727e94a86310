package alert

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// dingTalk is the robot of a DingTalk group: dingtalk://TOKEN, with ?secret_file=PATH if
// the robot asks for signatures, and @HOST before that for another host than DingTalk's.
type dingTalk struct {
	client      *http.Client
	host, token string
	key         []byte
}

// maxDingTalk is how long a text may be for the robot, in bytes.
const maxDingTalk = 18000

func newDingTalk(u *url.URL, dir string, client *http.Client) (*dingTalk, error) {
	d := &dingTalk{client: client, host: u.Host, token: u.User.Username()}
	if d.token == "" {
		d.host, d.token = "oapi.dingtalk.com", u.Host
	}
	if d.token == "" {
		return nil, errors.New("dingtalk: the token is missing: dingtalk://TOKEN?secret_file=PATH")
	}
	for name, values := range u.Query() {
		if name != "secret_file" {
			return nil, fmt.Errorf("dingtalk: unknown setting %.40q: use secret_file", name)
		}
		var err error
		if d.key, err = secret(dir, values[0]); err != nil {
			return nil, fmt.Errorf("dingtalk: secret_file: %w", err)
		}
	}
	return d, nil
}

func (d *dingTalk) send(ctx context.Context, m *message) error {
	headline, body := m.text(inert, maxDingTalk)
	type markdown struct {
		Title string `json:"title"`
		Text  string `json:"text"`
	}
	// A single line break is none in its Markdown.
	text := strings.ReplaceAll(headline+"\n\n"+body, "\n", "  \n")
	data, err := json.Marshal(struct {
		Type     string   `json:"msgtype"`
		Markdown markdown `json:"markdown"`
	}{"markdown", markdown{headline, text}})
	if err != nil {
		return err
	}
	q := url.Values{"access_token": {d.token}}
	if d.key != nil {
		stamp := strconv.FormatInt(m.now.UnixMilli(), 10)
		mac := hmac.New(sha256.New, d.key)
		mac.Write([]byte(stamp + "\n"))
		mac.Write(d.key)
		q.Set("timestamp", stamp)
		q.Set("sign", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	answer, err := post(ctx, d.client, "https://"+d.host+"/robot/send?"+q.Encode(), http.Header{}, data)
	if err != nil {
		return err
	}
	// What is refused is answered with 200, too.
	var said struct {
		Code *int `json:"errcode"`
	}
	if err := json.Unmarshal(answer, &said); err != nil || said.Code == nil {
		return errors.New("the answer is not DingTalk's")
	}
	if *said.Code != 0 {
		return fmt.Errorf("DingTalk refused it: errcode %d", *said.Code)
	}
	return nil
}
