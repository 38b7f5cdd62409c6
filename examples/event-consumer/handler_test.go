package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// The resource is read as it is now, in its own company, and one line of JSON has the
// event and the size of what was read.
func TestHandle(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	c.Connect(procoretest.NorthernPlanner, procoretest.Ann, connections.WebhooksOff)
	mine, theirs := c.rfis(2001)[0], c.rfis(9007199254741993)[0]
	c.wantFailures(c.handle(message(t, update("1", mine)), message(t, update("2", theirs))))

	lines := c.Log.Lines(t, "event handled")
	if len(lines) != 2 {
		t.Fatalf("got %d lines, want 2", len(lines))
	}
	first := lines[0]
	if first["event_id"] != "1" || first["company_id"] != float64(5678) || first["resource"] != "RFIs" ||
		first["resource_id"] != fmt.Sprint(mine.ID) || first["type"] != "update" {
		t.Errorf("logged %v", first)
	}
	if n, _ := first["read_bytes"].(float64); n < float64(len(mine.Title)) {
		t.Errorf("read %v bytes of RFI %s %q", first["read_bytes"], mine.ID, mine.Title)
	}
	var got []string
	for _, call := range c.Procore.State().Calls {
		got = append(got, fmt.Sprintf("%s %s for %d by %d: %d", call.Method, call.Path, call.CompanyID, call.UserID, call.Status))
	}
	want := []string{
		fmt.Sprintf("GET /rest/v1.0/projects/2001/rfis/%s for 5678 by 1234567: 200", mine.ID),
		fmt.Sprintf("GET /rest/v1.0/projects/9007199254741993/rfis/%s for 9007199254740993 by 2345678: 200", theirs.ID),
	}
	if diff := cmp.Diff(got, want); diff != "" {
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

// A deleted resource is not read, whether the event or Procore reports it.
func TestDeleted(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	gone := update("1", c.rfis(2001)[0])
	gone.Type = "delete"
	since := update("2", c.rfis(2001)[1])
	since.ResourceID = "424242"
	c.wantFailures(c.handle(message(t, gone), message(t, since)))
	c.wantHandled("1", "2")
	for _, line := range c.Log.Lines(t, "event handled") {
		if line["read_bytes"] != float64(0) {
			t.Errorf("read %v bytes, want none", line["read_bytes"])
		}
	}
	if got := len(c.Procore.State().Calls); got != 1 {
		t.Errorf("got %d calls, want 1: a deleted resource need not be asked for", got)
	}
}

// A resource that the user may not read is not retried.
func TestNotVisible(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	c.PatchCompany(procoretest.MyConstruction, procoretest.CompanyPatch{DeniedTools: &[]string{"rfis"}})
	c.wantFailures(c.handle(message(t, update("1", c.rfis(2001)[0]))))
	if lines := c.Log.Lines(t, "event handled"); len(lines) != 1 || lines[0]["read_bytes"] != float64(0) || lines[0]["absent"] != "not permitted" {
		t.Errorf("logged %v", lines)
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
	if lines := c.Log.Lines(t, "event failed, will be retried"); len(lines) != 1 || lines[0]["event_id"] != "a1" ||
		lines[0]["company_id"] != float64(procoretest.MyConstruction) {
		t.Errorf("lines of failures: %v, want one, of a1", lines)
	}
	c.wantFailures(c.handle(batch[0], batch[2], batch[4]))
	c.wantHandled("b1", "b2", "a1", "a2", "a3")
}

// A change that this app made itself is skipped, or it would loop. Changes by another
// app, or of unknown origin, are handled.
func TestOwnChange(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	own, other, unknown := update("own", c.rfis(2001)[0]), update("other", c.rfis(2001)[0]), update("unknown", c.rfis(2001)[0])
	own.SourceApplicationID, other.SourceApplicationID = "fake-client-id", "another-app"
	c.wantFailures(c.handle(message(t, own), message(t, other), message(t, unknown)))
	c.wantHandled("other", "unknown")
	if lines := c.Log.Lines(t, "own change skipped"); len(lines) != 1 || lines[0]["event_id"] != "own" {
		t.Errorf("logged %v", lines)
	}
	if got := len(c.Procore.State().Calls); got != 2 {
		t.Errorf("got %d calls, want 2", got)
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

// Of an event whose origin is unknown, the resource shows whether it is as we left it.
func TestOwnChangeByTime(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	key := c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff).Key
	mine, theirs := c.rfis(2001)[0], c.rfis(2001)[1]
	path := fmt.Sprintf("/rest/v1.0/projects/2001/rfis/%s", mine.ID)
	c.Clock.Advance(time.Minute)
	if _, err := procore.Patch[json.RawMessage](t.Context(), c.h.client(key), path, nil, map[string]any{"rfi": map[string]string{"title": "ours"}}); err != nil {
		t.Fatal(err)
	}
	c.wantFailures(c.handle(message(t, update("own", mine)), message(t, update("theirs", theirs))))
	c.wantHandled("theirs")
	c.Clock.Advance(time.Minute)
	if _, err := c.Procore.Emit(procoretest.Event{CompanyID: mine.CompanyID, ProjectID: 2001, ResourceName: "RFIs", ResourceID: mine.ID, EventType: "update"}); err != nil {
		t.Fatal(err)
	}
	c.wantFailures(c.handle(message(t, update("changed since", mine))))
	c.wantHandled("theirs", "changed since")
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

// Without a connection nothing can be read. The message is redelivered, and becomes a
// dead letter in the end.
func TestNoConnection(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	failed := c.handle(message(t, update("1", c.rfis(4294968001)[0])), message(t, update("2", c.rfis(2001)[0])))
	c.wantFailures(failed, "m-1")
	c.wantHandled("2")
	if line := c.Log.Lines(t, "event failed, will be retried")[0]; !strings.Contains(line["error"].(string), "not connected yet") {
		t.Errorf("logged %v", line)
	}
	for _, call := range c.Procore.State().Calls {
		if call.CompanyID != procoretest.MyConstruction {
			t.Errorf("company %d was called", call.CompanyID)
		}
	}
}

// A company that disconnected the app is recorded as such, and not called again.
func TestDisconnected(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	connection := c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	off := false
	c.PatchCompany(procoretest.MyConstruction, procoretest.CompanyPatch{Connected: &off})
	c.wantFailures(c.handle(message(t, update("1", c.rfis(2001)[0]))), "m-1")
	if got := c.Connection(connection.Key).State; got != connections.Disconnected {
		t.Errorf("the connection is %s, want disconnected", got)
	}
	// Then no event waits in vain, and Procore is not called.
	c.wantFailures(c.handle(message(t, update("1", c.rfis(2001)[0])), message(t, update("2", c.rfis(2001)[1]))))
	c.wantHandled("1", "2")
	for _, line := range c.Log.Lines(t, "event handled") {
		if line["absent"] != "not connected" {
			t.Errorf("logged %v", line)
		}
	}
	if got := len(c.Procore.State().Calls); got != 1 {
		t.Errorf("got %d calls, want 1", got)
	}
}

// The disconnection is recorded also when the token had to be refreshed first.
func TestDisconnectedMeanwhile(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	connection := c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	off := false
	c.PatchCompany(procoretest.MyConstruction, procoretest.CompanyPatch{Connected: &off})
	c.Clock.Advance(3 * time.Hour)
	c.wantFailures(c.handle(message(t, update("1", c.rfis(2001)[0]))), "m-1")
	if got := c.Connection(connection.Key).State; got != connections.Disconnected {
		t.Errorf("the connection is %s, want disconnected", got)
	}
}

// A resource without a path, or an event without the project that its path needs, would
// fail each time. It counts as handled, and the log says what to do.
func TestUnknownResource(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	unknown, homeless := update("1", c.rfis(2001)[0]), update("2", c.rfis(2001)[0])
	unknown.Resource, homeless.ProjectID = "Direct Cost Line Items", 0
	c.wantFailures(c.handle(message(t, unknown), message(t, homeless)))
	c.wantHandled("1", "2")
	for _, line := range c.Log.Lines(t, "event handled") {
		if line["absent"] != "unknown path" || line["read_bytes"] != float64(0) {
			t.Errorf("logged %v", line)
		}
	}
	lines := c.Log.Lines(t, "resource has no known path: read it with procore.Get or remove its trigger")
	if len(lines) != 2 || lines[0]["level"] != "WARN" || !strings.Contains(lines[0]["error"].(string), "Direct Cost Line Items") {
		t.Errorf("logged %v", lines)
	}
	if got := len(c.Procore.State().Calls); got != 0 {
		t.Errorf("got %d calls, want none", got)
	}
}

// A company without calls left is not called again in the batch. Other companies are,
// and events that need no call are handled.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	c.Connect(procoretest.NorthernPlanner, procoretest.Ann, connections.WebhooksOff)
	a, b, theirs := c.rfis(2001)[0], c.rfis(2001)[1], c.rfis(9007199254741993)[0]
	gone := update("gone", b)
	gone.ResourceID, gone.Type = "424242", "delete"
	c.ProcoreFails(procoretest.Fault{Endpoint: "api", Kind: procoretest.Status, Status: 429, Headers: map[string]string{"Retry-After": "3600"}})
	batch := []map[string]any{message(t, update("a1", a)), message(t, update("b1", b)), message(t, gone), message(t, update("t1", theirs)), message(t, update("a2", a))}
	c.wantFailures(c.handle(batch...), "m-a1", "m-b1", "m-a2")
	c.wantHandled("gone", "t1")
	if got := len(c.Procore.State().Calls); got != 2 {
		t.Errorf("got %d calls, want 2", got)
	}
	c.Clock.Advance(time.Hour + time.Minute)
	c.wantFailures(c.handle(batch[0], batch[1], batch[4])) // another batch, another time
	c.wantHandled("gone", "t1", "a1", "b1", "a2")
}

// An event is marked as superseded if a newer one of its resource is stored, and is
// handled like any other.
func TestSuperseded(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	older, newer, other := update("1", c.rfis(2001)[0]), update("2", c.rfis(2001)[0]), update("3", c.rfis(2001)[1])
	older.Timestamp, newer.Timestamp, other.Timestamp = c.Clock.Now(), c.Clock.Now().Add(time.Second), c.Clock.Now()
	c.stored(older, newer, other)
	c.wantFailures(c.handle(message(t, older), message(t, newer), message(t, other)))
	c.wantHandled("1", "2", "3")
	lines := c.Log.Lines(t, "event handled")
	if lines[0]["superseded"] != true || lines[1]["superseded"] != nil || lines[2]["superseded"] != nil {
		t.Errorf("logged %v", lines)
	}
	if got := len(c.Procore.State().Calls); got != 3 {
		t.Errorf("got %d calls, want 3", got)
	}
}

// If that cannot be checked, each event is read.
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
	if lines := c.Log.Lines(t, "event handled"); len(lines) != 1 || lines[0]["read_bytes"] == float64(0) {
		t.Errorf("logged %v", lines)
	}
	if got := len(c.Log.Lines(t, "check for newer events failed")); got != 1 {
		t.Errorf("got %d warnings, want 1", got)
	}
}

// A resource may hold personal data, so the log has only its size.
func TestLogHoldsNoResource(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	const body = `{"name":"a-private-name"}`
	c.ProcoreFails(procoretest.Fault{Endpoint: "api", Kind: procoretest.Status, Status: 200, Body: body})
	c.wantFailures(c.handle(message(t, update("1", c.rfis(2001)[0]))))
	if line := c.Log.Lines(t, "event handled")[0]; line["read_bytes"] != float64(len(body)) {
		t.Errorf("read %v bytes, want %d", line["read_bytes"], len(body))
	}
	if strings.Contains(c.Log.String(), "a-private-name") {
		t.Errorf("the resource is in the log: %s", c.Log)
	}
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
