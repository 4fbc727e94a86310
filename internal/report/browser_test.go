//go:build e2e

// Tests against the programs that read the reports: a browser with axe-core, and
// the SARIF multitool with the rules of GitHub. "make e2e-report" installs them.
package report

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
)

// tools is where npm has put axe-core and the multitool.
const tools = "../../.cache/report/node_modules"

// browser is Chromium without a window, in a folder of its own, and without
// anything that would go out to the network by itself.
func browser(t *testing.T, args ...string) []byte {
	t.Helper()
	name := ""
	for _, n := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(n); err == nil {
			name = p
			break
		}
	}
	if name == "" {
		t.Skip("SKIPPED: there is no chromium: the page was not looked at by a browser")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	args = append([]string{
		"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--hide-scrollbars", "--virtual-time-budget=20000", "--user-data-dir=" + t.TempDir(),
	}, args...)
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return out
}

func scheme(dark bool) []string {
	if dark {
		return []string{"--force-dark-mode", "--blink-settings=preferredColorScheme=0"}
	}
	return []string{"--blink-settings=preferredColorScheme=1"}
}

// pages are the reports that are looked at.
func pages(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{
		"replicas":   render(t, "html", Options{Checks: fixtureChecks()}, replicas(t)...),
		"everything": render(t, "html", Options{Checks: fixtureChecks(), Lang: "zh"}, mixed()...),
		"hostile":    render(t, "html", Options{Checks: fixtureChecks(), Verbose: true}, hostile(500)...),
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	file, err := filepath.Abs(filepath.Join(t.TempDir(), name))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestBrowserAxe: axe-core finds nothing to complain of, on a telephone, a
// tablet and a desk, light and dark. All pages and widths are frames of one.
func TestBrowserAxe(t *testing.T) {
	axe, err := os.ReadFile(filepath.Join(tools, "axe-core", "axe.min.js"))
	if err != nil {
		t.Skip("SKIPPED: axe-core is not installed: run make e2e-report")
	}
	const run = `<script>axe.run(document, {resultTypes: ["violations"]}).then(function (r) {
		parent.postMessage({name: window.name, violations: r.violations, passes: r.passes.length}, "*"); });</script>`
	var host strings.Builder
	host.WriteString(`<!doctype html><title>host</title><pre id="out"></pre><script>var left = 0, all = {};
		addEventListener("message", function (e) { all[e.data.name] = e.data; if (--left === 0) document.getElementById("out").textContent = "AXE" + JSON.stringify(all) + "AXE"; });</script>`)
	var names []string
	for name, page := range pages(t) {
		// The page's policy forbids foreign scripts, such as this one.
		page = regexp.MustCompile(`<meta http-equiv="Content-Security-Policy"[^>]*>`).ReplaceAllString(page, "")
		page = strings.Replace(page, "</body>", "<script>"+string(axe)+"</script>"+run+"</body>", 1)
		for _, width := range []int{390, 1024, 1600} {
			names = append(names, fmt.Sprintf("%s-%d", name, width))
			fmt.Fprintf(&host, `<script>left++</script><iframe name="%s" width="%d" height="1200" srcdoc="%s"></iframe>`, names[len(names)-1], width, html.EscapeString(page))
		}
	}
	file := write(t, "host.html", host.String())
	for _, dark := range []bool{false, true} {
		m := regexp.MustCompile(`(?s)AXE(\{.*\})AXE</pre>`).FindSubmatch(browser(t, append(scheme(dark), "--window-size=1700,1300", "--dump-dom", "file://"+file)...))
		if m == nil {
			t.Fatal("axe-core gave no result")
		}
		var all map[string]struct {
			Passes     int
			Violations []struct {
				ID, Help string
				Nodes    []struct{ HTML, FailureSummary string }
			}
		}
		if err := json.Unmarshal([]byte(html.UnescapeString(string(m[1]))), &all); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			r, ok := all[name]
			if !ok || r.Passes < 10 {
				t.Errorf("%s, dark %t: not looked at: %d rules passed", name, dark, r.Passes)
			}
			for _, v := range r.Violations {
				t.Errorf("%s, dark %t: %s: %s: %d times: %.300s: %.300s", name, dark, v.ID, v.Help, len(v.Nodes), v.Nodes[0].HTML, v.Nodes[0].FailureSummary)
			}
		}
		t.Logf("dark %t: %d pages looked at", dark, len(all))
	}
}

// TestBrowserPolicy: under its own policy the page has its looks and its search.
func TestBrowserPolicy(t *testing.T) {
	page := pages(t)["replicas"]
	dom := string(browser(t, "--dump-dom", "file://"+write(t, "page.html", page)))
	if strings.Contains(dom, `id="search" hidden`) || !strings.Contains(dom, `id="search"`) {
		t.Error("the page's own script does not run under its policy")
	}
	styled := strings.Replace(page, "</style>", "</style><style>body{display:none}</style>", 1)
	foreign := strings.Replace(styled, "</body>", `<script>document.title="owned"</script></body>`, 1)
	if dom := string(browser(t, "--dump-dom", "file://"+write(t, "page.html", foreign))); strings.Contains(dom, "<title>owned") {
		t.Error("a foreign script runs")
	}
}

// TestBrowserPictures leaves pictures and a PDF for eyes in .cache/report.
func TestBrowserPictures(t *testing.T) {
	dir, err := filepath.Abs("../../.cache/report")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	url := "file://" + write(t, "page.html", pages(t)["replicas"])
	for width, dark := range map[int]bool{390: false, 1024: true, 1600: false} {
		file := filepath.Join(dir, fmt.Sprintf("replicas-%d-%s.png", width, pick(dark, "dark", "light")))
		browser(t, append(scheme(dark), fmt.Sprintf("--window-size=%d,3000", width), "--screenshot="+file, url)...)
		if info, err := os.Stat(file); err != nil || info.Size() < 20_000 {
			t.Errorf("%s: %v: no picture, or an empty one", file, err)
		}
	}
	file := filepath.Join(dir, "replicas.pdf")
	browser(t, "--no-pdf-header-footer", "--print-to-pdf="+file, url)
	if b, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(b), "%PDF-") || strings.Count(string(b), "/Type /Page\n")+strings.Count(string(b), "/Type/Page/")+strings.Count(string(b), "/Type /Page") < 2 {
		t.Errorf("%s: %v: no PDF of several pages", file, err)
	}
}

