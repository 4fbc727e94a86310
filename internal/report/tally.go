package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
)

// tally counts a stream and puts the result into words: what a manager asks for,
// in every format for people.
type tally struct {
	c       *catalogue
	clean   func(s string, limit int) string
	scan    *event.Scan
	summary *event.Summary
	seen    *event.Summary // own count, for a stream without summary

	// What could not be judged and is no gateway (in a comparison, gateways as
	// well): how many, those of them that were named and found closed or silent,
	// and the first few by name.
	unjudged event.Unjudged
	missing  int64
	ways     waysIn
	unread   int // deployments without a gateway that were not read as a whole
	idle     int // gateways that do not start, of which it is not known what they ask

	differing int // targets of which vantages see different verdicts
	checks    []event.CheckInfo
	shows     func(*event.Finding) bool // see Options.Severities
	worst     ranking                   // what is listed, and named
	groups    totals
	news      news // of a comparison
}

// maxPlaces is how many targets the headline names.
const maxPlaces = 3

func newTally(c *catalogue, o Options) *tally {
	return &tally{
		c: c, clean: clean.N[string], checks: o.Checks, shows: o.shows, worst: ranking{limit: firstTargets, quiet: o.Verbose},
		seen: event.NewSummary(),
	}
}

// event takes one event of the stream.
func (t *tally) event(e event.Event) {
	switch e := e.(type) {
	case *event.Scan:
		t.scan = e
	case *event.Summary:
		t.summary = e
		if u := e.Unlisted; u != nil {
			t.missing += u.Count
		}
		t.unjudged.Summary(e)
	case *event.Target:
		t.count(e)
		t.worst.add(e)
		t.groups.add(e)
		if t.compares() {
			t.news.add(e, t.shows)
		}
	}
}

// inspects reports whether the stream is of an inspection: nothing was contacted.
func (t *tally) inspects() bool { return t.scan != nil && t.scan.Kind == event.TargetFiles }

// compares reports whether the stream is a comparison of two scans.
func (t *tally) compares() bool { return t.scan != nil && t.scan.Compared != nil }

// named lists what could not be judged: "127.0.0.1:18789 (closed)".
func (t *tally) named() string {
	c := t.c
	var parts []string
	for _, p := range t.unjudged.Places[:min(len(t.unjudged.Places), maxPlaces)] {
		parts = append(parts, c.say("%s (%s)", t.clean(p.Place, 120), c.outcome(t.clean(p.Outcome, 40))))
	}
	list := strings.Join(parts, c.say(", "))
	if more := t.unjudged.More(len(parts)); more > 0 {
		list = c.join(list, c.say("and %d more", more))
	}
	return list
}

func (t *tally) count(x *event.Target) {
	t.seen.Add(x)
	fold(t.seen.Outcomes, event.Outcomes(), event.OutcomeUnknown)
	fold(t.seen.Auth, event.AuthStates(), event.AuthUnknown)
	fold(t.seen.Findings, event.Severities(), event.Ungraded)
	if x.Outcome != event.OutcomeIdentified || t.compares() {
		t.unjudged.Target(x)
	}
	if (x.Outcome == event.OutcomeClosed || x.Outcome == event.OutcomeSilent) && !x.Judged() {
		t.missing++
	}
	if inFiles(x) && x.Outcome == event.OutcomeOther && !x.Judged() {
		t.unread++
	}
	if x.Refuses() && x.Outcome == event.OutcomeIdentified && authState(x) == event.AuthUnknown {
		t.idle++
	}
	if differs(x) {
		t.differing++
	}
	t.ways.add(x)
}

// fold counts words that this version does not know as rest, so that the count
// stays small for any stream.
func fold[K ~string](m map[K]int, known []K, rest K) {
	for k, n := range m {
		if k != rest && !slices.Contains(known, k) {
			delete(m, k)
			m[rest] += n
		}
	}
}

