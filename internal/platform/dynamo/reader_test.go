package dynamo

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
)

type part struct {
	Name string
	At   time.Time
}

func partOf(r *Reader) part { return part{r.Text("name"), r.Millis("at_ms")} }

func (p part) value() types.AttributeValue {
	return Map(Item{"name": Text(p.Name), "at_ms": Millis(p.At)})
}

// kinds reads the attribute x as each type.
var kinds = map[string]func(*Reader) any{
	"text":    func(r *Reader) any { return r.Text("x") },
	"bytes":   func(r *Reader) any { return r.Bytes("x") },
	"bool":    func(r *Reader) any { return r.Bool("x") },
	"number":  func(r *Reader) any { return r.Number("x") },
	"id":      func(r *Reader) any { return r.ID("x") },
	"seconds": func(r *Reader) any { return r.Seconds("x") },
	"millis":  func(r *Reader) any { return r.Millis("x") },
	"numbers": func(r *Reader) any { return r.Numbers("x") },
	"maps":    func(r *Reader) any { return Maps(r, "x", partOf) },
}

func TestRead(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_790_000_000_123)
	parts := []part{{Name: "one", At: at}, {}}
	for _, tt := range []struct {
		kind       string
		value      types.AttributeValue
		want, zero any
	}{
		{"text", Text("word"), "word", ""},
		{"bytes", Bytes([]byte{1, 2}), []byte{1, 2}, []byte(nil)},
		{"bytes", Bytes([]byte{}), []byte{}, []byte(nil)},
		{"bool", Bool(true), true, false},
		{"bool", Bool(false), false, false},
		{"number", Number(1<<63 - 1), int64(1<<63 - 1), int64(0)},
		{"number", Number(0), int64(0), int64(0)},
		{"id", ID(5678), int64(5678), int64(0)},
		{"seconds", Seconds(at), time.Unix(1_790_000_000, 0), time.Time{}},
		{"millis", Millis(at), at, time.Time{}},
		{"numbers", List([]int64{3, 1}, Number), []int64{3, 1}, []int64(nil)},
		{"maps", List(parts, part.value), parts, []part(nil)},
	} {
		check := func(want any, item Item) {
			r := Read(item)
			got := kinds[tt.kind](r)
			if diff := cmp.Diff(want, got); diff != "" || r.Err() != nil {
				t.Errorf("%s of %v: %v, (-want +got):\n%s", tt.kind, item, r.Err(), diff)
			}
		}
		check(tt.want, Item{"x": tt.value})
		check(tt.zero, Item{"y": tt.value})
	}
}

// A value of any other type is an error that names the attribute and does not repeat the value.
func TestReadWrongType(t *testing.T) {
	t.Parallel()
	const secret = "4711"
	values := map[string]types.AttributeValue{
		"text":    Text(secret),
		"bytes":   Bytes([]byte(secret)),
		"bool":    Bool(true),
		"number":  &types.AttributeValueMemberN{Value: secret},
		"numbers": List([]int64{4711}, Number),
		"maps":    List([]part{{Name: secret}}, part.value),
		"null":    &types.AttributeValueMemberNULL{Value: true},
		"strings": &types.AttributeValueMemberSS{Value: []string{secret}},
	}
	fits := map[string]string{"id": "text", "seconds": "number", "millis": "number"}
	for kind, read := range kinds {
		for of, v := range values {
			if of == kind || of == fits[kind] {
				continue
			}
			r := Read(Item{"x": v})
			got := read(r)
			if err := r.Err(); err == nil || !strings.Contains(err.Error(), `attribute "x`) || strings.Contains(err.Error(), secret) {
				t.Errorf("%s of %s: got %v, error %v; want one that names the attribute", kind, of, got, err)
			}
		}
	}
}

func TestReadErrors(t *testing.T) {
	t.Parallel()
	list := func(all ...types.AttributeValue) types.AttributeValue {
		return &types.AttributeValueMemberL{Value: all}
	}
	number := func(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }
	for _, tt := range []struct {
		kind  string
		value types.AttributeValue
		want  string
	}{
		{"number", number("4.7"), `attribute "x" is not a whole number`},
		{"number", number("9223372036854775808"), `attribute "x" is not a whole number`},
		{"seconds", number("1e9"), `attribute "x" is not a whole number`},
		{"id", Text("47x"), `attribute "x" is not a whole number`},
		{"id", number("47"), `attribute "x" is not text`},
		{"bool", Text("true"), `attribute "x" is not a boolean`},
		{"numbers", list(Number(1), Text("2")), `attribute "x[1]" is not a number`},
		{"maps", list(Map(Item{}), Number(2)), `attribute "x[1]" is not a map`},
		{"maps", list(Map(Item{"at_ms": Number(1)}), Map(Item{"at_ms": Text("now")})), `attribute "x[1]": attribute "at_ms" is not a number`},
	} {
		r := Read(Item{"x": tt.value})
		kinds[tt.kind](r)
		if got := r.Err(); got == nil || got.Error() != tt.want {
			t.Errorf("%s of %v: got error %v, want %s", tt.kind, tt.value, got, tt.want)
		}
	}
}

// The first error is the one that is kept.
func TestReadKeepsTheFirstError(t *testing.T) {
	t.Parallel()
	r := Read(Item{"a": Text("1"), "b": Number(2), "c": List([]int64{3}, Number)})
	r.Require("a", "c")
	if r.Err() != nil {
		t.Error(r.Err())
	}
	r.Require("d", "e")
	r.Number("a")
	r.Text("b")
	Maps(r, "c", partOf)
	if got := r.Err(); got == nil || got.Error() != `attribute "d" is missing` {
		t.Errorf("got error %v, want that of the first attribute", got)
	}
}

// What is zero is not stored, except for a number that counts.
func TestZeroValues(t *testing.T) {
	t.Parallel()
	got := Compact(Item{
		"text": Text(""), "bytes": Bytes(nil), "non_zero": NonZero(0), "seconds": Seconds(time.Time{}), "millis": Millis(time.Time{}),
		"list": List(nil, Number), "number": Number(0), "bool": Bool(false), "map": Map(Item{"name": Text("")}),
	})
	want := Item{
		"number": &types.AttributeValueMemberN{Value: "0"}, "bool": &types.AttributeValueMemberBOOL{},
		"map": &types.AttributeValueMemberM{Value: Item{}},
	}
	if diff := cmp.Diff(want, got, cmp.Exporter(exportAll)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
