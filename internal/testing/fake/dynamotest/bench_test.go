package dynamotest_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
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

// BenchmarkDo measures one operation without a wire, in a table of a hundred thousand items that are all in one partition
// of its index.
func BenchmarkDo(b *testing.B) {
	server := dynamotest.New()
	do := func(in any) {
		if _, err := server.Do(dynamotest.RequestOf(in)); err != nil {
			b.Fatal(err)
		}
	}
	in := schema("bench")
	do(in)
	const rows = 100_000
	key := func(n int) dynamo.Item {
		return dynamo.Item{"pk": dynamo.Text("p" + strconv.Itoa(n*7919%rows)), "sk": dynamo.Number(1)}
	}
	put := func(n int) *types.Put {
		i := key(n)
		maps.Copy(i, dynamo.Item{"queue": dynamo.Text("a"), "at_ms": dynamo.Number(int64(n * 31 % rows)), "state": dynamo.Text("active"),
			"rev": dynamo.Number(7), "sealed": dynamo.Bytes(make([]byte, 200)), "holders": &types.AttributeValueMemberSS{Value: []string{"1", "2"}},
			"write": dynamo.Text("AAAAAAAAAAAAAAAAAAAAAAAAAA"), "reason": dynamo.Text("refreshed"), "generation": dynamo.Number(5)})
		return new(dynamo.Expression).Absent("none").Put("bench", i).Put
	}
	for n := range rows {
		p := put(n)
		do(&dynamodb.PutItemInput{TableName: p.TableName, Item: p.Item})
	}
	for _, bench := range []struct {
		name string
		in   func(n int) any
	}{
		{"GetItem", func(n int) any { return &dynamodb.GetItemInput{TableName: in.TableName, Key: key(n)} }},
		{"PutItem", func(n int) any {
			p := put(n)
			return &dynamodb.PutItemInput{TableName: p.TableName, Item: p.Item, ConditionExpression: p.ConditionExpression, ExpressionAttributeNames: p.ExpressionAttributeNames}
		}},
		{"UpdateItem", func(n int) any {
			u := new(dynamo.Expression).Set(dynamo.Item{"state": dynamo.Text("active"), "rev": dynamo.Number(7), "at_ms": dynamo.Number(int64(n % rows)), "claim": nil}).
				Equal("rev", dynamo.Number(7)).Equal("write", dynamo.Text("AAAAAAAAAAAAAAAAAAAAAAAAAA")).Update("bench", key(n)).Update
			return &dynamodb.UpdateItemInput{TableName: u.TableName, Key: u.Key, UpdateExpression: u.UpdateExpression, ConditionExpression: u.ConditionExpression,
				ExpressionAttributeNames: u.ExpressionAttributeNames, ExpressionAttributeValues: u.ExpressionAttributeValues}
		}},
		{"Query", func(n int) any {
			q := new(dynamo.Expression).Equal("queue", dynamo.Text("a")).Compare("at_ms", ">=", dynamo.Number(int64(n%rows))).Query("bench", "due")
			q.Limit = aws.Int32(3)
			return q
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				do(bench.in(n))
			}
		})
	}
}
