package config

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/test/schema"
)

const schemaFile = "../../../schema/watch.schema.json"

// good is a watch that lacks nothing, and more lines of it.
func good(more ...string) string {
	return "watches:\n- {name: a, every: 6h, targets: 127.0.0.1" + strings.Join(append([]string{""}, more...), ", ") + "}\n"
}

func parse(text string) error {
	_, err := Parse("w.yaml", []byte(text))
	return err
}

// TestErrors: each mistake is one line that says where it is.
func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "w.yaml:1: nothing is watched: list watches",
		"watches: []":                 "w.yaml:1: nothing is watched: list watches",
		"watchs: []":                  `w.yaml:1: unknown key "watchs": did you mean "watches"?`,
		good() + "bogus: 1":           `w.yaml:3: unknown key "bogus"`,
		good() + "store:":             "w.yaml:3: a value is missing",
		good() + "store: mysql://x/y": "w.yaml:3: not a database",
		good() + "store: postgres://u:secret@h/d":                                 "w.yaml:3: a password does not belong here",
		good() + "store: postgres://h/d?password=secret":                          "w.yaml:3: a password does not belong here",
		good() + "store: postgres://${USER}@h/d":                                  "w.yaml:3: nothing is put in for ${…}",
		good() + "listen: 8790":                                                   "w.yaml:3: \"8790\" is no address to listen on",
		good() + "listen: board.example.org:8790":                                 "w.yaml:3: \"board.example.org:8790\" is no address",
		good() + "url: claws.example.org":                                         "w.yaml:3: not a URL",
		good() + "url: https://a:secret@example.org":                              "w.yaml:3: not a URL",
		good() + "tls: {cert: a}":                                                 "w.yaml:3: name both, cert and key",
		good() + "behind: nginx":                                                  "w.yaml:3: \"nginx\" is not known: write proxy",
		good() + "behind: proxy\ntls: {cert: a, key: b}":                          "w.yaml:3: tls and behind: proxy",
		good() + "lang: fr":                                                       "w.yaml:3: \"fr\" is no language",
		good() + "geo: []":                                                        "w.yaml:3: the list is empty",
		good() + "geo:\n- a.mmdb\n- {b: c}":                                       "w.yaml:5: one value is expected",
		good() + "auth: {oidc: {issuer: 'http://id.example.org', client_id: a}}":  "w.yaml:3: issuer: use https",
		good() + "auth: {oidc: {issuer: 'https://id.example.org'}}":               "w.yaml:3: client_id is missing",
		good() + "auth: {oidc: {issuer: 'https://id.example.org', client_id: a}}": "w.yaml:3: url is missing",
		good() + "url: https://b.example.org\nauth:\n  oidc:\n    issuer: https://id.example.org\n    client_id: a\n    allow: {}": "w.yaml:8: nobody may log in",
		"watches:\n- every: 6h":                                         "w.yaml:2: name: \"\" is no name",
		"watches:\n- name: Office":                                      "w.yaml:2: name: \"Office\" is no name",
		"watches:\n- name: a\n  targets: 127.0.0.1":                     "w.yaml:2: every is missing",
		"watches:\n- name: a\n  every: 6":                               "w.yaml:3: \"6\" is no time",
		"watches:\n- name: a\n  every: 400d":                            "w.yaml:3: \"400d\" is no time",
		"watches:\n- name: a\n  every: 0s":                              "w.yaml:3: \"0s\" is no time",
		"watches:\n- name: a\n  every: 6h":                              "w.yaml:2: a has nothing to scan",
		good() + "- {name: a, every: 1h, targets: 127.0.0.2}":           "w.yaml:3: a second watch a",
		good("confirm: 0"):                                              "w.yaml:2: confirm: use a number of runs",
		good("vantages: [fra]"):                                         "w.yaml:2: vantages: there is no workers",
		good("vantages: [fra, fra]") + "workers: {dir: fleet}":          "w.yaml:2: vantages: fra is named twice",
		good("vantages: [Fra]") + "workers: {dir: fleet}":               "w.yaml:2: vantages: \"Fra\" is no name",
		good("vantage: a", "vantages: [b]") + "workers: {dir: fleet}":   "w.yaml:2: vantage is where this hub stands",
		good("units: 5"):                                                "w.yaml:2: units are what workers make",
		good("vantages: [fra]", "units: 0") + "workers: {dir: fleet}":   "w.yaml:2: units: use a number",
		good() + "workers: {listen: 0.0.0.0:8791}":                      "w.yaml:3: url is missing",
		good() + "workers: {listen: hub:8791}":                          "w.yaml:3: listen: \"hub:8791\" is no address",
		good() + "workers: {url: 'https://hub:8791'}":                   "w.yaml:3: url: not the address of a server",
		good() + "workers: {nats: 'nats://10.0.0.1:4222'}":              "w.yaml:3: nats: use tls",
		good() + "workers: {nats: 'tls://a:secret@10.0.0.1:4222'}":      "w.yaml:3: nats: a password does not belong here",
		good() + "workers: {nats: 'tls://n:4222', listen: 127.0.0.1:1}": "w.yaml:3: nats: with a server of your own",
		good() + "workers: {nats-ca: ca.pem}":                           "w.yaml:3: nats-credentials and nats-ca are for",
		good() + "workers: {rate-limit: 0}":                             "w.yaml:3: rate-limit: use a number",
		good("vantage: 'my lan'"):                                       "w.yaml:2: vantage: \"my lan\" is no name",
		good("level: loud"):                                             "w.yaml:2: level: \"loud\" is not known: use passive",
		good("ports: [0]"):                                              "w.yaml:2: ports: \"0\" is not a port",
		good("contact: nobody"):                                         "w.yaml:2: contact: use a mail address",
		good("list: '-'"):                                               "w.yaml:2: list: name a file",
		good("concurrency: 0"):                                          "w.yaml:2: concurrency: use a number from 1",
		good("rate-limit: -1"):                                          "w.yaml:2: rate-limit: use a number from 0",
		good("resolver: x"):                                             "w.yaml:2: resolver: \"x\" is not a DNS server",
		good("header: 'Cookie: a=b'"):                                   "w.yaml:2: header: ",
		good("exclud: a"):                                               "w.yaml:2: unknown key \"exclud\": did you mean \"exclude\"?",
		good("exclude: [~]"):                                            "w.yaml:2: a value is missing",
		"watches:\n-\n":                                                 "w.yaml:2: a value is missing",
		good() + "store: [a, b]":                                        "w.yaml:3: one value is expected",
		good("exclude: []"):                                             "w.yaml:2: the list is empty",
		"watches:\n- name: a\n  every: 1d\n  targets:\n  - 127.0.0.1\n  - 10.0.0.0/33\n":                   "w.yaml:6: targets: ",
		"watches:\n- name: a\n  every: 1d\n  targets: 127.0.0.1\n  exclude:\n  - a\n  - 10.0.0.0/33\n":     "w.yaml:7: exclude: ",
		good() + "alerts:\n- {when: opened, to: 'exec:a'}":                                                 "w.yaml:4: name: \"\" is no name",
		good() + "alerts:\n- {name: x, to: 'exec:a'}":                                                      "w.yaml:4: when is missing",
		good() + "alerts:\n- {name: x, when: opend, to: 'exec:a'}":                                         "w.yaml:4: when: \"opend\" is nothing that happens",
		good() + "alerts:\n- {name: x, when: opened}":                                                      "w.yaml:4: to is missing",
		good() + "alerts:\n- {name: x, when: opened, to: token123}":                                        "w.yaml:4: to: not a URL, nor exec:COMMAND",
		good() + "alerts:\n- {name: x, when: opened, to: 'exec:a', watches: b}":                            "w.yaml:4: watches: \"b\" is no watch",
		good() + "alerts:\n- {name: x, when: opened, to: 'exec:a', severity: bad}":                         "w.yaml:4: severity: ",
		good() + "alerts:\n- {name: x, when: opened, to: 'exec:a', after: 1h}":                             "w.yaml:4: after is for silent-watch",
		good() + "alerts:\n- {name: x, when: opened, to: 'exec:a'}\n- {name: x, when: gone, to: 'exec:a'}": "w.yaml:5: a second alert x",
	} {
		err := parse(text)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.ContainsAny(err.Error(), "\n") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s\n%v\nwant %s", text, err, want)
		}
	}
}