// TestSARIFMultitool: neither the rules of the format nor those of GitHub find an
// error or a warning.
func TestSARIFMultitool(t *testing.T) {
	tool := filepath.Join(tools, "@microsoft", "sarif-multitool-linux", "Sarif.Multitool")
	if _, err := os.Stat(tool); err != nil {
		t.Skip("SKIPPED: the SARIF multitool is not installed: run make e2e-report")
	}
	if err := os.Chmod(tool, 0o755); err != nil { // what its install script would do
		t.Fatal(err)
	}
	for name, events := range map[string][]event.Event{"replicas": replicas(t), "everything": mixed(), "diff": changed(), "vantages": apart(), "hostile": hostile(500), "empty": nil, "files": inspected()} {
		out := filepath.Join(t.TempDir(), "out.sarif")
		in := write(t, "in.sarif", render(t, "sarif", Options{Checks: fixtureChecks()}, events...))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		cmd := exec.CommandContext(ctx, tool, "validate", in, "--rule-kind", "Sarif;Gh;Ghas", "--level", "Error;Warning;Note", "--output", out)
		cmd.Env = append(os.Environ(), "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1") // it has no need of ICU here
		text, err := cmd.CombinedOutput()
		cancel()
		if err != nil {
			t.Fatalf("%s: %v\n%.2000s", name, err, text)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		var log struct {
			Runs []struct {
				Tool struct {
					Driver struct{ Rules []struct{ ID string } }
				}
				Results []struct {
					RuleID, Level string
					Message       json.RawMessage
				}
			}
		}
		if err := json.Unmarshal(b, &log); err != nil {
			t.Fatal(err)
		}
		counts := map[string]int{}
		for _, r := range log.Runs[0].Results {
			counts[r.Level]++
			if r.Level != "note" {
				t.Errorf("%s: %s %s: %.300s", name, r.Level, r.RuleID, r.Message)
			}
		}
		t.Logf("%s: %v", name, counts)
	}
}
