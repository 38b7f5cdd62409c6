package installations

import (
	"cmp"
	"context"
	"slices"

	"procore-connect/pkg/connections"
)

// Installation is a company that Procore lists for the app, or that is connected by the service account.
type Installation struct {
	CompanyID int64
	Name      string            // as Procore lists it, else empty
	Listed    bool              // Procore lists it
	Inactive  bool              // and shows it as inactive
	Admitted  bool              // ALLOWED_COMPANIES has it
	State     connections.State // empty: it is not connected by the service account, or its connection has ended
}

// Differs reports whether the next run of Reconcile has something to do for the company, or is not done with it.
func (i Installation) Differs() bool {
	if i.Listed && !i.Inactive && i.Admitted {
		return i.State != connections.Connected
	}
	return !i.Listed && i.State == connections.Connected
}

// Compare is the comparison that [Watch.Reconcile] acts on, in order of the companies' ids. It changes nothing.
func (w *Watch) Compare(ctx context.Context) ([]Installation, error) {
	known, err := w.known(ctx)
	if err != nil {
		return nil, err
	}
	listed, err := w.list(ctx, known)
	if err != nil {
		return nil, err
	}
	var all []Installation
	for _, c := range listed {
		all = append(all, Installation{c.ID, c.Name, true, c.Inactive(), w.Allowed.Admits(c.ID), known[c.ID]})
	}
	for _, id := range without(known, listed) {
		all = append(all, Installation{CompanyID: id, Admitted: w.Allowed.Admits(id), State: known[id]})
	}
	slices.SortFunc(all, func(a, b Installation) int { return cmp.Compare(a.CompanyID, b.CompanyID) })
	return all, nil
}
