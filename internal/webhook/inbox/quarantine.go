package inbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/procore"
)

// DefaultQuota is how many deliveries are quarantined per company and hour of the
// clock. A hook with more must be a mistake, and each delivery costs money.
const DefaultQuota = 1000

const (
	// quarantineBody is how much is kept of a body over MaxBody.
	quarantineBody = 4 << 10
	// counterLife is how long a counter outlives its hour.
	counterLife = 24 * time.Hour
	// countWithin bounds the count, which leaves time to store the delivery.
	countWithin = time.Second
)

// Quarantine stores a delivery that will not reach the queue: the reason, the body's
// digest, and the body, or its first 4 KB if it is over MaxBody. The same body again
// is the same delivery. Over the hour's quota nothing is written, and the word is
// [OverQuota]: an error would pause the hook at Procore, with all its later events.
//
// The count is a second write, because transactions on one counter conflict. If
// the count fails, the delivery is stored without it.
func (s *Store) Quarantine(ctx context.Context, companyID int64, reason string, body []byte) (Outcome, error) {
	if s.overQuota(ctx, companyID) {
		return Outcome{Word: OverQuota, Reason: reason}, nil
	}
	err := dynamo.Write(ctx, s.DB, s.put(quarantineItem(companyID, reason, body), companyID))
	if err != nil && !dynamo.ConditionFailed(err) {
		return Outcome{}, fmt.Errorf("inbox: company %d: not quarantined: %w", companyID, err)
	}
	return Outcome{Word: Quarantined, Reason: reason, New: err == nil}, nil
}

// overQuota counts one more delivery in the company's hour, and reports whether its
// quota was used up before.
func (s *Store) overQuota(ctx context.Context, companyID int64) bool {
	ctx, cancel := context.WithTimeout(ctx, countWithin)
	defer cancel()
	return dynamo.ConditionFailed(dynamo.Write(ctx, s.DB, s.count(companyID)))
}

func quarantineItem(companyID int64, reason string, body []byte) dynamo.Item {
	kept := body
	if len(body) > MaxBody {
		kept = body[:quarantineBody]
	}
	return dynamo.Item{
		"resource": dynamo.Text(quarantineKey(companyID)),
		"event_id": dynamo.Text(digest(body)),
		"reason":   dynamo.Text(reason),
		"size":     dynamo.Number(int64(len(body))),
		"body":     dynamo.Bytes(kept),
	}
}

// quarantineKey returns the partition of a company's quarantine. An event's partition
// has a type and an id after the company.
func quarantineKey(companyID int64) string { return strconv.FormatInt(companyID, 10) + "#quarantine" }

// count returns the write that counts one more in a company's hour, if the quota
// allows it. The counter's key begins with its own word, so that a role may update only
// counters.
func (s *Store) count(companyID int64) types.TransactWriteItem {
	hour, quota := s.Clock.Now().UTC().Truncate(time.Hour), int64(cmp.Or(s.Quota, DefaultQuota))
	return new(dynamo.Expression).Increment("kept").Set(dynamo.Item{"ttl": dynamo.Seconds(hour.Add(time.Hour + counterLife))}).
		AbsentOr("kept", "<", dynamo.Number(quota)).
		Update(s.Table, primaryKey("quota#"+strconv.FormatInt(companyID, 10), hour.Format("2006-01-02T15")))
}

// quarantinedEvent decodes a quarantined body again, for the company that it was
// quarantined for.
func quarantinedEvent(body []byte, companyID int64) (procore.Event, error) {
	e, err := procore.DecodeEvent(body)
	if err == nil && e.CompanyID != companyID {
		err = errors.New("inbox: of another company than the credential")
	}
	return e, err
}
