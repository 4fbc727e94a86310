package store

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func testAccounts(t *testing.T, s *Store) {
	ctx := context.Background()
	now := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if have, err := s.HaveTokens(ctx); err != nil || have {
		t.Errorf("an empty database has tokens: %v", err)
	}
	must(s.AddToken(ctx, Token{Name: "ann", Role: "work", Made: now}, "h1"))
	must(s.AddToken(ctx, Token{Name: "bob", Role: "view", Made: now.Add(time.Second)}, "h2"))
	for _, hash := range []string{"h1", "h9"} {
		if err := s.AddToken(ctx, Token{Name: "ann", Role: "view", Made: now}, hash); !errors.Is(err, ErrNameTaken) {
			t.Errorf("a second ann, %s: %v", hash, err)
		}
	}
	ann, kept, err := s.TokenOf(ctx, "h1")
	if err != nil || kept != "h1" || ann.Name != "ann" || ann.Role != "work" || !ann.Made.Equal(now) || !ann.Used.IsZero() || !ann.Revoked.IsZero() {
		t.Errorf("%+v, %s, %v", ann, kept, err)
	}
	if _, _, err := s.TokenOf(ctx, "h"); !errors.Is(err, ErrNotFound) {
		t.Errorf("part of a hash: %v", err)
	}
	must(s.UsedToken(ctx, ann.ID, now.Add(time.Hour)))
	must(s.UsedToken(ctx, ann.ID, now)) // written late

	for hash, v := range map[string]Session{
		"s1": {Token: ann.ID, Name: "ann", Role: "work", Made: now},
		"s2": {Token: ann.ID, Name: "ann", Role: "work", Made: now.Add(time.Hour)},
		"s3": {Name: "x@example.org\x00", Role: "view", Made: now},
		"s4": {Name: "y@example.org", Role: "view", Made: now.Add(-time.Hour)},
	} {
		must(s.AddSession(ctx, v, hash))
	}
	must(s.UsedSession(ctx, "s1", now.Add(time.Minute)))
	v, err := s.SessionOf(ctx, "s1")
	if err != nil || v.Token != ann.ID || v.Name != "ann" || v.Role != "work" || !v.Made.Equal(now) || !v.Used.Equal(now.Add(time.Minute)) {
		t.Errorf("%+v, %v", v, err)
	}
	if v, err := s.SessionOf(ctx, "s3"); err != nil || v.Token != 0 || v.Name != "x@example.org\ufffd" {
		t.Errorf("%+v, %v", v, err)
	}
	must(s.EndSession(ctx, "s1"))
	gone := func(hashes ...string) {
		t.Helper()
		for _, h := range hashes {
			if _, err := s.SessionOf(ctx, h); !errors.Is(err, ErrNotFound) {
				t.Errorf("session %s: %v", h, err)
			}
		}
	}
	gone("s1")
	must(s.RevokeToken(ctx, "ann", now.Add(2*time.Hour)))
	gone("s2")
	if _, _, err := s.TokenOf(ctx, "h1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a revoked token: %v", err)
	}
	if err := s.RevokeToken(ctx, "ann", now); !errors.Is(err, ErrNotFound) {
		t.Errorf("revoked twice: %v", err)
	}
	// One that was made while its token was being revoked is good for nothing.
	must(s.AddSession(ctx, Session{Token: ann.ID, Name: "ann", Role: "work", Made: now}, "s5"))
	gone("s5")
	must(s.AddToken(ctx, Token{Name: "ann", Role: "view", Made: now.Add(3 * time.Hour)}, "h3"))
	all, err := s.Tokens(ctx)
	if err != nil || len(all) != 3 || all[0].Name != "ann" || !all[0].Revoked.IsZero() || all[1].Name != "bob" ||
		!all[2].Revoked.Equal(now.Add(2*time.Hour)) || !all[2].Used.Equal(now.Add(time.Hour)) {
		t.Errorf("%+v, %v", all, err)
	}
	if have, err := s.HaveTokens(ctx); err != nil || !have {
		t.Errorf("no tokens: %v", err)
	}
	must(s.Prune(ctx, now, now))
	gone("s4")
	if _, err := s.SessionOf(ctx, "s3"); err != nil {
		t.Errorf("a session that is not old: %v", err)
	}
	must(s.EndProviderSessions(ctx))
	gone("s3")
}

func testAudit(t *testing.T, s *Store) {
	ctx := context.Background()
	now := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	for i := range 5 {
		e := AuditEntry{At: now.Add(time.Duration(i) * time.Hour), Who: "ann\x00\xff", Via: "token", Addr: "192.0.2.1", What: "looked", Object: "/gateways/" + strings.Repeat("x", 600)}
		if err := s.Audit(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	part, all, err := s.AuditLog(ctx, Page{Offset: 1, Limit: 2})
	if err != nil || all != 5 || len(part) != 2 || !part[0].At.Equal(now.Add(3*time.Hour)) || part[0].Who != "ann\ufffd\ufffd" || len(part[0].Object) != 500 ||
		part[0].Via != "token" || part[0].Addr != "192.0.2.1" || part[0].What != "looked" {
		t.Errorf("%+v, %d, %v", part, all, err)
	}
	if err := s.Prune(ctx, now.Add(2*time.Hour), now); err != nil {
		t.Fatal(err)
	}
	part, all, err = s.AuditLog(ctx, Page{})
	if err != nil || all != 3 || !part[2].At.Equal(now.Add(2*time.Hour)) {
		t.Errorf("%+v, %d, %v", part, all, err)
	}
}
