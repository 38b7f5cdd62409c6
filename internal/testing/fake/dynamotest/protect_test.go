package dynamotest_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/testing/fake/dynamotest"
)

// protect turns point-in-time recovery and the protection from deletion on or off.
func protect(t *testing.T, client *dynamodb.Client, table string, on bool) {
	t.Helper()
	_, err := client.UpdateContinuousBackups(t.Context(), &dynamodb.UpdateContinuousBackupsInput{TableName: &table,
		PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: &on}})
	if err == nil {
		_, err = client.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: &table, DeletionProtectionEnabled: &on})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A table has neither at first. A protected one is not deleted.
func TestProtect(t *testing.T) {
	t.Parallel()
	ours(t) // dynoxide has no UpdateContinuousBackups
	f := fixtureOn(t, dynamotest.Start(t))
	for _, on := range []bool{false, true, false} {
		protect(t, f.client, f.table, on)
		backups, err := f.client.DescribeContinuousBackups(t.Context(), &dynamodb.DescribeContinuousBackupsInput{TableName: &f.table})
		if err != nil {
			t.Fatal(err)
		}
		table, err := f.client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &f.table})
		if err != nil {
			t.Fatal(err)
		}
		recovery := backups.ContinuousBackupsDescription.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus
		if got := *table.Table.DeletionProtectionEnabled; got != on || (recovery == types.PointInTimeRecoveryStatusEnabled) != on {
			t.Errorf("protected %t, recovery %s, want both %t", got, recovery, on)
		}
		_, err = f.client.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &f.table})
		if on != (err != nil) {
			t.Errorf("protected %t, and deleted with error %v", on, err)
		}
		if !on {
			f = fixtureOn(t, f.client)
		}
	}
	none := "none"
	_, err := f.client.DescribeContinuousBackups(t.Context(), &dynamodb.DescribeContinuousBackupsInput{TableName: &none})
	if !errors.As(err, new(*types.TableNotFoundException)) {
		t.Errorf("got %v, want TableNotFoundException", err)
	}
}
