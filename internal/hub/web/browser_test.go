//go:build e2e

// Tests with a browser and axe-core, under the policy that package access sets. "make
// e2e-report" installs what they need.
package web

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/websocket"

	"github.com/clawsonar/clawsonar/internal/hub/access"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// served is the board behind the router, as on a machine without accounts.
func served(t *testing.T, f *fake) string {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "board.db"))
	if err != nil {
		t.Fatal(err)
	}
	b := board(t, f)
	wrong := access.Route{Pattern: "GET /wrong", Needs: access.Public, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<!doctype html><title>wrong</title><p style="color: red">x</p><script>document.title = "owned"</script>`)
	})}
	hub, err := access.New(t.Context(), append(b.Routes(), wrong), access.Options{Store: s, Chrome: b.Chrome, Lang: Lang, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(hub)
	t.Cleanup(func() {
		server.Close()
		hub.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return server.URL
}

// tab is one page of a browser, driven over its debugging protocol.
type tab struct {
	t       *testing.T
	ws      *websocket.Conn
	last    int
	console []string // what the page wrote there, or the browser about it
	loaded  bool
}

// newTab starts a browser without a window, in a folder of its own, and without anything
// that would go out to the network by itself.
func newTab(t *testing.T) *tab {
	t.Helper()
	name := ""
	for _, n := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(n); err == nil {
			name = p
			break
		}
	}
	if name == "" {
		t.Skip("SKIPPED: there is no chromium: the pages were not looked at by a browser")
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), name, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--hide-scrollbars", "--remote-debugging-port=0", "--remote-allow-origins=*", "--user-data-dir="+dir, "about:blank")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		// Its helpers write for a moment longer.
		for range 50 {
			if os.RemoveAll(dir) == nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
	var pages []struct{ Type, WebSocketDebuggerURL string }
	for range 300 {
		time.Sleep(100 * time.Millisecond)
		port, err := os.ReadFile(filepath.Join(dir, "DevToolsActivePort"))
		if err != nil {
			continue
		}
		number, _, _ := strings.Cut(string(port), "\n")
		r, err := http.Get("http://127.0.0.1:" + number + "/json/list")
		if err != nil {
			continue
		}
		err = json.NewDecoder(r.Body).Decode(&pages)
		_ = r.Body.Close()
		if err == nil && len(pages) > 0 {
			break
		}
	}
	for _, p := range pages {
		if p.Type != "page" {
			continue
		}
		ws, err := websocket.Dial(p.WebSocketDebuggerURL, "", "http://127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		ws.MaxPayloadBytes = 64 << 20
		x := &tab{t: t, ws: ws}
		t.Cleanup(func() { _ = ws.Close() })
		for _, domain := range []string{"Page", "Runtime", "Log"} {
			x.call(domain+".enable", nil, nil)
		}
		return x
	}
	t.Fatal("the browser did not start")
	return nil
}

// call asks the browser to do something, and waits until it has.
func (x *tab) call(method string, params, result any) {
	x.t.Helper()
	x.last++
	if params == nil {
		params = struct{}{}
	}
	if err := websocket.JSON.Send(x.ws, map[string]any{"id": x.last, "method": method, "params": params}); err != nil {
		x.t.Fatal(err)
	}
	for {
		if id, answer := x.receive(); id == x.last {
			if result != nil {
				if err := json.Unmarshal(answer, result); err != nil {
					x.t.Fatalf("%s: %v: %.300s", method, err, answer)
				}
			}
			return
		}
	}
}

// receive takes the next message: an answer, or an event that it notes.
func (x *tab) receive() (id int, answer json.RawMessage) {
	x.t.Helper()
	var m struct {
		ID             int
		Result, Params json.RawMessage
		Method         string
		Error          *struct{ Message string }
	}
	if err := x.ws.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		x.t.Fatal(err)
	}
	if err := websocket.JSON.Receive(x.ws, &m); err != nil {
		x.t.Fatal(err)
	}
	if m.Error != nil {
		x.t.Fatal(m.Error.Message)
	}
	switch m.Method {
	case "Page.loadEventFired":
		x.loaded = true
	case "Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown":
		x.console = append(x.console, string(m.Params))
	}
	return m.ID, m.Result
}

// open goes to a page and waits until it is there.
func (x *tab) open(url string) {
	x.t.Helper()
	x.loaded, x.console = false, nil
	x.call("Page.navigate", map[string]any{"url": url}, nil)
	for !x.loaded {
		x.receive()
	}
}

// look sets how wide the page is, and whether it is dark.
func (x *tab) look(width int, dark bool) {
	x.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	x.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
	x.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// eval gives what an expression of JavaScript is, as JSON.
func (x *tab) eval(expression string, into any) {
	x.t.Helper()
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct{ Exception struct{ Description string } }
	}
	x.call("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}, &r)
	if r.ExceptionDetails != nil {
		x.t.Fatalf("%.100s: %s", expression, r.ExceptionDetails.Exception.Description)
	}
	if into != nil {
		if err := json.Unmarshal(r.Result.Value, into); err != nil {
			x.t.Fatalf("%.100s: %v: %.300s", expression, err, r.Result.Value)
		}
	}
}

// TestBrowser: on a telephone and a desk, light and dark, in both languages, under the
// policy: axe-core finds nothing, the console stays empty, no
// page is wider than the screen, and the Tab key gets to everything that can be used.
// With CLAWSONAR_SCREENSHOTS a picture of each is left in that directory.
func TestBrowser(t *testing.T) {
	axe, err := os.ReadFile("../../../.cache/report/node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Skip("SKIPPED: axe-core is not installed: run make e2e-report")
	}
	pictures := os.Getenv("CLAWSONAR_SCREENSHOTS")
	if pictures != "" {
		if err := os.MkdirAll(pictures, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	f := fleet(t, same)
	f.jobs, f.given = nil, nil
	f.addJobs(hostile)
	url := served(t, f)
	x := newTab(t)

	x.open(url + "/wrong")
	x.call("Page.getLayoutMetrics", nil, nil) // all events before its answer are here
	var title string
	x.eval("document.title", &title)
	if len(x.console) < 2 || title != "wrong" {
		t.Fatalf("the policy is not in force, or the console is not seen: %q, %v", title, x.console)
	}

	pages := paths(f)
	pages["audit"] = "/audit"
	for _, lang := range []string{"en", "zh"} {
		for name, path := range pages {
			for _, width := range []int{390, 1280} {
				for _, dark := range []bool{false, true} {
					what := fmt.Sprintf("%s-%s-%d-%s", name, lang, width, map[bool]string{true: "dark", false: "light"}[dark])
					x.look(width, dark)
					x.open(url + withLang(path, lang))
					x.examine(what, width, string(axe))
					if len(x.console) > 0 {
						// Chromium notes the status of an answer, too.
						x.console = slices.DeleteFunc(x.console, func(s string) bool { return strings.Contains(s, "the server responded with a status of 40") })
					}
					if len(x.console) > 0 {
						t.Errorf("%s: the console has %.400s", what, x.console[0])
					}
					if !dark && lang == "en" {
						x.keyboard(what)
					}
					if pictures != "" {
						x.picture(filepath.Join(pictures, what+".png"))
					}
				}
			}
		}
	}
}

func withLang(path, lang string) string {
	if strings.Contains(path, "?") {
		return path + "&lang=" + lang
	}
	return path + "?lang=" + lang
}

// examine runs axe-core in the page, with all that folds up unfolded, and measures it.
func (x *tab) examine(what string, width int, axe string) {
	x.t.Helper()
	var wide []string
	// innerWidth would do as well, but on a telephone it grows with the page.
	x.eval(fmt.Sprintf(`document.querySelectorAll("details").forEach(d => d.open = true);
		document.documentElement.scrollWidth > %[1]d ? [...document.querySelectorAll("main *, header *")].filter(e => e.getBoundingClientRect().right > %[1]d && !e.parentElement.closest(".scroll")).map(e => e.outerHTML.slice(0, 120)).concat("the page") : []`, width), &wide)
	for _, e := range wide {
		x.t.Errorf("%s: wider than the screen: %s", what, e)
	}
	x.eval(axe+"; 0", nil)
	var r struct {
		Passes     int
		Violations []struct {
			ID, Help string
			Nodes    []struct{ HTML, FailureSummary string }
		}
	}
	x.eval(`axe.run(document, {resultTypes: ["violations"]}).then(r => ({passes: r.passes.length, violations: r.violations}))`, &r)
	if r.Passes < 10 {
		x.t.Errorf("%s: not looked at: %d rules passed", what, r.Passes)
	}
	for _, v := range r.Violations {
		x.t.Errorf("%s: %s: %s: %d times: %.300s: %.300s", what, v.ID, v.Help, len(v.Nodes), v.Nodes[0].HTML, v.Nodes[0].FailureSummary)
	}
	x.eval(`document.querySelectorAll("details").forEach(d => d.open = false)`, nil)
}

// keyboard presses Tab from the beginning of the page to its end.
func (x *tab) keyboard(what string) {
	x.t.Helper()
	var want []string
	x.eval(`window.marked = [...document.querySelectorAll("a[href], button, input, textarea, select, summary, [tabindex='0']")].filter(e => e.checkVisibility());
		marked.map((e, i) => i + " " + e.outerHTML.slice(0, 100))`, &want)
	x.eval(`document.activeElement.blur(); window.scrollTo(0, 0)`, nil)
	got := map[int]bool{}
	for range 4*len(want) + 10 {
		for _, kind := range []string{"rawKeyDown", "keyUp"} {
			x.call("Input.dispatchKeyEvent", map[string]any{"type": kind, "key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}, nil)
		}
		var at struct {
			I       int
			Visible bool
		}
		x.eval(`(() => { const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
			return {i: marked.indexOf(e), visible: (s.outlineStyle !== "none" || s.borderStyle !== "none") && r.width > 0 && r.right > 0 && r.left < innerWidth}; })()`, &at)
		if at.I >= 0 && !at.Visible {
			x.t.Errorf("%s: where the focus is does not show: %s", what, want[at.I])
		}
		if at.I >= 0 {
			got[at.I] = true
		}
		if len(got) == len(want) {
			break
		}
	}
	for i, w := range want {
		if !got[i] {
			x.t.Errorf("%s: the Tab key does not get to %s", what, w)
		}
	}
}

// picture writes the whole page to a file.
func (x *tab) picture(file string) {
	x.t.Helper()
	var shot struct{ Data string }
	x.call("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true}, &shot)
	b, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		err = os.WriteFile(file, b, 0o644)
	}
	if err != nil || len(b) < 5_000 {
		x.t.Errorf("%s: %d bytes, %v", file, len(b), err)
	}
}

// TestBrowserForms: without JavaScript a query finds, a note is kept and ended, and the
// language stays as it was chosen.
func TestBrowserForms(t *testing.T) {
	f := fleet(t, same)
	url := served(t, f)
	x := newTab(t)
	x.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": true}, nil)
	// submit fills in a form and sends it as the Enter key, or its button, would.
	submit := func(fill, button string) {
		t.Helper()
		x.loaded = false
		x.eval(fill+`; document.querySelector(`+"`"+button+"`"+`).click()`, nil)
		for !x.loaded {
			x.receive()
		}
	}
	text := func() (s string) {
		x.eval("document.body.innerText", &s)
		return s
	}
	x.open(url + "/gateways?lang=zh")
	if s := text(); !strings.Contains(s, "网关") {
		t.Errorf("no Chinese: %.300s", s)
	}
	submit(`document.getElementById("q").value = "owner:nobody"`, ".query button")
	if s := text(); !strings.Contains(s, "没有符合条件的网关") {
		t.Errorf("the query, or the language, was lost: %.300s", s)
	}
	x.open(url + "/gateways/" + f.gateways[0].ID.String() + "?lang=en")
	submit(`document.getElementById("text").value = "seen\nby a browser"`, ".write button")
	if s := text(); !regexp.MustCompile(`seen\s+by a browser`).MatchString(s) {
		t.Errorf("no note: %.3000s", s)
	}
	before := len(f.notes)
	submit("", ".written button")
	if f.notes[before-1].Until.IsZero() && f.notes[0].Until.After(now) {
		t.Errorf("no note ended: %+v", f.notes)
	}
}
