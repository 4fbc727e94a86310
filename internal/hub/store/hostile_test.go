package store

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/job"
)

// testHostileResults: an attempt whose stream is not whole, or does not add up, is none.
func testHostileResults(t *testing.T, s *Store) {
	end := func(change ...string) string {
		text := unitEnd
		for i := 0; i < len(change); i += 2 {
			if !strings.Contains(text, change[i]) {
				t.Fatal(change[i])
			}
			text = strings.Replace(text, change[i], change[i+1], 1)
		}
		return text
	}
	finding := strings.Replace(unitLine(1), `"requests"`, `"findings":[{"id":"x","key":"x","severity":"high"}],"requests"`, 1)
	big := strings.Replace(unitLine(1), `"outcome"`, `"x":"`+strings.Repeat("x", 4<<20)+`","outcome"`, 1)
	for i, c := range []struct {
		name  string
		lines []string
		wrong string // "" if it is good
	}{
		{"good", []string{unitHead, unitLine(1), unitEnd}, ""},
		{"no head", []string{unitLine(1), unitEnd}, "not a scan, lines and a summary"},
		{"two heads", []string{unitHead, unitHead, unitLine(1), unitEnd}, "not a scan, lines and a summary"},
		{"two summaries", []string{unitHead, unitLine(1), unitEnd, unitEnd}, "not a scan, lines and a summary"},
		{"a line after the summary", []string{unitHead, unitEnd, unitLine(1)}, "not a scan, lines and a summary"},
		{"no summary", []string{unitHead, unitLine(1)}, "no summary"},
		{"nothing", nil, "no summary"},
		{"no JSON", []string{unitHead, "\x1b[2J", unitEnd}, "unit 1 of fra:2"},
		{"a long line", []string{unitHead, big, unitEnd}, "longer than 3 MiB"},
		{"a bomb", []string{unitHead, unitLine(1), strings.Repeat("\n", job.MaxUnpacked), unitEnd}, "unpacks to more than"},
		{"a line too few", []string{unitHead, unitEnd}, "does not say what their lines say"},
		{"a line too many", []string{unitHead, unitLine(1), unitLine(2), unitEnd}, "does not say what their lines say"},
		{"an unknown field, an empty line", []string{unitHead, unitLine(1), "", unitEnd[:len(unitEnd)-1] + `,"x":1}`}, ""},
		{"not complete", []string{unitHead, unitLine(1), end(`"complete":true`, `"complete":false`)}, "not complete"},
		{"a state of no line", []string{unitHead, unitLine(1), end(`"open":1`, `"open":2`)}, "does not say what their lines say"},
		{"another state", []string{unitHead, unitLine(1), end(`"open":1`, `"required":1`)}, "does not say what their lines say"},
		{"a finding that is not counted", []string{unitHead, finding, unitEnd}, "does not say what their lines say"},
		{"a finding of no line", []string{unitHead, unitLine(1), end(`"findings":{}`, `"findings":{"high":1}`)}, "does not say what their lines say"},
		{"fewer targets than there are", []string{unitHead, unitLine(1), end(`"targets":4`, `"targets":3`, `"silent":3`, `"silent":2`)}, "at least 4"},
		{"a wrong sum", []string{unitHead, unitLine(1), end(`"targets":4`, `"targets":5`)}, "5 targets: 4 are counted"},
		{"no end of silent ones", []string{unitHead, unitLine(1), end(`"silent":3`, `"silent":9223372036854775807`)}, `of "silent"`},
		{"fewer than none", []string{unitHead, unitLine(1), end(`"silent":3`, `"silent":4,"closed":-1`)}, `-1 of "closed"`},
		{"others without a line", []string{unitHead, unitLine(1), end(`"silent":3`, `"silent":2,"other":1`)}, `1 of "other"`},
		{"an unknown outcome", []string{unitHead, unitLine(1), end(`"silent":3`, `"silent":2,"x":1`)}, `1 of "x"`},
		{"more found than tried", []string{unitHead, unitLine(1), end(`"reprobed":2,"found":1`, `"reprobed":1,"found":2`)}, "1 were tried again and 2 answered"},
		{"more tried than silent", []string{unitHead, unitLine(1), end(`"reprobed":2`, `"reprobed":9`)}, "9 were tried again"},
		{"a state that there is not", []string{unitHead, strings.Replace(unitLine(1), `"open"`, `"ajar"`, 1), end(`"open":1`, `"ajar":1`)}, "that there is not"},
		{"a severity that there is not", []string{unitHead, strings.Replace(finding, `"high"`, `"dire"`, 1), end(`"findings":{}`, `"findings":{"dire":1}`)}, "that there is not"},
		{"more unlisted than targets", []string{unitHead, unitLine(1), end(`"notes"`, `"unlisted":{"count":5,"targets":[]},"notes"`)}, "5 targets could not be judged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := &jobs{Store: s, t: t, ctx: t.Context(), now: jobTime, job: Job{Name: fmt.Sprint("job-", i), Created: jobTime, Vantages: []string{"fra"}, Rate: 100}}
			j.must(s.AddJob(j.ctx, &j.job))
			j.must(s.StartJob(j.ctx, j.job.ID, nil, nil, 1, 4, j.now))
			a := j.begin(j.unit("fra", 1), "a", job.Run)
			j.part(a, "a", 0, job.Run, c.lines...)
			if c.wrong == "" {
				j.done(a, "a", 1, job.Drop)
				return
			}
			o, err := j.DoneUnit(j.ctx, a, "a", 1, j.now)
			j.order(o, err, job.Refuse)
			if !strings.Contains(o.Why, c.wrong) || strings.Contains(o.Why, "\x1b") {
				t.Errorf("%s", o.Why)
			}
			if p := j.progress(); p[0].Summary.Targets != 0 || p[0].Units[UnitWaiting] != 1 {
				t.Errorf("%+v", p)
			}
			// What of it can be read is still there, for the case that no attempt succeeds.
			streams, err := s.UnitStreams(j.ctx, j.job.ID, "fra")
			j.must(err)
			if err := streams[0].Events(func(event.Event) error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
}

// testHostileParts: neither the database nor the memory is filled with parts.
func testHostileParts(t *testing.T, s *Store) {
	j := begun(t, s, 10, "fra")
	for i, p := range []job.Part{
		{Seq: -1}, {Seq: MaxParts}, {Seq: 1 << 40}, {Seq: 0, Data: make([]byte, job.MaxPart+1)},
	} {
		p.At = j.begin(j.unit("fra", uint64(i+1)), "a", job.Run)
		o, err := s.AddPart(j.ctx, p, "a", j.now)
		j.order(o, err, job.Refuse)
	}
	// Those of others, of units that are not begun, and of what is no job.
	a := j.begin(j.unit("fra", 6), "a", job.Run)
	for _, at := range []job.At{a, {Unit: j.unit("fra", 7)}, {Unit: j.unit("fra", 7), Attempt: a.Attempt}} {
		j.part(at, "evil", 0, job.Lost, unitHead)
	}
	j.part(job.At{Unit: j.unit("fra", 11)}, "evil", 0, job.Drop, unitHead)
	j.part(job.At{Unit: job.Unit{Job: "\x00\xff" + strings.Repeat("x", 1<<16), Vantage: "'", K: 1}}, "evil", 0, job.Drop, unitHead)
	if n := j.count("part"); n != 0 {
		t.Errorf("%d parts are kept", n)
	}
	// Those of a unit that is given back again and again.
	for range 2 * job.MaxAttempts {
		a = j.begin(j.unit("fra", 10), "a", job.Run)
		j.part(a, "a", 0, job.Run, unitHead)
		o, err := s.FailUnit(j.ctx, job.Fail{At: a, Back: true}, "a", j.now)
		j.order(o, err, job.Refuse)
	}
	if n := j.count("part"); n != job.MaxAttempts {
		t.Errorf("%d parts are kept of a unit that was given back", n)
	}
	// A part that is no zstd, and one whose window is all memory.
	a = j.begin(j.unit("fra", 8), "a", job.Run)
	for seq, data := range [][]byte{[]byte("no zstd at all"), {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 0x01, 0x00, 0x00}} {
		u := j.unit("fra", uint64(8+seq))
		a = j.begin(u, "a", job.Run)
		o, err := s.AddPart(j.ctx, job.Part{At: a, Data: data}, "a", j.now)
		j.order(o, err, job.Run)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		j.done(a, "a", 1, job.Refuse)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
			t.Errorf("%x took %d bytes", data, took)
		}
	}
}
