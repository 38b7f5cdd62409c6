package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"procore-connect/internal/config"
	"procore-connect/internal/credential"
	"procore-connect/internal/rescue"
	"procore-connect/internal/session"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// reserve of an invocation's time is kept to end orderly.
const reserve = 10 * time.Second

// handler runs the tasks of the schedules.
type handler struct {
	environment procore.Environment
	store       *tokens.Store
	sessions    *session.Store
	oauth       func(ctx context.Context, reread bool) (*procore.OAuth, error)
	ring        func(ctx context.Context, reread bool) (*credential.Ring, error)
	rescue      *rescue.Queue
	webhooks    config.Webhooks
	log         *slog.Logger
	now         func() time.Time // nil: time.Now
}

// input is what a schedule sends.
type input struct {
	Task string `json:"task"`
}

func (h *handler) handle(ctx context.Context, in input) (any, error) {
	switch in.Task {
	case "refresh":
		return nil, h.refresh(ctx)
	case "housekeeping":
		return nil, h.housekeeping(ctx)
	}
	return nil, fmt.Errorf(`unknown task %.40q: want {"task": "refresh"} or {"task": "housekeeping"}`, in.Task)
}

func (h *handler) clock() time.Time {
	if h.now == nil {
		return time.Now()
	}
	return h.now()
}

// outOfTime says that the rest is for the next run. What is left undone now is
// found again.
func outOfTime(ctx context.Context) bool {
	end, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && time.Until(end) < reserve
}
