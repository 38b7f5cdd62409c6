package handler

import (
	"testing"
	"time"

	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// thirty connects companies by users whose tokens are due, and makes the endpoint refuse
// every refresh token, as one that is given the valid credentials of another app.
func thirty(t *testing.T) *refresher {
	t.Helper()
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
	return r
}

// An endpoint that refuses every refresh token costs ten users per run, and no call on
// demand is refused for it.
func TestRefusalsStopTheRun(t *testing.T) {
	t.Parallel()
	r := thirty(t)
	r.fails("refresh", "refresh tokens of 10 users in a row were refused")
	if got := r.Requests("POST /oauth/token"); got != 1+10 {
		t.Errorf("got %d requests, want the probe and 10 refreshes", got)
	}
	if b, err := r.h.tokens.Upkeep().Breaker(t.Context()); err != nil || !b.AtRest() {
		t.Errorf("got breaker %+v, %v; want it at rest", b, err)
	}
}

// Credentials of another app cost no user at all if its client id is another one: each
// pair is sent only by the client for which it was issued.
func TestAnotherClient(t *testing.T) {
	t.Parallel()
	r := thirty(t)
	r.Secrets.Put(functiontest.AppSecret, `{"client_id":"fake-client-id-other","client_secret":"fake-client-secret-other"}`)
	r.Clock.Advance(5 * time.Minute) // the secret is read again
	r.run("refresh")
	if got := r.Requests("POST /oauth/token"); got != 1 {
		t.Errorf("got %d requests, want the probe alone", got)
	}
	r.wantMetric("RefreshesFailed", 30, 1)
	r.Secrets.Put(functiontest.AppSecret, functiontest.AppValue)
	r.Procore.ClearFaults()
	r.Clock.Advance(5 * time.Minute)
	r.run("refresh")
	r.wantMetric("RefreshesSucceeded", 30, 1)
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
