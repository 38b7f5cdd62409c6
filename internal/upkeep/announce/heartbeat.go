package announce

import (
	"context"
	"log/slog"
	"strconv"
	"time"
)

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
