package operator

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"procore-connect/internal/upkeep/installations"
	"procore-connect/pkg/connections"
)

// MaxActsAs is in how many companies [Operator.Installations] asks as which user the service account acts, a call each.
const MaxActsAs = 20

// Installation is a company of the app's service account, at Procore and here.
type Installation struct {
	CompanyID int64  `json:"company_id"`
	Company   string `json:"company,omitempty"`
	Listed    bool   `json:"listed"` // by Procore: the app is installed there
	Inactive  bool   `json:"inactive,omitempty"`
	Admitted  bool   `json:"admitted"`            // by the stack's parameter AllowedCompanies
	State     string `json:"state"`               // of the connection; empty: there is none
	ActsAs    int64  `json:"acts_as,omitzero"`    // the user in that company
	NotKnown  string `json:"not_known,omitempty"` // why ActsAs is not known, though it was asked for
	Differs   bool   `json:"differs"`             // housekeeping has something to do there
}

// ErrNoServiceAccount means that only users connect companies.
var ErrNoServiceAccount = errors.New("this stack works with users' authorizations alone (parameter ProcorePrincipal): there is no service account")

// Installations compares what Procore lists for the app's service account with what is connected. It changes nothing but
// the app's own token, which is replaced when it has expired: call it by [Operator.Finish].
func (o *Operator) Installations(ctx context.Context) ([]Installation, error) {
	if !o.Principals.ServiceAccount {
		return nil, ErrNoServiceAccount
	}
	compared, err := o.installations().Compare(ctx)
	if err != nil {
		return nil, fmt.Errorf("the companies of the service account could not be listed: %w", err)
	}
	list := make([]Installation, len(compared))
	var asked int
	var calls errgroup.Group
	calls.SetLimit(syncAtOnce)
	for i, c := range compared {
		list[i] = Installation{CompanyID: c.CompanyID, Company: c.Name, Listed: c.Listed, Inactive: c.Inactive, Admitted: c.Admitted, State: string(c.State), Differs: c.Differs()}
		if c.State != connections.Connected || asked == MaxActsAs {
			continue
		}
		asked++
		calls.Go(func() error {
			id, err := o.Connections.ServiceAccountUser(ctx, c.CompanyID)
			switch {
			case err != nil:
				list[i].NotKnown = err.Error()
			case id == 0:
				list[i].NotKnown = "Procore does not show it to the service account"
			}
			list[i].ActsAs = id
			return nil
		})
	}
	_ = calls.Wait() // errors are in the list
	return list, nil
}

// SyncInstallations connects and ends connections as housekeeping does: see [installations.Watch.Reconcile].
func (o *Operator) SyncInstallations(ctx context.Context) error {
	return o.installations().Reconcile(ctx)
}

func (o *Operator) installations() *installations.Watch {
	return &installations.Watch{Store: o.Connections, Departures: o.Departures, Allowed: o.Allowed, Webhooks: o.Hooks.Want.Initial(), Log: o.log}
}
