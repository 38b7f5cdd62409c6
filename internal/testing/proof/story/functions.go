package story

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	announcer "procore-connect/functions/announcer/handler"
	dispatcher "procore-connect/functions/dispatcher/handler"
	reconciler "procore-connect/functions/reconciler/handler"
	refresher "procore-connect/functions/refresher/handler"
	"procore-connect/internal/platform/config"
	"procore-connect/internal/testing/fake/streamtest"
	"procore-connect/internal/upkeep/announce"
	"procore-connect/internal/webhook/dispatch"
	"procore-connect/internal/wire"
	"procore-connect/pkg/consumer"
)

// base is what a function's code is made from.
func (w *world) base(function string) *wire.Base {
	b := wire.From(config.New(w.variable), w.sdk, w.log(function))
	b.Dial = w.network.Dial
	return b
}

// sandbox is one of a function.
type sandbox struct {
	lambda.Handler

	timeout time.Duration
}

// start starts a sandbox of a function, which is built as its main builds it.
func start[F any](w *world, function string, timeout time.Duration, build func(*wire.Base) (F, error)) sandbox {
	return sandbox{lambda.NewHandler(must(build(w.base(function)))), timeout}
}

// Invoke implements gatewaytest.Invoker and streamtest.Function.
func (s sandbox) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	ctx, end := context.WithTimeout(invocation(ctx), s.timeout)
	defer end()
	return s.Handler.Invoke(ctx, payload)
}

// invocation returns the context of an invocation.
func invocation(ctx context.Context) context.Context {
	var id [16]byte
	_, _ = rand.Read(id[:]) // it never fails
	text := fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
	return lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: text})
}

// deploy lets event source mappings and schedules invoke the functions until the week ends. Each has its own sandbox.
func (w *world) deploy(all *sync.WaitGroup) {
	all.Go(func() {
		w.stream(w.Tables.Inbox, dispatch.Filters(), start(w, "dispatcher", time.Minute, dispatcher.New))
	})
	for table, filters := range map[string][]string{
		w.Tables.Grants: announce.GrantFilters(), w.Tables.Connections: announce.ConnectionFilters(),
	} {
		all.Go(func() { w.stream(table, filters, start(w, "announcer", time.Minute, announcer.New)) })
	}
	for range 2 {
		m := &streamtest.QueueMapping{
			Queue: w.events, BatchSize: 1, Patient: true, Report: func(text string) { w.check(errors.New(text)) },
			Function: start(w, "event-consumer", time.Minute, func(b *wire.Base) (consumer.Function, error) {
				return consumer.New(consumer.Parts{Getenv: w.variable, AWS: b.AWS, Log: b.Log, Dial: b.Dial}, w.handle(b.Log))
			}),
		}
		all.Go(func() { m.Run(w.ctx) })
	}
	for i, task := range []string{"refresh", "housekeeping"} {
		all.Go(func() {
			w.schedule(task, time.Duration(i)*20*time.Second, start(w, "refresher", 4*time.Minute, refresher.New))
		})
	}
	all.Go(func() { w.schedule("reconcile", 40*time.Second, start(w, "reconciler", 4*time.Minute, reconciler.New)) })
}

// stream passes the changes of a table to a function. A streamtest.StreamMapping would poll through the nights.
func (w *world) stream(table string, filters []string, f streamtest.Function) {
	for after := uint64(0); ; {
		changes, err := w.dynamo.Feed(w.ctx, table, after)
		if err != nil {
			w.check(err)
			return
		}
		takes(180 * time.Millisecond) // it is read four times a second
		var in struct{ Records []json.RawMessage }
		for _, c := range changes {
			after = c.Sequence
			text := must(json.Marshal(streamtest.Record(c)))
			var record any
			w.check(json.Unmarshal(text, &record))
			if must(streamtest.Matches(filters, record)) {
				in.Records = append(in.Records, text)
			}
		}
		if len(in.Records) == 0 {
			continue
		}
		out, err := f.Invoke(w.ctx, must(json.Marshal(in)))
		w.check(err)
		if !bytes.Contains(out, []byte(`"batchItemFailures":null`)) && w.ctx.Err() == nil {
			w.t.Errorf("changes of %s are to be repeated: %s", table, out)
		}
	}
}

// schedule invokes a function with a task: in the week's last hours as often as the template does, and before that a
// third as often, because most of the story's time is theirs.
func (w *world) schedule(task string, first time.Duration, f streamtest.Function) {
	for next := begins.Add(first); w.until(next); {
		_, err := f.Invoke(w.ctx, fmt.Appendf(nil, `{"task":%q}`, task))
		w.check(err)
		if next = next.Add(15 * time.Minute); next.After(w.At.Add(-4 * time.Hour)) {
			next = next.Add(-10 * time.Minute)
		}
	}
}
