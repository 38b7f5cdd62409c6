package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

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

// docs/WEBHOOKS.md specifies the line as it is, with each outcome and its level.
func TestLineIsAsSpecified(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/WEBHOOKS.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(doc), "\n### The line of an event\n")
	section, _, _ = strings.Cut(section, "\n## ")
	_, example, _ := strings.Cut(section, "```json\n")
	example, _, _ = strings.Cut(example, "```")
	var specified map[string]any
	if err := json.Unmarshal([]byte(example), &specified); err != nil {
		t.Fatalf("the example: %v", err)
	}
	_, table, _ := strings.Cut(section, "\n|---|")
	levels := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\w+) \\|").FindAllStringSubmatch(table, -1) {
		levels[row[1]] = strings.ToUpper(row[2])
	}
	c := newConsumer(t)
	event := procore.Event{ID: "01JBNE4T6ZK3W8R5M2Q7XCVD9H", CompanyID: 5678, Resource: "RFIs", ResourceID: "42", Type: "update"}
	got := map[string]string{}
	for _, o := range []Outcome{Handled, Own, Stale, NotFound, Forbidden, NotConnected, UnknownResource} {
		c.h.report(t.Context(), events.SQSMessage{}, event, result{outcome: o})
	}
	for i, line := range c.Log.Lines(t, "handled") {
		got[line["outcome"].(string)] = line["level"].(string)
		if i > 0 {
			continue
		}
		line["time"] = specified["time"]
		delete(line, "_aws")
		delete(line, "EventsHandled")
		if diff := cmp.Diff(line, specified); diff != "" {
			t.Errorf("line - example in docs/WEBHOOKS.md +:\n%s", diff)
		}
	}
	if diff := cmp.Diff(got, levels); diff != "" {
		t.Errorf("outcomes and levels - table in docs/WEBHOOKS.md +:\n%s", diff)
	}
}
