package dynamotest_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
)

func itoa(n int) string { return strconv.Itoa(n) }

func atoi(text string) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil
}

func TestItemComesBackAsItWasPut(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	want := plain{
		"pk": "a", "sk": -1, "text": "grün <&> \u2028", "empty": "", "yes": true, "no": false, "nothing": nil,
		"bytes": []byte{0, 255}, "noBytes": []byte{}, "ss": SS{"x", "y"}, "ns": NS{"1", "2.5"}, "bs": BS{"\x00", "b"},
		"elems":      []any{"a", 1, []any{}, plain{"deep": []any{nil}}},
		"m":          plain{"a.b": "dotted", "empty": plain{}},
		"empty list": []any{},
	}
	f.put(want)
	if diff := cmp.Diff(f.get("a", -1), want); diff != "" {
		t.Errorf("got - want +:\n%s", diff)
	}
	if got := f.get("a", 1); got != nil {
		t.Errorf("got %v for a key that was never put", got)
	}
	f.put(plain{"pk": "a", "sk": -1})
	if diff := cmp.Diff(f.get("a", -1), plain{"pk": "a", "sk": -1}); diff != "" {
		t.Errorf("put again, got - want +:\n%s", diff)
	}
}

func TestNumbersAreExactDecimals(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tests := []struct{ in, want string }{
		{"9007199254740993", "9007199254740993"},
		{"12345678901234567890123456789012345678", "12345678901234567890123456789012345678"},
		{"-0.10", "-0.1"},
		{"1.0", "1"},
		{"1e3", "1000"},
		{"-1.5E-3", "-0.0015"},
		{"007", "7"},
		{"0.0", "0"},
		{"-0", "0"},
		{"1e125", "1" + strings.Repeat("0", 125)},
		{"1e-130", "0." + strings.Repeat("0", 129) + "1"},
	}
	for _, test := range tests {
		t.Run(test.in, func(t *testing.T) {
			_, err := f.client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &f.table,
				Item: plain{"pk": test.in, "sk": 0, "n": N(test.in), "set": NS{test.in}}.item()})
			if err != nil {
				t.Fatal(err)
			}
			out, err := f.client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &f.table, Key: key(test.in, 0)})
			if err != nil {
				t.Fatal(err)
			}
			if got := out.Item["n"].(*types.AttributeValueMemberN).Value; got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if got := out.Item["set"].(*types.AttributeValueMemberNS).Value[0]; got != test.want {
				t.Errorf("in a set: got %s, want %s", got, test.want)
			}
		})
	}
	for _, bad := range []string{
		"", "x", "1x", "--1", "1.2.3", "1e", "0x10", "1_000", "NaN", "Infinity", " 1", "1e126", "1e-131",
		"123456789012345678901234567890123456789",
	} {
		_, err := f.client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &f.table,
			Item: plain{"pk": "bad", "sk": 0, "n": N(bad)}.item()})
		t.Run("bad "+bad, func(t *testing.T) { wantCode(t, err, "ValidationException") })
	}
}

func TestEqualNumbersAreOneKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(plain{"pk": "a", "sk": N("1.0"), "v": 1}, plain{"pk": "a", "sk": N("10e-1"), "v": 2})
	if got := f.get("a", 1); got["v"] != 2 {
		t.Errorf("got %v, want the second item", got)
	}
	f.put(plain{"pk": "a", "sk": N("9007199254740993")}, plain{"pk": "a", "sk": N("9007199254740992"), "v": 3})
	if got := f.get("a", N("9007199254740993")); got == nil || got["v"] != nil {
		t.Errorf("got %v, want the item of the greater id", got)
	}
}

func TestPutRefusesWhatCannotBeStored(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	deep := any("bottom")
	for range 33 {
		deep = []any{deep}
	}
	tests := []struct {
		name string
		item plain
	}{
		{"no key", plain{"v": 1}},
		{"half a key", plain{"pk": "a"}},
		{"key of another type", plain{"pk": "a", "sk": "1"}},
		{"empty key", plain{"pk": "", "sk": 1}},
		{"long key", plain{"pk": strings.Repeat("k", 2049), "sk": 1}},
		{"index key of another type", plain{"pk": "a", "sk": 1, "queue": 1}},
		{"empty index key", plain{"pk": "a", "sk": 1, "owner_id": ""}},
		{"empty set", plain{"pk": "a", "sk": 1, "set": SS{}}},
		{"set with a duplicate", plain{"pk": "a", "sk": 1, "set": SS{"x", "x"}}},
		{"set with an equal number", plain{"pk": "a", "sk": 1, "set": NS{"1", "1.0"}}},
		{"a byte too large", plain{"pk": "a", "sk": 1, "v": strings.Repeat("v", 400<<10-7)}},
		{"attribute without a name", plain{"pk": "a", "sk": 1, "": 1}},
		{"nested attribute without a name", plain{"pk": "a", "sk": 1, "v": plain{"": 1}}},
		{"too deep", plain{"pk": "a", "sk": 1, "v": deep}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := f.client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &f.table, Item: test.item.item()})
			wantCode(t, err, "ValidationException")
		})
	}
	// pk, a, sk, 1 and v are 2+1+2+2+1 bytes.
	f.put(plain{"pk": "a", "sk": 1, "v": strings.Repeat("v", 400<<10-8)})
}

