package inbox

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
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
	// conflicts is how many conflicts with other writes of the counter are tolerated.
	conflicts    = 8
	conflictWait = 50 * time.Millisecond
)

// ErrOverQuota: the company's quota of the hour is used up, and the delivery is
// not stored. The caller answers 429, and Procore sends it again.
var ErrOverQuota = errors.New("inbox: too many deliveries quarantined")

// Quarantine stores a delivery that will not reach the queue: the reason, the body's
// digest, and the body, or its first 4 KB if it is over MaxBody. The same body again
// is the same delivery. Over the quota the error is [ErrOverQuota].
//
// It is one transaction of the item and the hour's counter.
func (s *Store) Quarantine(ctx context.Context, companyID int64, reason string, body []byte) (Outcome, error) {
	put, count := s.put(quarantineItem(companyID, reason, body), companyID), s.count(companyID)
	for attempt := 1; ; attempt++ {
		err := dynamo.Transact(ctx, s.DB, put, count)
		reasons, _ := dynamo.Refused(err)
		switch {
		case err == nil:
			return Outcome{Word: Quarantined, Reason: reason, New: true}, nil
		case reasons.Failed(0): // the item exists
			return Outcome{Word: Quarantined, Reason: reason}, nil
		case reasons.Failed(1):
			return Outcome{}, fmt.Errorf("%w (company %d)", ErrOverQuota, companyID)
		case transient(reasons) && attempt < conflicts:
			err = s.Clock.Sleep(ctx, s.Random.Jitter(conflictWait*time.Duration(attempt)))
		}
		if err != nil {
			return Outcome{}, fmt.Errorf("inbox: company %d: not quarantined: %w", companyID, err)
		}
	}
}

// transient reports whether a transaction met another one, or storage was busy.
func transient(reasons dynamo.Reasons) bool {
	all := []string{"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "None"}
	for i := range reasons {
		if !slices.Contains(all, reasons.Code(i)) {
			return false
		}
	}
	return len(reasons) > 0
}

func quarantineItem(companyID int64, reason string, body []byte) dynamo.Item {
	sum := sha256.Sum256(body)
	kept := body
	if len(body) > MaxBody {
		kept = body[:quarantineBody]
	}
	return dynamo.Item{
		"resource": dynamo.Text(quarantineKey(companyID)),
		"event_id": dynamo.Text(hex.EncodeToString(sum[:])),
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
