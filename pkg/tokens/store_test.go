package tokens

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
)

// A lost answer of storage, at each write of a refresh, changes nothing.
func TestLostAnswersOfStorage(t *testing.T) {
	t.Parallel()
	for name, operation := range map[string]string{"claim": "TransactWriteItems", "store": "UpdateItem", "read": "GetItem"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.authorize(w.store()).Principal
			w.clock.Advance(2 * time.Hour)
			w.dynamo.Intercept(dynamotest.Nth(1, operation, dynamotest.Fault{Drop: true, Applied: true}))
			a, err := w.store().Token(t.Context(), p)
			if operation == "GetItem" && errors.Is(err, ErrTryAgain) {
				a, err = w.store().Token(t.Context(), p)
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := w.works(a); err != nil {
				t.Error(err)
			}
			if got := w.row(p); got.Generation != 2 || got.State != Active {
				t.Errorf("got generation %d, %s; want 2, active", got.Generation, got.State)
			}
			if got, want := w.presented(), 1; got != want {
				t.Errorf("got %d refreshes, want %d", got, want)
			}
		})
	}
}

// A claim that is not confirmed never spends, and is no sign of a bad endpoint.
func TestUnconfirmedClaimDoesNotSpend(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.authorize(w.store()).Principal
	w.clock.Advance(2 * time.Hour)
	w.dynamo.Intercept(func(operation string, _ []byte) dynamotest.Fault {
		return dynamotest.Fault{Drop: operation == "TransactWriteItems"}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	s := w.store()
	if _, err := s.Token(ctx, p); !errors.Is(err, ErrTryAgain) {
		t.Errorf("got error %v, want ErrTryAgain", err)
	}
	if got, want := w.presented(), 0; got != want {
		t.Errorf("got %d refreshes, want %d", got, want)
	}
	w.dynamo.Intercept(nil)
	s.flights.wait()
	w.atRest()
	if _, err := s.Token(t.Context(), p); err != nil {
		t.Error(err)
	}
}

// A transaction that met another one did not happen: it is tried again, and is no sign
// of bad storage to the breaker. What it saw of the ledger may be the other's, which has
// not written the row yet: that does not prove a spent token.
func TestTransactionConflicts(t *testing.T) {
	t.Parallel()
	for _, ledger := range []string{"None", "ConditionalCheckFailed", "ThrottlingError"} {
		t.Run(ledger, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := w.store()
			p := w.authorize(s).Principal
			w.clock.Advance(2 * time.Hour)
			var transactions atomic.Int64
			w.dynamo.Intercept(func(operation string, _ []byte) dynamotest.Fault {
				if operation == "TransactWriteItems" && transactions.Add(1) <= tripAfter+1 {
					return dynamotest.Fault{Reasons: []string{"TransactionConflict", ledger}}
				}
				return dynamotest.Fault{}
			})
			if a, err := s.Token(t.Context(), p); err != nil || a.Generation != 2 {
				t.Errorf("got generation %d, %v; want a refresh", a.Generation, err)
			}
			w.atRest()
			transactions.Store(0)
			if g, err := s.Authorize(t.Context(), w.authorization(), w.item("another")); err != nil || g.Generation != 3 {
				t.Errorf("authorizing: generation %d, %v; want 3", g.Generation, err)
			}
			transactions.Store(0)
			if g, err := s.Hold(t.Context(), p, "9", w.item("yet another")); err != nil || !g.HeldBy("9") {
				t.Errorf("holding: %v, %v", g.Holders, err)
			}
		})
	}
}

// A transaction that storage would refuse again fails at once, with its cause.
func TestRefusedTransaction(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]dynamotest.Fault{
		"ValidationError":           {Reasons: []string{"None", "ValidationError"}},
		"AccessDeniedException":     {Code: "AccessDeniedException"},
		"ResourceNotFoundException": {Code: "ResourceNotFoundException"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := w.store()
			p := w.authorize(s).Principal
			w.clock.Advance(2 * time.Hour)
			var tries atomic.Int64
			w.dynamo.Intercept(func(operation string, _ []byte) dynamotest.Fault {
				if operation == "TransactWriteItems" {
					tries.Add(1)
					return fault
				}
				return dynamotest.Fault{}
			})
			for what, do := range map[string]func() error{
				"Token":     func() error { _, err := s.Token(t.Context(), p); return err },
				"Authorize": func() error { _, err := s.Authorize(t.Context(), w.authorization()); return err },
				"Hold":      func() error { _, err := s.Hold(t.Context(), p, "9", w.item("another")); return err },
			} {
				tries.Store(0)
				if err := do(); !errors.Is(err, ErrTryAgain) || !strings.Contains(err.Error(), name) {
					t.Errorf("%s: got error %v, want ErrTryAgain with its cause, %s", what, err, name)
				}
				if got := tries.Load(); got != 1 {
					t.Errorf("%s: %d transactions were tried, want 1", what, got)
				}
			}
			if got := w.presented(); got != 0 {
				t.Errorf("%d tokens were sent, want none", got)
			}
			w.atRest()
		})
	}
}

func TestStorageDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.authorize(w.store()).Principal
	warm, cold := w.store(), w.store()
	if _, err := warm.Token(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(recheck + time.Minute)
	w.dynamo.Intercept(func(string, []byte) dynamotest.Fault { return dynamotest.Fault{Code: "InternalServerError"} })
	if _, err := warm.Token(t.Context(), p); err != nil {
		t.Errorf("a valid token was not returned from memory: %v", err)
	}
	if _, err := cold.Token(t.Context(), p); !errors.Is(err, ErrTryAgain) {
		t.Errorf("got error %v, want ErrTryAgain", err)
	}
	w.clock.Advance(2 * time.Hour)
	if _, err := warm.Token(t.Context(), p); !errors.Is(err, ErrTryAgain) {
		t.Errorf("after the token's end: got error %v, want ErrTryAgain", err)
	}
}

// Revisions begin again when a row is restored from a backup. A step that was under way
// must not take the row for the one that it has read.
func TestRestoreDuringAWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	p := w.authorize(s).Principal
	restore := w.backup(p)
	read, err := s.Hold(t.Context(), p, "1")
	if err != nil {
		t.Fatal(err)
	}
	restore()
	if g, err := s.Hold(t.Context(), p, "2"); err != nil || g.Rev != read.Rev {
		t.Fatalf("got revision %d, %v; want %d again", g.Rev, err, read.Rev)
	}
	if _, o, err := s.swap(t.Context(), read, read); o != changed {
		t.Errorf("got error %v, want a lost race: the row has the revision that was read, and is another", err)
	}
}
