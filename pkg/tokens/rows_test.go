package tokens

import (
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/fake/dynamotest"
)

// backup copies a grant's row. What it returns puts the copy back.
func (w *world) backup(p Principal) (restore func()) {
	w.t.Helper()
	copied, err := w.db.GetItem(w.t.Context(), &dynamodb.GetItemInput{TableName: &w.names.Grants, Key: w.store().rowKey(string(p))})
	if err != nil {
		w.t.Fatal(err)
	}
	return func() {
		w.t.Helper()
		if _, err := w.db.PutItem(w.t.Context(), &dynamodb.PutItemInput{TableName: &w.names.Grants, Item: copied.Item}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// spends returns the rows of the ledger.
func (w *world) spends() []map[string]types.AttributeValue {
	w.t.Helper()
	out, err := w.db.Scan(w.t.Context(), &dynamodb.ScanInput{TableName: &w.names.Spends})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.Items
}

// atRest fails the test if the breaker has anything on record.
func (w *world) atRest() {
	w.t.Helper()
	if b, err := w.store().Upkeep().Breaker(w.t.Context()); err != nil || !b.AtRest() {
		w.t.Errorf("got breaker %+v, %v; want it at rest", b, err)
	}
}

// remove deletes a grant's row.
func (w *world) remove(p Principal) {
	w.t.Helper()
	if _, err := w.db.DeleteItem(w.t.Context(), &dynamodb.DeleteItemInput{TableName: &w.names.Grants, Key: w.store().rowKey(string(p))}); err != nil {
		w.t.Fatal(err)
	}
}

// item is the write of another item, which is refused if it was made before.
func (w *world) item(name string) types.TransactWriteItem {
	return new(dynamo.Expression).Absent("session").Put(w.names.Sessions, dynamo.Item{"session": dynamo.Text(name)})
}

// unheld returns the grants without a holder.
func (w *world) unheld(s *Store) (all []Principal) {
	w.t.Helper()
	for shard := range Shards {
		for p, err := range s.Upkeep().Unheld(w.t.Context(), shard) {
			if err != nil {
				w.t.Fatal(err)
			}
			all = append(all, p)
		}
	}
	return all
}

// countReads counts the reads of rows from now on.
func (w *world) countReads() *atomic.Int64 {
	var n atomic.Int64
	w.dynamo.Intercept(func(operation string, _ []byte) dynamotest.Fault {
		if operation == "GetItem" {
			n.Add(1)
		}
		return dynamotest.Fault{}
	})
	return &n
}

// states counts the states of grants.
func (w *world) states(all []Principal) map[State]int {
	w.t.Helper()
	n := map[State]int{}
	for _, p := range all {
		n[w.row(p).State]++
	}
	return n
}
