package inbox

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/procore"
)

// newerLook is how many events of a resource Newer looks at, from the last id.
const newerLook = 25

// Newer tells whether an event of the same resource is stored that happened
// later, so that a consumer that reads the resource as it is now need not do it
// for this one: the newer event was handed on already, or will be.
//
// It is one query. False may also mean not known: for an event without a time,
// for two within a millisecond, for what was stored within the last second,
// and for a resource with so many events that the newer one's id is not among the
// last of them. An event of an app's change does not count, for the app may be
// ours, and who skips its own changes would handle neither. So whoever skips on
// true alone is always right.
func (s *Store) Newer(ctx context.Context, e procore.Event) (bool, error) {
	if e.Timestamp.IsZero() {
		return false, nil
	}
	in := new(dynamo.Expression).Equal("resource", dynamo.Text(e.Key())).Query(s.Table, "")
	in.ScanIndexForward, in.Limit = aws.Bool(false), aws.Int32(newerLook)
	out, err := s.DB.Query(ctx, in)
	if err != nil {
		return false, fmt.Errorf("inbox: events of a resource of company %d: %w", e.CompanyID, err)
	}
	at := time.UnixMilli(e.Timestamp.UnixMilli())
	for _, item := range out.Items {
		r := dynamo.Read(item)
		newer := r.Millis("happened_at_ms").After(at) && !byApp(r.Text("envelope"))
		if err := r.Err(); err != nil {
			return false, fmt.Errorf("inbox: event %s of company %d: %w", r.Text("event_id"), e.CompanyID, err)
		}
		if newer {
			return true, nil
		}
	}
	return false, nil
}

func byApp(envelope string) bool {
	e, err := procore.ParseEvent([]byte(envelope))
	return err != nil || e.SourceApplicationID != ""
}
