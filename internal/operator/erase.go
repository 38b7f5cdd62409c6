package operator

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Receipt is what was deleted of a company, and what remains of it and until when.
type Receipt struct {
	CompanyID   int64     `json:"company_id"`
	At          time.Time `json:"at"`
	By          string    `json:"by"`
	Connections int       `json:"connections_ended"`
	Rows        int       `json:"rows"`        // of connections, webhook and reconciliation
	Events      int       `json:"events"`      // with their payloads
	Quarantined int       `json:"quarantined"` // deliveries
	Remains     []string  `json:"remains"`
}

// Erase deletes all that is stored of a company: it ends its connections as [Operator.Revoke] does, and then deletes its
// events, its quarantine and its rows. progress receives how many events were deleted so far. An interrupted call is
// continued by another one, which deletes also what has arrived since.
func (o *Operator) Erase(ctx context.Context, companyID int64, by string, progress func(events int)) (*Receipt, error) {
	r := &Receipt{CompanyID: companyID, At: o.clock.Now(), By: by}
	hook := ""
	plan, err := o.PlanRevocation(ctx, companyID, 0)
	switch {
	case err == nil:
		if err := o.Revoke(ctx, plan, by); err != nil {
			return r, fmt.Errorf("nothing was deleted yet, because the connections have not all ended: %w", err)
		}
		hook = plan.Hook
		for _, one := range plan.Ended {
			if !one.Before {
				r.Connections++
			}
		}
	case !errors.Is(err, ErrNotConnected):
		return r, err
	}
	if r.Events, r.Quarantined, err = o.Inbox.Erase(ctx, companyID, progress); err != nil {
		return r, err
	}
	if r.Rows, err = o.Connections.Erase(ctx, companyID); err != nil {
		return r, err
	}
	r.Remains = remains(plan, hook)
	return r, nil
}

// remains is what the command does not delete.
func remains(plan *Revocation, hook string) (all []string) {
	if hook != "" {
		all = append(all, fmt.Sprintf("webhook %s at Procore, which no connection may delete: an administrator of the company deletes it, "+
			"and its deliveries are refused or stored until then; type this command again after that", hook))
	}
	if plan != nil {
		for _, one := range plan.Ended {
			if len(one.Others) > 0 {
				all = append(all, fmt.Sprintf("the grant of %s, which other companies of the user need (%d); it no longer names this one", one.Principal, len(one.Others)))
			}
		}
	}
	return append(all,
		"revoked grants: the ids of the users, and the history of their states",
		"the ledger of sent refresh tokens: fingerprints and ids of users, 400 days",
		"logs of the functions: ids and states, as long as LogRetentionDays says; the operator's log: who erased it, 400 days",
		"backups of the tables of grants and connections (point-in-time recovery): 35 days; restore leaves the company out",
		"sign-ins under way: half an hour; browsers that may return to a connection: ids, 15 days; events that wait in a queue: 14 days at most",
		"what your own consumer has stored or sent",
	)
}