// graded is how many findings stand of each severity, the worst first. Those whose
// severity this version does not know come before all.
func (t *tally) graded() []graded {
	var out []graded
	unknown := 0
	for _, n := range t.totals().Findings {
		unknown += n
	}
	for _, s := range slices.Backward(event.Severities()) {
		n := t.totals().Findings[s]
		out = append(out, graded{s, n})
		unknown -= n
	}
	if unknown > 0 {
		out = slices.Insert(out, 0, graded{event.Ungraded, unknown})
	}
	return out
}

type graded struct {
	event.Severity
	N int
}

// totals is the stream's summary, or the own count if it has none.
func (t *tally) totals() *event.Summary {
	if t.summary != nil {
		return t.summary
	}
	return t.seen
}

// gateways is their number; what is another way in to one is none of its own.
func (t *tally) gateways() int {
	n := t.totals().Outcomes[event.OutcomeIdentified]
	more, _ := t.sameGateway()
	for _, m := range more {
		n -= m
	}
	return n
}

// sameGateway is what ways says, unless the stream's own numbers contradict it.
func (t *tally) sameGateway() (by map[event.AuthState]int, ways int) {
	by, ways = t.ways.more()
	for state, n := range by {
		if t.totals().Auth[state] < n || t.totals().Outcomes[event.OutcomeIdentified] < t.ways.lines {
			return nil, 0
		}
	}
	return by, ways
}

// auth is the number of gateways by state, of one with several ways in the worst;
// one whose state is not known to this version counts as unknown.
func (t *tally) auth() map[event.AuthState]int {
	s := t.totals()
	auth := map[event.AuthState]int{}
	known := 0
	for _, state := range event.AuthStates() {
		auth[state] = s.Auth[state]
		known += s.Auth[state]
	}
	auth[event.AuthUnknown] += max(s.Outcomes[event.OutcomeIdentified]-known, 0)
	auth[event.AuthUnknown] = max(auth[event.AuthUnknown]-t.idle, 0)
	more, _ := t.sameGateway()
	for state, n := range more {
		auth[state] -= n
	}
	return auth
}

// diff is the count of a comparison; nil if the stream is none.
func (t *tally) diff() *event.Diff { return t.totals().Diff }

// statement is text with its tone. It is clean.
type statement struct {
	Text string
	Tone tone
}

// headline is the result in one or two sentences.
func (t *tally) headline() []statement {
	out := t.result()
	if t.compares() {
		return out
	}
	if t.idle > 0 {
		out = append(out, statement{t.c.count(t.idle, "%d gateway does not start with these files.", "%d gateways do not start with these files."), plain})
	}
	if t.differing > 0 {
		out = append(out, statement{t.c.count(t.differing, "Vantages see %d target differently.", "Vantages see %d targets differently."), doubt})
	}
	if t.inspects() {
		out = append(out, statement{t.c.say("This is what the files declare: nothing was contacted."), faint})
	}
	return out
}

