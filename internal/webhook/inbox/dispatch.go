package inbox

import (
	"context"
	"fmt"
	"time"

	"procore-connect/internal/platform/dynamo"
)

// Heartbeat is the partition of items that pass through the stream to the dispatcher and
// no further, so that its silence is noticed when no events arrive either.
const Heartbeat = "heartbeat"

// heartbeatLife is how long such an item is kept.
const heartbeatLife = 24 * time.Hour

// Beat writes a heartbeat.
func (s *Store) Beat(ctx context.Context) error {
	now := s.Clock.Now()
	item := primaryKey(Heartbeat, now.UTC().Format("2006-01-02T15:04:05.000"))
	item["received_at_ms"] = dynamo.Millis(now)
	item["ttl"] = dynamo.Seconds(now.Add(heartbeatLife))
	if err := dynamo.Write(ctx, s.DB, new(dynamo.Expression).Put(s.Table, item)); err != nil {
		return fmt.Errorf("inbox: heartbeat not written: %w", err)
	}
	return nil
}

// MarkUndeliverable notes at an event why no queue will ever accept it. An event that has
// expired needs no mark.
func (s *Store) MarkUndeliverable(ctx context.Context, resource, eventID, reason string) error {
	mark := dynamo.Item{"undeliverable": dynamo.Text(reason), "undeliverable_at_ms": dynamo.Millis(s.Clock.Now())}
	err := dynamo.Write(ctx, s.DB, new(dynamo.Expression).Set(mark).Equal("event_id", dynamo.Text(eventID)).Update(s.Table, primaryKey(resource, eventID)))
	if err != nil && !dynamo.ConditionFailed(err) {
		return fmt.Errorf("inbox: %s, %s: not marked: %w", resource, eventID, err)
	}
	return nil
}
