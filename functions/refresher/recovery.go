package main

import (
	"context"
	"errors"
	"time"

	"procore-connect/pkg/procore"
)

// report is the answer to {"task": "recovery", "company_id": "5678"}.
type report struct {
	Busy        bool       `json:"busy,omitempty"` // another run reconciles the company
	HookID      procore.ID `json:"hook_id"`        // empty: the company has no webhook
	Stored      int        `json:"stored"`         // events that were missing
	Duplicates  int        `json:"duplicates"`     // events that were stored before
	Quarantined int        `json:"quarantined"`    // deliveries that could not be understood
	More        bool       `json:"more"`           // call again
	// LimitedUntil is when Procore accepts calls again.
	LimitedUntil time.Time `json:"limited_until,omitzero"`
}

// recovery reconciles one company's webhook now, and recovers what Procore
// discarded, without waiting for the schedule.
func (h *handler) recovery(ctx context.Context, companyID int64) (report, error) {
	if companyID <= 0 {
		return report{}, errors.New(`the task recovery needs a company: {"task": "recovery", "company_id": "5678"}`)
	}
	result, err := h.hooks.Reconcile(ctx, companyID)
	r := result.Recovered
	return report{result.Busy, result.HookID, r.Stored, r.Duplicates, r.Quarantined, r.More, result.LimitedUntil}, err
}
