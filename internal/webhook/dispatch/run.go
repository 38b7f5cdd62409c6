package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"golang.org/x/sync/errgroup"
)

// parallel is how many requests are in flight at once. They are of one wave, so no two of
// them have events of the same group.
const parallel = 4

// run is one invocation.
type run struct {
	d       *Dispatcher
	skipped int
	sent    atomic.Int64

	mu      sync.Mutex // guards all below
	done    []bool     // by record: nothing is left to do
	stopped map[string]bool
	halted  bool // a whole request failed, so the rest would fail too
}

// send sends the events in waves until each is done or its group is stopped.
func (r *run) send(ctx context.Context, pending []entry) {
	for len(pending) > 0 && !r.halted && ctx.Err() == nil {
		var heads []entry
		heads, pending = wave(pending, r.stopped)
		heads = slices.DeleteFunc(heads, func(e entry) bool {
			reason := poison(e)
			if reason != "" {
				r.skip(ctx, e, reason)
			}
			return reason != ""
		})
		var all errgroup.Group
		all.SetLimit(parallel)
		for _, batch := range batches(heads) {
			all.Go(func() error { return r.sendBatch(ctx, batch) })
		}
		if err := all.Wait(); err != nil {
			r.halted = true
			r.d.Log.ErrorContext(ctx, "events not sent, will be repeated", slog.Int("events", len(heads)), slog.Any("error", err))
		}
	}
}

// first returns the place of the first record that is not done.
func (r *run) first() int {
	if at := slices.Index(r.done, false); at >= 0 {
		return at
	}
	return len(r.done)
}

// errUnanswered is the refusal of an event that the answer does not name.
var errUnanswered = errors.New("dispatch: the queue's answer does not name the event")

// sendBatch sends one request. The queue may accept a part of it. An error is the whole
// request's, and leaves it unknown what was accepted.
func (r *run) sendBatch(ctx context.Context, batch []entry) error {
	in := &sqs.SendMessageBatchInput{QueueUrl: &r.d.QueueURL}
	for i, e := range batch {
		in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{
			Id: aws.String(strconv.Itoa(i)), MessageBody: &e.body, MessageGroupId: &e.group, MessageDeduplicationId: &e.dedup,
		})
	}
	out, err := r.d.Queue.SendMessageBatch(ctx, in)
	if err != nil {
		return fmt.Errorf("dispatch: %w", err)
	}
	accepted := map[string]bool{}
	for _, s := range out.Successful {
		accepted[aws.ToString(s.Id)] = true
	}
	for i, e := range batch {
		id := strconv.Itoa(i)
		if accepted[id] {
			r.finish(e)
			r.sent.Add(1)
			r.d.Log.InfoContext(e.with(ctx), "event dispatched", e.describe())
			continue
		}
		err := errUnanswered
		if at := slices.IndexFunc(out.Failed, func(f types.BatchResultErrorEntry) bool { return aws.ToString(f.Id) == id }); at >= 0 {
			err = fmt.Errorf("dispatch: %s: %s", aws.ToString(out.Failed[at].Code), aws.ToString(out.Failed[at].Message))
		}
		r.stop(e)
		r.d.Log.WarnContext(e.with(ctx), "event not sent, will be repeated", e.describe(), slog.Any("error", err))
	}
	return nil
}

// skip marks poison in the Inbox, so that it is not lost unseen. Until it is marked, its
// group does not continue.
func (r *run) skip(ctx context.Context, e entry, reason string) {
	ctx = e.with(ctx)
	if err := r.d.Inbox.MarkUndeliverable(ctx, e.resource, e.id, reason); err != nil {
		r.stop(e)
		r.d.Log.ErrorContext(ctx, "undeliverable event not marked, will be repeated", e.describe(), slog.Any("error", err))
		return
	}
	r.finish(e)
	r.skipped++
	r.d.Log.ErrorContext(ctx, "undeliverable event skipped", e.describe(), slog.String("reason", reason))
}

func (r *run) finish(e entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done[e.at] = true
}

func (r *run) stop(e entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped[e.group] = true
}
