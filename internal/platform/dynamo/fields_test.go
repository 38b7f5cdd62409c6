package dynamo

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
)

// all has a field of each type.
type all struct {
	Text     string
	Bytes    []byte
	Bool     bool
	Number   int64
	Int      int
	Duration time.Duration
	ID       int64
	Seconds  time.Time
	Millis   time.Time
	Numbers  []int64
	Times    []time.Time
	Texts    []string
	Maps     []part
}

type part struct {
	Name string
	At   time.Time
}

func (a *all) fields(f *Fields) {
	f.Text("text", &a.Text)
	f.Bytes("bytes", &a.Bytes)
	f.Bool("bool", &a.Bool)
	f.Number("number", &a.Number)
	f.Int("int", &a.Int)
	f.Duration("duration", &a.Duration)
	f.ID("id", &a.ID)
	f.Seconds("seconds", &a.Seconds)
	f.Millis("millis", &a.Millis)
	f.Numbers("numbers", &a.Numbers)
	f.Times("times", &a.Times)
	f.Texts("texts", &a.Texts)
	Maps(f, "maps", &a.Maps, (*part).fields)
}

func (p *part) fields(f *Fields) {
	f.Text("name", &p.Name)
	f.Millis("at_ms", &p.At)
}

const secret = "4711"

// values are one of each type.
var values = Item{
	"text":    Text(secret),
	"bytes":   Bytes([]byte(secret)),
	"bool":    boolean(true),
	"number":  &types.AttributeValueMemberN{Value: secret},
	"numbers": &types.AttributeValueMemberL{Value: []types.AttributeValue{Number(4711)}},
	"maps":    &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberM{Value: Item{"name": Text(secret)}}}},
	"null":    &types.AttributeValueMemberNULL{Value: true},
	"texts":   &types.AttributeValueMemberSS{Value: []string{secret}},
}

func TestFields(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_790_000_000_123)
	for _, want := range []all{
		{},
		{
			Text: "word", Bytes: []byte{1, 2}, Bool: true, Number: 1<<63 - 1, Int: -1, Duration: time.Minute, ID: 5678,
			Seconds: time.Unix(1_790_000_000, 0), Millis: at, Numbers: []int64{3, 1, 0}, Times: []time.Time{time.Unix(1, 0)}, Texts: []string{"", "10", "9"}, Maps: []part{{"one", at}, {}},
		},
	} {
		var got all
		err := Decode(Compact(Encode(want.fields)), got.fields)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
	if got := Compact(Encode(new(all).fields)); len(got) != 1 || got["bool"] == nil {
		t.Errorf("got %v for zero values, want the boolean alone", got)
	}
}

// A string set is written with each text once, and read in order whatever the order is in which storage returns it.
func TestTexts(t *testing.T) {
	t.Parallel()
	given := []string{"b", "a", "b"}
	set, ok := Encode((&all{Texts: given}).fields)["texts"].(*types.AttributeValueMemberSS)
	if !ok || cmp.Diff([]string{"a", "b"}, set.Value) != "" || given[0] != "b" {
		t.Errorf("wrote %v of %v, want a and b", set, given)
	}
	var got all
	stored := []string{"c", "a", "b"}
	err := Decode(Item{"texts": &types.AttributeValueMemberSS{Value: stored}}, got.fields)
	if diff := cmp.Diff([]string{"a", "b", "c"}, got.Texts); diff != "" || err != nil || stored[0] != "c" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if v := Encode((&all{Texts: []string{}}).fields)["texts"]; v != nil {
		t.Errorf("got %v for no texts, want nil, which removes the attribute", v)
	}
}

// A value of any other type is an error that names the attribute and does not repeat the value.
func TestWrongType(t *testing.T) {
	t.Parallel()
	fits := map[string]string{"id": "text", "seconds": "number", "millis": "number", "int": "number", "duration": "number", "times": "numbers"}
	for name := range Encode(new(all).fields) {
		for kind, v := range values {
			if kind == name || kind == fits[name] || kind == "text" && name == "id" {
				continue
			}
			err := Decode(Item{name: v}, new(all).fields)
			if err == nil || !strings.Contains(err.Error(), `attribute "`+name) || strings.Contains(err.Error(), secret) {
				t.Errorf("%s as %s: got error %v, want one that names the attribute", kind, name, err)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	list := func(all ...types.AttributeValue) types.AttributeValue {
		return &types.AttributeValueMemberL{Value: all}
	}
	number := func(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }
	item := func(i Item) types.AttributeValue { return &types.AttributeValueMemberM{Value: i} }
	for _, tt := range []struct {
		name  string
		value types.AttributeValue
		want  string
	}{
		{"number", number("4.7"), `attribute "number" is not a whole number`},
		{"number", number("9223372036854775808"), `attribute "number" is not a whole number`},
		{"seconds", number("1e9"), `attribute "seconds" is not a whole number`},
		{"id", Text("47x"), `attribute "id" is not a whole number`},
		{"id", number("47"), `attribute "id" is not text`},
		{"bool", Text("true"), `attribute "bool" is not a boolean`},
		{"texts", list(Text("a")), `attribute "texts" is not a string set`},
		{"numbers", list(Number(1), Text("2")), `attribute "numbers[1]" is not a number`},
		{"maps", list(item(Item{}), Number(2)), `attribute "maps[1]" is not a map`},
		{"maps", list(item(Item{"at_ms": Number(1)}), item(Item{"at_ms": Text("now")})), `attribute "maps[1]": attribute "at_ms" is not a number`},
	} {
		if got := Decode(Item{tt.name: tt.value}, new(all).fields); got == nil || got.Error() != tt.want {
			t.Errorf("got error %v, want %s", got, tt.want)
		}
	}
	required := func(f *Fields) { f.Require("text", "id", "number") }
	if got := Decode(Item{"text": Text("x")}, required); got == nil || got.Error() != `attribute "id" is missing` {
		t.Errorf("got error %v, want that of the first absent attribute", got)
	}
	if got := Decode(Item{"text": Text("x"), "id": Text("1"), "number": Number(0)}, required); got != nil {
		t.Error(got)
	}
	if got := Decode(Item{"text": Number(1), "maps": Text("x")}, new(all).fields); got == nil || got.Error() != `attribute "text" is not text` {
		t.Errorf("got error %v, want that of the first attribute", got)
	}
}
