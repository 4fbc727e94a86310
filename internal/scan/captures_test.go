package scan_test

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/replica"
	"github.com/clawsonar/clawsonar/internal/test/nameserver"
	"github.com/clawsonar/clawsonar/testdata/captures"
)

func recorded(t testing.TB) map[string]evidence.Capture {
	t.Helper()
	all, err := evidence.LoadCaptures(captures.FS, ".")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// start serves a capture until the test ends.
func start(t testing.TB, c evidence.Capture) *replica.Replica {
	t.Helper()
	r, err := replica.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// The whole way, from a socket to the result line, for every recorded gateway.
func TestCaptures(t *testing.T) {
	set := builtin(t)
	signals := signalNames(t)
	all := recorded(t)
	tested := 0
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c := all[name]
		if c.TLS != nil {
			t.Logf("%s: skipped, replicas do not speak TLS; the end-to-end tests scan the real gateway", name)
			continue
		}
		if c.Deep() || !strings.HasPrefix(name, "openclaw/") {
			t.Logf("%s: skipped, replicas answer HTTP and say the challenge, no more; the end-to-end tests scan the real programs", name)
			continue
		}
		tested++
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := single(start(t, c).Addr)
			spec.Base = c.Base
			ev := one(t, config(t, set, spec))
			if ev.Requests > 12 || ev.Connections > 2 {
				t.Errorf("%d requests on %d connections, want at most 12 on 2", ev.Requests, ev.Connections)
			}
			if len(ev.Evidence) != ev.Requests {
				t.Errorf("%d requests, but evidence of %d", ev.Requests, len(ev.Evidence))
			}
			compare(t, ev, c.Expect)
			because(t, ev, signals)
		})
	}
	if tested < 10 {
		t.Errorf("only %d captures could be tested", tested)
	}
}

// A wrapper that adds the gateway's token is named by an answer of its own, which
// is asked for only under the domain of its host: within the limit of requests,
// however much the gateway itself has to answer.
func TestWrappersAreNamed(t *testing.T) {
	all := recorded(t)
	zone := nameserver.Zone{}
	for _, c := range []struct{ capture, note string }{
		{"openclaw/moltworker-open.yaml", "This is moltworker."},
		{"openclaw/railway-open.yaml", "This is the template for Railway "},
	} {
		zone[all[c.capture].Host+" A"] = "127.0.0.1"
		answerDNS(t, zone)
		ev := one(t, config(t, builtin(t), named(all[c.capture].Host, start(t, all[c.capture]).Addr.Port())))
		if ev.Requests > 12 || !slices.ContainsFunc(ev.Notes, func(n string) bool { return strings.HasPrefix(n, c.note) }) {
			t.Errorf("%s: %d requests, notes %q, want one that begins %q", c.capture, ev.Requests, ev.Notes, c.note)
		}
	}
}

// compare holds a result line against what was configured.
func compare(t *testing.T, ev *event.Target, want evidence.Expectation) {
	t.Helper()
	same := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s is %q, want %q", what, got, want)
		}
	}
	outcome := "identified"
	if want.Product == "" {
		outcome = "other"
	}
	same("outcome", string(ev.Outcome), outcome)
	var product event.Product
	if ev.Product != nil {
		product = *ev.Product
	}
	same("product", product.ID, want.Product)
	same("brand", product.Brand, want.Brand)
	if want.Product != "" {
		exact := ""
		if len(want.Candidates) == 1 {
			exact = want.Candidates[0]
		}
		same("release", ev.Version.Exact, exact)
		same("candidates", strings.Join(ev.Version.Candidates, " "), strings.Join(want.Candidates, " "))
		if product.Confidence != "certain" && product.Confidence != "firm" {
			t.Errorf("confidence is %q", product.Confidence)
		}
	}
	var auth event.Auth
	if ev.Auth != nil {
		auth = *ev.Auth
	}
	same("auth", string(auth.State), string(want.Auth))
	front := ""
	if ev.Front != nil {
		front = ev.Front.Kind
	}
	same("front", front, want.Front)
	if open := slices.ContainsFunc(ev.Findings, func(f event.Finding) bool { return f.ID == "auth-missing" }); open != (want.Auth == "open") {
		t.Errorf("auth-missing reported: %t, but auth is %s", open, want.Auth)
	}
}

// because checks that every judgement names its evidence: signals that exist,
// seen in answers that are in the line.
func because(t *testing.T, ev *event.Target, signals []string) {
	t.Helper()
	judgements := map[string][]string{}
	if ev.Product != nil {
		judgements["product"] = ev.Product.Because
	}
	if ev.Auth != nil && ev.Auth.State != "unknown" {
		judgements["auth"] = ev.Auth.Because
	}
	if ev.Front != nil {
		judgements["front"] = ev.Front.Because
	}
	for what, names := range judgements {
		if len(names) == 0 {
			t.Errorf("%s is judged because of nothing", what)
		}
		for _, name := range names {
			if !slices.Contains(signals, name) {
				t.Errorf("%s because of %q, which no fingerprint knows", what, name)
			}
			// root.title was seen in the answer to root; blocked, front.caddy
			// and gate.http-authentication in any.
			request, _, dotted := strings.Cut(name, ".")
			if !dotted || request == "front" || request == "gate" {
				continue
			}
			if !slices.ContainsFunc(ev.Evidence, func(e event.Evidence) bool { return e.ID == request }) {
				t.Errorf("%s because of %q, but %s was never asked for", what, name, request)
			}
		}
	}
}

// signalNames lists what may stand in a because.
func signalNames(t testing.TB) []string {
	t.Helper()
	names, err := fs.Glob(fingerprints.FS, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, name := range names {
		data, err := fs.ReadFile(fingerprints.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			Requests    []struct{ Signals map[string]any }
			Answers     map[string]any // some are signals of the same name
			Signals     map[string]any
			Fronts      []struct{ ID string }
			LoginFronts []struct{ ID string } `yaml:"login_fronts"`
		}
		if err := yaml.Unmarshal(data, &file); err != nil {
			t.Fatal(err)
		}
		out = slices.AppendSeq(out, maps.Keys(file.Answers))
		out = slices.AppendSeq(out, maps.Keys(file.Signals))
		for _, r := range file.Requests {
			out = slices.AppendSeq(out, maps.Keys(r.Signals))
		}
		for _, f := range file.Fronts {
			out = append(out, "front."+f.ID)
		}
		for _, g := range file.LoginFronts {
			out = append(out, "gate."+g.ID)
		}
	}
	return out
}
