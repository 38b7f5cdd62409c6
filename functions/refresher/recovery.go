package main

import (
	"context"
	"errors"
	"time"
)

// report is the answer to {"task": "recovery", "company_id": "5678"}.
type report struct {
	Busy   bool  `json:"busy,omitempty"` // another run is at it
	HookID int64 `json:"hook_id,string"` // 0: the company has no webhook
	Stored int   `json:"stored"`         // events that were missing
	Known  int   `json:"known"`          // events that were not
	Aside  int   `json:"aside"`          // deliveries that could not be understood
	More   bool  `json:"more"`           // call again
	// LimitedUntil is when Procore takes calls again.
	LimitedUntil time.Time `json:"limited_until,omitzero"`
}

// recovery looks after one company's webhook now, and brings home what Procore
// discarded, without waiting for the schedule.
func (h *handler) recovery(ctx context.Context, companyID int64) (report, error) {
	if companyID <= 0 {
		return report{}, errors.New(`the task recovery needs a company: {"task": "recovery", "company_id": "5678"}`)
	}
	result, err := h.hooks.Look(ctx, companyID)
	r := result.Recovered
	return report{result.Busy, result.HookID, r.Stored, r.Known, r.Aside, r.More, result.LimitedUntil}, err
}
