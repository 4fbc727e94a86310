package alert

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/config"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

const (
	key     = "0123456789abcdef-key"
	hostile = "gw\x00\x1b[31m.example\r\nBcc: eve@example.org\r\n.\r\n<!channel> @everyone <at user_id=\"all\">x</at> [click](https://evil.example/a) ![i](https://evil.example/i) `a` *b* _c_ ~d~ ||e|| &lt;u&gt; \u202e\u200b@here :18789"
)

// hostileChange has what a target may say wherever it can.
func hostileChange() store.Change {
	c := opened(7)
	c.Place, c.Product, c.Release, c.OldRelease = hostile, hostile, hostile, "2026.9.1"
	c.Owner, c.Contact, c.Network, c.Vantage, c.Watch = hostile, hostile, hostile, hostile, "plant"
	c.Verdict = store.Verdict(event.AuthOpen)
	c.Opened, c.Episodes = 1, []store.Episode{{What: store.OfFinding, Value: hostile, Severity: event.Critical, Opened: start}}
	return c
}

// in makes a loop of one rule whose sinks are real, and returns it with its store.
func in(t *testing.T, dir string, client *http.Client, a *config.Alert, changes ...store.Change) (*bench, *outbox) {
	t.Helper()
	b := &bench{t: t, clock: start, errors: &strings.Builder{}}
	db := newOutbox()
	for _, c := range changes {
		db.put(2, c)
		db.notes[c.Place] = []store.Note{{Author: hostile, Text: hostile}}
	}
	var err error
	a.Name, a.When = "r", []string{"opened"}
	b.Loop, err = newLoop(db, &config.Config{File: "watch.yaml", Dir: dir, URL: "https://hub.example", Alerts: []*config.Alert{a}},
		func() time.Time { return b.clock }, b.errors, client)
	if err != nil {
		t.Fatal(err)
	}
	return b, db
}

func client(server *httptest.Server) *http.Client {
	transport := &http.Transport{}
	if server != nil {
		transport = server.Client().Transport.(*http.Transport).Clone()
	}
	return newClient(transport, 5*time.Second)
}

// received is what a server got.
type received struct {
	http.Header
	path string
	body []byte
}

// serve keeps what it gets and answers with what answer says, by the number of the request.
func serve(t *testing.T, start func(http.Handler) *httptest.Server, answer func(n int, w http.ResponseWriter)) (*httptest.Server, func() []received) {
	t.Helper()
	var mu sync.Mutex
	var got []received
	s := start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		got = append(got, received{r.Header, r.URL.String(), body})
		n := len(got)
		mu.Unlock()
		answer(n, w)
	}))
	t.Cleanup(s.Close)
	return s, func() []received {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(got)
	}
}

func write(t *testing.T, dir, name, text string, mode os.FileMode) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return file
}

// valid checks a document against the published schema, and that nothing in it is hostile
// to a terminal.
func valid(t *testing.T, body []byte) *document {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile("../../../schema/alert.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(body)))
	if err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if err := schema.Validate(doc); err != nil {
		t.Errorf("%v in\n%s", err, body)
	}
	var d document
	if err := json.Unmarshal(body, &d); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{d.Summary, strings.ReplaceAll(d.Text, "\n", ""), d.Rule} {
		shows(t, s)
	}
	return &d
}

// shows fails for what a terminal does not just show.
func shows(t *testing.T, s string) {
	t.Helper()
	for _, r := range s {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u202e' || r == '\u200b' {
			t.Errorf("%U in %q", r, s)
		}
	}
}