// result is the headline without what is said of files.
func (t *tally) result() []statement {
	if d := t.diff(); d != nil {
		return t.changed(d)
	}
	c, s, auth := t.c, t.totals(), t.auth()
	gateways := t.gateways()
	all := c.count(gateways, "%d gateway", "%d gateways")
	dark := auth[event.AuthUnknown] + auth[event.AuthBlocked]
	var out []statement
	if n := auth[event.AuthOpen]; n > 0 {
		out = append(out, statement{pick(n == 1,
			c.say("%d of %s is OPEN: it accepts anyone who can reach it.", n, all),
			c.say("%d of %s are OPEN: they accept anyone who can reach them.", n, all)), worst})
	}
	if n := auth[event.AuthClaimable]; n > 0 {
		out = append(out, statement{pick(n == 1,
			c.say("%d of %s is CLAIMABLE: the first to connect owns it.", n, all),
			c.say("%d of %s are CLAIMABLE: the first to connect owns them.", n, all)), worst})
	}
	if len(out) > 0 {
		if t.unjudged.Count > 0 {
			out = append(out, statement{t.unjudgedToo(), doubt})
		}
		return out
	}
	text, mood := "", plain
	switch {
	case dark > 0:
		text, mood = pick(dark == 1,
			c.say("No gateway is known to be open, but %d of %d could not be judged: do not treat it as safe.", dark, gateways),
			c.say("No gateway is known to be open, but %d of %d could not be judged: do not treat them as safe.", dark, gateways)), doubt
	case t.idle > 0 && gateways == t.idle:
		text = c.say("No gateway is open.")
	case t.idle > 0 && gateways > t.idle:
		text, mood = c.count(gateways-t.idle, "No gateway is open: the %d that starts requires a credential.", "No gateway is open: the %d that start require a credential."), good
	case gateways > 0:
		text = pick(gateways == 1,
			c.say("No gateway is open: the one found requires a credential."),
			c.say("No gateway is open: all %d found require a credential.", gateways))
		if n := auth[event.AuthGated]; n > 0 {
			text = c.join(text, c.say("For %d of them a login or proxy in front requires it.", n))
		}
		mood = good
	case t.unjudged.Count > 0 && t.unjudged.Count >= s.Targets:
		text, mood = c.say("No gateway was found at %s.", t.named()), doubt
	case s.Targets == 0 && t.summary == nil:
		text = c.say("There is no result: the stream contains no target.")
	case t.inspects() && s.Targets > 0:
		text = c.say("No gateway was found in the files.")
	case s.Targets == 0:
		text = c.say("Nothing was scanned: there was no target.")
	case int64(s.Outcomes[event.OutcomeClosed]) == s.Targets:
		text = c.say("No gateway was found: every target refused the connection.")
	case int64(s.Outcomes[event.OutcomeSilent]) == s.Targets:
		text = c.say("No gateway was found: no target answered.")
	case int64(s.Outcomes[event.OutcomeSilent]+s.Outcomes[event.OutcomeClosed]) == s.Targets:
		text = c.say("No gateway was found: every target refused the connection or did not answer.")
	case len(t.failed()) > 0 && t.unjudged.Count == 0: // they have no lines
		text, mood = c.say("No gateway was found, but not every target could be judged."), doubt
	default:
		text = c.say("No gateway was found.")
	}
	if t.unjudged.Count > 0 && (gateways > 0 || t.unjudged.Count < s.Targets) {
		text, mood = c.join(text, t.unjudgedToo()), doubt
	}
	if gateways == 0 && t.unjudged.Count == 0 && s.Targets > 0 {
		if ports := t.ports(); ports != "" {
			text = c.join(text, c.say("Ports tried: %s.", ports))
		}
	}
	// What a helper gives away is among the findings; the gateway's login does
	// not stand before it.
	if n := s.Outcomes[event.OutcomeHelper]; n > 0 {
		text, mood = c.join(text, c.count(n, "%d helper service can be reached.", "%d helper services can be reached.")), doubt
	}
	if !s.Complete && s.Targets > 0 {
		text, mood = c.join(text, c.say("The scan is incomplete.")), doubt
	}
	return []statement{{text, mood}}
}

// maxPorts is how many ports the headline names.
const maxPorts = 16

// ports lists the ports that were tried of targets that name none.
func (t *tally) ports() string {
	if t.scan == nil {
		return ""
	}
	var out []string
	for _, p := range t.scan.Ports[:min(len(t.scan.Ports), maxPorts)] {
		out = append(out, strconv.Itoa(int(p)))
	}
	list := strings.Join(out, t.c.say(", "))
	if more := len(t.scan.Ports) - len(out); more > 0 {
		list = t.c.join(list, t.c.say("and %d more", more))
	}
	return list
}

// unjudgedToo says what could not be judged besides.
func (t *tally) unjudgedToo() string {
	return pick(t.unjudged.Count == 1,
		t.c.say("%d target could not be judged: %s.", t.unjudged.Count, t.named()),
		t.c.say("%d targets could not be judged: %s.", t.unjudged.Count, t.named()))
}

