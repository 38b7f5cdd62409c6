package consumer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
)

// Handle reads the resource as it is now, in its own company, and one line of JSON has the
// event.
func TestHandle(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	c.Connect(procoretest.NorthernPlanner, procoretest.Ann, connections.WebhooksOff)
	mine, theirs := c.rfis(2001)[0], c.rfis(9007199254741993)[0]
	c.wantFailures(c.handle(message(t, update("1", mine)), message(t, update("2", theirs))))

	lines := c.Log.Lines(t, "handled")
	if len(lines) != 2 {
		t.Fatalf("got %d lines, want 2", len(lines))
	}
	want := map[string]any{"level": "INFO", "msg": "handled", "event_id": "1", "company_id": 5678.0, "resource": "RFIs",
		"resource_id": string(mine.ID), "type": "update", "outcome": "handled"}
	for _, other := range []string{"time", "_aws", "EventsHandled"} {
		delete(lines[0], other)
	}
	if diff := cmp.Diff(lines[0], want); diff != "" {
		t.Errorf("line (-got +want):\n%s", diff)
	}
	var got []string
	for _, call := range c.Procore.State().Calls {
		got = append(got, fmt.Sprintf("%s %s for %d by %d: %d", call.Method, call.Path, call.CompanyID, call.UserID, call.Status))
	}
	calls := []string{
		fmt.Sprintf("GET /rest/v1.0/projects/2001/rfis/%s for 5678 by 1234567: 200", mine.ID),
		fmt.Sprintf("GET /rest/v1.0/projects/9007199254741993/rfis/%s for 9007199254740993 by 2345678: 200", theirs.ID),
	}
	if diff := cmp.Diff(got, calls); diff != "" {
		t.Errorf("calls (-got +want):\n%s", diff)
	}
}

// An expired token is refreshed, once for the whole batch.
func TestEndedToken(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	c.Clock.Advance(3 * time.Hour)
	rfis := c.rfis(2001)
	c.wantFailures(c.handle(message(t, update("1", rfis[0])), message(t, update("2", rfis[1])), message(t, update("3", rfis[0]))))
	c.wantHandled("1", "2", "3")
	if got := c.Requests("POST /oauth/token"); got != 1 {
		t.Errorf("got %d refreshes, want 1", got)
	}
}

// After a failure the rest of its group is redelivered, untouched and in order. Other
// groups continue.
func TestOrder(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	a, b := c.rfis(2001)[0], c.rfis(2001)[1]
	c.ProcoreFails(procoretest.Fault{Endpoint: fmt.Sprintf("/rest/v1.0/projects/2001/rfis/%s", a.ID),
		Kind: procoretest.Status, Status: 503, Headers: map[string]string{"Retry-After": "3600"}})
	batch := []map[string]any{
		message(t, update("a1", a)), message(t, update("b1", b)), message(t, update("a2", a)), message(t, update("b2", b)), message(t, update("a3", a)),
	}
	failed := c.handle(batch...)
	c.wantFailures(failed, "m-a1", "m-a2", "m-a3")
	c.wantHandled("b1", "b2")
	if lines := c.Log.Lines(t, "not handled"); len(lines) != 1 || lines[0]["event_id"] != "a1" ||
		lines[0]["company_id"] != float64(procoretest.MyConstruction) {
		t.Errorf("lines of failures: %v, want one, of a1", lines)
	}
	c.wantFailures(c.handle(batch[0], batch[2], batch[4]))
	c.wantHandled("b1", "b2", "a1", "a2", "a3")
}

// A message that is not an event fails alone, and its content is not logged.
func TestMalformed(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	good := update("good", c.rfis(2001)[0])
	failed := c.handle(
		raw("not JSON", "g1", `{"a-private-note":`),
		raw("empty", "g2", ""),
		raw("newer", "g3", `{"version":"2","id":"1","note":"a-private-note"}`),
		raw("incomplete", "g4", `{"version":"1","id":"1"}`),
		message(t, good),
	)
	c.wantFailures(failed, "not JSON", "empty", "newer", "incomplete")
	c.wantHandled("good")
	if strings.Contains(c.Log.String(), "a-private-note") {
		t.Error("the content of a message is in the log")
	}
}

// A company without calls left is not called again in the batch. Other companies are.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	c.Connect(procoretest.NorthernPlanner, procoretest.Ann, connections.WebhooksOff)
	a, b, theirs := c.rfis(2001)[0], c.rfis(2001)[1], c.rfis(9007199254741993)[0]
	c.ProcoreFails(procoretest.Fault{Endpoint: "api", Kind: procoretest.Status, Status: 429, Headers: map[string]string{"Retry-After": "3600"}})
	batch := []map[string]any{message(t, update("a1", a)), message(t, update("b1", b)), message(t, update("t1", theirs)), message(t, update("a2", a))}
	c.wantFailures(c.handle(batch...), "m-a1", "m-b1", "m-a2")
	c.wantCalls("a1", "t1")
	if got := len(c.Procore.State().Calls); got != 2 {
		t.Errorf("got %d calls, want 2", got)
	}
	c.Clock.Advance(time.Hour + time.Minute)
	c.wantFailures(c.handle(batch[0], batch[1], batch[3])) // another batch, another time
	c.wantHandled("t1", "a1", "b1", "a2")
}

// Without credentials or storage every message is redelivered, and none is lost.
func TestOutage(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	batch := []map[string]any{message(t, update("1", c.rfis(2001)[0])), message(t, update("2", c.rfis(2001)[1]))}
	c.Secrets.Put(functiontest.AppSecret, "not filled in")
	c.wantFailures(c.handle(batch...), "m-1", "m-2")
	c.Secrets.Put(functiontest.AppSecret, functiontest.AppValue)
	c.Fault(functiontest.Down)
	c.wantFailures(c.handle(batch...), "m-1", "m-2")
	c.Fault(nil)
	c.wantFailures(c.handle(batch...))
	c.wantHandled("1", "2")
}
