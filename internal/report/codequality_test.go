package report

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/clawsonar/clawsonar/internal/event"
)

// issueSchema is the table in GitLab's documentation, "Code Quality report format": these
// fields are required, of these types and words.
const issueSchema = `{
  "type": "array",
  "items": {
    "type": "object",
    "additionalProperties": false,
    "required": ["description", "check_name", "fingerprint", "severity", "location"],
    "properties": {
      "description": {"type": "string", "minLength": 1, "maxLength": 2001},
      "check_name": {"type": "string", "minLength": 1},
      "fingerprint": {"type": "string", "minLength": 1},
      "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
      "location": {
        "type": "object",
        "additionalProperties": false,
        "required": ["path", "lines"],
        "properties": {
          "path": {"type": "string", "minLength": 1},
          "lines": {"type": "object", "additionalProperties": false, "required": ["begin"], "properties": {"begin": {"type": "integer", "minimum": 1}}}
        }
      }
    }
  }
}`

// TestCodeQualitySchema holds every report to what GitLab reads, and what it does with
// it: a path is relative to the repository, issues of the same fingerprint are one.
func TestCodeQualitySchema(t *testing.T) {
	c := jsonschema.NewCompiler()
	if err := c.AddResource("issues.json", parse(t, issueSchema)); err != nil {
		t.Fatal(err)
	}
	schema := c.MustCompile("issues.json")
	for name, events := range map[string][]event.Event{
		"replicas": replicas(t), "everything": mixed(), "diff": changed(), "vantages": apart(), "files": inspected(), "hostile": hostile(1 << 16),
		"nothing": nil, "cut off": mixed()[:4],
	} {
		out := render(t, "codequality", Options{Checks: fixtureChecks(), Root: "/somewhere"}, events...)
		if err := schema.Validate(parse(t, out)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var issues []issue
		if err := json.Unmarshal([]byte(out), &issues); err != nil {
			t.Fatal(err)
		}
		seen := map[string]issue{}
		for _, i := range issues {
			if p := i.Location.Path; path.IsAbs(p) || p != path.Clean(p) || strings.HasPrefix(p, "..") {
				t.Errorf("%s: the path %q", name, p)
			}
			if other, ok := seen[i.Fingerprint]; ok && name != "hostile" && other.Description != i.Description {
				t.Errorf("%s: one of these is not shown:\n%s\n%s", name, other.Description, i.Description)
			}
			seen[i.Fingerprint] = i
		}
	}
}

// TestCodeQuality: what is an issue, where and how severe. What could not be judged is
// one, and so is a stream that is not whole.
func TestCodeQuality(t *testing.T) {
	required := func(source string, findings ...event.Finding) event.Event {
		return gateway("10.0.0.1", func(x *event.Target) {
			x.Target.Source, x.Auth, x.Findings = source, &event.Auth{State: "required"}, findings
		})
	}
	of := func(state event.AuthState) event.Event {
		return gateway("10.0.0.2", func(x *event.Target) { x.Auth = &event.Auth{State: state} })
	}
	graded := func(s event.Severity) event.Finding {
		return event.Finding{ID: "a-check", Severity: s, Title: "t", Key: "k" + string(s)}
	}
	suppressed, closed, unseen := graded(event.High), graded(event.High), graded(event.High)
	suppressed.Suppressed, closed.Change, unseen.Change = "known", event.Closed, event.Unseen
	whole := summaryEvent(event.Summary{Complete: true})
	for _, tt := range []struct {
		name   string
		events []event.Event
		want   []string // check, severity and place of each issue
	}{
		{"nothing was found", []event.Event{required("args"), whole}, nil},
		{"severities", []event.Event{required("args", graded(event.Info), graded(event.Low), graded(event.Medium), graded(event.High), graded(event.Critical), graded("")), whole},
			[]string{"a-check info targets.txt:1", "a-check minor targets.txt:1", "a-check major targets.txt:1", "a-check critical targets.txt:1", "a-check blocker targets.txt:1", "a-check blocker targets.txt:1"}},
		{"line of a list", []event.Event{required("ops/gateways.txt:7", graded(event.High)), whole}, []string{"a-check critical ops/gateways.txt:7"}},
		{"a list elsewhere", []event.Event{required("/etc/gateways.txt:7", graded(event.High)), whole}, []string{"a-check critical targets.txt:1"}},
		{"beside a gateway", []event.Event{required("beside 10.0.0.7:18789", graded(event.High)), whole}, []string{"a-check critical targets.txt:1"}},
		{"suppressed, gone and not seen again", []event.Event{required("args", suppressed, closed, unseen), whole}, []string{"a-check critical targets.txt:1"}},
		{"authentication is unknown", []event.Event{of("unknown"), whole}, []string{"unjudged major targets.txt:1"}},
		{"a word of tomorrow", []event.Event{of("ajar"), whole}, []string{"unjudged major targets.txt:1"}},
		{"a name that does not resolve", []event.Event{required("list.txt:3"), &event.Target{Type: "target", Target: event.Address{Input: "no.example", Name: "no.example", Source: "list.txt:4"}, Outcome: event.OutcomeDNSError}, whole},
			[]string{"unjudged major list.txt:4"}},
		{"without a line", []event.Event{required("list.txt:3"), summaryEvent(event.Summary{Complete: true, Unlisted: &event.Unlisted{Count: 3, Targets: []event.Place{{Place: "10.0.0.3:18789", Outcome: "error"}}}})},
			[]string{"unjudged major list.txt:3", "unjudged major list.txt:3"}},
		{"not complete", []event.Event{required("args"), summaryEvent(event.Summary{})}, []string{"unjudged major targets.txt:1"}},
		{"cut off", []event.Event{required("args")}, []string{"unjudged major targets.txt:1"}},
	} {
		var issues []issue
		if err := json.Unmarshal([]byte(render(t, "codequality", Options{}, append([]event.Event{scanEvent()}, tt.events...)...)), &issues); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, i := range issues {
			got = append(got, i.Check+" "+i.Severity+" "+i.Location.Path+":"+string(rune('0'+i.Location.Lines.Begin)))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
