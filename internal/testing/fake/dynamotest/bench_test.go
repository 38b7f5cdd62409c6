package dynamotest_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"procore-connect/internal/testing/fake/dynamotest"
)

// BenchmarkOperations measures one operation without a network, in a table of a thousand items. Tests run tens of
// thousands of schedules through ServeHTTP.
func BenchmarkOperations(b *testing.B) {
	server := dynamotest.New()
	client := dynamotest.Client(server.Start(b))
	in := schema("bench")
	in.StreamSpecification = nil
	if _, err := client.CreateTable(b.Context(), in); err != nil {
		b.Fatal(err)
	}
	do := func(operation, body string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+operation)
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x")
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatalf("%s: %s", operation, w.Body)
		}
	}
	item := func(pk, n string) string {
		return `{"pk":{"S":"` + pk + `"},"sk":{"N":"1"},"queue":{"S":"a"},"at_ms":{"N":"` + n + `"},"state":{"S":"active"},` +
			`"rev":{"N":"7"},"sealed":{"B":"c2VhbGVkc2VhbGVkc2VhbGVkc2VhbGVkc2VhbGVkc2VhbGVkc2VhbGVk"},"history":{"L":[` +
			strings.TrimSuffix(strings.Repeat(`{"M":{"state":{"S":"active"},"at":{"N":"1800000000"},"why":{"S":"refreshed"}}},`, 20), ",") + `]}}`
	}
	for n := range 1000 {
		do("PutItem", `{"TableName":"bench","Item":`+item("p"+strconv.Itoa(n), strconv.Itoa(n))+`}`)
	}
	update := `{"TableName":"bench","Key":{"pk":{"S":"p5"},"sk":{"N":"1"}},"UpdateExpression":"SET #a = :a, #b = :b, #c = :c REMOVE #d",` +
		`"ConditionExpression":"#b = :old AND attribute_exists(#b)","ExpressionAttributeNames":{"#a":"state","#b":"rev","#c":"at_ms","#d":"claim"},` +
		`"ExpressionAttributeValues":{":a":{"S":"active"},":b":{"N":"7"},":c":{"N":"5"},":old":{"N":"7"}},"ReturnValuesOnConditionCheckFailure":"ALL_OLD"}`
	for _, bench := range []struct{ operation, body string }{
		{"GetItem", `{"TableName":"bench","Key":{"pk":{"S":"p5"},"sk":{"N":"1"}},"ConsistentRead":true}`},
		{"PutItem", `{"TableName":"bench","ConditionExpression":"attribute_exists(pk)","Item":` + item("p5", "5") + `}`},
		{"UpdateItem", update},
		{"TransactWriteItems", `{"ClientRequestToken":"","TransactItems":[{"Update":` + update + `},{"Put":{"TableName":"bench","Item":` + item("p6", "6") + `}}]}`},
		{"Query", `{"TableName":"bench","IndexName":"due","KeyConditionExpression":"queue = :q AND at_ms < :n",` +
			`"ExpressionAttributeValues":{":q":{"S":"a"},":n":{"N":"3"}}}`},
	} {
		b.Run(bench.operation, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				do(bench.operation, bench.body)
			}
		})
	}
}
