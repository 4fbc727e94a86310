package report

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
)

const (
	firstLimit   = 5  // lines of what to do first
	firstNamed   = 3  // targets named in one of them
	firstTargets = 50 // targets that are looked at for them
)

// todo is one line of what to do first. Everything in it is clean.
type todo struct {
	targets  []string
	more     int    // targets with the same finding that are not named
	what     string // what is wrong there
	text     string // what to do, where no command does it
	commands []string
	release  string   // the release to go to
	prove    []string // scans that show it
}

// first says what to do first, the worst first. Its commands are those of this
// version's checks, never those of a stream: a stored one is not trusted.
func (t *tally) first() []todo {
	var out []todo
	index := map[string]int{}
	for _, card := range t.top() {
		x := card.Target
		lead := t.lead(x)
		if lead == nil {
			continue
		}
		d := t.todo(x, lead)
		key := strings.Join(append([]string{lead.ID, d.text}, d.commands...), "\n")
		j, ok := index[key]
		if !ok {
			if len(out) == firstLimit {
				continue
			}
			j, index[key] = len(out), len(out)
			out = append(out, d)
		}
		if len(out[j].targets) < firstNamed {
			out[j].targets = append(out[j].targets, shownURL(where(x.Target)))
			if c := t.proof(x); c != "" {
				out[j].prove = append(out[j].prove, c)
			}
		} else {
			out[j].more++
		}
	}
	return out
}

// top are the worst targets, those that are named in lines about several.
func (t *tally) top() []card { return t.worst.cards[:min(len(t.worst.cards), firstTargets)] }

// place is the index of a check, or how many there are when it is not known.
func (t *tally) place(id string) int {
	for i := range t.checks {
		if t.checks[i].ID == id {
			return i
		}
	}
	return len(t.checks)
}

// lead is the finding to begin with: the worst, and of several the one whose
// check comes first. What only informs is none, but for a gateway that could not
// be judged.
func (t *tally) lead(x *event.Target) *event.Finding {
	var lead *event.Finding
	for i := range x.Findings {
		f := &x.Findings[i]
		if !f.Active() || !t.shows(f) || f.Severity.Rank() <= event.Info.Rank() && f.ID != "auth-unverified" {
			continue
		}
		if lead == nil || cmp.Or(cmp.Compare(lead.Severity.Rank(), f.Severity.Rank()), cmp.Compare(t.place(f.ID), t.place(lead.ID))) < 0 {
			lead = f
		}
	}
	return lead
}

// todo is what to do about a target. Where a newer release fixes something as
// well, it is part of the same line.
func (t *tally) todo(x *event.Target, lead *event.Finding) todo {
	c := t.c
	d := todo{what: c.title(lead)}
	commands := t.commands(lead)
	d.release = knownRelease(lead.Release)
	for i := range x.Findings {
		f := &x.Findings[i]
		// What applies to it first: the release that is free of known holes.
		if !f.Active() || d.release != "" || knownRelease(f.Release) == "" {
			continue
		}
		d.release = knownRelease(f.Release)
		if len(commands) > 0 {
			commands = append(commands, t.commands(f)...)
		}
	}
	d.commands = commands
	if len(commands) == 0 {
		d.text = c.fix(lead, isOpenClaw(x))
	}
	return d
}

// commands are those of the finding's check, with the release filled in.
func (t *tally) commands(f *event.Finding) []string {
	i := t.place(f.ID)
	if i == len(t.checks) || f.Step == "" {
		return nil
	}
	var out []string
	for _, c := range t.checks[i].First[f.Step] {
		if strings.Contains(c, "{release}") {
			v := knownRelease(f.Release)
			if v == "" {
				return nil
			}
			c = strings.ReplaceAll(c, "{release}", v)
		}
		out = append(out, c)
	}
	return out
}

var (
	releaseForm = regexp.MustCompile(`^20[0-9]{2}\.[0-9]{1,2}\.[0-9]{1,3}(-[0-9]{1,3})?$`)
	plainWord   = regexp.MustCompile(`^[A-Za-z0-9._:/%+@-]+$`)
	bracketWord = regexp.MustCompile(`^[A-Za-z0-9._:/%+\[\]-]+$`)
)

// knownRelease returns a release that may stand in a command, else "".
func knownRelease(s string) string {
	if releaseForm.MatchString(s) {
		return s
	}
	return ""
}

// shellWord returns a word as a shell takes it for itself; "" for one that is
// better not put before a shell at all.
func shellWord(s string) string {
	switch {
	case strings.HasPrefix(s, "-"):
		return ""
	case plainWord.MatchString(s):
		return s
	case bracketWord.MatchString(s):
		return "'" + s + "'"
	}
	return ""
}

// shownURL leaves out the slash at the end, unless that is all.
func shownURL(s string) string {
	if s == "/" {
		return s
	}
	return strings.TrimSuffix(s, "/")
}

// proof is the scan that shows whether a target is fixed; "" where its address
// cannot be given to a shell.
func (t *tally) proof(x *event.Target) string {
	if inFiles(x) {
		if x.Target.Source == "local" {
			return "clawsonar inspect"
		}
		if input := shellWord(x.Target.Input); input != "" {
			return "clawsonar inspect " + input
		}
		return ""
	}
	target := shellWord(shownURL(where(x.Target)))
	if target == "" {
		return ""
	}
	words := []string{"clawsonar", "scan", target}
	if t.scan == nil {
		return strings.Join(words, " ")
	}
	if t.scan.Level == event.LevelDeep || t.scan.Level == event.LevelPassive {
		words = append(words, "-level", string(t.scan.Level))
	}
	if x.Target.Reach == event.ReachPublic {
		contact := shellWord(clean.N(t.scan.Authorization.Contact, 200))
		if contact == "" {
			contact = "MAIL-OR-URL"
		}
		words = append(words, "-authorized", "-contact", contact)
	}
	return strings.Join(words, " ")
}

// firstNotes say what the commands leave open, for the whole block.
func (t *tally) firstNotes(todos []todo) []string {
	c := t.c
	has := func(part string) bool {
		return slices.ContainsFunc(todos, func(d todo) bool {
			return slices.ContainsFunc(d.commands, func(s string) bool { return strings.Contains(s, part) })
		})
	}
	var out []string
	if has(" gateway ") {
		out = append(out, c.say("Run the commands on the gateway's own host, as the user that runs it. Where the gateway does not run as a service (in a container, in a terminal), stop and start it yourself where they say \"gateway stop\", \"start\" or \"restart\"."))
	}
	if has("npm install") {
		out = append(out, c.say("Before an update back up %s. In a container take the image of that release instead of npm.", "~/.openclaw"))
	}
	if has("openclaw config set") {
		out = append(out,
			c.say("The settings are in the file that \"%s\" prints, usually %s.", "openclaw config file", "~/.openclaw/openclaw.json"),
			c.say("An installed service may still have an old token in %s: \"%s\" rewrites it.", "~/.config/systemd/user/openclaw-gateway.service", "openclaw gateway install --force"))
	}
	return out
}

// line is a todo in words, without its commands.
func (c *catalogue) todoLine(d todo) string {
	names := strings.Join(d.targets, c.say(", "))
	if d.more > 0 {
		names += c.say(" and %d more", d.more)
	}
	text := c.say("%s: %s.", names, d.what)
	if d.text != "" {
		text = c.join(text, d.text)
	}
	if d.release != "" {
		text = c.join(text, c.say("Update to %s.", d.release))
	}
	return text
}
