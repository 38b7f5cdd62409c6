package dynamotest_test

import (
	"crypto/rand"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/testing/fake/dynamotest"
)

func TestTableLife(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, err := f.client.CreateTable(t.Context(), schema(f.table))
	wantCode(t, err, "ResourceInUseException")
	out, err := f.client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &f.table})
	if err != nil {
		t.Fatal(err)
	}
	if got := out.Table.TableStatus; got != types.TableStatusActive {
		t.Errorf("status %s, want ACTIVE", got)
	}
	if got := len(out.Table.GlobalSecondaryIndexes); got != 2 {
		t.Errorf("%d indexes, want 2", got)
	}
	if _, err := f.client.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &f.table}); err != nil {
		t.Fatal(err)
	}
	_, err = f.client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &f.table})
	wantCode(t, err, "ResourceNotFoundException")
	_, err = f.client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &f.table, Key: key("a", 1)})
	wantCode(t, err, "ResourceNotFoundException")
	_, err = f.client.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &f.table})
	wantCode(t, err, "ResourceNotFoundException")
}

func TestTablesThatAreRefused(t *testing.T) {
	t.Parallel()
	client := dynamotest.Start(t)
	for name, change := range map[string]func(*dynamodb.CreateTableInput){
		"undefined key":       func(in *dynamodb.CreateTableInput) { in.AttributeDefinitions = in.AttributeDefinitions[1:] },
		"undefined index key": func(in *dynamodb.CreateTableInput) { in.AttributeDefinitions = in.AttributeDefinitions[:4] },
		"sort key only":       func(in *dynamodb.CreateTableInput) { in.KeySchema = in.KeySchema[1:] },
	} {
		t.Run(name, func(t *testing.T) {
			in := schema("suite-" + rand.Text())
			change(in)
			_, err := client.CreateTable(t.Context(), in)
			wantCode(t, err, "ValidationException")
		})
	}
}

func TestTimeToLiveSetting(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	status := func() (types.TimeToLiveStatus, string) {
		out, err := f.client.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: &f.table})
		if err != nil {
			t.Fatal(err)
		}
		return out.TimeToLiveDescription.TimeToLiveStatus, aws.ToString(out.TimeToLiveDescription.AttributeName)
	}
	if got, _ := status(); got != types.TimeToLiveStatusDisabled {
		t.Errorf("status of a new table %s, want DISABLED", got)
	}
	set := func(enabled bool) error {
		_, err := f.client.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{TableName: &f.table,
			TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("ttl"), Enabled: &enabled}})
		return err
	}
	wantCode(t, set(true), "")
	if got, attribute := status(); got != types.TimeToLiveStatusEnabled || attribute != "ttl" {
		t.Errorf("status %s by %q, want ENABLED by ttl", got, attribute)
	}
	f.put(plain{"pk": "a", "sk": 1, "ttl": 1})
	if f.get("a", 1) == nil {
		t.Error("an expired item that was not removed yet is not read")
	}
	wantRefused(t, set(true), "TimeToLive is already enabled")
}
