package dispatch

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"procore-connect/internal/testing/kit/tables"
	"procore-connect/internal/testing/proof/simulation"
	"procore-connect/internal/webhook/inbox"
)

// shard is a stream whose records are passed to one process after another. Each process
// continues when those before it have ended.
type shard struct {
	*simulation.World
	queued  []simulation.Message // in the order in which the queue accepted them
	records []Record
	at      int // the first record that is not done
	batch   int
}

const inboxTable = "inbox"

// stream makes a scenario. An event is named by its group and a number; a capital group
// marks one that no queue accepts.
func stream(name string, batch int, events string) simulation.Scenario {
	return simulation.Scenario{Name: name, Setup: func(w *simulation.World) {
		x := &shard{World: w, batch: batch}
		w.Queues.OnSend = func(_ string, m simulation.Message) { x.queued = append(x.queued, m) }
		for id := range strings.FieldsSeq(events) {
			r := event(strings.ToLower(id))
			if id != strings.ToLower(id) {
				r = record(strings.ToLower(id), "\x00")
			}
			x.records = append(x.records, r)
			key := simulation.Item{"resource": text(r.Change.NewImage.Resource.S), "event_id": text(r.Change.NewImage.EventID.S)}
			w.Tables.Put(inboxTable, key)
		}
		var before []*simulation.Actor
		for range 3 {
			p := w.Process(0)
			d := x.dispatcher(p)
			earlier := slices.Clone(before)
			before = append(before, w.Actor(p, simulation.Step{Name: "handles", Do: func(ctx context.Context, a *simulation.Actor) {
				x.handle(ctx, a, d, earlier)
			}}))
		}
		w.Judge = x.judge
	}}
}

func (x *shard) dispatcher(p *simulation.Process) *Dispatcher {
	return &Dispatcher{
		Inbox: &inbox.Store{DB: x.Tables.Client(), Table: inboxTable, Clock: p.Clock()},
		Queue: sqs.NewFromConfig(x.AWS()), QueueURL: x.Queues.URL(simulation.EventsQueue), Clock: p.Clock(), Log: slog.New(slog.DiscardHandler),
	}
}

// handle invokes the function with the stream's next records, as the event source mapping
// does, until all are done.
func (x *shard) handle(ctx context.Context, a *simulation.Actor, d *Dispatcher, earlier []*simulation.Actor) {
	for slices.ContainsFunc(earlier, func(b *simulation.Actor) bool { return !b.Process.Dead() && x.at < len(x.records) }) {
		a.Sleep(time.Minute)
	}
	for tries := 0; x.at < len(x.records) && tries < 20; tries++ {
		if err := x.invoke(ctx, d); err != nil || a.Process.Dead() {
			return
		}
	}
}

// invoke is one invocation.
func (x *shard) invoke(ctx context.Context, d *Dispatcher) error {
	ctx, cancel := simulation.WithTimeout(ctx, time.Minute)
	defer cancel()
	in := Event{x.records[x.at:min(x.at+x.batch, len(x.records))]}
	out, err := d.Handle(ctx, in)
	if err != nil {
		x.Problem("%v", err)
		return err
	}
	if a := simulation.ActorOf(ctx); a != nil && a.Process.Dead() {
		return nil // its answer does not arrive
	}
	done := len(in.Records)
	for _, f := range out.BatchItemFailures {
		x.Happened("repeated")
		done = slices.IndexFunc(in.Records, func(r Record) bool { return r.Change.SequenceNumber == f.ItemIdentifier })
	}
	x.at += done
	return nil
}

// judge lets a last process do the rest without a fault. Then each event is in the queue,
// those of a group for the first time in order, and poison is marked.
func (x *shard) judge(ctx context.Context) {
	last := x.dispatcher(x.Process(0))
	for tries := 0; x.at < len(x.records); tries++ {
		if err := x.invoke(ctx, last); err != nil || tries > len(x.records) {
			x.Problem("not done without a fault: %v", err)
			return
		}
	}
	got, want := map[string][]string{}, map[string][]string{}
	for _, m := range x.queued {
		if slices.Contains(got[m.Group], m.Body) {
			x.Happened("sent again")
			continue
		}
		got[m.Group] = append(got[m.Group], m.Body)
	}
	for _, r := range x.records {
		i := r.Change.NewImage
		if i.Envelope.S != "\x00" {
			want[i.Group.S] = append(want[i.Group.S], i.Envelope.S)
			continue
		}
		key := simulation.Item{"resource": text(i.Resource.S), "event_id": text(i.EventID.S)}
		if x.Tables.Item(inboxTable, key)["undeliverable"] == nil {
			x.Problem("%s was skipped without a mark", i.EventID.S)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		x.Problem("sent for the first time %v, want %v", got, want)
	}
}

// No failure, crash or late request changes the order of a resource's events, and none is
// lost. EXPLORE_TIME=10m tries more schedules.
func TestExplore(t *testing.T) {
	e := &simulation.Exploration{
		Scenarios: []simulation.Scenario{
			stream("one group", 3, "a1 a2 a3 a4"),
			stream("three groups", 4, "a1 b1 a2 c1 a3 b2 b3 c2"),
			stream("one batch", 10, "a1 b1 a2 b2 a3 b3"),
			stream("poison", 4, "a1 B1 a2 b2 A3 a4"),
		},
		Tables:  []*dynamodb.CreateTableInput{tables.Inbox(inboxTable)},
		Command: "go test -run TestExplore ./internal/webhook/dispatch",
		Seeds:   3000, MaxTime: 4 * time.Second, Shards: 2,
	}
	e.Environment(t)
	if schedule := os.Getenv("EXPLORE_SCHEDULE"); schedule != "" {
		e.Replay(t, schedule)
		return
	}
	e.Run(t)
}

// A seed always leads to the same schedule.
func TestExploreRepeats(t *testing.T) {
	t.Parallel()
	e := &simulation.Exploration{
		Scenarios: []simulation.Scenario{stream("three groups", 4, "a1 b1 a2 c1 A3 b2 b3 c2")},
		Tables:    []*dynamodb.CreateTableInput{tables.Inbox(inboxTable)}, Seeds: 20, MaxTime: 5 * time.Second,
	}
	e.Repeats(t)
}
