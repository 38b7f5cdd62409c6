package dynamotest_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
)

// sorts are the sort keys of the items.
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
		"pk = :a":                                  all,
		"pk = :a AND sk = :five":                   {5},
		"pk = :a AND sk < :five":                   {-3, 2, N("2.5")},
		"pk = :a AND sk <= :five":                  {-3, 2, N("2.5"), 5},
		"pk = :a AND sk > :five":                   {10, 100, 9007199254740993},
		"sk >= :five and pk = :a":                  {5, 10, 100, 9007199254740993},
		"pk = :a AND sk BETWEEN :two AND :ten":     {2, N("2.5"), 5, 10},
		"(pk = :a) AND (sk BETWEEN :one AND :two)": {2},
		"(pk = :a AND sk = :ten)":                  {10},
		"pk = :b AND sk = :big":                    {9007199254740993},
		"pk = :x":                                  {},
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

func TestQueryBeginsWith(t *testing.T) {
	t.Parallel()
	client := dynamotestTable(t)
	for _, event := range []string{"a1", "a10", "a2", "b1", "a"} {
		client.put(plain{"resource": "r", "event": event})
	}
	out, err := client.client.Query(t.Context(), &dynamodb.QueryInput{
		TableName: &client.table, KeyConditionExpression: aws.String("#r = :r AND begins_with(event, :a)"),
		ExpressionAttributeNames:  map[string]string{"#r": "resource"},
		ExpressionAttributeValues: plain{":r": "r", ":a": "a"}.item(),
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []any
	for _, i := range out.Items {
		got = append(got, plainOf(i)["event"])
	}
	if diff := cmp.Diff(got, []any{"a", "a1", "a10", "a2"}); diff != "" {
		t.Errorf("got - want +:\n%s", diff)
	}
}

func TestQueriesThatAreRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, condition := range []string{
		"", "sk = :one", "pk = :one", "pk > :a", "pk <> :a", "pk IN (:a)", "begins_with(pk, :a)", "pk = :a OR pk = :b",
		"NOT pk = :a", "pk = :a AND v = :one", "pk = :a AND sk <> :one", "pk = :a AND sk = :x", "pk = :a AND pk = :a",
		"pk = :a AND sk > :one AND sk < :five", "((pk = :a))", "pk = :a AND attribute_exists(sk)", "pk = :a AND begins_with(sk, :one)",
		"pk = sk", "pk = :a AND size(sk) = :one", "pk = :a AND sk BETWEEN :five AND :one", "pk.a = :a", "v = :one",
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
	_, err := f.client.Query(t.Context(), input(func(in *dynamodb.QueryInput) {
		owner(in)
		in.ProjectionExpression = aws.String("v")
	}))
	t.Run("not projected", func(t *testing.T) {
		wantRefused(t, err, "Global secondary index by_owner does not project [v]")
	})
	for name, in := range map[string]*dynamodb.QueryInput{
		"no such index":        input(func(in *dynamodb.QueryInput) { in.IndexName = aws.String("nope") }),
		"no condition":         input(func(in *dynamodb.QueryInput) { in.KeyConditionExpression, in.ExpressionAttributeValues = nil, nil }),
		"limit 0":              input(func(in *dynamodb.QueryInput) { in.Limit = aws.Int32(0) }),
		"key in filter":        input(func(in *dynamodb.QueryInput) { in.FilterExpression = aws.String("sk = :a") }),
		"unused value":         input(func(in *dynamodb.QueryInput) { in.ExpressionAttributeValues = plain{":a": "a", ":b": 1}.item() }),
		"half a start key":     input(func(in *dynamodb.QueryInput) { in.ExclusiveStartKey = plain{"pk": "a"}.item() }),
		"start key elsewhere":  input(func(in *dynamodb.QueryInput) { in.ExclusiveStartKey = key("b", 1) }),
		"table key on index":   input(func(in *dynamodb.QueryInput) { in.IndexName = aws.String("by_owner") }),
		"consistent index":     input(func(in *dynamodb.QueryInput) { owner(in); in.ConsistentRead = aws.Bool(true) }),
		"all of keys only":     input(func(in *dynamodb.QueryInput) { owner(in); in.Select = types.SelectAllAttributes }),
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
		f.put(plain{"pk": "a", "sk": n, "even": n%2 == 0})
	}
	tests := []struct {
		name    string
		forward bool
		filter  string
		limit   int32
		want    [][]any
	}{
		{"forward", true, "", 4, [][]any{{0, 1, 2, 3}, {4, 5}}},
		{"backward", false, "", 4, [][]any{{5, 4, 3, 2}, {1, 0}}},
		{"limit before filter", true, "even = :true", 3, [][]any{{0, 2}, {4}, {}}},
		{"full last page", true, "", 3, [][]any{{0, 1, 2}, {3, 4, 5}, {}}},
		{"one page", true, "", 7, [][]any{{0, 1, 2, 3, 4, 5}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in := &dynamodb.QueryInput{TableName: &f.table, KeyConditionExpression: aws.String("pk = :a"),
				Limit: &test.limit, ScanIndexForward: &test.forward}
			if test.filter != "" {
				in.FilterExpression = &test.filter
			}
			in.ExpressionAttributeValues = mentioned("pk = :a " + test.filter)
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

func TestQuerySelect(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(plain{"pk": "a", "sk": 1, "v": 1, "w": 1}, plain{"pk": "a", "sk": 2, "v": 2})
	in := &dynamodb.QueryInput{TableName: &f.table, KeyConditionExpression: aws.String("pk = :a"),
		FilterExpression: aws.String("v = :one"), ExpressionAttributeValues: mentioned(":a :one")}
	in.Select = types.SelectCount
	out, err := f.client.Query(t.Context(), in)
	if err != nil || out.Count != 1 || out.ScannedCount != 2 || out.Items != nil {
		t.Errorf("count: got %+v, error %v, want 1 of 2 and no items", out, err)
	}
	in.Select, in.ProjectionExpression = "", aws.String("w, sk")
	out, err = f.client.Query(t.Context(), in)
	if err != nil || len(out.Items) != 1 {
		t.Fatalf("projection: %v, error %v", out, err)
	}
	if diff := cmp.Diff(plainOf(out.Items[0]), plain{"sk": 1, "w": 1}); diff != "" {
		t.Errorf("projection: got - want +:\n%s", diff)
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

func TestScan(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for n := range 7 {
		f.put(plain{"pk": "p" + itoa(n%3), "sk": n, "v": n})
	}
	in := &dynamodb.ScanInput{TableName: &f.table, Limit: aws.Int32(2), FilterExpression: aws.String("v <> :two"),
		ExpressionAttributeValues: mentioned(":two")}
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
	if diff := cmp.Diff(seen, map[any]int{0: 1, 1: 1, 3: 1, 4: 1, 5: 1, 6: 1}); diff != "" || scanned != 7 {
		t.Errorf("scanned %d, want 7; how often each was listed, got - want +:\n%s", scanned, diff)
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
