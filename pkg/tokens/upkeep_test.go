package tokens

import (
	"errors"
	"slices"
	"testing"
	"time"

	"procore-connect/pkg/procoretest"
)

// inShard returns the n-th user whose grant is in shard 3.
func inShard(n int) Principal {
	for id := int64(1); ; id++ {
		if p := User(id); p.shard() == 3 {
			if n--; n < 0 {
				return p
			}
		}
	}
}

// grant makes a grant as change leaves it. Without a change it is active, held, used and
// expires in 90 minutes.
func (w *world) grant(s *Store, p Principal, change func(g *Grant, now time.Time)) {
	w.t.Helper()
	a := w.authorization()
	a.Principal = p
	if _, err := s.Authorize(w.t.Context(), a); err != nil {
		w.t.Fatal(err)
	}
	g, err := s.Hold(w.t.Context(), p, acme)
	if err != nil {
		w.t.Fatal(err)
	}
	next := g
	change(&next, w.clock.Now())
	if _, _, err := s.swap(w.t.Context(), g, next); err != nil {
		w.t.Fatal(err)
	}
}

// A schedule finds the grants it may act on, each in its list, and none of another
// environment.
func TestUpkeepLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	unheld := func(g *Grant) { g.Holders = nil }
	expires := func(in time.Duration) func(*Grant, time.Time) {
		return func(g *Grant, now time.Time) { g.Expiry = now.Add(in) }
	}
	idle := func(since time.Duration) func(*Grant, time.Time) {
		return func(g *Grant, now time.Time) { g.Expiry, g.LastUsed = now.Add(-since), now.Add(-since-UsedWithin) }
	}
	uncertain := func(in, since time.Duration) func(*Grant, time.Time) {
		return func(g *Grant, now time.Time) {
			g.State, g.Expiry, g.ReasonAt = Uncertain, now.Add(in), now.Add(-since)
		}
	}
	const within = 15 * time.Minute
	for n, test := range []struct {
		name        string
		change      func(g *Grant, now time.Time)
		due, unheld bool
	}{
		{"expires in an hour", expires(time.Hour), false, false},
		{"expires in ten minutes", expires(10 * time.Minute), true, false},
		{"has expired", expires(-time.Hour), true, false},
		{"used almost a week ago", func(g *Grant, now time.Time) { g.Expiry, g.LastUsed = now, now.Add(time.Second-UsedWithin) }, true, false},
		{"used a week ago", func(g *Grant, now time.Time) { g.Expiry, g.LastUsed = now, now.Add(-UsedWithin) }, false, false},
		{"idle for almost a month", idle(IdleEvery - time.Minute), false, false},
		{"idle for a month", idle(IdleEvery + time.Minute), true, false},
		{"uncertain, valid", uncertain(time.Hour, time.Minute), false, false},
		{"uncertain for its time, valid", uncertain(10*time.Minute, uncertainFor+time.Second), false, false},
		{"uncertain, has expired", uncertain(-time.Minute, uncertainFor-within-time.Minute), false, false},
		{"uncertain for its time", uncertain(-time.Minute, uncertainFor+time.Second), true, false},
		{"uncertain and idle", func(g *Grant, now time.Time) {
			uncertain(-time.Minute, uncertainFor+time.Second)(g, now)
			g.LastUsed = now.Add(-2 * UsedWithin)
		}, true, false},
		{"reauthorize", func(g *Grant, now time.Time) { g.State, g.Expiry = Reauthorize, now }, false, false},
		{"revoked", func(g *Grant, now time.Time) {
			g.State, g.Holders, g.UnheldAt, g.Expiry = Revoked, nil, now.Add(-time.Hour), now
		}, false, false},
		{"unheld, just authorized", func(g *Grant, now time.Time) { unheld(g); g.UnheldAt = now }, false, false},
		{"unheld for almost its time", func(g *Grant, now time.Time) { unheld(g); g.UnheldAt = now.Add(time.Second - UnheldFor) }, false, false},
		{"unheld for its time", func(g *Grant, now time.Time) { unheld(g); g.UnheldAt = now.Add(-time.Second - UnheldFor) }, false, true},
		{"unheld and reauthorize", func(g *Grant, now time.Time) {
			unheld(g)
			g.State, g.UnheldAt = Reauthorize, now.Add(-time.Second-UnheldFor)
		}, false, true},
		{"unheld, and would be due", func(g *Grant, now time.Time) { unheld(g); g.UnheldAt, g.Expiry = now, now }, false, false},
	} {
		p := inShard(n)
		w.grant(s, p, test.change)
		other := w.store()
		other.Environment.Name = "production"
		w.oauth.Environment.Name = "production"
		w.grant(other, p, test.change)
		w.oauth.Environment.Name = s.Environment.Name
		if got := slices.Contains(w.due(s, within), p); got != test.due {
			t.Errorf("%s: due is %t, want %t", test.name, got, test.due)
		}
		if got := slices.Contains(w.unheld(s), p); got != test.unheld {
			t.Errorf("%s: unheld is %t, want %t", test.name, got, test.unheld)
		}
		w.remove(p) // and leaves that of the other environment
		if got := len(w.due(s, within)) + len(w.unheld(s)); got != 0 {
			t.Errorf("%s: %d grants of another environment are listed", test.name, got)
		}
	}
}

