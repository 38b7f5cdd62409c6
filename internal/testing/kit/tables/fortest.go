package tables

import (
	"context"
	"crypto/rand"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// TB is the part of testing.TB that CreateForTest needs, so that a program that imports this package does not link
// testing.
type TB interface {
	Helper()
	Context() context.Context
	Cleanup(func())
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
}

// CreateForTest creates tables for one test, under names that no other test uses, and deletes them at its end.
func CreateForTest(tb TB, client *dynamodb.Client) Names {
	tb.Helper()
	suffix := "-" + rand.Text()
	names := Names{
		Grants:      "grants" + suffix,
		Connections: "connections" + suffix,
		Spends:      "spends" + suffix,
		Sessions:    "sessions" + suffix,
		Inbox:       "inbox" + suffix,
	}
	if err := Create(tb.Context(), client, names); err != nil {
		tb.Fatalf("%v", err)
	}
	ctx := context.WithoutCancel(tb.Context())
	tb.Cleanup(func() {
		for _, name := range []string{names.Grants, names.Connections, names.Spends, names.Sessions, names.Inbox} {
			if _, err := client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &name}); err != nil {
				tb.Logf("tables: %s was not deleted: %v", name, err)
			}
		}
	})
	return names
}
