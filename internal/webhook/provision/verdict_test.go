package provision

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/pkg/connections"
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
		{&connections.Error{Decision: connections.ErrPaused}, anothers},
		{&connections.Error{Decision: &tokens.Error{Decision: tokens.ErrRejected}}, anothers},
		{&tokens.Error{Decision: tokens.ErrReauthorize}, unusable},
		{fmt.Errorf("looking: %w", &tokens.Error{Decision: tokens.ErrRevoked}), unusable},
		{&connections.Error{Decision: connections.ErrEnded}, unusable},
		{&connections.Error{Decision: connections.ErrDisconnected}, unusable},
		{answer(422, "destination_url is invalid"), wrong},
	}
	for _, tt := range tests {
		if got := kindOf(tt.err); got != tt.want {
			t.Errorf("%v: got %d, want %d", tt.err, got, tt.want)
		}
	}
}

// The wait for a rate limit has bounds.
func TestLimit(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_790_000_000, 0)
	for asked, want := range map[time.Duration]time.Duration{
		0:                time.Minute,
		-time.Hour:       time.Minute,
		7 * time.Second:  time.Minute,
		40 * time.Minute: 40 * time.Minute,
		300 * time.Hour:  12 * time.Hour,
		math.MaxInt64:    12 * time.Hour,
	} {
		v := limit(&procore.RateLimitError{Answer: &procore.Error{Status: 429, RetryAfter: asked}}, now)
		if v.next != want || !v.limited.Equal(now.Add(want)) || v.err != nil {
			t.Errorf("asked for %v: got %+v, want %v", asked, v, want)
		}
	}
}

func TestCandidates(t *testing.T) {
	t.Parallel()
	begin := time.Unix(1_790_000_000, 0)
	connection := func(p tokens.Principal, s connections.State, hours int) connections.Connection {
		return connections.Connection{Key: connections.Key{CompanyID: 5678, Principal: p}, State: s, ConnectedAt: begin.Add(time.Duration(hours) * time.Hour)}
	}
	all := []connections.Connection{
		connection(tokens.User(1), connections.Connected, 1), connection(tokens.User(4), connections.Connected, 3),
		connection(tokens.App, connections.Connected, 0), connection(tokens.User(2), connections.Connected, 0),
		connection(tokens.User(5), connections.Ended, 7), connection(tokens.User(7), connections.Disconnected, 7),
	}
	for _, tt := range []struct {
		creator tokens.Principal
		tried   int
		want    []tokens.Principal
	}{
		{"", 0, []tokens.Principal{"app", "user#4", "user#1", "user#2"}},
		{tokens.User(1), 0, []tokens.Principal{"user#1", "app", "user#4", "user#2"}},
		{tokens.User(5), 0, []tokens.Principal{"app", "user#4", "user#1", "user#2"}},
		{tokens.User(1), 2, []tokens.Principal{"user#1", "user#2", "app", "user#4"}},
		{"", 5, []tokens.Principal{"user#4", "user#1", "user#2", "app"}},
	} {
		var got []tokens.Principal
		for _, c := range candidates(all, tt.creator, tt.tried) {
			got = append(got, c.Principal)
		}
		if diff := cmp.Diff(got, tt.want); diff != "" {
			t.Errorf("made by %q, after %d (-got +want):\n%s", tt.creator, tt.tried, diff)
		}
	}
	if got := candidates(nil, "", 3); len(got) > 0 {
		t.Errorf("got %v of none", got)
	}
}