func TestWebhook(t *testing.T) {
	dir := t.TempDir()
	secret := write(t, dir, "key", key+"\n", 0o600)
	elsewhere, wrong := serve(t, httptest.NewServer, func(int, http.ResponseWriter) {})
	server, got := serve(t, httptest.NewTLSServer, func(n int, w http.ResponseWriter) {
		switch n {
		case 1:
			http.Error(w, "sesame is wrong", 500)
		case 2:
			w.Header().Set("Location", elsewhere.URL)
			w.WriteHeader(307)
		case 3:
			w.WriteHeader(202)
			io.Copy(w, io.LimitReader(endless{}, 1<<30)) // nobody reads that
		}
	})
	b, db := in(t, dir, client(server), &config.Alert{To: []string{server.URL + "/open/sesame?token=abcdefgh"}, SecretFile: secret}, opened(7), hostileChange())
	b.run()
	for range 3 {
		b.after(time.Minute)
	}
	b.after(time.Hour)
	all := got()
	if len(all) != 3 || len(wrong()) != 0 {
		t.Fatalf("%d requests, %d after a redirect", len(all), len(wrong()))
	}
	for _, r := range all {
		// A receiver checks it like this.
		mac := hmac.New(sha256.New, []byte(key))
		io.WriteString(mac, r.Get("X-Clawsonar-Timestamp")+"."+string(r.body))
		if want := "sha256=" + hex.EncodeToString(mac.Sum(nil)); r.Get("X-Clawsonar-Signature") != want {
			t.Errorf("signature %s, want %s", r.Get("X-Clawsonar-Signature"), want)
		}
		d := valid(t, r.body)
		if r.Get("X-Clawsonar-Delivery") != d.Delivery || d.Delivery != db.deliveries[0].ID || r.Get("X-Clawsonar-Event") != "opened" ||
			r.Get("Content-Type") != "application/json" || !slices.Equal(r.body, all[0].body) {
			t.Errorf("%v", r.Header)
		}
	}
	if a, b := all[0].Get("X-Clawsonar-Timestamp"), all[1].Get("X-Clawsonar-Timestamp"); a != strconv.FormatInt(start.Unix(), 10) || a == b {
		t.Errorf("times %s and %s", a, b)
	}
	said := b.errors.String()
	has(t, said, "to "+server.URL+": HTTP 500; ", "HTTP 307: a redirect is not followed; ")
	for _, s := range []string{"sesame", "abcdefgh", key} {
		if strings.Contains(said, s) {
			t.Errorf("a secret is shown: %s", said)
		}
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// Without a key there is no signature; what refuses the connection or is too slow is a
// failure that shows nothing of the address.
func TestWebhookFails(t *testing.T) {
	release := make(chan struct{})
	slow, _ := serve(t, httptest.NewServer, func(int, http.ResponseWriter) { <-release })
	t.Cleanup(func() { close(release) })
	fast, got := serve(t, httptest.NewServer, func(int, http.ResponseWriter) {})
	b, _ := in(t, "", client(nil), &config.Alert{To: []string{"http://user:hunter22@127.0.0.1:1/sesame", slow.URL + "/sesame", fast.URL}}, opened(7))
	b.timeout = 200 * time.Millisecond
	b.run()
	said := b.errors.String()
	has(t, said, "to http://127.0.0.1:1: ", "refused", "to "+slow.URL+": context deadline exceeded")
	if strings.Contains(said, "sesame") || strings.Contains(said, "hunter22") {
		t.Errorf("a secret is shown: %s", said)
	}
	if r := got(); len(r) != 1 || r[0].Get("X-Clawsonar-Signature") != "" {
		t.Errorf("%v", r)
	}
}

// A program gets exactly this environment, and the document.
func TestExec(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", "/home/hub")
	t.Setenv("LANG", "C.UTF-8")
	t.Setenv("SECRET_OF_THE_HUB", "x")
	write(t, dir, "page.sh", "#!/bin/sh\ncat > body\nenv -0 > env\nprintf '%s\\n' \"$@\" > args\npwd > where\n", 0o700)
	b, db := in(t, dir, nil, &config.Alert{To: []string{"exec:./page.sh one $HOME;two"}}, hostileChange())
	b.run()
	if b.errors.Len() > 0 {
		t.Fatal(b.errors)
	}
	read := func(name string) string {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	d := valid(t, []byte(read("body")))
	if got := read("args"); got != "one\n$HOME;two\n" {
		t.Errorf("arguments %q", got)
	}
	got := map[string]string{}
	for v := range strings.SplitSeq(strings.TrimSuffix(read("env"), "\x00"), "\x00") {
		name, value, _ := strings.Cut(v, "=")
		if slices.Contains([]string{"_", "SHLVL", "PWD", "OLDPWD"}, name) {
			continue // the shell's own
		}
		shows(t, value)
		got[name] = value
	}
	want := map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": "/home/hub", "LANG": "C.UTF-8", "CLAWSONAR_EVENT": "opened", "CLAWSONAR_SUMMARY": d.Summary,
		"CLAWSONAR_PLACE": d.Changes[0].Place, "CLAWSONAR_OLD": "required", "CLAWSONAR_NEW": "open", "CLAWSONAR_SEVERITY": "critical",
		"CLAWSONAR_DELIVERY": db.deliveries[0].ID, "CLAWSONAR_URL": "https://hub.example/changes",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("environment\n%q, want\n%q", got, want)
	}
}

// A program that takes too long is ended with all that it started, and so is what it left
// running; what it said is in the failure.
func TestExecEnds(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "slow.sh", "#!/bin/sh\nsleep 300 & echo $! > slow.pid\nsleep 300\n", 0o700)
	write(t, dir, "left.sh", "#!/bin/sh\nsleep 300 & echo $! > left.pid\n", 0o700)
	write(t, dir, "bad.sh", "#!/bin/sh\nprintf 'first\\nno route: \\033[31mpassword1' >&2\nexit 3\n", 0o700)
	b, db := in(t, dir, nil, &config.Alert{To: []string{"exec:slow.sh", "exec:./slow.sh", "exec:./left.sh", "exec:./bad.sh password1"}[1:]}, opened(7))
	b.timeout = time.Second
	begun := time.Now()
	b.run()
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	has(t, b.errors.String(), "to exec:./slow.sh: it was ended: context deadline exceeded; ", "to exec:./bad.sh: exit status 3: first no route: …; ")
	if open, _ := db.Unfinished(t.Context(), 10); len(open) != 2 {
		t.Errorf("%d are open", len(open))
	}
	for _, name := range []string{"slow.pid", "left.pid"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		if !gone(pid) {
			t.Errorf("%s: process %d still runs", name, pid)
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// gone waits until a process has ended: init may not have collected it yet.
func gone(pid int) bool {
	for range 100 {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return true
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}

// The robot of DingTalk checks the signature and takes Markdown in which nothing hostile
// works; what it refuses is answered with 200.
func TestDingTalk(t *testing.T) {
	dir := t.TempDir()
	const secret = "SEC0123456789abcdef"
	write(t, dir, "ding.key", secret+"\n", 0o600)
	server, got := serve(t, httptest.NewTLSServer, func(n int, w http.ResponseWriter) {
		io.WriteString(w, []string{`{"errcode":310000,"errmsg":"sign not match, token=abcdefgh"}`, `<html>`, `{"errcode":0,"errmsg":"ok"}`}[min(n, 3)-1])
	})
	host := strings.TrimPrefix(server.URL, "https://")
	b, _ := in(t, dir, client(server), &config.Alert{To: []string{"dingtalk://abcdefgh@" + host + "?secret_file=ding.key"}}, hostileChange())
	b.run()
	b.after(time.Minute)
	b.after(time.Minute)
	b.after(time.Hour)
	all := got()
	if len(all) != 3 {
		t.Fatalf("%d requests", len(all))
	}
	for _, r := range all {
		u, err := url.Parse(r.path)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		// As its documentation says: the key signs the time in milliseconds and itself.
		mac := hmac.New(sha256.New, []byte(secret))
		io.WriteString(mac, q.Get("timestamp")+"\n"+secret)
		if u.Path != "/robot/send" || q.Get("access_token") != "abcdefgh" || q.Get("sign") != base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
			t.Errorf("%s", r.path)
		}
		var body struct {
			Type     string `json:"msgtype"`
			Markdown struct{ Title, Text string }
		}
		if err := json.Unmarshal(r.body, &body); err != nil || body.Type != "markdown" {
			t.Errorf("%s: %v", r.body, err)
		}
		has(t, body.Markdown.Title, "1 gateway is now open to anyone")
		harmless(t, body.Markdown.Title+body.Markdown.Text)
	}
	if u, _ := url.Parse(all[0].path); u.Query().Get("timestamp") != strconv.FormatInt(start.UnixMilli(), 10) {
		t.Errorf("%s", all[0].path)
	}
	said := b.errors.String()
	has(t, said, "to dingtalk: DingTalk refused it: errcode 310000; ", "to dingtalk: the answer is not DingTalk's; ")
	if strings.Contains(said, "abcdefgh") || strings.Contains(said, secret) {
		t.Errorf("a secret is shown: %s", said)
	}
}

// harmless fails for what a chat takes for markup, a mention or a link that is not ours.
func harmless(t *testing.T, text string) {
	t.Helper()
	has(t, text, "https://hub.example/gateways/", "eve＠example.org")
	ours := strings.ReplaceAll(text, "https://hub.example/", "")
	for _, s := range []string{"://", "<", ">", "@", "](", "`", "*", "~", "|", "&", "\\", "#", " _", "_ ", "\x1b", "\x00", "\r", "\u202e", "\u200b"} {
		if strings.Contains(ours, s) {
			t.Errorf("%q in:\n%s", s, text)
		}
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "Bcc:") || line == ".\n" {
			t.Errorf("a line is forged:\n%s", text)
		}
	}
}

// What shoutrrr sends to a chat is harmless, short, and by our client.
func TestShoutrrr(t *testing.T) {
	elsewhere, wrong := serve(t, httptest.NewServer, func(int, http.ResponseWriter) {})
	server, got := serve(t, httptest.NewServer, func(n int, w http.ResponseWriter) {
		if n == 1 {
			w.Header().Set("Location", elsewhere.URL)
			w.WriteHeader(302)
			return
		}
		io.WriteString(w, `{"id":"x"}`)
	})
	host := strings.TrimPrefix(server.URL, "http://")
	changes := []store.Change{hostileChange()}
	for i := range 40 {
		changes = append(changes, opened(i+10))
	}
	b, _ := in(t, "", client(nil), &config.Alert{To: []string{"ntfy://user:hunter22@" + host + "/topic1?scheme=http"}}, changes...)
	b.run()
	b.after(time.Minute)
	all := got()
	if len(all) != 2 || len(wrong()) != 0 {
		t.Fatalf("%d requests, %d after a redirect; %s", len(all), len(wrong()), b.errors)
	}
	text := string(all[1].body)
	harmless(t, text)
	has(t, text, "41 gateways are now open to anyone", "more changes", "https://hub.example/changes")
	if len(text) > 2000 {
		t.Errorf("%d bytes", len(text))
	}
	said := b.errors.String()
	has(t, said, "to ntfy: ")
	if strings.Contains(said, "hunter22") || strings.Contains(said, "topic1") || strings.Contains(said, host) {
		t.Errorf("a secret is shown: %s", said)
	}
}

// A service that cannot be reached says so without the secrets, of which it makes another
// address than ours.
func TestShoutrrrSecrets(t *testing.T) {
	refusing := newClient(&http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no way there")
	}}, time.Second)
	to := []string{
		"slack://hook:A1B2C3D4E-F1B2C3D4E-G1B2C3D4E1A2B3C4D5E6F7G8@webhook",
		"discord://sesametoken@1234567890",
		"telegram://110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1@telegram?chats=@channel",
		"lark://open.feishu.cn/sesametoken",
		"wecom://693axxx6-7aoc-4bc4-97a0-0ec2sifa5aaa",
		"gotify://gotify.example.org/AzyoeNS.D4iJLVa",
		"ntfy://ann:sesame@ntfy.example.org/topic1",
		"generic+https://hooks.example.org/sesame?x=sesame",
		"https://hooks.example.org/sesame",
	}
	b, _ := in(t, "", refusing, &config.Alert{To: to}, opened(7))
	b.run()
	said := b.errors.String()
	if n := strings.Count(said, "\n"); n != len(to) || strings.Count(said, "no way there") != len(to) {
		t.Errorf("%d lines of %d:\n%s", n, len(to), said)
	}
	for _, s := range []string{"D4E", "sesame", "1234567890", "110201543", "AAHd", "693a", "Azyo", "topic1"} {
		if strings.Contains(said, s) {
			t.Errorf("a secret, %s, is shown:\n%s", s, said)
		}
	}
}

// A place as it is usual stays readable in a chat.
func TestInert(t *testing.T) {
	for in, want := range map[string]string{
		"[fd00::1]:18789":     "[fd00::1]:18789",
		"my_gw.example:18789": "my_gw.example:18789",
		"_x_ __y__ a_":        "＿x＿ ＿＿y＿＿ a＿",
		"网关_一":                "网关＿一",
		"":                    "",
	} {
		if got := inert(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// mailServer is a small SMTP server. Silent ones say nothing.
type mailServer struct {
	net.Listener
	mu    sync.Mutex
	mails []string
	lines []string
	group sync.WaitGroup
	hold  chan struct{} // the answer to the end of a mail waits for it
}

func newMailServer(t *testing.T) *mailServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &mailServer{Listener: l, hold: make(chan struct{})}
	s.group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.group.Go(func() { s.talk(c) })
		}
	})
	t.Cleanup(func() { l.Close(); s.group.Wait() })
	return s
}

