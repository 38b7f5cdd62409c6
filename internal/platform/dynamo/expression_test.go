package dynamo

import (
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
)

func TestExpression(t *testing.T) {
	t.Parallel()
	got := new(Expression).Set(Item{"b": Number(2), "a": Text("1"), "gone": nil}).Increment("count").
		Equal("a", Text("0")).Equal("new", nil).Absent("other").AbsentOr("state", "=", Text("free")).
		Compare("b", "<", Number(5)).Compare("b", ">=", Number(1)).Update("table", keyOf("1")).Update
	for name, text := range map[string][2]string{
		"update": {aws.ToString(got.UpdateExpression), "SET #a = :a, #b = :b, #count = if_not_exists(#count, :zero) + :one REMOVE #gone"},
		"condition": {aws.ToString(got.ConditionExpression), "#a = :if0 AND attribute_not_exists(#new) AND attribute_not_exists(#other) AND " +
			"(attribute_not_exists(#state) OR #state = :if3) AND #b < :if4 AND #b >= :if5"},
		"old": {string(got.ReturnValuesOnConditionCheckFailure), "ALL_OLD"},
	} {
		if text[0] != text[1] {
			t.Errorf("%s: got %q, want %q", name, text[0], text[1])
		}
	}
	for _, name := range []string{"a", "b", "gone", "count", "new", "other", "state"} {
		if got.ExpressionAttributeNames["#"+name] != name {
			t.Errorf("#%s is %q", name, got.ExpressionAttributeNames["#"+name])
		}
	}
	values := Item{":a": Text("1"), ":b": Number(2), ":zero": Number(0), ":one": Number(1), ":if0": Text("0"), ":if3": Text("free"), ":if4": Number(5), ":if5": Number(1)}
	if diff := cmp.Diff(values, got.ExpressionAttributeValues, cmp.Exporter(exportAll)); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

// Storage takes what is written without a condition, and attributes whose names are reserved words.
func TestWrites(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	write := func(want bool, wr types.TransactWriteItem) {
		t.Helper()
		err := Write(ctx, w.db, wr)
		if want && err != nil || !want && !ConditionFailed(err) {
			t.Errorf("got error %v, want success %t", err, want)
		}
	}
	wants := func(want Item) {
		t.Helper()
		if diff := cmp.Diff(want, w.item("1"), cmp.Exporter(exportAll)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	item := keyOf("1")
	item["name"], item["status"] = Text("n"), Text("")
	write(true, new(Expression).Absent("company").Put(w.table, item))
	write(false, new(Expression).Absent("company").Put(w.table, item))
	wants(Item{"name": Text("n")})
	write(true, new(Expression).Set(Item{"name": nil, "status": Text("ready"), "count": Number(1)}).Absent("status").Update(w.table, keyOf("1")))
	write(false, new(Expression).Set(Item{"status": Text("x")}).Absent("status").Update(w.table, keyOf("1")))
	write(false, new(Expression).Increment("count").Compare("count", "<", Number(1)).Update(w.table, keyOf("1")))
	write(true, new(Expression).Increment("count").AbsentOr("count", "<", Number(2)).Update(w.table, keyOf("1")))
	write(true, new(Expression).Set(Item{"status": nil}).Update(w.table, keyOf("1")))
	write(true, new(Expression).Set(Item{"status": Text("ready")}).Increment("new").Update(w.table, keyOf("1")))
	wants(Item{"status": Text("ready"), "count": Number(2), "new": Number(1)})
	write(false, new(Expression).AbsentOr("status", "=", Text("over")).Delete(w.table, keyOf("1")))
	write(true, new(Expression).Set(Item{"status": Text("over")}).Update(w.table, keyOf("1")))
	write(true, new(Expression).AbsentOr("status", "=", Text("over")).Delete(w.table, keyOf("1")))
	write(true, new(Expression).AbsentOr("status", "=", Text("over")).Delete(w.table, keyOf("1")))
	wants(nil)
	write(true, new(Expression).Put(w.table, item))
}

// Storage returns a string set as it was written, and a set without texts is an attribute that the item lacks.
func TestWriteTexts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, want := range [][]string{{"1", "10", "9"}, {"10"}, nil, {"2"}} {
		fields := func(f *Fields) { f.Texts("texts", &want) }
		if err := Write(t.Context(), w.db, new(Expression).Set(Encode(fields)).Update(w.table, keyOf("1"))); err != nil {
			t.Fatal(err)
		}
		var got []string
		item := w.item("1")
		err := Decode(item, func(f *Fields) { f.Texts("texts", &got) })
		if diff := cmp.Diff(want, got); diff != "" || err != nil || want == nil && item["texts"] != nil {
			t.Errorf("%v, %v (-want +got):\n%s", item, err, diff)
		}
	}
}

// A check writes nothing. If its condition fails, nothing is written, and its reason has the item.
func TestCheck(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	add := func(id, checked string) error {
		return Transact(ctx, w.db, new(Expression).Set(Item{"n": Number(1)}).Update(w.table, keyOf(id)),
			new(Expression).Absent("principal").Check(w.table, keyOf(checked)))
	}
	if err := add("1", "spent"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Item{"n": Number(1)}, w.item("1"), cmp.Exporter(exportAll)); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	if got := w.item("spent"); len(got) > 0 {
		t.Errorf("the check wrote %v", got)
	}
	reasons, refused := Refused(add("2", "1"))
	if !refused || reasons.Failed(0) || !reasons.Failed(1) || !reasons.AnyFailed(1, 1) {
		t.Fatalf("got reasons %v, want the check's", reasons)
	}
	if diff := cmp.Diff(Number(1), reasons[1].Item["n"], cmp.Exporter(exportAll)); diff != "" {
		t.Errorf("item of the reason (-want +got):\n%s", diff)
	}
	if got := w.item("2"); len(got) > 0 {
		t.Errorf("wrote %v although the check failed", got)
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	for i := range int64(10) {
		item := keyOf(strconv.FormatInt(i, 10))
		item["check_shard"], item["check_at"], item["n"] = Text("0"), Number(i), Number(i)
		if i == 3 {
			item["company"] = Text("three")
		}
		if err := Write(ctx, w.db, new(Expression).Put(w.table, item)); err != nil {
			t.Fatal(err)
		}
	}
	in := new(Expression).Equal("check_shard", Text("0")).Compare("check_at", "<", Number(7)).Query(w.table, "checks")
	in.Limit = aws.Int32(2) // of a page
	read := func(id *int64, i Item) error { return Decode(i, func(f *Fields) { f.ID("company", id) }) }
	var got []int64
	var failed int
	for n, err := range Query(ctx, w.db, "due ones", in, read) {
		if err != nil {
			failed++
			continue
		}
		got = append(got, n)
	}
	if diff := cmp.Diff([]int64{0, 1, 2, 4, 5, 6}, got); diff != "" || failed != 1 {
		t.Errorf("%d failed, want 1; (-want +got):\n%s", failed, diff)
	}
	for range Query(ctx, w.db, "due ones", in, read) {
		break // the loop may end early
	}
	in = new(Expression).Equal("company", Text("three")).Query("no-table", "")
	for _, err := range Query(ctx, w.db, "due ones", in, read) {
		if err == nil || err.Error()[:9] != "due ones:" {
			t.Errorf("got error %v, want one that names the query", err)
		}
	}
}
