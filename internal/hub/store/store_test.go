package store

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/test/postgres"
)

// suite is run on every database.
func suite() map[string]func(*testing.T, *Store) {
	return map[string]func(*testing.T, *Store){
		"notes":           testNotes,
		"history":         testHistory,
		"apply twice":     testApplyTwice,
		"import refuses":  testImportRefuses,
		"alerts":          testAlerts,
		"alerts opened":   testAlertsOpened,
		"advisories":      testAdvisories,
		"filter":          testFilter,
		"queries":         testQueries,
		"outbox settle":   testOutboxSettle,
		"outbox change":   testOutboxChange,
		"outbox done":     testOutboxDone,
		"outbox delivery": testOutboxDelivery,
		"outbox silence":  testOutboxSilence,
		"outbox prune":    testOutboxPrune,
		"gauges":          testGauges,
		"accounts":        testAccounts,
		"audit":           testAudit,
		"own":             testOwn,
		"upgrade":         testUpgrade,
		"located":         testLocated,
		"unseen":          testUnseen,
		"unseen, quiet":   testUnseenChangesNothing,
		"jobs":            testJobs,
		"units":           testUnits,
		"unit fails":      testUnitFails,
		"job pauses":      testJobPauses,
		"together":        testTogether,
		"workers":         testWorkers,
		"hostile results": testHostileResults,
		"hostile parts":   testHostileParts,
	}
}

func TestSQLite(t *testing.T) {
	for name, f := range suite() {
		t.Run(name, func(t *testing.T) { f(t, open(t, filepath.Join(t.TempDir(), "board.db"))) })
	}
}

func TestPostgreSQL(t *testing.T) {
	server := postgres.Start(t)
	for name, f := range suite() {
		t.Run(name, func(t *testing.T) { f(t, open(t, server.Database(t))) })
	}
}

func open(t *testing.T, where string) *Store {
	t.Helper()
	s, err := Open(context.Background(), where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func testNotes(t *testing.T, s *Store) {
	ctx := context.Background()
	now := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	for i, text := range []string{"known, to be moved", "hostile \x00\xff<b>"} {
		if err := s.AddNote(ctx, Note{Place: "10.0.0.7:18789", Author: "ann", Written: now.Add(time.Duration(i) * time.Hour), Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	notes, err := s.Notes(ctx, "10.0.0.7:18789")
	if err != nil || len(notes) != 2 || notes[1].Text != "known, to be moved" || !notes[1].Until.IsZero() || notes[0].Text != "hostile \ufffd\ufffd<b>" {
		t.Fatalf("%+v, %v", notes, err)
	}
	if err := s.EndNote(ctx, notes[1].ID, now.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := s.EndNote(ctx, notes[1].ID, now.Add(3*time.Hour)); err != ErrNotFound {
		t.Errorf("a note that is over ended again: %v", err)
	}
	notes, err = s.Notes(ctx, "10.0.0.7:18789")
	if err != nil || !notes[1].Until.Equal(now.Add(2*time.Hour)) {
		t.Errorf("%+v, %v", notes, err)
	}
	if err := s.AddNote(ctx, Note{Place: "x", Text: strings.Repeat("x", MaxNote+1)}); err == nil {
		t.Error("a note of any length is kept")
	}
}

func TestID(t *testing.T) {
	id := MakeID("10.0.0.7:18789")
	if back, err := ParseID(id.String()); err != nil || back != id || len(id.String()) != 13 {
		t.Errorf("%s: %v, %v", id, back, err)
	}
	for _, bad := range []string{"", "0", "zzzzzzzzzzzzz", "../../../../etc", strings.Repeat("0", 14), "0000000000000\n"} {
		if _, err := ParseID(bad); err == nil {
			t.Errorf("%q is an id", bad)
		}
	}
}

// testOwn: one process has the history, others may use the rest.
func testOwn(t *testing.T, s *Store) {
	ctx := context.Background()
	other, err := Open(ctx, s.where)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Own(ctx); err != nil {
		t.Fatal(err)
	}
	if err := other.Own(ctx); err == nil || !strings.Contains(err.Error(), "another clawsonar-hub") {
		t.Errorf("%v", err)
	}
	if err := other.AddNote(ctx, Note{Place: "a", Text: "x"}); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := other.Own(ctx); err != nil {
		t.Errorf("after the first has ended: %v", err)
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
}

// testUpgrade: a database of the first version is taken over with all that is in it. What it
// did not keep of the streams, import finds in them.
func testUpgrade(t *testing.T, s *Store) {
	ctx := context.Background()
	dir := t.TempDir()
	apply(t, s, dir, run(t, dir, "a", 1, "10.0.0.7:18789 open 2026.9.6 as=64500 country=AU"))
	if err := s.AddNote(ctx, Note{Place: "10.0.0.7:18789", Text: "kept"}); err != nil {
		t.Fatal(err)
	}
	old := []string{`DROP INDEX gateway_systems`, `DROP INDEX gateway_countries`, `DROP TABLE whole`, `ALTER TABLE sight DROP COLUMN swept`, `UPDATE meta SET value = '1' WHERE name = 'schema'`}
	for _, table := range []string{"gateway", "sight"} {
		for _, column := range []string{"asn", "as_name", "country"} {
			old = append(old, `ALTER TABLE `+table+` DROP COLUMN `+column)
		}
	}
	for _, statement := range old {
		if _, err := s.write.Exec(statement); err != nil {
			t.Fatal(statement, err)
		}
	}
	for range 2 { // and then it is of this version
		n := open(t, s.where)
		list, _, err := n.Gateways(ctx, Filter{}, Page{})
		if err != nil || len(list) != 1 || list[0].Verdict != "open" || list[0].Geo != (event.Geo{}) {
			t.Fatalf("%+v, %v", list, err)
		}
		if notes, err := n.Notes(ctx, "10.0.0.7:18789"); err != nil || len(notes) != 1 {
			t.Errorf("%+v, %v", notes, err)
		}
	}
	n := open(t, s.where)
	// The history as it is takes the next run in, without a change.
	out := apply(t, n, dir, run(t, dir, "a", 2, "10.0.0.7:18789 open 2026.9.6 as=64500 country=AU"))
	if list, _, err := n.Gateways(ctx, Filter{}, Page{}); err != nil || out.Run.Changes != 0 || list[0].Geo != (event.Geo{AS: 64500, ASName: "Net 64500", Country: "AU"}) {
		t.Errorf("%+v, %+v, %v", out.Run, list, err)
	}
	same(t, n, dir)
}

// A database of a later version is not touched.
func TestOtherSchema(t *testing.T) {
	file := filepath.Join(t.TempDir(), "board.db")
	s := open(t, file)
	if _, err := s.write.Exec(`UPDATE meta SET value = '4' WHERE name = 'schema'`); err != nil {
		t.Fatal(err)
	}
	if other, err := Open(context.Background(), file); err == nil {
		other.Close()
		t.Error("a database of version 4 was opened")
	}
}
