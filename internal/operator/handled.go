package operator

import (
	"context"
	"errors"
	"time"

	"procore-connect/internal/operator/logs"
	"procore-connect/internal/platform/logging"
	"procore-connect/pkg/consumer"
)

// ErrNoConsumer means that the consumer's lines are in no log group that is searched.
var ErrNoConsumer = errors.New("no log group of a consumer is searched, so that it is not known of any event whether it was handled: name it with --log-group")

// Handled returns the events of companies whose last line since a time says that a consumer has finished them for good. One
// without a connection, without permission or without a path is not among them, because a person may have changed that.
// All others are not handled, or it is not known.
func (o *Operator) Handled(ctx context.Context, companies []int64, from time.Time) (map[EventKey]bool, error) {
	if !o.ConsumerLogged() {
		return nil, ErrNoConsumer
	}
	handled := map[EventKey]bool{}
	for _, id := range companies {
		if err := o.handled(ctx, id, from.Add(-time.Minute), o.clock.Now(), handled); err != nil { // the clocks of two functions differ
			return nil, err
		}
	}
	return handled, nil
}

// handled notes the events of a company, in order of time. It halves the time while there are more lines than one answer has.
func (o *Operator) handled(ctx context.Context, company int64, from, to time.Time, all map[EventKey]bool) error {
	lines, err := o.Logs.Lines(ctx, logs.Query{
		Filter: logs.All(logs.Text("msg", handledLine, failedLine), logs.Number("company_id", company)), From: from, To: to,
	})
	if half := to.Sub(from) / 2; errors.Is(err, logs.ErrMore) && half >= time.Second {
		err = o.handled(ctx, company, from, from.Add(half), all)
		if err == nil {
			err = o.handled(ctx, company, from.Add(half), to, all)
		}
		return err
	}
	if err != nil {
		return err
	}
	for _, l := range lines {
		if key := lineKey(company, l.Fields.Text("event_id")); l.Message == handledLine && finished(l.Fields.Text("outcome")) {
			all[key] = true
		} else {
			delete(all, key)
		}
	}
	return nil
}

// finished reports whether an outcome is one that no person would want to repeat.
func finished(outcome string) bool {
	switch consumer.Outcome(outcome) {
	case consumer.Handled, consumer.Own, consumer.Stale, consumer.NotFound:
		return true
	}
	return false
}

// lineKey is the key of an event as lines have it.
func lineKey(company int64, id string) EventKey { return EventKey{company, logging.Short(id)} }
