package fingerprint_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
)

// valid is a small fingerprint that loads; each case below breaks one line.
const valid = `id: toy
name: Toy
ports: [4711]
requests:
  - {id: root, path: "{base}/"}
  - {id: status, path: /status, for: [identity], when: {any: [hint]}}
signals:
  hint: {on: root, status: 200, title: Toy}
  marker: {on: status, status: 200, json: {product: toy}}
  refused: {on: status, status: 401}
identity:
  - {confidence: certain, any: [marker]}
  - {confidence: tentative, any: [hint]}
auth:
  - {state: open, all: [marker]}
  - {state: required, all: [refused]}
version:
  - {source: status, on: status, json: version, confidence: certain}
`

func load(text string) error {
	_, err := fingerprint.Load(fstest.MapFS{"toy.yaml": {Data: []byte(text)}})
	return err
}

func TestValid(t *testing.T) {
	if err := load(valid); err != nil {
		t.Fatal(err)
	}
}

func TestInvalid(t *testing.T) {
	replace := func(old, new string) string {
		if !strings.Contains(valid, old) {
			t.Fatalf("the valid fingerprint has no %q", old)
		}
		return strings.Replace(valid, old, new, 1)
	}
	const status = `{id: status, path: /status, for: [identity], when: {any: [hint]}}`
	request := func(text string) string { return replace(status, text) }
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", replace("ports:", "port:"), `toy.yaml: line 3: field port not found in type fingerprint.spec`},
		{"broken YAML", replace("signals:", "signals: ["), `toy.yaml: `},
		{"duplicate key", replace("  marker:", "  hint:"), `toy.yaml: line 9: `},
		{"bad id", replace("id: toy", "id: Toy!"), `toy.yaml:1: id "Toy!": use small letters, digits, dots and hyphens`},
		{"no name", replace("name: Toy\n", ""), `toy.yaml:1: name is missing`},
		{"no identity", valid[:strings.Index(valid, "identity:\n")], `toy.yaml:1: identity is missing: nothing would ever be recognised`},
		{"POST", request(`{id: status, method: POST, path: /status, body: "{}", level: standard, when: {any: [hint]}}`), `toy.yaml:6: request "status": the only POST that may be sent is the empty /tools/invoke with X-OpenClaw-Scopes: none`},
		{"tools POST with a body", request(`{id: status, method: POST, path: /tools/invoke, body: '{"name":"exec"}', level: standard, headers: {Content-Type: application/json, X-OpenClaw-Scopes: none}, when: {any: [hint]}}`), `toy.yaml:6: request "status": the only POST`},
		{"tools POST with scopes", request(`{id: status, method: POST, path: /tools/invoke, body: "{}", level: standard, headers: {Content-Type: application/json, X-OpenClaw-Scopes: operator.admin}, when: {any: [hint]}}`), `toy.yaml:6: request "status": the only POST`},
		{"passive POST", request(`{id: status, method: POST, path: /tools/invoke, body: "{}", headers: {Content-Type: application/json, X-OpenClaw-Scopes: none}, when: {any: [hint]}}`), `toy.yaml:6: request "status": a POST needs level: standard`},
		{"DELETE", request(`{id: status, method: DELETE, path: /status, when: {any: [hint]}}`), `toy.yaml:6: request "status": method "DELETE" may not be sent: use GET or HEAD`},
		{"GET with body", request(`{id: status, path: /status, body: x, when: {any: [hint]}}`), `toy.yaml:6: request "status": GET has no body`},
		{"denied path", request(`{id: status, path: /pair/code, when: {any: [hint]}}`), `toy.yaml:6: request "status": path "/pair/code" may not be asked for: it hands out a pairing code`},
		{"denied path below the base path", request(`{id: status, path: "{base}/json/new", when: {any: [hint]}}`), `toy.yaml:6: request "status": path "{base}/json/new" may not be asked for: it acts on the browser`},
		{"denied path behind a query", request(`{id: status, path: "/api/config?x=1", when: {any: [hint]}}`), `toy.yaml:6: request "status": path "/api/config?x=1" may not be asked for: it hands out secrets`},
		{"denied path in other spelling", request(`{id: status, path: "/x/../%70air/code", when: {any: [hint]}}`), `toy.yaml:6: request "status": path "/x/../%70air/code": write it plainly, without % and dot segments`},
		{"denied path doubled slash", request(`{id: status, path: "//pair/code", when: {any: [hint]}}`), `toy.yaml:6: request "status": path "//pair/code": write it plainly, without % and dot segments`},
		{"line break in path", request(`{id: status, path: "/a\r\nX: y", when: {any: [hint]}}`), `toy.yaml:6: request "status": path "/a\r\nX: y": use a path that begins with /, {base}/ or {mount}/`},
		{"denied path below the mount", request(`{id: status, path: "{mount}/json/new", when: {any: [hint]}}`), `toy.yaml:6: request "status": path "{mount}/json/new" may not be asked for: it acts on the browser`},
		{"mount without its signal", request(`{id: status, path: "{mount}/x", when: {any: [hint]}}`), `toy.yaml:6: request "status": {mount} needs mount: the signal that shows where it is`},
		{"mount that is no signal", replace("identity:", "mount: nowhere\nidentity:"), `toy.yaml:11: no signal is called "nowhere"`},
		{"credential header", request(`{id: status, path: /status, headers: {Authorization: Bearer x}, when: {any: [hint]}}`), `toy.yaml:6: request "status": header "Authorization" may not be sent: it could be taken for a credential, an identity or an origin`},
		{"forwarding header", request(`{id: status, path: /status, headers: {X-Forwarded-For: 127.0.0.1}, when: {any: [hint]}}`), `toy.yaml:6: request "status": header "X-Forwarded-For" may not be sent`},
		{"origin below level deep", request(`{id: status, path: /status, headers: {Origin: "https://audit.invalid"}, when: {any: [hint]}}`), `toy.yaml:6: request "status": header "Origin" may not be sent`},
		{"an origin that somebody may have", request(`{id: status, path: /status, level: deep, headers: {Origin: "https://example.org"}, when: {any: [hint]}}`), `toy.yaml:6: request "status": header "Origin" may not be sent`},
		{"an address that somebody has", request(`{id: status, path: /status, level: deep, headers: {X-Forwarded-For: 127.0.0.1}, when: {any: [hint]}}`), `toy.yaml:6: request "status": header "X-Forwarded-For" may not be sent`},
		{"an identity at level deep", request(`{id: status, path: /status, level: deep, headers: {X-Forwarded-User: x}, when: {any: [hint]}}`), `toy.yaml:6: request "status": header "X-Forwarded-User" may not be sent`},
		{"unknown message", request(`{id: status, path: /status, websocket: true, say: hello, level: deep, when: {any: [hint]}}`), `toy.yaml:6: request "status": say "hello": use control-ui or rfb, with websocket: true`},
		{"said without a WebSocket", request(`{id: status, path: /status, say: control-ui, level: deep, when: {any: [hint]}}`), `toy.yaml:6: request "status": say "control-ui": use control-ui`},
		{"said below level deep", request(`{id: status, path: /status, websocket: true, say: control-ui, level: standard, when: {any: [hint]}}`), `toy.yaml:6: request "status": say "control-ui" needs level: deep (rfb: standard)`},
		{"RFB with a path", request(`{id: status, rfb: true, path: /status, when: {any: [hint]}}`), `toy.yaml:6: request "status": rfb is no HTTP: it has no path, header or body`},
		{"first without ports", strings.Replace(request(`{id: status, rfb: true, first: true, level: standard}`), "ports: [4711]\n", "", 1), `toy.yaml:5: request "status": first needs ports: it is made on the product's own alone`},
		{"base path with a slash", replace("ports: [4711]", "bases: [/claw/]"), `toy.yaml:3: base path "/claw/": write it as /claw, with small letters, digits and hyphens`},
		{"release without a table", replace("  marker:", "  old: {release: {to: 2026.1.1}}\n  marker:"), `toy.yaml:9: signal "old" needs a release table: add releases`},
		{"bad release", replace("  marker:", "  old: {release: {to: soon}}\n  marker:"), `toy.yaml: line 9: `},
		{"trait that always holds", valid + "traits:\n  - {id: x, none: [refused]}\n", `toy.yaml:20: a trait needs an id and a condition with all or any`},
		{"no condition", request(`{id: status, path: /status}`), `toy.yaml:6: request "status" has no condition: it would be sent to every web server; add when`},
		{"unknown question", request(`{id: status, path: /status, for: [fun], when: {any: [hint]}}`), `toy.yaml:6: unknown question "fun": use identity, auth, version, surfaces, passive or deep`},
		{"first request is another", replace(`{id: root, path: "{base}/"}`, `{id: root, path: /x}`), `toy.yaml:5: request "root": the first request, and only the first, is GET {base}/ with the id root`},
		{"request twice", request(`{id: root, path: /status, when: {any: [hint]}}`), `toy.yaml:6: request id "root" is used twice`},
		{"unknown signal in when", request(`{id: status, path: /status, when: {any: [nope]}}`), `toy.yaml:6: no signal is called "nope"`},
		{"unknown request in on", replace("refused: {on: status", "refused: {on: nowhere"), `toy.yaml:10: signal "refused": no request is called "nowhere"`},
		{"unknown matcher", replace("status: 401}", "statuss: 401}"), `toy.yaml: line 10: field statuss not found`},
		{"bad pattern", replace("status: 401}", "body: '('}"), `toy.yaml: line 10: error parsing regexp: missing closing )`},
		{"nothing to see", replace("refused: {on: status, status: 401}", "refused: {on: status}"), `toy.yaml:10: signal "refused" must be exactly one of`},
		{"two kinds", replace("refused: {on: status, status: 401}", "refused: {on: status, status: 401, any: [hint]}"), `toy.yaml:10: signal "refused" must be exactly one of`},
		{"depends on itself", replace("refused: {on: status, status: 401}", "refused: {any: [refused]}"), `toy.yaml:10: signal "refused" depends on itself`},
		{"signal that holds where nothing shows", replace("refused: {on: status, status: 401}", "refused: {none: [hint]}"), `toy.yaml:10: signal "refused" would hold where nothing shows: add all or any`},
		{"condition that holds where nothing shows", request(`{id: status, path: /status, when: {none: [hint]}}`), `toy.yaml:6: request "status" has no condition: it would be sent to every web server; add when`},
		{"a status that makes certain", replace("marker: {on: status, status: 200, json: {product: toy}}", "marker: {on: status, status: 200, type: application/json}"), `toy.yaml:12: signal "marker" decides this alone, and looks at no content: a status or a port proves nothing`},
		{"a port that makes open", strings.Replace(replace("  - {state: open, all: [marker]}", "  - {state: open, all: [port]}"), "  marker:", "  port: {default_port: true}\n  marker:", 1), `toy.yaml:16: signal "port" decides this alone`},
		{"a status that makes open", replace("  - {state: open, all: [marker]}\n  - {state: required, all: [refused]}", "  - {state: open, all: [refused]}"), `toy.yaml:15: signal "refused" decides this alone, and looks at no content: a status or a port proves nothing`},
		{"version out of a secret", request(`{id: status, path: /status, secret: true, for: [identity], when: {any: [hint]}}`), `toy.yaml:18: version source "status": the answer to "status" may hold a secret, nothing is read out of it`},
		{"version range without an end", replace("  marker:", "  old: {version: {}}\n  marker:"), `toy.yaml:9: signal "old": write a version range as {from: 1.2.3, before: 1.4}`},
		{"bad version range", replace("  marker:", "  old: {version: {before: soon}}\n  marker:"), `toy.yaml:9: signal "old": write a version range as {from: 1.2.3, before: 1.4}`},
		{"relative without advice", replace("ports: [4711]", "relative: true"), `toy.yaml:15: a relative that can be open needs advice for it`},
		{"half an advice", valid + "advice:\n  open: {means: x, fix: y}\n", `toy.yaml:20: advice "open" needs means, fix and steps`},
		{"helper and relative", replace("ports: [4711]", "relative: true\nhelper: true"), `toy.yaml:4: a product is a helper or a relative, not both`},
		{"gateways of a relative", replace("ports: [4711]", "gateways: {to: 2026.2.16}"), `toy.yaml:1: near and gateways are for helpers`},
		{"nothing to spare", valid + "spare:\n  - {request: health}\n", `toy.yaml:20: spare needs a request and a condition with all or any`},
		{"denied path in capitals", request(`{id: status, path: /KILL/all, when: {any: [hint]}}`), `toy.yaml:6: request "status": path "/KILL/all" may not be asked for: it ends a session`},
		{"denied path with a random part", request(`{id: status, path: "/kill/{random}", when: {any: [hint]}}`), `toy.yaml:6: request "status": path "/kill/{random}" may not be asked for: it ends a session`},
		{"two random parts", request(`{id: status, path: "/a-{random}-{random}", when: {any: [hint]}}`), `toy.yaml:6: request "status": path "/a-{random}-{random}": use a path`},
		{"log-in of no request", replace("  marker:", "  asks: {login: nowhere}\n  marker:"), `toy.yaml:9: signal "asks": no request is called "nowhere"`},
		{"log-in and more", replace("  marker:", "  asks: {login: root, status: 401}\n  marker:"), `toy.yaml:9: signal "asks" must be exactly one of`},
		{"gated where nothing shows", valid + "gated: {none: [refused]}\n", `toy.yaml:19: gated would hold where nothing shows: add all or any`},
		{"gated by no signal", valid + "gated: {all: [nope]}\n", `toy.yaml:19: no signal is called "nope"`},
		{"unused signal", replace("  - {state: required, all: [refused]}\n", ""), `toy.yaml:10: signal "refused" is never used`},
		{"unreachable rule", replace("  - {confidence: tentative, any: [hint]}", "  - {confidence: tentative, any: [hint]}\n  - {confidence: firm, all: [hint, refused]}"), `toy.yaml:14: rule can never be reached: whenever it holds, a rule before it holds as well`},
		{"unreachable by contradiction", replace("  - {state: required, all: [refused]}", "  - {state: required, all: [refused], none: [refused]}"), `toy.yaml:16: rule can never be reached`},
		{"unconditional rule", replace("  - {state: open, all: [marker]}", "  - {state: open}"), `toy.yaml:15: rule has no condition: it would always hold`},
		{"unknown state", replace("state: open", "state: ajar"), `toy.yaml:15: unknown auth state "ajar": use open, required, gated, blocked, claimable or unknown`},
		{"unknown confidence", replace("confidence: certain, any", "confidence: sure, any"), `toy.yaml:12: unknown confidence "sure": use certain, firm or tentative`},
		{"unknown confidence of a release", replace("json: version, confidence: certain", "json: version, confidence: sure"), `toy.yaml:18: unknown confidence "sure": use certain, firm or tentative`},
		{"unknown level", request(`{id: status, path: /status, level: all, when: {any: [hint]}}`), `toy.yaml:6: unknown level "all": use passive, standard or deep`},
		{"advice for an unknown state", valid + "advice:\n  ajar: {means: x, fix: y, steps: z}\n", `toy.yaml:20: unknown auth state "ajar": use open, required, gated, blocked, claimable or unknown`},
		{"two version sources in one", replace("json: version,", "json: version, assets: true,"), `toy.yaml:18: a version source needs a name, a confidence and exactly one of attribute, header, body, json, assets`},
		{"assets without a table", replace("json: version,", "assets: true,"), `toy.yaml:18: version source "status" needs a release table: add releases`},
		{"unknown table", replace("ports: [4711]", "releases: toy"), `toy.yaml: release table "toy": `},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := load(c.text)
			if err == nil {
				t.Fatalf("loads, want %q", c.want)
			}
			if !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error\n  %s\nwant one line that begins with\n  %s", err, c.want)
			}
		})
	}
}

