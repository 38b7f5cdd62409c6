package consumer

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// An event is stale only if a newer one of its resource and type is stored, and if that one
// is certainly not skipped as an own change. Otherwise neither would be handled.
func TestStale(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		older, newer func(*procore.Event)
		options      []Option
		want         Outcome
	}{
		"a newer one":              {want: Stale},
		"of another app":           {newer: func(e *procore.Event) { e.SourceApplicationID = "another-app" }, want: Stale},
		"an own change":            {newer: func(e *procore.Event) { e.SourceApplicationID = "fake-client-id" }, want: Handled},
		"of unknown origin":        {newer: func(e *procore.Event) { e.Reconciled = true }, want: Handled},
		"of v4.0, without service": {newer: func(e *procore.Event) { e.PayloadVersion, e.UserID = "v4.0", procoretest.Ann }, want: Handled},
		"after a create":           {older: func(e *procore.Event) { e.Type = "create" }, want: Handled},
		"after a replayed one":     {older: func(e *procore.Event) { e.ReplayedAt = e.Timestamp }, want: Handled},
		"of another resource":      {newer: func(e *procore.Event) { e.ResourceID = "424242" }, want: Handled},
		"by choice":                {options: []Option{WithStaleEvents()}, want: Handled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConsumer(t, tt.options...)
			c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
			older, newer := update("1", c.rfis(2001)[0]), update("2", c.rfis(2001)[0])
			older.Timestamp, newer.Timestamp = c.Clock.Now(), c.Clock.Now().Add(time.Second)
			if tt.older != nil {
				tt.older(&older)
			}
			if tt.newer != nil {
				tt.newer(&newer)
			}
			c.stored(older, newer)
			c.wantFailures(c.handle(message(t, older)))
			c.wantOutcomes("1 " + string(tt.want))
		})
	}
}

// Where only the service account makes the app's changes, those of v4.0 by another user are
// certainly not its own.
func TestStaleOfServiceAccount(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	yes := true
	c.PatchCompany(procoretest.MyConstruction, procoretest.CompanyPatch{ServiceAccount: &yes, Installed: &yes})
	if err := c.Store().AddServiceAccount(t.Context(), procoretest.MyConstruction, "A Company", connections.WebhooksOff); err != nil {
		t.Fatal(err)
	}
	account, err := c.Store().ServiceAccountUser(t.Context(), procoretest.MyConstruction)
	if err != nil || account == 0 {
		t.Fatal(account, err)
	}
	for i, tt := range []struct {
		user int64
		want Outcome
	}{{procoretest.Joe, Stale}, {account, Handled}, {0, Handled}} {
		older, newer := update(fmt.Sprintf("older-%d", i), c.rfis(2001)[0]), update(fmt.Sprintf("newer-%d", i), c.rfis(2001)[0])
		older.ResourceID, newer.ResourceID = procore.NewID(int64(i+1)), procore.NewID(int64(i+1))
		older.Timestamp, newer.Timestamp = c.Clock.Now(), c.Clock.Now().Add(time.Second)
		newer.PayloadVersion, newer.UserID = "v4.0", tt.user
		c.stored(older, newer)
		c.work = func(context.Context, procore.Event, *procore.CompanyClient) error { return nil }
		c.wantFailures(c.handle(message(t, older)))
		if lines := c.Log.Lines(t, "handled"); lines[i]["outcome"] != string(tt.want) {
			t.Errorf("before a change by %d: %v, want %s", tt.user, lines[i]["outcome"], tt.want)
		}
	}
}

// If that cannot be checked, each event is handled.
func TestNewerNotKnown(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	older, newer := update("1", c.rfis(2001)[0]), update("2", c.rfis(2001)[0])
	older.Timestamp, newer.Timestamp = c.Clock.Now(), c.Clock.Now().Add(time.Second)
	c.stored(older, newer)
	c.Fault(func(_ string, body []byte) dynamotest.Fault {
		if bytes.Contains(body, []byte(c.Tables.Inbox)) {
			return dynamotest.Fault{Code: "AccessDeniedException"}
		}
		return dynamotest.Fault{}
	})
	c.wantFailures(c.handle(message(t, older)))
	c.wantHandled("1")
	if got := len(c.Log.Lines(t, "check for newer events failed")); got != 1 {
		t.Errorf("got %d warnings, want 1", got)
	}
}
