package main

import (
	"context"
	"fmt"

	"procore-connect/internal/webhook/reconcile"
)

// handler runs the schedule's task.
type handler struct{ reconciler *reconcile.Reconciler }

// input is the event of the schedule.
type input struct {
	Task string `json:"task"`
}

func (h *handler) handle(ctx context.Context, in input) (any, error) {
	if in.Task == "reconcile" {
		return h.reconciler.Run(ctx)
	}
	return nil, fmt.Errorf(`unknown task %.40q: want reconcile`, in.Task)
}