// Two files of one folder are held against each other.
func TestInvalidSet(t *testing.T) {
	other := strings.Replace(valid, "id: toy", "id: other", 1)
	for _, c := range []struct{ name, text, want string }{
		{"same id", valid, `b.yaml: product id "toy" is taken by a.yaml`},
		{"id for another request", strings.Replace(other, "path: /status", "path: /other", 1), `b.yaml: request id "status" stands for another request`},
		{"another id for a request", strings.NewReplacer("{id: status,", "{id: state,", "on: status", "on: state").Replace(other), `b.yaml: request "state" is called "status" in another file`},
		{"same marker", other, `b.yaml: marker "marker" is the same as "marker" in a.yaml: it cannot tell the two products apart`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := fingerprint.Load(fstest.MapFS{"a.yaml": {Data: []byte(valid)}, "b.yaml": {Data: []byte(c.text)}})
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// FuzzLoad: whatever a fingerprint file holds, loading it ends with a set or
// an error of one line.
func FuzzLoad(f *testing.F) {
	f.Add(valid)
	f.Add(strings.Replace(valid, "any: [hint]", "any: [hint, hint]", 1))
	f.Add("id: a\nname: b\nrequests: []\n")
	f.Fuzz(func(t *testing.T, text string) {
		if err := load(text); err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("error of several lines: %q", err)
		}
	})
}

// TestRefusals has the whole message of what matters most.
func TestRefusals(t *testing.T) {
	replace := func(old, new string) string { return strings.Replace(valid, old, new, 1) }
	status := func(text string) string {
		return replace(`{id: status, path: /status, for: [identity], when: {any: [hint]}}`, text)
	}
	for _, c := range []struct{ name, a, b, want string }{
		{"a POST", status(`{id: status, method: POST, path: /api/setup, body: "{}", level: standard, when: {any: [hint]}}`), "",
			`a.yaml:6: request "status": the only POST that may be sent is the empty /tools/invoke with X-OpenClaw-Scopes: none`},
		{"a denied path", status(`{id: status, path: /api/pico/token, when: {any: [hint]}}`), "",
			`a.yaml:6: request "status": path "/api/pico/token" may not be asked for: it hands out a token`},
		{"an unreachable rule", replace("  - {state: required, all: [refused]}", "  - {state: required, all: [refused]}\n  - {state: gated, all: [refused, hint]}"), "",
			`a.yaml:17: rule can never be reached: whenever it holds, a rule before it holds as well`},
		{"two products with one marker", valid, strings.Replace(valid, "id: toy", "id: other", 1),
			`b.yaml: marker "marker" is the same as "marker" in a.yaml: it cannot tell the two products apart`},
		{"a status as the proof", replace("marker: {on: status, status: 200, json: {product: toy}}", "marker: {on: status, status: 200}"), "",
			`a.yaml:12: signal "marker" decides this alone, and looks at no content: a status or a port proves nothing`},
	} {
		fsys := fstest.MapFS{"a.yaml": {Data: []byte(c.a)}}
		if c.b != "" {
			fsys["b.yaml"] = &fstest.MapFile{Data: []byte(c.b)}
		}
		if _, err := fingerprint.Load(fsys); err == nil || err.Error() != c.want {
			t.Errorf("%s:\n  %v\nwant\n  %s", c.name, err, c.want)
		}
	}
	set, err := fingerprint.Load(fstest.MapFS{"a.yaml": {Data: []byte(valid)}})
	if err != nil {
		t.Fatal(err)
	}
	problems, idle := set.Test(nil)
	want := `a.yaml: marker "marker": no capture shows it
a.yaml: marker "marker": no capture has another answer to its request
a.yaml:12: toy: identity certain: it decides in no capture
a.yaml:15: toy: auth open: it decides in no capture`
	if got := strings.Join(problems, "\n"); got != want {
		t.Errorf("a fingerprint without captures:\n%s\nwant\n%s", got, want)
	}
	want = `a.yaml:13: toy: identity tentative
a.yaml:16: toy: auth required
a.yaml:18: toy: version status`
	if got := strings.Join(idle, "\n"); got != want {
		t.Errorf("rules that decide nowhere:\n%s\nwant\n%s", got, want)
	}
}

// What is written as JSON is looked for in JSON alone: many servers have a page,
// or text, for whatever path is asked for.
func TestJSONByName(t *testing.T) {
	set, err := fingerprint.Load(fstest.MapFS{"a.yaml": {Data: []byte(valid)}})
	if err != nil {
		t.Fatal(err)
	}
	for media, want := range map[string]string{"application/json; charset=utf-8": "toy", "text/html": "", "text/plain": "", "": ""} {
		o := evidence.Observation{Exchanges: []evidence.Exchange{
			{ID: "root", Method: "GET", Path: "/", Status: 200, Header: evidence.Header{{Name: "Content-Type", Value: "text/html"}}},
			{ID: "status", Method: "GET", Path: "/status", Status: 200, Body: []byte(`{"product":"toy"}`), Header: evidence.Header{{Name: "Content-Type", Value: media}}},
		}}
		if v := set.Open(&o, event.LevelStandard).Verdict(); v.Product.ID != want {
			t.Errorf("%q: product %q, want %q", media, v.Product.ID, want)
		}
	}
}

func TestVersionRange(t *testing.T) {
	text := strings.NewReplacer("auth:\n", "traits:\n  - {id: old, all: [old]}\nauth:\n", "signals:\n", "signals:\n  old: {version: {from: 1.1.3, before: 1.1.8}}\n").Replace(valid)
	set, err := fingerprint.Load(fstest.MapFS{"a.yaml": {Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]bool{
		"1.1.2": false, "1.1.3": true, "v1.1.3": true, "1.1.7.post1": true, "1.1.8": false, "1.1.10": false, "1.2": false, "1.1": false, "0.9": false, "new": false, "": false,
	} {
		o := evidence.Observation{Exchanges: []evidence.Exchange{{
			ID: "status", Method: "GET", Path: "/status", Status: 200, Body: []byte(`{"product":"toy","version":"` + version + `"}`),
			Header: evidence.Header{{Name: "Content-Type", Value: "application/json"}},
		}}}
		v := set.Open(&o, event.LevelStandard).Verdict()
		if got := v.Trait("old") != nil; got != want {
			t.Errorf("%q in the range: %t, want %t", version, got, want)
		}
	}
}
