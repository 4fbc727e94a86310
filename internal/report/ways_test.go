package report

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
)

// way is a line of a scan of this machine.
func way(port int, state event.AuthState, severity event.Severity, sameAs string) *event.Target {
	t := &event.Target{
		Type: "target", Outcome: "identified",
		Target: event.Address{Source: "local", IP: "127.0.0.1", Port: port, URL: fmt.Sprintf("http://127.0.0.1:%d/", port)},
		Auth:   &event.Auth{State: state},
	}
	if severity != "" {
		t.Findings = []event.Finding{{ID: "some-check", Severity: severity, Title: "Something", Key: "k"}}
	}
	if sameAs != "" {
		t.SameAs = &event.SameAs{URL: sameAs, Confidence: "firm"}
	}
	return t
}

// Lines of one gateway are shown after each other and counted as one, by the
// worst way in, and none of them is left out.
func TestWaysIn(t *testing.T) {
	lines := []*event.Target{
		way(1, "required", event.Info, ""),
		way(2, "required", event.High, ""),
		way(3, "open", event.Critical, "http://127.0.0.1:1/"),
		way(4, "gated", "", "http://127.0.0.1:1/"),
		way(5, "required", "", ""),
	}
	summary := &event.Summary{Targets: 5, Complete: true, Outcomes: map[event.Outcome]int{"identified": 5}, Auth: map[event.AuthState]int{"open": 1, "required": 3, "gated": 1}}
	for _, format := range []string{"table", "markdown", "html"} {
		var b bytes.Buffer
		s, err := New(format, &b, Options{Width: 120})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range lines {
			if err := s.Event(x); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Event(summary); err != nil {
			t.Fatal(err)
		}
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
		// What is to be done first stands before the list.
		list := b.String()
		for _, begin := range []string{`<h2 id="targets">`, "| Worst", "WORST"} {
			if i := strings.Index(list, begin); i >= 0 {
				list = list[i:]
				break
			}
		}
		var order string
		for _, m := range regexp.MustCompile(`127\.0\.0\.1:([1-5])\b`).FindAllStringSubmatch(list, -1) {
			if !strings.Contains(order, m[1]) {
				order += m[1]
			}
		}
		if order != "34125" && order != "31425" {
			t.Errorf("%s: order %s, want the lines of the open gateway first, and together", format, order)
		}
		for _, want := range []string{"1 of 3 gateways is OPEN", "3 gateways (5 ways in)", "3: 1 open, 2 auth required"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s: lacks %q:\n%s", format, want, b.String())
			}
		}
	}
}

// A stream whose summary contradicts its lines loses no gateway, and lines that are not of
// this machine are each of their own.
func TestWaysInStrange(t *testing.T) {
	for name, lines := range map[string][]*event.Target{
		"a line that is not there": {way(1, "open", "", "http://127.0.0.1:9/")},
		"itself":                   {way(1, "open", "", "http://127.0.0.1:1/")},
		"of another machine": {way(1, "open", "", ""), func() *event.Target {
			x := way(2, "open", "", "http://127.0.0.1:1/")
			x.Target.Source = "args"
			return x
		}()},
		"twice": {way(1, "open", "", ""), way(1, "open", "", "")},
	} {
		tally := newTally(nil, Options{})
		for _, x := range lines {
			tally.event(x)
		}
		if got := tally.gateways(); got != len(lines) || tally.auth()["open"] != len(lines) {
			t.Errorf("%s: %d gateways, %v", name, got, tally.auth())
		}
	}
	tally := newTally(nil, Options{})
	for range 3 {
		tally.event(way(1, "open", "", "http://127.0.0.1:9/"))
	}
	tally.event(&event.Summary{Outcomes: map[event.Outcome]int{"identified": 1}, Auth: map[event.AuthState]int{"open": 1}})
	if tally.gateways() != 1 || tally.auth()["open"] != 1 {
		t.Errorf("%d, %v", tally.gateways(), tally.auth())
	}
}
