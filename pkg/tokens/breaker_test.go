package tokens

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// One caller after the other meets an outage: three grants are lost, and
// nothing more until the endpoint is healthy again.
func TestBreakerOpensAfterThree(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		damage func(*world)
		repair func(*world)
		lost   int
	}{
		{"503", func(w *world) {
			w.fault("token", procoretest.Fault{Kind: procoretest.Status, Status: 503, Times: 1000})
		},
			func(w *world) { w.procore.ClearFaults() }, 3},
		{"answers lost", func(w *world) { w.fault("token", procoretest.Fault{Kind: procoretest.Drop, Times: 1000}) },
			func(w *world) { w.procore.ClearFaults() }, 3},
		{"wrong secret", func(w *world) { w.oauth.ClientSecret = procore.NewSecret("another") },
			func(w *world) { w.oauth.ClientSecret = procore.NewSecret("fake-client-secret") }, 1},
		{"not reached", func(w *world) { w.oauth.Environment.LoginURL = "http://127.0.0.1:1" },
			func(w *world) { w.oauth.Environment.LoginURL = w.procore.URL }, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			all := w.many(20)
			test.damage(w)
			for _, p := range all {
				if _, err := w.store().Token(t.Context(), p); err == nil {
					t.Error("a token came out of an outage")
				}
			}
			if got := 20 - w.states(all)[Active]; got != test.lost {
				t.Errorf("%d grants were lost, want %d", got, test.lost)
			}
			s := w.store()
			if err := s.Upkeep().Probe(t.Context()); err == nil {
				t.Error("the probe finds a broken endpoint healthy")
			}
			test.repair(w)
			if err := s.Upkeep().Probe(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.clock.Advance(uncertainFor)
			for _, p := range all {
				if _, err := w.store().Token(t.Context(), p); err != nil && !errors.Is(err, ErrReauthorize) {
					t.Error(err)
				}
			}
			if got := w.states(all); got[Active] != 20-test.lost || got[Reauthorize] != test.lost {
				t.Errorf("got %v, want %d in reauthorize and the others active", got, test.lost)
			}
			w.presented()
		})
	}
}

// R7 in a simulation: a half-hour outage of the token endpoint with 1,000 due
// grants, 20 concurrent consumers and the refresher's runs costs the
// refreshes in flight when it begins plus three.
func TestOutageCostsTheRefreshesInFlightPlusThree(t *testing.T) {
	t.Parallel()
	const consumers, due = 20, 1000
	w := newWorld(t)
	all := w.many(due)
	w.fault("token", procoretest.Fault{Kind: procoretest.Status, Status: 503, Times: 10 * due})
	w.consume(consumers, all) // all consumers have a refresh in flight when the outage begins
	for range 6 {
		if err := w.store().Upkeep().Probe(t.Context()); err == nil {
			t.Error("the probe finds a broken endpoint healthy")
		}
		w.consume(consumers, all[:due/10])
		w.clock.Advance(5 * time.Minute)
	}
	w.procore.ClearFaults()
	if err := w.store().Upkeep().Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.consume(consumers, all)
	lost := due - w.states(all)[Active]
	if lost > consumers+tripAfter {
		t.Errorf("%d grants were lost, want at most %d in flight + %d", lost, consumers, tripAfter)
	}
	if lost < tripAfter {
		t.Errorf("%d grants were lost: the outage was not felt", lost)
	}
	w.presented()
}

// consume lets concurrent consumers want a token of each grant.
func (w *world) consume(consumers int, all []Principal) {
	w.t.Helper()
	work := make(chan Principal, len(all))
	for _, p := range all {
		work <- p
	}
	close(work)
	var wait sync.WaitGroup
	for range consumers {
		s := w.store()
		wait.Go(func() {
			for p := range work {
				s.Token(w.t.Context(), p)
			}
		})
	}
	wait.Wait()
}

// A wrong client secret that is deployed for an hour costs nothing after the
// probe has seen it.
func TestProbeSeesAWrongSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := w.many(10)
	right := w.oauth.ClientSecret
	w.oauth.ClientSecret = procore.NewSecret("a-wrong-secret")
	for range 12 {
		if err := w.store().Upkeep().Probe(t.Context()); err == nil {
			t.Fatal("the probe finds a wrong secret healthy")
		}
		for _, p := range all {
			if _, err := w.store().Token(t.Context(), p); !errors.Is(err, ErrTryAgain) {
				t.Errorf("got error %v, want ErrTryAgain", err)
			}
		}
		w.clock.Advance(5 * time.Minute)
	}
	if b, err := w.store().Upkeep().Breaker(t.Context()); err != nil || !b.Open || strings.Contains(b.Reason, "a-wrong-secret") {
		t.Errorf("got breaker %+v, %v; want it open, with a reason that holds no secret", b, err)
	}
	w.oauth.ClientSecret = right
	if err := w.store().Upkeep().Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if _, err := w.store().Token(t.Context(), p); err != nil {
			t.Error(err)
		}
	}
	w.presented()
}

