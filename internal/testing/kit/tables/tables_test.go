package tables_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/tables"
)

func TestCreateMakesTheFiveTables(t *testing.T) {
	t.Parallel()
	client := dynamotest.Start(t)
	names := tables.CreateForTest(t, client)
	tests := []struct {
		name    string
		keys    []string
		indexes map[string][]string
		ttl     string
		view    types.StreamViewType
	}{
		{names.Grants, []string{"grant S"}, map[string][]string{"due": {"due_shard S", "due_at N", "KEYS_ONLY"}}, "", types.StreamViewTypeNewAndOldImages},
		{names.Connections, []string{"company S", "principal S"}, map[string][]string{
			"checks": {"check_shard S", "check_at N", "KEYS_ONLY"}, "installed": {"installed S", "KEYS_ONLY"},
			"needs":  {"needs S", "KEYS_ONLY"},
			"listed": {"listed S", "INCLUDE", "state", "company_name", "user_name", "connected_at_ms", "reference", "paused_until", "reason", "reason_at", "webhooks"},
		}, "", types.StreamViewTypeNewAndOldImages},
		{names.Spends, []string{"fingerprint S"}, map[string][]string{}, "ttl", ""},
		{names.Sessions, []string{"session S"}, map[string][]string{"held": {"held_shard S", "expires_at N", "ALL"}}, "ttl", ""},
		{names.Inbox, []string{"resource S", "event_id S"}, map[string][]string{
			"by_company": {"company_id S", "received_at_ms N", "KEYS_ONLY"},
		}, "ttl", types.StreamViewTypeNewImage},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			table := describe(t, client, test.name)
			kinds := map[string]string{}
			for _, a := range table.AttributeDefinitions {
				kinds[*a.AttributeName] = " " + string(a.AttributeType)
			}
			keys := func(schema []types.KeySchemaElement) (keys []string) {
				for _, e := range schema {
					keys = append(keys, *e.AttributeName+kinds[*e.AttributeName])
				}
				return keys
			}
			indexes := map[string][]string{}
			for _, x := range table.GlobalSecondaryIndexes {
				indexes[*x.IndexName] = append(append(keys(x.KeySchema), string(x.Projection.ProjectionType)), x.Projection.NonKeyAttributes...)
			}
			if diff := cmp.Diff(keys(table.KeySchema), test.keys); diff != "" {
				t.Errorf("key, got - want +:\n%s", diff)
			}
			if diff := cmp.Diff(indexes, test.indexes); diff != "" {
				t.Errorf("indexes, got - want +:\n%s", diff)
			}
			if got := timeToLive(t, client, test.name); got != test.ttl {
				t.Errorf("time to live by %q, want %q", got, test.ttl)
			}
			var view types.StreamViewType
			if table.StreamSpecification != nil {
				view = table.StreamSpecification.StreamViewType
			}
			if view != test.view {
				t.Errorf("stream view %q, want %q", view, test.view)
			}
		})
	}
}

func TestCreateToleratesWhatExists(t *testing.T) {
	t.Parallel()
	client := dynamotest.Start(t)
	names := tables.CreateForTest(t, client)
	_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &names.Spends,
		Item: map[string]types.AttributeValue{"fingerprint": &types.AttributeValueMemberS{Value: "f"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := tables.Create(t.Context(), client, names); err != nil {
		t.Errorf("second Create: %v", err)
	}
	out, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &names.Spends,
		Key: map[string]types.AttributeValue{"fingerprint": &types.AttributeValueMemberS{Value: "f"}}})
	if err != nil || out.Item == nil {
		t.Errorf("after the second Create: item %v, error %v, want the item", out, err)
	}
}

func describe(t *testing.T, client *dynamodb.Client, name string) *types.TableDescription {
	t.Helper()
	out, err := client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return out.Table
}

func timeToLive(t *testing.T, client *dynamodb.Client, name string) string {
	t.Helper()
	out, err := client.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: &name})
	if err != nil {
		t.Fatal(err)
	}
	if out.TimeToLiveDescription.TimeToLiveStatus != types.TimeToLiveStatusEnabled {
		return ""
	}
	return *out.TimeToLiveDescription.AttributeName
}
