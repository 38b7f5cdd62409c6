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

// many makes connections of Joe for n companies, whose tokens have ended.
func (w *world) many(n int) []Key {
	w.t.Helper()
	s := w.store()
	keys := make([]Key, n)
	var all sync.WaitGroup
	for i := range keys {
		keys[i] = Key{int64(1000 + i), User(joe)}
		all.Go(func() {
			a := w.authorization()
			a.Key = keys[i]
			if _, _, err := s.Connect(w.t.Context(), a); err != nil {
				w.t.Error(err)
			}
		})
	}
	all.Wait()
	w.clock.Advance(2 * time.Hour)
	return keys
}

func (w *world) states(keys []Key) map[State]int {
	w.t.Helper()
	n := map[State]int{}
	for _, k := range keys {
		n[w.row(k).State]++
	}
	return n
}

func (w *world) fault(f procoretest.Fault) {
	w.t.Helper()
	f.Endpoint = "token"
	if err := w.procore.Fault(f); err != nil {
		w.t.Fatal(err)
	}
}

// One caller after the other meets an outage: three connections are lost, and
// nothing more until the endpoint is healthy again.
func TestBreakerOpensAfterThree(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		damage func(*world)
		repair func(*world)
		lost   int
	}{
		{"503", func(w *world) { w.fault(procoretest.Fault{Kind: procoretest.Status, Status: 503, Times: 1000}) },
			func(w *world) { w.procore.ClearFaults() }, 3},
		{"answers lost", func(w *world) { w.fault(procoretest.Fault{Kind: procoretest.Drop, Times: 1000}) },
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
			keys := w.many(20)
			test.damage(w)
			for _, k := range keys {
				if _, err := w.store().Token(t.Context(), k); err == nil {
					t.Error("a token came out of an outage")
				}
			}
			if got := 20 - w.states(keys)[Active]; got != test.lost {
				t.Errorf("%d connections were lost, want %d", got, test.lost)
			}
			s := w.store()
			if err := s.Probe(t.Context()); err == nil {
				t.Error("the probe finds a broken endpoint healthy")
			}
			test.repair(w)
			if err := s.Probe(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, k := range keys {
				if _, err := w.store().Token(t.Context(), k); err != nil && !errors.Is(err, ErrReauthorize) {
					t.Error(err)
				}
			}
			w.presented()
		})
	}
}

// R7 in a simulation: a half-hour outage of the token endpoint with 1,000 due
// connections, 20 concurrent consumers and the refresher's runs costs the
// refreshes in flight when it begins plus three.
func TestOutageCostsTheRefreshesInFlightPlusThree(t *testing.T) {
	t.Parallel()
	const consumers, due = 20, 1000
	w := newWorld(t)
	keys := w.many(due)
	w.fault(procoretest.Fault{Kind: procoretest.Status, Status: 503, Times: 10 * due})
	w.consume(consumers, keys) // all consumers have a refresh in flight when the outage begins
	for range 6 {
		if err := w.store().Probe(t.Context()); err == nil {
			t.Error("the probe finds a broken endpoint healthy")
		}
		w.consume(consumers, keys[:due/10])
		w.clock.Advance(5 * time.Minute)
	}
	w.procore.ClearFaults()
	if err := w.store().Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.consume(consumers, keys)
	lost := due - w.states(keys)[Active]
	if lost > consumers+tripAfter {
		t.Errorf("%d connections were lost, want at most %d in flight + %d", lost, consumers, tripAfter)
	}
	if lost < tripAfter {
		t.Errorf("%d connections were lost: the outage was not felt", lost)
	}
	w.presented()
}

// consume lets concurrent consumers want a token of each connection.
func (w *world) consume(consumers int, keys []Key) {
	w.t.Helper()
	work := make(chan Key, len(keys))
	for _, k := range keys {
		work <- k
	}
	close(work)
	var all sync.WaitGroup
	for range consumers {
		s := w.store()
		all.Go(func() {
			for k := range work {
				s.Token(w.t.Context(), k)
			}
		})
	}
	all.Wait()
}

