package dynamotest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/dynamotest"
)

// ownServer starts a server for one test, with a table and a clock.
func ownServer(t *testing.T) (*dynamotest.Server, fixture, *time.Time) {
	t.Helper()
	ours(t)
	server, clock := dynamotest.New(), time.Unix(1_800_000_000, 0)
	server.Now = func() time.Time { return clock }
	f := fixtureOn(t, dynamotest.Client(server.Start(t)))
	return server, f, &clock
}

// change describes a record.
func change(r dynamotest.Record) string {
	return r.Event + " keys " + string(r.Keys) + " new " + string(r.NewImage)
}

func TestFeedTellsEveryChangeInOrder(t *testing.T) {
	t.Parallel()
	server, f, _ := ownServer(t)
	item := plain{"pk": "a", "sk": 1, "v": 1}
	f.put(item, item) // the second changes nothing
	update := func(expression string) error {
		_, err := f.client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: &f.table, Key: key("a", 1),
			UpdateExpression: &expression, ExpressionAttributeValues: mentioned(expression)})
		return err
	}
	if err := update("SET v = :two"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, update("SET v = absent"), "ValidationException") // and neither does a failed update
	if err := f.transact(f.deleteOf("a", present), f.checkOf("b", missing), f.putOf(plain{"pk": "c", "sk": 1}, nil)); err != nil {
		t.Fatal(err)
	}
	records, err := server.Feed(t.Context(), f.table, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for n, r := range records {
		got = append(got, change(r))
		if n > 0 && r.Sequence <= records[n-1].Sequence {
			t.Errorf("sequence %d after %d", r.Sequence, records[n-1].Sequence)
		}
	}
	keys := `{"pk":{"S":"a"},"sk":{"N":"1"}}`
	one, two := `{"pk":{"S":"a"},"sk":{"N":"1"},"v":{"N":"1"}}`, `{"pk":{"S":"a"},"sk":{"N":"1"},"v":{"N":"2"}}`
	want := []string{
		"INSERT keys " + keys + " new " + one,
		"MODIFY keys " + keys + " new " + two,
		"REMOVE keys " + keys + " new ",
		"INSERT keys " + strings.ReplaceAll(keys+" new "+keys, "a", "c"),
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got - want +:\n%s", diff)
	}
	rest, err := server.Feed(t.Context(), f.table, records[2].Sequence)
	if err != nil || len(rest) != 1 || rest[0].Sequence != records[3].Sequence {
		t.Errorf("after the third: %v, error %v, want the fourth alone", rest, err)
	}
}

func TestFeedWithOldImages(t *testing.T) {
	t.Parallel()
	server, f, clock := ownServer(t)
	in := schema("images")
	in.StreamSpecification.StreamViewType = types.StreamViewTypeNewAndOldImages
	if _, err := f.client.CreateTable(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	f.table = "images"
	f.put(plain{"pk": "a", "sk": 1, "v": 1}, plain{"pk": "a", "sk": 1, "v": 2})
	records, err := server.Feed(t.Context(), f.table, 0)
	if err != nil || len(records) != 2 {
		t.Fatalf("%d records, error %v, want two", len(records), err)
	}
	if first, second := records[0], records[1]; first.OldImage != nil || string(second.OldImage) != string(first.NewImage) || !first.At.Equal(*clock) {
		t.Errorf("old images %s and %s at %v, want none and the first new one, at the server's time", first.OldImage, second.OldImage, first.At)
	}
}

func TestFeedWaits(t *testing.T) {
	t.Parallel()
	server, f, _ := ownServer(t)
	got := make(chan []dynamotest.Record)
	go func() {
		records, err := server.Feed(t.Context(), f.table, 0)
		if err != nil {
			t.Error(err)
		}
		got <- records
	}()
	select {
	case records := <-got:
		t.Fatalf("got %v before there was a change", records)
	default:
	}
	f.put(plain{"pk": "a", "sk": 1})
	records := <-got
	if len(records) != 1 {
		t.Fatalf("got %v, want one record", records)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := server.Feed(ctx, f.table, records[0].Sequence); !errors.Is(err, context.Canceled) {
		t.Errorf("with a cancelled context: %v, want context.Canceled", err)
	}
	ended := make(chan error)
	go func() {
		_, err := server.Feed(t.Context(), f.table, records[0].Sequence)
		ended <- err
	}()
	if _, err := f.client.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &f.table}); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, dynamotest.ErrNoFeed) {
		t.Errorf("after DeleteTable: %v, want ErrNoFeed", err)
	}
}

