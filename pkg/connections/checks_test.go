package connections

import (
	"slices"
	"testing"
	"time"

	"procore-connect/pkg/tokens"
)

// A connection has the first turn while a person waits for its webhook: after a new or a
// renewed authorization, for a day at most, and not while the time of its check has not
// come.
func TestFirstTurn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	c := w.connect(joe, acme)[0]
	set := func(to Webhooks, in time.Duration) {
		t.Helper()
		var done bool
		var err error
		if c, done, err = s.SetWebhooks(t.Context(), w.row(c.Key), to, w.clock.Now().Add(in)); err != nil || !done {
			t.Fatalf("done is %v, error %v", done, err)
		}
	}
	want := func(first, routine int) {
		t.Helper()
		if a, b := w.turn(s, First), w.turn(s, Routine); len(a) != first || len(b) != routine {
			t.Errorf("the turns have %v and %v, want %d and %d", a, b, first, routine)
		}
	}
	want(0, 0) // this one has no webhook
	set(WebhooksPending, 0)
	want(1, 0)
	set(WebhooksPending, 5*time.Minute) // a pass that failed
	want(0, 0)
	w.clock.Advance(5 * time.Minute)
	want(1, 0)
	set(WebhooksActive, 0)
	want(0, 1)
	set(WebhooksNeedsAdmin, 0)
	want(0, 1)
	w.clock.Advance(24 * time.Hour)
	set(WebhooksPending, 0)
	want(0, 1)
	if _, err := s.Connect(t.Context(), New{Key: c.Key, Webhooks: WebhooksPending}); err != nil {
		t.Fatal(err)
	}
	want(1, 0)
	if err := s.Disconnect(t.Context(), w.row(c.Key)); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(disconnectedFor)
	want(0, 1)
}

// The oldest check of each turn is the one that has been due for the longest. What is not
// due yet is not overdue.
func TestOldestCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	oldest := func() (ages []time.Duration) {
		t.Helper()
		for _, turn := range []Turn{First, Routine} {
			at, err := s.OldestCheck(t.Context(), turn)
			switch {
			case err != nil:
				t.Fatal(err)
			case at.IsZero():
				ages = append(ages, 0)
			default:
				ages = append(ages, w.clock.Now().Sub(at).Truncate(time.Second))
			}
		}
		return ages
	}
	for id := range int64(20) {
		if err := s.AddServiceAccount(t.Context(), id+1, "A Company", WebhooksPending); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(time.Minute)
	}
	if got, want := oldest(), []time.Duration{20 * time.Minute, 0}; !slices.Equal(got, want) {
		t.Errorf("the oldest checks are %v old, want %v", got, want)
	}
	for id := range int64(20) {
		in := -time.Duration(id) * time.Hour
		if id == 19 {
			in = time.Hour // it waits for a rate limit
		}
		if _, _, err := s.SetWebhooks(t.Context(), w.row(Key{id + 1, tokens.App}), WebhooksActive, w.clock.Now().Add(in)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := oldest(), []time.Duration{0, 18 * time.Hour}; !slices.Equal(got, want) {
		t.Errorf("the oldest checks are %v old, want %v", got, want)
	}
	last := int64(20)
	for k, err := range s.Due(t.Context(), Routine, w.clock.Now().Add(time.Second)) {
		if err != nil || k.CompanyID != last-1 {
			t.Errorf("company %d, %v follows company %d, want the one that has been due for the longest", k.CompanyID, err, last)
		}
		last = k.CompanyID
		if last == 3 {
			break
		}
	}
	if last != 3 {
		t.Errorf("company %d is the last one", last)
	}
}

// Procore counts the calls of a user in all companies, and those of the service account in each.
func TestOwner(t *testing.T) {
	t.Parallel()
	for k, want := range map[Key]string{{acme, joe}: string(joe), {acme, tokens.App}: "company#" + Key{CompanyID: acme}.holder()} {
		if got := k.Owner(); got != want {
			t.Errorf("the owner of %v is %q, want %q", k, got, want)
		}
	}
}
