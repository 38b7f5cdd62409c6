package dynamotest_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
)

// sorts returns the sort keys of the items.
func sorts(items []map[string]types.AttributeValue) []any {
	keys := []any{}
	for _, i := range items {
		keys = append(keys, plainOf(i)["sk"])
	}
	return keys
}

func TestQuerySelectsBySortKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, n := range []any{100, 2, 5, -3, N("2.5"), 10, N("9007199254740993")} {
		f.put(plain{"pk": "a", "sk": n}, plain{"pk": "b", "sk": n})
	}
	all := []any{-3, 2, N("2.5"), 5, 10, 100, 9007199254740993}
	for condition, want := range map[string][]any{
		"pk = :a":                   all,
		"pk = :a AND sk = :five":    {5},
		"pk = :a AND sk < :five":    {-3, 2, N("2.5")},
		"pk = :a AND sk <= :five":   {-3, 2, N("2.5"), 5},
		"pk = :a AND sk > :five":    {10, 100, 9007199254740993},
		"sk >= :five and pk = :a":   {5, 10, 100, 9007199254740993},
		"(pk = :a) AND (sk < :two)": {-3},
		"(pk = :a AND sk = :ten)":   {10},
		"pk = :b AND sk = :big":     {9007199254740993},
		"pk = :x":                   {},
	} {
		t.Run(condition, func(t *testing.T) {
			out, err := f.client.Query(t.Context(), &dynamodb.QueryInput{TableName: &f.table, ConsistentRead: aws.Bool(true),
				KeyConditionExpression: &condition, ExpressionAttributeValues: mentioned(condition)})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(sorts(out.Items), want); diff != "" {
				t.Errorf("got - want +:\n%s", diff)
			}
			if int(out.Count) != len(want) || out.LastEvaluatedKey != nil {
				t.Errorf("count %d, last key %v, want %d and none", out.Count, out.LastEvaluatedKey, len(want))
			}
		})
	}
}

func TestQueriesThatAreRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, condition := range []string{
		"", "sk = :one", "pk = :one", "pk > :a", "pk <> :a", "pk IN (:a)", "begins_with(pk, :a)", "pk = :a OR pk = :b",
		"NOT pk = :a", "pk = :a AND v = :one", "pk = :a AND sk <> :one", "pk = :a AND sk = :x", "pk = :a AND pk = :a",
		"pk = :a AND sk > :one AND sk < :five", "pk = :a AND attribute_exists(sk)", "pk = :a AND begins_with(sk, :one)",
		"pk = sk", "pk = :a AND size(sk) = :one", "pk.a = :a", "v = :one", "pk", "attribute_exists(pk)", "NOT pk = :a AND sk = :one",
	} {
		t.Run(condition, func(t *testing.T) {
			_, err := f.client.Query(t.Context(), &dynamodb.QueryInput{TableName: &f.table,
				KeyConditionExpression: &condition, ExpressionAttributeValues: mentioned(condition)})
			wantCode(t, err, "ValidationException")
		})
	}
	input := func(change func(*dynamodb.QueryInput)) *dynamodb.QueryInput {
		in := &dynamodb.QueryInput{TableName: &f.table, KeyConditionExpression: aws.String("pk = :a"),
			ExpressionAttributeValues: plain{":a": "a"}.item()}
		change(in)
		return in
	}
	owner := func(in *dynamodb.QueryInput) {
		in.IndexName, in.KeyConditionExpression = aws.String("by_owner"), aws.String("owner_id = :a")
	}
	for name, in := range map[string]*dynamodb.QueryInput{
		"no such index":       input(func(in *dynamodb.QueryInput) { in.IndexName = aws.String("nope") }),
		"no condition":        input(func(in *dynamodb.QueryInput) { in.KeyConditionExpression, in.ExpressionAttributeValues = nil, nil }),
		"limit 0":             input(func(in *dynamodb.QueryInput) { in.Limit = aws.Int32(0) }),
		"unused value":        input(func(in *dynamodb.QueryInput) { in.ExpressionAttributeValues = plain{":a": "a", ":b": 1}.item() }),
		"half a start key":    input(func(in *dynamodb.QueryInput) { in.ExclusiveStartKey = plain{"pk": "a"}.item() }),
		"start key elsewhere": input(func(in *dynamodb.QueryInput) { in.ExclusiveStartKey = key("b", 1) }),
		"table key on index":  input(func(in *dynamodb.QueryInput) { in.IndexName = aws.String("by_owner") }),
		"table's key as sort key": input(func(in *dynamodb.QueryInput) {
			owner(in)
			in.KeyConditionExpression = aws.String("owner_id = :a AND pk = :a")
		}),
		"consistent index":     input(func(in *dynamodb.QueryInput) { owner(in); in.ConsistentRead = aws.Bool(true) }),
		"start key of a table": input(func(in *dynamodb.QueryInput) { owner(in); in.ExclusiveStartKey = key("a", 1) }),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.client.Query(t.Context(), in)
			wantCode(t, err, "ValidationException")
		})
	}
}

func TestQueryPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for n := range 6 {
		f.put(plain{"pk": "a", "sk": n})
	}
	tests := []struct {
		name    string
		forward bool
		limit   int32
		want    [][]any
	}{
		{"forward", true, 4, [][]any{{0, 1, 2, 3}, {4, 5}}},
		{"backward", false, 4, [][]any{{5, 4, 3, 2}, {1, 0}}},
		{"full last page", true, 3, [][]any{{0, 1, 2}, {3, 4, 5}, {}}},
		{"one page", true, 7, [][]any{{0, 1, 2, 3, 4, 5}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in := &dynamodb.QueryInput{TableName: &f.table, KeyConditionExpression: aws.String("pk = :a"),
				Limit: &test.limit, ScanIndexForward: &test.forward}
			in.ExpressionAttributeValues = mentioned("pk = :a")
			var got [][]any
			for {
				out, err := f.client.Query(t.Context(), in)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, sorts(out.Items))
				if out.LastEvaluatedKey == nil {
					break
				}
				if out.ScannedCount != test.limit {
					t.Errorf("scanned %d, want %d", out.ScannedCount, test.limit)
				}
				in.ExclusiveStartKey = out.LastEvaluatedKey
			}
			if diff := cmp.Diff(got, test.want); diff != "" {
				t.Errorf("got - want +:\n%s", diff)
			}
		})
	}
}

func TestQueryGoesOnAfterItsStartKeyIsGone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(plain{"pk": "a", "sk": 1}, plain{"pk": "a", "sk": 3})
	out, err := f.client.Query(t.Context(), &dynamodb.QueryInput{TableName: &f.table, ExclusiveStartKey: key("a", 2),
		KeyConditionExpression: aws.String("pk = :a"), ExpressionAttributeValues: plain{":a": "a"}.item()})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sorts(out.Items), []any{3}); diff != "" {
		t.Errorf("got - want +:\n%s", diff)
	}
}

func TestSparseIndexFollowsItsTable(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	listed := func() []any {
		t.Helper()
		out, err := f.client.Query(t.Context(), &dynamodb.QueryInput{TableName: &f.table, IndexName: aws.String("due"),
			KeyConditionExpression:    aws.String("queue = :a AND at_ms <= :ten"),
			ExpressionAttributeValues: mentioned(":a :ten")})
		if err != nil {
			t.Fatal(err)
		}
		return sorts(out.Items)
	}
	f.put(plain{"pk": "a", "sk": 1, "queue": "a", "at_ms": 9}, plain{"pk": "b", "sk": 2, "queue": "a", "at_ms": 3},
		plain{"pk": "c", "sk": 3, "queue": "a", "at_ms": 11}, plain{"pk": "d", "sk": 4, "queue": "a"},
		plain{"pk": "e", "sk": 5, "at_ms": 1}, plain{"pk": "f", "sk": 6, "queue": "b", "at_ms": 1})
	if diff := cmp.Diff(listed(), []any{2, 1}); diff != "" {
		t.Errorf("got - want +:\n%s", diff)
	}
	out, err := f.client.Query(t.Context(), &dynamodb.QueryInput{TableName: &f.table, IndexName: aws.String("due"),
		KeyConditionExpression: aws.String("queue = :a"), ExpressionAttributeValues: mentioned(":a")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sorts(out.Items), []any{2, 1, 3}); diff != "" {
		t.Errorf("without a condition on the sort key, got - want +:\n%s", diff)
	}
	for pk, expression := range map[string]string{"a": "REMOVE queue", "c": "SET at_ms = :one"} {
		_, err := f.client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: &f.table,
			Key: key(pk, map[string]int{"a": 1, "c": 3}[pk]), UpdateExpression: &expression, ExpressionAttributeValues: mentioned(expression)})
		if err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(listed(), []any{3, 2}); diff != "" {
		t.Errorf("after updates, got - want +:\n%s", diff)
	}
}

