package dynamotest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
)

// values are the :values of the expression tests. Each test passes those that its expression mentions.
var values = plain{
	":zero": 0, ":one": 1, ":two": 2, ":five": 5, ":ten": 10, ":big": N("9007199254740993"), ":onefold": N("1.00"),
	":a": "a", ":b": "b", ":text": "text", ":te": "te", ":x": "x", ":S": "S", ":N": "N", ":Q": "Q", ":empty": "",
	":true": true, ":null": nil, ":items": []any{"x", 7}, ":m": plain{"k": "v"}, ":bytes": []byte("by"), ":none": []any{},
	":large": strings.Repeat("w", 200<<10),
}

// mentioned returns the values that the expressions use.
func mentioned(expressions ...string) map[string]types.AttributeValue {
	used := map[string]types.AttributeValue{}
	for _, word := range strings.FieldsFunc(strings.Join(expressions, " "), func(r rune) bool {
		return strings.ContainsRune(" ,()=<>+-", r)
	}) {
		if v, ok := values[word]; ok {
			used[word] = attributeOf(v)
		}
	}
	if len(used) == 0 {
		return nil
	}
	return used
}

func TestConditions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	stored := plain{
		"pk": "a", "sk": 1, "one": 1, "big": N("9007199254740993"), "txt": "text", "yes": true, "nothing": nil,
		"bytes": []byte("bytes"), "items_": []any{"x", 7}, "m": plain{"k": "v"},
	}
	f.put(stored)
	for expression, want := range map[string]bool{
		"one = :one": true, "one = :onefold": true, "one = :two": false, "one = :x": false,
		"one <> :two": true, "one <> :one": false, "one <> :x": true,
		"one < :two": true, "one < :one": false, "one <= :one": true, "one > :zero": true, "one > :one": false, "one >= :one": true,
		":two > one": true, "txt < :x": true, "txt < :two": false, "txt > :two": false,
		"big = :big": true, "big > :ten": true,
		"absent = :one": false, "absent <> :one": true, "absent < :one": false, "absent > :one": false,
		"NOT absent = :one": true, "absent <> rest": true, "absent = rest": false,
		"attribute_exists(one)": true, "attribute_exists(absent)": false, "attribute_exists(nothing)": true,
		"attribute_not_exists(one)": false, "attribute_not_exists(absent)": true,
		"m = :m": true, "m <> :items": true, "items_ = :items": true, "yes = :true": true, "yes <> :null": true,
		"nothing = :null": true, "bytes = :bytes": false,
		"one = :one AND txt = :text": true, "one = :one AND txt = :x": false, "one = :two OR txt = :text": true,
		"one = :one OR one = :two AND txt = :x": true, "(one = :one OR one = :two) AND txt = :x": false,
		"NOT one = :two AND txt = :text": true, "NOT (one = :two OR txt = :text)": false, "not not one = :one": true,
		"one=:one and(txt=:text)": true,
	} {
		t.Run(expression, func(t *testing.T) {
			_, err := f.client.PutItem(t.Context(), &dynamodb.PutItemInput{
				TableName: &f.table, Item: stored.item(), ConditionExpression: &expression,
				ExpressionAttributeValues: mentioned(expression),
			})
			wantCode(t, err, map[bool]string{true: "", false: "ConditionalCheckFailedException"}[want])
		})
	}
}

func TestConditionsThatAreRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, expression := range []string{
		"", " ", "one", "one =", "= :one", "one == :one", "one = :one AND", "= one :one", "one = :one txt = :text", "(one = :one",
		"one = :one)", "one = :undefined", "#undefined = :one", "one = 1", "one = 'x'", "one ! :one", "one = :one; two = :two",
		"status = :one", "Name = :one", "unknown(one)", "attribute_exists(:one)", "attribute_exists(one, two)",
		"attribute_exists()", "if_not_exists(one, :one)", "attribute_exists(one) = :true",
		"a..b = :one", ".a = :one", "one = :one OR", "NOT", "AND one = :one", "a b = :one", "(one) :one", "one LIKE :one",
	} {
		t.Run(expression, func(t *testing.T) {
			_, err := f.client.PutItem(t.Context(), &dynamodb.PutItemInput{
				TableName: &f.table, Item: key("a", 1), ConditionExpression: &expression,
				ExpressionAttributeValues: mentioned(expression),
			})
			wantCode(t, err, "ValidationException")
		})
	}
}

