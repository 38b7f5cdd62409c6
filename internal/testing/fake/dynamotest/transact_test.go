package dynamotest_test

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
)

func (f fixture) transact(items ...types.TransactWriteItem) error {
	_, err := f.client.TransactWriteItems(f.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: items})
	return err
}

func (f fixture) putOf(item plain, condition *string) types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{TableName: &f.table, Item: item.item(), ConditionExpression: condition,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld}}
}

func (f fixture) updateOf(pk string, expression string, condition *string) types.TransactWriteItem {
	return types.TransactWriteItem{Update: &types.Update{TableName: &f.table, Key: key(pk, 1), UpdateExpression: &expression,
		ConditionExpression: condition, ExpressionAttributeValues: mentioned(expression)}}
}

func (f fixture) deleteOf(pk string, condition *string) types.TransactWriteItem {
	return types.TransactWriteItem{Delete: &types.Delete{TableName: &f.table, Key: key(pk, 1), ConditionExpression: condition}}
}

func (f fixture) checkOf(pk string, condition *string) types.TransactWriteItem {
	return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{TableName: &f.table, Key: key(pk, 1),
		ConditionExpression: condition}}
}

var (
	present = aws.String("attribute_exists(pk)")
	missing = aws.String("attribute_not_exists(pk)")
)

func TestTransactionWritesAllItems(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(plain{"pk": "update", "sk": 1, "v": 1}, plain{"pk": "delete", "sk": 1}, plain{"pk": "check", "sk": 1, "v": 1})
	err := f.transact(
		f.putOf(plain{"pk": "put", "sk": 1}, missing),
		f.updateOf("update", "SET v = v + :one", present),
		f.updateOf("create", "SET v = :one", nil),
		f.deleteOf("delete", present),
		f.checkOf("check", present),
	)
	if err != nil {
		t.Fatal(err)
	}
	for pk, want := range map[string]plain{
		"put": {"pk": "put", "sk": 1}, "update": {"pk": "update", "sk": 1, "v": 2}, "create": {"pk": "create", "sk": 1, "v": 1},
		"delete": nil, "check": {"pk": "check", "sk": 1, "v": 1},
	} {
		if diff := cmp.Diff(f.get(pk, 1), want); diff != "" {
			t.Errorf("%s: got - want +:\n%s", pk, diff)
		}
	}
}

func TestCancelledTransactionWritesNothingAndTellsWhy(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	a, b := plain{"pk": "a", "sk": 1, "v": 1}, plain{"pk": "b", "sk": 1}
	f.put(a, b)
	err := f.transact(
		f.putOf(plain{"pk": "new", "sk": 1}, missing),
		f.putOf(plain{"pk": "a", "sk": 1}, missing),
		f.updateOf("b", "SET v = :one", missing),
		f.deleteOf("a2", present),
		f.checkOf("b2", missing),
		f.checkOf("b3", present),
		f.putOf(plain{"pk": "c", "sk": 1}, present),
	)
	failed, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok {
		t.Fatalf("got %v, want a TransactionCanceledException", err)
	}
	var got []string
	for _, r := range failed.CancellationReasons {
		got = append(got, *r.Code)
	}
	want := []string{"None", "ConditionalCheckFailed", "ConditionalCheckFailed", "ConditionalCheckFailed", "None",
		"ConditionalCheckFailed", "ConditionalCheckFailed"}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("reasons, got - want +:\n%s", diff)
	}
	if diff := cmp.Diff(plainOf(failed.CancellationReasons[1].Item), a); diff != "" {
		t.Errorf("item of the failed put, got - want +:\n%s", diff)
	}
	for _, n := range []int{0, 2, 6} {
		if got := failed.CancellationReasons[n].Item; len(got) != 0 {
			t.Errorf("item of reason %d: got %v, want none", n, plainOf(got))
		}
	}
	for pk, want := range map[string]plain{"new": nil, "a": a, "b": b, "c": nil} {
		if diff := cmp.Diff(f.get(pk, 1), want); diff != "" {
			t.Errorf("%s has changed, got - want +:\n%s", pk, diff)
		}
	}
}

