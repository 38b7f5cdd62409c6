package consumer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

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
