package report

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/olekukonko/tablewriter/pkg/twwidth"

	"github.com/clawsonar/clawsonar/internal/event"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) {
	flag.Parse()
	// tablewriter takes this from the environment; goldens must not.
	twwidth.SetEastAsian(false)
	os.Exit(m.Run())
}

func TestTableGolden(t *testing.T) {
	verySevere := func(i int) event.Severity {
		switch i % 100 {
		case 99:
			return event.Critical
		case 98, 97, 96, 95:
			return event.High
		}
		return ""
	}
	crowd := append(many(1000, verySevere), summaryEvent(event.Summary{
		Targets: 1000, Outcomes: map[event.Outcome]int{"identified": 1000}, Auth: map[event.AuthState]int{"required": 1000},
		Findings: map[event.Severity]int{"critical": 10, "high": 40}, Complete: true,
	}))
	quiet := func(s event.Summary) []event.Event { return []event.Event{scanEvent(), summaryEvent(s)} }
	stale := scanEvent()
	stale.(*event.Scan).Data.AdvisoriesAsOf, stale.(*event.Scan).Shard = "2026-07-01", "2/4"
	d := &stale.(*event.Scan).Data
	d.Version, d.File, d.Key = "2026100501", "acme.json.gz", "2E18169FD30468F0"
	findings := gateway("10.0.0.1", func(t *event.Target) {
		t.Auth = &event.Auth{State: "open"}
		t.Target.Bound, t.Target.Process = "0.0.0.0", "openclaw-gateway"
		for i := range 12 {
			t.Findings = append(t.Findings, event.Finding{ID: fmt.Sprintf("check-%d", i), Severity: event.Severities()[i%5], Title: "A title"})
		}
	})

	tests := []struct {
		name   string
		o      Options
		events []event.Event
	}{
		{"mixed-80", Options{}, mixed()},
		{"mixed-60", Options{Width: 30}, mixed()},
		{"mixed-140-verbose", Options{Width: 140, Verbose: true}, mixed()},
		{"mixed-80-color", Options{Color: true}, mixed()},
		{"mixed-cut-off", Options{}, mixed()[:5]},
		{"crowd", Options{}, crowd},
		{"many-findings", Options{}, []event.Event{scanEvent(), findings, summaryEvent(event.Summary{
			Targets: 1, Outcomes: map[event.Outcome]int{"identified": 1}, Auth: map[event.AuthState]int{"open": 1}, Findings: map[event.Severity]int{"critical": 2}, Complete: true})}},
		{"nothing-answers", Options{}, quiet(event.Summary{
			Targets: 256, Outcomes: map[event.Outcome]int{"closed": 200, "silent": 56}, Complete: true, MissEstimate: event.MissEstimate{Reprobed: 56, Found: 2}})},
		{"all-refuse", Options{}, quiet(event.Summary{Targets: 4, Outcomes: map[event.Outcome]int{"closed": 4}, Complete: true})},
		{"no-target", Options{}, quiet(event.Summary{Complete: true})},
		{"interrupted", Options{}, quiet(event.Summary{Targets: 9, Outcomes: map[event.Outcome]int{"closed": 4, "interrupted": 4, "volcano": 1}})},
		{"no-event", Options{}, nil},
		{"stale-data", Options{}, []event.Event{stale, mixed()[1], summaryEvent(event.Summary{
			Targets: 1, Outcomes: map[event.Outcome]int{"identified": 1}, Auth: map[event.AuthState]int{"required": 1}, Complete: true})}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := render(t, "table", tt.o, tt.events...)
			path := filepath.Join("..", "..", "testdata", "golden", "report", tt.name+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("%v: run the test with -update and review the file", err)
			}
			if got != string(want) {
				t.Errorf("differs from %s (refresh with -update and review):\n%s", path, got)
			}
			width := tt.o.Width
			if width == 0 {
				width = defaultWidth
			}
			width = max(width, minWidth)
			for line := range strings.Lines(got) {
				line = strings.TrimSuffix(line, "\n")
				if w := twwidth.Width(line); w > width {
					t.Errorf("line of %d columns, want at most %d: %q", w, width, line)
				}
				if rest := strings.TrimSuffix(line, reset); rest != strings.TrimRight(rest, " ") {
					t.Errorf("line ends in spaces: %q", line)
				}
			}
		})
	}
}

