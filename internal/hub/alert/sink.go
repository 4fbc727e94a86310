package alert

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/hub/config"
	"github.com/clawsonar/clawsonar/internal/report"
)

// sink takes deliveries, one at a time.
type sink interface {
	// send returns nil when the delivery was taken. It ends when ctx does.
	send(ctx context.Context, m *message) error
}

// message is a delivery on its way.
type message struct {
	*document
	body  []byte // the document as it was recorded
	now   time.Time
	texts report.Texts
}

// text is the message for people.
func (m *message) text(mark func(string) string, most int) (headline, body string) {
	p := prose{m.texts, mark}
	return p.headline(m.document), p.body(m.document, most)
}

// place is one entry of config.Alert.To.
type place struct {
	// name is shown and stored: it holds no secret, and stays the same when one changes.
	name    string
	sink    sink
	secrets []string // what must not be shown
}

// maxSecretFile is how much of a file with a key or an address is read, in bytes.
const maxSecretFile = 4096

// places makes the sinks of a rule.
func (l *Loop) places(r *config.Alert) ([]place, error) {
	var key []byte
	if r.SecretFile != "" {
		var err error
		if key, err = secret("", r.SecretFile); err != nil {
			return nil, fmt.Errorf("secret_file: %w", err)
		}
	}
	var out []place
	names := map[string]int{}
	for i, to := range r.To {
		p, err := l.place(to, l.config.Dir, key)
		if err != nil {
			return nil, fmt.Errorf("to: entry %d: %w", i+1, err)
		}
		if names[p.name]++; names[p.name] > 1 {
			p.name = fmt.Sprintf("%s #%d", p.name, names[p.name])
		}
		out = append(out, p)
	}
	return out, nil
}

// place makes one sink. Its errors hold nothing of the address.
func (l *Loop) place(to, dir string, key []byte) (place, error) {
	if file, ok := strings.CutPrefix(to, "file:"); ok {
		line, err := firstLine(resolve(dir, file))
		if err != nil {
			return place{}, err
		}
		if to = string(line); strings.HasPrefix(to, "file:") {
			return place{}, errors.New("the file names another file")
		}
	}
	if command, ok := strings.CutPrefix(to, "exec:"); ok {
		return execPlace(command, dir)
	}
	u, err := url.Parse(to)
	if err != nil || u.Scheme == "" {
		return place{}, errors.New("not an address: use https://, exec:PROGRAM, file:PATH, dingtalk:// or an address of shoutrrr")
	}
	hidden := secretsOf(u)
	switch u.Scheme {
	case "http", "https":
		if u.Hostname() == "" {
			return place{}, errors.New("a webhook needs a host")
		}
		return place{u.Scheme + "://" + u.Host, &webhook{l.client, to, key}, hidden}, nil
	case "dingtalk":
		s, err := newDingTalk(u, dir, l.client)
		return place{"dingtalk", s, hidden}, err
	}
	s, err := newShout(u.Scheme, to, l.client)
	if err != nil {
		return place{}, errors.New(scrub(err.Error(), hidden))
	}
	scheme, _, _ := strings.Cut(u.Scheme, "+")
	return place{scheme, s, hidden}, nil
}

// resolve is a path of the configuration.
func resolve(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

func firstLine(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := bufio.NewScanner(io.LimitReader(f, maxSecretFile))
	s.Scan()
	line := bytes.TrimSpace(s.Bytes())
	if len(line) == 0 {
		return nil, fmt.Errorf("%s: its first line is empty", file)
	}
	return line, s.Err()
}

// minKey is the least length of a key, in bytes.
const minKey = 16

// secret reads a key: the first line of a file.
func secret(dir, file string) ([]byte, error) {
	key, err := firstLine(resolve(dir, file))
	if err == nil && len(key) < minKey {
		err = fmt.Errorf("%s: a key has at least %d characters", file, minKey)
	}
	return key, err
}

// secretsOf lists the parts of an address that may be secret: all but the scheme, and the
// host of a webhook. Short ones would only spoil the text around them.
func secretsOf(u *url.URL) (out []string) {
	add := func(parts ...string) {
		for _, s := range parts {
			for _, s := range []string{s, url.QueryEscape(s), url.PathEscape(s)} {
				if len(s) >= 4 && !slices.Contains(out, s) {
					out = append(out, s)
				}
			}
		}
	}
	add(u.User.Username(), u.Opaque, u.Path, u.EscapedPath(), u.RawQuery, u.Fragment)
	if password, ok := u.User.Password(); ok {
		add(password)
	}
	add(strings.Split(u.Path, "/")...)
	add(strings.Split(u.User.Username(), ":")...)
	for _, values := range u.Query() {
		add(values...)
	}
	switch u.Scheme {
	case "http", "https", "smtp", u.Hostname(): // the last as in telegram://TOKEN@telegram
	default:
		add(u.Host, u.Hostname())
	}
	// The longest first: a part of one would leave the rest of it.
	slices.SortStableFunc(out, func(a, b string) int { return len(b) - len(a) })
	return out
}

// address is an address in a text. Services make others of ours, with the same secrets.
var address = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"']+`)

// scrub makes what went wrong fit to be shown: clean, short, without addresses and the
// secrets.
func scrub(text string, secrets []string) string {
	text = address.ReplaceAllString(text, "…")
	for _, s := range secrets {
		text = strings.ReplaceAll(text, s, "…")
	}
	return clean.N(text, 200)
}

// newClient returns a client that follows nothing, reads little and keeps no connection.
func newClient(transport *http.Transport, timeout time.Duration) *http.Client {
	transport.DisableKeepAlives = true
	transport.MaxResponseHeaderBytes = 64 << 10
	return &http.Client{
		Transport:     capped{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       timeout,
	}
}

// capped limits what is read of an answer.
type capped struct{ http.RoundTripper }

const maxAnswer = 64 << 10

func (c capped) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.RoundTripper.RoundTrip(r)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxAnswer), res.Body}
	}
	return res, err
}

// post sends a JSON document and returns what was answered. Errors do not hold the address.
func post(ctx context.Context, client *http.Client, to string, header http.Header, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("not an address")
	}
	req.Header = header
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "clawsonar-hub")
	res, err := client.Do(req)
	if err != nil {
		var outer *url.Error
		if errors.As(err, &outer) {
			err = outer.Err
		}
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	switch {
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return nil, fmt.Errorf("HTTP %d: a redirect is not followed", res.StatusCode)
	case res.StatusCode < 200 || res.StatusCode > 299:
		return nil, fmt.Errorf("HTTP %d", res.StatusCode)
	}
	return answer, err
}