func (s *mailServer) talk(c net.Conn) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	in := bufio.NewReader(c)
	say := func(text string) { io.WriteString(c, text+"\r\n") }
	say("220 test")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		s.mu.Lock()
		s.lines = append(s.lines, strings.TrimSpace(line))
		s.mu.Unlock()
		switch verb := strings.ToUpper(line[:min(4, len(line))]); verb {
		case "EHLO", "HELO":
			say("250 test")
		case "DATA":
			say("354 go on")
			var b strings.Builder
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				b.WriteString(strings.TrimPrefix(line, "."))
			}
			s.mu.Lock()
			s.mails = append(s.mails, b.String())
			s.mu.Unlock()
			<-s.hold
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (s *mailServer) got() ([]string, []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails), slices.Clone(s.lines)
}

func TestMail(t *testing.T) {
	server := newMailServer(t)
	close(server.hold)
	dir := t.TempDir()
	write(t, dir, "mail", "smtp://"+server.Addr().String()+"/?from=hub@example.org&to=soc@example.org&starttls=no\nnot read\n", 0o600)
	c := hostileChange()
	c.Place = "网关" + c.Place
	b, _ := in(t, dir, client(nil), &config.Alert{To: []string{"file:mail"}}, c)
	b.run()
	mails, lines := server.got()
	if len(mails) != 1 || b.errors.Len() > 0 {
		t.Fatalf("%d mails: %s", len(mails), b.errors)
	}
	m, err := mail.ReadMessage(strings.NewReader(mails[0]))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || !strings.HasPrefix(subject, "1 gateway is now open to anyone: 网关gw.example Bcc: eve@example.org .") {
		t.Errorf("subject %q, %v", subject, err)
	}
	if len(m.Header) != 6 || m.Header.Get("Bcc") != "" || m.Header.Get("To") != "soc@example.org" {
		t.Errorf("%v", m.Header)
	}
	body, err := io.ReadAll(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	text := string(body)
	has(t, text, "https://hub.example/changes\r\n", "Note of ")
	if strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\n") {
		t.Error("a line ends without CR")
	}
	shows(t, strings.ReplaceAll(text, "\r\n", ""))
	if n := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "eve") }); n >= 0 {
		t.Errorf("said to the server: %q", lines[n])
	}
}

