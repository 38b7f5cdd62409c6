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

// Beat writes a heartbeat into each of the two tables: a row that goes through the stream
// to the announcer and no further. So the silence of either stream is noticed when nothing
// is announced, too.
func Beat(ctx context.Context, s *connections.Store) error {
	const name = "heartbeat"
	var errs []error
	for table, key := range map[string]dynamo.Item{
		s.Tokens.Grants: {"grant": dynamo.Text(s.Tokens.Environment.Name + "#" + name)},
		s.Table:         s.Row(name, name),
	} {
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