func TestIndexPagesThroughEqualSortKeys(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for n := range 5 {
		f.put(plain{"pk": "p" + itoa(n), "sk": n, "queue": "a", "at_ms": n / 4, "v": n})
	}
	in := &dynamodb.QueryInput{TableName: &f.table, IndexName: aws.String("due"), Limit: aws.Int32(2),
		KeyConditionExpression: aws.String("queue = :a"), ExpressionAttributeValues: mentioned(":a")}
	seen := map[any]int{}
	for range 4 {
		out, err := f.client.Query(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range out.Items {
			seen[plainOf(i)["v"]]++
		}
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			break
		}
		if len(in.ExclusiveStartKey) != 4 {
			t.Errorf("last key %v, want the index's key and the table's", plainOf(in.ExclusiveStartKey))
		}
	}
	if diff := cmp.Diff(seen, map[any]int{0: 1, 1: 1, 2: 1, 3: 1, 4: 1}); diff != "" {
		t.Errorf("how often each was listed, got - want +:\n%s", diff)
	}
}

func TestKeysOnlyIndex(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(plain{"pk": "a", "sk": 1, "owner_id": "a", "v": 1, "queue": "x"})
	out, err := f.client.Query(t.Context(), &dynamodb.QueryInput{TableName: &f.table, IndexName: aws.String("by_owner"),
		KeyConditionExpression: aws.String("owner_id = :a"), ExpressionAttributeValues: mentioned(":a")})
	if err != nil || len(out.Items) != 1 {
		t.Fatalf("got %v, error %v, want one item", out, err)
	}
	if diff := cmp.Diff(plainOf(out.Items[0]), plain{"pk": "a", "sk": 1, "owner_id": "a"}); diff != "" {
		t.Errorf("got - want +:\n%s", diff)
	}
}

func TestIncludingIndex(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(plain{"pk": "a", "sk": 1, "shelf": "a", "v": 1, "queue": "x"}, plain{"pk": "b", "sk": 1, "shelf": "a"}, plain{"pk": "c", "sk": 1, "v": 1})
	out, err := f.client.Query(t.Context(), &dynamodb.QueryInput{TableName: &f.table, IndexName: aws.String("by_shelf"),
		KeyConditionExpression: aws.String("shelf = :a"), ExpressionAttributeValues: mentioned(":a")})
	if err != nil || len(out.Items) != 2 {
		t.Fatalf("got %v, error %v, want two items", out, err)
	}
	got := []plain{plainOf(out.Items[0]), plainOf(out.Items[1])}
	if diff := cmp.Diff(got, []plain{{"pk": "a", "sk": 1, "shelf": "a", "v": 1}, {"pk": "b", "sk": 1, "shelf": "a"}}); diff != "" {
		t.Errorf("got - want +:\n%s", diff)
	}
}

func TestScan(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const items = 31
	want := map[any]int{}
	for n := range items {
		f.put(plain{"pk": "p" + itoa(n%12), "sk": n, "v": n})
		want[n] = 1
	}
	in := &dynamodb.ScanInput{TableName: &f.table, Limit: aws.Int32(2)}
	seen, scanned := map[any]int{}, 0
	for {
		out, err := f.client.Scan(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		scanned += int(out.ScannedCount)
		for _, i := range out.Items {
			seen[plainOf(i)["v"]]++
		}
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			break
		}
	}
	if diff := cmp.Diff(seen, want); diff != "" || scanned != items {
		t.Errorf("scanned %d, want 31; how often each was listed, got - want +:\n%s", scanned, diff)
	}
}

func TestPagesEndAtAMegabyte(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for n := range 5 {
		f.put(plain{"pk": "a", "sk": n, "v": strings.Repeat("v", 300<<10)})
	}
	out, err := f.client.Query(t.Context(), &dynamodb.QueryInput{TableName: &f.table,
		KeyConditionExpression: aws.String("pk = :a"), ExpressionAttributeValues: mentioned(":a")})
	if err != nil {
		t.Fatal(err)
	}
	if out.Count == 0 || out.Count > 4 || out.LastEvaluatedKey == nil {
		t.Errorf("got %d items, last key %v, want at most 4 and a last key", out.Count, plainOf(out.LastEvaluatedKey))
	}
}
