package inbox

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/procore"
)

// newerLimit is how many events of a resource Newer reads, from the last id.
const newerLimit = 25

// Newer reports whether a later event of the same resource is stored that counts. Then a
// consumer that reads the resource as it is now can skip this event: the newer one has
// reached the queue, or will. An event that the consumer skips for another reason, such as
// its own change, must not count, or it would handle neither.
//
// It is one query. False may also mean unknown: for an event without a time, for two
// within a millisecond, for what was stored within the last second, and if the newer
// event's id is not among the resource's last ids. So skip an event only on true.
func (s *Store) Newer(ctx context.Context, e procore.Event, counts func(newer procore.Event) bool) (bool, error) {
	if e.Timestamp.IsZero() {
		return false, nil
	}
	resource, _ := keys(e)
	in := new(dynamo.Expression).Equal("resource", dynamo.Text(resource)).Query(s.Table, "")
	in.ScanIndexForward, in.Limit = aws.Bool(false), aws.Int32(newerLimit)
	out, err := s.DB.Query(ctx, in)
	if err != nil {
		return false, fmt.Errorf("inbox: events of a resource of company %d: %w", e.CompanyID, err)
	}
	at := time.UnixMilli(e.Timestamp.UnixMilli())
	for _, item := range out.Items {
		var d delivery
		if err := dynamo.Decode(item, d.fields); err != nil {
			return false, fmt.Errorf("inbox: an event of %s: %w", resource, err)
		}
		if !d.happenedAt.After(at) {
			continue
		}
		if newer, err := procore.ParseEvent([]byte(d.envelope)); err == nil && counts(newer) {
			return true, nil
		}
	}
	return false, nil
}