// changed is the headline of a comparison.
func (t *tally) changed(d *event.Diff) []statement {
	c := t.c
	var out []statement
	if first, second, ok := t.vantages(); ok {
		out = t.differences(d, first, second)
		if t.unjudged.Count > 0 {
			out = append(out, statement{t.unjudgedToo(), doubt})
		}
		return out
	}
	if d.Opened+d.Closed+d.Unseen+d.Changed+d.Advisories == 0 {
		out = append(out, statement{c.say("Nothing has changed."), plain})
	}
	if n := d.Opened; n > 0 {
		out = append(out, statement{c.count(n, "%d finding is new.", "%d findings are new."), bad})
	}
	if n := d.Closed; n > 0 {
		out = append(out, statement{c.count(n, "%d finding is gone.", "%d findings are gone."), good})
	}
	if n := d.Unseen; n > 0 {
		out = append(out, statement{c.count(n, "%d finding was not seen again, which does not show that it is gone.",
			"%d findings were not seen again, which does not show that they are gone."), doubt})
	}
	if n := d.Changed; n > 0 {
		out = append(out, statement{c.count(n, "%d target has changed.", "%d targets have changed."), plain})
	}
	if n := d.Advisories; n > 0 {
		out = append(out, statement{c.count(n, "%d advisory is new for its target.", "%d advisories are new for their targets."), doubt})
	}
	if t.unjudged.Count > 0 {
		out = append(out, statement{t.unjudgedToo(), doubt})
	}
	return out
}

// failed lists the targets that could not be judged, by outcome.
func (t *tally) failed() []string {
	_, failed := t.byOutcome()
	return failed
}

// byOutcome lists the numbers of targets, those that failed apart.
func (t *tally) byOutcome() (targets, failed []string) {
	c, s := t.c, t.totals()
	all, shown := 0, 0
	for _, n := range s.Outcomes {
		all += n
	}
	for i, o := range event.Outcomes() {
		n := s.Outcomes[o]
		shown += n
		switch {
		case n == 0:
		case o == event.OutcomeIdentified:
			text := c.count(t.gateways(), "%d gateway", "%d gateways")
			if _, ways := t.sameGateway(); ways > 0 {
				text += c.say(" (%d ways in)", n)
			}
			targets = append(targets, text)
		case o == event.OutcomeHelper:
			targets = append(targets, c.count(n, "%d helper service", "%d helper services"))
		case o == event.OutcomeOther && t.inspects():
			targets = append(targets, c.say("%d without a gateway", n))
		case i <= 5:
			targets = append(targets, c.say("%[1]d %[2]s", n, c.outcome(string(o))))
		default:
			failed = append(failed, c.say("%[1]d %[2]s", n, c.outcome(string(o))))
		}
	}
	if n := all - shown; n > 0 {
		failed = append(failed, c.say("%d of a kind this version does not know", n))
	}
	return targets, failed
}

// outcome names an outcome, or a reason of event.Target.Why. What this version
// does not know stays as it is.
func (c *catalogue) outcome(o string) string {
	names := map[string]string{
		string(event.OutcomeOther): c.say("no known product"), string(event.OutcomeSilent): c.say("no answer"),
		string(event.OutcomeClosed): c.say("closed"), string(event.OutcomeExcluded): c.say("excluded"),
		string(event.OutcomeUnreachable): c.say("unreachable"), string(event.OutcomeReset): c.say("reset"),
		string(event.OutcomeDNSError): c.say("dns-error"), string(event.OutcomeTLSError): c.say("tls-error"),
		string(event.OutcomeProtocolError): c.say("protocol-error"), string(event.OutcomeLocalError): c.say("local-error"),
		string(event.OutcomeInterrupted): c.say("interrupted"), string(event.OutcomeAbsent): c.say("not listed now"),
		"no whole answer": c.say("no whole answer"), event.WhyUnread: c.say("not all could be judged"),
		string(event.AuthUnknown): c.say("auth unclear"), string(event.AuthBlocked): c.say("refusing the proxy"),
	}
	return cmp.Or(names[o], o)
}

// state names the state of a gateway's authentication.
func (c *catalogue) state(s event.AuthState) string {
	return map[event.AuthState]string{
		event.AuthOpen: c.say("open"), event.AuthClaimable: c.say("claimable"), event.AuthRequired: c.say("auth required"), event.AuthGated: c.say("gated in front"),
		event.AuthBlocked: c.say("refusing the proxy"), event.AuthUnknown: c.say("auth unclear"),
	}[s]
}

