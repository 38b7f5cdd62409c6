package departures

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/connections"
)

const (
	// maxEndings is how many departed users' connections end within the window. Fewer
	// people leave in a day, so an operator should check first whether Procore is wrong.
	maxEndings = 10
	// window is how long an ending counts.
	window = 24 * time.Hour
)

// ErrWithheld means that the brake is engaged, and that the connection remains as it
// is. Callers continue: the next check of the connection after the acknowledgement
// ends it.
var ErrWithheld = errors.New("departures: withheld until an operator acknowledges")

// Brake limits the endings of all functions, processes and runs together. It is one
// row of the Connections table. It engages when the limit is reached, and remains so
// until an operator acknowledges.
type Brake struct {
	EngagedAt time.Time // zero: it is not engaged
	Withheld  int64     // checks since then whose ending was withheld

	endings []time.Time // within the window when the last one was added
	rev     int64
	write   string
}

// brakeKey is not the key of a company, because their ids are numbers.
func (w *Watch) brakeKey() dynamo.Item { return w.Store.Row("departures", "brake") }

func (w *Watch) now() time.Time { return w.Store.Tokens.Clock.Now() }

// Engaged reports whether no connection ends.
func (b Brake) Engaged() bool { return !b.EngagedAt.IsZero() }

// Endings returns how many connections ended within the window, at most.
func (b Brake) Endings() int { return len(b.endings) }

// withhold returns the engaged brake after one more check.
func (b Brake) withhold() Brake {
	b.Withheld++
	return b
}

// end returns the brake after one more ending.
func (b Brake) end(now time.Time) Brake {
	kept := []time.Time{now}
	for _, at := range b.endings {
		if at.After(now.Add(-window)) {
			kept = append(kept, at)
		}
	}
	b.endings = kept
	if len(kept) >= maxEndings {
		b.EngagedAt = now
	}
	return b
}

// Brake reads the brake.
func (w *Watch) Brake(ctx context.Context) (Brake, error) {
	b, err := w.brakes().Get(ctx, w.brakeKey())
	if err != nil {
		return Brake{}, fmt.Errorf("departures: the brake could not be read: %w", err)
	}
	return b, nil
}

// admit counts the ending of a connection before it begins. After an error the
// connection must not end. That includes an error after which the ending may have
// been counted.
func (w *Watch) admit(ctx context.Context, key connections.Key) error {
	b, err := w.Brake(ctx)
	if err != nil {
		return err
	}
	engaged := false
	b, err = w.brakes().Apply(ctx, b, func(b Brake) (Brake, bool) {
		if engaged = b.Engaged(); engaged {
			return b.withhold(), true
		}
		return b.end(w.now()), true
	})
	switch {
	case engaged: // also if this check could not be counted
		w.Log.WarnContext(ctx, "departure withheld", slog.Any("", key))
		return ErrWithheld
	case err != nil:
		return fmt.Errorf("departures: the ending of %s could not be counted: %w", key, err)
	case b.Engaged():
		w.Log.WarnContext(ctx, "brake on departures engaged", slog.Int("endings", b.Endings()))
	}
	return nil
}

// Acknowledge releases the brake, and returns it as it was.
func (w *Watch) Acknowledge(ctx context.Context) (Brake, error) {
	b, err := w.Brake(ctx)
	if err != nil {
		return Brake{}, err
	}
	var was Brake
	_, err = w.brakes().Apply(ctx, b, func(b Brake) (Brake, bool) {
		was = b
		return Brake{rev: b.rev, write: b.write}, b.Engaged() || b.Endings() > 0
	})
	if err != nil {
		return Brake{}, fmt.Errorf("departures: the brake could not be released: %w", err)
	}
	attrs := []slog.Attr{slog.Bool("engaged", was.Engaged()), slog.Int("endings", was.Endings()), slog.Int64("withheld", was.Withheld)}
	if was.Engaged() {
		attrs = append(attrs, slog.Time("engaged_at", was.EngagedAt))
	}
	w.Log.LogAttrs(ctx, slog.LevelInfo, "departures acknowledged", attrs...)
	return was, nil
}

// brakes are the one row.
func (w *Watch) brakes() dynamo.Rows[Brake] {
	return dynamo.Rows[Brake]{
		DB: w.Store.DB, Table: w.Store.Table, Random: w.Store.Tokens.Random,
		Decode:   func(b *Brake, item dynamo.Item) error { return dynamo.Decode(item, b.fields) },
		Encode:   func(b Brake) (key, attributes dynamo.Item) { return w.brakeKey(), dynamo.Encode(b.fields) },
		Revision: func(b *Brake) (*int64, *string) { return &b.rev, &b.write },
	}
}

func (b *Brake) fields(f *dynamo.Fields) {
	f.Seconds("engaged_at", &b.EngagedAt)
	f.Number("withheld", &b.Withheld)
	f.Times("endings", &b.endings)
	f.Number("rev", &b.rev)
	f.Text("write", &b.write)
}
