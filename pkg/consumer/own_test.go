package consumer

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// A change that this app made itself is skipped, or it would loop. Changes by another
// app, or of unknown origin, are handled.
func TestOwnChange(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	own, other, unknown := update("own", c.rfis(2001)[0]), update("other", c.rfis(2001)[0]), update("unknown", c.rfis(2001)[0])
	own.SourceApplicationID, other.SourceApplicationID = "fake-client-id", "another-app"
	c.wantFailures(c.handle(message(t, own), message(t, other), message(t, unknown)))
	c.wantOutcomes("own own", "other handled", "unknown handled")
	if got := len(c.Procore.State().Calls); got != 2 {
		t.Errorf("got %d calls, want 2", got)
	}
}

// With the option own changes reach handle too, marked as such.
func TestWithOwnChanges(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, WithOwnChanges())
	key := c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff).Key
	named, written, theirs := update("named", c.rfis(2001)[0]), update("written", c.rfis(2001)[1]), update("theirs", c.rfis(2001)[0])
	named.SourceApplicationID = "fake-client-id"
	c.write(key, c.rfis(2001)[1])
	c.wantFailures(c.handle(message(t, named), message(t, written), message(t, theirs)))
	c.wantHandled("named", "written", "theirs")
	for _, e := range c.calls {
		if own := e.SelfOriginated != nil && *e.SelfOriginated; own != (e.ID != "theirs") {
			t.Errorf("event %s is marked as own: %t", e.ID, own)
		}
	}
}

// Events of payload v4.0 do not name the app. The changes of the service account are
// recognised by its user, whom Procore is asked for once.
func TestOwnChangeOfServiceAccount(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	yes := true
	c.PatchCompany(procoretest.MyConstruction, procoretest.CompanyPatch{ServiceAccount: &yes, Installed: &yes})
	if err := c.Store().AddServiceAccount(t.Context(), procoretest.MyConstruction, "A Company", connections.WebhooksOff); err != nil {
		t.Fatal(err)
	}
	c.Connect(procoretest.NorthernPlanner, procoretest.Ann, connections.WebhooksOff)
	me, err := c.Store().Client(connections.Key{CompanyID: procoretest.MyConstruction, Principal: tokens.App}).Me(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mine, theirs := c.rfis(2001)[0], c.rfis(9007199254741993)[0]
	by := func(id string, user int64, r procoretest.Resource) map[string]any {
		e := update(id, r)
		e.UserID, e.PayloadVersion = user, "v4.0"
		return message(t, e)
	}
	c.wantFailures(c.handle(by("own", me.ID, mine), by("by Joe", procoretest.Joe, mine), by("own again", me.ID, mine), by("by Ann", procoretest.Ann, theirs)))
	c.wantHandled("by Joe", "by Ann")
	if got := c.Requests("GET /rest/v1.0/me") - 1; got != 1 {
		t.Errorf("got %d calls of /me, want 1", got)
	}
}

// write changes an RFI as handle does.
func (c *consumer) write(key connections.Key, r procoretest.Resource) {
	c.t.Helper()
	c.Clock.Advance(time.Minute)
	client := c.h.store.Client(key, procore.WithOwnWrites(&c.h.wrote))
	path := fmt.Sprintf("/rest/v1.0/projects/%d/rfis/%s", r.ProjectID, r.ID)
	if _, err := procore.Patch[json.RawMessage](c.t.Context(), client, path, nil, map[string]any{"rfi": map[string]string{"title": "ours"}}); err != nil {
		c.t.Fatal(err)
	}
}

// Of an event whose origin is unknown, the resource shows whether it is as we left it.
func TestOwnChangeByTime(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	mine, theirs := c.rfis(2001)[0], c.rfis(2001)[1]
	c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	c.work = func(ctx context.Context, e procore.Event, client *procore.CompanyClient) error {
		if e.ID != "asks for a write" {
			return nil
		}
		path := fmt.Sprintf("/rest/v1.0/projects/2001/rfis/%s", mine.ID)
		_, err := procore.Patch[json.RawMessage](ctx, client, path, nil, map[string]any{"rfi": map[string]string{"title": "ours"}})
		return err
	}
	c.Clock.Advance(time.Minute)
	reconciled := update("own", mine)
	reconciled.Reconciled = true
	c.wantFailures(c.handle(message(t, update("asks for a write", mine)), message(t, reconciled), message(t, update("theirs", theirs))))
	c.wantOutcomes("asks for a write handled", "own own", "theirs handled")
	if got := len(c.Procore.State().Calls); got != 2 {
		t.Errorf("got %d calls, want the write, and a read of what was written", got)
	}
	c.Clock.Advance(time.Minute)
	if _, err := c.Procore.Emit(procoretest.Event{CompanyID: mine.CompanyID, ProjectID: 2001, ResourceName: "RFIs", ResourceID: mine.ID, EventType: "update"}); err != nil {
		t.Fatal(err)
	}
	c.wantFailures(c.handle(message(t, update("changed since", mine))))
	c.wantHandled("asks for a write", "theirs", "changed since")
}
