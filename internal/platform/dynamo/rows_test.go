package dynamo

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/dynamotest"
)

// account is a row for the tests.
type account struct {
	id, note string
	balance  int64
	rev      int64
	write    string
}

func (a *account) fields(f *Fields) {
	f.Number("balance", &a.balance)
	f.Text("note", &a.note)
	f.Number("rev", &a.rev)
	f.Text("write", &a.write)
}

func (w *world) rows() Rows[account] {
	return Rows[account]{
		DB: w.db, Table: w.table,
		Decode: func(a *account, i Item) error {
			return Decode(i, func(f *Fields) {
				f.Text("company", &a.id)
				a.fields(f)
			})
		},
		Encode:   func(a account) (key, attributes Item) { return keyOf(a.id), Encode(a.fields) },
		Revision: func(a *account) (*int64, *string) { return &a.rev, &a.write },
	}
}

// stored makes a row.
func (w *world) stored(id string) account {
	w.t.Helper()
	a, err := w.rows().Swap(w.t.Context(), account{id: id}, account{id: id, balance: 1, note: "new"})
	if err != nil || a.rev != 1 || a.write == "" {
		w.t.Fatalf("got %+v, %v; want the first revision", a, err)
	}
	return a
}

// current wants a lost race and returns the row that won it.
func (w *world) current(err error) account {
	w.t.Helper()
	changed, ok := errors.AsType[*ChangedError[account]](err)
	if !ok {
		w.t.Fatalf("got error %v, want a *ChangedError", err)
	}
	return changed.Current
}

func add(a account) (account, bool) {
	a.balance++
	return a, true
}

func TestSwap(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	rows := w.rows()
	missing, err := rows.Get(ctx, keyOf("1"))
	if diff := cmp.Diff(account{id: "1"}, missing, cmp.AllowUnexported(account{})); diff != "" || err != nil {
		t.Errorf("a missing row: %v, (-want +got):\n%s", err, diff)
	}
	first := w.stored("1")
	if _, err := rows.Swap(ctx, missing, missing); w.current(err) != first {
		t.Errorf("created again: %v", err)
	}
	if err := Write(ctx, w.db, new(Expression).Set(Item{"newer": Text("x")}).Update(w.table, keyOf("1"))); err != nil {
		t.Fatal(err)
	}
	next := first
	next.note, next.balance = "", 5
	second, err := rows.Swap(ctx, first, next)
	if err != nil || second.rev != 2 || second.write == first.write {
		t.Fatalf("got %+v, %v", second, err)
	}
	want := Item{"balance": Number(5), "rev": Number(2), "write": Text(second.write), "newer": Text("x")}
	if diff := cmp.Diff(want, w.item("1"), cmp.Exporter(exportAll)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := rows.Swap(ctx, first, next); w.current(err) != second {
		t.Errorf("from an old reading: %v", err)
	}
	if read, err := rows.Get(ctx, keyOf("1")); err != nil || read != second {
		t.Errorf("got %+v, %v; want %+v", read, err, second)
	}
	if err := Write(ctx, w.db, new(Expression).Delete(w.table, keyOf("1"))); err != nil {
		t.Fatal(err)
	}
	if _, err := rows.Swap(ctx, second, second); w.current(err) != missing {
		t.Errorf("a deleted row: %v", err)
	}
}

// After a restore from a backup the revision may be the one that was read, of another row.
func TestSwapAfterARestore(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	rows := w.rows()
	first := w.stored("1")
	read, err := rows.Swap(ctx, first, first)
	if err != nil {
		t.Fatal(err)
	}
	if err := Write(ctx, w.db, new(Expression).Set(Item{"rev": Number(first.rev), "write": Text(first.write)}).Update(w.table, keyOf("1"))); err != nil {
		t.Fatal(err)
	}
	other, err := rows.Swap(ctx, first, first)
	if err != nil || other.rev != read.rev {
		t.Fatalf("got %+v, %v", other, err)
	}
	if _, err := rows.Swap(ctx, read, read); w.current(err) != other {
		t.Errorf("got error %v", err)
	}
}

// An answer is lost after the write, and the SDK writes again: the row shows whose write it was.
func TestSwapWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	rows := w.rows()
	a := w.stored("1")
	lose := func(operation string) {
		w.dynamo.Intercept(dynamotest.Nth(1, operation, dynamotest.Fault{Drop: true, Applied: true}))
	}
	lose("UpdateItem")
	b, err := rows.Swap(ctx, a, a)
	if err != nil || b.rev != 2 {
		t.Fatalf("got %+v, %v; want the write to be recognised", b, err)
	}
	note := new(Expression).Set(Item{"note": Text("joined")}).Update(w.table, keyOf("other"))
	lose("TransactWriteItems")
	c, err := rows.Swap(ctx, b, b, note)
	if err != nil || c.rev != 3 {
		t.Fatalf("in a transaction: got %+v, %v; want the write to be recognised", c, err)
	}
	if read, err := rows.Get(ctx, keyOf("1")); err != nil || read != c {
		t.Errorf("got %+v, %v; want %+v", read, err, c)
	}
	lose("UpdateItem")
	if applied, err := rows.Apply(ctx, c, add); err != nil || applied.balance != c.balance+1 {
		t.Errorf("got %+v, %v; want one step", applied, err)
	}
}

