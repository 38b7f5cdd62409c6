package dynamotest_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
)

func TestStringSets(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(plain{"pk": "a", "sk": 1, "v": set{"b", "", "a"}, "listed": []any{"", "a", "b"}})
	if diff := cmp.Diff(f.get("a", 1)["v"], set{"", "a", "b"}); diff != "" {
		t.Errorf("put, got - want +:\n%s", diff)
	}
	for _, test := range []struct {
		condition string
		value     any
		want      bool
	}{
		{"v = :v", set{"a", "b", ""}, true},
		{"v = :v", set{"a", "b"}, false},
		{"v <> :v", set{"a", "b"}, true},
		{"v <> :v", set{"", "a", "b"}, false},
		{"v = :v", []any{"", "a", "b"}, false},
		{"listed = :v", set{"", "a", "b"}, false},
		{"v = :v", "a", false},
	} {
		err := f.transact(types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{TableName: &f.table, Key: key("a", 1),
			ConditionExpression: &test.condition, ExpressionAttributeValues: plain{":v": test.value}.item()}})
		if got := err == nil; got != test.want || err != nil && code(err) != "TransactionCanceledException" {
			t.Errorf("%s with %v: %v, want %t", test.condition, test.value, err, test.want)
		}
	}
	for _, want := range []any{set{"c"}, nil} {
		in := &dynamodb.UpdateItemInput{TableName: &f.table, Key: key("a", 1), UpdateExpression: aws.String("REMOVE v")}
		if want != nil {
			in.UpdateExpression, in.ExpressionAttributeValues = aws.String("SET v = :v"), plain{":v": want}.item()
		}
		if _, err := f.client.UpdateItem(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(f.get("a", 1)["v"], want); diff != "" {
			t.Errorf("updated, got - want +:\n%s", diff)
		}
	}
}

// A set is neither empty, nor has it a string twice, wherever a request has it. A transaction is refused as a whole.
func TestSetsThatAreRefused(t *testing.T) {
	t.Parallel()
	const source = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html"
	f := newFixture(t)
	for name, bad := range map[string]set{"empty": {}, "a string twice": {"a", "b", "a"}} {
		for where, send := range map[string]func() error{
			"put": func() error {
				_, err := f.client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &f.table, Item: plain{"pk": "a", "sk": 1, "v": bad}.item()})
				return err
			},
			"deep": func() error {
				_, err := f.client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &f.table,
					Item: plain{"pk": "a", "sk": 1, "v": []any{plain{"w": bad}}}.item()})
				return err
			},
			"update": func() error {
				_, err := f.client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: &f.table, Key: key("a", 1),
					UpdateExpression: aws.String("SET v = :v"), ExpressionAttributeValues: plain{":v": bad}.item()})
				return err
			},
			"transaction": func() error {
				return f.transact(f.putOf(plain{"pk": "a", "sk": 1}, nil), f.putOf(plain{"pk": "b", "sk": 1, "v": bad}, nil))
			},
		} {
			t.Run(name+" in "+where, func(t *testing.T) {
				wantRefused(t, send(), source)
				if got := f.get("a", 1); got != nil {
					t.Errorf("stored %v", got)
				}
			})
		}
	}
}

// The elements of a set count for the size of its item.
func TestSetsHaveASize(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	large := func(first byte) string {
		text := make([]byte, 201<<10)
		for i := range text {
			text[i] = first
		}
		return string(text)
	}
	_, err := f.client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &f.table,
		Item: plain{"pk": "a", "sk": 1, "v": set{large('a'), large('b')}}.item()})
	wantCode(t, err, "ValidationException")
}

// A failed check returns the item when asked, as the other parts of a transaction do, and it writes nothing.
func TestFailedCheckReturnsTheItemWhenAsked(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	stored := plain{"pk": "a", "sk": 1, "v": set{"x", "y"}}
	f.put(stored)
	asked, silent := f.checkOf("a", missing), f.checkOf("a2", present)
	asked.ConditionCheck.ReturnValuesOnConditionCheckFailure = types.ReturnValuesOnConditionCheckFailureAllOld
	err := f.transact(f.putOf(plain{"pk": "new", "sk": 1}, nil), asked, silent, f.checkOf("a3", missing))
	failed, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok {
		t.Fatalf("got %v, want a TransactionCanceledException", err)
	}
	for n, want := range []struct {
		code string
		item plain
	}{{"None", nil}, {"ConditionalCheckFailed", stored}, {"ConditionalCheckFailed", nil}, {"None", nil}} {
		got := failed.CancellationReasons[n]
		if diff := cmp.Diff(plainOf(got.Item), want.item); *got.Code != want.code || diff != "" {
			t.Errorf("reason %d: %s, want %s; item, got - want +:\n%s", n, *got.Code, want.code, diff)
		}
	}
	if got := f.get("new", 1); got != nil {
		t.Errorf("the other item was written: %v", got)
	}
	if err := f.transact(f.checkOf("a", present), f.checkOf("b", missing)); err != nil {
		t.Errorf("checks alone: %v", err)
	}
	if diff := cmp.Diff(f.get("a", 1), stored); diff != "" || f.get("b", 1) != nil {
		t.Errorf("checks wrote b %v, or into a, got - want +:\n%s", f.get("b", 1), diff)
	}
	wantCode(t, f.transact(f.checkOf("a", present), f.checkOf("a", present)), "ValidationException")
}
