package handler

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"procore-connect/internal/connect/session"
	"procore-connect/internal/upkeep/departures"
	"procore-connect/internal/upkeep/installations"
	"procore-connect/internal/upkeep/rescue"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/internal/webhook/provision"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// reserve is the part of an invocation's time that is left to finish in order.
const reserve = 10 * time.Second

// handler runs the tasks of the schedules.
type handler struct {
	tokens     *tokens.Store
	store      *connections.Store
	sessions   session.Handover
	rescue     *rescue.Queue
	inbox      *inbox.Store // for heartbeats
	hooks      *provision.Reconciler
	departures *departures.Watch
	// installations are those of the service account; nil: the app works for users alone.
	installations *installations.Watch
	shares        int // of the schedule's runs; 0: each run does the whole
	window        int // refreshes that a run has in flight at most; 0: defaultWindow
	passes        int // companies that a run checks at once; 0: defaultPasses
	log           *slog.Logger
}

// Input is the event of a schedule.
type Input struct {
	Task string `json:"task"`
	// ScheduledAt decides the share of the run: the schedule's <aws.scheduler.scheduled-time>.
	ScheduledAt string `json:"scheduled_at"`
}

func (h *handler) now() time.Time { return h.tokens.Clock.Now() }

func (h *handler) handle(ctx context.Context, in Input) (any, error) {
	switch in.Task {
	case "refresh":
		return nil, h.refresh(ctx, turn(in.ScheduledAt, h.shares))
	case "housekeeping":
		return nil, h.housekeeping(ctx, turn(in.ScheduledAt, h.shares))
	}
	return nil, fmt.Errorf(`unknown task %.40q: want refresh or housekeeping`, in.Task)
}

// outOfTime reports whether the rest is for the next run, which finds again what
// this one does not do.
func outOfTime(ctx context.Context) bool {
	left, ok := procore.TimeLeft(ctx)
	return ctx.Err() != nil || ok && left < reserve
}
