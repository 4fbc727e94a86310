package machine

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
)

const (
	dashboardFile = "../../../examples/grafana-dashboard.json"
	rulesFile     = "../../../examples/prometheus-rules.yml"
)

// series are the samples of all that the hub tells Prometheus, as NAME{LABELS}.
func series(t *testing.T) map[string]string {
	t.Helper()
	f := setUp(t, func(o *Options) {
		o.Prober = stub{"a b": func() ([]*event.Target, error) { return []*event.Target{gateway("10.0.0.1", event.AuthOpen, "1")}, nil }}
	}).tokens()
	out := map[string]string{}
	for _, path := range []string{"/metrics", "/probe?watch=a&target=b"} {
		code, text, _ := f.ask("GET", path, f.view, "")
		if code != 200 {
			t.Fatalf("%s: %d %s", path, code, text)
		}
		for name, value := range samples(t, text) {
			out[name] = value
		}
	}
	return out
}

// checkExpr holds an expression to the metrics and labels that there are.
func checkExpr(t *testing.T, where, expr string, have map[string]string) {
	t.Helper()
	names := regexp.MustCompile(`clawsonar_[a-z_]+`).FindAllString(expr, -1)
	if len(names) == 0 {
		t.Errorf("%s: no metric in %q", where, expr)
	}
	for _, name := range names {
		found := false
		for sample := range have {
			found = found || sample == name || strings.HasPrefix(sample, name+"{")
		}
		if !found {
			t.Errorf("%s: %q: there is no metric %s", where, expr, name)
		}
	}
	for _, m := range regexp.MustCompile(`(clawsonar_[a-z_]+)\{([^}]*)\}`).FindAllStringSubmatch(expr, -1) {
		for _, l := range regexp.MustCompile(`([a-z]+)(=~|=)"([^"]*)"`).FindAllStringSubmatch(m[2], -1) {
			values := strings.Split(l[3], "|")
			if l[3] == "$watch" {
				values = []string{"office"}
			}
			for _, v := range values {
				found := false
				for sample := range have {
					found = found || strings.HasPrefix(sample, m[1]+"{") && strings.Contains(sample, l[1]+`="`+v+`"`)
				}
				if !found {
					t.Errorf("%s: %q: %s never has %s=%q", where, expr, m[1], l[1], v)
				}
			}
		}
	}
}

// The dashboard shows what there is, in panels that do not lie on each other, from the
// data source that is chosen on its page.
func TestDashboard(t *testing.T) {
	have := series(t)
	text, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	type source struct{ Type, UID string }
	var d struct {
		UID, Title    string
		SchemaVersion int
		Inputs        []any `json:"__inputs"` // would be asked for when it is imported
		ID            any
		Templating    struct {
			List []struct {
				Name, Type, Definition string
				Datasource             source
			}
		}
		Panels []struct {
			ID                       int
			Type, Title, Description string
			Datasource               source
			GridPos                  struct{ X, Y, W, H int }
			FieldConfig              struct {
				Defaults struct {
					Mappings   []any
					Thresholds struct{ Steps []struct{ Color string } }
				}
			}
			Targets []struct {
				Datasource   source
				Expr         string
				LegendFormat string
			}
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if d.Title == "" || d.UID == "" || d.SchemaVersion < 36 || d.Inputs != nil || d.ID != nil || len(d.Panels) < 8 {
		t.Errorf("%+v", d)
	}
	chosen := source{"prometheus", "${datasource}"}
	var variables []string
	for _, v := range d.Templating.List {
		variables = append(variables, v.Name)
		if v.Type == "query" {
			checkExpr(t, v.Name, v.Definition, have)
			if v.Datasource != chosen {
				t.Errorf("%s: %v", v.Name, v.Datasource)
			}
		}
	}
	for _, name := range regexp.MustCompile(`\$\{?([a-z]+)`).FindAllStringSubmatch(string(text), -1) {
		if !slices.Contains(variables, name[1]) {
			t.Errorf("there is no variable %s", name[1])
		}
	}
	for sample := range have {
		name, _, _ := strings.Cut(sample, "{")
		// The interval is for rules, and what a probe tells for pages of one's own.
		probed := slices.Contains([]string{"clawsonar_auth_state", "clawsonar_gateway_info"}, name) || strings.HasPrefix(name, "clawsonar_probe_")
		if !probed && name != "clawsonar_watch_interval_seconds" && !strings.Contains(string(text), name) {
			t.Errorf("no panel shows %s", name)
		}
	}
	taken, ids := map[[2]int]string{}, map[int]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.ID == 0 || p.Title == "" || p.Description == "" || p.Datasource != chosen || len(p.Targets) == 0 {
			t.Errorf("panel %d, %s: %+v", p.ID, p.Title, p)
		}
		ids[p.ID] = true
		// What is not known has the colour of the first step, if nothing else is said of it.
		if steps := p.FieldConfig.Defaults.Thresholds.Steps; len(steps) > 0 && steps[0].Color == "green" && !strings.Contains(fmt.Sprint(p.FieldConfig.Defaults.Mappings), "null+nan") {
			t.Errorf("%s: no data is green", p.Title)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Errorf("%s lies on %q at %d, %d", p.Title, other, x, y)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		for _, q := range p.Targets {
			checkExpr(t, p.Title, q.Expr, have)
			if q.Datasource != chosen {
				t.Errorf("%s: %v", p.Title, q.Datasource)
			}
			for _, l := range regexp.MustCompile(`\{\{(.*?)\}\}`).FindAllStringSubmatch(q.LegendFormat, -1) {
				if !strings.Contains(q.Expr, l[1]) && p.Type == "timeseries" {
					t.Errorf("%s: %s is not a label of %s", p.Title, l[1], q.Expr)
				}
			}
		}
	}
}

func TestRules(t *testing.T) {
	text, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	exprs := regexp.MustCompile(`(?m)^ +expr: (.*)$`).FindAllStringSubmatch(string(text), -1)
	if len(exprs) < 7 {
		t.Errorf("%d rules", len(exprs))
	}
	have := series(t)
	for _, m := range exprs {
		checkExpr(t, "rules", m[1], have)
	}
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Skip("SKIPPED: promtool is not installed (Debian's package prometheus): the rules are not checked by it")
	}
	for _, args := range [][]string{{"check", "rules", rulesFile}, {"test", "rules", "testdata/rules.yml"}} {
		if out, err := exec.Command("promtool", args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}
