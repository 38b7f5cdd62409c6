package inbox

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
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
// It is one transaction of the item and the hour's counter, and one more when the hour
// is new.
func (s *Store) Quarantine(ctx context.Context, companyID int64, reason string, body []byte) (Outcome, error) {
	put := s.put(quarantineItem(companyID, reason, body), companyID)
	counter := s.counter(companyID)
	first := false // in its hour
	for attempt := 1; ; attempt++ {
		err := dynamo.Transact(ctx, s.DB, put, counter.write(first))
		if err == nil {
			return Outcome{Word: Quarantined, Reason: reason, New: true}, nil
		}
		v := judge(err)
		switch {
		case v == known:
			return Outcome{Word: Quarantined, Reason: reason}, nil
		case v == full:
			return Outcome{}, fmt.Errorf("%w (company %d)", ErrOverQuota, companyID)
		case v == failed || attempt == conflicts:
			return Outcome{}, fmt.Errorf("inbox: company %d: not quarantined: %w", companyID, err)
		case v == newHour:
			first = !first // another process was first
		case v == conflict:
			if err := s.pause(ctx, attempt); err != nil {
				return Outcome{}, fmt.Errorf("inbox: company %d: not quarantined: %w", companyID, err)
			}
		}
	}
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

// counter is the item that counts a company's hour. Its key begins with its own word,
// so that a role may update only counters.
type counter struct {
	table string
	hour  time.Time
	quota int
	key   dynamo.Item
}

func (s *Store) counter(companyID int64) *counter {
	hour := s.Clock.Now().UTC().Truncate(time.Hour)
	return &counter{table: s.Table, hour: hour, quota: cmp.Or(s.Quota, DefaultQuota),
		key: primaryKey("quota#"+strconv.FormatInt(companyID, 10), hour.Format("2006-01-02T15"))}
}

func (c *counter) write(first bool) types.TransactWriteItem {
	if first {
		return c.first()
	}
	return c.next()
}

// next counts one more. Its condition also fails while there is no counter yet.
func (c *counter) next() types.TransactWriteItem {
	return new(dynamo.Expression).Increment("kept").Less("kept", dynamo.Number(int64(c.quota))).ReturnOld().Update(c.table, c.key)
}

// first begins the hour.
func (c *counter) first() types.TransactWriteItem {
	item := dynamo.Item{"kept": dynamo.Number(1), "ttl": dynamo.Seconds(c.hour.Add(time.Hour + counterLife))}
	maps.Copy(item, c.key)
	return new(dynamo.Expression).Absent("event_id").Put(c.table, item)
}

// A verdict is the reason why the transaction of Quarantine failed.
type verdict int

const (
	failed   verdict = iota
	known            // the item exists
	full             // the quota is used up
	newHour          // there is no counter yet, or there is one now
	conflict         // another process wrote at the same time
)

// judge reads the reasons of a cancelled transaction: the item's and the counter's.
func judge(err error) verdict {
	reasons, _ := dynamo.Refused(err)
	if len(reasons) != 2 {
		return failed
	}
	switch {
	case reasons.Failed(0):
		return known
	case reasons.Failed(1) && reasons[1].Item["kept"] != nil:
		return full
	case reasons.Failed(1):
		return newHour
	}
	passing := []string{"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "None"}
	if slices.Contains(passing, reasons.Code(0)) && slices.Contains(passing, reasons.Code(1)) {
		return conflict
	}
	return failed
}

// pause waits before another attempt.
func (s *Store) pause(ctx context.Context, attempt int) error {
	return s.Clock.Sleep(ctx, s.Random.Jitter(conflictWait*time.Duration(attempt)))
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
