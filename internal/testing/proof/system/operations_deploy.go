package system

import (
	"context"
	"maps"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go/middleware"

	"procore-connect/internal/testing/proof/simulation"
)

// rollout deploys the other version of the code, one function after the other. It may be
// rolled back at any time. Sandboxes that are busy go on with what they have.
func (s *system) rollout(ctx context.Context) {
	from := s.deployed
	to := 1 - from
	for i, f := range s.functions {
		f.Deploy(to)
		if !s.pause(ctx, time.Minute) {
			return
		}
		if s.Next("rolls back", "deployments")%30 == 0 {
			s.Happened("rolled back")
			for _, f := range s.functions[:i+1] {
				f.Deploy(from)
				if !s.pause(ctx, 20*time.Second) {
					return
				}
			}
			return
		}
	}
	s.deployed = to
}

// pause waits up to some time between two steps. It reports false when the run is over.
func (s *system) pause(ctx context.Context, most time.Duration) bool {
	return s.Sleep(ctx, s.part("pause", most)) && simulation.Gate(ctx, "goes on") == simulation.Fine
}

// nextAttribute is what the next version of the code adds to each item and each message.
const nextAttribute = "next_version"

// nextVersion makes of the code a next version: what it stores and sends has an attribute
// that this version does not know.
func nextVersion(c aws.Config) aws.Config {
	c.APIOptions = append([]func(*middleware.Stack) error{
		func(s *middleware.Stack) error {
			return s.Initialize.Add(middleware.InitializeMiddlewareFunc("next version", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
				in.Parameters = extended(in.Parameters)
				return next.HandleInitialize(ctx, in)
			}), middleware.Before)
		},
	}, c.APIOptions...)
	return c
}

// extended returns a request with the attribute.
func extended(in any) any {
	switch in := in.(type) {
	case *dynamodb.PutItemInput:
		out := *in
		out.Item = extendedItem(in.Item)
		return &out
	case *dynamodb.UpdateItemInput:
		out := *in
		out.UpdateExpression, out.ExpressionAttributeValues = extendedUpdate(in.UpdateExpression, in.ExpressionAttributeValues)
		return &out
	case *dynamodb.TransactWriteItemsInput:
		out := *in
		out.TransactItems = nil
		for _, one := range in.TransactItems {
			out.TransactItems = append(out.TransactItems, extendedWrite(one))
		}
		return &out
	case *sqs.SendMessageInput:
		out := *in
		out.MessageBody = extendedMessage(in.MessageBody)
		return &out
	case *sqs.SendMessageBatchInput:
		out := *in
		out.Entries = nil
		for _, one := range in.Entries {
			one.MessageBody = extendedMessage(one.MessageBody)
			out.Entries = append(out.Entries, one)
		}
		return &out
	}
	return in
}

func extendedWrite(one types.TransactWriteItem) types.TransactWriteItem {
	if one.Put != nil {
		put := *one.Put
		put.Item = extendedItem(put.Item)
		one.Put = &put
	}
	if one.Update != nil {
		update := *one.Update
		update.UpdateExpression, update.ExpressionAttributeValues = extendedUpdate(update.UpdateExpression, update.ExpressionAttributeValues)
		one.Update = &update
	}
	return one
}

func extendedItem(item simulation.Item) simulation.Item {
	item = maps.Clone(item)
	item[nextAttribute] = &types.AttributeValueMemberS{Value: "2"}
	return item
}

// extendedUpdate adds the attribute to those that an update sets.
func extendedUpdate(expression *string, values simulation.Item) (*string, simulation.Item) {
	text, set := strings.CutPrefix(aws.ToString(expression), "SET ")
	if set {
		text = "SET " + nextAttribute + " = :" + nextAttribute + ", " + text
	} else {
		text = "SET " + nextAttribute + " = :" + nextAttribute + " " + text
	}
	values = maps.Clone(values)
	if values == nil {
		values = simulation.Item{}
	}
	values[":"+nextAttribute] = &types.AttributeValueMemberS{Value: "2"}
	return &text, values
}

// extendedMessage adds a field to a message that is a JSON object.
func extendedMessage(body *string) *string {
	rest, ok := strings.CutPrefix(aws.ToString(body), "{")
	if !ok || rest == "}" {
		return body
	}
	return aws.String(`{"` + nextAttribute + `":2,` + rest)
}
