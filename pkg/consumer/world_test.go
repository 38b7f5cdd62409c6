package consumer

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/upkeep/departures"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/internal/webhook/provision"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

const hookURL = "http://127.0.0.1:9/webhooks/procore" // no process listens

// consumer is the function and its world.
type consumer struct {
	*functiontest.World
	t     *testing.T
	h     *handler
	work  Handle
	calls []procore.Event // of handle
}

// newConsumer returns a function whose handle reads the resource, and then does the work
// that a test sets as c.work.
func newConsumer(t *testing.T, options ...Option) *consumer {
	t.Helper()
	w := functiontest.New(t)
	c := &consumer{World: w, t: t}
	h := &handler{
		handle: func(ctx context.Context, e procore.Event, client *procore.CompanyClient) error {
			c.calls = append(c.calls, e)
			return c.work(ctx, e, client)
		},
		store: w.Store(), oauth: w.OAuth(), log: w.Log.Logger,
		inbox: &inbox.Store{DB: w.DB, Table: w.Tables.Inbox, Clock: w.Clock.Seam()},
	}
	h.departures = &departures.Watch{Store: h.store, Log: w.Log.Logger, Hooks: &provision.Reconciler{
		Store: h.store, Log: w.Log.Logger,
		Want: provision.Config{Namespace: "our-app", URL: hookURL},
	}}
	for _, o := range options {
		o(&h.settings)
	}
	c.h, c.work = h, read
	return c
}

// rfis returns a project's RFIs.
func (c *consumer) rfis(project int64) []procoretest.Resource {
	var all []procoretest.Resource
	for _, r := range c.Procore.State().Resources {
		if r.ProjectID == project && r.Name == "RFIs" {
			all = append(all, r)
		}
	}
	return all
}

// update returns the event of a resource's update.
func update(id string, r procoretest.Resource) procore.Event {
	return procore.Event{ID: id, CompanyID: r.CompanyID, ProjectID: r.ProjectID, Resource: r.Name, ResourceID: r.ID, Type: "update", PayloadVersion: "v2.0"}
}

// message returns an event as the queue delivers it, in the resource's group.
func message(t *testing.T, e procore.Event) map[string]any {
	t.Helper()
	body, err := procore.EncodeEvent(e)
	if err != nil {
		t.Fatal(err)
	}
	return raw("m-"+e.ID, e.Key(), string(body))
}

// stored stores events in the inbox, as the receiver does.
func (c *consumer) stored(all ...procore.Event) {
	c.t.Helper()
	for _, e := range all {
		if _, err := c.h.inbox.Add(c.t.Context(), e, []byte("{}")); err != nil {
			c.t.Fatal(err)
		}
	}
}

func raw(id, group, body string) map[string]any {
	return map[string]any{"messageId": id, "body": body, "eventSource": "aws:sqs",
		"attributes": map[string]string{"MessageGroupId": group, "ApproximateReceiveCount": "1"}}
}

// handle passes a batch to the function as Lambda does, and returns the messages to be
// redelivered.
func (c *consumer) handle(messages ...map[string]any) []string {
	c.t.Helper()
	batch, err := json.Marshal(map[string]any{"Records": messages})
	if err != nil {
		c.t.Fatal(err)
	}
	var e events.SQSEvent
	if err := json.Unmarshal(batch, &e); err != nil {
		c.t.Fatal(err)
	}
	out, err := tokens.Wrap(c.h.store.Tokens, c.h.batch)(c.t.Context(), e)
	if err != nil {
		c.t.Fatalf("the batch failed as a whole: %v", err)
	}
	var failed []string
	for _, f := range out.BatchItemFailures {
		failed = append(failed, f.ItemIdentifier)
	}
	return failed
}

func (c *consumer) wantFailures(got []string, want ...string) {
	c.t.Helper()
	if diff := cmp.Diff(got, want); diff != "" {
		c.t.Errorf("messages to come again (-got +want):\n%s", diff)
	}
}

// read is what most handles do first.
func read(ctx context.Context, e procore.Event, c *procore.CompanyClient) error {
	_, err := c.Read(ctx, e)
	return err
}

// wantCalls checks for which events handle was called, in order.
func (c *consumer) wantCalls(want ...string) {
	c.t.Helper()
	var got []string
	for _, e := range c.calls {
		got = append(got, e.ID)
	}
	if diff := cmp.Diff(got, want); diff != "" {
		c.t.Errorf("handle was called for (-got +want):\n%s", diff)
	}
}

// wantHandled checks the events with the outcome handled, in order.
func (c *consumer) wantHandled(want ...string) {
	c.t.Helper()
	var got []string
	for _, line := range c.Log.Lines(c.t, "handled") {
		if line["outcome"] == string(Handled) {
			got = append(got, line["event_id"].(string))
		}
	}
	if diff := cmp.Diff(got, want); diff != "" {
		c.t.Errorf("events handled (-got +want):\n%s", diff)
	}
}

// wantOutcomes checks how the finished events ended, as in "1 own".
func (c *consumer) wantOutcomes(want ...string) {
	c.t.Helper()
	var got []string
	for _, line := range c.Log.Lines(c.t, "handled") {
		got = append(got, fmt.Sprintf("%s %s", line["event_id"], line["outcome"]))
	}
	if diff := cmp.Diff(got, want); diff != "" {
		c.t.Errorf("outcomes (-got +want):\n%s", diff)
	}
}
