package tokens

import (
	"sync/atomic"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
)

// A rescued pair that does not open, or is of another environment, is not stored.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var q queue
	s := w.rescued(&q)
	p := w.authorize(s).Principal
	w.clock.Advance(2 * time.Hour)
	held := w.claim(s)
	fresh := w.refreshed(held)
	var stores atomic.Int64
	w.dynamo.Intercept(func(operation string, _ []byte) dynamotest.Fault {
		if operation == "UpdateItem" {
			stores.Add(1)
		}
		return dynamotest.Fault{}
	})
	good := Rescued{Environment: "custom", Client: held.claimed.client, Principal: p, Generation: 1, Attempt: held.claimed.attempt}
	sealed, err := w.ring.Seal(fresh, s.place(held.claimed, held.claimed.Generation+1))
	if err != nil {
		t.Fatal(err)
	}
	good.SealKey, good.Sealed = sealed.KeyID, sealed.Ciphertext
	for name, change := range map[string]func(*Rescued){
		"not a pair":          func(r *Rescued) { r.Sealed = []byte("not a pair") },
		"another generation":  func(r *Rescued) { r.Generation = 2 },
		"another client":      func(r *Rescued) { r.Client = ClientHash("another") },
		"another key":         func(r *Rescued) { r.SealKey = "k9" },
		"another environment": func(r *Rescued) { r.Environment = "production" },
		"another principal":   func(r *Rescued) { r.Principal = User(42) },
	} {
		r := good
		change(&r)
		if err := s.Upkeep().Restore(t.Context(), r); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if got := stores.Load(); got != 0 || w.row(p).Generation != 1 {
		t.Errorf("%d writes, and generation %d; want none, and 1", got, w.row(p).Generation)
	}
	if err := s.Upkeep().Restore(t.Context(), good); err != nil || w.row(p).Generation != 2 {
		t.Errorf("the good one: %v, generation %d", err, w.row(p).Generation)
	}
}

func TestParseRescuedRefuses(t *testing.T) {
	t.Parallel()
	const good = `{"environment":"custom","client":"c","principal":"user#1","generation":1,"attempt":"a","seal_key":"k1","sealed":"AA=="}`
	if _, err := ParseRescued([]byte(good)); err != nil {
		t.Error(err)
	}
	for _, message := range []string{``, `{}`, `[]`, `{"principal":"user#1","generation":1,"attempt":"a","sealed":"AA=="}`,
		`{"environment":"custom","principal":"user#1","generation":0,"attempt":"a","sealed":"AA=="}`,
		`{"environment":"custom","principal":"user#1","generation":1,"attempt":"a"}`} {
		if _, err := ParseRescued([]byte(message)); err == nil {
			t.Errorf("%q: got no error", message)
		}
	}
}
