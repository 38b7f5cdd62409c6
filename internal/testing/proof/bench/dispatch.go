package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"golang.org/x/sync/errgroup"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/fake/lambdatest"
	"procore-connect/internal/testing/fake/streamtest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/internal/webhook/dispatch"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/pkg/procore"
)

const (
	batchSize = 500 // as in template.yaml
	quietOf   = 1000
	busyEvery = 10 // one of so many events is of one busy resource
)

// dispatched fills an inbox with n events, and measures how long one process of the dispatcher takes to send them all, as
// one shard has. The queue takes the latency more for each request.
func dispatched(ctx context.Context, n int, latency time.Duration) error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	c := compiler{root: root, dir: dir}
	c.run(ctx, []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-tags", "lambda.norpc"}, "", nil, "./functions/dispatcher")
	if c.err != nil {
		return c.err
	}
	s, err := newShard(ctx, n, latency)
	if err != nil {
		return err
	}
	defer s.server.Close()
	fmt.Fprintf(os.Stderr, "storing %d events\n", n)
	if err := fill(ctx, s.inbox, n); err != nil {
		return err
	}
	took, err := s.drain(ctx, filepath.Join(dir, "dispatcher"), n)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "dispatched %d events, each tenth of one resource, with %v for each request to the queue, in %.1f s: %.0f/s\n",
		n, latency, took.Seconds(), float64(n)/took.Seconds())
	return nil
}

// shard is an inbox with its stream, and the queue.
type shard struct {
	url    string
	server *http.Server
	inbox  *inbox.Store
	queue  *awstest.Queue
	sent   atomic.Int64
}

func newShard(ctx context.Context, n int, latency time.Duration) (*shard, error) {
	memory, queues := dynamotest.New(), awstest.NewQueues()
	memory.FeedLength = n + 1
	s := &shard{}
	queues.Refuse = func(string, awstest.Message) error { s.sent.Add(1); return nil }
	var err error
	if s.queue, err = queues.Create("events.fifo", awstest.QueueOptions{GroupDedup: true}); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.url = "http://" + l.Addr().String()
	services := &awstest.Services{DynamoDB: memory, Streams: streamtest.Streams(memory), Queues: queues}
	s.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.") {
			_ = procore.Clock{}.Sleep(r.Context(), latency) // it ends with the request
		}
		services.ServeHTTP(w, r)
	})}
	go func() { _ = s.server.Serve(l) }() // ends with Close
	s.inbox = &inbox.Store{DB: dynamotest.Client(s.url), Table: "inbox"}
	_, err = s.inbox.DB.CreateTable(ctx, tables.Inbox(s.inbox.Table))
	return s, err
}

// drain returns how long a process takes to send the first n events of the stream.
func (s *shard) drain(ctx context.Context, binary string, n int) (time.Duration, error) {
	f := lambdatest.New(lambdatest.Options{
		Name: "dispatcher", Binary: binary, Timeout: time.Minute, MemoryMB: 256, Stderr: os.Stderr,
		Env: map[string]string{
			"INBOX_TABLE": s.inbox.Table, "EVENTS_QUEUE_URL": awstest.QueueURL(s.url, s.queue.Name()),
			"AWS_ENDPOINT_URL_DYNAMODB": s.url, "AWS_ENDPOINT_URL_SQS": s.url,
		},
	})
	defer f.Close()
	if err := f.Warm(ctx); err != nil {
		return 0, err
	}
	o := s.inbox.DB.Options()
	m := &streamtest.StreamMapping{
		Streams: dynamodbstreams.New(dynamodbstreams.Options{BaseEndpoint: &s.url, Region: o.Region, Credentials: o.Credentials}),
		Table:   s.inbox.Table, Function: f, Filters: dispatch.Filters(), BatchSize: batchSize,
		Report: func(text string) { fmt.Fprintln(os.Stderr, text) },
	}
	began := time.Now()
	running, stop := context.WithCancel(ctx)
	defer stop()
	var all errgroup.Group
	all.Go(func() error { return m.Run(running) })
	for clock := (procore.Clock{}); s.sent.Load() < int64(n) && clock.Sleep(ctx, 10*time.Millisecond) == nil; {
		if waiting, _, _ := s.queue.Counts(); waiting > 10_000 { // the queue in memory is not for so many
			s.queue.Purge()
		}
	}
	took := time.Since(began)
	stop()
	return took, errors.Join(all.Wait(), ctx.Err())
}

// fill stores events of a thousand resources and of a busy one.
func fill(ctx context.Context, store *inbox.Store, n int) error {
	var all errgroup.Group
	all.SetLimit(8)
	for i := range n {
		all.Go(func() error {
			resource := 1 + i%quietOf
			if i%busyEvery == 0 {
				resource = quietOf + 1
			}
			body := fmt.Appendf(nil, `{"id":%d,"timestamp":"2026-01-01T00:00:00Z","company_id":5678,"project_id":219542,"api_version":"v2.0","event_type":"update",`+
				`"resource_name":"RFIs","resource_id":%d,"user_id":1234567,"metadata":{"source_user_id":1234567}}`, i+1, resource)
			e, err := procore.DecodeEvent(body)
			if err == nil {
				_, err = store.Add(ctx, e, body)
			}
			return err
		})
	}
	return all.Wait()
}
