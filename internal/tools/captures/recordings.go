//go:build linux

package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/strict"
)

// recording says what was recorded: what the answers must lead to is known from how
// the program was set up, and not from the answers.
type recording struct {
	// Files are below the folder of recordings, PRODUCT/CASE.txt. What only a further
	// one holds is added; it may be a bare WebSocket opening, of the path Opening.
	Files []string `yaml:"files"`
	// ByHand are answers that were seen, but are in no file.
	ByHand  []evidence.CapturedExchange `yaml:"by_hand"`
	Opening string                      `yaml:"opening"`
	Port    uint16                      `yaml:"port"` // where no file says it
	To      string                      `yaml:"to"`   // below testdata/captures
	Program string                      `yaml:"program"`
	Mode    string                      `yaml:"mode"`
	Comment string                      `yaml:"comment"`
	Front   string                      `yaml:"front"`
	Host    string                      `yaml:"host"`
	Expect  evidence.Expectation        `yaml:"expect"`
}

// convert makes captures of recorded answers: each file of them has a first line
// "# name; peer ADDRESS:PORT; note", then for each request a line
// ">>> METHOD PATH HTTP/1.1" and the answer as it came.
func convert(folder, list, out string) error {
	data, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	var all []recording
	if err := strict.YAML(list, data, &all); err != nil {
		return err
	}
	set, err := fingerprint.Load(fingerprints.FS)
	if err != nil {
		return err
	}
	ids := requestIDs(set)
	for _, r := range all {
		c := evidence.Capture{Made: "recorded", Port: r.Port, Program: r.Program, Mode: r.Mode, Comment: r.Comment, Front: r.Front, Host: r.Host, Expect: r.Expect}
		for _, name := range r.Files {
			text, err := os.ReadFile(filepath.Join(folder, name))
			if err == nil {
				err = r.add(&c, text, ids)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		c.Exchanges = append(c.Exchanges, r.ByHand...)
		if err := write(filepath.Join(out, r.To), c, folder); err != nil {
			return err
		}
	}
	return nil
}

// requestIDs returns the ids of the requests that fingerprints make, by what is asked.
func requestIDs(set *fingerprint.Set) map[string]string {
	ids := map[string]string{}
	for _, p := range set.Products() {
		c := set.Open(&evidence.Observation{}, event.LevelStandard)
		for _, r := range c.Plan(p.ID) {
			ids[asked(r.Method, r.Path, r.WebSocket)] = r.ID
		}
	}
	return ids
}

func asked(method, path string, webSocket bool) string {
	return method + " " + path + " " + strconv.FormatBool(webSocket)
}

var peer = regexp.MustCompile(`^# .*; peer ([0-9.]+):(\d+)`)

// add adds the answers of a file to a capture.
func (r *recording) add(c *evidence.Capture, text []byte, ids map[string]string) error {
	head, rest, _ := bytes.Cut(text, []byte("\n"))
	if m := peer.FindSubmatch(head); m == nil {
		if r.Opening == "" {
			return fmt.Errorf("the first line names no peer: %q", head)
		}
		rest = append([]byte(">>> GET "+r.Opening+" HTTP/1.1\n"), rest...)
	} else {
		port, err := strconv.ParseUint(string(m[2]), 10, 16)
		if err != nil {
			return err
		}
		c.Port = uint16(port)
		if !bytes.HasPrefix(m[1], []byte("127.")) {
			c.Reach = event.ReachPrivate
		}
	}
	found, bare := 0, !peer.Match(head)
	for part := range bytes.SplitSeq(append([]byte("\n"), rest...), []byte("\n>>> ")) {
		if len(bytes.TrimSpace(part)) == 0 {
			continue
		}
		x, err := exchange(part)
		if err != nil {
			return err
		}
		found++
		for _, f := range x.Header {
			if at, err := time.Parse(time.RFC1123, f.Value); err == nil && strings.EqualFold(f.Name, "Date") && c.Date == "" {
				c.Date = at.Format(time.DateOnly)
			}
		}
		kept := reduceRelative(x)
		kept.WebSocket = bare || x.Status == 101
		kept.ID = ids[asked(x.Method, x.Path, kept.WebSocket)]
		if x.Path == "/nope" {
			kept.ID = "nothing-there"
		}
		if kept.ID == "" && !kept.WebSocket {
			continue // no fingerprint asks for it
		}
		kept.ID = cmp.Or(kept.ID, "opening")
		if !slices.ContainsFunc(c.Exchanges, func(o evidence.CapturedExchange) bool { return o.ID == kept.ID }) {
			c.Exchanges = append(c.Exchanges, kept)
		}
	}
	if found == 0 {
		return errors.New("no answers")
	}
	return nil
}

// exchange reads "METHOD PATH HTTP/1.1", then the answer.
func exchange(part []byte) (*evidence.Exchange, error) {
	first, answer, _ := bytes.Cut(part, []byte("\n"))
	words := strings.Fields(string(first))
	if len(words) != 3 {
		return nil, fmt.Errorf("no request line: %q", first)
	}
	x := &evidence.Exchange{Method: words[0], Path: words[1]}
	head, body, _ := bytes.Cut(answer, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if _, err := fmt.Sscanf(lines[0], "HTTP/1.%d %d", new(int), &x.Status); err != nil {
		return nil, fmt.Errorf("answer to %s: %q is no status line", x.Path, lines[0])
	}
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("answer to %s: %q is no header field", x.Path, line)
		}
		x.Header = append(x.Header, evidence.Field{Name: name, Value: strings.TrimSpace(value)})
	}
	body = bytes.TrimRight(body, "\n") // the file's own
	if x.Status == 101 {
		// The first frame, of which the file has lost the head.
		body = body[max(bytes.IndexByte(body, '{'), 0):]
	}
	x.Body = body
	return x, nil
}

// reduceRelative keeps of a page the title and the tags that name something: the rest
// is its maker's.
func reduceRelative(x *evidence.Exchange) evidence.CapturedExchange {
	out := reduce(x)
	out.Original = nil // long bodies are cut in the recording
	if x.MediaType() != "text/html" || x.Status != 200 {
		out.Body = string(volatile(x.Body))
		return out
	}
	var b bytes.Buffer
	for _, tag := range telling.FindAll(x.Body, 200) {
		b.Write(bytes.Join(bytes.Fields(tag), []byte(" ")))
		b.WriteByte('\n')
	}
	out.Body = "<!doctype html>\n" + string(volatile(b.Bytes()))
	return out
}

var telling = regexp.MustCompile(`(?is)<html[^>]*>|<title[^>]*>[^<]*</title>|<meta [^>]*>|<link [^>]*>|<script [^>]*></script>|<script>window\.__[^<]{0,400}</script>|<img [^>]*>|<[a-z]+(-[a-z]+)+[^>]*>`)

// volatile replaces what differs from one run to the next.
func volatile(body []byte) []byte {
	body = steady(body)
	for _, r := range []struct{ pattern, with string }{
		{`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`, "00000000-0000-4000-8000-000000000000"},
		{`anon-[0-9a-f]{12}`, "anon-000000000000"},
		{`("(?:time|timestamp|uptime|uptime_seconds|pid|started_at|start_time)":\s*)[0-9.]+`, "${1}1767225600"},
		// What was taken out of the recording, as the tests of secrets plant it.
		{`("defaultPassword":\s*")[^"]*`, "${1}planted-1f8e2a-not-a-real-token"},
		{`\[redacted\]`, "planted-1f8e2a-not-a-real-token"},
		{`0x[0-9a-fA-F]{40}`, "0x0000000000000000000000000000000000000000"},
		{`"[1-9A-HJ-NP-Za-km-z]{43,44}"`, `"11111111111111111111111111111111111111111111"`},
		{`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d`, "2026-01-01T00:00:00"},
	} {
		body = regexp.MustCompile(r.pattern).ReplaceAll(body, []byte(r.with))
	}
	return body
}
