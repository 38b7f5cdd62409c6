package dynamotest_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"
)

func TestUpdates(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	before := plain{"one": 1, "txt": "t", "tags": SS{"x", "y"}, "steps": []any{"a", "b", "c", "d"}, "m": plain{"k": "v"}}
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
		{"SET one = if_not_exists(one, :five)", plain{}},
		{"SET fresh = if_not_exists(fresh, :five)", plain{"fresh": 5}},
		{"SET fresh = if_not_exists(fresh, :zero) + :one", plain{"fresh": 1}},
		{"SET fresh = if_not_exists(fresh, txt)", plain{"fresh": "t"}},
		{"SET steps = list_append(steps, :items)", plain{"steps": []any{"a", "b", "c", "d", "x", 7}}},
		{"SET steps = list_append(:items, steps)", plain{"steps": []any{"x", 7, "a", "b", "c", "d"}}},
		{"SET fresh = list_append(if_not_exists(fresh, :none), :items)", plain{"fresh": []any{"x", 7}}},
		{"SET one = txt, txt = one", plain{"one": "t", "txt": 1}},
		{"SET one = one + :one, fresh = one", plain{"one": 2, "fresh": 1}},
		{"SET m.k = :x, m.n = :one", plain{"m": plain{"k": "x", "n": 1}}},
		{"SET steps[1] = :x", plain{"steps": []any{"a", "x", "c", "d"}}},
		{"SET steps[99] = :x", plain{"steps": []any{"a", "b", "c", "d", "x"}}},
		{"REMOVE one", plain{"one": gone}},
		{"REMOVE one, absent, m.k, m.x", plain{"one": gone, "m": plain{}}},
		{"REMOVE steps[0], steps[2]", plain{"steps": []any{"b", "d"}}},
		{"REMOVE steps[1] SET steps[3] = :x", plain{"steps": []any{"a", "c", "x"}}},
		{"REMOVE steps[9]", plain{}},
		{"ADD one :two", plain{"one": 3}},
		{"ADD fresh :two", plain{"fresh": 2}},
		{"ADD tags :more", plain{"tags": SS{"x", "y", "z"}}},
		{"ADD fresh :more", plain{"fresh": SS{"y", "z"}}},
		{"DELETE tags :more", plain{"tags": SS{"x"}}},
		{"DELETE tags :set", plain{"tags": gone}},
		{"DELETE fresh :set", plain{}},
		{"SET txt = :x REMOVE one ADD fresh :two DELETE tags :more", plain{"txt": "x", "one": gone, "fresh": 2, "tags": SS{"x"}}},
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

// gone is no attribute value.
const gone = removed("gone")

// removed is a type of its own, so that gone equals nothing else.
type removed string

func TestUpdateOfAnAbsentItemCreatesIt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for expression, want := range map[string]plain{
		"SET v = :one": {"v": 1},
		"ADD v :one":   {"v": 1},
		"":             {},
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
	stored := plain{"pk": "a", "sk": 1, "one": 1, "txt": "t", "tags": SS{"x", "y"}, "steps": []any{"a"}, "m": plain{"k": "v"}}
	f.put(stored)
	for _, expression := range []string{
		"", "SET", "one = :one", "SET one", "SET one =", "SET one = :one,", "SET one = :one SET two = :two", "SET one = :undefined",
		"SET :one = one", "SET one = :one AND two = :two", "PUT one = :one", "REMOVE", "REMOVE :one", "ADD one", "ADD one = :one",
		"ADD one two", "ADD one :x", "ADD one :items", "ADD txt :one", "ADD tags :one", "ADD one :set", "DELETE tags :x",
		"DELETE one :set", "DELETE tags :numbers", "SET pk = :x", "SET sk = :one", "REMOVE sk", "ADD sk :one",
		"SET one = absent", "SET one = absent + :one", "SET one = txt + :one", "SET one = :x + :one", "SET one = one + txt",
		"SET steps = list_append(txt, :items)", "SET steps = list_append(steps, :x)", "SET steps = list_append(steps)",
		"SET one = if_not_exists(:one, :two)", "SET one = if_not_exists(one)", "SET one = size(txt)", "SET one = unknown(txt)",
		"SET one = :one, one = :two", "SET m = :m, m.k = :x", "SET m.k = :x REMOVE m", "SET m.k = :x, m[0] = :x",
		"SET absent.k = :x", "SET txt.k = :x", "SET steps.k = :x", "SET m[0] = :x", "SET steps[0].k = :x", "REMOVE absent.k", "SET steps[9].k = :x", "REMOVE steps[9].k",
		"SET name = :x", "SET m.status = :x", "SET one = one + :one + :two", "SET queue = :one", "SET owner_id = :empty",
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
