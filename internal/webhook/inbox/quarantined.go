package inbox

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"procore-connect/internal/platform/dynamo"
)

// A Held is a delivery in quarantine.
type Held struct {
	ID         string // the digest of the body
	ReceivedAt time.Time
	Reason     string // why it was not understood
	Size       int64  // of the body, in bytes
	Body       []byte // as Procore sent it; only its beginning if it is over MaxBody
}

func (h *Held) read(item dynamo.Item) error {
	return dynamo.Decode(item, func(f *dynamo.Fields) {
		f.Text("event_id", &h.ID)
		f.Millis("received_at_ms", &h.ReceivedAt)
		f.Text("reason", &h.Reason)
		f.Number("size", &h.Size)
		f.Bytes("body", &h.Body)
	})
}

// Held returns the deliveries of a company that are in quarantine and whose ids begin so, in order of the ids.
func (s *Store) Held(ctx context.Context, companyID int64, prefix string) iter.Seq2[Held, error] {
	e := new(dynamo.Expression).Equal("resource", dynamo.Text(quarantineKey(companyID)))
	if prefix != "" {
		e.Compare("event_id", ">=", dynamo.Text(prefix))
	}
	return func(yield func(Held, error) bool) {
		for h, err := range dynamo.Query(ctx, s.DB, fmt.Sprintf("inbox: the quarantine of company %d", companyID), e.Query(s.Table, ""), (*Held).read) {
			if err == nil && !strings.HasPrefix(h.ID, prefix) || !yield(h, err) {
				return
			}
		}
	}
}

// Again decodes one delivery again that is in quarantine, and stores it if it is an event now, unless dry is set.
func (r *Replay) Again(ctx context.Context, companyID int64, h Held, dry bool) (Replayed, error) {
	return r.one(ctx, Selection{CompanyID: companyID, Quarantined: true, DryRun: dry}, listed{quarantineKey(companyID), h.ID, h.ReceivedAt.UnixMilli()}, "")
}