// Runs at the same time, such as those of several shares, do not cost each other the run: all find by their probes that
// the endpoint has recovered, and one of them notes it.
func TestProbesAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.many(1)[0]
	w.fault("token", procoretest.Fault{Kind: procoretest.Drop})
	if _, err := w.store().Token(t.Context(), p); err == nil {
		t.Fatal("a token came out of a lost answer")
	}
	const runs = 8
	w.fault("token", procoretest.Fault{Kind: procoretest.Delay, DelayMS: 300, Times: runs}) // all have read the breaker
	var all sync.WaitGroup
	for range runs {
		all.Go(func() {
			if err := w.store().Upkeep().Probe(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if b, err := w.store().Upkeep().Breaker(t.Context()); err != nil || !b.AtRest() {
		t.Errorf("got breaker %+v, %v; want it at rest", b, err)
	}
	w.presented()
}

// Refusals are about their tokens: however many there are in a row, they do not open
// the breaker, which would stop the refreshes of others (R7).
func TestRefusalsInARow(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		between bool
	}{{"in a row", false}, {"with a success between", true}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			all := w.many(5)
			s := w.store()
			for i, p := range all {
				if i == 2 && test.between {
					if _, err := s.Token(t.Context(), p); err != nil {
						t.Fatal(err)
					}
					continue
				}
				w.revokedAtProcore(p)
				if i < 4 {
					s.Token(t.Context(), p)
				}
			}
			if b, err := s.Upkeep().Breaker(t.Context()); err != nil || !b.AtRest() {
				t.Errorf("got open %t, %v; want it at rest", b.Open, err)
			}
		})
	}
}

// A trial that sent nothing is given back: the breaker does not stay closed to
// everybody.
func TestTrialIsGivenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := w.many(6)
	w.fault("token", procoretest.Fault{Kind: procoretest.Status, Status: 503})
	w.store().Token(t.Context(), all[0])
	url := w.oauth.Environment.LoginURL
	w.oauth.Environment.LoginURL = "http://127.0.0.1:1"
	for _, p := range all[1:5] {
		if _, err := w.store().Token(t.Context(), p); !errors.Is(err, ErrTryAgain) {
			t.Errorf("got error %v, want ErrTryAgain", err)
		}
	}
	w.oauth.Environment.LoginURL = url
	if _, err := w.store().Token(t.Context(), all[5]); err != nil {
		t.Error(err)
	}
	if b, err := w.store().Upkeep().Breaker(t.Context()); err != nil || !b.AtRest() {
		t.Errorf("got %+v, %v; want it at rest after the success", b, err)
	}
}

func TestProbeReadsTheSecretAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	good, stale := *w.oauth, *w.oauth
	stale.ClientSecret = procore.NewSecret("an old one")
	s.OAuth = secrettest.Func[*procore.OAuth](func(_ context.Context, reread bool) (*procore.OAuth, error) {
		if reread {
			return &good, nil
		}
		return &stale, nil
	})
	if err := s.Upkeep().Probe(t.Context()); err != nil {
		t.Errorf("got error %v; the newer secret is good", err)
	}
}

// The app spends nothing, and its failures stop no user's refresh (R7).
func TestAppDoesNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, user := w.store(), w.authorize(w.store()).Principal
	w.fault("token", procoretest.Fault{Kind: procoretest.Status, Status: 401, Body: `{"error":"invalid_client"}`})
	for range 3 {
		if _, err := s.Token(t.Context(), App); !errors.Is(err, ErrTryAgain) {
			t.Errorf("got error %v, want ErrTryAgain", err)
		}
		w.fault("token", procoretest.Fault{Kind: procoretest.Status, Status: 503})
	}
	w.atRest()
	w.procore.ClearFaults()
	w.clock.Advance(2 * time.Hour)
	if _, err := s.Token(t.Context(), user); err != nil {
		t.Error(err)
	}
}