// TestTableHostile proves that nothing a target sends reaches the terminal as
// anything but visible text.
func TestTableHostile(t *testing.T) {
	events := hostile(1 << 20)
	for _, o := range []Options{{}, {Verbose: true}, {ASCII: true, Verbose: true}, {Width: 60}, {Width: 300, Verbose: true}} {
		out := render(t, "table", o, events...)
		if len(out) > 200_000 {
			t.Errorf("%+v: %d bytes of output for three targets", o, len(out))
		}
		if !utf8.ValidString(out) {
			t.Errorf("%+v: output is not valid UTF-8", o)
		}
		for i, r := range out {
			if r == '\n' {
				continue
			}
			if r < 0x20 || r >= 0x7f && r <= 0x9f || unicode.In(r, unicode.Bidi_Control, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp, unicode.Variation_Selector) {
				t.Fatalf("%+v: %U at %d: %q", o, r, i, out[max(i-40, 0):i+10])
			}
			if o.ASCII && r > 0x7e {
				t.Fatalf("%+v: %U is not ASCII", o, r)
			}
		}
		for line := range strings.Lines(out) {
			if strings.HasPrefix(strings.TrimSpace(line), "::") {
				t.Errorf("%+v: a workflow command: %q", o, line)
			}
			if strings.Contains(line, "##") {
				t.Errorf("%+v: a logging command: %q", o, line)
			}
			if w := twwidth.Width(strings.TrimSuffix(line, "\n")); w > o.Width && (o.Width > 0 || w > defaultWidth) {
				t.Errorf("%+v: line of %d columns", o, w)
			}
		}
		if !strings.Contains(out, "error file=a") {
			t.Errorf("%+v: the visible part of the text is gone", o)
		}
	}
}

// TestTableUnknownIsNotSafe holds the words to the contract: what is unknown is
// neither safe nor open.
func TestTableUnknownIsNotSafe(t *testing.T) {
	for _, tt := range []struct {
		outcome event.Outcome
		state   event.AuthState
		want    string
	}{
		{"identified", "unknown", "UNKNOWN"},
		{"identified", "", "UNKNOWN"},
		{"identified", "ajar", "UNKNOWN"},
		{"identified", "blocked", "UNKNOWN"},
		{"identified", "open", "OPEN"},
		{"identified", "claimable", "CLAIMABLE"},
		{"identified", "required", "auth required"},
		{"helper", "open", "reachable, no login"},
		{"helper", "required", "reachable, needs login"},
		{"helper", "unknown", "reachable"},
		{"identified", "gated", "gated"},
		{"other", "", "no known product"},
		{"unreachable", "", "UNKNOWN"},
		{"reset", "", "UNKNOWN"},
		{"dns-error", "", "UNKNOWN"},
		{"tls-error", "", "UNKNOWN"},
		{"protocol-error", "", "UNKNOWN"},
		{"local-error", "", "UNKNOWN"},
		{"interrupted", "", "UNKNOWN"},
		{"volcano", "", "UNKNOWN"},
		{"", "", "UNKNOWN"},
		{"excluded", "", "not scanned"},
		{"silent", "", "no answer"},
	} {
		got, tone := (*catalogue)(nil).verdict(&event.Target{Outcome: tt.outcome, Auth: &event.Auth{State: tt.state}})
		if !strings.HasPrefix(got, tt.want) {
			t.Errorf("verdict(%q, %q) = %q, want %q…", tt.outcome, tt.state, got, tt.want)
		}
		if len(got) > 24 {
			t.Errorf("verdict(%q, %q) = %q: longer than 24", tt.outcome, tt.state, got)
		}
		if (tone == good) != (tt.outcome == "identified" && tt.state == "required") {
			t.Errorf("verdict(%q, %q) has tone %v", tt.outcome, tt.state, tone)
		}
	}
	for _, auth := range []map[event.AuthState]int{{"unknown": 2}, {"blocked": 2}, {}, {"ajar": 2}, {"required": 1}} {
		out := render(t, "table", Options{}, scanEvent(), summaryEvent(event.Summary{
			Targets: 2, Outcomes: map[event.Outcome]int{"identified": 2}, Auth: auth, Complete: true}))
		if !strings.Contains(out, "could not be judged") || strings.Contains(out, "stands open") {
			t.Errorf("auth %v: the headline hides the unknown:\n%s", auth, out)
		}
	}
}

func TestTableOrder(t *testing.T) {
	mk := func(ip string, outcome event.Outcome, state event.AuthState, sev event.Severity) event.Event {
		return gateway(ip, func(x *event.Target) {
			x.Outcome, x.Auth = outcome, &event.Auth{State: state}
			if sev != "" {
				x.Findings = []event.Finding{{Severity: sev, Title: "f"}, {Severity: event.Critical, Title: "g", Suppressed: "s"}}
			}
		})
	}
	worstFirst := []event.Event{
		mk("10.0.0.90", "identified", "required", event.Critical),
		mk("10.0.0.91", "identified", "required", event.Severity("apocalyptic")), // not known: not mild
		mk("10.0.0.80", "identified", "required", event.High),
		mk("10.0.0.9", "identified", "required", event.Low),
		mk("10.0.0.10", "identified", "required", event.Low),
		mk("10.0.0.70", "identified", "open", ""),
		mk("10.0.0.60", "identified", "claimable", ""),
		mk("10.0.0.50", "identified", "blocked", ""),
		mk("10.0.0.40", "identified", "unknown", ""),
		mk("10.0.0.30", "identified", "gated", ""),
		mk("10.0.0.20", "identified", "required", ""),
		mk("10.0.0.8", "tls-error", "", ""),
		mk("10.0.0.7", "other", "", ""),
		mk("10.0.0.6", "excluded", "", ""),
	}
	var want []string
	for _, e := range worstFirst {
		want = append(want, strings.TrimSuffix(e.(*event.Target).Target.URL, "/"))
	}
	// From back to front, and from the middle: the order must not depend on it.
	for _, step := range []int{13, 5, 1} {
		var events []event.Event
		for i := range worstFirst {
			events = append(events, worstFirst[(i*step+7)%len(worstFirst)])
		}
		out := render(t, "table", Options{}, events...)
		overview, _, _ := strings.Cut(out, "\n\n")
		var got []string
		for line := range strings.Lines(overview) {
			for word := range strings.FieldsSeq(line) {
				if strings.HasPrefix(word, "http://") {
					got = append(got, word)
				}
			}
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("step %d:\n got %v\nwant %v", step, got, want)
		}
	}
}