// fact is one line of the summary. It is clean.
type fact struct {
	Name, Text string
	Tone       tone
}

// facts answer how many, how bad, how sure, and with which data.
func (t *tally) facts() []fact {
	c, s := t.c, t.totals()
	gateways, auth := t.gateways(), t.auth()
	targets, failed := t.byOutcome()
	out := []fact{{c.say("Targets"), c.listing(s.Targets, slices.Concat(targets, failed)), plain}}

	if gateways > 0 {
		var parts []string
		for _, state := range event.AuthStates() {
			if auth[state] > 0 {
				parts = append(parts, c.say("%[1]d %[2]s", auth[state], c.state(state)))
			}
		}
		out = append(out, fact{c.say("Gateways"), c.listing(int64(gateways), parts), plain})
	}

	var found []string
	for _, x := range t.graded() {
		if x.N > 0 {
			found = append(found, c.say("%d %s", x.N, c.severity(x.Severity)))
		}
	}
	findings := cmp.Or(strings.Join(found, c.say(", ")), c.say("none"))
	if s.Suppressed > 0 {
		findings += c.say(" (%d suppressed)", s.Suppressed)
	}
	out = append(out, fact{c.say("Findings"), findings, plain})

	if n := auth[event.AuthUnknown] + auth[event.AuthBlocked]; n > 0 {
		failed = append([]string{c.count(n, "%d gateway", "%d gateways")}, failed...)
	}
	if t.missing > 0 {
		failed = append(failed, c.count(int(t.missing), "%d named and not found", "%d named and not found"))
	}
	if t.unread > 0 {
		failed = append(failed, c.count(t.unread, "%d deployment not read as a whole", "%d deployments not read as a whole"))
	}
	if len(failed) > 0 {
		out = append(out, fact{c.say("Not judged"), c.say("%s. Not judged does not mean safe.", strings.Join(failed, c.say(", "))), doubt})
	}
	if m := s.MissEstimate; m.Reprobed > 0 {
		silent := c.count(m.Reprobed, "%d silent target", "%d silent targets")
		f := fact{c.say("Retried"), c.say("%s retried, none answered", silent), plain}
		if m.Found > 0 {
			f.Text, f.Tone = c.say("%s retried, %d answered: others may have been missed, too", silent, m.Found), doubt
		}
		out = append(out, f)
	}
	switch {
	case t.summary == nil:
		out = append(out, fact{c.say("Coverage"), c.say("INCOMPLETE: the stream ends without a summary; the numbers are those of the targets in it"), doubt})
	case !s.Complete:
		out = append(out, fact{c.say("Coverage"), c.say("INCOMPLETE: not every target was judged"), doubt})
	default:
		out = append(out, fact{c.say("Coverage"), c.say("complete"), plain})
	}
	if t.scan != nil {
		out = append(out, t.provenance()...)
	}
	notes := s.AllNotes()
	for _, n := range notes[:min(len(notes), 20)] {
		out = append(out, fact{c.say("Note"), t.clean(c.messages(n.English, n.Message), clean.Limit), doubt})
	}
	return out
}

// provenance says what was run, when, and with which data.
func (t *tally) provenance() []fact {
	c, s := t.c, t.totals()
	scan := []string{t.tool(t.scan.Tool)}
	if t.inspects() {
		scan = append(scan, c.say("files only"))
	} else if t.scan.Level != "" {
		scan = append(scan, c.say("level %s", t.clean(string(t.scan.Level), 20)))
	}
	if t.scan.Shard != "" && t.scan.Shard != "1/1" {
		scan = append(scan, c.say("only shard %s", t.clean(t.scan.Shard, 20)))
	}
	if t.scan.Vantage != "" {
		scan = append(scan, c.say("seen from %s", t.clean(t.scan.Vantage, 100)))
	}
	if !t.scan.Started.IsZero() {
		scan = append(scan, minute(t.scan.Started))
		if d := s.Finished.Sub(t.scan.Started); !s.Finished.IsZero() && d >= 0 {
			unit := time.Second
			if d < 10*time.Second {
				unit = 100 * time.Millisecond
			}
			scan = append(scan, c.say("took %s", d.Round(unit)))
		}
	}
	out := []fact{{c.say("Scan"), strings.Join(scan, c.say(", ")), plain}}
	if way := t.way(); way != "" {
		out = append(out, fact{c.say("Connection"), way, plain})
	}
	if first, second, ok := t.vantages(); ok {
		out = append(out, fact{c.say("Compared"), c.say("what %s sees (%s) with what %s sees (%s)", first, minute(t.scan.Compared.Started), second, minute(t.scan.Started)), plain})
	} else if old := t.scan.Compared; old != nil {
		out = append(out, fact{c.say("Compared"), c.say("with the scan of %s, %s", minute(old.Started), t.tool(old.Tool)), plain})
	}
	return append(out, t.data())
}

