// Package heartbeat writes rows that go through the streams of Grants and Connections to the announcer and no further. So
// the silence of either stream is noticed when nothing is announced, too. It is apart from package announce so that what
// writes a heartbeat links no client of SNS.
package heartbeat

import (
	"context"
	"errors"
	"fmt"
	"time"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/connections"
)

const name = "heartbeat"

func grantsRow(s *connections.Store) dynamo.Item {
	return dynamo.Item{"grant": dynamo.Text(s.Tokens.Environment.Name + "#" + name)}
}

// Write writes a heartbeat into each of the two tables.
func Write(ctx context.Context, s *connections.Store) error {
	return errors.Join(beat(ctx, s, s.Tokens.Grants, grantsRow(s)), beat(ctx, s, s.Table, s.Row(name, name)))
}

func beat(ctx context.Context, s *connections.Store, table string, key dynamo.Item) error {
	now := dynamo.Item{"beat_at_ms": dynamo.Millis(s.Tokens.Clock.Now())}
	if err := dynamo.Write(ctx, s.DB, new(dynamo.Expression).Set(now).Update(table, key)); err != nil {
		return fmt.Errorf("heartbeat: not written into %s: %w", table, err)
	}
	return nil
}

// Last returns when the last heartbeat was written, which each run of housekeeping does. It is zero if none was.
func Last(ctx context.Context, s *connections.Store) (at time.Time, err error) {
	item, err := dynamo.Get(ctx, s.DB, s.Tokens.Grants, grantsRow(s))
	if err == nil {
		err = dynamo.Decode(item, func(f *dynamo.Fields) { f.Millis("beat_at_ms", &at) })
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("heartbeat: not read: %w", err)
	}
	return at, nil
}