// A mail that is taken after we gave up waiting is not sent again, and a server that hangs
// is not asked again and again.
func TestLateMail(t *testing.T) {
	server := newMailServer(t)
	b, db := in(t, "", client(nil), &config.Alert{To: []string{"smtp://" + server.Addr().String() + "/?from=hub@example.org&to=soc@example.org&starttls=no"}}, opened(7))
	b.timeout = 300 * time.Millisecond
	b.run()
	b.after(time.Minute)
	has(t, b.errors.String(), "to smtp: no answer: ", "to smtp: an earlier attempt has not ended")
	close(server.hold)
	for range 20 {
		b.after(time.Hour)
		if open, _ := db.Unfinished(context.Background(), 1); len(open) == 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	mails, _ := server.got()
	if open, _ := db.Unfinished(context.Background(), 1); len(mails) != 1 || len(open) != 0 {
		t.Errorf("%d mails, %d open", len(mails), len(open))
	}
}

// What is wrong with an alert is said at the start, with its name and without its secrets.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "short", "tooshort", 0o600)
	write(t, dir, "empty", "\nhttps://x\n", 0o600)
	write(t, dir, "loop", "file:loop", 0o600)
	write(t, dir, "text", "x", 0o600)
	for to, want := range map[string]string{
		"https://":                            "a webhook needs a host",
		"://sesame":                           "not an address: use https://",
		"exec:":                               "exec: the program is missing",
		"exec:./missing.sh":                   "no such file",
		"exec:./text":                         "permission denied",
		"exec:no-such-program-anywhere":       "executable file not found in $PATH",
		"file:missing":                        "no such file",
		"file:empty":                          "its first line is empty",
		"file:loop":                           "the file names another file",
		"dingtalk://":                         "the token is missing",
		"dingtalk://sesame?secret_file=short": "short: a key has at least 16 characters",
		"dingtalk://sesame?secret=sesame":     `unknown setting "secret": use secret_file`,
		"slak://sesame@hidden":                "unknown service",
		"slack://sesame":                      "slack: ",
		"smtp://a:sesame@h/?from=a@b.c&to=d&usehtml=no": "leave out usehtml",
		"smtp://a:sesame@h/":                            "fromAddress missing",
		"logger://":                                     "nobody would read it",
		"telegram://sesame@telegram?channels=1":         "telegram: ",
	} {
		_, err := New(nil, &config.Config{File: "watch.yaml", Dir: dir, Alerts: []*config.Alert{{Name: "pager", To: []string{"https://fine.example", to}}}}, time.Now, io.Discard)
		if err == nil || !strings.HasPrefix(err.Error(), "watch.yaml: alert pager: to: entry 2: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", to, err, want)
		} else if strings.Contains(err.Error(), "sesame") || strings.Contains(err.Error(), "\n") {
			t.Errorf("a secret is shown: %v", err)
		}
	}
	if _, err := New(nil, &config.Config{File: "watch.yaml", Alerts: []*config.Alert{{Name: "pager", SecretFile: filepath.Join(dir, "short")}}}, time.Now, io.Discard); err == nil || !strings.Contains(err.Error(), "alert pager: secret_file: ") {
		t.Errorf("error %v", err)
	}
	if _, err := New(nil, &config.Config{Lang: "xx"}, time.Now, io.Discard); err == nil {
		t.Error("a language that there is not is taken")
	}
}

// Addresses of the services that the documents name are taken as they are written there.
func TestTaken(t *testing.T) {
	for _, to := range []string{
		"slack://hook:A1B2C3D4E-A1B2C3D4E-A1B2C3D4E1A2B3C4D5E6F7G8@webhook",
		"discord://token@1234567890",
		"telegram://110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1@telegram?chats=@channel",
		"matrix://user:password@matrix.example.org",
		"ntfy://ntfy.example.org/topic",
		"lark://open.feishu.cn/token",
		"wecom://693axxx6-7aoc-4bc4-97a0-0ec2sifa5aaa",
		"smtp://user:password@mail.example.org:587/?from=hub@example.org&to=soc@example.org",
		"gotify://gotify.example.org/AzyoeNS.D4iJLVa",
		"generic+https://hooks.example.org/x",
		"dingtalk://token",
		"https://hooks.example.org/x",
	} {
		if _, err := New(nil, &config.Config{Alerts: []*config.Alert{{Name: "x", To: []string{to}}}}, time.Now, io.Discard); err != nil {
			t.Errorf("%s: %v", to, err)
		}
	}
}
