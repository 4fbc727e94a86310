package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
)

// control is one recommendation of an authority, in our words.
type control struct{ id, text string }

// controlFamily is a published list of recommendations.
type controlFamily struct {
	id, name string
	controls []control
}

// controlFamilies are the lists that checks refer to (see check.Doc). The titles
// are short paraphrases of the published ones.
func controlFamilies(c *catalogue) []controlFamily {
	return []controlFamily{
		{"nvdb", c.say("NVDB, six dos and six don'ts (2026-03-11)"), []control{
			{"N1", c.say("Use the current official release")},
			{"N2", c.say("Keep the exposure to the internet under control")},
			{"N3", c.say("Grant the least privilege")},
			{"N4", c.say("Use the skill market with care")},
			{"N5", c.say("Guard against social engineering and browser hijacking")},
			{"N6", c.say("Keep up the protection: patches, log audit")},
		}},
		{"cncert", c.say("CNCERT/CC risk notice (2026-03-10)"), []control{
			{"C1", c.say("Do not put the management port on the internet")},
			{"C2", c.say("Authentication and access control")},
			{"C3", c.say("Isolate the runtime, limit its privileges")},
			{"C4", c.say("No keys in plain text in the environment")},
			{"C5", c.say("A complete audit log of operations")},
			{"C6", c.say("Plugins from trusted sources only")},
			{"C7", c.say("Follow patches and security updates")},
		}},
		{"tongbao", c.say("National notification centre for network and information security (2026-03-13)"), []control{
			{"T1", c.say("Update in time")},
			{"T2", c.say("Harden the default configuration: local addresses, authentication, HTTPS")},
			{"T3", c.say("Install third-party skills with care")},
			{"T4", c.say("Strengthen the authentication of accounts")},
			{"T5", c.say("Limit what the agent may execute")},
		}},
		{"owasp", c.say("OWASP Top 10 for Agentic Applications (2026)"), []control{
			{"ASI01", c.say("Agent goal hijack")},
			{"ASI02", c.say("Tool misuse and exploitation")},
			{"ASI03", c.say("Identity and privilege abuse")},
			{"ASI04", c.say("Agentic supply chain vulnerabilities")},
			{"ASI05", c.say("Unexpected code execution")},
			{"ASI06", c.say("Memory and context poisoning")},
			{"ASI07", c.say("Insecure inter-agent communication")},
			{"ASI08", c.say("Cascading failures")},
			{"ASI09", c.say("Human-agent trust exploitation")},
			{"ASI10", c.say("Rogue agents")},
		}},
	}
}

// controlTargets is how many targets are named for a finding.
const controlTargets = 5

// controls writes the view by controls, as Markdown: for each whether a finding
// fails it, none does as far as seen, or it cannot be judged from outside. It
// keeps counts, and of each finding the first targets.
type controls struct {
	*tally
	w io.Writer

	gateways int
	judged   map[string]int        // gateways for which a check was answered, by check
	failed   map[string][]*failure // by control, such as nvdb:N2
}

// failure is what fails a control: the findings of one check.
type failure struct {
	id       string
	severity event.Severity // the worst
	targets  []string       // the first
	n        int
}

func newControls(w io.Writer, o Options, c *catalogue) Sink {
	return &controls{tally: newTally(c, o), w: w, judged: map[string]int{}, failed: map[string][]*failure{}}
}

func (s *controls) Event(e event.Event) error {
	s.tally.event(e)
	line, ok := e.(*event.Target)
	if !ok {
		return nil
	}
	t := scrub(line)
	if t.Outcome == event.OutcomeIdentified {
		s.gateway(t)
	}
	for i := range t.Findings {
		if f := &t.Findings[i]; f.Active() && f.Severity != event.Info {
			for _, id := range f.Controls {
				s.fail(id, f, where(t.Target))
			}
		}
	}
	return nil
}

// gateway counts the checks that were answered for a gateway.
func (s *controls) gateway(t *event.Target) {
	level := event.Level("")
	if s.scan != nil {
		level = s.scan.Level
	}
	s.gateways++
	for i := range s.checks {
		if ok, _ := s.checks[i].Judged(level, t); ok {
			s.judged[s.checks[i].ID]++
		}
	}
}

func (s *controls) fail(id string, f *event.Finding, target string) {
	i := slices.IndexFunc(s.failed[id], func(x *failure) bool { return x.id == f.ID })
	if i < 0 {
		i = len(s.failed[id])
		s.failed[id] = append(s.failed[id], &failure{id: f.ID})
	}
	x := s.failed[id][i]
	if x.n++; len(x.targets) < controlTargets {
		x.targets = append(x.targets, target)
	}
	if f.Severity.Rank() > x.severity.Rank() {
		x.severity = f.Severity
	}
}

func (s *controls) Flush() error {
	c := s.c
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n", md(c.say("clawsonar: recommendations and controls")))
	for _, h := range s.headline() {
		fmt.Fprintf(&b, "%s\n\n", md(h.Text))
	}
	fmt.Fprintf(&b, "%s\n\n", md(c.say("Judged from outside, over the network. \"No failure seen\" is no proof of compliance: what cannot be seen from outside must be checked on the host.")))
	for _, family := range controlFamilies(c) {
		fmt.Fprintf(&b, "### %s\n\n| %s | %s | %s | %s |\n|---|---|---|---|\n", md(family.name),
			md(c.say("Control")), md(c.say("Recommendation")), md(c.say("Result")), md(c.say("Basis")))
		for _, ctl := range family.controls {
			result, behind := s.judge(family.id + ":" + ctl.id)
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", ctl.id, md(ctl.text), result, behind)
		}
		b.WriteString("\n")
	}
	b.WriteString("| | |\n|---|---|\n")
	for _, f := range s.facts() {
		fmt.Fprintf(&b, "| %s | %s |\n", md(f.Name), md(f.Text))
	}
	if _, err := io.WriteString(s.w, b.String()); err != nil {
		return fmt.Errorf("write markdown report: %w", err)
	}
	return nil
}

// judge returns a control's result and what is behind it, as Markdown.
func (s *controls) judge(id string) (result, behind string) {
	c := s.c
	if failures := s.failed[id]; len(failures) > 0 {
		var parts []string
		for _, x := range failures {
			part := mdCode(x.id) + " (" + md(c.severity(x.severity)) + "): "
			for i, t := range x.targets {
				part += pick(i > 0, ", ", "") + mdCode(t)
			}
			if more := x.n - len(x.targets); more > 0 {
				part += md(c.say(" and %d more", more))
			}
			parts = append(parts, part)
		}
		return "**" + md(c.say("failed")) + "**", strings.Join(parts, "<br>")
	}
	var checks []string
	least, any := s.gateways, false
	for i := range s.checks {
		r := &s.checks[i]
		// A check that only informs cannot pass a control.
		if r.Severity == event.Info || !slices.Contains(r.Controls, id) {
			continue
		}
		if n := s.judged[r.ID]; n > 0 {
			checks = append(checks, mdCode(r.ID))
			least = min(least, n)
			any = true
		} else {
			least = 0
		}
	}
	switch {
	case any && least == s.gateways:
		return md(c.say("no failure seen")), strings.Join(checks, ", ")
	case any:
		return md(c.say("no failure seen")), strings.Join(checks, ", ") + "; " + md(c.say("not every check could be answered for every gateway"))
	case slices.ContainsFunc(s.checks, func(r event.CheckInfo) bool { return slices.Contains(r.Controls, id) }):
		return md(c.say("not assessable remotely")), md(c.say("no gateway in this scan shows it"))
	}
	return md(c.say("not assessable remotely")), "–"
}
