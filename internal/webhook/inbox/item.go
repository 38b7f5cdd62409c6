package inbox

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/procore"
)

// An Arrival is the key of what was stored, and when.
type Arrival struct {
	Resource    string // the key of the resource's events
	ID          string // of the event; if quarantined, the digest
	Reconciled  bool
	Quarantined bool
	At          time.Time
}

func (k listed) arrival(companyID int64) Arrival {
	return Arrival{k.resource, k.id, strings.HasSuffix(k.id, reconciledMark), k.resource == quarantineKey(companyID), time.UnixMilli(k.receivedMS)}
}

// ArrivalOf returns the arrival of what is stored by a key.
func ArrivalOf(companyID int64, resource, id string, at time.Time) Arrival {
	return listed{resource, id, at.UnixMilli()}.arrival(companyID)
}

// Arrivals returns what was stored for a company from a time on, in order.
func (s *Store) Arrivals(ctx context.Context, companyID int64, from time.Time) iter.Seq2[Arrival, error] {
	return func(yield func(Arrival, error) bool) {
		for k, err := range s.list(ctx, Selection{CompanyID: companyID, From: from}, nil) {
			if !yield(k.arrival(companyID), err) {
				return
			}
		}
	}
}

// latestPage is how many keys Latest reads at once.
const latestPage = 100

// Latest returns what was stored for a company from a time on, the last first.
func (s *Store) Latest(ctx context.Context, companyID int64, from time.Time) iter.Seq2[Arrival, error] {
	return s.LatestUntil(ctx, companyID, from, time.Time{})
}

// LatestUntil returns what was stored for a company from a time until another one, both included, the last first. A zero to
// is now.
func (s *Store) LatestUntil(ctx context.Context, companyID int64, from, to time.Time) iter.Seq2[Arrival, error] {
	e := new(dynamo.Expression).Equal("company_id", dynamo.ID(companyID))
	if to.IsZero() {
		e.Compare("received_at_ms", ">=", dynamo.Number(from.UnixMilli()))
	} else {
		e.Compare("received_at_ms", "<=", dynamo.Number(to.UnixMilli())) // a key has one bound, and that of the other end is checked here
	}
	in := e.Query(s.Table, "by_company")
	in.ScanIndexForward, in.Limit = aws.Bool(false), aws.Int32(latestPage)
	return func(yield func(Arrival, error) bool) {
		for k, err := range dynamo.Query(ctx, s.DB, fmt.Sprintf("inbox: the last deliveries of company %d", companyID), in, (*listed).read) {
			if err == nil && k.receivedMS < from.UnixMilli() || !yield(k.arrival(companyID), err) {
				return
			}
		}
	}
}

// Activity is how many deliveries were stored for a company in each of some periods.
type Activity struct {
	Counts []int
	Cut    []bool    // there are more in this period than were read
	Last   time.Time // when the last event arrived; zero: none in these periods, or all that was read is in quarantine
}

// maxCounted is how many keys Activity reads of a period, and at first of all periods together.
const maxCounted = 200

// Activity counts what was stored for a company in n periods from a time on. A company with few deliveries costs one query,
// and any other one at most one more for each period, of a bounded number of keys each.
func (s *Store) Activity(ctx context.Context, companyID int64, from time.Time, period time.Duration, n int) (Activity, error) {
	a := Activity{Counts: make([]int, n), Cut: make([]bool, n)}
	ends := from.Add(period * time.Duration(n))
	read := 0
	for k, err := range s.Latest(ctx, companyID, from) {
		if err != nil {
			return a, err
		}
		if a.Last.IsZero() && !k.Quarantined {
			a.Last = k.At
		}
		if k.At.Before(ends) {
			a.Counts[k.At.Sub(from)/period]++
		}
		if read++; read == maxCounted {
			return a, s.periods(ctx, &a, companyID, from, period)
		}
	}
	return a, nil
}

// periods counts each period for itself, because there is more in them together than is read at once.
func (s *Store) periods(ctx context.Context, a *Activity, companyID int64, from time.Time, period time.Duration) error {
	for i := range a.Counts {
		a.Counts[i] = 0
		begins := from.Add(period * time.Duration(i))
		for k, err := range s.list(ctx, Selection{CompanyID: companyID, From: begins}, nil) {
			if err != nil {
				return err
			}
			if !time.UnixMilli(k.receivedMS).Before(begins.Add(period)) {
				break
			}
			if a.Counts[i]++; a.Counts[i] == maxCounted {
				a.Cut[i] = true
				break
			}
		}
	}
	return nil
}

// An Item is a delivery as the inbox has it.
type Item struct {
	CompanyID     int64
	ReceivedAt    time.Time
	Event         procore.Event // zero if it is quarantined
	Reason        string        // why it is quarantined
	Undeliverable string        // why no queue accepts the event
	Body          []byte        // as Procore sent it; only its beginning if it is quarantined and over MaxBody
}

// Item returns what is stored by a key, or nil if it has expired.
func (s *Store) Item(ctx context.Context, resource, id string) (*Item, error) {
	item, err := dynamo.Get(ctx, s.DB, s.Table, primaryKey(resource, id))
	if item == nil || err != nil {
		return nil, err
	}
	var d Item
	var envelope string
	err = dynamo.Decode(item, func(f *dynamo.Fields) {
		f.ID("company_id", &d.CompanyID)
		f.Millis("received_at_ms", &d.ReceivedAt)
		f.Text("envelope", &envelope)
		f.Text("reason", &d.Reason)
		f.Text("undeliverable", &d.Undeliverable)
		f.Bytes("body", &d.Body)
	})
	if err == nil && envelope != "" {
		d.Event, err = procore.ParseEvent([]byte(envelope))
	}
	if err != nil {
		return nil, fmt.Errorf("inbox: %s, %s: %w", resource, id, err)
	}
	return &d, nil
}
