package main

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// The operator sees whose connection it is in a host application, and finds the connections of one tenant. A text that no
// redemption sets stays on its line.
func TestReferences(t *testing.T) {
	t.Parallel()
	w := morning(t)
	const joe, max = procoretest.Joe, procoretest.Max
	ended := w.connect(7003, max, "Left Ltd.", "Max Manager", connections.WebhooksOff)
	w.refer(ended.Key, "tenant-42")
	if err := w.Store().End(t.Context(), ended.Key, "disconnected by Max Manager"); err != nil {
		t.Fatal(err)
	}
	w.refer(connections.Key{CompanyID: 5678, Principal: tokens.User(joe)}, "tenant-42")
	w.refer(connections.Key{CompanyID: 5679, Principal: tokens.User(joe)}, strings.Repeat("x", 128))
	w.refer(connections.Key{CompanyID: 5679, Principal: tokens.User(max)}, "tenant-4.")
	_, err := w.DB.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: &w.Tables.Connections, Key: dynamo.Item{"company": dynamo.Text("custom#7001"), "principal": dynamo.Text(string(tokens.User(max)))},
		UpdateExpression: new("SET #r = :r"), ExpressionAttributeNames: map[string]string{"#r": "reference"},
		ExpressionAttributeValues: dynamo.Item{":r": dynamo.Text("\x1b[2Jtenant\n-\u202e\t42")},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range []struct{ file, args string }{
		{"references-list", "list"},
		{"references-list-json", "list --reference tenant-42 --json"},
		{"references-one", "list --reference tenant-42"},
		{"references-needs-person", "list --reference tenant-42 --needs-person"},
		{"references-none", "list --reference tenant-4"},
		{"references-show", "show 5679"},
		{"references-why", "why 5679"},
		{"references-why-ended", "why 7003"},
		{"references-why-forged", "why 7001"},
	} {
		wants(t, w, one.file, strings.Fields(one.args)...)
	}
	wants(t, w, "references-empty", "list", "--reference", "")
	wants(t, w, "references-blank", "list", "--reference", "tenant 42")
}

// refer puts a reference on a connection, as a redemption does.
func (w *world) refer(k connections.Key, reference string) {
	w.t.Helper()
	if _, err := w.Store().SetReference(w.t.Context(), w.Connection(k), reference); err != nil {
		w.t.Fatal(err)
	}
}
