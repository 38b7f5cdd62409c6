package main

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// unstored refreshes a user's token while the table refuses the new pair, and puts that into the named queue.
func (w *world) unstored(user int64, queue string) {
	w.t.Helper()
	q, err := w.aws.Queues.Queue(queue)
	if err != nil {
		w.t.Fatal(err)
	}
	pair := w.caught(user)
	text, err := json.Marshal(pair)
	if err == nil {
		_, _, err = q.Send(awstest.Message{Body: string(text)})
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// Pairs that the table refused: one is stored, one comes from the dead letters, and one has a row that moved on.
func TestRescue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wants(t, w, "rescue-none", "rescue", "list")
	for _, user := range []int64{procoretest.Joe, procoretest.Ann, procoretest.Max} {
		w.Authorize(user)
	}
	w.connect(procoretest.MyConstruction, procoretest.Joe, "My Construction Co.", "Joe Builder", connections.WebhooksOff)
	w.Clock.Advance(80 * time.Minute)
	w.unstored(procoretest.Joe, "rescue")
	w.unstored(procoretest.Ann, "rescue-dead")
	w.unstored(procoretest.Max, "rescue")
	w.Authorize(procoretest.Max) // in the meantime
	w.Clock.Advance(10 * time.Minute)
	wants(t, w, "rescue-list", "rescue", "list")
	wants(t, w, "rescue-json", "rescue", "list", "--json")
	wants(t, w, "rescue-run", "rescue", "run", "--yes")
	wants(t, w, "rescue-dead", "rescue", "list")
	wants(t, w, "rescue-run-dead", "rescue", "run", "--dead", "--yes")
	wants(t, w, "rescue-empty", "rescue", "list")
	for user, want := range map[int64]int64{procoretest.Joe: 2, procoretest.Ann: 2} {
		if g := w.Grant(tokens.User(user)); g.Generation != want || g.State != tokens.Active {
			t.Errorf("%s has generation %d and is %s, want %d, active", g.Principal, g.Generation, g.State, want)
		}
	}
}

// caught lets a refresh run into a table that refuses its pair, and returns the message of the rescue queue.
func (w *world) caught(user int64) (caught tokens.Rescued) {
	w.t.Helper()
	store := w.Tokens()
	store.Rescue = func(_ context.Context, r tokens.Rescued) error {
		caught = r
		return nil
	}
	w.Fault(func(operation string, _ []byte) dynamotest.Fault {
		if operation == "UpdateItem" {
			return dynamotest.Fault{Code: "ValidationException"}
		}
		return dynamotest.Fault{}
	})
	defer w.Fault(nil)
	if _, err := store.Upkeep().Refresh(w.t.Context(), tokens.User(user), 24*time.Hour); caught.Attempt == "" {
		w.t.Fatalf("no pair is to be rescued: %v", err)
	}
	return caught
}

// Two operators store the pairs at once, beside each other as beside housekeeping: each pair is stored once.
func TestTwoRescue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	users := []int64{procoretest.Joe, procoretest.Ann, procoretest.Max}
	for _, user := range users {
		w.Authorize(user)
	}
	w.Clock.Advance(80 * time.Minute)
	for _, user := range users {
		w.unstored(user, "rescue")
	}
	var both errgroup.Group
	for range 2 {
		o := w.open(t, w.waits())
		both.Go(func() error {
			_, _, err := o.RescueRun(t.Context(), false, nil)
			return err
		})
	}
	if err := both.Wait(); err != nil {
		t.Error(err)
	}
	for _, user := range users {
		if g := w.Grant(tokens.User(user)); g.Generation != 2 || g.State != tokens.Active {
			t.Errorf("%s has generation %d and is %s, want 2, active", g.Principal, g.Generation, g.State)
		}
	}
}