func TestWhatExpressionsDoNotKnowIsRefused(t *testing.T) {
	t.Parallel()
	ours(t)
	f := newFixture(t)
	for expression, want := range map[string]string{
		"size(txt) < :five":          "size",
		"contains(txt, :te)":         "contains",
		"attribute_type(txt, :S)":    "attribute_type",
		"one = size(txt)":            "size",
		"one BETWEEN :zero AND :two": "BETWEEN",
		"one IN (:one)":              "IN",
		"m.k = :x":                   ".k",
		"attribute_exists(m.k)":      ".k",
		"items_[0] = :x":             "[0",
		"Attribute_Exists(one)":      "Attribute_Exists",
		"begins_with(txt, :te)":      "begins_with",
	} {
		t.Run(expression, func(t *testing.T) {
			_, err := f.client.PutItem(t.Context(), &dynamodb.PutItemInput{
				TableName: &f.table, Item: key("a", 1), ConditionExpression: &expression,
				ExpressionAttributeValues: mentioned(expression),
			})
			wantCode(t, err, "ValidationException")
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want an error that names %s", err, want)
			}
		})
	}
	for _, expression := range []string{"ADD one :one", "DELETE one :one", "SET one = list_append(one, :items)",
		"SET m.k = :x", "REMOVE items_[0]"} {
		t.Run(expression, func(t *testing.T) {
			_, err := f.client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
				TableName: &f.table, Key: key("a", 1), UpdateExpression: &expression,
				ExpressionAttributeValues: mentioned(expression),
			})
			wantCode(t, err, "ValidationException")
		})
	}
}

func TestPlaceholdersMustBeUsed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(plain{"pk": "a", "sk": 1, "status": "x"})
	tests := []struct {
		name       string
		expression *string
		names      map[string]string
		values     plain
		want       string
	}{
		{"all used", aws.String("#s = :x"), map[string]string{"#s": "status"}, plain{":x": "x"}, ""},
		{"a name with a dot is one name", aws.String("attribute_not_exists(#d)"), map[string]string{"#d": "a.b"}, nil, ""},
		{"unused name", aws.String("#s = :x"), map[string]string{"#s": "status", "#t": "t"}, plain{":x": "x"}, "ValidationException"},
		{"unused value", aws.String("#s = :x"), map[string]string{"#s": "status"}, plain{":x": "x", ":y": 1}, "ValidationException"},
		{"no expression", nil, nil, plain{":x": "x"}, "ValidationException"},
		{"empty names", missing, map[string]string{}, nil, "ValidationException"},
		{"empty values", missing, nil, plain{}, "ValidationException"},
		{"no expression for a name", nil, map[string]string{"#s": "status"}, nil, "ValidationException"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := f.client.PutItem(t.Context(), &dynamodb.PutItemInput{
				TableName: &f.table, Item: plain{"pk": "a", "sk": 1, "status": "x"}.item(),
				ConditionExpression:      test.expression,
				ExpressionAttributeNames: test.names, ExpressionAttributeValues: test.values.item(),
			})
			wantCode(t, err, test.want)
		})
	}
}

func TestFailedConditionTellsTheItemWhenAsked(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	stored := plain{"pk": "a", "sk": 1, "v": 1}
	f.put(stored)
	ask := types.ReturnValuesOnConditionCheckFailureAllOld
	condition := aws.String("attribute_exists(absent)")
	for name, do := range map[string]func(table, key string) error{
		"PutItem": func(_, pk string) error {
			_, err := f.client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &f.table, Item: key(pk, 1),
				ConditionExpression: condition, ReturnValuesOnConditionCheckFailure: ask})
			return err
		},
		"UpdateItem": func(_, pk string) error {
			_, err := f.client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: &f.table, Key: key(pk, 1),
				ConditionExpression: condition, ReturnValuesOnConditionCheckFailure: ask})
			return err
		},
		"DeleteItem": func(_, pk string) error {
			_, err := f.client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &f.table, Key: key(pk, 1),
				ConditionExpression: condition, ReturnValuesOnConditionCheckFailure: ask})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			for pk, want := range map[string]plain{"a": stored, "absent": nil} {
				err := do(name, pk)
				failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
				if !ok {
					t.Fatalf("got %v, want a ConditionalCheckFailedException", err)
				}
				if diff := cmp.Diff(plainOf(failed.Item), want); diff != "" {
					t.Errorf("%s: got - want +:\n%s", pk, diff)
				}
			}
		})
	}
	_, err := f.client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &f.table, Item: key("a", 1), ConditionExpression: condition})
	if failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err); !ok || failed.Item != nil {
		t.Errorf("got %v, want a failed condition without the item, which was not asked for", err)
	}
	if diff := cmp.Diff(f.get("a", 1), stored); diff != "" {
		t.Errorf("after failed conditions, got - want +:\n%s", diff)
	}
}
