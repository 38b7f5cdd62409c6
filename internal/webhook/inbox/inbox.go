// Package inbox stores webhook deliveries, each event once. It quarantines what it
// cannot understand, so that one bad delivery never holds up the rest.
//
// An event's item has the key company#type#id and the event's id, the raw body, and
// the envelope, which the table's stream passes to the queue. A quarantined item has
// no envelope. [Store.Newer] and [Replay] read what is stored.
package inbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/procore"
)

const (
	// MaxBody is the largest body that is stored whole.
	MaxBody = 128 << 10
	// maxEnvelope is the largest envelope that is stored. An envelope may be larger
	// than its body: it has names that the body lacks, and escapes make broken names
	// longer. Together with the body it stays below the 400 KB of an item.
	maxEnvelope = 240 << 10
	// life is how long an item is kept: longer than Procore's 12 hours of retries and
	// our recovery.
	life = 14 * 24 * time.Hour
	// maxQueueID is the longest FIFO group or deduplication id.
	maxQueueID = 128
	// maxKey is the longest key that is not hashed, in bytes. DynamoDB accepts 1,024 of a
	// sort key.
	maxKey = 512
)

// Store is the Inbox table. DB and Table must be set.
type Store struct {
	DB    *dynamodb.Client
	Table string
	Quota int // deliveries quarantined per company and hour; 0: DefaultQuota

	Clock  procore.Clock
	Random procore.Random
}

// A Word names the outcome of a delivery.
type Word string

// The delivery is stored, except over the quota.
const (
	Stored      Word = "stored"      // an event, which will reach the queue
	Duplicate   Word = "duplicate"   // an event that was stored before
	Quarantined Word = "quarantined" // will not reach the queue
	OverQuota   Word = "over quota"  // not stored: the company's quota of quarantine is used up
)

// An Outcome is the result of storing a delivery.
type Outcome struct {
	Word   Word
	Reason string // why it is not an event
	New    bool   // this call wrote it, not an earlier one
}

// Add writes an event with its raw body in one conditional write. It quarantines an
// event that does not fit into an item, or that storage would refuse each time. After
// an error the event may be stored or not, and it is safe to repeat the call.
func (s *Store) Add(ctx context.Context, e procore.Event, body []byte) (Outcome, error) {
	item, fits, err := eventItem(e, body)
	if err != nil {
		return Outcome{}, err
	}
	if !fits {
		return s.Quarantine(ctx, e.CompanyID, tooLarge, body)
	}
	err = dynamo.Write(ctx, s.DB, s.put(item, e.CompanyID))
	if dynamo.ConditionFailed(err) {
		return Outcome{Word: Duplicate}, nil
	}
	if e2, ok := errors.AsType[smithy.APIError](err); ok && e2.ErrorCode() == "ValidationException" {
		return s.Quarantine(ctx, e.CompanyID, "storage refuses its item", body)
	}
	if err != nil {
		return Outcome{}, fmt.Errorf("inbox: company %d: not stored: %w", e.CompanyID, err)
	}
	return Outcome{Word: Stored, New: true}, nil
}

const tooLarge = "its item would be too large"

// eventItem returns the event's item, without what put adds, and reports whether it is
// small enough.
func eventItem(e procore.Event, body []byte) (item dynamo.Item, fits bool, err error) {
	envelope, err := encode(e)
	if err != nil || len(body) > MaxBody || len(envelope) > maxEnvelope {
		return nil, false, err
	}
	resource, id := keys(e)
	return dynamo.Item{
		"resource":        dynamo.Text(resource),
		"event_id":        dynamo.Text(id),
		"group_id":        dynamo.Text(queueID(resource)),
		"dedup_id":        dynamo.Text(queueID(strconv.FormatInt(e.CompanyID, 10) + "#" + e.ID)),
		"envelope":        dynamo.Text(envelope),
		"body":            dynamo.Bytes(body),
		"payload_version": dynamo.Text(e.PayloadVersion),
		"ulid":            dynamo.Text(e.ULID),
		"happened_at_ms":  dynamo.Millis(e.Timestamp),
	}, true, nil
}

// encode writes the envelope as text that an item and a queue accept. "data" is as
// Procore sent it, but an item's text is UTF-8, and SQS refuses two of its
// characters, which JSON can write in another way. A message that the queue never
// accepts would hold up its shard of the stream for a day.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
func encode(e procore.Event) (string, error) {
	envelope, err := procore.EncodeEvent(e)
	text := string(bytes.ToValidUTF8(envelope, []byte("\uFFFD")))
	return strings.NewReplacer("\uFFFE", `\ufffe`, "\uFFFF", `\uffff`).Replace(text), err
}

// put returns the write of a new item, and adds what every delivery's item has.
func (s *Store) put(item dynamo.Item, companyID int64) types.TransactWriteItem {
	now := s.Clock.Now()
	item["company_id"] = dynamo.ID(companyID)
	item["received_at_ms"] = dynamo.Millis(now)
	item["ttl"] = dynamo.Seconds(now.Add(life))
	return new(dynamo.Expression).Absent("event_id").Put(s.Table, item)
}

// keys returns the keys of an event's item: those of the event, or hashes of those that
// are too long. Names and ids have no bound at Procore.
func keys(e procore.Event) (resource, id string) {
	resource, id = e.Key(), e.ID
	if len(resource) > maxKey {
		resource = strconv.FormatInt(e.CompanyID, 10) + "#sha256#" + digest([]byte(resource))
	}
	if len(id) > maxKey {
		id = "sha256#" + digest([]byte(id))
	}
	return resource, id
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func primaryKey(resource, eventID string) dynamo.Item {
	return dynamo.Item{"resource": dynamo.Text(resource), "event_id": dynamo.Text(eventID)}
}

// queueID turns a text into an id for a FIFO queue: printable ASCII without blanks, at
// most 128 characters.
func queueID(s string) string {
	escaped := url.PathEscape(s)
	if len(escaped) <= maxQueueID {
		return escaped
	}
	return digest([]byte(s))
}
