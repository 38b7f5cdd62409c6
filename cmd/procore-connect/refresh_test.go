package main

import (
	"testing"
	"time"

	"procore-connect/internal/operator"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// Whether a refresh token would be sent, and the refresh of one that is due.
func TestRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Authorize(procoretest.Joe)
	w.connect(procoretest.MyConstruction, procoretest.Joe, "My Construction Co.", "Joe Builder", connections.WebhooksOff)
	wants(t, w, "refresh-fresh", "refresh", "1234567", "--dry-run")
	wants(t, w, "refresh-fresh-yes", "refresh", "user#1234567", "--yes")
	wants(t, w, "refresh-app", "refresh", "app", "--dry-run")
	wants(t, w, "refresh-none", "refresh", "12", "--dry-run")
	wants(t, w, "refresh-typed-wrong", "refresh", "joe", "--dry-run")
	w.Clock.Advance(80 * time.Minute)
	wants(t, w, "refresh-due", "refresh", "1234567", "--dry-run")
	wants(t, w, "refresh-due-json", "refresh", "1234567", "--dry-run", "--json")
	wants(t, w, "refresh-unasked", "refresh", "1234567")
	wants(t, w, "refresh", "refresh", "1234567", "--yes")
	w.Clock.Advance(2 * time.Minute)
	wants(t, w, "refresh-now", "refresh", "1234567", "--now", "--yes")
	if got := w.Grant(tokens.User(procoretest.Joe)).Generation; got != 3 {
		t.Errorf("generation %d, want 3", got)
	}
	w.Clock.Advance(80 * time.Minute)
	w.refresh(procoretest.Joe, procoretest.Fault{Kind: procoretest.Status, Status: 400, Body: `{"error":"invalid_grant"}`})
	wants(t, w, "refresh-ended", "refresh", "1234567", "--dry-run")
}

// The breaker opens and closes by a probe, and remembers it.
func TestBreakerProbe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ProcoreFails(procoretest.Fault{Endpoint: "token", Kind: procoretest.Status, Status: 401, Body: `{"error":"invalid_client"}`, Times: 2})
	wants(t, w, "probe-fails", "breaker", "probe", "--yes")
	w.Clock.Advance(3 * time.Minute)
	wants(t, w, "probe-remembered", "breaker")
	wants(t, w, "probe-closes", "breaker", "probe", "--yes")
	wants(t, w, "probe-json", "breaker", "--json")
}

// Departed users' connections wait for an operator after the tenth.
func TestDepartures(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wants(t, w, "departures", "departures")
	o, err := operator.Open(t.Context(), operator.Target{Local: w.addr, Clock: w.Clock.Seam()})
	if err != nil {
		t.Fatal(err)
	}
	w.Authorize(procoretest.Joe)
	for company := range int64(13) {
		w.connect(9000+company, procoretest.Joe, "Left Ltd.", "Joe Builder", connections.WebhooksOff)
	}
	for company := range int64(12) {
		_ = o.Departures.End(t.Context(), connections.Key{CompanyID: 9000 + company, Principal: tokens.User(procoretest.Joe)}) // the brake withholds the last two
	}
	w.Clock.Advance(2 * time.Hour)
	wants(t, w, "departures-engaged", "departures")
	wants(t, w, "departures-acknowledge", "departures", "acknowledge", "--yes")
	wants(t, w, "departures-after", "departures", "--json")
}

// After a restore all users' grants end.
func TestMarkRestored(t *testing.T) {
	t.Parallel()
	w := morning(t)
	wants(t, w, "mark-restored", "mark-restored", "--yes")
	wants(t, w, "mark-restored-again", "mark-restored", "--yes", "--json")
	if got := w.Grant(tokens.User(procoretest.Ann)).State; got != tokens.Reauthorize {
		t.Errorf("Ann's grant is %s", got)
	}
}
