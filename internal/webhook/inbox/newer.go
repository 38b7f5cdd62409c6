package inbox

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

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
	out, err := s.DB.Query(ctx, &dynamodb.QueryInput{
		TableName:                 &s.Table,
		KeyConditionExpression:    aws.String("#resource = :resource"),
		ExpressionAttributeNames:  map[string]string{"#resource": "resource"}, // a reserved word
		ExpressionAttributeValues: map[string]types.AttributeValue{":resource": text(e.Key())},
		ScanIndexForward:          aws.Bool(false),
		Limit:                     aws.Int32(newerLook),
	})
	if err != nil {
		return false, fmt.Errorf("inbox: events of a resource of company %d: %w", e.CompanyID, err)
	}
	at := e.Timestamp.UnixMilli()
	for _, i := range out.Items {
		if happened, ok := integer(i, "happened_at_ms"); ok && happened > at && !byApp(i) {
			return true, nil
		}
	}
	return false, nil
}

func byApp(item map[string]types.AttributeValue) bool {
	e, err := procore.ParseEvent([]byte(word(item, "envelope")))
	return err != nil || e.SourceApplicationID != ""
}

func integer(item map[string]types.AttributeValue, name string) (int64, bool) {
	n, ok := item[name].(*types.AttributeValueMemberN)
	if !ok {
		return 0, false
	}
	v, err := strconv.ParseInt(n.Value, 10, 64)
	return v, err == nil
}

func word(item map[string]types.AttributeValue, name string) string {
	s, ok := item[name].(*types.AttributeValueMemberS)
	if !ok {
		return ""
	}
	return s.Value
}
