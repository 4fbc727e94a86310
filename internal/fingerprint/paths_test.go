package fingerprint

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
)

var update = flag.Bool("update", false, "write the golden files")

// Every request that a built-in file can make stands in a reviewed list, so that a
// new one is visible in review. Refresh with: go test ./internal/fingerprint -run
// TestRequestsReviewed -update
func TestRequestsReviewed(t *testing.T) {
	const golden = "../../testdata/golden/requests.txt"
	set, err := Load(fingerprints.FS)
	if err != nil {
		t.Fatal(err)
	}
	products := map[string][]string{}
	for _, p := range set.products {
		for i := range p.Requests {
			line := p.Requests[i].line()
			products[line] = append(products[line], p.ID)
		}
	}
	var b strings.Builder
	for _, line := range slices.Sorted(maps.Keys(products)) {
		by := strings.Join(products[line], " ")
		if len(products[line]) == len(set.products) {
			by = "all"
		}
		fmt.Fprintf(&b, "%s < %s\n", line, by)
	}
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the requests are\n%s\nbut the reviewed ones\n%s\nrefresh with -update and review", b.String(), want)
	}
}

// own is a fingerprint of a user's own, with one line to be replaced.
const own = `id: toy
name: Toy
ports: [4711]
base_paths: [/toy]
requests:
  - {id: root, path: "{base}/", signals: {hint: {status: 200, title: Toy}}}
  - {id: status, effect: none, path: /health, for: [identity], when: {any: [hint]}, signals: {marker: {status: 200, json: {product: toy}}}}
identity:
  - {confidence: certain, any: [marker]}
  - {confidence: tentative, any: [hint]}
`

func loadOwn(text string, confirmed ...string) (*Set, error) {
	return LoadOwn(fstest.MapFS{"toy.yaml": {Data: []byte(text)}}, fingerprints.Paths, append(confirmed, "/toy"))
}

