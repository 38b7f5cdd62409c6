package consumer

import (
	"context"
	"strings"
	"testing"
	"time"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// Without a connection nothing can be read. The message is redelivered, and becomes a
// dead letter in the end.
func TestNoConnection(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	failed := c.handle(message(t, update("1", c.rfis(4294968001)[0])), message(t, update("2", c.rfis(2001)[0])))
	c.wantFailures(failed, "m-1")
	c.wantHandled("2")
	if line := c.Log.Lines(t, "not handled")[0]; !strings.Contains(line["error"].(string), "not connected yet") {
		t.Errorf("logged %v", line)
	}
	for _, call := range c.Procore.State().Calls {
		if call.CompanyID != procoretest.MyConstruction {
			t.Errorf("company %d was called", call.CompanyID)
		}
	}
}

// A company that disconnected the app is recorded as such, and not called again. Its
// deletions are handled, because they need no call.
func TestDisconnected(t *testing.T) {
	t.Parallel()
	for _, expired := range []bool{false, true} { // the token had to be refreshed first
		c := newConsumer(t)
		connection := c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
		off := false
		c.PatchCompany(procoretest.MyConstruction, procoretest.CompanyPatch{Connected: &off})
		if expired {
			c.Clock.Advance(3 * time.Hour)
		}
		c.wantFailures(c.handle(message(t, update("1", c.rfis(2001)[0])), message(t, update("2", c.rfis(2001)[1]))))
		if got := c.Connection(connection.Key).State; got != connections.Disconnected {
			t.Errorf("the connection is %s, want disconnected", got)
		}
		c.wantCalls("1")
		gone := update("gone", c.rfis(2001)[0])
		gone.Type = "delete"
		c.wantFailures(c.handle(message(t, gone)))
		c.work = func(context.Context, procore.Event, *procore.CompanyClient) error { return nil }
		gone.ID = "gone without a call"
		c.wantFailures(c.handle(message(t, gone)))
		c.wantOutcomes("1 not_connected", "2 not_connected", "gone not_connected", "gone without a call handled")
		if got := len(c.Procore.State().Calls); got != 1 {
			t.Errorf("got %d calls, want 1", got)
		}
	}
}

// A connection that turns out to be unusable is replaced by the next one, and so on.
func TestNextConnection(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	c.PatchCompany(procoretest.MyConstruction, procoretest.CompanyPatch{Members: &[]int64{procoretest.Joe, procoretest.Ann}})
	c.Connect(procoretest.MyConstruction, procoretest.Ann, connections.WebhooksOff)
	c.Clock.Advance(time.Second)
	joe := c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	c.Clock.Advance(3 * time.Hour)
	c.ProcoreFails(procoretest.Fault{Endpoint: "token", Kind: procoretest.Status, Status: 400, Body: `{"error":"invalid_grant"}`})
	c.wantFailures(c.handle(message(t, update("1", c.rfis(2001)[0]))))
	c.wantCalls("1", "1")
	c.wantOutcomes("1 handled")
	if got := c.Grant(joe.Principal).State; got != tokens.Reauthorize {
		t.Errorf("Joe's grant is %s, want reauthorize", got)
	}
}
