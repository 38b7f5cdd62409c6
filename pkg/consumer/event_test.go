package consumer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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

// A deleted resource, and one that the user may not read, finish the event, however handle
// wraps the error.
func TestNotVisible(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	c.work = func(ctx context.Context, e procore.Event, client *procore.CompanyClient) error {
		return fmt.Errorf("a copy of %s: %w", e.Resource, read(ctx, e, client))
	}
	c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	gone := update("gone", c.rfis(2001)[1])
	gone.ResourceID = "424242"
	c.wantFailures(c.handle(message(t, gone)))
	c.PatchCompany(procoretest.MyConstruction, procoretest.CompanyPatch{DeniedTools: &[]string{"rfis"}})
	c.wantFailures(c.handle(message(t, update("denied", c.rfis(2001)[0]))))
	c.wantOutcomes("gone not_found", "denied forbidden")
	if lines := c.Log.Lines(t, "handled"); lines[0]["level"] != "INFO" || lines[1]["level"] != "WARN" || !strings.Contains(lines[1]["error"].(string), "403") {
		t.Errorf("logged %v", lines)
	}
}

// With the option both are errors like any other.
func TestProcoreErrors(t *testing.T) {
	t.Parallel()
	c := newConsumer(t, WithProcoreErrors())
	c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	gone := update("1", c.rfis(2001)[1])
	gone.ResourceID = "424242"
	c.wantFailures(c.handle(message(t, gone)), "m-1")
	c.PatchCompany(procoretest.MyConstruction, procoretest.CompanyPatch{DeniedTools: &[]string{"rfis"}})
	c.wantFailures(c.handle(message(t, update("2", c.rfis(2001)[0]))), "m-2")
	c.wantOutcomes()
}

// An error of handle, and a panic, repeat their event and not the batch. The line has the
// attempt, and of a panic the stack without the value, which may be a secret.
func TestFailures(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	c.work = func(_ context.Context, e procore.Event, _ *procore.CompanyClient) error {
		switch e.ID {
		case "error":
			return errors.New("the table is full")
		case "secret":
			panic("a-private-note")
		case "index":
			_ = []int{}[len(e.Related)]
		}
		return nil
	}
	var batch []map[string]any
	for _, id := range []string{"error", "secret", "index", "fine"} {
		e := update(id, c.rfis(2001)[0])
		e.ResourceID = procore.ID(id)
		batch = append(batch, message(t, e))
	}
	c.wantFailures(c.handle(batch...), "m-error", "m-secret", "m-index")
	c.wantHandled("fine")
	lines := c.Log.Lines(t, "not handled")
	for i, want := range []struct{ id, text, stack string }{
		{"error", "the table is full", ""}, {"secret", "panic with a string", "TestFailures"}, {"index", "index out of range", "TestFailures"},
	} {
		stack, _ := lines[i]["stack"].(string)
		if l := lines[i]; l["event_id"] != want.id || l["level"] != "ERROR" || l["attempt"] != 1.0 || l["company_id"] != 5678.0 ||
			!strings.Contains(l["error"].(string), want.text) || !strings.Contains(stack, want.stack) {
			t.Errorf("logged %v, want the error %q and a stack with %q", l, want.text, want.stack)
		}
	}
	if strings.Contains(c.Log.String(), "a-private-note") {
		t.Error("the value of a panic is in the log")
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

// A resource without a path, or an event without the project that its path needs, would
// fail each time. It finishes the event, and the log says what is missing.
func TestUnknownResource(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	unknown, homeless := update("1", c.rfis(2001)[0]), update("2", c.rfis(2001)[0])
	unknown.Resource, homeless.ProjectID = "Direct Cost Line Items", 0
	c.wantFailures(c.handle(message(t, unknown), message(t, homeless)))
	c.wantOutcomes("1 unknown_resource", "2 unknown_resource")
	for _, line := range c.Log.Lines(t, "handled") {
		if line["level"] != "WARN" || line["error"] == "" {
			t.Errorf("logged %v", line)
		}
	}
	if got := len(c.Procore.State().Calls); got != 0 {
		t.Errorf("got %d calls, want none", got)
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

// A resource may hold personal data. None of it is logged.
func TestLogHoldsNoResource(t *testing.T) {
	t.Parallel()
	c := newConsumer(t)
	c.Connect(procoretest.MyConstruction, procoretest.Joe, connections.WebhooksOff)
	c.ProcoreFails(procoretest.Fault{Endpoint: "api", Kind: procoretest.Status, Status: 200, Body: `{"name":"a-private-name"}`})
	c.wantFailures(c.handle(message(t, update("1", c.rfis(2001)[0]))))
	c.wantHandled("1")
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