// TestAll: every key has its effect.
func TestAll(t *testing.T) {
	c, err := Parse("etc/w.yaml", []byte(`
store: postgres://hub@db/hub
streams: /var/streams
listen: localhost:9000
url: https://b.example.org/hub/
behind: proxy
public: true
geo: [asn.mmdb, /country.mmdb]
auth: {oidc: {issuer: "https://id.example.org", client_id: board, client_secret_file: s, allow: {groups: [soc]}, work: {users: a@example.org}}}
lang: zh
watches:
- name: office
  every: 1d12h
  confirm: 3
  vantage: lan
  targets: [claw.example.org, "10.0.0.0/30"]
  list: [a.txt, /b.txt]
  ports: [18789, 80-81]
  base-path: /claw
  addresses: ipv4
  level: deep
  allow: 10.0.0.0/8
  scope: s.txt
  exclude: [10.0.0.1, AS64500]
  exclude-file: x.txt
  exclude-unresolved: ok
  as-file: as.tsv
  rate-limit: 20
  rate-limit-host: 2
  concurrency: 7
  timeout: 15s
  retries: 0
  contact: a@example.org
  authorized: true
  helpers: true
  base-paths: true
  family: true
  proxy: socks5://127.0.0.1:1080
  source-ip: 127.0.0.3
  interface: eth0
  resolver: 127.0.0.1:5353
  header: "X-Audit: yes"
  advisories: [all, adv.json]
  vex: v.json
alerts:
- {name: x, when: [opened, silent-watch], severity: high, watches: office, owners: [IT], to: ["exec:a b", "https://c"], secret_file: key, digest: 15m, after: 3d}
`))
	if err != nil {
		t.Fatal(err)
	}
	w := c.Watches[0]
	if w.Source() != "etc/w.yaml:16" || w.Naming().At("exclude") != "etc/w.yaml:24: exclude" || w.Naming().At("seed") != "etc/w.yaml:12: seed" {
		t.Errorf("%s, %s, %s", w.Source(), w.Naming().At("exclude"), w.Naming().At("seed"))
	}
	if err := c.GeoError(errors.New("asn.mmdb: gone")); err.Error() != "etc/w.yaml:8: geo: asn.mmdb: gone" {
		t.Error(err)
	}
	w.file, w.line, w.lines, c.geoLine = "", 0, nil, 0
	want := &Config{
		File: "etc/w.yaml", Dir: "etc", Store: "postgres://hub@db/hub", Streams: "/var/streams", Listen: "127.0.0.1:9000", URL: "https://b.example.org/hub",
		BehindProxy: true, Public: true, Lang: "zh", Geo: []string{"etc/asn.mmdb", "/country.mmdb"},
		OIDC: &OIDC{"https://id.example.org", "board", "etc/s", Who{Groups: []string{"soc"}}, Who{Users: []string{"a@example.org"}}},
		Watches: []*Watch{{Name: "office", Every: 36 * time.Hour, Confirm: 3, Vantage: "lan", Settings: audit.Settings{
			Targets: []string{"claw.example.org", "10.0.0.0/30"}, Lists: []string{"etc/a.txt", "/b.txt"}, Ports: "18789,80-81", BasePath: "/claw", Addresses: "ipv4",
			Concurrency: 7, Rate: 20, HostRate: 2, Timeout: 15 * time.Second, Level: "deep", Contact: "a@example.org",
			Authorized: true, Helpers: true, Bases: true, Family: true, Seed: seed("office"),
			Scope:   audit.Scope{Allow: []string{"10.0.0.0/8"}, Exclude: []string{"10.0.0.1", "AS64500"}, ScopeFile: "etc/s.txt", ExcludeFile: "etc/x.txt", ASFile: "etc/as.tsv", Unresolved: "ok"},
			Network: audit.Network{Proxy: "socks5://127.0.0.1:1080", SourceIP: "127.0.0.3", Interface: "eth0", Resolver: "127.0.0.1:5353", Headers: []string{"X-Audit: yes"}},
			Data:    audit.Data{Advisories: []string{"all", "etc/adv.json"}, VEX: "etc/v.json"},
		}}},
		Alerts: []*Alert{{Name: "x", When: []string{"opened", "silent-watch"}, Severity: event.High, Watches: []string{"office"}, Owners: []string{"IT"},
			To: []string{"exec:a b", "https://c"}, SecretFile: "etc/key", Digest: 15 * time.Minute, After: 72 * time.Hour}},
	}
	if !reflect.DeepEqual(c, want) {
		got, _ := json.MarshalIndent(c, "", " ")
		wanted, _ := json.MarshalIndent(want, "", " ")
		t.Errorf("%s\nwant %s", got, wanted)
	}
}

