package alert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"mime"
	"net/http"
	"strings"
	"sync"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// shout hands the text to shoutrrr, which knows chats, push services and mail.
type shout struct {
	scheme, to string
	client     *http.Client

	mu   sync.Mutex
	busy bool            // an attempt has not ended
	late map[string]bool // deliveries that were taken after send had given up waiting
}

// maxShout is how long a text may be, in bytes: the strictest of the chats take 2000.
const maxShout = 1900

func newShout(scheme, to string, client *http.Client) (*shout, error) {
	s := &shout{scheme: scheme, to: to, client: client, late: map[string]bool{}}
	switch {
	case scheme == "logger":
		return nil, errors.New("logger: nobody would read it: use a program, as exec:PATH")
	case scheme == "smtp" && strings.Contains(strings.ToLower(to), "usehtml="):
		return nil, errors.New("smtp: leave out usehtml: the mail is plain text")
	case scheme == "matrix":
		return s, nil // it would log in
	}
	_, err := s.service(client)
	return s, err
}

func (s *shout) service(client types.HTTPClient) (types.Service, error) {
	// Its log has the texts and addresses in it.
	r, err := router.NewWithOptions(log.New(io.Discard, "", 0), types.SenderOptions{HTTPClient: client})
	if err != nil {
		return nil, err
	}
	return r.Locate(s.to)
}

// send waits for one attempt at a time: some services know no time limit, and one that
// was left behind may still succeed.
func (s *shout) send(ctx context.Context, m *message) error {
	s.mu.Lock()
	taken, busy := s.late[m.Delivery], s.busy
	s.busy = busy || !taken
	delete(s.late, m.Delivery)
	s.mu.Unlock()
	switch {
	case taken:
		return nil
	case busy:
		return errors.New("an earlier attempt has not ended")
	}
	ended := make(chan error, 1)
	go func() {
		err := s.attempt(m)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.busy = false
		if ctx.Err() != nil && err == nil {
			s.late[m.Delivery] = true
		}
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case err := <-ended: // just now
		delete(s.late, m.Delivery)
		return err
	default:
		return fmt.Errorf("no answer: %w", ctx.Err())
	}
}

func (s *shout) attempt(m *message) error {
	client := &witness{client: s.client}
	service, err := s.service(client)
	if err != nil {
		return err
	}
	if c, ok := service.(io.Closer); ok {
		defer c.Close()
	}
	params := &types.Params{}
	mark, most := inert, maxShout
	if s.scheme == "smtp" {
		mark, most = plain, 0
	}
	headline, body := m.text(mark, most)
	text := headline + "\n\n" + body
	if s.scheme == "smtp" {
		params.SetTitle(mime.QEncoding.Encode("utf-8", headline))
		// A line of a mail ends so, and none of ours is a dot alone.
		text = strings.ReplaceAll(text+"\n", "\n", "\r\n")
	}
	if err := service.Send(text, params); err != nil {
		return err
	}
	return client.failed()
}

// witness is a client that remembers what failed: shoutrrr 0.17 takes a message to
// Telegram for sent when no answer came.
type witness struct {
	client *http.Client
	mu     sync.Mutex
	err    error
}

func (w *witness) Do(r *http.Request) (*http.Response, error) {
	res, err := w.client.Do(r)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err != nil:
		w.err = err
	case res.StatusCode >= 300 && res.StatusCode != http.StatusTooManyRequests: // after that services try again
		w.err = fmt.Errorf("HTTP %d", res.StatusCode)
	}
	return res, err
}

func (w *witness) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}