func TestOneInvalidItemCancelsATransaction(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(plain{"pk": "a", "sk": 1, "v": "text"}, plain{"pk": "large", "sk": 1, "v": strings.Repeat("v", 300<<10)})
	for name, bad := range map[string]types.TransactWriteItem{
		"wrong type for +": f.updateOf("a", "SET v = v + :one", nil),
		"absent operand":   f.updateOf("a", "SET v = absent", nil),
		"half a key":       f.putOf(plain{"pk": "b"}, nil),
		"other key type":   f.putOf(plain{"pk": 1, "sk": 1}, nil),
		"grown too large":  f.updateOf("large", "SET w = :large", nil),
		"index key type":   f.putOf(plain{"pk": "b", "sk": 1, "queue": 1}, nil),
	} {
		t.Run(name, func(t *testing.T) {
			err := f.transact(f.putOf(plain{"pk": "new", "sk": 1}, nil), bad)
			failed, ok := errors.AsType[*types.TransactionCanceledException](err)
			if !ok {
				t.Fatalf("got %v, want a TransactionCanceledException", err)
			}
			if got := *failed.CancellationReasons[1].Code; got != "ValidationError" {
				t.Errorf("reason %q, want ValidationError", got)
			}
			if got := f.get("new", 1); got != nil {
				t.Errorf("the other item was written: %v", got)
			}
		})
	}
}

func TestTransactionsThatAreRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var many []types.TransactWriteItem
	for n := range 101 {
		many = append(many, f.putOf(plain{"pk": "many", "sk": n}, nil))
	}
	one := f.putOf(plain{"pk": "a", "sk": 1}, nil)
	elsewhere := types.TransactWriteItem{Put: &types.Put{TableName: aws.String("no-such-table"), Item: key("a", 1)}}
	two := f.putOf(plain{"pk": "b", "sk": 1}, nil)
	two.Delete = f.deleteOf("c", nil).Delete
	tests := []struct {
		name  string
		items []types.TransactWriteItem
		want  string
	}{
		{"no items", []types.TransactWriteItem{}, "ValidationException"},
		{"101 items", many, "ValidationException"},
		{"one item twice", []types.TransactWriteItem{one, f.deleteOf("a", nil)}, "ValidationException"},
		{"one item checked and written", []types.TransactWriteItem{one, f.checkOf("a", present)}, "ValidationException"},
		{"two actions in one", []types.TransactWriteItem{two}, "ValidationException"},
		{"no action", []types.TransactWriteItem{{}}, "ValidationException"},
		{"bad expression", []types.TransactWriteItem{one, f.checkOf("b", aws.String("nonsense"))}, "ValidationException"},
		{"item too large", []types.TransactWriteItem{one, f.putOf(plain{"pk": "b", "sk": 1, "v": strings.Repeat("v", 400<<10)}, nil)}, "ValidationException"},
		{"empty key", []types.TransactWriteItem{one, f.putOf(plain{"pk": "", "sk": 1}, nil)}, "ValidationException"},
		{"empty index key", []types.TransactWriteItem{one, f.putOf(plain{"pk": "b", "sk": 1, "owner_id": ""}, nil)}, "ValidationException"},
		{"no such table", []types.TransactWriteItem{one, elsewhere}, "ResourceNotFoundException"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantCode(t, f.transact(test.items...), test.want)
			if got := f.get("a", 1); got != nil {
				t.Errorf("an item was written: %v", got)
			}
		})
	}
	if err := f.transact(many[:100]...); err != nil {
		t.Errorf("100 items: %v", err)
	}
}

func TestTransactionTokenMakesARepetitionHarmless(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(plain{"pk": "a", "sk": 1, "v": 0})
	token := rand.Text()
	send := func(expression string) error {
		_, err := f.client.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{
			ClientRequestToken: &token,
			TransactItems:      []types.TransactWriteItem{f.updateOf("a", expression, present), f.putOf(plain{"pk": "b", "sk": 1}, nil)},
		})
		return err
	}
	for range 3 {
		if err := send("SET v = v + :one"); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.get("a", 1)["v"]; got != 1 {
		t.Errorf("after three times the same request v is %v, want 1", got)
	}
	wantCode(t, send("SET v = v + :two"), "IdempotentParameterMismatchException")
	if got := f.get("a", 1)["v"]; got != 1 {
		t.Errorf("after another request with the same token v is %v, want 1", got)
	}
	token = rand.Text()
	if err := send("SET v = v + :one"); err != nil || f.get("a", 1)["v"] != 2 {
		t.Errorf("with another token: error %v, v %v, want 2", err, f.get("a", 1)["v"])
	}
}
