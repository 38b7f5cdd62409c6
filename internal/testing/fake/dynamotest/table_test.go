package dynamotest_test

import (
	"crypto/rand"
	"slices"
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
	if got := len(out.Table.GlobalSecondaryIndexes); got != 3 {
		t.Errorf("%d indexes, want 3", got)
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

// Pages of a list of tables have the names in order, and each name once.
func TestListTables(t *testing.T) {
	t.Parallel()
	ours(t)
	client := dynamotest.Client(dynamotest.New().Start(t))
	names := []string{"first", "second", "third", "zone"}
	for _, name := range slices.Backward(names) {
		if _, err := client.CreateTable(t.Context(), schema(name)); err != nil {
			t.Fatal(err)
		}
	}
	for limit, pages := range map[int32]int{1: 4, 3: 2, 4: 1, 100: 1} {
		var got []string
		n := 0
		for p := dynamodb.NewListTablesPaginator(client, &dynamodb.ListTablesInput{Limit: &limit}); p.HasMorePages(); n++ {
			page, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, page.TableNames...)
		}
		if !slices.Equal(got, names) || n != pages {
			t.Errorf("limit %d: %v on %d pages, want %v on %d", limit, got, n, names, pages)
		}
	}
	out, err := client.ListTables(t.Context(), &dynamodb.ListTablesInput{ExclusiveStartTableName: aws.String("seventh")})
	if err != nil || !slices.Equal(out.TableNames, []string{"third", "zone"}) || out.LastEvaluatedTableName != nil {
		t.Errorf("after a name that no table has: %v, %v", out, err)
	}
	for _, limit := range []int32{0, 101} {
		_, err := client.ListTables(t.Context(), &dynamodb.ListTablesInput{Limit: &limit})
		wantCode(t, err, "ValidationException")
	}
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