// TestTableLimits checks that the worst are kept, wherever they come in the
// stream, and that what is held does not grow with it.
func TestTableLimits(t *testing.T) {
	const n = 5000
	s := newTable(new(bytes.Buffer), Options{}, nil).(*table)
	for _, e := range many(n, func(i int) event.Severity {
		if i == n-1 {
			return event.Critical
		}
		return event.Low
	}) {
		if err := s.Event(e); err != nil {
			t.Fatal(err)
		}
	}
	if cards := s.worst.cards; len(cards) != maxRows || s.worst.more != n-maxRows {
		t.Errorf("%d rows and %d more, want %d and %d", len(cards), s.worst.more, maxRows, n-maxRows)
	}
	if s.worst.cards[0].Severity != event.Critical {
		t.Errorf("the worst target is not first: %v", s.worst.cards[0])
	}
}

func TestTableVerboseListsQuietTargets(t *testing.T) {
	quiet := gateway("10.0.0.66", func(x *event.Target) {
		x.Outcome, x.Product, x.Target.Member = "closed", nil, event.OfRange
	})
	if out := render(t, "table", Options{}, quiet); strings.Contains(out, "10.0.0.66") {
		t.Errorf("a closed target is listed:\n%s", out)
	}
	if out := render(t, "table", Options{Verbose: true}, quiet); !strings.Contains(out, "10.0.0.66") {
		t.Errorf("a closed target is not listed:\n%s", out)
	}
}

func TestRelease(t *testing.T) {
	for _, tt := range []struct {
		v    *event.Version
		want string
	}{
		{nil, "X, release unknown"},
		{&event.Version{}, "X, release unknown"},
		{&event.Version{Exact: "2026.5.28", Candidates: []string{"2026.5.28"}}, "X 2026.5.28"},
		{&event.Version{Candidates: []string{"2026.1.24", "2026.1.24-3"}}, "X 2026.1.24 or 2026.1.24-3"},
		{&event.Version{Candidates: []string{"a", "b", "c"}}, "X a, b or c"},
		{&event.Version{Candidates: []string{"a", "b", "c", "d"}}, "X a to d (one of 4)"},
	} {
		if got := (*catalogue)(nil).product(&event.Target{Product: &event.Product{Name: "X"}, Version: tt.v}); got != tt.want {
			t.Errorf("product(%+v) = %q, want %q", tt.v, got, tt.want)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, tt := range []struct {
		in    string
		width int
		want  string
	}{
		{"", 10, ""},
		{"one two three", 7, "one two|three"},
		{"one two three", 8, "one two|three"},
		{"abcdefghij", 4, "abcd|efgh|ij"},
		{"ab abcdefghij", 4, "ab|abcd|efgh|ij"},
		{"\u4f60\u597d\u4e16\u754c", 5, "\u4f60\u597d|\u4e16\u754c"}, // two columns each
		{"\u4f60", 1, "\u4f60"},                                      // too wide for any line: on one of its own
	} {
		if got := strings.Join(Wrap(tt.in, tt.width), "|"); got != tt.want {
			t.Errorf("Wrap(%q, %d) = %q, want %q", tt.in, tt.width, got, tt.want)
		}
	}
}

type brokenWriter struct{}

var errDisk = errors.New("disk full")

func (brokenWriter) Write([]byte) (int, error) { return 0, errDisk }

func TestWriteErrors(t *testing.T) {
	for _, f := range Formats() {
		s, err := New(f, brokenWriter{}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Event(scanEvent())
		if err == nil {
			err = s.Flush()
		}
		if !errors.Is(err, errDisk) || !strings.Contains(err.Error(), f) {
			t.Errorf("%s: error %v does not name the format and the cause", f, err)
		}
	}
}

// A helper that can be reached is said in the headline, and is no gateway.
func TestTableHelper(t *testing.T) {
	helper := event.Target{
		Type: "target", Outcome: "helper", Target: event.Address{IP: "10.0.0.7", Port: 5900, URL: "http://10.0.0.7:5900/"},
		Product: &event.Product{ID: "vnc", Name: "VNC server", Confidence: "certain"}, Auth: &event.Auth{State: "open"},
	}
	out := render(t, "table", Options{}, scanEvent(), &helper, summaryEvent(event.Summary{
		Targets: 1, Outcomes: map[event.Outcome]int{"helper": 1}, Complete: true}))
	for _, want := range []string{"No gateway was found. 1 helper service can be reached.", "reachable, no login", "VNC server\n", "1 helper service"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
