// Package dispatch sends new events from the Inbox table's stream to the events queue, at
// least once, usually once, and in order of arrival for each resource.
//
// The events of a resource form a group of the FIFO queue. A request to the queue has at
// most one event of each group, because the queue may accept a part of a request. When an
// event is not accepted, its group stops, and [Dispatcher.Handle] answers with the first
// record that is not done. Lambda repeats the stream from there; the queue drops what it
// has received within five minutes.
//
// An event that the queue would always refuse, because of its size or its characters, is
// marked in the Inbox and skipped. Any other refusal, whatever its code, is an outage:
// nothing overtakes it.
package dispatch

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"procore-connect/internal/platform/logging"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/procore"
)

// answerMargin is the part of an invocation's time that is reserved for the answer. If
// Lambda ended the process before, all records would be sent again.
const answerMargin = 5 * time.Second

// Dispatcher sends the events of one stream. It handles one invocation at a time, as a
// process of Lambda does. Inbox, Queue, QueueURL and Log must be set.
type Dispatcher struct {
	Inbox    *inbox.Store // where poison is marked
	Queue    *sqs.Client
	QueueURL string
	Log      *slog.Logger
	Clock    procore.Clock

	sent memory
}

// Event is what Lambda passes to the function: records of one shard, oldest first. It has
// only what a dispatcher reads of them, so that the body of each item is not decoded.
//
// https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
type Event struct {
	Records []Record
}

// Record is one change of the Inbox.
type Record struct {
	ID     string `json:"eventID"`
	Name   string `json:"eventName"` // INSERT, MODIFY or REMOVE
	Change struct {
		SequenceNumber string
		NewImage       struct {
			Resource   attribute `json:"resource"`
			EventID    attribute `json:"event_id"`
			CompanyID  attribute `json:"company_id"`
			Envelope   attribute `json:"envelope"`
			Group      attribute `json:"group_id"`
			Dedup      attribute `json:"dedup_id"`
			ReceivedMS attribute `json:"received_at_ms"`
		}
	} `json:"dynamodb"`
}

// attribute is a text or a number of an item.
type attribute struct{ S, N string }

// entry is an event that is to be sent.
type entry struct {
	at                 int // its record's place in the invocation
	resource, id       string
	companyID          int64
	body, group, dedup string
}

func (e entry) describe() slog.Attr {
	return slog.Group("", slog.Int64("company_id", e.companyID), slog.String("resource_key", e.resource))
}

// entryOf returns the event of a record, and reports whether it has one: only a new item
// with an envelope is an event.
func entryOf(at int, r Record) (entry, bool) {
	i := r.Change.NewImage
	company, _ := strconv.ParseInt(i.CompanyID.S, 10, 64) // for the log
	e := entry{at, i.Resource.S, i.EventID.S, company, i.Envelope.S, i.Group.S, i.Dedup.S}
	return e, r.Name == "INSERT" && e.body != ""
}

// Handle sends the events of the records and returns the first record that has to be
// repeated, if any. The event source mapping needs ReportBatchItemFailures, and a
// parallelization factor of one.
func (d *Dispatcher) Handle(ctx context.Context, in Event) (events.DynamoDBEventResponse, error) {
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-answerMargin))
		defer cancel()
	}
	r := run{d: d, done: make([]bool, len(in.Records)), stopped: map[string]bool{}}
	var pending []entry
	for at, record := range in.Records {
		e, isEvent := entryOf(at, record)
		if r.done[at] = !isEvent || d.sent[record.ID]; !r.done[at] {
			pending = append(pending, e)
		}
	}
	r.send(ctx, pending)
	first := r.first()
	d.sent.keep(in.Records, r.done, first)
	for _, record := range in.Records[:first] {
		d.beat(ctx, record)
	}
	d.Log.LogAttrs(ctx, slog.LevelDebug, "dispatch run finished", slog.Int("records", len(in.Records)),
		slog.Int("sent", int(r.sent.Load())), slog.Int("skipped", r.skipped), slog.Int("repeated", len(in.Records)-first))
	var out events.DynamoDBEventResponse
	if first < len(in.Records) {
		out.BatchItemFailures = []events.DynamoDBBatchItemFailure{{ItemIdentifier: in.Records[first].Change.SequenceNumber}}
	}
	return out, nil
}

// beat logs how old a heartbeat is when everything before it was sent.
func (d *Dispatcher) beat(ctx context.Context, r Record) {
	if r.Name != "INSERT" || r.Change.NewImage.Resource.S != inbox.Heartbeat {
		return
	}
	if ms, err := strconv.ParseInt(r.Change.NewImage.ReceivedMS.N, 10, 64); err == nil {
		d.Log.DebugContext(ctx, "heartbeat dispatched", slog.Float64("lag_s", max(0, d.Clock.Now().Sub(time.UnixMilli(ms)).Seconds())))
	}
}

// maxSent bounds a memory. A batch has at most 10,000 records.
const maxSent = 10_000

// memory has the ids of records that are in the queue and will be repeated, because one
// before them was not accepted. Without it, a long outage of one group would send all
// others again and again: the queue remembers what it received for five minutes only.
type memory map[string]bool

// keep remembers what is done behind the first record that is not.
func (m *memory) keep(records []Record, done []bool, first int) {
	if *m == nil || len(*m)+len(records) > maxSent {
		*m = memory{}
	}
	for at, r := range records {
		if at > first && done[at] {
			(*m)[r.ID] = true
		} else {
			delete(*m, r.ID)
		}
	}
}

// with returns a context whose log lines have the event's id.
func (e entry) with(ctx context.Context) context.Context { return logging.WithEvent(ctx, e.id) }

// Filters returns the patterns of the records that Lambda passes to the function: new
// events, and heartbeats. Quarantined items and counters would be a third of the calls.
//
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
func Filters() []string {
	return []string{
		`{"eventName":["INSERT"],"dynamodb":{"NewImage":{"envelope":{"S":[{"exists":true}]}}}}`,
		`{"eventName":["INSERT"],"dynamodb":{"Keys":{"resource":{"S":["` + inbox.Heartbeat + `"]}}}}`,
	}
}
