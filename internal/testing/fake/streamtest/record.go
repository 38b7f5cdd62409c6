package streamtest

import (
	"encoding/json"
	"fmt"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// record returns a record as Lambda passes it to a function.
//
// https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
func (m *StreamMapping) record(r types.Record) (events.DynamoDBEventRecord, error) {
	out := events.DynamoDBEventRecord{
		EventID: aws.ToString(r.EventID), EventName: string(r.EventName), EventVersion: "1.1", EventSource: "aws:dynamodb",
		AWSRegion: "us-east-1", EventSourceArn: m.arn,
		Change: events.DynamoDBStreamRecord{
			ApproximateCreationDateTime: events.SecondsEpochTime{Time: aws.ToTime(r.Dynamodb.ApproximateCreationDateTime)},
			SequenceNumber:              aws.ToString(r.Dynamodb.SequenceNumber),
		},
	}
	var err error
	for _, image := range []struct {
		to   *map[string]events.DynamoDBAttributeValue
		from map[string]types.AttributeValue
	}{{&out.Change.Keys, r.Dynamodb.Keys}, {&out.Change.NewImage, r.Dynamodb.NewImage}, {&out.Change.OldImage, r.Dynamodb.OldImage}} {
		if image.from == nil {
			continue
		}
		if *image.to, err = object(image.from); err != nil {
			return out, fmt.Errorf("stream: record %s: %w", out.Change.SequenceNumber, err)
		}
	}
	return out, nil
}

func object(from map[string]types.AttributeValue) (map[string]events.DynamoDBAttributeValue, error) {
	to := make(map[string]events.DynamoDBAttributeValue, len(from))
	for name, v := range from {
		converted, err := attribute(v)
		if err != nil {
			return nil, err
		}
		to[name] = converted
	}
	return to, nil
}

func attribute(v types.AttributeValue) (events.DynamoDBAttributeValue, error) {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return events.NewStringAttribute(v.Value), nil
	case *types.AttributeValueMemberN:
		return events.NewNumberAttribute(v.Value), nil
	case *types.AttributeValueMemberB:
		return events.NewBinaryAttribute(v.Value), nil
	case *types.AttributeValueMemberBOOL:
		return events.NewBooleanAttribute(v.Value), nil
	case *types.AttributeValueMemberNULL:
		return events.NewNullAttribute(), nil
	case *types.AttributeValueMemberSS:
		return events.NewStringSetAttribute(v.Value), nil
	case *types.AttributeValueMemberNS:
		return events.NewNumberSetAttribute(v.Value), nil
	case *types.AttributeValueMemberBS:
		return events.NewBinarySetAttribute(v.Value), nil
	case *types.AttributeValueMemberM:
		inner, err := object(v.Value)
		return events.NewMapAttribute(inner), err
	case *types.AttributeValueMemberL:
		var all []events.DynamoDBAttributeValue
		for _, one := range v.Value {
			converted, err := attribute(one)
			if err != nil {
				return events.NewNullAttribute(), err
			}
			all = append(all, converted)
		}
		return events.NewListAttribute(all), nil
	}
	return events.NewNullAttribute(), fmt.Errorf("a value of type %T", v)
}

// matches reports whether a record matches one of the filters.
func (m *StreamMapping) matches(r events.DynamoDBEventRecord) (bool, error) {
	if len(m.filters) == 0 {
		return true, nil
	}
	text, err := json.Marshal(r)
	if err != nil {
		return false, err
	}
	var record any
	if err := json.Unmarshal(text, &record); err != nil {
		return false, err
	}
	return m.filters.Match(record)
}
