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
	in := new(dynamo.Expression).Equal("company_id", dynamo.ID(companyID)).
		Compare("received_at_ms", ">=", dynamo.Number(from.UnixMilli())).Query(s.Table, "by_company")
	in.ScanIndexForward, in.Limit = aws.Bool(false), aws.Int32(latestPage)
	return func(yield func(Arrival, error) bool) {
		for k, err := range dynamo.Query(ctx, s.DB, fmt.Sprintf("inbox: the last deliveries of company %d", companyID), in, (*listed).read) {
			if !yield(k.arrival(companyID), err) {
				return
			}
		}
	}
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
