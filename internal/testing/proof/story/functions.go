package story

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"procore-connect/internal/platform/gateway"
	"procore-connect/internal/platform/logging"
	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/fake/gatewaytest"
	"procore-connect/internal/upkeep/announce"
	"procore-connect/internal/upkeep/heartbeat"
	"procore-connect/internal/webhook/dispatch"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/internal/webhook/reconcile"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/consumer"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// invocation returns the context of an invocation, which takes less than its schedule's period.
func (w *world) invocation() context.Context {
	var id [16]byte
	for i := range id {
		id[i] = byte(rand.Uint32()) // several functions run at once, so that it is not the people's
	}
	return lambdacontext.NewContext(w.ctx, &lambdacontext.LambdaContext{AwsRequestID: fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])})
}

// reached lets no delivery reach the receiver in the outage, and makes a delivery one that is not understood.
func (w *world) reached(receiver http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || during(outage) {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		body = w.garble(body)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		receiver.ServeHTTP(rw, r)
	})
}

// garble removes the resource's id from a delivery that is not to be understood.
func (w *world) garble(body []byte) []byte {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return body
	}
	company, _ := strconv.ParseInt(string(fields["company_id"]), 10, 64)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.garbled[company] == 0 {
		return body
	}
	w.garbled[company]--
	delete(fields, "resource_id")
	body, _ = json.Marshal(fields) // it was JSON
	return body
}

// receiver is functions/webhook-receiver.
func (w *world) receiver() gatewaytest.Invoker {
	h := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		from, err := w.ring.Check(r.Header.Get("Authorization"))
		if r.Method == http.MethodHead || err != nil {
			return
		}
		gateway.Note(r.Context(), slog.String("key_id", from.KeyID), slog.Bool("current_key", from.Current), slog.Int64("company_id", from.CompanyID))
		body, err := io.ReadAll(r.Body)
		takes(14 * time.Millisecond)
		var o inbox.Outcome
		if err == nil {
			o, err = w.arrived(r.Context(), from.CompanyID, body)
		}
		if err != nil {
			w.t.Errorf("a delivery was not stored: %v", err)
		}
		gateway.Note(r.Context(), slog.String("outcome", string(o.Word)), slog.Bool("new", o.New))
	})
	handle := gateway.Handler(h, gateway.Options{Log: w.log("webhook-receiver"), MaxBody: -1})
	return invoker{w, lambda.NewHandler(handle)}
}

// arrived stores a delivery.
func (w *world) arrived(ctx context.Context, company int64, body []byte) (inbox.Outcome, error) {
	e, err := procore.DecodeEvent(body)
	if err != nil {
		gateway.Note(ctx, slog.String("reason", err.Error()))
		return w.inbox().Quarantine(ctx, company, err.Error(), body)
	}
	gateway.Note(ctx, slog.String("event_id", logging.Short(e.ID)), slog.String("resource", logging.Short(e.Resource)))
	return w.inbox().Add(ctx, e, body)
}

// invoker invokes a function with its own request id.
type invoker struct {
	w *world
	lambda.Handler
}

// Invoke implements gatewaytest.Invoker.
func (i invoker) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	of, _ := lambdacontext.FromContext(i.w.invocation())
	return i.Handler.Invoke(lambdacontext.NewContext(ctx, of), payload)
}

// stream invokes a function with the changes of a table, as its event source mapping does.
func (w *world) stream(table string, wanted func(dynamotest.Record) bool, f lambda.Handler) {
	type change struct {
		SequenceNumber string
		NewImage       json.RawMessage
	}
	type record struct {
		ID     string `json:"eventID"`
		Name   string `json:"eventName"`
		Change change `json:"dynamodb"`
	}
	for after := uint64(0); ; {
		changes, err := w.dynamo.Feed(w.ctx, table, after)
		if err != nil {
			w.check(err)
			return
		}
		takes(180 * time.Millisecond) // it is read four times a second
		var in struct{ Records []record }
		for _, c := range changes {
			if after = c.Sequence; wanted(c) {
				id := strconv.FormatUint(c.Sequence, 10)
				in.Records = append(in.Records, record{id, c.Event, change{id, c.NewImage}})
			}
		}
		if len(in.Records) == 0 {
			continue
		}
		payload, err := json.Marshal(in)
		w.check(err)
		out, err := f.Invoke(w.invocation(), payload)
		w.check(err)
		if !bytes.Contains(out, []byte(`"batchItemFailures":null`)) && w.ctx.Err() == nil {
			w.t.Errorf("changes of %s are to be repeated: %s", table, out)
		}
	}
}

// dispatcher is functions/dispatcher at the inbox's stream.
func (w *world) dispatcher() {
	d := &dispatch.Dispatcher{Inbox: w.inbox(), Queue: w.sqs(), QueueURL: awstest.QueueURL(awsAddress, "events.fifo"), Log: w.log("dispatcher")}
	w.stream(w.Tables.Inbox, func(r dynamotest.Record) bool { return r.Event == "INSERT" }, lambda.NewHandler(d.Handle))
}

