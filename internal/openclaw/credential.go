package openclaw

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/json5"
	"github.com/clawsonar/clawsonar/internal/release"
)

// secret is a token or password in one world.
type secret struct {
	Credential
	inConfig bool // the configuration has one, or a reference to one
	missing  bool // that reference leads nowhere
	blank    bool // it has an empty one
	problem  *Problem
}

func (s secret) has() bool { return s.Where != NoCredential }

// secret returns the token or the password: that of the command line, else that of the
// configuration, of the environment, of the remote gateway.
func (g *gateway) secret(p *picker, o *outcome, kind string) secret {
	s := g.configured(p, o, g.Doc.Get("gateway", "auth", kind))
	flag := g.given(p, o, g.flagValue(kind))
	if file := g.flagValue("password-file"); kind == ModePassword && file.State != deploy.Unset {
		flag = Credential{Where: ElsewhereKnown, Pos: file.Pos, Reference: true}
	}
	if flag.Where != NoCredential {
		s.Credential = flag
		return s
	}
	if s.has() {
		return s
	}
	for _, name := range o.era.variables(strings.ToUpper(kind)) {
		v := g.env(name)
		if g.outside && v.State == deploy.Unknown {
			continue // the configuration may have one as well, which comes to the same
		}
		// Whether these read the older names is not known.
		if strings.HasPrefix(name, "CLAWDBOT_") && o.era.from("2026.2.26") && v.State != deploy.Unset && v.State != deploy.Unknown && p.pick(2) == 1 {
			continue
		}
		if c := g.given(p, o, v); c.Where != NoCredential {
			s.Credential = c
			return s
		}
	}
	remote := g.Doc.Get("gateway", "remote", kind)
	if remote != nil && o.mode.Value != ModeTrustedProxy && p.tri(o.era.since("2026.6.11", "2026.9.6")) {
		s.Credential = g.configured(p, o, remote).Credential
	}
	return s
}

// variables are the variables of that name that a release reads.
func (e era) variables(name string) []string {
	now, before := "OPENCLAW_GATEWAY_"+name, "CLAWDBOT_GATEWAY_"+name
	switch {
	case !e.from("2026.1.29"):
		return []string{before}
	case !e.from("2026.4.5"):
		return []string{now, before}
	}
	return []string{now}
}

// given returns a credential of the command line or the environment.
func (g *gateway) given(p *picker, o *outcome, v deploy.Value) Credential {
	elsewhere := Credential{Where: ElsewhereKnown, Pos: v.Pos}
	switch {
	case v.State == deploy.Present:
		return elsewhere
	case v.State != deploy.Unset && strings.TrimSpace(v.Text) != "":
		return Credential{Where: KnownText, Text: strings.TrimSpace(v.Text), Pos: v.Pos, Assumed: v.State == deploy.Assumed, Reference: len(v.Via) > 0}
	case v.State == deploy.Unknown, v.State == deploy.Assumed:
		if p.pick(2) == 0 {
			return Credential{}
		}
		o.given = true
		return elsewhere
	}
	return Credential{}
}

// configured returns a credential of the configuration.
func (g *gateway) configured(p *picker, o *outcome, n *json5.Node) secret {
	e := o.era
	switch {
	case n == nil && g.open():
		if p.pick(2) == 0 {
			return secret{}
		}
		o.given = true
		return secret{Credential: Credential{Where: ElsewhereKnown}, inConfig: true}
	case n == nil || n.Kind == json5.Null:
		return secret{}
	case n.Kind == json5.Object && e.from("2026.3.13"):
		if ref, ok := Reference(n, e.Version); ok && ref.Source == "env" {
			return g.referred(p, o, n, []string{ref.ID})
		}
		return secret{Credential: Credential{Where: ElsewhereKnown, Pos: n.Pos, Reference: true}, inConfig: true}
	case n.Kind != json5.String:
		return secret{problem: &Problem{Pos: n.Pos, ID: "refuses-start.secret-type", Fatal: true}}
	}
	assumed := false
	if missing := g.Doc.Missing[n]; len(missing) > 0 {
		assumed = !slices.ContainsFunc(missing, func(name string) bool { v := g.env(name); return v.State != deploy.Assumed || v.Text == "" })
		if !assumed {
			return g.referred(p, o, n, missing)
		}
	}
	text := strings.TrimSpace(n.Text)
	if text == "" {
		return secret{Credential: Credential{Pos: n.Pos}, blank: true}
	}
	if ref, ok := Reference(n, e.Version); ok && !variable.MatchString(text) && (!ref.Maybe || p.pick(2) == 0) {
		return g.referred(p, o, n, []string{ref.ID})
	}
	// An escaped reference is the literal text; some releases take that for one that
	// leads nowhere.
	if variable.MatchString(text) && e.from("2026.3.13") && !e.from("2026.8.2") && p.pick(2) == 1 {
		return secret{Credential: Credential{Pos: n.Pos}, inConfig: true, missing: true}
	}
	written, replaced := g.Doc.Written[n]
	return secret{
		Credential: Credential{Where: KnownText, Text: text, Pos: n.Pos, Reference: replaced && written != n.Text && variable.MatchString(written), Assumed: assumed},
		inConfig:   true,
	}
}

// referred returns what variables of the environment give.
func (g *gateway) referred(p *picker, o *outcome, n *json5.Node, names []string) secret {
	s := secret{Credential: Credential{Where: ElsewhereKnown, Pos: n.Pos, Reference: true}, inConfig: true}
	for _, name := range names {
		switch v := g.env(name); {
		case v.IsSet() && len(names) == 1:
			s.Where, s.Text, s.Assumed = KnownText, strings.TrimSpace(v.Text), v.State == deploy.Assumed
		case v.State == deploy.Unset, v.State == deploy.Set && v.Text == "", (v.State == deploy.Unknown || v.State == deploy.Assumed && v.Text == "") && p.pick(2) == 0:
			return secret{Credential: Credential{Pos: n.Pos}, inConfig: true, missing: true}
		case v.State == deploy.Unknown, v.State == deploy.Assumed:
			o.given = true
		}
	}
	return s
}

