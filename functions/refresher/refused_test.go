package main

import (
	"testing"
	"time"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// An endpoint that refuses every refresh token, as one that is given the valid
// credentials of another app, costs ten users per run, and no call on demand is refused
// for it.
func TestRefusalsStopTheRun(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	for i := range int64(30) {
		p := tokens.User(9_000 + i)
		if _, err := r.h.tokens.Authorize(t.Context(), tokens.Authorization{
			Principal: p, Pair: r.Pair(procoretest.Joe, "http://127.0.0.1/callback"), RedirectURI: "http://127.0.0.1/callback",
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.h.store.Connect(t.Context(), connections.New{Key: connections.Key{CompanyID: 1_000 + i, Principal: p}}); err != nil {
			t.Fatal(err)
		}
	}
	r.Clock.Advance(2 * time.Hour)
	r.ProcoreFails(procoretest.Fault{Endpoint: "token", Kind: procoretest.Status, Status: 400, Body: `{"error":"invalid_grant"}`, Times: 1_000})
	r.fails("refresh", "refused the refresh tokens of 10 users in a row")
	if got := r.Requests("POST /oauth/token"); got != 1+10 {
		t.Errorf("got %d requests, want the probe and 10 refreshes", got)
	}
	if b, err := r.h.tokens.Upkeep().Breaker(t.Context()); err != nil || !b.AtRest() {
		t.Errorf("got breaker %+v, %v; want it at rest", b, err)
	}
}

// A token that is valid for less than the time by which the schedule refreshes is
// refreshed all the same.
func TestShortLifetime(t *testing.T) {
	t.Parallel()
	r := newRefresher(t)
	r.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	short := int64(600)
	if err := r.Procore.UpdateOptions(procoretest.OptionsPatch{ExpiresInSeconds: &short}); err != nil {
		t.Fatal(err)
	}
	r.Clock.Advance(2 * time.Hour)
	r.run("refresh")
	r.wantMetric("RefreshesSucceeded", 1, 1)
	r.wantMetric("RefreshesFailed", 0, 0)
}
