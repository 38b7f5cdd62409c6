package handler

import (
	"context"
	"fmt"

	"procore-connect/internal/webhook/reconcile"
)

// handler runs the schedule's task.
type handler struct{ reconciler *reconcile.Reconciler }

// Input is the event of the schedule.
type Input struct {
	Task string `json:"task"`
}

func (h *handler) handle(ctx context.Context, in Input) (any, error) {
	if in.Task == "reconcile" {
		return h.reconciler.Run(ctx)
	}
	return nil, fmt.Errorf(`unknown task %.40q: want reconcile`, in.Task)
}