// due returns the grants that a schedule should refresh.
func (w *world) due(s *Store, within time.Duration) (all []Principal) {
	w.t.Helper()
	for shard := range Shards {
		for p, err := range s.Upkeep().Due(w.t.Context(), shard, within) {
			if err != nil {
				w.t.Fatal(err)
			}
			all = append(all, p)
		}
	}
	return all
}

// The grants in use come first, those that expire earliest before the others, and then
// the idle ones.
func TestDueOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	w.grant(s, inShard(0), func(g *Grant, now time.Time) {
		g.Expiry, g.LastUsed = now.Add(-31*24*time.Hour), now.Add(-40*24*time.Hour)
	})
	w.grant(s, inShard(1), func(g *Grant, now time.Time) { g.Expiry = now.Add(10 * time.Minute) })
	w.grant(s, inShard(2), func(g *Grant, now time.Time) { g.Expiry = now.Add(-time.Minute) })
	w.grant(s, inShard(3), func(g *Grant, now time.Time) { g.Expiry = now.Add(5 * time.Minute) })
	if got, want := w.due(s, 15*time.Minute), []Principal{inShard(2), inShard(3), inShard(1), inShard(0)}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for range s.Upkeep().Due(t.Context(), 3, 15*time.Minute) {
		break // the caller may stop
	}
	oldest, err := s.Upkeep().OldestDue(t.Context(), 15*time.Minute)
	if want := w.clock.Now().Add(-time.Minute); err != nil || !oldest.Equal(want) {
		t.Errorf("the oldest is of %v, %v; want %v", oldest, err, want)
	}
	w.remove(inShard(2))
	if oldest, err = s.Upkeep().OldestDue(t.Context(), 3*time.Minute); err != nil || !oldest.IsZero() {
		t.Errorf("the oldest is of %v, %v; want none", oldest, err)
	}
}