// The promise of the README, tried: what a file of a user's own may ask for is on
// the reviewed list, or was confirmed.
func TestOwnRequests(t *testing.T) {
	const plainly = "write it plainly: a slash, then letters, digits, dots, hyphens and slashes, without a query"
	unlisted := func(path string) string {
		return fmt.Sprintf("path %q is not on the list of permitted paths: if asking for it changes nothing and gives out no secret, confirm it with -allow-path %s", path, path)
	}
	for request, want := range map[string]string{
		`path: /health`:                                  "",
		`path: "{base}/health"`:                          "",
		`path: /health, method: HEAD`:                    "",
		`path: /health, websocket: true`:                 "",
		`path: /health, secret: true, fresh: true`:       "",
		`path: /api/toy`:                                 "",
		`path: /api/toys`:                                unlisted("/api/toys"),
		`path: /api/toy/`:                                unlisted("/api/toy/"),
		`path: /api/toy/delete`:                          unlisted("/api/toy/delete"),
		`path: /logout`:                                  unlisted("/logout"),
		`path: /api/shutdown`:                            unlisted("/api/shutdown"),
		`path: /api/v1/token`:                            unlisted("/api/v1/token"),
		`path: /health/logout`:                           unlisted("/health/logout"),
		`path: "{base}/logout"`:                          unlisted("/logout"),
		`path: /Health`:                                  unlisted("/Health"),
		`path: /logout.css`:                              unlisted("/logout.css"),
		`path: "/admin/delete?id=1"`:                     `path "/admin/delete?id=1": ` + plainly,
		`path: "/health?restart=1"`:                      `path "/health?restart=1": ` + plainly,
		`path: "/health?"`:                               `path "/health?": ` + plainly,
		`path: "/health#/logout"`:                        `path "/health#/logout": ` + plainly,
		`path: "/health/../logout"`:                      `path "/health/../logout": ` + plainly,
		`path: "/health/./logout"`:                       `path "/health/./logout": ` + plainly,
		`path: "/%6cogout"`:                              `path "/%6cogout": ` + plainly,
		`path: "/health%2f..%2flogout"`:                  `path "/health%2f..%2flogout": ` + plainly,
		`path: "//health"`:                               `path "//health": ` + plainly,
		`path: "//example.org/logout"`:                   `path "//example.org/logout": ` + plainly,
		`path: "http://example.org/"`:                    `path "http://example.org/": ` + plainly,
		`path: "/\\health"`:                              `path "/\\health": ` + plainly,
		`path: "/health;/logout"`:                        `path "/health;/logout": ` + plainly,
		`path: "/health\u0000"`:                          `path "/health\x00": ` + plainly,
		`path: "/health\r\nX-Token: y"`:                  `path "/health\r\nX-Token: y": ` + plainly,
		`path: "/health HTTP/1.1"`:                       `path "/health HTTP/1.1": ` + plainly,
		`path: "/\uff48ealth"`:                           `path "/ｈealth": ` + plainly,
		`path: "/health\n"`:                              `path "/health\n": ` + plainly,
		`path: "/{random}"`:                              `path "/{random}": ` + plainly,
		`path: "/{script}"`:                              `path "/{script}": ` + plainly,
		`path: "/x{base}/health"`:                        `path "/x{base}/health": ` + plainly,
		`path: "{base}{base}/health"`:                    `path "{base}/health": ` + plainly,
		`path: "{base}"`:                                 `path "": ` + plainly,
		`path: ""`:                                       `path "": ` + plainly,
		`path: /pair/code`:                               `path "/pair/code" may not be asked for: it hands out a pairing code`,
		`path: /health, method: get`:                     `method "get" may not be sent: use GET or HEAD`,
		`path: /health, method: POST, level: standard`:   `method "POST" may not be sent: use GET or HEAD`,
		`path: /health, method: DELETE`:                  `method "DELETE" may not be sent: use GET or HEAD`,
		`path: /health, method: "GET /logout HTTP/1.1"`:  `method "GET /logout HTTP/1.1" may not be sent: use GET or HEAD`,
		`path: /health, body: x`:                         `GET has no body`,
		`path: /health, headers: {Accept: x}`:            `headers are for built-in files`,
		`path: /health, level: deep, headers: {Host: x}`: `headers are for built-in files`,
		`rfb: true, level: standard`:                     `rfb is for built-in files`,
		`path: /health, websocket: true, reply: control-ui, level: deep`:                                                                     `reply is for built-in files: a WebSocket is opened, and nothing is sent in it`,
		`path: /tools/invoke, method: POST, body: "{}", level: standard, headers: {Content-Type: application/json, X-OpenClaw-Scopes: none}`: `method "POST" may not be sent: use GET or HEAD`,
	} {
		set, err := loadOwn(strings.Replace(own, "path: /health", request, 1), "/api/toy")
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", request, err)
		case want == "":
			checkOwn(t, set, "/api/toy")
		case err == nil || err.Error() != `toy.yaml:7: request "status": `+want:
			t.Errorf("%s:\n  %v\nwant\n  toy.yaml:7: request \"status\": %s", request, err, want)
		}
	}
	for bases, want := range map[string]string{
		`[/toy]`:        "",
		`[/logout]`:     "toy.yaml:4: base path: " + unlisted("/logout"),
		`[/toy/../x]`:   `toy.yaml:4: base path "/toy/../x": write it as /claw, with small letters, digits and hyphens`,
		`["/toy?x=1&"]`: `toy.yaml:4: base path "/toy?x=1&": write it as /claw, with small letters, digits and hyphens`,
	} {
		_, err := loadOwn(strings.Replace(own, "[/toy]", bases, 1))
		if got := fmt.Sprint(err); want == "" && err != nil || want != "" && got != want {
			t.Errorf("bases %s:\n  %s\nwant\n  %s", bases, got, want)
		}
	}
}

