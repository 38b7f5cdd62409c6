package operator

import (
	"context"
	"fmt"
	"strings"

	"procore-connect/internal/webhook/reconcile"
)

// Coverage returns until when the changes of a company are covered, and what is not. It asks Procore nothing.
func (o *Operator) Coverage(ctx context.Context, companyID int64) (reconcile.Coverage, error) {
	return o.Reconciler.Coverage(ctx, companyID)
}

// ReconcileNow reconciles the changes of a company, as the reconciler does when it is due.
func (o *Operator) ReconcileNow(ctx context.Context, companyID int64) (reconcile.Now, error) {
	return o.Reconciler.Company(ctx, companyID)
}

// Outcome says in plain words what came of it, and what to do next.
func Outcome(companyID int64, n reconcile.Now) string {
	var s []string
	add := func(is bool, format string, args ...any) {
		if is {
			s = append(s, fmt.Sprintf(format, args...))
		}
	}
	add(n.Busy, "Another run works for this company, and nothing was done. Try again in two minutes.")
	add(n.NoReader, "No connection can read, or the webhook has reported nothing yet. procore-connect why %d has the reason.", companyID)
	add(!n.Busy && !n.NoReader, "Changes that no webhook had reported: %d. Each is an event now.", n.Reconciled)
	add(n.Backfilled > 0, "Older changes that were stored: %d.", n.Backfilled)
	add(n.Waits, "The rest waits: the calls of this hour are used up, or deliveries of the webhook still wait at Procore. The reconciler goes on; procore-connect webhooks show %d.", companyID)
	return strings.Join(s, " ")
}