// keys are the keys of a part of the document.
func keys(of any) (out []string) {
	t := reflect.TypeOf(of)
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "" {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

// TestSchema: the published schema has the keys and words of the loader, and thinks of
// examples what the loader thinks.
func TestSchema(t *testing.T) {
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	type object struct {
		Properties map[string]*object
		Items      *object
		OneOf      []*object
		Enum       []string
	}
	var root *object
	if err := json.Unmarshal(data, &root); err != nil {
		t.Fatal(err)
	}
	at := func(path ...string) *object {
		o := root
		for _, key := range path {
			if o = o.Properties[key]; o == nil {
				t.Fatalf("the schema has no %v", path)
			}
			if o.Items != nil && o.Items.Properties != nil {
				o = o.Items
			}
		}
		return o
	}
	for _, part := range []struct {
		keys []string
		is   *object
	}{
		{keys(document{}), root}, {keys(watch{}), at("watches")}, {keys(alert{}), at("alerts")}, {keys(files{}), at("tls")}, {keys(workers{}), at("workers")},
		{keys(oidc{}), at("auth", "oidc")}, {keys(who{}), at("auth", "oidc", "work")},
	} {
		var names []string
		for name := range part.is.Properties {
			names = append(names, name)
		}
		slices.Sort(names)
		if !slices.Equal(names, part.keys) {
			t.Errorf("the schema has %q, the loader %q", names, part.keys)
		}
	}
	if got := at("alerts", "when").OneOf[0].Enum; !slices.Equal(got, Words()) {
		t.Errorf("the schema has %q, the loader %q", got, Words())
	}
	if got := at("watches", "level").Enum; !slices.Equal(got, event.Words(event.Levels()...)) {
		t.Errorf("levels of the schema: %q", got)
	}
	alerts := func(more string) string { return good() + "alerts:\n- {name: x, to: 'exec:a', " + more + "}" }
	schema.Agree(t, schemaFile, parse, map[string]bool{
		good():                        true,
		good("exclude-file:"):         false,
		good("ports: 18789"):          true,
		good("ports: [18789, 80-81]"): true,
		good("vantages: [fra, sgp]") + "workers: {url: 'tls://hub:8791'}": true,
		"workers: {dir: fleet}":                                                           true,
		"workers: {dir: fleet}\nwatches: []":                                              false,
		good("vantages: []") + "workers: {url: 'tls://hub:8791'}":                         false,
		good() + "workers: {rate-limit: 0}":                                               false,
		good("list: [a, b]", "level: deep", "authorized: true", "contact: a@example.org"): true,
		good("level: loud"):                                                               false,
		good("confirm: 0"):                                                                false,
		good("confirm: 1"):                                                                true,
		good("retries: 0"):                                                                true,
		good("concurrency: 0"):                                                            false,
		good("timeout: 15"):                                                               false,
		good("exclude: []"):                                                               false,
		good("bogus: 1"):                                                                  false,
		good() + "bogus: 1":                                                               false,
		good() + "lang: zh":                                                               true,
		good() + "lang: fr":                                                               false,
		good() + "geo: a.mmdb":                                                            true,
		good() + "geo: []":                                                                false,
		good() + "behind: proxy":                                                          true,
		good() + "behind: nginx":                                                          false,
		good() + "tls: {cert: a, key: b}":                                                 true,
		good() + "tls: {cert: a}":                                                         false,
		good() + "public: true":                                                           true,
		good() + "public: 1":                                                              false,
		good() + "url: https://b.example.org/":                                            true,
		good() + "url: b.example.org":                                                     false,
		good() + "url: https://b.example.org\nauth: {oidc: {issuer: 'https://i.example.org', client_id: a, allow: {groups: soc}}}": true,
		good() + "url: https://b.example.org\nauth: {oidc: {issuer: 'https://i.example.org', allow: {groups: soc}}}":               false,
		alerts("when: [opened, silent-watch], after: 7d, digest: 15m, severity: high"):                                             true,
		alerts("when: opend"):                         false,
		alerts("severity: high"):                      false,
		alerts("when: opened, severity: bad"):         false,
		alerts("when: opened, owners: [a]"):           true,
		"watches: []":                                 false,
		"watches: [{name: a, every: 6h}]":             false,
		"watches: [{name: A, every: 6h, targets: a}]": false,
		"watches: [{name: a, every: 6, targets: a}]":  false,
	})
}

// TestExample: the example works as it is, and looks at loopback alone.
func TestExample(t *testing.T) {
	c, err := Load("../../../examples/watch.yaml")
	if err != nil {
		t.Fatal(err)
	}
	known, err := data.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range c.Watches {
		b := &audit.Builder{Settings: &w.Settings, Naming: w.Naming(), Known: known, Offline: true}
		cfg, err := b.Build(t.Context(), w.Source())
		if err != nil {
			t.Fatal(err)
		}
		defer cfg.Space.Close()
		for i := range cfg.Space.Len() {
			if target, err := cfg.Space.At(i); err != nil || !target.Addr.Addr().IsLoopback() {
				t.Errorf("%v, %v", target, err)
			}
		}
	}
}

func TestNetworks(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.0/8":                             "n.csv:1: 1 fields: write prefix,owner,contact",
		"10.0.0.0/8,a,b,c":                       "n.csv:1: 4 fields",
		"# x\n\n10.0.0.0/8,":                     "n.csv:3: 10.0.0.0/8 has no owner",
		"prefix,owner\nprefix,a":                 "n.csv:2: \"prefix\" is no block",
		"10.0.0.1/8,a":                           "n.csv:1: 10.0.0.1/8 has bits beyond its length: did you mean 10.0.0.0/8?",
		"10.0.0.0/8,a\n10.0.0.0/8,b":             "n.csv:2: 10.0.0.0/8 comes twice: first on line 1",
		"::ffff:10.0.0.0/104,a":                  "n.csv:1: ::ffff:10.0.0.0/104: write it as a block of IPv4",
		"10.0.0.0/8,\"a":                         "n.csv:1: ",
		"10.0.0.0/8,a\x1b[2J":                    "n.csv:1: a field holds characters",
		"fe80::1%eth0,a":                         "n.csv:1: ",
		"10.0.0.0/8," + strings.Repeat("a", 201): "n.csv:1: a field is longer",
	} {
		if n, err := ParseNetworks("n.csv", []byte(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, %v\nwant %s", text, n, err, want)
		}
	}
	n, err := ParseNetworks("n.csv", []byte("\ufeffprefix,owner,contact\n10.0.0.0/8, IT ,it@example.org\n10.1.0.0/16,\"Lab, north\"\n10.1.2.3,printer,p\n10.2.0.0/16,x\n2001:db8::/32,six,s\n0.0.0.0/0,all\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range n {
		got = append(got, x.Prefix.String()+" "+x.Owner+" "+x.Contact)
	}
	if want := []string{"10.1.2.3/32 printer p", "2001:db8::/32 six s", "10.1.0.0/16 Lab, north ", "10.2.0.0/16 x ", "10.0.0.0/8 IT it@example.org", "0.0.0.0/0 all "}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := n.Owners(); !slices.Equal(got, []string{"IT", "Lab, north", "all", "printer", "six", "x"}) {
		t.Errorf("%q", got)
	}
}

// TestOwners: an owner of an alert is one of the networks.
func TestOwners(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	write("n.csv", "10.0.0.0/8,network team,n@example.org\n")
	alert := "alerts: [{name: x, when: opened, to: 'exec:a', owners: ["
	for text, want := range map[string]string{
		"networks: n.csv\n" + alert + "network team]}]": "",
		"networks: n.csv\n" + alert + "network-team]}]": `w.yaml:4: "network-team" is no owner in ` + filepath.Join(dir, "n.csv") + ": did you mean \"network team\"?",
		alert + "network team]}]":                       `w.yaml:3: "network team" is no owner: there is no networks, which names them`,
		"networks: m.csv\n":                             "w.yaml:3: networks: open ",
	} {
		_, err := Load(write("w.yaml", good()+text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), filepath.Join(dir, want))) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// FuzzParse: no text makes the loader fail but with file and line, and what it takes
// has names, times and something to scan.
func FuzzParse(f *testing.F) {
	f.Add(good("exclude: [a]") + "alerts:\n- {name: x, when: opened, to: 'exec:a'}")
	f.Add(good() + "auth: {oidc: {issuer: 'https://i.example.org'}}")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse("w.yaml", []byte(text))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "w.yaml:") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q", err)
			}
			return
		}
		for _, w := range c.Watches {
			if job.CheckName(w.Name) != nil || w.Every < time.Second || w.Confirm < 1 || len(w.Settings.Targets)+len(w.Settings.Lists) == 0 || w.Settings.Seed < 1 || w.Settings.Concurrency < 1 {
				t.Errorf("%+v", w)
			}
		}
	})
}