// Words that stand where nobody has set a secret, and the published examples.
func placeholders() []string { return []string{"", "undefined", "null", "__OPENCLAW_REDACTED__"} }

func examples() []string {
	return []string{"change-me-to-a-long-random-token", "change-me-now", "change-me-to-a-strong-password"}
}

// weak is why a release does not start with a credential.
func weak(e era, s secret) *Problem {
	if s.Where != KnownText {
		return nil
	}
	if slices.Contains(examples(), s.Text) && e.from("2026.4.25") || slices.Contains(placeholders(), s.Text) && e.from("2026.9.6") {
		return &Problem{Pos: s.Pos, ID: "refuses-start.weak-secret", Fatal: true}
	}
	return nil
}

// Weak says in which way a credential is weak; "" if it is not, as far as is known.
type Weak string

// The ways to be weak, worst first.
const (
	WeakPlaceholder Weak = "empty-placeholder" // undefined, null: what is left where no secret was
	WeakPublished   Weak = "published-example" // of the documentation
	WeakLiteral     Weak = "literal-reference" // it looks like a variable, and is the text itself
	WeakGuessable   Weak = "guessable"
	WeakShort       Weak = "too-short" // below shortest
)

// shortest is the least length that the product itself finds long enough.
const shortest = 24

// Weakness says in which way a credential is weak that a gateway of that mode and
// release compares with.
//
// Guessable is: of fewer than five different characters; one to four characters or a
// half of the text repeated; a run as of a keyboard, an alphabet or numbers; one to
// eight common words with no more than eight digits.
func Weakness(c Credential, mode string, r release.Version) Weak {
	if c.Where != KnownText || mode != ModeToken && mode != ModePassword {
		return ""
	}
	text := strings.TrimSpace(c.Text)
	switch {
	case slices.Contains(placeholders(), text):
		return WeakPlaceholder
	case slices.Contains(examples(), text):
		return WeakPublished
	case !c.Reference && literal.MatchString(text):
		return WeakLiteral
	case guessable(strings.ToLower(text)):
		return WeakGuessable
	case len(text) < shortest:
		return WeakShort
	}
	return ""
}

// literal is what looks like a variable.
var literal = regexp.MustCompile(`\$\{[^{}]*\}|^\$[A-Za-z_]\w*$|^\{\{.*\}\}$`)

func guessable(s string) bool {
	distinct := map[rune]bool{}
	for _, c := range s {
		distinct[c] = true
	}
	return len(distinct) < 5 || repeats(s) || isRun(s) || isWords(s)
}

// repeats reports whether s is a few characters over and over, or twice the same.
func repeats(s string) bool {
	for _, n := range []int{1, 2, 3, 4, len(s) / 2} {
		if n > 0 && len(s) >= 2*n && s == strings.Repeat(s[:n], len(s)/n+1)[:len(s)] {
			return true
		}
	}
	return false
}

// isRun reports whether s, without what separates, is a part of a common row, there or back.
func isRun(s string) bool {
	s = strings.NewReplacer("-", "", "_", "", ".", "", " ", "").Replace(s)
	back := []byte(s)
	slices.Reverse(back)
	for _, row := range []string{
		strings.Repeat("0123456789", 8), strings.Repeat("1234567890", 8), strings.Repeat("abcdefghijklmnopqrstuvwxyz", 4),
		strings.Repeat("0123456789abcdef", 6), "qwertyuiopasdfghjklzxcvbnm", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik",
	} {
		if strings.Contains(row, s) || strings.Contains(row, string(back)) {
			return true
		}
	}
	return false
}

// commonWords make up secrets that are thought up in a hurry.
var commonWords = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:(?:` + strings.Join([]string{
		"password", "passw0rd", "passwort", "passwd", "pass", "pwd", "token", "secret", "secure", "security", "key", "api", "auth", "admin", "administrator", "root", "user",
		"openclaw", "clawdbot", "moltbot", "claw", "clawd", "molt", "bot", "lobster", "gateway", "agent", "assistant", "ai", "claude", "gpt",
		"changeme", "changeit", "change", "me", "it", "this", "replace", "insert", "put", "set", "enter", "with", "by", "to", "in", "please", "todo", "fixme",
		"my", "your", "our", "the", "a", "an", "is", "of", "for", "here", "now", "new", "some", "own", "very", "super", "long", "strong", "random", "generated", "value", "string", "placeholder",
		"test", "testing", "demo", "dev", "develop", "development", "prod", "production", "staging", "local", "localhost", "default", "example", "sample", "dummy", "temp", "tmp", "foo", "bar", "baz", "foobar",
		"letmein", "welcome", "hello", "world", "hunter", "dragon", "monkey", "master", "shadow", "sunshine", "iloveyou", "trustno", "football", "baseball", "princess",
		"qwerty", "qwertz", "azerty", "asdf", "abc", "abcd", "xyz", "home", "server", "docker", "linux", "ubuntu", "not", "safe", "unsafe", "insecure",
	}, "|") + `)[^a-z]*){1,8}$`)
})

// isWords reports whether s is common words with few digits.
func isWords(s string) bool {
	digits := 0
	for _, c := range s {
		if c >= '0' && c <= '9' {
			digits++
		}
	}
	return digits <= 8 && commonWords().MatchString(strings.TrimLeft(s, "0123456789-_.!@#$%^&*<>[]() "))
}
