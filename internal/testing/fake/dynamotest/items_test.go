package dynamotest_test

import (
	"context"
	"crypto/rand"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/dynamotest"
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
		"bytes": []byte{0, 255}, "noBytes": []byte{},
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
				Item: plain{"pk": test.in, "sk": 0, "n": N(test.in)}.item()})
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
		{"a byte too large", plain{"pk": "a", "sk": 1, "v": strings.Repeat("v", 400<<10-7)}},
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

func TestSortKeysAreBounded(t *testing.T) {
	t.Parallel()
	f := fixture{t, dynamotest.Start(t), "suite-" + rand.Text()}
	in := schema(f.table)
	in.AttributeDefinitions[1].AttributeType = "S"
	if _, err := f.client.CreateTable(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = f.client.DeleteTable(context.WithoutCancel(t.Context()), &dynamodb.DeleteTableInput{TableName: &f.table})
	})
	f.put(plain{"pk": strings.Repeat("k", 2048), "sk": strings.Repeat("k", 1024)})
	_, err := f.client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &f.table, Item: key("a", strings.Repeat("k", 1025))})
	wantCode(t, err, "ValidationException")
}