// A wrong client secret that is deployed for an hour costs nothing after the
// probe has seen it.
func TestProbeSeesAWrongSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	keys := w.many(10)
	right := w.oauth.ClientSecret
	w.oauth.ClientSecret = procore.NewSecret("a-wrong-secret")
	for range 12 {
		if err := w.store().Probe(t.Context()); err == nil {
			t.Fatal("the probe finds a wrong secret healthy")
		}
		for _, k := range keys {
			if _, err := w.store().Token(t.Context(), k); !errors.Is(err, ErrTryAgain) {
				t.Errorf("got error %v, want ErrTryAgain", err)
			}
		}
		w.clock.Advance(5 * time.Minute)
	}
	if b, err := w.store().Breaker(t.Context()); err != nil || !b.Open || strings.Contains(b.Reason, "a-wrong-secret") {
		t.Errorf("got breaker %+v, %v; want it open, with a reason that holds no secret", b, err)
	}
	w.oauth.ClientSecret = right
	if err := w.store().Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if _, err := w.store().Token(t.Context(), k); err != nil {
			t.Error(err)
		}
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
			keys := w.many(5)
			s := w.store()
			for i, k := range keys {
				if i == 2 && test.between {
					if _, err := s.Token(t.Context(), k); err != nil {
						t.Fatal(err)
					}
					continue
				}
				pair, _, err := s.open(t.Context(), w.row(k))
				if err != nil {
					t.Fatal(err)
				}
				if err := w.oauth.Revoke(t.Context(), pair); err != nil {
					t.Fatal(err)
				}
				if i < 4 {
					s.Token(t.Context(), k)
				}
			}
			if b, err := s.Breaker(t.Context()); err != nil || !b.AtRest() {
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
	keys := w.many(6)
	w.fault(procoretest.Fault{Kind: procoretest.Status, Status: 503})
	w.store().Token(t.Context(), keys[0])
	url := w.oauth.Environment.LoginURL
	w.oauth.Environment.LoginURL = "http://127.0.0.1:1"
	for _, k := range keys[1:5] {
		if _, err := w.store().Token(t.Context(), k); !errors.Is(err, ErrTryAgain) {
			t.Errorf("got error %v, want ErrTryAgain", err)
		}
	}
	w.oauth.Environment.LoginURL = url
	if _, err := w.store().Token(t.Context(), keys[5]); err != nil {
		t.Error(err)
	}
	if b, err := w.store().Breaker(t.Context()); err != nil || !b.AtRest() {
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
	if err := s.Probe(t.Context()); err != nil {
		t.Errorf("got error %v; the newer secret is good", err)
	}
}

// A service account spends nothing, and its failures stop no user's refresh (R7).
func TestServiceAccountDoesNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, user := w.store(), w.connect(w.store()).Key
	app := Key{w.company(), App}
	if err := s.AddServiceAccount(t.Context(), app.CompanyID, "A Company", WebhooksOff); err != nil {
		t.Fatal(err)
	}
	w.fault(procoretest.Fault{Kind: procoretest.Status, Status: 401, Body: `{"error":"invalid_client"}`})
	for range 3 {
		if _, err := s.Token(t.Context(), app); !errors.Is(err, ErrTryAgain) {
			t.Errorf("got error %v, want ErrTryAgain", err)
		}
		w.fault(procoretest.Fault{Kind: procoretest.Status, Status: 503})
	}
	if b, err := s.Breaker(t.Context()); err != nil || !b.AtRest() {
		t.Errorf("got breaker %+v, %v; want it at rest", b, err)
	}
	w.procore.ClearFaults()
	w.clock.Advance(2 * time.Hour)
	if _, err := s.Token(t.Context(), user); err != nil {
		t.Error(err)
	}
}
