package fingerprint_test

import (
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
)

// alone returns the sets of one product each, by product.
func alone(t *testing.T) map[string]*fingerprint.Set {
	t.Helper()
	out := map[string]*fingerprint.Set{}
	for _, p := range builtin(t).Products() {
		fsys := fstest.MapFS{}
		for _, pattern := range []string{p.File, "releases/*.json"} {
			names, err := fs.Glob(fingerprints.FS, pattern)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				data, err := fs.ReadFile(fingerprints.FS, name)
				if err != nil {
					t.Fatal(err)
				}
				fsys[name] = &fstest.MapFile{Data: data}
			}
		}
		set, err := fingerprint.Load(fsys)
		if err != nil {
			t.Fatal(err)
		}
		out[p.ID] = set.Everywhere()
	}
	return out
}

// No product takes another's answers for its own, with every answer of the
// capture before it and no other product to outdo it.
func TestNoCrossIdentification(t *testing.T) {
	sets := alone(t)
	pairs, own := 0, 0
	for name, c := range recorded(t) {
		for id, set := range sets {
			o := c.Observation()
			v := set.Open(&o, event.LevelStandard).Verdict()
			recognised := v.Product.Confidence.Rank() >= event.Firm.Rank()
			switch pairs++; {
			case id == c.Expect.Product:
				own++
			case recognised:
				t.Errorf("%s is taken for %s (%s, because of %s)", name, id, v.Product.Confidence, strings.Join(v.Product.Because, ", "))
			}
		}
	}
	if own < 100 || pairs < 30*own {
		t.Errorf("only %d captures of products, %d pairs", own, pairs)
	}
	t.Logf("%d captures of products, %d pairs", own, pairs)
}

// Asked everything everywhere, the verdicts on all captures are the same.
func TestCapturesEverywhere(t *testing.T) {
	problems, _ := builtin(t).Everywhere().Test(recorded(t))
	for _, problem := range problems {
		t.Error(problem)
	}
}

// Of each relative and helper there is a capture in every state that its rules
// can prove, and of each with a version one that has it.
func TestStatesCovered(t *testing.T) {
	set, all := builtin(t), recorded(t)
	seen := map[string]bool{}
	for _, c := range all {
		seen[c.Expect.Product+" "+string(c.Expect.Auth)] = true
		if len(c.Expect.Candidates) > 0 {
			seen[c.Expect.Product+" version"] = true
		}
	}
	relatives := 0
	for _, p := range set.Products() {
		if !p.Relative && p.About == "" {
			continue
		}
		relatives++
		if p.ID == "nullclaw" { // never more than a guess
			continue
		}
		data, err := fs.ReadFile(fingerprints.FS, p.File)
		if err != nil {
			t.Fatal(err)
		}
		for _, state := range []string{"open", "required", "claimable"} {
			if strings.Contains(string(data), "{state: "+state) && !seen[p.ID+" "+state] {
				t.Errorf("%s: no capture that is %s", p.ID, state)
			}
		}
		if strings.Contains(string(data), "\nversion:") && !seen[p.ID+" version"] {
			t.Errorf("%s: no capture has its version", p.ID)
		}
	}
	if relatives < 25 {
		t.Errorf("only %d relatives and helpers", relatives)
	}
}

// NullClaw is named as a guess, and nothing is claimed of it.
func TestGuess(t *testing.T) {
	c := recorded(t)["nullclaw/guess.yaml"]
	set := builtin(t)
	if v := set.Replay(&c, event.LevelStandard).Verdict(); v.Product.ID != "nullclaw" || v.Product.Confidence != event.Tentative || v.Auth.State != event.AuthUnknown {
		t.Errorf("%+v", v)
	}
}

// What may be LiteLLM is not asked for /health, not even with everything asked.
func TestSpared(t *testing.T) {
	set := builtin(t).Everywhere()
	for name, c := range recorded(t) {
		o := set.Replay(&c, event.LevelStandard)
		if asked := o.Exchange("health") != nil; asked && path.Dir(name) == "litellm" {
			t.Errorf("%s was asked for its health", name)
		}
	}
}

// One product's requests that another has, too, are sent once; nothing is asked
// for twice, but for what decides behind a front, and what a relative is asked stays small.
func TestFewRequests(t *testing.T) {
	set := builtin(t)
	for name, c := range recorded(t) {
		for how, s := range map[string]*fingerprint.Set{"": set, ", everywhere": set.Everywhere()} {
			o := s.Replay(&c, event.LevelStandard)
			var asked []string
			for _, x := range o.Exchanges {
				line := x.Method + " " + x.Path
				if x.ID == "challenge" {
					line = "WebSocket " + x.Path
				}
				if slices.Contains(asked, line) && x.ID != "websockify" && x.ID != "tools-again" {
					t.Errorf("%s%s: %s twice", name, how, line)
				}
				asked = append(asked, line)
			}
			limit := 12
			if how != "" {
				limit = 24
			}
			if len(asked) > limit {
				t.Errorf("%s%s: %d requests", name, how, len(asked))
			}
		}
	}
}

// A body that may hold a secret is gone once it has been evaluated, and what it
// showed is not.
func TestDrop(t *testing.T) {
	const secret = "planted-1f8e2a-not-a-real-token"
	set := builtin(t)
	dropped := 0
	for name, c := range recorded(t) {
		if !slices.ContainsFunc(c.Exchanges, func(x evidence.CapturedExchange) bool { return strings.Contains(x.Body, secret) }) {
			continue
		}
		dropped++
		o := set.Replay(&c, event.LevelStandard)
		for i, e := range o.Describe(func(string) string { return "" }) {
			if strings.Contains(string(o.Exchanges[i].Body), secret) {
				t.Errorf("%s: the answer to %s is still there", name, e.ID)
			}
			for key, value := range e.Facts {
				if strings.Contains(key+value, secret) {
					t.Errorf("%s: a fact of %s holds it", name, e.ID)
				}
			}
		}
		if v := o.Verdict(); v.Auth.State != c.Expect.Auth {
			t.Errorf("%s: auth %s, want %s", name, v.Auth.State, c.Expect.Auth)
		}
	}
	if dropped < 3 {
		t.Errorf("only %d captures hold the planted secret", dropped)
	}
}

// On the port of a product its requests come first, whatever else is looked for:
// until one of those that have the port is certain, nothing else is asked for.
func TestOwnPortFirst(t *testing.T) {
	set := builtin(t).Everywhere()
	checked := 0
	for name, c := range recorded(t) {
		var own []string // of the products that have the port
		named := false
		for _, p := range set.Products() {
			if slices.Contains(p.Ports, c.Port) {
				own = append(own, p.Requests...)
				named = named || p.ID == c.Expect.Product && p.Relative
			}
		}
		if !named {
			continue
		}
		k := set.Replay(&c, event.LevelStandard)
		if k.Verdict().Product.Confidence != event.Certain {
			continue
		}
		checked++
		for _, x := range k.Exchanges {
			if !slices.ContainsFunc(own, func(r string) bool { return strings.HasSuffix(r, " "+x.Path) || strings.HasSuffix(r, " {base}"+x.Path) }) {
				t.Errorf("%s: %s %s was asked for on port %d, of none of its products", name, x.Method, x.Path, c.Port)
			}
		}
	}
	if checked < 40 {
		t.Errorf("only %d captures on ports of their products", checked)
	}
}
