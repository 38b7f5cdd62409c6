package reconcile

import (
	"context"
	"errors"
)

// Now is the result of Company.
type Now struct {
	Report
	Busy bool // another run works for the company, and nothing was done
	// Waits reports whether the rest is for a later run: the hour's calls are used up, Procore limits the calls, or
	// deliveries of the hook still wait at Procore.
	Waits bool
	// NoReader reports whether no connection can read, or the company's hook has reported nothing yet.
	NoReader bool
}

// Company reconciles one company now, whether or not it is due, with its lease and within the hour's budget of calls. It
// is for a person. The error is what a later run repeats.
func (r *Reconciler) Company(ctx context.Context, companyID int64) (Now, error) {
	p := r.begin()
	p.asked = true
	if r.Want.on() {
		for p.turn(ctx, companyID) && !p.over(ctx) {
		}
	}
	report, err := p.finish(ctx)
	return Now{
		Report: report, Busy: r.Want.on() && report.Companies == 0 && err == nil,
		Waits: errors.Is(p.ended, errWait) || errors.Is(p.ended, errTurn), NoReader: errors.Is(p.ended, errNobody),
	}, err
}
