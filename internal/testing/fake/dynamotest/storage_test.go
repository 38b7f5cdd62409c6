package dynamotest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/fake/journal"
	"procore-connect/internal/testing/kit/storagetest"
)

// createT creates the table t with a stream.
const createT = `{"TableName":"t","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],` +
	`"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],"StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_IMAGE"}}`

func stored(t *testing.T, disk *journal.Disk) *dynamotest.Server {
	t.Helper()
	j, err := journal.Open(disk)
	if err != nil {
		t.Fatal(err)
	}
	server, err := dynamotest.Open(j.Part("dynamo"))
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// ended returns a context with which Feed does not wait.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// answer does one operation without a network.
func answer(server *dynamotest.Server, operation, body string) (status int, out string) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+operation)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x")
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// The next server has the tables, the items in their indexes, and the streams, whose numbers go on.
func TestStorage(t *testing.T) {
	t.Parallel()
	disk := journal.NewDisk()
	server := stored(t, disk)
	server.FeedLength = 4 // of five changes
	f := fixtureOn(t, dynamotest.Client(server.Start(t)))
	f.put(plain{"pk": "a/b", "sk": 1, "queue": "q", "at_ms": 7, "v": set{"x", ""}}, plain{"pk": "a/b", "sk": -2}, plain{"pk": "gone", "sk": 1})
	f.put(plain{"pk": "a/b", "sk": 1, "queue": "q", "at_ms": 8, "v": []any{N("1.5"), nil, true, []byte("b")}})
	_, err := f.client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &f.table, Key: key("gone", 1)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.client.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{TableName: &f.table,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("ttl"), Enabled: aws.Bool(true)}})
	if err != nil {
		t.Fatal(err)
	}
	protect(t, f.client, f.table, true)
	other := fixtureOn(t, f.client)
	other.put(plain{"pk": "a", "sk": 1})
	if _, err := f.client.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &other.table}); err != nil {
		t.Fatal(err)
	}
	bodies := []struct{ operation, body string }{
		{"DescribeTable", `{"TableName":"` + f.table + `"}`},
		{"DescribeTimeToLive", `{"TableName":"` + f.table + `"}`},
		{"DescribeContinuousBackups", `{"TableName":"` + f.table + `"}`},
		{"Scan", `{"TableName":"` + f.table + `"}`},
		{"Scan", `{"TableName":"` + f.table + `","IndexName":"due"}`},
		{"Scan", `{"TableName":"` + other.table + `"}`},
	}
	var want []string
	for _, b := range bodies {
		_, out := answer(server, b.operation, b.body)
		want = append(want, out)
	}
	records, err := server.Feed(ended(), f.table, 0)
	if err != nil || len(records) != 4 {
		t.Fatalf("%d records, %v", len(records), err)
	}

	next := stored(t, disk.Restart(rand.New(rand.NewPCG(1, 1))))
	for n, b := range bodies {
		if _, out := answer(next, b.operation, b.body); out != want[n] {
			t.Errorf("%s %s, got - want +:\n%s", b.operation, b.body, cmp.Diff(out, want[n]))
		}
	}
	got, err := next.Feed(ended(), f.table, 2)
	sameTime := cmp.Comparer(func(a, b dynamotest.Record) bool {
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b)
		return string(x) == string(y) && (a.NewImage == nil) == (b.NewImage == nil) && (a.OldImage == nil) == (b.OldImage == nil)
	})
	if diff := cmp.Diff(got, records[1:], sameTime); err != nil || diff != "" {
		t.Errorf("feed: %v, got - want +:\n%s", err, diff)
	}
	on := fixture{t, dynamotest.Client(next.Start(t)), f.table}
	_, err = on.client.CreateTable(t.Context(), schema(f.table))
	wantCode(t, err, "ResourceInUseException")
	changed := schema(f.table)
	changed.GlobalSecondaryIndexes = changed.GlobalSecondaryIndexes[:1]
	changed.AttributeDefinitions = changed.AttributeDefinitions[:4]
	_, err = on.client.CreateTable(t.Context(), changed)
	wantCode(t, err, "ValidationException")
	on.put(plain{"pk": "b", "sk": 1})
	if got, err := next.Feed(ended(), f.table, 5); err != nil || len(got) != 1 || got[0].Sequence != 6 {
		t.Errorf("the next record: %+v, %v", got, err)
	}
}

// What was answered is there after a crash at any moment, with its record.
func TestStorageCrashes(t *testing.T) {
	t.Parallel()
	const items = 10
	for at := 1; at < 60; at++ {
		disk := journal.NewDisk()
		server := stored(t, disk)
		disk.Crash(at)
		done := 0
		if status, _ := answer(server, "CreateTable", createT); status == http.StatusOK {
			for done < items {
				status, out := answer(server, "PutItem", fmt.Sprintf(`{"TableName":"t","Item":{"pk":{"S":"%d"}}}`, done))
				if status != http.StatusOK {
					if !strings.Contains(out, "InternalServerError") {
						t.Errorf("crash at %d: %s", at, out)
					}
					break
				}
				done++
			}
		}
		next := stored(t, disk.Restart(rand.New(rand.NewPCG(uint64(at), 0))))
		there := 0
		for n := range items {
			if _, out := answer(next, "GetItem", fmt.Sprintf(`{"TableName":"t","Key":{"pk":{"S":"%d"}}}`, n)); strings.Contains(out, "Item") {
				there++
			}
		}
		records, _ := next.Feed(ended(), "t", 0) // none is an error
		if there < done || there > done+1 || len(records) != there {
			t.Errorf("crash at %d: %d items and %d records of %d", at, there, len(records), done)
		}
	}
}

// Nothing leaves before it is durable, neither a write nor a read nor a record.
func TestNothingLeavesBeforeSync(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		storage := storagetest.New(t)
		server, err := dynamotest.Open(storage)
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct{ operation, body string }{
			{"CreateTable", createT},
			{"PutItem", `{"TableName":"t","Item":{"pk":{"S":"a"}}}`},
			{"GetItem", `{"TableName":"t","Key":{"pk":{"S":"a"}}}`},
			{"Scan", `{"TableName":"t"}`},
			{"PutItem", `{"TableName":"t","Item":{"pk":{"S":"a"}},"ConditionExpression":"attribute_not_exists(pk)"}`},
			{"Feed", ""},
		} {
			do := func() string {
				if test.operation == "Feed" {
					_, err := server.Feed(t.Context(), "t", 0)
					return fmt.Sprint(err)
				}
				status, out := answer(server, test.operation, test.body)
				return fmt.Sprint(status, out)
			}
			if failed := storage.Holds(t, test.operation, do); !strings.Contains(failed, storagetest.Full) {
				t.Errorf("%s after a Sync that failed: %s", test.operation, failed)
			}
		}
	})
}
