package announce

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/connections"
)

const heartbeat = "heartbeat"

func grantsBeat(s *connections.Store) dynamo.Item {
	return dynamo.Item{"grant": dynamo.Text(s.Tokens.Environment.Name + "#" + heartbeat)}
}

// LastBeat returns when the last heartbeat was written, which each run of housekeeping does. It is zero if none was.
func LastBeat(ctx context.Context, s *connections.Store) (at time.Time, err error) {
	item, err := dynamo.Get(ctx, s.DB, s.Tokens.Grants, grantsBeat(s))
	if err == nil {
		err = dynamo.Decode(item, func(f *dynamo.Fields) { f.Millis("beat_at_ms", &at) })
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("announce: heartbeat not read: %w", err)
	}
	return at, nil
}

// Beat writes a heartbeat into each of the two tables: a row that goes through the stream
// to the announcer and no further. So the silence of either stream is noticed when nothing
// is announced, too.
func Beat(ctx context.Context, s *connections.Store) error {
	var errs []error
	for table, key := range map[string]dynamo.Item{s.Tokens.Grants: grantsBeat(s), s.Table: s.Row(heartbeat, heartbeat)} {
		beat := dynamo.Item{"beat_at_ms": dynamo.Millis(s.Tokens.Clock.Now())}
		if err := dynamo.Write(ctx, s.DB, new(dynamo.Expression).Set(beat).Update(table, key)); err != nil {
			errs = append(errs, fmt.Errorf("announce: heartbeat not written into %s: %w", table, err))
		}
	}
	return errors.Join(errs...)
}

// beat logs how old a heartbeat is when everything before it was announced.
func (a *Announcer) beat(ctx context.Context, i image) {
	ms, err := strconv.ParseInt(i.BeatAt.N, 10, 64)
	if err != nil {
		return
	}
	table := "connections"
	if i.Grant.S != "" {
		table = "grants"
	}
	lag := max(0, a.Clock.Now().Sub(time.UnixMilli(ms)))
	a.Log.DebugContext(ctx, "heartbeat announced", slog.String("table", table), slog.Float64("lag_s", lag.Seconds()))
}
