package fingerprint_test

import (
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
)

// valid is a small fingerprint that loads; each case below breaks one thing in it.
const valid = `id: toy
name: Toy
ports: [4711]
requests:
  - {id: root, path: "{base}/", signals: {hint: {status: 200, title: Toy}}}
  - id: status
    effect: none
    path: /status
    for: [identity]
    when: {any: [hint]}
    signals:
      marker: {status: 200, json: {product: toy}}
      refused: {status: 401}
identity:
  - {confidence: certain, any: [marker]}
  - {confidence: tentative, any: [hint]}
auth:
  - {state: open, all: [marker]}
  - {state: required, all: [refused]}
version:
  - {source: status, request: status, json_path: version, confidence: certain}
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
	entry := valid[strings.Index(valid, "  - id: status"):strings.Index(valid, "identity:\n")]
	request := func(text string) string { return replace(entry, "  - "+text+"\n") }
	more := func(text string) string { return replace("    when:", "    "+text+"\n    when:") }
	own := func(text string) string { return replace("identity:\n", "signals:\n  "+text+"\nidentity:\n") }
	for _, c := range []struct{ name, text, want string }{
		// The keys and what they take.
		{"misspelt key", replace("ports:", "port:"), `toy.yaml:3: unknown key "port": did you mean "ports"?`},
		{"key of nothing", replace("ports:", "colour:"), `toy.yaml:3: unknown key "colour"`},
		{"misspelt key of a request", more("levle: deep"), `toy.yaml:10: unknown key "levle": did you mean "level"?`},
		{"misspelt key of a signal", replace("status: 401", "statsu: 401"), `toy.yaml:13: unknown key "statsu": did you mean "status"?`},
		{"key twice", replace("refused: {", "marker: {"), `toy.yaml:13: duplicate key "marker"`},
		{"text for a list of numbers", replace("[4711]", "all"), `toy.yaml:3: ports: expected a list, found a string`},
		{"number out of range", replace("[4711]", "[4711, 70000]"), `toy.yaml:3: ports: expected a whole number from 0 to 65535, found a number`},
		{"list for a text", replace("name: Toy", "name: [Toy]"), `toy.yaml:2: name: expected a string, found a list`},
		{"no value", replace("name: Toy", "name:"), `toy.yaml:1: name is missing`},
		{"text for true or false", more("secret: maybe"), `toy.yaml:10: secret: expected true or false, found a string`},
		{"number for a list of entries", replace("identity:\n", "traits: 3\nidentity:\n"), `toy.yaml:14: traits: expected a list, found a number`},
		{"list for keys", replace("when: {any: [hint]}", "when: [hint]"), `toy.yaml:10: when: expected a mapping of all, any, not, found a list`},
		{"keys for a list", replace("[hint]}\n    signals", "{hint: 1}}\n    signals"), `toy.yaml:10: any: expected a list, found a mapping`},
		{"keys for a value of JSON", replace("product: toy", "product: {name: toy}"), `toy.yaml:12: a JSON value to compare with must be a string, number, boolean or null`},
		{"list for a level", more("level: [deep]"), `toy.yaml:10: level: expected a string, found a list`},
		{"unknown level", more("level: deeper"), `toy.yaml:10: unknown level "deeper": use passive, standard or deep`},
		{"bad pattern", replace("status: 401", "body_regex: '('"), `toy.yaml:13: no regular expression: missing closing ): "("`},
		{"bad pattern of a header", replace("status: 401", "header_regex: {Server: '[z-a]'}"), `toy.yaml:13: no regular expression: invalid character class range: "z-a"`},
		{"unknown state", replace("state: open", "state: ajar"), `toy.yaml:18: unknown auth state "ajar": use open, required, gated, blocked, claimable or unknown`},
		{"unknown state of an advice", valid + "advice:\n  ajar: {means: x}\n", `toy.yaml:23: unknown auth state "ajar": use open, required, gated, blocked, claimable or unknown`},
		{"unknown confidence", replace("confidence: certain, any", "confidence: sure, any"), `toy.yaml:15: unknown confidence "sure": use certain, firm or tentative`},
		{"bad release", own("old: {releases: {to: soon}}"), `toy.yaml:15: "soon" is not a release: want YYYY.M.P, or that with -N, -alpha.N, -beta.N or -rc.N`},
		{"broken YAML", replace("ports: [4711]", "ports: [4711"), `toy.yaml:4: did not find expected ',' or ']'`},
		{"two documents", valid + "---\nid: other\n", `toy.yaml:22: a second document begins: one is read`},
		{"nothing", "", `toy.yaml:1: id "": use small letters, digits, dots and hyphens`},
		{"a list", "- id: toy\n", `toy.yaml:1: expected a mapping, found a list`},
		{"alias", replace("name: Toy", "name: &a Toy\nabout: *a"), `toy.yaml:3: an alias, *a: write out what it stands for`},
		// Keys of the first edition name those of today.
		{"old key on", replace("{status: 401}", "{on: status, status: 401}"), `toy.yaml:13: unknown key "on": a signal stands below the request whose answer it reads`},
		{"old key on of a version source", replace("request: status", "on: status"), `toy.yaml:21: unknown key "on": it is "request" now`},
		{"old key none", replace("{any: [hint]}", "{any: [hint], none: [refused]}"), `toy.yaml:10: unknown key "none": it is "not" now`},
		{"old key say", more("say: rfb"), `toy.yaml:10: unknown key "say": it is "reply" now`},
		{"old key spare", valid + "spare:\n  - {request: health, any: [hint]}\n", `toy.yaml:22: unknown key "spare": it is "never_ask" now`},
		{"old key first", more("first: true"), `toy.yaml:10: unknown key "first": it is "speaks_first" now`},
		{"old key near", valid + "near: [3]\n", `toy.yaml:22: unknown key "near": it is "port_offsets" now`},
		{"old key keys", replace("status: 401", "keys: [a]"), `toy.yaml:13: unknown key "keys": it is "has" now`},
		{"old key no_keys", replace("status: 401", "no_keys: [a]"), `toy.yaml:13: unknown key "no_keys": it is "lacks" now`},
		{"old key body", replace("status: 401", "body: a"), `toy.yaml:13: unknown key "body": it is "body_regex" now`},
		{"old key json_match", replace("status: 401", "json_match: {a: b}"), `toy.yaml:13: unknown key "json_match": it is "json_regex" now`},
		{"old key header", replace("status: 401", "header: {a: b}"), `toy.yaml:13: unknown key "header": it is "header_regex" now`},
		{"old key stamp", replace("json_path: version", "json_path: version, stamp: true"), `toy.yaml:21: unknown key "stamp": it is "build_stamp" now`},
		{"old key json of a version source", replace("json_path: version", "json: version"), `toy.yaml:21: unknown key "json": it is "json_path" now`},
		{"old key release", own("old: {release: {to: 2026.1.1}}"), `toy.yaml:15: unknown key "release": it is "releases" now`},
		{"old key version", own("old: {version: {from: 1.2.3}}"), `toy.yaml:15: unknown key "version": it is "versions" now`},
		{"old key releases", valid + "releases: openclaw\n", `toy.yaml:22: unknown key "releases": it is "release_table" now`},
		{"old key surfaces", valid + "surfaces: []\n", `toy.yaml:22: unknown key "surfaces": a surface stands at the request whose answer it is about`},
		{"old key gateways", valid + "gateways: {to: 2026.1.1}\n", `toy.yaml:22: unknown key "gateways": it is "gateway_releases" now`},
		{"old key bases", valid + "bases: [/claw]\n", `toy.yaml:22: unknown key "bases": it is "base_paths" now`},
		// What may be sent.
		{"POST", request(`{id: status, effect: none, method: POST, path: /status, body: "{}", level: standard, when: {any: [hint]}}`), `toy.yaml:6: request "status": the only POST that may be sent is the empty /tools/invoke with X-OpenClaw-Scopes: none`},
		{"tools POST with a body", request(`{id: status, effect: none, method: POST, path: /tools/invoke, body: '{"name":"exec"}', level: standard, headers: {Content-Type: application/json, X-OpenClaw-Scopes: none}, when: {any: [hint]}}`), `toy.yaml:6: request "status": the only POST that may be sent is the empty /tools/invoke with X-OpenClaw-Scopes: none`},
		{"tools POST with scopes", request(`{id: status, effect: none, method: POST, path: /tools/invoke, body: "{}", level: standard, headers: {Content-Type: application/json, X-OpenClaw-Scopes: operator.admin}, when: {any: [hint]}}`), `toy.yaml:6: request "status": the only POST that may be sent is the empty /tools/invoke with X-OpenClaw-Scopes: none`},
		{"passive POST", request(`{id: status, effect: none, method: POST, path: /tools/invoke, body: "{}", headers: {Content-Type: application/json, X-OpenClaw-Scopes: none}, when: {any: [hint]}}`), `toy.yaml:6: request "status": a POST needs level: standard`},
		{"DELETE", request(`{id: status, effect: none, method: DELETE, path: /status, when: {any: [hint]}}`), `toy.yaml:6: request "status": method "DELETE" may not be sent: use GET or HEAD`},
		{"GET with body", request(`{id: status, effect: none, path: /status, body: x, when: {any: [hint]}}`), `toy.yaml:6: request "status": GET has no body`},
		{"denied path", request(`{id: status, effect: none, path: /pair/code, when: {any: [hint]}}`), `toy.yaml:6: request "status": path "/pair/code" may not be asked for: it hands out a pairing code`},
		{"denied path below the base path", request(`{id: status, effect: none, path: "{base}/json/new", when: {any: [hint]}}`), `toy.yaml:6: request "status": path "{base}/json/new" may not be asked for: it acts on the browser`},
		{"denied path below the mount", request(`{id: status, effect: none, path: "{mount}/json/new", when: {any: [hint]}}`), `toy.yaml:6: request "status": path "{mount}/json/new" may not be asked for: it acts on the browser`},
		{"denied path behind a query", request(`{id: status, effect: none, path: "/api/config?x=1", when: {any: [hint]}}`), `toy.yaml:6: request "status": path "/api/config?x=1" may not be asked for: it hands out secrets`},
		{"denied path in other spelling", request(`{id: status, effect: none, path: "/x/../%70air/code", when: {any: [hint]}}`), `toy.yaml:6: request "status": path "/x/../%70air/code": write it plainly, without % and dot segments`},
		{"denied path doubled slash", request(`{id: status, effect: none, path: "//pair/code", when: {any: [hint]}}`), `toy.yaml:6: request "status": path "//pair/code": write it plainly, without % and dot segments`},
		{"denied path in capitals", request(`{id: status, effect: none, path: /KILL/all, when: {any: [hint]}}`), `toy.yaml:6: request "status": path "/KILL/all" may not be asked for: it ends a session`},
		{"denied path with a random part", request(`{id: status, effect: none, path: "/kill/{random}", when: {any: [hint]}}`), `toy.yaml:6: request "status": path "/kill/{random}" may not be asked for: it ends a session`},
		{"denied path that hands out a token", request(`{id: status, effect: none, path: /api/pico/token, when: {any: [hint]}}`), `toy.yaml:6: request "status": path "/api/pico/token" may not be asked for: it hands out a token`},
		{"two random parts", request(`{id: status, effect: none, path: "/a-{random}-{random}", when: {any: [hint]}}`), `toy.yaml:6: request "status": path "/a-{random}-{random}": use a path that begins with /, {base}/ or {mount}/`},
		{"line break in path", request(`{id: status, effect: none, path: "/a\r\nX: y", when: {any: [hint]}}`), `toy.yaml:6: request "status": path "/a\r\nX: y": use a path that begins with /, {base}/ or {mount}/`},
		{"credential header", more("headers: {Authorization: Bearer x}"), `toy.yaml:6: request "status": header "Authorization" may not be sent: it could be taken for a credential, an identity or an origin`},
		{"forwarding header", more("headers: {X-Forwarded-For: 127.0.0.1}"), `toy.yaml:6: request "status": header "X-Forwarded-For" may not be sent: it could be taken for a credential, an identity or an origin`},
		{"origin below level deep", more(`headers: {Origin: "https://audit.invalid"}`), `toy.yaml:6: request "status": header "Origin" may not be sent: it could be taken for a credential, an identity or an origin`},
		{"an origin that somebody may have", more("level: deep\n    headers: {Origin: \"https://example.org\"}"), `toy.yaml:6: request "status": header "Origin" may not be sent: it could be taken for a credential, an identity or an origin`},
		{"an address that somebody has", more("level: deep\n    headers: {X-Forwarded-For: 127.0.0.1}"), `toy.yaml:6: request "status": header "X-Forwarded-For" may not be sent: it could be taken for a credential, an identity or an origin`},
		{"an identity at level deep", more("level: deep\n    headers: {X-Forwarded-User: x}"), `toy.yaml:6: request "status": header "X-Forwarded-User" may not be sent: it could be taken for a credential, an identity or an origin`},
		{"RFB with a path", more("rfb: true"), `toy.yaml:6: request "status": rfb is no HTTP: it has no path, header or body`},
		// Requests.
		{"unknown reply", more("reply: hello\n    websocket: true\n    level: deep"), `toy.yaml:6: request "status": reply "hello": use control-ui or rfb, with websocket: true`},
		{"reply without a WebSocket", more("reply: control-ui\n    level: deep"), `toy.yaml:6: request "status": reply "control-ui": use control-ui or rfb, with websocket: true`},
		{"reply below level deep", more("reply: control-ui\n    websocket: true\n    level: standard"), `toy.yaml:6: request "status": reply "control-ui" needs level: deep (rfb: standard)`},
		{"no effect", strings.Replace(valid, "    effect: none\n", "", 1), `toy.yaml:6: request "status": effect is missing: say what the request can change and what the answer gives away`},
		{"speaks_first without ports", strings.Replace(request(`{id: status, effect: none, rfb: true, speaks_first: true, level: standard}`), "ports: [4711]\n", "", 1), `toy.yaml:5: request "status": speaks_first needs ports: it is made on the product's own alone`},
		{"mount without its signal", request(`{id: status, effect: none, path: "{mount}/x", when: {any: [hint]}}`), `toy.yaml:6: request "status": {mount} needs mount: the signal that tells where it is`},
		{"mount that is no signal", valid + "mount: nowhere\n", `toy.yaml:22: no signal is called "nowhere"`},
		{"no condition", request(`{id: status, effect: none, path: /status}`), `toy.yaml:6: request "status" has no condition: it would be sent to every web server; add when`},
		{"condition that matches where no signal does", request(`{id: status, effect: none, path: /status, when: {not: [hint]}}`), `toy.yaml:6: request "status" has no condition: it would be sent to every web server; add when`},
		{"unknown question", replace("for: [identity]", "for: [fun]"), `toy.yaml:9: unknown question "fun": use identity, auth, version, surfaces, passive or deep`},
		{"first request is another", replace(`path: "{base}/"`, `path: /x`), `toy.yaml:5: request "root": the first request, and only the first, is GET {base}/ with the id root`},
		{"request twice", replace("id: status\n", "id: root\n"), `toy.yaml:6: request id "root" is used twice`},
		{"bad request id", replace("id: status\n", "id: Status\n"), `toy.yaml:6: request id "Status": use small letters, digits, dots and hyphens`},
		{"unknown signal in when", replace("when: {any: [hint]}", "when: {any: [hnit]}"), `toy.yaml:10: no signal is called "hnit": did you mean "hint"?`},
		{"releases without a table", more("releases: {to: 2026.1.1}"), `toy.yaml:10: request "status": releases needs a release table: add release_table`},
		{"releases without an end", more("releases: {or: hint}"), `toy.yaml:10: request "status": write releases as {from: 2026.3.8, to: 2026.4.14}, or with one of the two`},
		{"releases or no signal", more("releases: {to: 2026.1.1, or: nope}") + "release_table: openclaw\n", `toy.yaml:10: no signal is called "nope"`},
		{"surface without a state", more("surfaces: [{id: page}]"), `toy.yaml:10: a surface needs an id and a condition: open, gated or present`},
		{"surface without an id", more("surfaces: [{open: marker}]"), `toy.yaml:10: a surface needs an id and a condition: open, gated or present`},
		{"surface by no signal", more("surfaces: [{id: page, open: makrer}]"), `toy.yaml:10: no signal is called "makrer": did you mean "marker"?`},
		{"surface that matches where no signal does", more("surfaces: [{id: page, open: {not: marker}}]"), `toy.yaml:10: surface "page" would match where no signal does: add all or any`},
		{"surface without a path of its own", strings.Replace(more("surfaces: [{id: page, open: marker}]"), "path: /status", `path: "/status/{random}"`, 1), `toy.yaml:10: surface "page" needs a path: that of the request is not always the same`},
		// Signals and answers.
		{"nothing to see", replace("refused: {status: 401}", "refused: {}"), `toy.yaml:13: signal "refused" has nothing to match in the answer`},
		{"login and more", replace("refused: {status: 401}", "refused: {login: true, status: 401}"), `toy.yaml:13: signal "refused": login goes with nothing else to match in the answer`},
		{"secret beside a login", replace("refused: {status: 401}", "refused: {login: true, secret: true}"), `toy.yaml:13: signal "refused": login goes with nothing else to match in the answer`},
		{"unknown answer", replace("refused: {status: 401}", "refused: rfused") + "answers:\n  refused: {status: 401}\n", `toy.yaml:13: no answer is called "rfused": did you mean "refused"?`},
		{"unknown answer below shows", more("shows: nope"), `toy.yaml:10: no answer is called "nope"`},
		{"answer that gives a key twice", replace("refused: {status: 401}", "refused: {answer: no, status: 401}") + "answers:\n  no: {status: 403}\n", `toy.yaml:13: signal "refused": answer "no" gives "status" a second time`},
		{"answers that give a value twice", replace("refused: {status: 401}", "refused: {answer: no, json: {a: b}}") + "answers:\n  no: {json: {a: c}}\n", `toy.yaml:13: signal "refused": answer "no" gives "a" a second time`},
		{"answer of an answer", valid + "answers:\n  no: {answer: yes}\n", `toy.yaml:23: unknown key "answer": an answer names no other`},
		{"unused answer", valid + "answers:\n  no: {status: 403}\n", `toy.yaml:23: answer "no" is never used`},
		{"one name for two things to see", replace("      refused:", "      hint: {status: 200}\n      refused:"), `toy.yaml:13: signal "hint" matches something else here than below request "root": give it another name`},
		{"one name below a request and by itself", own("refused: {any: [hint]}"), `toy.yaml:13: signal "refused" stands among the signals of no request as well`},
		{"two kinds", own("both: {any: [hint], default_port: true}"), `toy.yaml:15: signal "both" must be exactly one of: a condition on other signals, default_port, based, loopback, subject_regex, host_regex, versions, releases`},
		{"no kind", own("none: {}"), `toy.yaml:15: signal "none" must be exactly one of: a condition on other signals, default_port, based, loopback, subject_regex, host_regex, versions, releases`},
		{"depends on itself", own("here: {any: [there]}\n  there: {any: [here, hint]}"), `toy.yaml:15: signal "here" depends on itself`},
		{"signal that matches where no signal does", own("quiet: {not: [hint]}"), `toy.yaml:15: signal "quiet" would match where no signal does: add all or any`},
		{"unknown signal in a signal", own("quiet: {all: [hnit]}"), `toy.yaml:15: no signal is called "hnit": did you mean "hint"?`},
		{"bad signal name", own("Quiet: {all: [hint]}"), `toy.yaml:15: signal name "Quiet": use small letters, digits, dots and hyphens`},
		{"unused signal", own("quiet: {all: [hint]}"), `toy.yaml:15: signal "quiet" is never used`},
		{"unused signal below a request", replace("  - {state: required, all: [refused]}\n", ""), `toy.yaml:13: signal "refused" is never used`},
		{"release without a table", own("old: {releases: {to: 2026.1.1}}"), `toy.yaml:15: signal "old" needs a release table: add release_table`},
		{"versions without an end", own("old: {versions: {}}"), `toy.yaml:15: signal "old": write versions as {from: "1.2.3", before: "1.4"}, or with one of the two`},
		{"bad versions", own("old: {versions: {before: soon}}"), `toy.yaml:15: signal "old": write versions as {from: "1.2.3", before: "1.4"}, or with one of the two`},
		{"versions and a table", own("old: {versions: {before: 1.2.3}}") + "release_table: openclaw\n", `toy.yaml:15: signal "old": with a release table use releases`},
		// What follows from them.
		{"bad id", replace("id: toy", "id: Toy!"), `toy.yaml:1: id "Toy!": use small letters, digits, dots and hyphens`},
		{"no name", replace("name: Toy\n", ""), `toy.yaml:1: name is missing`},
		{"no identity", valid[:strings.Index(valid, "identity:\n")], `toy.yaml:1: identity is missing: nothing would ever be recognised`},
		{"base path with a slash", valid + "base_paths: [/claw/]\n", `toy.yaml:22: base path "/claw/": write it as /claw, with small letters, digits and hyphens`},
		{"a status that makes certain", replace("json: {product: toy}", "type: application/json"), `toy.yaml:15: signal "marker" decides this alone, and looks at no content: a status or a port proves nothing`},
		{"a port that makes open", strings.Replace(own("port: {default_port: true}"), "{state: open, all: [marker]}", "{state: open, all: [port]}", 1), `toy.yaml:20: signal "port" decides this alone, and looks at no content: a status or a port proves nothing`},
		{"a status that makes open", replace("  - {state: open, all: [marker]}\n  - {state: required, all: [refused]}", "  - {state: open, all: [refused]}"), `toy.yaml:18: signal "refused" decides this alone, and looks at no content: a status or a port proves nothing`},
		{"unreachable rule", replace("  - {confidence: tentative, any: [hint]}", "  - {confidence: tentative, any: [hint]}\n  - {confidence: firm, all: [hint, refused]}"), `toy.yaml:17: rule can never be reached: whenever it matches, a rule before it matches as well`},
		{"unreachable by contradiction", replace("{state: required, all: [refused]}", "{state: required, all: [refused], not: [refused]}"), `toy.yaml:19: rule can never be reached: whenever it matches, a rule before it matches as well`},
		{"unconditional rule", replace("{state: open, all: [marker]}", "{state: open}"), `toy.yaml:18: rule has no condition: it would always match`},
		{"rule without a state", replace("{state: open, all: [marker]}", "{all: [marker]}"), `toy.yaml:18: an auth rule needs a state`},
		{"rule without a confidence", replace("{confidence: tentative, any: [hint]}", "{any: [hint]}"), `toy.yaml:16: an identity rule needs a confidence`},
		{"unknown signal in a rule", replace("{state: open, all: [marker]}", "{state: open, all: [makrer]}"), `toy.yaml:18: no signal is called "makrer": did you mean "marker"?`},
		{"trait that always matches", valid + "traits:\n  - {id: x, not: [refused]}\n", `toy.yaml:23: a trait needs an id and a condition with all or any`},
		{"note without a text", valid + "notes:\n  - {id: x, all: [refused]}\n", `toy.yaml:23: a note needs a text and a condition; its id has small letters, digits, dots and hyphens`},
		{"note with a bad id", valid + "notes:\n  - {id: X, text: x, all: [refused]}\n", `toy.yaml:23: a note needs a text and a condition; its id has small letters, digits, dots and hyphens`},
		{"two notes of one id", valid + "notes:\n  - {id: x, text: x, all: [refused]}\n  - {id: x, text: y, all: [hint]}\n", `toy.yaml:24: note id "x" is used twice`},
		{"version out of a secret", more("secret: true"), `toy.yaml:22: version source "status": the answer to "status" may hold a secret, nothing is read out of it`},
		{"version from no request", replace("request: status", "request: staus"), `toy.yaml:21: version source "status": no request is called "staus"`},
		{"two version sources in one", replace("json_path: version,", "json_path: version, assets: true,"), `toy.yaml:21: a version source needs a name, a confidence and exactly one of attribute, header_regex, body_regex, json_path, assets`},
		{"version pattern without a group", replace("json_path: version,", "body_regex: 'v1',"), `toy.yaml:21: version source "status": the pattern needs exactly one group, the version`},
		{"version by the version", own("old: {versions: {before: 1.2.3}}") + "  - {source: x, request: root, body_regex: '(x)', confidence: firm, all: old}\n", `toy.yaml:24: version source "x" depends on the release, which it is to tell`},
		{"assets without a table", replace("json_path: version,", "assets: true,"), `toy.yaml:21: version source "status" needs a release table: add release_table`},
		{"unknown table", valid + "release_table: toy\n", `toy.yaml:22: release table "toy": open releases/toy.json: file does not exist`},
		{"relative without advice", valid + "relative: true\n", `toy.yaml:18: a relative that can be open needs advice for it`},
		{"half an advice", valid + "advice:\n  open: {means: x, fix: y}\n", `toy.yaml:23: advice "open" needs means, fix and steps`},
		{"helper and relative", valid + "relative: true\nhelper: true\n", `toy.yaml:23: a product is a helper or a relative, not both`},
		{"port_offsets of no helper", valid + "port_offsets: [3]\n", `toy.yaml:22: port_offsets is for helpers`},
		{"gateway_releases of no helper", valid + "gateway_releases: {to: 2026.2.16}\n", `toy.yaml:22: gateway_releases is for helpers`},
		{"never_ask without a condition", valid + "never_ask:\n  - {request: health}\n", `toy.yaml:23: never_ask needs a request and a condition with all or any`},
		{"gated where no signal matches", valid + "gated: {not: [refused]}\n", `toy.yaml:22: gated would match where no signal does: add all or any`},
		{"gated by no signal", valid + "gated: {all: [nope]}\n", `toy.yaml:22: no signal is called "nope"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := load(c.text); err == nil || err.Error() != c.want {
				t.Errorf("error\n  %v\nwant\n  %s", err, c.want)
			}
		})
	}
}

// Two files of one folder are held against each other.
func TestInvalidSet(t *testing.T) {
	other := strings.Replace(valid, "id: toy", "id: other", 1)
	for _, c := range []struct{ name, text, want string }{
		{"same id", valid, `b.yaml:1: product id "toy" is taken by a.yaml`},
		{"id for another request", strings.Replace(other, "path: /status", "path: /other", 1),
			`b.yaml:6: request id "status" stands for another request in another file: give this one its own`},
		{"another id for a request", strings.NewReplacer("id: status", "id: state", "request: status", "request: state").Replace(other),
			`b.yaml:6: request "state" is called "status" in another file: call it so here, and it is sent once`},
		{"same marker", other, `b.yaml:12: marker "marker" is the same as "marker" in a.yaml: it cannot tell the two products apart`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := fingerprint.Load(fstest.MapFS{"a.yaml": {Data: []byte(valid)}, "b.yaml": {Data: []byte(c.text)}})
			if err == nil || err.Error() != c.want {
				t.Errorf("error\n  %v\nwant\n  %s", err, c.want)
			}
		})
	}
}

var oneLine = regexp.MustCompile(`^(toy\.yaml:\d+: [^\n]+|no fingerprint of a product: [^\n]+)$`)

// FuzzLoad: loading any fingerprint file ends with a set or
// an error of one line that says where.
func FuzzLoad(f *testing.F) {
	f.Add(valid)
	f.Add(strings.Replace(valid, "any: [hint]", "any: [hint, hint], not: refused", 1))
	f.Add(strings.Replace(valid, "{status: 401}", "no", 1) + "answers:\n  no: {status: 401}\n")
	f.Add("id: a\nname: b\nrequests: []\n")
	f.Fuzz(func(t *testing.T, text string) {
		if err := load(text); err != nil && !oneLine.MatchString(err.Error()) {
			t.Errorf("an error that is not FILE:LINE and one line: %q", err)
		}
	})
}

// A marker needs a capture that it matches, and one that it does not.
func TestMarkerWithoutCaptures(t *testing.T) {
	set, err := fingerprint.Load(fstest.MapFS{"a.yaml": {Data: []byte(valid)}})
	if err != nil {
		t.Fatal(err)
	}
	problems, idle := set.Test(nil)
	want := `a.yaml: marker "marker": it matches in no capture
a.yaml: marker "marker": no capture has another answer to its request
a.yaml:15: toy: identity certain: it decides in no capture
a.yaml:18: toy: auth open: it decides in no capture`
	if got := strings.Join(problems, "\n"); got != want {
		t.Errorf("a fingerprint without captures:\n%s\nwant\n%s", got, want)
	}
	want = `a.yaml:16: toy: identity tentative
a.yaml:19: toy: auth required
a.yaml:21: toy: version status`
	if got := strings.Join(idle, "\n"); got != want {
		t.Errorf("rules that decide nowhere:\n%s\nwant\n%s", got, want)
	}
}

// What is written as JSON is looked for in JSON alone: many servers have a page,
// or text, for every path.
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
	text := strings.NewReplacer("auth:\n", "traits:\n  - {id: old, all: [old]}\nauth:\n", "identity:\n", "signals:\n  old: {versions: {from: 1.1.3, before: 1.1.8}}\nidentity:\n").Replace(valid)
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