func TestKeysMustFitTheSchema(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for name, bad := range map[string]plain{
		"half":         {"pk": "a"},
		"more":         {"pk": "a", "sk": 1, "v": 1},
		"other type":   {"pk": 1, "sk": 1},
		"other name":   {"pk": "a", "id": 1},
		"empty string": {"pk": "", "sk": 1},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &f.table, Key: bad.item()})
			wantCode(t, err, "ValidationException")
			_, err = f.client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &f.table, Key: bad.item()})
			wantCode(t, err, "ValidationException")
			_, err = f.client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: &f.table, Key: bad.item()})
			wantCode(t, err, "ValidationException")
		})
	}
}

func TestGetProjects(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(plain{"pk": "a", "sk": 1, "v": 1, "name": "n", "elems": []any{0, 1, 2}, "m": plain{"x": 1, "y": 2}})
	out, err := f.client.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: &f.table, Key: key("a", 1),
		ProjectionExpression:     aws.String("#n, elems[2], elems[0], elems[7], m.y, absent, m.z"),
		ExpressionAttributeNames: map[string]string{"#n": "name"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := plain{"name": "n", "elems": []any{0, 2}, "m": plain{"y": 2}}
	if diff := cmp.Diff(plainOf(out.Item), want); diff != "" {
		t.Errorf("got - want +:\n%s", diff)
	}
	for _, refused := range []string{"", "m, m.y", "pk, pk", "pk,", "size(m)", ":v", "name"} {
		_, err = f.client.GetItem(t.Context(), &dynamodb.GetItemInput{
			TableName: &f.table, Key: key("a", 1), ProjectionExpression: &refused,
		})
		t.Run(refused, func(t *testing.T) { wantCode(t, err, "ValidationException") })
	}
	_, err = f.client.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: &f.table, Key: key("a", 1), ProjectionExpression: aws.String("m.y, m[0]"),
	})
	t.Run("conflict", func(t *testing.T) { wantRefused(t, err, "Two document paths conflict with each other") })
}

func TestReturnValues(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	before := plain{"pk": "a", "sk": 1, "v": 1, "m": plain{"x": 1, "y": 2}, "kept": true}
	after := plain{"pk": "a", "sk": 1, "v": 2, "m": plain{"x": 9, "y": 2}, "kept": true, "fresh": "n"}
	tests := []struct {
		returns types.ReturnValue
		want    plain
	}{
		{types.ReturnValueNone, nil},
		{types.ReturnValueAllOld, before},
		{types.ReturnValueAllNew, after},
		{types.ReturnValueUpdatedOld, plain{"v": 1, "m": plain{"x": 1}}},
		{types.ReturnValueUpdatedNew, plain{"v": 2, "m": plain{"x": 9}, "fresh": "n"}},
	}
	for _, test := range tests {
		t.Run(string(test.returns), func(t *testing.T) {
			f.put(before)
			out, err := f.client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
				TableName: &f.table, Key: key("a", 1), ReturnValues: test.returns,
				UpdateExpression:          aws.String("SET v = v + :one, m.x = :x, fresh = :n REMOVE absent"),
				ExpressionAttributeValues: plain{":one": 1, ":x": 9, ":n": "n"}.item(),
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(plainOf(out.Attributes), test.want); diff != "" {
				t.Errorf("got - want +:\n%s", diff)
			}
		})
	}
	f.put(before)
	put, err := f.client.PutItem(t.Context(), &dynamodb.PutItemInput{
		TableName: &f.table, Item: after.item(), ReturnValues: types.ReturnValueAllOld})
	if diff := cmp.Diff(plainOf(put.Attributes), before); diff != "" || err != nil {
		t.Errorf("PutItem: %v, got - want +:\n%s", err, diff)
	}
	deleted, err := f.client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{
		TableName: &f.table, Key: key("a", 1), ReturnValues: types.ReturnValueAllOld})
	if diff := cmp.Diff(plainOf(deleted.Attributes), after); diff != "" || err != nil {
		t.Errorf("DeleteItem: %v, got - want +:\n%s", err, diff)
	}
	if got := f.get("a", 1); got != nil {
		t.Errorf("after DeleteItem: got %v", got)
	}
	_, err = f.client.PutItem(t.Context(), &dynamodb.PutItemInput{
		TableName: &f.table, Item: after.item(), ReturnValues: types.ReturnValueAllNew})
	wantCode(t, err, "ValidationException")
}