// FuzzNetworks: what is taken is whole, each block once and the longest first.
func FuzzNetworks(f *testing.F) {
	f.Add("prefix,owner\n10.0.0.0/8,a\n\"10.1.0.0/16\",\"b\nc\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseNetworks("n.csv", []byte(text))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "n.csv:") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q", err)
			}
			return
		}
		seen := map[netip.Prefix]bool{}
		for i, x := range n {
			if !x.Prefix.IsValid() || x.Prefix != x.Prefix.Masked() || x.Owner == "" || seen[x.Prefix] || i > 0 && x.Prefix.Bits() > n[i-1].Prefix.Bits() {
				t.Errorf("%+v", n)
			}
			seen[x.Prefix] = true
		}
	})
}

// TestLoadJob: a job has the keys of a watch but for those of its times.
func TestLoadJob(t *testing.T) {
	load := func(text string) (*Watch, error) {
		name := filepath.Join(t.TempDir(), "job.yaml")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return LoadJob(name)
	}
	const job = "name: world\ntargets: 192.0.2.0/24\nvantages: [fra, sgp]\n"
	w, err := load(job + "exclude-file: no.txt\nrate-limit: 500")
	if err != nil || w.Name != "world" || !slices.Equal(w.Vantages, []string{"fra", "sgp"}) || w.Settings.Rate != 500 ||
		filepath.Base(w.Settings.ExcludeFile) != "no.txt" || !filepath.IsAbs(w.Settings.ExcludeFile) || !strings.HasSuffix(w.Source(), "job.yaml:2") {
		t.Errorf("%+v, %v", w, err)
	}
	for text, want := range map[string]string{
		job + "every: 6h":     "job.yaml:4: every is for a watch",
		job + "vantage: fra":  "job.yaml:4: vantage is for a watch",
		job + "exclude:":      "job.yaml:4: a value is missing",
		job + "exclud: a":     `job.yaml:4: unknown key "exclud": did you mean "exclude"?`,
		job + "level: loud":   "job.yaml:4: level: ",
		"targets: 192.0.2.1":  "job.yaml:1: name: \"\" is no name",
		"name: a\ntargets: b": "job.yaml:1: vantages is missing",
		"- name: a":           "job.yaml:1: ",
	} {
		if _, err := load(text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s\n%v\nwant %s", text, err, want)
		}
	}
}
