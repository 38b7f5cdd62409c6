package tables

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Grants has a row for each environment and principal. The index due lists the rows that the refresher may refresh or
// revoke.
func Grants(name string) *dynamodb.CreateTableInput {
	return streamed(types.StreamViewTypeNewAndOldImages, table(name, text("grant"), nil,
		index("due", text("due_shard"), number("due_at"), types.ProjectionTypeKeysOnly)))
}

// Connections has a row for each company and principal, and one for the company's hook. The index checks lists the rows
// that the refresher has to check, installed those of the service account, and needs those for which a person may have to act.
// The index listed has what a list shows of all connections but those that have ended.
func Connections(name string) *dynamodb.CreateTableInput {
	return streamed(types.StreamViewTypeNewAndOldImages, table(name, text("company"), text("principal"),
		index("checks", text("check_shard"), number("check_at"), types.ProjectionTypeKeysOnly),
		index("installed", text("installed"), nil, types.ProjectionTypeKeysOnly),
		index("needs", text("needs"), nil, types.ProjectionTypeKeysOnly),
		index("listed", text("listed"), nil, types.ProjectionTypeInclude,
			"state", "company_name", "user_name", "connected_at_ms", "reference", "paused_until", "reason", "reason_at", "webhooks")))
}

// Spends has a fingerprint of each refresh token that was sent.
func Spends(name string) *dynamodb.CreateTableInput {
	return table(name, text("fingerprint"), nil)
}

// Sessions has a row for each authorization. The index held lists those with a pair.
func Sessions(name string) *dynamodb.CreateTableInput {
	return table(name, text("session"), nil,
		index("held", text("held_shard"), number("expires_at"), types.ProjectionTypeAll))
}

// Inbox has the webhook events by resource. The index by_company lists them by arrival; the stream feeds the
// dispatcher.
func Inbox(name string) *dynamodb.CreateTableInput {
	return streamed(types.StreamViewTypeNewImage, table(name, text("resource"), text("event_id"),
		index("by_company", text("company_id"), number("received_at_ms"), types.ProjectionTypeKeysOnly)))
}

// streamed adds a stream to a table. Those of grants and connections feed the announcer.
func streamed(view types.StreamViewType, input *dynamodb.CreateTableInput) *dynamodb.CreateTableInput {
	input.StreamSpecification = &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: view}
	return input
}

// An attribute is a part of a key. The sort key of a table without one is nil.
type attribute = *types.AttributeDefinition

func text(name string) attribute {
	return &types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeTypeS}
}

func number(name string) attribute {
	return &types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeTypeN}
}

// definition is an index with the attributes that its key needs.
type definition struct {
	index      types.GlobalSecondaryIndex
	attributes []types.AttributeDefinition
}

// index defines an index. also are what it projects besides keys.
func index(name string, hash, sort attribute, projection types.ProjectionType, also ...string) definition {
	attributes := []types.AttributeDefinition{*hash}
	if sort != nil {
		attributes = append(attributes, *sort)
	}
	return definition{
		index: types.GlobalSecondaryIndex{
			IndexName:  &name,
			KeySchema:  schema(hash, sort),
			Projection: &types.Projection{ProjectionType: projection, NonKeyAttributes: also},
		},
		attributes: attributes,
	}
}

func table(name string, hash, sort attribute, indexes ...definition) *dynamodb.CreateTableInput {
	input := &dynamodb.CreateTableInput{
		TableName:            &name,
		BillingMode:          types.BillingModePayPerRequest,
		KeySchema:            schema(hash, sort),
		AttributeDefinitions: []types.AttributeDefinition{*hash},
	}
	if sort != nil {
		input.AttributeDefinitions = append(input.AttributeDefinitions, *sort)
	}
	for _, d := range indexes {
		input.GlobalSecondaryIndexes = append(input.GlobalSecondaryIndexes, d.index)
		input.AttributeDefinitions = append(input.AttributeDefinitions, d.attributes...)
	}
	return input
}

func schema(hash, sort attribute) []types.KeySchemaElement {
	elements := []types.KeySchemaElement{{AttributeName: hash.AttributeName, KeyType: types.KeyTypeHash}}
	if sort != nil {
		elements = append(elements, types.KeySchemaElement{AttributeName: sort.AttributeName, KeyType: types.KeyTypeRange})
	}
	return elements
}
