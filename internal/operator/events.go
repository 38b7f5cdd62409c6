package operator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"procore-connect/internal/webhook/inbox"
)

const (
	// MaxEvents is the most events of one list.
	MaxEvents = 1000
	// maxExamined is how many deliveries are read to find those that a filter chooses.
	maxExamined = 2000
	// MaxCompanies is of how many companies the events are listed together.
	MaxCompanies = 200
)

// EventFilter chooses events.
type EventFilter struct {
	CompanyID int64     // 0: all companies
	Among     []int64   // without a company: these; nil: all, for which the table of connections is read
	From      time.Time // of arrival
	To        time.Time // of arrival, included; zero: now
	Type      string    // such as update; empty: all
	Outcome   string    // a state, or a consumer's outcome; empty: all
	Limit     int       // the most, the last ones first
}

// EventPage is a part of the events that a filter chooses.
type EventPage struct {
	Events []Event
	More   bool      // there may be more
	Until  time.Time // the arrival of the last one that was examined, if there may be more and all are of one company
}

// Events returns what the inbox has and what became of it, the last arrival first, and whether there may be more. An error
// beside a list is about what could not be read.
func (o *Operator) Events(ctx context.Context, f EventFilter) (found []Event, more bool, err error) {
	p, err := o.EventPage(ctx, f)
	return p.Events, p.More, err
}

// EventPage returns what Events returns, and how far it came.
func (o *Operator) EventPage(ctx context.Context, f EventFilter) (p EventPage, err error) {
	companies := []int64{f.CompanyID}
	switch {
	case f.CompanyID != 0:
	case f.Among != nil:
		companies = f.Among
	default:
		if companies, err = o.companies(ctx); err != nil {
			return p, err
		}
	}
	arrived, more, err := o.arrived(ctx, companies, f)
	if err != nil {
		return p, err
	}
	var found []Event
	var unread []error
	for chunk := range slices.Chunk(arrived, max(f.Limit, idsAtOnce)) {
		events, err := o.examine(ctx, chunk, f)
		found, unread = append(found, events...), append(unread, err)
		if len(found) >= f.Limit {
			more = more || len(found) > f.Limit || len(arrived) > len(chunk)
			found = found[:f.Limit]
			break
		}
	}
	p.Events, p.More = found, more
	if len(arrived) > 0 && more && len(companies) == 1 {
		p.Until = arrived[len(arrived)-1].At
		if len(found) == f.Limit {
			p.Until = found[len(found)-1].ReceivedAt
		}
	}
	return p, errors.Join(unread...)
}

// companies returns all companies, unless there are too many.
func (o *Operator) companies(ctx context.Context) ([]int64, error) {
	ids, err := o.Companies(ctx)
	if len(ids) > MaxCompanies {
		err = fmt.Errorf("events are listed of at most %d companies together, and there are %d; name one with --company", MaxCompanies, len(ids))
	}
	return ids, err
}

// arrival is one of a company.
type arrival struct {
	inbox.Arrival
	companyID int64
}

// arrived returns the last arrivals of the companies, the last one first, and whether there are more.
func (o *Operator) arrived(ctx context.Context, companies []int64, f EventFilter) (found []arrival, more bool, err error) {
	each := maxExamined
	if len(companies) > 1 {
		each = f.Limit + 1
	}
	of := make([][]arrival, len(companies))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, id := range companies {
		g.Go(func() error {
			for a, err := range o.Inbox.LatestUntil(ctx, id, f.From, f.To) {
				if err != nil {
					return err
				}
				if of[i] = append(of[i], arrival{a, id}); len(of[i]) == each {
					break
				}
			}
			return nil
		})
	}
	err = g.Wait()
	filtered := f.Type != "" || f.Outcome != ""
	for _, some := range of {
		more = more || filtered && len(some) == each
		found = append(found, some...)
	}
	slices.SortStableFunc(found, func(a, b arrival) int { return b.At.Compare(a.At) })
	if len(found) > maxExamined {
		found, more = found[:maxExamined], more || filtered
	}
	return found, more, err
}

// examine returns those of the arrivals that the filter chooses, with their states.
func (o *Operator) examine(ctx context.Context, arrived []arrival, f EventFilter) ([]Event, error) {
	events := make([]Event, len(arrived))
	g, reading := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, a := range arrived {
		g.Go(func() error {
			item, err := o.Inbox.Item(reading, a.Resource, a.ID)
			events[i] = newEvent(a.companyID, a.Arrival, item)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	events = slices.DeleteFunc(events, func(e Event) bool { return f.Type != "" && e.Type != f.Type })
	err := o.judgeEvents(ctx, events)
	return slices.DeleteFunc(events, func(e Event) bool {
		return f.Outcome != "" && f.Outcome != string(e.State) && f.Outcome != e.Outcome
	}), err
}

// judgeEvents sets the states of the events that the inbox does not know. If the logs cannot be searched, those are unknown.
func (o *Operator) judgeEvents(ctx context.Context, events []Event) error {
	var keys []EventKey
	from := o.clock.Now()
	for _, e := range events {
		if !e.judged() {
			keys = append(keys, EventKey{e.CompanyID, e.ID})
			from = earlier(from, e.ReceivedAt)
		}
	}
	if keys == nil {
		return nil
	}
	progress, err := o.Progress(ctx, keys, from)
	limit := 0
	for _, p := range progress {
		if limit == 0 && p.Failed.After(p.Handled) {
			var limitErr error
			limit, limitErr = o.maxAttempts(ctx)
			err = errors.Join(err, limitErr)
			break
		}
	}
	for i, e := range events {
		p, found := progress[EventKey{e.CompanyID, e.ID}]
		switch {
		case e.judged():
		case err != nil && !found:
			events[i].How = "the logs could not be searched"
		default:
			events[i].judge(p, o.ConsumerLogged(), limit, o.clock.Now())
		}
	}
	return err
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
