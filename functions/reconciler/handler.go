package main

import (
	"context"
	"errors"
	"fmt"

	"procore-connect/internal/webhook/reconcile"
)

// handler runs the schedule's task, and an operator's.
type handler struct{ reconciler *reconcile.Reconciler }

// input is the event of the schedule, or of an operator.
type input struct {
	Task string `json:"task"`
	// CompanyID is for the task coverage.
	CompanyID int64 `json:"company_id,string"`
}

func (h *handler) handle(ctx context.Context, in input) (any, error) {
	switch in.Task {
	case "reconcile":
		return h.reconciler.Run(ctx)
	case "coverage":
		if in.CompanyID <= 0 {
			return nil, errors.New(`the task coverage needs a company: {"task": "coverage", "company_id": "5678"}`)
		}
		return h.reconciler.Coverage(ctx, in.CompanyID)
	}
	return nil, fmt.Errorf(`unknown task %.40q: want reconcile, or coverage (with "company_id": "5678")`, in.Task)
}
