package dynamotest_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/fake/dynamotest"
)

// filled is a server with a table of some items, whose indexes list them.
func filled(t *testing.T) (server *dynamotest.Server, put func(n int), queued func() int) {
	t.Helper()
	server = dynamotest.New()
	do := func(in any) any {
		out, err := server.Do(dynamotest.RequestOf(in))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	do(schema("t"))
	put = func(n int) {
		do(&dynamodb.PutItemInput{TableName: aws.String("t"), Item: dynamo.Item{"pk": dynamo.Text("p" + strconv.Itoa(n)), "sk": dynamo.Number(1),
			"queue": dynamo.Text("q"), "at_ms": dynamo.Number(int64(n)), "ttl": dynamo.Seconds(time.Now().Add(time.Duration(n) * time.Hour))}})
	}
	queued = func() int {
		return len(do(new(dynamo.Expression).Equal("queue", dynamo.Text("q")).Query("t", "due")).(*dynamodb.QueryOutput).Items)
	}
	return server, put, queued
}

// A table has its former content after Revert, in its indexes too, and its stream does not mention that.
func TestRevert(t *testing.T) {
	t.Parallel()
	server, put, queued := filled(t)
	put(1)
	before := server.Snapshot("t")
	for n := range 600 {
		put(n)
	}
	full := server.Snapshot("t")
	for _, step := range []struct {
		to   dynamotest.Snapshot
		want int
	}{{before, 1}, {full, 600}, {before, 1}} {
		server.Revert(step.to)
		if got := queued(); got != step.want {
			t.Errorf("%d items, want %d", got, step.want)
		}
	}
	put(700)
	changes, err := server.Changes("t", 0, 1000)
	if err != nil || len(changes) != 601 || queued() != 2 || len(before["t"]) != 1 {
		t.Errorf("%d changes, %d items, %v; want those of the puts", len(changes), queued(), err)
	}
}

// A reader pages through the changes, and what was trimmed is gone.
func TestTrim(t *testing.T) {
	t.Parallel()
	server, put, _ := filled(t)
	for n := range 10 {
		put(n)
	}
	got, err := server.Changes("t", 3, 4)
	if err != nil || len(got) != 4 || got[0].Sequence != 4 || got[0].Event != "INSERT" {
		t.Fatalf("got %v, %v, want four from 4 on", got, err)
	}
	server.Trim("t", 7)
	if got, err := server.Changes("t", 0, 100); err != nil || len(got) != 3 || got[0].Sequence != 8 {
		t.Errorf("got %v, %v, want three from 8 on", got, err)
	}
	if _, err := server.Changes("t", 3, 100); err == nil {
		t.Error("no error behind what was trimmed")
	}
	put(20)
	if got, err := server.Changes("t", 10, 100); err != nil || len(got) != 1 || got[0].Sequence != 11 {
		t.Errorf("got %v, %v, want number 11", got, err)
	}
}

// The rows of a time expire in the same order, whatever the order of a map.
func TestExpireAt(t *testing.T) {
	t.Parallel()
	var first string
	for range 5 {
		server, put, queued := filled(t)
		if _, err := dynamotest.Client(server.Start(t)).UpdateTimeToLive(t.Context(), expiring("t")); err != nil {
			t.Fatal(err)
		}
		for n := range 40 {
			put(n)
		}
		if n := server.ExpireAt(time.Now().Add(19*time.Hour + 30*time.Minute)); n != 20 || queued() != 20 {
			t.Fatalf("%d expired and %d left, want 20 and 20", n, queued())
		}
		changes, err := server.Changes("t", 40, 100)
		if err != nil || len(changes) != 20 {
			t.Fatalf("%d changes, %v", len(changes), err)
		}
		var order string
		for _, c := range changes {
			order += c.Event + string(c.Record().Keys)
		}
		if first == "" {
			first = order
		}
		if order != first {
			t.Errorf("got %s\nafter %s", order, first)
		}
	}
}

func expiring(table string) *dynamodb.UpdateTimeToLiveInput {
	return &dynamodb.UpdateTimeToLiveInput{TableName: &table,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("ttl"), Enabled: aws.Bool(true)}}
}
