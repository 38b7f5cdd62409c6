package repo

import (
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/tables"
)

// The tables of template.yaml are the tables of the tests and of the local stack.
func TestTables(t *testing.T) {
	t.Parallel()
	n := template(t)
	client := dynamotest.Start(t)
	names := tables.CreateForTest(t, client)
	for resource, name := range map[string]string{
		"GrantsTable": names.Grants, "ConnectionsTable": names.Connections, "SpendsTable": names.Spends, "SessionsTable": names.Sessions, "InboxTable": names.Inbox,
	} {
		t.Run(resource, func(t *testing.T) {
			t.Parallel()
			got := declared(get(n, "Resources", resource, "Properties"))
			slices.Sort(got)
			if d := cmp.Diff(got, created(t, client, name)); d != "" {
				t.Errorf("template.yaml - internal/testing/kit/tables +:\n%s", d)
			}
		})
	}
	for resource, want := range map[string]string{"GrantsTable": "true", "ConnectionsTable": "true", "SpendsTable": ""} { // the ledger is never restored
		if got := text(get(n, "Resources", resource, "Properties", "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled")); got != want {
			t.Errorf("point-in-time recovery of %s: %q, want %q", resource, got, want)
		}
		if got := get(n, "Resources", resource, "Properties", "DeletionProtectionEnabled"); got != node(tagged{"Ref", "DeletionProtection"}) {
			t.Errorf("deletion protection of %s: %v, want the parameter", resource, got)
		}
	}
}

// declared describes a table of template.yaml in lines.
func declared(table node) []string {
	kinds := make(map[string]string)
	for _, a := range items(get(table, "AttributeDefinitions")) {
		kinds[text(get(a, "AttributeName"))] = text(get(a, "AttributeType"))
	}
	key := func(n node) (all []string) {
		for _, e := range items(get(n, "KeySchema")) {
			name := text(get(e, "AttributeName"))
			all = append(all, text(get(e, "KeyType"))+" "+name+" "+kinds[name])
		}
		return all
	}
	lines := []string{
		fmt.Sprint("key ", key(table)),
		"billing " + text(get(table, "BillingMode")),
		"expires by " + text(get(table, "TimeToLiveSpecification", "AttributeName")),
		"stream " + text(get(table, "StreamSpecification", "StreamViewType")),
		fmt.Sprint("attributes ", len(kinds)),
	}
	for _, i := range items(get(table, "GlobalSecondaryIndexes")) {
		lines = append(lines, fmt.Sprint("index ", text(get(i, "IndexName")), key(i), text(get(i, "Projection", "ProjectionType")), items(get(i, "Projection", "NonKeyAttributes"))))
	}
	slices.Sort(lines)
	return lines
}

func items(n node) list {
	l, _ := n.(list)
	return l
}

// created describes a table of internal/testing/kit/tables in the same lines.
func created(t *testing.T, client *dynamodb.Client, name string) []string {
	t.Helper()
	out, err := client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &name})
	if err != nil {
		t.Fatal(err)
	}
	ttl, err := client.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: &name})
	if err != nil {
		t.Fatal(err)
	}
	kinds := make(map[string]types.ScalarAttributeType)
	for _, a := range out.Table.AttributeDefinitions {
		kinds[*a.AttributeName] = a.AttributeType
	}
	key := func(schema []types.KeySchemaElement) (all []string) {
		for _, e := range schema {
			all = append(all, fmt.Sprintf("%s %s %s", e.KeyType, *e.AttributeName, kinds[*e.AttributeName]))
		}
		return all
	}
	expires, stream := "", ""
	if ttl.TimeToLiveDescription.TimeToLiveStatus == types.TimeToLiveStatusEnabled {
		expires = *ttl.TimeToLiveDescription.AttributeName
	}
	if s := out.Table.StreamSpecification; s != nil {
		stream = string(s.StreamViewType)
	}
	lines := []string{
		fmt.Sprint("key ", key(out.Table.KeySchema)),
		"billing " + string(out.Table.BillingModeSummary.BillingMode),
		"expires by " + expires,
		"stream " + stream,
		fmt.Sprint("attributes ", len(kinds)),
	}
	for _, i := range out.Table.GlobalSecondaryIndexes {
		lines = append(lines, fmt.Sprint("index ", *i.IndexName, key(i.KeySchema), i.Projection.ProjectionType, i.Projection.NonKeyAttributes))
	}
	slices.Sort(lines)
	return lines
}
