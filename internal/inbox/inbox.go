// Package inbox stores webhook deliveries: each event once, and aside what
// cannot be understood, so that one bad delivery never holds up the rest.
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
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/pkg/procore"
)

const (
	// MaxBody is the largest body that is stored whole.
	MaxBody = 128 << 10
	// maxEnvelope is the largest envelope that is handed on. It may be larger
	// than its body: absent names are written, broken ones grow. With a
	// body it stays below the 400 KB of an item.
	maxEnvelope = 240 << 10
	// asideBody of a body kept aside is stored.
	asideBody = 4 << 10
	// life of an item: longer than Procore's 12 hours of retries and our recovery.
	life = 14 * 24 * time.Hour
	// maxQueueID is the longest FIFO group or deduplication id.
	maxQueueID = 128
)

// Box is the Inbox table. All fields but Now must be set.
type Box struct {
	DB    *dynamodb.Client
	Table string
	Now   func() time.Time // nil: time.Now
}

// Store writes an event with its raw body of at most MaxBody, in one conditional
// write; one whose envelope is too large goes aside. stored is false for a
// duplicate. After an error it is unknown whether it was stored; a
// repetition is safe.
func (b *Box) Store(ctx context.Context, e procore.Event, body []byte) (stored bool, err error) {
	envelope, err := procore.EncodeEvent(e)
	if err != nil {
		return false, err
	}
	envelope = bytes.ToValidUTF8(envelope, []byte("\uFFFD")) // "data" is as it was sent, and the item's text is UTF-8
	if len(body) > MaxBody || len(envelope) > maxEnvelope {
		return b.Aside(ctx, e.CompanyID, "its item would be too large", body)
	}
	item := map[string]types.AttributeValue{
		"resource":        text(e.Key()),
		"event_id":        text(e.ID),
		"group_id":        text(queueID(e.Key())),
		"dedup_id":        text(queueID(strconv.FormatInt(e.CompanyID, 10) + "#" + e.ID)),
		"envelope":        text(string(envelope)),
		"body":            &types.AttributeValueMemberB{Value: body},
		"payload_version": text(e.PayloadVersion),
	}
	if e.ULID != "" {
		item["ulid"] = text(e.ULID)
	}
	return b.put(ctx, e.CompanyID, item)
}

// Aside keeps a delivery that is not handed on: the reason, the body's digest
// and its first 4 KB. stored is false if the same body is kept already.
func (b *Box) Aside(ctx context.Context, companyID int64, reason string, body []byte) (stored bool, err error) {
	sum := sha256.Sum256(body)
	return b.put(ctx, companyID, map[string]types.AttributeValue{
		"resource": text(fmt.Sprintf("%d#aside", companyID)),
		"event_id": text(hex.EncodeToString(sum[:])),
		"reason":   text(reason),
		"size":     number(int64(len(body))),
		"body":     &types.AttributeValueMemberB{Value: body[:min(len(body), asideBody)]},
	})
}

func (b *Box) put(ctx context.Context, companyID int64, item map[string]types.AttributeValue) (bool, error) {
	now := time.Now()
	if b.Now != nil {
		now = b.Now()
	}
	item["company_id"] = text(strconv.FormatInt(companyID, 10))
	item["received_at_ms"] = number(now.UnixMilli())
	item["ttl"] = number(now.Add(life).Unix())
	_, err := b.DB.PutItem(ctx, &dynamodb.PutItemInput{
		TableName:           &b.Table,
		Item:                item,
		ConditionExpression: aws.String("attribute_not_exists(event_id)"),
	})
	if _, duplicate := errors.AsType[*types.ConditionalCheckFailedException](err); duplicate {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("inbox: company %d: not stored: %w", companyID, err)
	}
	return true, nil
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

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}
