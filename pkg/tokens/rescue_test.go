package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/procoretest"
)

// queue is a rescue queue. Its messages are what a process would send.
type queue struct {
	t        *testing.T
	messages [][]byte
}

// rescued returns a store whose rescue queue is q.
func (w *world) rescued(q *queue) *Store {
	q.t = w.t
	s := w.store()
	s.Rescue = func(ctx context.Context, r Rescued) error {
		message, err := json.Marshal(r)
		q.messages = append(q.messages, message)
		return errors.Join(err, ctx.Err())
	}
	return s
}

// restore hands the first message to Restore.
func (q *queue) restore(s *Store) error {
	q.t.Helper()
	if len(q.messages) != 1 {
		q.t.Fatalf("%d pairs are in the rescue queue, want 1", len(q.messages))
	}
	r, err := ParseRescued(q.messages[0])
	if err != nil {
		q.t.Fatal(err)
	}
	return s.Upkeep().Restore(q.t.Context(), r)
}

// R2: storage refuses a new pair for longer than its process is there. The pair waits in
// the rescue queue and arrives late, twice and out of order.
func TestRescue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.authorize(w.store()).Principal
	w.clock.Advance(2 * time.Hour)
	var q queue
	s := w.rescued(&q)
	held := w.claim(s)
	fresh := w.refreshed(held)
	// Its own server fails, so that a write under way at the deadline cannot land later.
	down := dynamotest.New()
	down.Intercept(func(string, []byte) dynamotest.Fault { return dynamotest.Fault{Code: "InternalServerError"} })
	s.DB = dynamotest.Client(down.Start(t))
	ctx, cancel := context.WithTimeout(t.Context(), rescueTime+300*time.Millisecond)
	defer cancel()
	if _, _, err := held.store(ctx, fresh); !errors.Is(err, ErrTryAgain) {
		t.Errorf("got error %v, want ErrTryAgain", err)
	}
	for range 2 {
		w.clock.Advance(time.Minute)
		if _, err := w.store().Token(t.Context(), p); !errors.Is(err, ErrTryAgain) {
			t.Errorf("before the rescue: got error %v, want ErrTryAgain: the pair is not lost", err)
		}
	}
	for range 2 {
		if err := q.restore(w.store()); err != nil {
			t.Fatal(err)
		}
	}
	a, err := w.store().Token(t.Context(), p)
	if err != nil || a.Generation != 2 {
		t.Fatalf("got generation %d, %v; want 2", a.Generation, err)
	}
	if err := w.works(a); err != nil {
		t.Error(err)
	}
	if got := w.row(p); !got.IssuedAt.Equal(fresh.IssuedAt) || got.IssuedAt.IsZero() || !got.Expiry.Equal(fresh.Expiry) {
		t.Errorf("the row has issued %v, expiry %v; want %v, %v", got.IssuedAt, got.Expiry, fresh.IssuedAt, fresh.Expiry)
	}
	// Another generation later the message arrives once more.
	w.clock.Advance(2 * time.Hour)
	if _, err := w.store().Token(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	w.noRevocation()
	if err := q.restore(w.store()); err != nil {
		t.Fatal(err)
	}
	if got := w.row(p); got.Generation != 3 || got.State != Active {
		t.Errorf("got generation %d, %s; want 3, active", got.Generation, got.State)
	}
	w.presented()
}

// The pair that could be neither stored nor rescued is lost: the user has to authorize
// again, and no later attempt would help.
func TestLostPair(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.authorize(w.store()).Principal
	w.clock.Advance(2 * time.Hour)
	s := w.store() // without a rescue queue
	held := w.claim(s)
	fresh := w.refreshed(held)
	w.dynamo.Intercept(func(string, []byte) dynamotest.Fault { return dynamotest.Fault{Code: "InternalServerError"} })
	ctx, cancel := context.WithTimeout(t.Context(), rescueTime+100*time.Millisecond)
	defer cancel()
	if _, _, err := held.store(ctx, fresh); !errors.Is(err, ErrReauthorize) || errors.Is(err, ErrTryAgain) {
		t.Errorf("got error %v, want ErrReauthorize", err)
	}
	w.dynamo.Intercept(nil)
	w.clock.Advance(uncertainFor)
	w.store().Token(t.Context(), p)
	w.clock.Advance(uncertainFor)
	if _, err := w.store().Token(t.Context(), p); !errors.Is(err, ErrReauthorize) {
		t.Errorf("got error %v, want ErrReauthorize", err)
	}
	w.presented()
}

// A pair whose row is gone waits for an operator who restores the row from a backup: it
// is the successor of what that has.
func TestRescueForALostRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var q queue
	s := w.rescued(&q)
	p := w.authorize(s).Principal
	w.clock.Advance(2 * time.Hour)
	held := w.claim(s)
	bringBack := w.backup(p)
	fresh := w.refreshed(held)
	w.remove(p)
	if _, _, err := held.store(t.Context(), fresh); !errors.Is(err, ErrTryAgain) {
		t.Errorf("storing: got error %v, want ErrTryAgain", err)
	}
	if err := q.restore(w.store()); !errors.Is(err, ErrNotFound) {
		t.Errorf("without the row: got error %v, want ErrNotFound", err)
	}
	bringBack()
	if err := q.restore(w.store()); err != nil {
		t.Error(err)
	}
	if a, err := w.store().Token(t.Context(), p); err != nil || a.Generation != 2 || w.works(a) != nil {
		t.Errorf("got generation %d, %v; want 2, and a token that works", a.Generation, err)
	}
	w.presented()
}

// R2: a revocation that hangs does not take the time that is kept for the rescue queue
// from the pair of a revoked grant.
func TestRescueOfARevokedGrantsPair(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var q queue
	s := w.rescued(&q)
	p := w.authorizeOnly(s).Principal
	held := w.claim(s)
	fresh := w.refreshed(held)
	w.clock.Advance(maxWork + skew + time.Second) // no process waits for the claim
	if err := w.store().Revoke(t.Context(), p, "a test"); err != nil {
		t.Fatal(err)
	}
	w.fault("revoke", procoretest.Fault{Kind: procoretest.Delay, DelayMS: 60_000})
	ctx, cancel := context.WithTimeout(t.Context(), rescueTime+300*time.Millisecond)
	defer cancel()
	if _, _, err := held.store(ctx, fresh); !errors.Is(err, ErrTryAgain) || ctx.Err() != nil {
		t.Errorf("got error %v, %v; want ErrTryAgain, in time", err, ctx.Err())
	}
	if err := q.restore(w.store()); err != nil {
		t.Error(err)
	}
	if got := w.live(); got != 0 {
		t.Errorf("%d pairs are valid at Procore, want none", got)
	}
}