// A path that is known to do harm, or has a second spelling, cannot be confirmed.
func TestConfirmedPaths(t *testing.T) {
	for path, ok := range map[string]bool{
		"/api/toy": true, "/a.b/c-d_e/": true, "/.well-known/x": true, "/": true,
		"/pair": false, "/Kill/x": false, "/json/new": false, "/api/config": false,
		"": false, "toy": false, "/a?b": false, "/a//b": false, "/../a": false, "/a/..": false, "/.git": false, "/a%20b": false, "/a;b": false, "/{random}": false, "/a\n": false,
	} {
		if _, err := loadOwn(own, path); (err == nil) != ok {
			t.Errorf("-allow-path %q: %v", path, err)
		}
	}
}

// The list itself holds to its rules.
func TestPathList(t *testing.T) {
	for list, want := range map[string]string{
		"paths:\n  - {path: /a, why: }\n":         `paths.yaml:2: a path is plain, in small letters, and has a reason`,
		"paths:\n  - {path: /A, why: x}\n":        `paths.yaml:2: a path is plain, in small letters, and has a reason`,
		"paths:\n  - {path: /a?b, why: x}\n":      `paths.yaml:2: a path is plain, in small letters, and has a reason`,
		"paths:\n  - {path: /api/envs, why: x}\n": `paths.yaml:2: a path is plain, in small letters, and has a reason`,
	} {
		if _, err := LoadOwn(fstest.MapFS{"toy.yaml": {Data: []byte(own)}}, []byte(list), nil); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", list, err, want)
		}
	}
}

// checkOwn makes every request of a set, regardless of its conditions, and holds each
// against the list.
func checkOwn(t *testing.T, set *Set, confirmed ...string) {
	t.Helper()
	page := evidence.Exchange{ID: rootID, Status: 200, Body: []byte(`<script src="/assets/a.js"></script>`)}
	for _, p := range set.products {
		for _, base := range append(p.Bases, "") {
			c := set.Open(&evidence.Observation{Base: base, Exchanges: []evidence.Exchange{page}}, event.LevelDeep)
			for i := range p.Requests {
				req, ok := p.Requests[i].request(c, base)
				if !ok {
					continue
				}
				path := strings.TrimPrefix(req.Path, base)
				listed := strings.Contains(string(fingerprints.Paths), "{path: "+path+",")
				if !listed && !slices.Contains(confirmed, path) || base != "" && base != "/toy" ||
					req.Method != "GET" && req.Method != "HEAD" || req.Body != "" || req.Reply != "" || req.RFB || len(req.Header) > 0 {
					t.Errorf("%+v can be sent", req)
				}
			}
		}
	}
}

// FuzzOwnRequests: with any file of a user's own, nothing outside the list
// becomes a request.
func FuzzOwnRequests(f *testing.F) {
	for _, path := range []string{"/health", "{base}/health", "{mount}/health", "/health/../logout", "/%68ealth", "//health", "/health?x", "/{script}", "/{random}", "/HEALTH", "{base}{mount}/health", "/.well-known/agent.json"} {
		f.Add("GET", path, "/toy", "", "", "", false)
	}
	f.Add("POST", "/tools/invoke", "/toy", "{}", "X-OpenClaw-Scopes", "", false)
	f.Add("HEAD", "/health", "/logout", "", "", "control-ui", true)
	f.Fuzz(func(t *testing.T, method, path, base, body, header, say string, websocket bool) {
		request := fmt.Sprintf("method: %q, path: %q, body: %q, say: %q, websocket: %t, level: deep", method, path, body, say, websocket)
		if header != "" {
			request += fmt.Sprintf(", headers: {%q: none}", header)
		}
		text := strings.NewReplacer("path: /health", request, "/toy", fmt.Sprintf("%q", base), "identity:\n", "mount: marker\nidentity:\n").Replace(own)
		if set, err := loadOwn(text); err == nil {
			checkOwn(t, set)
		}
	})
}
