// Package inbox stores webhook deliveries: each event once. What cannot be
// understood is quarantined, so that one bad delivery never holds up the rest.
//
// An event's item has the key company#type#id and the event's id, the raw body,
// and the envelope that the table's stream hands on. An item that is quarantined
// has no envelope. [Store.Newer] and [Replay] read what is stored.
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

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"procore-connect/pkg/procore"
)

const (
	// MaxBody is the largest body that is stored whole.
	MaxBody = 128 << 10
	// maxEnvelope is the largest envelope that is handed on. It may be larger
	// than its body: absent names are written, broken ones grow. With a
	// body it stays below the 400 KB of an item.
	maxEnvelope = 240 << 10
	// life of an item: longer than Procore's 12 hours of retries and our recovery.
	life = 14 * 24 * time.Hour
	// maxQueueID is the longest FIFO group or deduplication id.
	maxQueueID = 128
)

// Store is the Inbox table. DB and Table must be set.
type Store struct {
	DB    *dynamodb.Client
	Table string
	Quota int // deliveries quarantined per company and hour; 0: DefaultQuota

	Clock  procore.Clock
	Random procore.Random
}

// A Word says what became of a delivery.
type Word string

// Whatever the word, the delivery is stored.
const (
	Stored      Word = "stored"      // an event, which will be handed on
	Duplicate   Word = "duplicate"   // an event that was stored before
	Quarantined Word = "quarantined" // not handed on
)

// An Outcome is what became of a delivery.
type Outcome struct {
	Word   Word
	Reason string // why it is quarantined
	New    bool   // this call wrote it; a repetition does not
}

// Add writes an event with its raw body in one conditional write. One that
// does not fit into an item, or that storage would refuse each time, is quarantined.
// After an error it is unknown whether it was stored; a repetition is safe.
func (s *Store) Add(ctx context.Context, e procore.Event, body []byte) (Outcome, error) {
	item, fits, err := eventItem(e, body)
	if err != nil {
		return Outcome{}, err
	}
	if !fits {
		return s.Quarantine(ctx, e.CompanyID, tooLarge, body)
	}
	s.stamp(item, e.CompanyID)
	_, err = s.DB.PutItem(ctx, &dynamodb.PutItemInput{
		TableName:           &s.Table,
		Item:                item,
		ConditionExpression: aws.String(unknown),
	})
	if _, duplicate := errors.AsType[*types.ConditionalCheckFailedException](err); duplicate {
		return Outcome{Word: Duplicate}, nil
	}
	if e2, ok := errors.AsType[smithy.APIError](err); ok && e2.ErrorCode() == "ValidationException" {
		return s.Quarantine(ctx, e.CompanyID, "storage does not take its item", body)
	}
	if err != nil {
		return Outcome{}, fmt.Errorf("inbox: company %d: not stored: %w", e.CompanyID, err)
	}
	return Outcome{Word: Stored, New: true}, nil
}

const (
	tooLarge = "its item would be too large"
	// unknown is the condition of every new item.
	unknown = "attribute_not_exists(event_id)"
)

// eventItem is the event's item but for what stamp adds. fits tells whether it
// is small enough.
func eventItem(e procore.Event, body []byte) (item map[string]types.AttributeValue, fits bool, err error) {
	envelope, err := encode(e)
	if err != nil || len(body) > MaxBody || len(envelope) > maxEnvelope {
		return nil, false, err
	}
	item = map[string]types.AttributeValue{
		"resource":        text(e.Key()),
		"event_id":        text(e.ID),
		"group_id":        text(queueID(e.Key())),
		"dedup_id":        text(queueID(strconv.FormatInt(e.CompanyID, 10) + "#" + e.ID)),
		"envelope":        text(envelope),
		"body":            &types.AttributeValueMemberB{Value: body},
		"payload_version": text(e.PayloadVersion),
	}
	if e.ULID != "" {
		item["ulid"] = text(e.ULID)
	}
	if !e.Timestamp.IsZero() {
		item["happened_at_ms"] = number(e.Timestamp.UnixMilli())
	}
	return item, true, nil
}

// encode writes the envelope as text that an item and a queue take: "data" is as
// it was sent, an item's text is UTF-8, and SQS refuses two characters of it,
// which JSON can write in another way. A message that the queue never takes
// would hold up its shard of the stream for a day.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
func encode(e procore.Event) (string, error) {
	envelope, err := procore.EncodeEvent(e)
	text := string(bytes.ToValidUTF8(envelope, []byte("\uFFFD")))
	return strings.NewReplacer("\uFFFE", `\ufffe`, "\uFFFF", `\uffff`).Replace(text), err
}

// stamp adds what every delivery's item has.
func (s *Store) stamp(item map[string]types.AttributeValue, companyID int64) {
	now := s.Clock.Now()
	item["company_id"] = companyOf(companyID)
	item["received_at_ms"] = number(now.UnixMilli())
	item["ttl"] = number(now.Add(life).Unix())
}

// queueID fits a text into what a FIFO queue takes as an id: printable ASCII
// without blanks, 128 characters at most.
func queueID(s string) string {
	escaped := url.PathEscape(s)
	if len(escaped) <= maxQueueID {
		return escaped
	}
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func companyOf(id int64) types.AttributeValue { return text(strconv.FormatInt(id, 10)) }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}
