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

// maxTraces bounds the events of a resource that Traces reads, from the last id.
const maxTraces = 100

// reconciledMark ends the id of an event that reconciliation made, behind a ULID, so that
// the ids of all events are in order of time, and keys show which is which.
const reconciledMark = "-reconciled"

// ReconciledID returns the id of an event that reconciliation makes.
func ReconciledID(ulid string) string { return ulid + reconciledMark }

// A Trace is what the inbox remembers of one event.
type Trace struct {
	HappenedAt time.Time // by Procore's clock; zero if the payload had no time
	ReceivedAt time.Time // by ours
	Reconciled bool      // not delivered, but found by reconciliation
	ByApp      bool      // an app made the change, perhaps ours, whose changes consumers skip
}

// ResourceOf returns the key under which the events of an event's resource are stored.
func ResourceOf(e procore.Event) string {
	resource, _ := keys(e)
	return resource
}

// Traces returns the stored events of a resource, the newest ids first, at most 100.
func (s *Store) Traces(ctx context.Context, resource string) iter.Seq2[Trace, error] {
	in := new(dynamo.Expression).Equal("resource", dynamo.Text(resource)).Query(s.Table, "")
	in.ScanIndexForward, in.Limit = aws.Bool(false), aws.Int32(newerLimit)
	return func(yield func(Trace, error) bool) {
		n := 0
		for t, err := range dynamo.Query(ctx, s.DB, "inbox: events of a resource", in, (*Trace).read) {
			if err != nil {
				err = fmt.Errorf("inbox: an event of %s: %w", resource, err)
			}
			if n++; !yield(t, err) || n == maxTraces {
				return
			}
		}
	}
}

func (t *Trace) read(item dynamo.Item) error {
	var id, envelope string
	err := dynamo.Decode(item, func(f *dynamo.Fields) {
		f.Text("event_id", &id)
		f.Text("envelope", &envelope)
		f.Millis("happened_at_ms", &t.HappenedAt)
		f.Millis("received_at_ms", &t.ReceivedAt)
	})
	t.Reconciled = strings.HasSuffix(id, reconciledMark)
	t.ByApp = !t.Reconciled && byApp(envelope)
	return err
}

// lastLimit is how many of a company's last arrivals Last reads.
const lastLimit = 25

// Last returns when the last event of a company arrived. It is zero if none did within 14 days, or if the last 25
// deliveries are in quarantine.
func (s *Store) Last(ctx context.Context, companyID int64) (time.Time, error) {
	in := new(dynamo.Expression).Equal("company_id", dynamo.ID(companyID)).Query(s.Table, "by_company")
	in.ScanIndexForward, in.Limit = aws.Bool(false), aws.Int32(lastLimit)
	n := 0
	for k, err := range dynamo.Query(ctx, s.DB, "inbox: the last event of a company", in, (*listed).read) {
		if err != nil {
			return time.Time{}, err
		}
		if k.resource != quarantineKey(companyID) {
			return time.UnixMilli(k.receivedMS), nil
		}
		if n++; n == lastLimit {
			break
		}
	}
	return time.Time{}, nil
}

// byApp reports whether an app made the change of an envelope, or may have.
func byApp(envelope string) bool {
	e, err := procore.ParseEvent([]byte(envelope))
	return err != nil || e.SourceApplicationID != ""
}
