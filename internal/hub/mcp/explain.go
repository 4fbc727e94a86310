package mcp

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/clawsonar/clawsonar/internal/advisory"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/explain"
	"github.com/clawsonar/clawsonar/internal/release"
	"github.com/clawsonar/clawsonar/internal/report"
)

// maxID is how many bytes an id or a version may have.
const maxID = 100

type explainArgs struct {
	ID string `json:"id" jsonschema:"id of a finding (auth-missing), a state of authentication (open), a product (openclaw) or an advisory (GHSA-... or CVE-...)"`
}

func (s *Server) addExplain(x *sdk.Server) {
	sdk.AddTool(x, &sdk.Tool{
		Name: "explain", Title: "Explain a finding",
		Description: "Explain what a finding, a state of authentication, a product or an advisory is, how it is decided, and how to fix it. Built in: contacts nothing.",
		Annotations: looks("Explain a finding", false), InputSchema: oneWord[explainArgs]("id"),
	}, func(_ context.Context, _ *sdk.CallToolRequest, in explainArgs) (*sdk.CallToolResult, any, error) {
		var b strings.Builder
		if err := explain.Write(&b, s.known.Set, s.known.Advisories, in.ID, report.Texts{}); err != nil {
			return nil, nil, err
		}
		return &sdk.CallToolResult{Content: text(b.String())}, nil, nil
	})
}

// oneWord is the schema of arguments of which one is a short text.
func oneWord[T any](name string) *jsonschema.Schema {
	schema, err := jsonschema.For[T](nil)
	if err != nil {
		panic(err) // of a type of our own
	}
	schema.Properties[name].MinLength, schema.Properties[name].MaxLength = new(1), new(maxID)
	return schema
}

type checkArgs struct {
	Version string `json:"version" jsonschema:"a release of openclaw, such as 2026.3.13"`
	Auth    string `json:"authentication,omitempty" jsonschema:"of the gateway: required (the default), gated (something in front asks), or open"`
}

// checked is what applies to a release; see scanned for the order of its keys.
type checked struct {
	Advisories []vulnerability `json:"advisories" jsonschema:"the nearest to a client without a credential first"`
	AsOf       string          `json:"as_of" jsonschema:"day up to which advisories are known: later ones are missing"`
	Behind     int             `json:"count_behind_a_credential"`
	Elsewhere  int             `json:"count_not_through_the_port"`
	Reachable  int             `json:"count_without_a_credential"`
	FixAll     string          `json:"fix_all,omitempty" jsonschema:"the smallest update that fixes all; none: no known release does, or there is nothing to fix"`
	FixNearest string          `json:"fix_without_a_credential,omitempty" jsonschema:"the smallest update that fixes those that need no credential"`
	Known      bool            `json:"known_release"`
	More       int             `json:"more_advisories,omitempty"`
	Notes      []string        `json:"notes"`
}

func (s *Server) addCheckRelease(x *sdk.Server) {
	schema := oneWord[checkArgs]("version")
	schema.Properties["authentication"].Enum = []any{event.AuthRequired, event.AuthGated, event.AuthOpen}
	sdk.AddTool(x, &sdk.Tool{
		Name: "check_release", Title: "Look up a release",
		Description: "Tell which published vulnerabilities a release of openclaw has, and which update fixes them. Built in: contacts nothing.",
		Annotations: looks("Look up a release", false), InputSchema: schema,
	}, s.checkRelease)
}

func (s *Server) checkRelease(_ context.Context, _ *sdk.CallToolRequest, in checkArgs) (*sdk.CallToolResult, checked, error) {
	v, err := release.Parse(in.Version)
	if err != nil {
		return nil, checked{}, err
	}
	known, err := s.settings.Load(s.known, s.naming, nil)
	if err != nil {
		return nil, checked{}, err
	}
	known.All = true
	table := s.known.Releases()
	access := map[event.AuthState]advisory.Access{event.AuthOpen: advisory.Open, event.AuthGated: advisory.Fronted}[event.AuthState(in.Auth)]
	a := known.DB.Assess(advisory.Subject{Query: advisory.Query{Versions: []release.Version{v}}, Access: access, Releases: table})
	out := checked{
		Advisories: []vulnerability{}, AsOf: known.DB.AsOf().Format(time.DateOnly), Notes: []string{},
		Reachable: len(a.Reachable), Behind: len(a.Behind), Elsewhere: len(a.Elsewhere),
		FixAll: a.FixAll.String(), FixNearest: a.FixReachable.String(),
	}
	if listed, more := list(known.List(&a)); listed != nil {
		out.Advisories, out.More = listed, more
	}
	if _, out.Known = table.Find(v); !out.Known {
		out.Notes = append(out.Notes, fmt.Sprintf("%s is not among the releases known on %s: what applies to it is uncertain.", v, table.AsOf().Format(time.DateOnly)))
	}
	if a.Reason.ID != "" {
		out.Notes = append(out.Notes, a.Reason.English)
	}
	out.Notes = s.aged(out.Notes, s.known.About(known.DB))
	return &sdk.CallToolResult{Content: text(out.text(v))}, out, nil
}

func (c *checked) text(v release.Version) string {
	lines := []string{fmt.Sprintf("openclaw %s, as of %s: published vulnerabilities that need no credential: %d; that need one: %d; not through the gateway's port: %d.", v, c.AsOf, c.Reachable, c.Behind, c.Elsewhere)}
	for _, a := range c.Advisories {
		lines = append(lines, fmt.Sprintf("%s %s (%s, %s, %s): %s", a.ID, a.CVE, a.Status, a.Severity, a.Reach, a.Summary))
	}
	if c.More > 0 {
		lines = append(lines, fmt.Sprintf("%d more are not listed.", c.More))
	}
	if c.FixAll != "" {
		lines = append(lines, fmt.Sprintf("The smallest update that fixes all: %s.", c.FixAll))
	}
	return strings.Join(append(lines, c.Notes...), "\n")
}
