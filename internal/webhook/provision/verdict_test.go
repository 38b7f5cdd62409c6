package provision

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

func TestKindOf(t *testing.T) {
	t.Parallel()
	answer := func(status int, message string) error { return &procore.Error{Status: status, Message: message} }
	tests := []struct {
		err  error
		want kind
	}{
		{errors.New("connection reset"), later},
		{context.DeadlineExceeded, later},
		{&tokens.Error{Decision: tokens.ErrTryAgain}, later},
		{answer(503, ""), later},
		{answer(302, ""), later},
		{&procore.RateLimitError{Answer: &procore.Error{Status: 429}}, limited},
		{answer(403, "App is not connected to this company."), disconnected},
		{answer(403, "You do not have permission to use the Webhooks API."), anothers},
		{answer(404, ""), anothers},
		{answer(401, ""), anothers},
		{vanished(answer(404, "")), later},
		{&tokens.Error{Decision: tokens.ErrNotInstalled}, anothers},
		{&tokens.Error{Decision: tokens.ErrReauthorize}, unusable},
		{fmt.Errorf("looking: %w", &tokens.Error{Decision: tokens.ErrRevoked}), unusable},
		{answer(422, "destination_url is invalid"), wrong},
	}
	for _, tt := range tests {
		if got := kindOf(tt.err); got != tt.want {
			t.Errorf("%v: got %d, want %d", tt.err, got, tt.want)
		}
	}
}

// The wait for a rate limit has bounds, for Procore's clock is not ours.
func TestLimit(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_790_000_000, 0)
	for reset, want := range map[time.Time]time.Duration{
		{}:                          time.Minute,
		now.Add(-time.Hour):         time.Minute,
		now.Add(7 * time.Second):    time.Minute,
		now.Add(40 * time.Minute):   40 * time.Minute,
		now.Add(300 * time.Hour):    12 * time.Hour,
		time.Unix(9_000_000_000, 0): 12 * time.Hour,
	} {
		v := limit(&procore.RateLimitError{Answer: &procore.Error{Status: 429}, Reset: reset}, now)
		if v.next != want || !v.limited.Equal(now.Add(want)) || v.err != nil {
			t.Errorf("reset %v: got %+v, want %v", reset, v, want)
		}
	}
}

func TestCandidates(t *testing.T) {
	t.Parallel()
	begin := time.Unix(1_790_000_000, 0)
	connection := func(p tokens.Principal, s tokens.State, hours int) tokens.Connection {
		return tokens.Connection{Key: tokens.Key{CompanyID: 5678, Principal: p}, State: s, ConnectedAt: begin.Add(time.Duration(hours) * time.Hour)}
	}
	all := []tokens.Connection{
		connection(tokens.User(1), tokens.Active, 1), connection(tokens.User(2), tokens.Uncertain, 9),
		connection(tokens.User(3), tokens.Reauthorize, 8), connection(tokens.User(4), tokens.Active, 3),
		connection(tokens.App, tokens.Active, 0), connection(tokens.User(5), tokens.Revoked, 7),
		connection(tokens.User(6), tokens.Revoking, 7), connection(tokens.User(7), tokens.Disconnected, 7),
	}
	principals := func(cs []tokens.Connection) (names []string) {
		for _, c := range cs {
			names = append(names, string(c.Principal))
		}
		return names
	}
	for _, tt := range []struct {
		maker tokens.Principal
		want  []string
	}{
		{"", []string{"app", "user#4", "user#1", "user#2"}},
		{tokens.User(1), []string{"user#1", "app", "user#4", "user#2"}},
		{tokens.User(3), []string{"app", "user#4", "user#1", "user#2"}},
	} {
		got, _ := candidates(all, tt.maker, 0)
		if diff := cmp.Diff(principals(got), tt.want); diff != "" {
			t.Errorf("made by %q (-got +want):\n%s", tt.maker, diff)
		}
	}
	// Of many, each look tries some others, and all get their turn.
	all = nil
	for i := range int64(25) {
		all = append(all, connection(tokens.User(100+i), tokens.Active, int(-i)))
	}
	tried, seen := 0, map[string]bool{}
	for range 3 {
		var some []tokens.Connection
		if some, tried = candidates(all, "", tried); len(some) > maxTries {
			t.Errorf("got %d candidates, want %d at most", len(some), maxTries)
		}
		for _, p := range principals(some) {
			seen[p] = true
		}
	}
	if len(seen) != len(all) {
		t.Errorf("%d of %d had their turn", len(seen), len(all))
	}
	if again, _ := candidates(all, "", tried); len(again) != maxTries || again[0].Key != all[0].Key {
		t.Errorf("the next round begins with %v", principals(again))
	}
}
