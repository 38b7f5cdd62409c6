package operator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"procore-connect/internal/platform/queue"
	"procore-connect/internal/webhook/inbox"
)

// chunk is how many deliveries of a replay are replayed between two reports of its progress.
const chunk = 500

// sendWithin bounds one event of a replay that was interrupted while it was sent.
const sendWithin = 30 * time.Second

// maxProblems is how many deliveries are reported that could not be replayed.
const maxProblems = 20

// Selection chooses what to replay.
type Selection struct {
	Companies []int64 // ascending; see [Operator.Companies]
	inbox.Selection
	// Handled are the events to leave out; nil: none. See [Operator.Handled].
	Handled map[EventKey]bool
}

// of returns the part of a selection that is about one company.
func (s Selection) of(company int64) inbox.Selection {
	one := s.Selection
	one.CompanyID = company
	if s.Handled != nil {
		one.Skip = func(a inbox.Arrival) bool { return s.Handled[lineKey(company, a.ID)] }
	}
	return one
}

// rest returns the companies from the position on.
func (s Selection) rest() ([]int64, error) {
	if s.Position == "" {
		return s.Companies, nil
	}
	at, err := inbox.PositionCompany(s.Position)
	i, found := slices.BinarySearch(s.Companies, at)
	if err == nil && !found {
		err = errors.New("the position is in the events of a company that the selection does not have")
	}
	if err != nil {
		return nil, err
	}
	return s.Companies[i:], nil
}

// Replayed is how far a replay came.
type Replayed struct {
	Counts   map[inbox.Fate]int `json:"counts"`
	Problems []inbox.Replayed   `json:"problems,omitempty"` // those that could not be replayed, the first ones
	Position string             `json:"position,omitempty"` // where to go on; empty at the end
	Items    []inbox.Replayed   `json:"items,omitempty"`    // of a dry run: all
}

// Done is how many deliveries were replayed, or could not be.
func (r Replayed) Done() (n int) {
	for _, one := range r.Counts {
		n += one
	}
	return n
}

// Companies returns the ids of all companies that were ever connected, ascending. An error beside them is about rows that
// could not be read: their companies may be missing.
func (o *Operator) Companies(ctx context.Context) ([]int64, error) {
	rows, unread := all(ctx, o.Connections.All(ctx))
	var ids []int64
	for _, c := range rows {
		ids = append(ids, c.CompanyID)
	}
	slices.Sort(ids)
	return slices.Compact(ids), unread
}

// CountReplay counts what a selection chooses. It reads keys alone.
func (o *Operator) CountReplay(ctx context.Context, s Selection) (inbox.Count, error) {
	companies, err := s.rest()
	if err != nil {
		return inbox.Count{}, err
	}
	counts := make([]inbox.Count, len(companies))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, id := range companies {
		one := s.of(id)
		if i > 0 {
			one.Position = ""
		}
		g.Go(func() (err error) {
			counts[i], err = o.replay().Count(ctx, one)
			return err
		})
	}
	err = g.Wait()
	var sum inbox.Count
	for _, c := range counts {
		sum = sum.And(c)
	}
	return sum, err
}

// Replay replays the companies of a selection one after another, from its position on. progress is called now and then.
// An event that is being sent when ctx ends is sent; the position of the report is behind it.
//
// The error is why it stopped, beside a report whose position is where to go on.
func (o *Operator) Replay(ctx context.Context, s Selection, progress func(done int)) (Replayed, error) {
	report := Replayed{Counts: map[inbox.Fate]int{}, Position: s.Position}
	limit := s.Limit
	companies, err := s.rest()
	if err != nil {
		return report, err
	}
	for _, id := range companies {
		one := s.of(id)
		one.Position, report.Position = report.Position, ""
		for first := true; first || one.Position != ""; first = false {
			one.Limit = chunk
			if limit > 0 {
				one.Limit = min(chunk, limit-report.Done())
			}
			if one.Limit == 0 {
				if report.Position = one.Position; first {
					report.Position = o.replay().Begin(id)
				}
				return report, nil
			}
			part, err := o.replay().Run(ctx, one)
			report.add(part, s.DryRun)
			if one.Position = part.Position; err != nil {
				report.Position = part.Position
				return report, fmt.Errorf("company %d: %w", id, err)
			}
			if one.Position != "" && (limit == 0 || report.Done() < limit) {
				progress(report.Done())
			}
		}
	}
	return report, nil
}

// add adds what one call did.
func (r *Replayed) add(part inbox.Report, items bool) {
	for fate, n := range part.Counts {
		r.Counts[fate] += n
	}
	for _, one := range part.Items {
		if one.Fate.Problem() && len(r.Problems) < maxProblems {
			r.Problems = append(r.Problems, one)
		}
	}
	if items {
		r.Items = append(r.Items, part.Items...)
	}
}

func (o *Operator) replay() *inbox.Replay {
	return &inbox.Replay{Inbox: o.Inbox, Send: func(ctx context.Context, m inbox.Message) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendWithin)
		defer cancel()
		return o.EventsQueue.SendMessage(ctx, queue.Message(m))
	}}
}