// announcer is functions/announcer at another stream. No one has subscribed to its topic, so that heartbeats are enough.
func (w *world) announcer(table string) {
	a := &announce.Announcer{DB: w.db(), Connections: w.Tables.Connections, Log: w.log("announcer")}
	w.stream(table, func(r dynamotest.Record) bool { return bytes.Contains(r.NewImage, []byte("beat_at_ms")) }, lambda.NewHandler(a.Handle))
}

// consumer is examples/event-consumer at the events queue. What it does not finish is visible again after the queue's time.
func (w *world) consumer() {
	log := w.log("event-consumer")
	store := w.store(log)
	for {
		batch, err := w.events.Receive(w.ctx, 1, 20*time.Second)
		if err != nil {
			return // the week ended
		}
		for _, m := range batch {
			if w.consume(store, log, m) {
				w.check(w.events.Delete(m.Receipt))
			}
		}
	}
}

// consume handles an event, and reports whether it is done.
func (w *world) consume(store *connections.Store, log *slog.Logger, m awstest.Message) bool {
	e, err := procore.ParseEvent([]byte(m.Body))
	w.check(err)
	ctx := logging.WithEvent(w.invocation(), e.ID)
	of := slog.Group("", slog.String("event_id", e.ID), slog.Int64("company_id", e.CompanyID), slog.String("resource", e.Resource),
		slog.String("resource_id", string(e.ResourceID)), slog.String("type", e.Type))
	var read json.RawMessage
	if err = w.fails(e); err == nil {
		var c connections.Connection
		if c, err = store.ForCompany(ctx, e.CompanyID); err == nil {
			read, err = store.Client(c.Key).Read(ctx, e)
		}
	}
	if err != nil {
		log.LogAttrs(ctx, slog.LevelError, "not handled", of, slog.Int("attempt", m.Received), slog.String("message_id", m.ID), slog.Any("error", err))
		return false
	}
	log.InfoContext(ctx, "resource read", slog.Int("bytes", len(read)))
	takes(30 * time.Millisecond) // its own work
	log.LogAttrs(ctx, slog.LevelInfo, "handled", of, slog.String("outcome", string(consumer.Handled)))
	return true
}

// refresher is functions/refresher, which both of its schedules call.
func (w *world) refresher() func(context.Context) {
	log := w.log("refresher")
	store := w.store(log)
	hooks := w.hooks(store, log)
	hooks.MaxWait = 12 * time.Second
	return func(ctx context.Context) {
		w.refresh(ctx, store.Tokens, log)
		err := errors.Join(w.inbox().Beat(ctx), heartbeat.Write(ctx, store))
		for i := range 2 * connections.Shards {
			turn := []connections.Turn{connections.First, connections.Routine}[i/connections.Shards]
			for key, failed := range store.Checks(ctx, turn, i%connections.Shards, time.Now().Add(time.Second)) {
				if failed == nil {
					_, failed = hooks.Reconcile(ctx, key.CompanyID)
				}
				err = errors.Join(err, failed)
			}
		}
		oldest, failed := store.OldestCheck(ctx, connections.Routine)
		w.check(errors.Join(err, failed))
		log.DebugContext(ctx, "housekeeping run finished", slog.Float64("oldest_check_s", waits(oldest, time.Now())), slog.Float64("oldest_first_s", 0))
	}
}

// refresh refreshes what is due.
func (w *world) refresh(ctx context.Context, store *tokens.Store, log *slog.Logger) {
	refreshed, failed := 0, 0
	for shard := range tokens.Shards {
		for principal, err := range store.Upkeep().Due(ctx, shard, tokens.Ahead) {
			w.check(err)
			if _, err := store.Upkeep().Refresh(ctx, principal, tokens.Ahead); err != nil {
				failed++
				log.WarnContext(ctx, "grant not refreshed", slog.String("principal", string(principal)), slog.Any("error", err))
				continue
			}
			refreshed++
		}
	}
	oldest, err := store.Upkeep().OldestDue(ctx, tokens.Ahead)
	w.check(err)
	log.InfoContext(ctx, "refresh run finished", slog.Int("refreshed", refreshed), slog.Int("failed", failed), slog.Int("overwritten", 0),
		slog.Int("departed", 0), slog.Bool("breaker_open", false), slog.Float64("oldest_due_s", waits(oldest, time.Now().Add(tokens.Ahead))))
}

// waits is how long the oldest of what is due has waited, in seconds.
func waits(oldest, now time.Time) float64 {
	if oldest.IsZero() {
		return 0
	}
	return max(now.Sub(oldest), 0).Seconds()
}

// reconciler is functions/reconciler.
func (w *world) reconciler() func(context.Context) {
	log := w.log("reconciler")
	store := w.store(log)
	r := &reconcile.Reconciler{Store: store, Inbox: w.inbox(), Hooks: w.hooks(store, log), Log: log, Want: reconcile.Config{Triggers: triggers(), Period: reconcilePeriod}}
	return func(ctx context.Context) {
		if _, err := r.Run(ctx); err != nil && w.ctx.Err() == nil {
			log.ErrorContext(ctx, "reconcile run failed", slog.Any("error", err))
		}
	}
}