// What a schedule refreshes is no longer due, for each of those it finds.
func TestUpkeepRefreshes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	ages := map[Principal]time.Duration{inShard(0): 0, inShard(1): 10 * 24 * time.Hour}
	for p, unused := range ages {
		w.grant(s, p, func(g *Grant, now time.Time) { g.LastUsed = now.Add(-unused) })
	}
	w.clock.Advance(80 * time.Minute)
	if got := w.due(s, 15*time.Minute); !slices.Equal(got, []Principal{inShard(0)}) {
		t.Errorf("due are %v, want that in use", got)
	}
	used := w.row(inShard(0)).LastUsed
	if a, err := s.Upkeep().Refresh(t.Context(), inShard(0), 15*time.Minute); err != nil || a.Generation != 2 {
		t.Errorf("got generation %d, %v; want 2", a.Generation, err)
	}
	if got := w.due(s, 15*time.Minute); len(got) != 0 || !w.row(inShard(0)).LastUsed.Equal(used) {
		t.Errorf("after its refresh due are %v, and it was last used at %v; want none, %v", got, w.row(inShard(0)).LastUsed, used)
	}
	// A token that lasts longer is left alone.
	if a, err := s.Upkeep().Refresh(t.Context(), inShard(0), 15*time.Minute); err != nil || a.Generation != 2 {
		t.Errorf("once more: generation %d, %v; want 2", a.Generation, err)
	}
	// The idle one, a month later. Its use makes it one in use.
	w.clock.Advance(IdleEvery + 15*time.Minute)
	if got := w.due(s, 15*time.Minute); !slices.Contains(got, inShard(1)) {
		t.Errorf("a month later due are %v, want the idle one too", got)
	}
	if _, err := s.Upkeep().Refresh(t.Context(), inShard(1), 15*time.Minute); err != nil {
		t.Error(err)
	}
	if got := w.due(s, 3*time.Hour); slices.Contains(got, inShard(1)) {
		t.Errorf("after its refresh due are %v", got)
	}
	if _, err := w.store().Token(t.Context(), inShard(1)); err != nil {
		t.Error(err)
	}
	if got := w.due(s, 3*time.Hour); !slices.Contains(got, inShard(1)) {
		t.Errorf("after its use due are %v, want it too", got)
	}
}

// An access token that is valid for less time than a schedule looks ahead is refreshed
// once a minute at most, and never fails for it.
func TestRefreshOfShortTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	w.options(procoretest.OptionsPatch{ExpiresInSeconds: new(int64(600))})
	p := w.authorize(s).Principal
	for range 30 {
		if _, err := s.Upkeep().Refresh(t.Context(), p, 15*time.Minute); err != nil {
			t.Error(err)
		}
		w.clock.Advance(20 * time.Second)
	}
	if got := w.presented(); got < 5 || got > 11 {
		t.Errorf("%d refreshes in ten minutes, want one a minute", got)
	}
}

// Housekeeping finds a grant without a holder, and its user is back: it stays. So does one
// that a company needs by now.
func TestUnheldAgainstAChoice(t *testing.T) {
	t.Parallel()
	inModes(t, func(w *world) {
		t := w.t
		s := w.store()
		for name, back := range map[string]func(){
			"authorized again": func() { w.authorizeOnly(w.store()) },
			"chosen":           func() { w.hold(User(joe), "9") },
		} {
			p := w.authorizeOnly(s).Principal
			w.clock.Advance(UnheldFor + time.Minute)
			if got := w.unheld(s); !slices.Equal(got, []Principal{p}) {
				t.Fatalf("%s: unheld are %v, want the grant", name, got)
			}
			back()
			if err := s.Upkeep().Revoke(t.Context(), p, "no company was chosen"); !errors.Is(err, ErrHeld) {
				t.Errorf("%s: got error %v, want ErrHeld", name, err)
			}
			if got := w.unheld(s); len(got) != 0 {
				t.Errorf("%s: unheld are %v, want none", name, got)
			}
			if a, err := s.Token(t.Context(), p); err != nil || w.works(a) != nil {
				t.Errorf("%s: got error %v, want a token that works", name, err)
			}
			if _, err := s.Release(t.Context(), p, "9"); err != nil {
				t.Fatal(err)
			}
			w.clock.Advance(UnheldFor + time.Minute)
			if err := s.Upkeep().Revoke(t.Context(), p, "no company was chosen"); err != nil || w.row(p).State != Revoked {
				t.Errorf("%s: after its time: %s, %v; want revoked", name, w.row(p).State, err)
			}
		}
	})
}

// hold adds a holder.
func (w *world) hold(p Principal, holder string) {
	w.t.Helper()
	if _, err := w.store().Hold(w.t.Context(), p, holder); err != nil {
		w.t.Fatal(err)
	}
}
