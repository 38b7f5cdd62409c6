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
// clock. A hook that sends nothing else has to be a mistake, and each delivery is
// paid for.
const DefaultQuota = 1000

const (
	// quarantineBody of a body over MaxBody is kept.
	quarantineBody = 4 << 10
	// counterLife is how long a counter outlives its hour.
	counterLife = 24 * time.Hour
	// conflicts with other writes of the counter that are endured.
	conflicts    = 8
	conflictWait = 50 * time.Millisecond
)

// ErrOverQuota: the company's quota of the hour is used up, and the delivery is
// not stored. The caller answers 429, and Procore sends it again.
var ErrOverQuota = errors.New("inbox: too many deliveries quarantined")

// Quarantine keeps a delivery that is not handed on: the reason, the body's digest,
// and the body, of one over MaxBody its first 4 KB. The same body again is no
// other delivery. Over the quota the error is [ErrOverQuota].
//
// It is one transaction of the item and the hour's counter, and one more
// when the hour is new.
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
			first = !first // another's was first
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

// quarantineKey is the partition of what is quarantined; an event's has a type and an
// id behind the company.
func quarantineKey(companyID int64) string { return strconv.FormatInt(companyID, 10) + "#quarantine" }

// counter is the item that counts a company's hour. Its key begins with a
// word of its own, so that a role may update counters and nothing else.
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

// next counts one more. The condition fails also while there is no counter yet.
func (c *counter) next() types.TransactWriteItem {
	return new(dynamo.Expression).Increment("kept").Less("kept", dynamo.Number(int64(c.quota))).ReturnOld().Update(c.table, c.key)
}

// first begins the hour.
func (c *counter) first() types.TransactWriteItem {
	item := dynamo.Item{"kept": dynamo.Number(1), "ttl": dynamo.Seconds(c.hour.Add(time.Hour + counterLife))}
	maps.Copy(item, c.key)
	return new(dynamo.Expression).Absent("event_id").Put(c.table, item)
}

// A verdict says why the transaction of Quarantine was not done.
type verdict int

const (
	failed   verdict = iota
	known            // the item is there
	full             // the quota is used up
	newHour          // there is no counter yet, or there is one now
	conflict         // somebody else wrote at the same time
)

// judge reads the reasons of a cancelled transaction, the item's and the counter's.
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

// quarantinedEvent decodes again what was quarantined, for the company that it was
// kept for.
func quarantinedEvent(body []byte, companyID int64) (procore.Event, error) {
	e, err := procore.DecodeEvent(body)
	if err == nil && e.CompanyID != companyID {
		err = errors.New("inbox: of another company than the credential")
	}
	return e, err
}
