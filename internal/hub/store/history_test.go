package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/stream"
)

// hour is the n-th hour of the tests.
func hour(n int) time.Time { return time.Date(2026, 11, 1, n, 0, 0, 0, time.UTC) }

// line is a line of a stream, in short: "PLACE STATE [RELEASE] [as=NUMBER] [country=XX]",
// where a state is one of an authentication or an outcome. Open ones have the finding of it.
// With " named" at the end a target names it, else it is of a range.
func line(text string) *event.Target {
	var geo event.Geo
	text, named := strings.CutSuffix(text, " named")
	text, geo.Country, _ = strings.Cut(text, " country=")
	text, as, _ := strings.Cut(text, " as=")
	if n, err := fmt.Sscan(as, &geo.AS); n == 1 && err == nil {
		geo.ASName = "Net " + as
	}
	f := append(strings.Fields(text), "")
	colon := strings.LastIndex(f[0], ":")
	host, port := f[0][:colon], f[0][colon+1:]
	name, ip, has := strings.Cut(host, "=")
	if !has {
		name, ip = "", host
	}
	t := &event.Target{Type: event.TypeTarget, Outcome: event.OutcomeIdentified}
	t.Target = event.Address{Input: f[0], Name: name, IP: ip, URL: "http://" + net.JoinHostPort(cmp.Or(name, ip), port) + "/", Member: event.OfRange}
	fmt.Sscan(port, &t.Target.Port)
	if named {
		t.Target.Member = event.OfNothing
	}
	if slices.Contains(event.Outcomes(), event.Outcome(f[1])) && f[1] != string(event.OutcomeUnknown) {
		t.Outcome = event.Outcome(f[1])
		return t
	}
	if geo != (event.Geo{}) {
		t.Geo = &geo
	}
	t.Product = &event.Product{ID: "openclaw", Name: "OpenClaw gateway", Confidence: event.Certain}
	t.Auth = &event.Auth{State: event.AuthState(f[1])}
	if r := f[2]; r != "" {
		t.Version = &event.Version{Exact: r, Candidates: []string{r}}
	}
	if len(f) > 4 { // with a finding of that severity
		t.Findings = []event.Finding{{ID: "release-outdated", Severity: event.Severity(f[3]), Key: "s" + f[0], Title: "x"}}
	}
	if t.Auth.State == event.AuthOpen {
		t.Findings = []event.Finding{{ID: "auth-missing", Severity: event.Critical, Key: "k" + f[0], Title: "Anyone controls it"}}
	}
	return t
}

