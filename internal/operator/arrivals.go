package operator

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"procore-connect/internal/webhook/inbox"
)

const (
	// maxArrivals is how many keys Arrivals reads of all periods together.
	maxArrivals = 400
	// maxOfPeriod is how many it reads of each period if there are more.
	maxOfPeriod = 100
)

// Arrivals are what was stored for a company in some periods.
type Arrivals struct {
	From   time.Time
	Period time.Duration
	Of     [][]inbox.Arrival // by period, the last first
	Cut    []bool            // there are more in this period than were read
}

// Arrivals reads the keys of what was stored for a company in n periods from a time on. A company with few deliveries costs
// some queries, and any other one at most one more for each period.
func (o *Operator) Arrivals(ctx context.Context, companyID int64, from time.Time, period time.Duration, n int) (Arrivals, error) {
	a := Arrivals{From: from, Period: period, Of: make([][]inbox.Arrival, n), Cut: make([]bool, n)}
	ends := from.Add(period * time.Duration(n))
	found, cut, err := o.before(ctx, companyID, from, ends, maxArrivals)
	if !cut {
		for _, one := range found {
			i := one.At.Sub(from) / period
			a.Of[i] = append(a.Of[i], one)
		}
		return a, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i := range n {
		g.Go(func() (err error) {
			begins := from.Add(period * time.Duration(i))
			a.Of[i], a.Cut[i], err = o.before(ctx, companyID, begins, begins.Add(period), maxOfPeriod)
			return err
		})
	}
	return a, g.Wait()
}

// before returns the last arrivals of a time, and whether it stopped at the most.
func (o *Operator) before(ctx context.Context, companyID int64, from, to time.Time, most int) (found []inbox.Arrival, cut bool, err error) {
	for one, err := range o.Inbox.LatestUntil(ctx, companyID, from, to.Add(-time.Millisecond)) {
		switch {
		case err != nil:
			return found, false, err
		case one.At.Before(from):
			return found, false, nil
		}
		if found = append(found, one); len(found) == most {
			return found, true, nil
		}
	}
	return found, false, nil
}
