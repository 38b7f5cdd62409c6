// The storage suite tests what this project relies on in DynamoDB, with the real client. It runs against dynamotest, or
// against any other endpoint:
//
//	DYNAMODB_ENDPOINT=http://127.0.0.1:8000 go test ./internal/testing/fake/dynamotest
package dynamotest_test

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"procore-connect/internal/testing/fake/dynamotest"
)

// ours skips a test of a feature that only dynamotest has.
func ours(t *testing.T) {
	t.Helper()
	if os.Getenv("DYNAMODB_ENDPOINT") != "" {
		t.Skip("skipped: about dynamotest itself, but DYNAMODB_ENDPOINT names another server")
	}
}

// wantRefused is for requests that the service refuses but some emulators accept. There a wrong outcome skips the test
// with a message.
func wantRefused(t *testing.T, err error, source string) {
	t.Helper()
	if got := code(err); got != "ValidationException" && os.Getenv("DYNAMODB_ENDPOINT") != "" {
		t.Skipf("skipped: this server answers %q where the service answers ValidationException: %s", got, source)
	}
	wantCode(t, err, "ValidationException")
}

// A fixture is a table for one test, with the key pk (S) and sk (N). One sparse index by queue (S) and at_ms (N) projects
// everything. Another by owner_id (S) projects keys only.
type fixture struct {
	*testing.T
	client *dynamodb.Client
	table  string
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	return fixtureOn(t, dynamotest.Start(t))
}

func fixtureOn(t *testing.T, client *dynamodb.Client) fixture {
	t.Helper()
	f := fixture{t, client, "suite-" + rand.Text()}
	input := schema(f.table)
	if _, err := client.CreateTable(t.Context(), input); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = client.DeleteTable(context.WithoutCancel(t.Context()), &dynamodb.DeleteTableInput{TableName: &f.table})
	})
	return f
}

func schema(name string) *dynamodb.CreateTableInput {
	key := func(name string, kind types.KeyType) types.KeySchemaElement {
		return types.KeySchemaElement{AttributeName: &name, KeyType: kind}
	}
	attribute := func(name string, kind types.ScalarAttributeType) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: &name, AttributeType: kind}
	}
	return &dynamodb.CreateTableInput{
		TableName:   &name,
		BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			attribute("pk", "S"), attribute("sk", "N"), attribute("queue", "S"), attribute("at_ms", "N"),
			attribute("owner_id", "S"), attribute("shelf", "S"),
		},
		KeySchema: []types.KeySchemaElement{key("pk", "HASH"), key("sk", "RANGE")},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName:  aws.String("due"),
			KeySchema:  []types.KeySchemaElement{key("queue", "HASH"), key("at_ms", "RANGE")},
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		}, {
			IndexName:  aws.String("by_owner"),
			KeySchema:  []types.KeySchemaElement{key("owner_id", "HASH")},
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		}, {
			IndexName:  aws.String("by_shelf"),
			KeySchema:  []types.KeySchemaElement{key("shelf", "HASH")},
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: []string{"v"}},
		}},
		StreamSpecification: &types.StreamSpecification{
			StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewImage,
		},
	}
}

func (f fixture) put(items ...plain) {
	f.Helper()
	for _, i := range items {
		if _, err := f.client.PutItem(f.Context(), &dynamodb.PutItemInput{TableName: &f.table, Item: i.item()}); err != nil {
			f.Fatal(err)
		}
	}
}

// get returns nil when there is no item.
func (f fixture) get(pk string, sk any) plain {
	f.Helper()
	out, err := f.client.GetItem(f.Context(), &dynamodb.GetItemInput{
		TableName: &f.table, Key: key(pk, sk), ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		f.Fatal(err)
	}
	return plainOf(out.Item)
}

func key(pk string, sk any) map[string]types.AttributeValue { return plain{"pk": pk, "sk": sk}.item() }

// code returns the service's name of the error, or "".
func code(err error) string {
	if failure, ok := errors.AsType[smithy.APIError](err); ok {
		return failure.ErrorCode()
	}
	if err != nil {
		return "not an API error: " + err.Error()
	}
	return ""
}

func wantCode(t *testing.T, err error, want string) {
	t.Helper()
	if got := code(err); got != want {
		t.Errorf("error %q, want %q: %v", got, want, err)
	}
}

// plain is an item in Go's own words: string, int, N, bool, nil, []byte, []any, set and plain.
type plain map[string]any

// N is a number that is not an int.
type N string

// set is a string set. One that was read is in order.
type set []string

func (p plain) item() map[string]types.AttributeValue {
	if p == nil {
		return nil
	}
	m := map[string]types.AttributeValue{}
	for name, v := range p {
		m[name] = attributeOf(v)
	}
	return m
}

func attributeOf(v any) types.AttributeValue {
	switch v := v.(type) {
	case string:
		return &types.AttributeValueMemberS{Value: v}
	case int:
		return &types.AttributeValueMemberN{Value: itoa(v)}
	case N:
		return &types.AttributeValueMemberN{Value: string(v)}
	case bool:
		return &types.AttributeValueMemberBOOL{Value: v}
	case []byte:
		return &types.AttributeValueMemberB{Value: v}
	case []any:
		list := []types.AttributeValue{}
		for _, e := range v {
			list = append(list, attributeOf(e))
		}
		return &types.AttributeValueMemberL{Value: list}
	case set:
		return &types.AttributeValueMemberSS{Value: v}
	case plain:
		return &types.AttributeValueMemberM{Value: v.item()}
	}
	return &types.AttributeValueMemberNULL{Value: true}
}

func plainOf(item map[string]types.AttributeValue) plain {
	if item == nil {
		return nil
	}
	p := plain{}
	for name, v := range item {
		p[name] = plainValue(v)
	}
	return p
}

func plainValue(v types.AttributeValue) any {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		if n, ok := atoi(v.Value); ok {
			return n
		}
		return N(v.Value)
	case *types.AttributeValueMemberBOOL:
		return v.Value
	case *types.AttributeValueMemberB:
		return v.Value
	case *types.AttributeValueMemberL:
		list := []any{}
		for _, e := range v.Value {
			list = append(list, plainValue(e))
		}
		return list
	case *types.AttributeValueMemberSS:
		return set(slices.Sorted(slices.Values(v.Value)))
	case *types.AttributeValueMemberM:
		return plainOf(v.Value)
	}
	return nil
}