func TestSwapInATransaction(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	rows := w.rows()
	a := w.stored("1")
	once := func() error {
		_, err := rows.Swap(ctx, a, a, new(Expression).Set(Item{"note": Text("x")}).Absent("note").Update(w.table, keyOf("2")))
		return err
	}
	w.stored("2")
	err := once()
	if reasons, refused := Refused(err); !refused || reasons.Code(0) != "None" || reasons.Failed(0) || !reasons.AnyFailed(1, 1) || ConditionFailed(err) {
		t.Errorf("got error %v, want that the second write was refused", err)
	}
	if read, err := rows.Get(ctx, keyOf("1")); err != nil || read != a {
		t.Errorf("got %+v, %v; want the row untouched", read, err)
	}
	b, err := rows.Swap(ctx, a, a)
	if err != nil {
		t.Fatal(err)
	}
	if err := once(); w.current(err) != b {
		t.Errorf("both refused: got error %v", err)
	}
	w.dynamo.Intercept(dynamotest.Nth(1, "TransactWriteItems", dynamotest.Fault{Reasons: []string{"TransactionConflict", "None"}}))
	a = b
	if reasons, refused := Refused(once()); !refused || reasons.Code(0) != "TransactionConflict" || reasons.AnyFailed(0, 2) || reasons.Code(2) != "" {
		t.Errorf("got reasons %v of a conflict", reasons)
	}
	w.dynamo.Intercept(dynamotest.Nth(1, "UpdateItem", dynamotest.Fault{Code: "ValidationException"}))
	_, err = rows.Swap(ctx, b, b)
	if _, refused := Refused(err); err == nil || refused {
		t.Errorf("got error %v, want storage's own", err)
	}
}

// Each step of many writers is made, once.
func TestApply(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	rows := w.rows()
	a := w.stored("1")
	const writers, each = 4, 10
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for done, tries := 0, 0; done < each && tries < 10*writers*each; tries++ {
				_, err := rows.Apply(ctx, a, add)
				switch {
				case err == nil:
					done++
				case !errors.As(err, new(*ChangedError[account])):
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if got, err := rows.Get(ctx, keyOf("1")); err != nil || got.balance != 1+writers*each || got.rev != got.balance {
		t.Errorf("got %+v, %v; want %d steps", got, err, writers*each)
	}
	same := func(a account) (account, bool) { return a, false }
	if got, err := rows.Apply(ctx, a, same); err != nil || got != a {
		t.Errorf("got %+v, %v; want nothing done", got, err)
	}
}

// Apply ends, and a row that cannot be read is its error.
func TestApplyEnds(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), t.Context()
	rows := w.rows()
	a := w.stored("1")
	steps := 0
	_, err := rows.Apply(ctx, a, func(a account) (account, bool) {
		if _, err := w.rows().Swap(ctx, a, a); err != nil {
			t.Error(err)
		}
		steps++
		return add(a)
	})
	if got := w.current(err); got.balance != a.balance || steps != maxSwaps {
		t.Errorf("got %+v after %d steps", got, steps)
	}
	if err := Write(ctx, w.db, new(Expression).Set(Item{"balance": Text("much")}).Update(w.table, keyOf("1"))); err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func() error{
		"Get":   func() error { _, err := rows.Get(ctx, keyOf("1")); return err },
		"Apply": func() error { _, err := rows.Apply(ctx, a, add); return err },
	} {
		if err := do(); err == nil || !strings.Contains(err.Error(), `attribute "balance" is not a number`) {
			t.Errorf("%s: got error %v, want that of the attribute", name, err)
		}
	}
}