func TestFeedOfATableWithoutStream(t *testing.T) {
	t.Parallel()
	ours(t)
	server := dynamotest.New()
	client := dynamotest.Client(server.Start(t))
	in := schema("no-stream")
	in.StreamSpecification = nil
	if _, err := client.CreateTable(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	fixture{t, client, *in.TableName}.put(plain{"pk": "a", "sk": 1})
	for _, table := range []string{"no-stream", "elsewhere"} {
		if _, err := server.Feed(t.Context(), table, 0); !errors.Is(err, dynamotest.ErrNoFeed) {
			t.Errorf("feed of %s: %v, want ErrNoFeed", table, err)
		}
	}
}

func TestFeedIsBounded(t *testing.T) {
	t.Parallel()
	server, f, _ := ownServer(t)
	const extra = 5
	for n := range 100 { // 101 transactions of 100 puts are more than a feed keeps
		var items []types.TransactWriteItem
		for m := range 100 {
			items = append(items, f.putOf(plain{"pk": "a", "sk": n*100 + m}, nil))
		}
		if err := f.transact(items...); err != nil {
			t.Fatal(err)
		}
	}
	for n := range extra {
		f.put(plain{"pk": "b", "sk": n})
	}
	records, err := server.Feed(t.Context(), f.table, 0)
	if err != nil || len(records) != 10_000 || records[0].Sequence != extra+1 {
		t.Fatalf("got %d records, error %v, want 10000 from %d", len(records), err, extra+1)
	}
	if _, err := server.Feed(t.Context(), f.table, extra-1); !errors.Is(err, dynamotest.ErrTrimmed) {
		t.Errorf("before the kept records: %v, want ErrTrimmed", err)
	}
	if records, err := server.Feed(t.Context(), f.table, extra); err != nil || len(records) != 10_000 {
		t.Errorf("just where it begins: %d records, error %v, want all", len(records), err)
	}
}

func TestExpire(t *testing.T) {
	t.Parallel()
	server, f, clock := ownServer(t)
	now := int(clock.Unix())
	_, err := f.client.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{TableName: &f.table,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("ttl"), Enabled: aws.Bool(true)}})
	if err != nil {
		t.Fatal(err)
	}
	f.put(
		plain{"pk": "past", "sk": 1, "ttl": now - 1}, plain{"pk": "now", "sk": 1, "ttl": now},
		plain{"pk": "future", "sk": 1, "ttl": now + 1}, plain{"pk": "none", "sk": 1}, plain{"pk": "text", "sk": 1, "ttl": "1"},
		plain{"pk": "ancient", "sk": 1, "ttl": 1}, plain{"pk": "milliseconds", "sk": 1, "ttl": (now - 1) * 1000},
	)
	if f.get("past", 1) == nil {
		t.Error("an expired item is gone before Expire")
	}
	if got := server.Expire(); got != 1 {
		t.Errorf("removed %d, want 1", got)
	}
	for pk, want := range map[string]bool{
		"past": false, "now": true, "future": true, "none": true, "text": true, "ancient": true, "milliseconds": true,
	} {
		if got := f.get(pk, 1) != nil; got != want {
			t.Errorf("%s still there: %t, want %t", pk, got, want)
		}
	}
	*clock = clock.Add(2 * time.Second)
	if got := server.Expire(); got != 2 {
		t.Errorf("two seconds later: removed %d, want 2", got)
	}
	records, err := server.Feed(t.Context(), f.table, 7)
	if err != nil || len(records) != 3 || records[0].Event != "REMOVE" {
		t.Errorf("feed: %v, error %v, want three removals", records, err)
	}
}

func TestTokenIsForgottenAfterTenMinutes(t *testing.T) {
	t.Parallel()
	_, f, clock := ownServer(t)
	f.put(plain{"pk": "a", "sk": 1, "v": 0})
	send := func() error {
		_, err := f.client.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{ClientRequestToken: aws.String("token"),
			TransactItems: []types.TransactWriteItem{f.updateOf("a", "SET v = v + :one", nil)}})
		return err
	}
	for n, step := range []struct {
		later   time.Duration
		applied int
	}{{0, 1}, {9 * time.Minute, 1}, {time.Minute, 2}, {time.Minute, 2}} {
		*clock = clock.Add(step.later)
		if err := send(); err != nil {
			t.Fatal(err)
		}
		if got := f.get("a", 1)["v"]; got != step.applied {
			t.Errorf("call %d: applied %v times, want %d", n+1, got, step.applied)
		}
	}
}