// run writes a stream of a watch and returns its file: complete unless a line says
// "incomplete", without a summary if one says "cut", a second look if one says "again". It is
// of other targets with "others" or "unknown targets", leaves out as many as there are
// "excluded", and stands where "nowhere" or "from a" say.
func run(t *testing.T, dir, watch string, n int, lines ...string) string {
	t.Helper()
	file := filepath.Join(dir, watch, fmt.Sprintf("%04d.jsonl", n))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := event.NewWriter(&b)
	write := func(e event.Event) {
		t.Helper()
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	vantage := "from " + watch
	if slices.Contains(lines, "from a") {
		vantage = "from a"
	}
	has := func(word string) bool { return slices.Contains(lines, word) }
	config := "c"
	switch {
	case has("nowhere"):
		vantage = ""
	case has("others"):
		config = "d"
	case has("unknown targets"):
		config = ""
	}
	sum := event.NewSummary()
	sum.Type, sum.Finished, sum.Complete = event.TypeSummary, hour(n).Add(time.Minute), !has("incomplete")
	write(&event.Scan{Type: event.TypeScan, Schema: event.Schema, Started: hour(n), Level: event.LevelStandard, Shard: "1/1", Watch: watch, Vantage: vantage, Config: config, Again: has("again")})
	for _, text := range lines {
		if strings.Contains(text, ":") {
			x := line(text)
			sum.Add(x)
			write(x)
		}
		if text == "excluded" {
			sum.AddOutcome(event.OutcomeExcluded, 1)
		}
	}
	if !has("cut") {
		write(sum)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func apply(t *testing.T, s *Store, dir, file string) Applied {
	t.Helper()
	x, err := stream.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Apply(context.Background(), x, name(dir, x), check.Infos())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// told is what a run changed, in short.
func told(t *testing.T, s *Store, run ID) string {
	t.Helper()
	list, _, err := s.Changes(context.Background(), ChangeFilter{Run: run}, Page{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range list {
		out = append(out, fmt.Sprintf("%s %s %s>%s", c.Place, strings.Join(event.Words(c.Kinds...), ","), c.OldVerdict, c.Verdict))
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// testHistory: what runs after one another show of a gateway. Each step is a run of a
// watch, what it changed, and how the gateway stands then: verdict, proven, findings.
func testHistory(t *testing.T, s *Store) {
	type step struct {
		watch string
		lines []string
		told  string
		now   string
	}
	const g = "10.0.0.7:18789"
	a := func(told, now string, lines ...string) step { return step{"a", lines, told, now} }
	b := func(told, now string, lines ...string) step { return step{"b", lines, told, now} }
	n := 0
	for i, c := range []struct {
		name  string
		steps []step
	}{
		{"opened, closed, opened", []step{
			a(g+" opened,new,finding >open", "open open 1", g+" open"),
			a("", "open open 1", g+" open"),
			a(g+" closed,fixed open>required", "required required 0", g+" required"),
			a(g+" opened,finding required>open", "open open 1", g+" open"),
		}},
		{"an incomplete run opens, but closes nothing", []step{
			a(g+" new >required", "required required 0", g+" required", "incomplete"),
			a(g+" opened,finding required>open", "open open 1", g+" open", "incomplete"),
			a("", "open open 1", g+" required", "incomplete"),
			a("", "open open 1", g+" closed", "cut"),
			a("", "open open 1", "incomplete"),
			a(g+" closed,fixed open>required", "required required 0", g+" required"),
		}},
		{"what no longer shows is not closed", []step{
			a(g+" opened,new,finding >open", "open open 1", g+" open"),
			a(g+" verdict open>unknown", "unknown open 1", g+" unknown"),
			a("", "unknown open 1", g+" tls-error"),
			a(g+" verdict unknown>open", "open open 1", g+" open"),
			a(g+" verdict open>blocked", "blocked open 1", g+" blocked"),
			a(g+" closed,fixed blocked>required", "required required 0", g+" required"),
		}},
		{"gone, by a line or by none", []step{
			a(g+" opened,new,finding >open", "open open 1", g+" open"),
			a(g+" gone open>gone", "gone open 0", g+" silent"),
			a(g+" finding,verdict gone>open", "open open 1", g+" open"), // it did not answer once: no other gateway
			a(g+" gone open>gone", "gone open 0", "10.0.0.9:1 closed"),
			a("", "gone open 0", g+" closed"),
			a(g+" opened,finding gone>open", "open open 1", g+" open"),
			a(g+" gone open>other", "other open 0", g+" other"),
		}},
		{"not looked at", []step{
			a(g+" opened,new,finding >open", "open open 1", g+" open"),
			a("", "open open 1", g+" excluded"),
			a("", "open open 1", g+" interrupted"),
			a("", "open open 1", g+" local-error"),
			a("", "open open 1", "again"), // a second look at others
		}},
		{"two watches", []step{
			a(g+" opened,new,finding >open", "open open 1", g+" open"),
			b(g+" opened >open", "open open 1", g+" open"),              // from another vantage
			a(g+" verdict open>required", "open open 1", g+" required"), // still open from there
			b(g+" closed,fixed open>required", "required required 0", g+" required"),
			b(g+" verdict required>gated", "gated gated 0", g+" gated"),
			b(g+" gone gated>gone", "required required 0", g+" silent"),
		}},
		{"two watches with one vantage", []step{
			a(g+" opened,new,finding >open", "open open 1", g+" open"),
			b("", "open open 1", g+" open", "from a"),
		}},
		{"a name with two addresses is open if one of them is", []step{
			a("n:1 opened,new,finding >open", "open open 1", "n=10.0.0.1:1 required", "n=10.0.0.2:1 open"),
			a("n:1 verdict open>required", "required open 1", "n=10.0.0.1:1 required"), // the other may be open yet
			a("", "required open 1", "n=10.0.0.1:1 required"),                          // however often
			a("", "required open 1", "n=10.0.0.1:1 required", "n=10.0.0.2:1 tls-error"),
			a("", "required open 1", "n=10.0.0.1:1 required", "incomplete"),
			a("n:1 closed,fixed required>required", "required required 0", "n=10.0.0.1:1 required", "n=10.0.0.2:1 required"),
		}},
		{"a name with two addresses that are closed at once", []step{
			a("n:1 opened,new,finding >open", "open open 1", "n=10.0.0.1:1 required", "n=10.0.0.2:1 open"),
			a("n:1 closed,fixed open>required", "required required 0", "n=10.0.0.1:1 required", "n=10.0.0.2:1 required"),
			a("n:1 opened,finding required>open", "open open 1", "n=10.0.0.2:1 open", "n=10.0.0.1:1 required"),
			a("n:1 verdict open>unknown", "unknown open 1", "n=10.0.0.2:1 unknown", "n=10.0.0.1:1 required"),
		}},
		{"of a name that does not answer, what is not known counts", []step{
			a("n:1 new >required", "required required 0", "n=10.0.0.1:1 required"),
			a("n:1 verdict required>unknown", "unknown required 0", "n=10.0.0.1:1 closed", "n=10.0.0.2:1 tls-error"),
		}},
		{"of a name with two releases the order of lines says nothing", []step{
			a("n:1 new >required", "required required 0", "n=10.0.0.1:1 required 2026.3.13", "n=10.0.0.2:1 required 2026.9.6"),
			a("", "required required 0", "n=10.0.0.2:1 required 2026.9.6", "n=10.0.0.1:1 required 2026.3.13"),
		}},
		{"an incomplete run sees what answers again", []step{
			a(g+" opened,new,finding >open", "open open 1", g+" open"),
			a(g+" gone open>gone", "gone open 0", g+" silent"),
			a(g+" verdict gone>required", "required open 0", g+" required", "incomplete"), // and closes nothing
			a(g+" closed required>required", "required required 0", g+" required"),
		}},
		{"closed only if no watch was left with it open", []step{
			a(g+" opened,new,finding >open", "open open 1", g+" open"),
			b(g+" opened >open", "open open 1", g+" open"),
			b(g+" verdict open>unknown", "open open 1", g+" unknown"),
			a(g+" verdict open>required", "unknown open 1", g+" required"),
			b(g+" closed,fixed unknown>required", "required required 0", g+" required"),
		}},
		{"a finding that becomes worse is new", []step{
			a(g+" new,finding >required", "required required 1", g+" required 2026.9.6 medium"),
			a(g+" finding required>required", "required required 1", g+" required 2026.9.6 high"),
			a("", "required required 1", g+" required 2026.9.6 medium"),
			a(g+" fixed required>required", "required required 0", g+" required 2026.9.6"),
		}},
		{"release", []step{
			a(g+" new >required", "required required 0", g+" required 2026.3.13"),
			a(g+" release required>required", "required required 0", g+" required 2026.9.6"),
			a(g+" release required>required", "required required 0", g+" required"),
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			clearIndex(t, s)
			for j, x := range c.steps {
				n++
				r := apply(t, s, dir, run(t, dir, x.watch, n, x.lines...))
				if got := told(t, s, r.Run.ID); got != x.told {
					t.Errorf("%d, step %d: changes %q, want %q", i, j+1, got, x.told)
				}
				list, _, err := s.Gateways(context.Background(), Filter{}, Page{})
				if err != nil || len(list) != 1 {
					t.Fatalf("%v, %v", list, err)
				}
				if now := fmt.Sprintf("%s %s %d", list[0].Verdict, list[0].Proven, list[0].Findings); now != x.now {
					t.Errorf("%d, step %d: %s, want %s", i, j+1, now, x.now)
				}
			}
			same(t, s, dir)
		})
	}
}

// clearIndex begins anew.
func clearIndex(t *testing.T, s *Store) {
	t.Helper()
	for _, table := range indexed() {
		if _, err := s.write.Exec(`DELETE FROM ` + table); err != nil {
			t.Fatal(err)
		}
	}
	s.history = nil
}

// same: the streams make the same database again, twice, and so does one that is read
// anew between the runs.
func same(t *testing.T, s *Store, dir string) {
	t.Helper()
	before := dump(t, s)
	for range 2 {
		out, err := s.Import(context.Background(), dir, check.Infos(), nil)
		if err != nil || len(out.Refused) > 0 {
			t.Fatalf("%+v, %v", out, err)
		}
		if after := dump(t, s); after != before {
			t.Errorf("import makes another database:\n%s", unlike(before, after))
		}
	}
	clearIndex(t, s)
	list, _, err := survey(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range list {
		s.history = nil
		apply(t, s, dir, x.Path)
	}
	if after := dump(t, s); after != before {
		t.Errorf("read anew between the runs, the database is another one:\n%s", unlike(before, after))
	}
}

// unlike is the lines that only one of two dumps has.
func unlike(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	var out []string
	for _, l := range x {
		if !slices.Contains(y, l) {
			out = append(out, "- "+l)
		}
	}
	for _, l := range y {
		if !slices.Contains(x, l) {
			out = append(out, "+ "+l)
		}
	}
	return strings.Join(out, "\n")
}

func dump(t *testing.T, s *Store) string {
	t.Helper()
	var b strings.Builder
	if err := s.Dump(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// testApplyTwice: a stream counts once.
func testApplyTwice(t *testing.T, s *Store) {
	dir := t.TempDir()
	file := run(t, dir, "a", 1, "10.0.0.7:18789 open")
	if out := apply(t, s, dir, file); len(out.Alarming) != 1 || out.Alarming[0].Place != "10.0.0.7:18789" || out.Run.Gateways != 1 {
		t.Errorf("%+v", out)
	}
	before := dump(t, s)
	if out := apply(t, s, dir, file); len(out.Alarming) != 0 {
		t.Errorf("%+v", out)
	}
	if after := dump(t, s); after != before {
		t.Error("the second time changed something")
	}
}

// testImportRefuses: what cannot be read is said, the rest is there; nothing is lost
// where all of it fails.
func testImportRefuses(t *testing.T, s *Store) {
	ctx := context.Background()
	dir := t.TempDir()
	file := run(t, dir, "a", 1, "10.0.0.7:18789 open")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"copy.jsonl": string(data), "other.jsonl": "hello\n", "list.txt": "10.0.0.1",
		"damaged.jsonl": strings.Replace(string(data), "\n", "\n\x00\n", 1), "long.jsonl": strings.Replace(string(data), `"newest_release":""`, `"newest_release":"`+strings.Repeat("x", 20_000)+`"`, 1)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := s.Import(ctx, dir, check.Infos(), nil)
	if err != nil || out.Runs != 2 || out.Gateways != 1 || len(out.Refused) != 3 {
		t.Fatalf("%+v, %v", out, err)
	}
	if runs, n, err := s.Runs(ctx, RunFilter{}, Page{}); err != nil || n != 2 {
		t.Errorf("%+v, %v", runs, err)
	}
	broken := t.TempDir()
	if err := os.Rename(filepath.Join(dir, "damaged.jsonl"), filepath.Join(broken, "damaged.jsonl")); err != nil {
		t.Fatal(err)
	}
	if out, err := s.Import(ctx, broken, check.Infos(), nil); err == nil {
		t.Errorf("nothing was imported: %+v", out)
	}
	if err := s.AddNote(ctx, Note{Place: "10.0.0.7:18789", Author: "ann", Text: "kept"}); err != nil {
		t.Fatal(err)
	}
	before := dump(t, s)
	if _, err := s.Import(ctx, t.TempDir(), check.Infos(), nil); err == nil {
		t.Error("an empty directory was imported")
	}
	ended, end := context.WithCancel(ctx)
	end()
	if _, err := s.Import(ended, dir, check.Infos(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if after := dump(t, s); after != before {
		t.Error("an import that failed changed the index")
	}
	if notes, err := s.Notes(ctx, "10.0.0.7:18789"); err != nil || len(notes) != 1 {
		t.Errorf("%v, %v", notes, err)
	}
}

// testAlerts: what waits for an alert is seen again, or is taken back.
func testAlerts(t *testing.T, s *Store) {
	const g, o = "10.0.0.7:18789", "10.0.0.8:18789"
	dir := t.TempDir()
	waiting := func() string {
		var out []string
		err := s.Waiting(context.Background(), func(w Waiting) error {
			out = append(out, fmt.Sprintf("%s %s %d", w.Place, strings.Join(event.Words(w.Kinds...), ","), w.Looks))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(out)
		return strings.Join(out, "; ")
	}
	for i, c := range []struct {
		lines []string
		want  string
	}{
		{[]string{g + " open", o + " required 2026.3.13"}, g + " opened,new,finding 1; " + o + " new 1"},
		{[]string{g + " open", "again"}, g + " opened,new,finding 2; " + o + " new 1"},
		{[]string{g + " required", o + " required 2026.9.6", "incomplete"}, g + " opened,new,finding 2; " + o + " new 2; " + o + " release 1"},
		{[]string{g + " required", o + " required 2026.3.13"}, g + " closed,fixed 1; " + o + " new 3; " + o + " release 1"},
		{[]string{g + " required", o + " excluded"}, g + " closed,fixed 2; " + o + " new 3; " + o + " release 1"},
		{[]string{g + " silent", o + " silent"}, g + " closed,fixed 2; " + g + " gone 1; " + o + " gone 1; " + o + " new 3; " + o + " release 1"},
	} {
		apply(t, s, dir, run(t, dir, "a", i, c.lines...))
		if got := waiting(); got != c.want {
			t.Errorf("run %d: %s, want %s", i+1, got, c.want)
		}
	}
	if _, err := s.Import(context.Background(), dir, check.Infos(), nil); err != nil {
		t.Fatal(err)
	}
	if got := waiting(); strings.Count(got, ";") != 4 {
		t.Errorf("after an import %s", got)
	}
}

// testAlertsOpened: that a gateway was opened is taken back by proof alone. What shows
// nothing lets it wait, until the history would tell it anew.
func testAlertsOpened(t *testing.T, s *Store) {
	const g = "10.0.0.7:18789"
	n := 0
	for name, c := range map[string]struct {
		looks []string
		want  int // looks that showed it; 0 if it does not wait any more
	}{
		"so again":          {[]string{"open"}, 2},
		"worse than before": {[]string{"claimable", "open"}, 3},
		"not known":         {[]string{"unknown", "open"}, 2},
		"blocked":           {[]string{"blocked"}, 1},
		"no answer":         {[]string{"silent", "open"}, 2},
		"closed":            {[]string{"required"}, 0},
		"gated":             {[]string{"unknown", "gated"}, 0},
		"gone":              {[]string{"silent", "closed"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			clearIndex(t, s)
			if _, err := s.write.Exec(`DELETE FROM outbox`); err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			for _, look := range append([]string{"open"}, c.looks...) {
				n++
				apply(t, s, dir, run(t, dir, "a", n, g+" "+look))
			}
			got := 0
			for _, w := range waiting(t, s) {
				if w.Has(KindOpened) {
					got += w.Looks
				}
			}
			if got != c.want {
				t.Errorf("%d looks, want %d", got, c.want)
			}
		})
	}
}

// testAdvisories: new ones have a severity; what is not graded is not mild. Sets that are
// used stay known however many there are.
func testAdvisories(t *testing.T, s *Store) {
	dir := t.TempDir()
	n := 0
	with := func(advisories ...event.Advisory) ID {
		n++
		file := run(t, dir, "a", n, "10.0.0.7:18789 required 2026.9.6")
		x := line("10.0.0.7:18789 required 2026.9.6")
		x.Advisories = advisories
		var b bytes.Buffer
		if err := event.NewWriter(&b).Write(x); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(string(data), "\n")
		lines[1] = b.String()
		if err := os.WriteFile(file, []byte(strings.Join(lines, "")), 0o600); err != nil {
			t.Fatal(err)
		}
		return apply(t, s, dir, file).Run.ID
	}
	of := func(id string, severity event.Severity) event.Advisory {
		return event.Advisory{ID: id, Severity: severity, GatewaySurface: true}
	}
	var known []event.Advisory
	for i, c := range []struct {
		add  []event.Advisory
		want event.Severity
	}{
		{nil, ""},
		{[]event.Advisory{of("A-1", event.Low), of("A-2", event.High)}, event.High},
		{[]event.Advisory{of("A-3", event.Ungraded), of("A-4", event.Low)}, event.Ungraded},
		{[]event.Advisory{of("A-5", event.Low)}, event.Low},
	} {
		known = append(known, c.add...)
		with(known...)
		if i == 0 {
			continue
		}
		list := waiting(t, s)
		if last := list[len(list)-1]; len(list) != i+1 || !last.Has(KindAdvisory) || last.Advisories != len(c.add) || last.Severity != c.want {
			t.Errorf("%d: %+v", i, last)
		}
	}
	// More sets than are remembered, one after another.
	for i := range maxSets + 10 {
		s.history.advisoriesOf(&event.Target{Advisories: []event.Advisory{of(fmt.Sprint("B-", i), event.Low)}})
	}
	if with(append(known, of("A-6", event.Low))...); len(s.history.sets) > 10 {
		t.Errorf("%d sets are remembered", len(s.history.sets))
	}
	if list := waiting(t, s); list[len(list)-1].Advisories != 1 {
		t.Errorf("%+v", list[len(list)-1])
	}
}
