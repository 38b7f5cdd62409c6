package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"procore-connect/internal/connect/session"
	"procore-connect/internal/upkeep/departures"
	"procore-connect/internal/upkeep/rescue"
	"procore-connect/internal/webhook/provision"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// reserve of an invocation's time is kept to end orderly.
const reserve = 10 * time.Second

// handler runs the tasks of the schedules.
type handler struct {
	store      *tokens.Store
	sessions   *session.Store
	oauth      tokens.SecretSource[*procore.OAuth]
	rescue     *rescue.Queue
	hooks      *provision.Reconciler
	departures *departures.Watch
	looks      int // companies whose webhook one run looks at, at most; 0: 200
	log        *slog.Logger
}

// input is what a schedule sends.
type input struct {
	Task string `json:"task"`
	// CompanyID is of the task recovery, which a person calls for.
	CompanyID int64 `json:"company_id,string"`
}

func (h *handler) handle(ctx context.Context, in input) (any, error) {
	switch in.Task {
	case "refresh":
		return nil, h.refresh(ctx)
	case "housekeeping":
		return nil, h.housekeeping(ctx)
	case "recovery":
		return h.recovery(ctx, in.CompanyID)
	}
	return nil, fmt.Errorf(`unknown task %.40q: want {"task": "refresh"}, {"task": "housekeeping"} or {"task": "recovery", "company_id": "5678"}`, in.Task)
}

// outOfTime says that the rest is for the next run. What is left undone now is
// found again.
func outOfTime(ctx context.Context) bool {
	left, ok := procore.TimeLeft(ctx)
	return ctx.Err() != nil || ok && left < reserve
}
