package dynamotest_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"
)

func TestUpdates(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	before := plain{"one": 1, "txt": "t", "steps": []any{"a", "b"}, "m": plain{"k": "v"}}
	tests := []struct {
		expression string
		change     plain // what differs from before; gone stands for a removed attribute
	}{
		{"SET one = :two", plain{"one": 2}},
		{"SET fresh = :m, txt = :x", plain{"fresh": plain{"k": "v"}, "txt": "x"}},
		{"SET one = one + :two", plain{"one": 3}},
		{"SET one = one - :ten", plain{"one": -9}},
		{"SET one = :ten - one", plain{"one": 9}},
		{"SET one = one + :big", plain{"one": 9007199254740994}},
		{"SET one = if_not_exists(one, :ten) + :one", plain{"one": 2}},
		{"SET fresh = if_not_exists(fresh, :ten) + :one", plain{"fresh": 11}},
		{"SET fresh = if_not_exists(fresh, txt)", plain{"fresh": "t"}},
		{"SET one = txt, txt = one", plain{"one": "t", "txt": 1}},
		{"SET one = one + :one, fresh = one", plain{"one": 2, "fresh": 1}},
		{"SET steps = :items, m = :none", plain{"steps": []any{"x", 7}, "m": []any{}}},
		{"REMOVE one", plain{"one": gone}},
		{"REMOVE one, absent, m", plain{"one": gone, "m": gone}},
		{"SET txt = :x REMOVE one", plain{"txt": "x", "one": gone}},
		{"remove one set txt = :x", plain{"txt": "x", "one": gone}},
	}
	for _, test := range tests {
		t.Run(test.expression, func(t *testing.T) {
			start, want := plain{"pk": test.expression, "sk": 1}, plain{"pk": test.expression, "sk": 1}
			for name, v := range before {
				start[name], want[name] = v, v
			}
			for name, v := range test.change {
				want[name] = v
				if v == gone {
					delete(want, name)
				}
			}
			f.put(start)
			_, err := f.client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
				TableName: &f.table, Key: key(test.expression, 1), UpdateExpression: &test.expression,
				ExpressionAttributeValues: mentioned(test.expression),
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(f.get(test.expression, 1), want); diff != "" {
				t.Errorf("got - want +:\n%s", diff)
			}
		})
	}
}

// gone is not an attribute value.
const gone = removed("gone")

// removed is a separate type, so that gone equals nothing else.
type removed string

func TestUpdateOfAnAbsentItemCreatesIt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for expression, want := range map[string]plain{
		"SET v = :one":                          {"v": 1},
		"SET v = if_not_exists(v, :two) + :one": {"v": 3},
		"":                                      {},
	} {
		pk := "new " + expression
		input := &dynamodb.UpdateItemInput{TableName: &f.table, Key: key(pk, 1)}
		if expression != "" {
			input.UpdateExpression, input.ExpressionAttributeValues = &expression, mentioned(expression)
		}
		if _, err := f.client.UpdateItem(t.Context(), input); err != nil {
			t.Fatal(err)
		}
		want["pk"], want["sk"] = pk, 1
		if diff := cmp.Diff(f.get(pk, 1), want); diff != "" {
			t.Errorf("%q: got - want +:\n%s", expression, diff)
		}
	}
}

func TestUpdatesThatAreRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	stored := plain{"pk": "a", "sk": 1, "one": 1, "txt": "t", "steps": []any{"a"}}
	f.put(stored)
	for _, expression := range []string{
		"", "SET", "one = :one", "SET one", "SET one =", "SET one = :one,", "SET one = :one SET two = :two", "SET one = :undefined",
		"REMOVE one REMOVE txt", "SET one = :one REMOVE txt SET two = :two", "SET :one = one", "SET one = :one AND two = :two",
		"PUT one = :one", "REMOVE", "REMOVE :one", "SET pk = :x", "SET sk = :one", "REMOVE sk",
		"SET one = absent", "SET one = absent + :one", "SET one = txt + :one", "SET one = :x + :one", "SET one = one + txt",
		"SET one = if_not_exists(:one, :two)", "SET one = if_not_exists(one)", "SET one = if_not_exists(txt, :two) + :one", "SET one = unknown(txt)",
		"SET one = :one, one = :two", "SET one = :one REMOVE one",
		"SET name = :x", "SET one = one + :one + :two", "SET queue = :one", "SET owner_id = :empty",
		"SET one = attribute_exists(one)",
	} {
		t.Run(expression, func(t *testing.T) {
			_, err := f.client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
				TableName: &f.table, Key: key("a", 1), UpdateExpression: &expression,
				ExpressionAttributeValues: mentioned(expression),
			})
			wantCode(t, err, "ValidationException")
			if diff := cmp.Diff(f.get("a", 1), stored); diff != "" {
				t.Errorf("the item has changed, got - want +:\n%s", diff)
			}
		})
	}
}

func TestUpdateRefusesAnItemThatGrowsTooLarge(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	large := make([]byte, 250<<10)
	f.put(plain{"pk": "a", "sk": 1, "v": large})
	expression := "SET w = :w"
	_, err := f.client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: &f.table, Key: key("a", 1), UpdateExpression: &expression,
		ExpressionAttributeValues: plain{":w": large}.item(),
	})
	wantCode(t, err, "ValidationException")
}
