package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/clawsonar/clawsonar/internal/bounded"
)

// fetchTime is how long a file or its signature may take.
const fetchTime = time.Minute

// CheckURL accepts where a data file may be fetched from.
func CheckURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return nil, errors.New("not a URL: use https://HOST/PATH")
	case u.Scheme != "https":
		return nil, errors.New("not https: data is fetched by https alone")
	case u.User != nil:
		return nil, errors.New("a user name or password may not stand in the URL")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("a query or fragment may not stand in the URL: the signature is at the same URL with " + SignatureEnding)
	}
	return u, nil
}

// Fetch reads a data file and its signature by https, with the proxy settings of the
// environment. It follows no redirect: only the host of the URL is asked. keyFile is as
// for Read, with the project's keys for "".
func Fetch(ctx context.Context, u *url.URL, keyFile, agent string) (*Signed, error) {
	client := &http.Client{
		Timeout:       fetchTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	s := &Signed{name: u.String()}
	var err error
	if s.packed, err = get(ctx, client, u, "", agent, MaxFile); err != nil {
		return nil, err
	}
	signature, err := get(ctx, client, u, SignatureEnding, agent, MaxSignature)
	if err != nil {
		return nil, err
	}
	s.signature = string(signature)
	if keyFile != "" {
		err = s.trust(keyFile)
	}
	return s, err
}

// get reads what is at a URL with an ending.
func get(ctx context.Context, client *http.Client, u *url.URL, ending, agent string, limit int64) ([]byte, error) {
	address := u.String() + ending
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", agent)
	// The bytes of the file are what was signed. Many servers say of a .gz that its content is
	// encoded, and a client that asked for that by itself would unpack it.
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := client.Do(req)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return nil, fmt.Errorf("%s: it leads elsewhere (%s), and no redirect is followed: name the place itself", address, resp.Status)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s: the server answered %s", address, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	if int64(len(body)) > limit {
		return nil, bounded.TooLarge(address, limit)
	}
	return body, nil
}