// data says which data was used, and of when it was.
func (t *tally) data() fact {
	c, d := t.c, t.scan.Data
	var parts []string
	switch {
	case d.File != "":
		parts = append(parts, c.say("data %s of %s, signed by the key %s", t.clean(d.Version, 20), t.clean(d.File, 80), t.clean(d.Key, 40)))
	case d.Version != "":
		parts = append(parts, c.say("built-in data %s", t.clean(d.Version, 20)))
	}
	old := false
	dated := func(text, day string) string {
		if day == "" {
			return text
		}
		text += c.say(" as of %s", t.clean(day, 30))
		// By the scan's own clock: a stored report must not change with age.
		if days, ok := event.Age(day, t.scan.Started); ok && days > int(event.StaleAfter.Hours()/24) {
			text += c.say(" (%d days old then)", days)
			old = true
		}
		return text
	}
	releases := c.count(d.Releases, "%d release", "%d releases")
	if d.NewestRelease != "" {
		releases += c.say(" up to %s", t.clean(d.NewestRelease, 40))
	}
	parts = append(parts, dated(releases, d.ReleasesAsOf))
	if d.Advisories > 0 {
		parts = append(parts, dated(c.count(d.Advisories, "%d advisory", "%d advisories"), d.AdvisoriesAsOf))
	}
	text := strings.Join(parts, c.say(", "))
	if !d.Stale(t.scan.Started) {
		return fact{c.say("Data"), text, plain}
	}
	age := c.say("How old that is, is not known.")
	if old {
		age = c.say("That is old.")
	}
	return fact{c.say("Data"), c.join(c.join(c.say("%s.", text), age), c.say("Newer releases are not known by name, newer advisories are not reported, and an update to the newest release named here may itself be outdated. Get newer data: %s", "clawsonar data update")), doubt}
}

// way says how connections were made, where that was not left to the system.
func (t *tally) way() string {
	n := t.scan.Network
	if n == nil {
		return ""
	}
	c := t.c
	var parts []string
	for _, x := range []struct{ text, value string }{
		{c.say("through the proxy %s", t.clean(n.Proxy, 100)), n.Proxy},
		{c.say("from the address %s", t.clean(n.SourceIP, 60)), n.SourceIP},
		{c.say("through the interface %s", t.clean(n.Interface, 40)), n.Interface},
		{c.say("names looked up at %s", t.clean(n.Resolver, 60)), n.Resolver},
		{c.say("with the header %s", t.clean(strings.Join(n.Headers, "; "), 200)), strings.Join(n.Headers, "")},
	} {
		if x.value != "" {
			parts = append(parts, x.text)
		}
	}
	return strings.Join(parts, c.say(", "))
}

func (t *tally) tool(x event.Tool) string {
	return t.clean(strings.TrimSpace(x.Name+" "+x.Version), 60)
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// listing is a total and what it is made of.
func (c *catalogue) listing(total int64, parts []string) string {
	if len(parts) == 0 {
		return fmt.Sprint(total)
	}
	return c.say("%d: %s", total, strings.Join(parts, c.say(", ")))
}

func pick[T any](cond bool, yes, no T) T {
	if cond {
		return yes
	}
	return no
}
