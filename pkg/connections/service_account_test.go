package connections

import (
	"slices"
	"testing"
	"time"

	"procore-connect/pkg/tokens"
)

// The service account's companies are listed by state until they end. A user's are not.
func TestInstalled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	want := func(state State, want ...int64) {
		t.Helper()
		var got []int64
		for k, err := range s.Installed(t.Context(), state) {
			if err != nil || k.Principal != tokens.App {
				t.Errorf("got %v, %v, want a company of the service account", k, err)
			}
			got = append(got, k.CompanyID)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", state, got, want)
		}
	}
	w.connect(joe, acme)
	for _, id := range []int64{brick, crane} {
		if err := s.AddServiceAccount(t.Context(), id, "A Company", WebhooksOff); err != nil {
			t.Fatal(err)
		}
	}
	want(Connected, brick, crane)
	if err := s.Disconnect(t.Context(), w.row(Key{brick, tokens.App})); err != nil {
		t.Fatal(err)
	}
	want(Connected, crane)
	want(Disconnected, brick)
	for _, id := range []int64{brick, crane} {
		if err := s.End(t.Context(), Key{id, tokens.App}, "asked for"); err != nil {
			t.Fatal(err)
		}
	}
	want(Connected)
	want(Disconnected)
}

// A company that refuses is asked ever more rarely, once a day at the latest. One that was
// connected in the meantime is left as it is.
func TestAskLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, k := w.store(), Key{acme, tokens.App}
	if err := s.AddServiceAccount(t.Context(), acme, "A Company", WebhooksOff); err != nil {
		t.Fatal(err)
	}
	connected := w.row(k)
	if err := s.Disconnect(t.Context(), connected); err != nil {
		t.Fatal(err)
	}
	seen := w.row(k)
	for _, hours := range []int{1, 2, 4, 8, 16, 24, 24} {
		if err := s.AskLater(t.Context(), w.row(k)); err != nil {
			t.Fatal(err)
		}
		if got := w.row(k).PausedUntil.Sub(toSecond(s.now())); got != time.Duration(hours)*time.Hour {
			t.Errorf("the next call is after %v, want %d hours", got, hours)
		}
	}
	if err := s.AddServiceAccount(t.Context(), acme, "A Company", WebhooksOff); err != nil {
		t.Fatal(err)
	}
	if err := s.AskLater(t.Context(), seen); err != nil {
		t.Fatal(err)
	}
	if got := w.row(k); got.State != Connected || !got.PausedUntil.IsZero() {
		t.Errorf("got %s, paused until %v, want it connected", got.State, got.PausedUntil)
	}
}
