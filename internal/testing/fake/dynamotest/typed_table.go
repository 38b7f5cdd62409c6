package dynamotest

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func createTableOf(in *dynamodb.CreateTableInput) createTable {
	rest := *in
	rest.TableName, rest.AttributeDefinitions, rest.KeySchema, rest.BillingMode = nil, nil, nil, ""
	rest.GlobalSecondaryIndexes, rest.StreamSpecification = nil, nil
	only(rest)
	out := createTable{TableName: *in.TableName, KeySchema: listOf(in.KeySchema, keyElementOf), BillingMode: string(in.BillingMode)}
	for _, a := range in.AttributeDefinitions {
		out.AttributeDefinitions = append(out.AttributeDefinitions, attributeDefinition{*a.AttributeName, string(a.AttributeType)})
	}
	for _, g := range in.GlobalSecondaryIndexes {
		out.GlobalSecondaryIndexes = append(out.GlobalSecondaryIndexes, indexDefinition{*g.IndexName, listOf(g.KeySchema, keyElementOf),
			projection{string(g.Projection.ProjectionType), g.Projection.NonKeyAttributes}})
	}
	if stream := in.StreamSpecification; stream != nil {
		out.StreamSpecification = &streamDefinition{aws.ToBool(stream.StreamEnabled), string(stream.StreamViewType)}
	}
	return out
}

func keyElementOf(k types.KeySchemaElement) keyElement {
	return keyElement{*k.AttributeName, string(k.KeyType)}
}
