package event

import "testing"

// A part of a deployment that could not be judged leaves no verdict but that it is open.
func TestUnread(t *testing.T) {
	for _, tt := range []struct {
		state  AuthState
		starts Starts
		want   AuthState
		judged bool
	}{
		{AuthRequired, StartsYes, AuthUnknown, false},
		{AuthGated, StartsYes, AuthUnknown, false},
		{AuthBlocked, StartsYes, AuthUnknown, false},
		{AuthUnknown, StartsNo, AuthUnknown, false},
		{AuthOpen, StartsYes, AuthOpen, true},
		{AuthClaimable, StartsYes, AuthClaimable, true},
	} {
		x := &Target{
			Outcome: OutcomeIdentified, Target: Address{Kind: TargetFiles},
			Auth: &Auth{State: tt.state, Mode: "token"}, Files: &Files{Starts: tt.starts},
		}
		for range MaxUnread + 1 {
			x.Unread(Location{Pos: Pos{File: "a.yaml", Line: 1}})
		}
		s := NewSummary()
		s.Add(x)
		if x.Auth.State != tt.want || x.Judged() != tt.judged || x.Refuses() || s.Auth[tt.want] != 1 || len(x.Files.Unjudged) != MaxUnread {
			t.Errorf("%s: state %s, judged %v, refuses %v, counted %v, %d places", tt.state, x.Auth.State, x.Judged(), x.Refuses(), s.Auth, len(x.Files.Unjudged))
		}
	}
	other := &Target{Outcome: OutcomeOther, Target: Address{Kind: TargetFiles}, Files: &Files{}}
	if !other.Judged() {
		t.Error("all was read, and it is not judged")
	}
	other.Unread(Location{})
	if other.Judged() {
		t.Error("not all was read, and it is judged")
	}
}
