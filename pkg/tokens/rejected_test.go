package tokens

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// After a 401 the transport refreshes once, and sends the request again.
func TestTransport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.options(procoretest.OptionsPatch{RefreshKillsAccess: new(true)})
	s, other := w.store(), w.store()
	p := w.authorize(s).Principal
	client := w.company(s, s.Transport(p))
	if _, err := procore.Collect(client.Projects(t.Context())); err != nil {
		t.Fatal(err)
	}
	// Another process has refreshed it: its token is taken.
	w.clock.Advance(time.Minute)
	if _, err := other.Upkeep().Refresh(t.Context(), p, 2*time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := procore.Collect(client.Projects(t.Context())); err != nil || w.row(p).Generation != 2 {
		t.Errorf("got error %v, generation %d; want none, 2", err, w.row(p).Generation)
	}
	if got := w.presented(); got != 1 {
		t.Errorf("%d refreshes, want that of the other process", got)
	}
	// The refresh token is dead too: the caller sees the 401, and one refresh was tried.
	w.clock.Advance(10 * time.Minute)
	w.revokedAtProcore(p)
	_, err := procore.Collect(client.Projects(t.Context()))
	if e, ok := errors.AsType[*procore.Error](err); !ok || e.Status != http.StatusUnauthorized {
		t.Errorf("got error %v, want Procore's 401", err)
	}
	if _, err := s.Token(t.Context(), p); !errors.Is(err, ErrReauthorize) {
		t.Errorf("got error %v, want ErrReauthorize", err)
	}
	if got, want := w.presented(), 2; got != want {
		t.Errorf("got %d refreshes, want %d", got, want)
	}
}

// A 401 right after a refresh is not answered by another one.
func TestRejectedAfterARefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	p := w.authorize(s).Principal
	first, err := s.Token(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(10 * time.Minute)
	s.reject(p, first.Generation)
	second, err := s.Token(t.Context(), p)
	if err != nil || second.Generation != first.Generation+1 {
		t.Fatalf("got generation %d, error %v; want a refresh", second.Generation, err)
	}
	s.reject(p, second.Generation)
	if _, err := s.Token(t.Context(), p); !errors.Is(err, ErrRejected) {
		t.Errorf("got error %v, want ErrRejected", err)
	}
	w.clock.Advance(recheck)
	if a, err := s.Token(t.Context(), p); err != nil || a.Generation != second.Generation+1 {
		t.Errorf("later: got generation %d, error %v; want a refresh", a.Generation, err)
	}
	if got, want := w.presented(), 2; got != want {
		t.Errorf("got %d refreshes, want %d", got, want)
	}
}

// A 401 to an old token that arrives late does not drop a newer one from memory.
func TestLate401(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	p := w.authorize(s).Principal
	old, err := s.Token(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(2 * time.Hour)
	newer, err := s.Token(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	reads := w.countReads()
	s.reject(p, old.Generation)
	if a, err := s.Token(t.Context(), p); err != nil || a.Generation != newer.Generation || reads.Load() != 0 {
		t.Errorf("got generation %d, %v after %d reads; want %d from memory", a.Generation, err, reads.Load(), newer.Generation)
	}
	// And a reading that was under way when the token was rejected is not remembered.
	s.reject(p, newer.Generation)
	s.memory.change(p, func(k known) known { return known{newer, 0, w.clock.Now(), k.rejected} })
	if _, err := s.Token(t.Context(), p); !errors.Is(err, ErrRejected) {
		t.Errorf("the rejected token is put back: got error %v, want ErrRejected", err)
	}
}

// A 401 to a token that is good is the company's: Refused is called, nothing is refreshed,
// and the caller gets the answer.
func TestRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	p := w.authorize(s).Principal
	w.clock.Advance(10 * time.Minute)
	refused := 0
	transport := s.Transport(p)
	transport.Refused = func(context.Context) { refused++ }
	w.fault("/rest/v1.1/projects", procoretest.Fault{Kind: procoretest.Status, Status: 401, Times: 3})
	for n := range 3 {
		_, err := procore.Collect(w.company(s, transport).Projects(t.Context()))
		if e, ok := errors.AsType[*procore.Error](err); !ok || e.Status != http.StatusUnauthorized || refused != n+1 {
			t.Errorf("got error %v, reported %d times; want Procore's 401, %d", err, refused, n+1)
		}
	}
	if _, err := procore.Collect(w.company(s, s.Transport(p)).Projects(t.Context())); err != nil || w.presented() != 0 {
		t.Errorf("after the company's trouble: %v, %d refreshes", err, w.presented())
	}
	// What /me answers is not known: nothing is refreshed, and nothing reported. A redirect is not followed.
	for _, f := range []procoretest.Fault{
		{Kind: procoretest.Status, Status: 503},
		{Kind: procoretest.Status, Status: 307, Headers: map[string]string{"Location": "/rest/v1.1/projects"}},
	} {
		w.fault("/rest/v1.1/projects", procoretest.Fault{Kind: procoretest.Status, Status: 401})
		w.fault("/rest/v1.0/me", f)
		_, err := procore.Collect(w.company(s, transport).Projects(t.Context()))
		if !errors.Is(err, procore.ErrUnauthorized) || refused != 3 || w.presented() != 0 {
			t.Errorf("/me answers %d: got error %v, reported %d times, %d refreshes; want the 401 alone", f.Status, err, refused, w.presented())
		}
	}
}

// An API that answers 401 whatever the token is costs few refreshes, however many companies
// the user connected.
func TestEndless401(t *testing.T) {
	t.Parallel()
	for _, companies := range []int{1, 5} {
		for _, gap := range []time.Duration{time.Minute, 10 * time.Minute} {
			w := newWorld(t)
			p := w.authorize(w.store()).Principal
			w.fault("api", procoretest.Fault{Kind: procoretest.Status, Status: 401, Times: 100_000})
			pauses := make([]struct {
				until time.Time
				last  time.Duration
			}, companies)
			for begin := w.clock.Now(); w.clock.Now().Sub(begin) < 4*time.Hour; w.clock.Advance(gap) {
				for i := range pauses {
					pause := &pauses[i]
					transport := w.store().Transport(p)    // each call in another process
					transport.Admit = func(Access) error { // as a connection pauses
						if w.clock.Now().Before(pause.until) {
							return ErrRejected
						}
						return nil
					}
					transport.Refused = func(context.Context) {
						pause.last = max(2*pause.last, 5*time.Minute)
						pause.until = w.clock.Now().Add(pause.last)
					}
					_, _ = w.get(transport)
				}
			}
			if spent := w.presented(); spent > 8 {
				t.Errorf("calls of %d companies every %v for four hours spend %d refresh tokens; without the 401 it is 3", companies, gap, spent)
			}
		}
	}
}

// A gateway's 401 says nothing of the token, and a gateway's page in place of /me does not
// make a refused token good.
func TestGatewayIsNotProcore(t *testing.T) {
	t.Parallel()
	const page = "<!DOCTYPE html><h1>Sign in</h1>"
	w := newWorld(t)
	s := w.store()
	p := w.authorize(s).Principal
	w.clock.Advance(10 * time.Minute)
	for _, faults := range [][]procoretest.Fault{
		{{Endpoint: "api", Status: 401, Body: page}},
		{{Endpoint: "api", Status: 401}, {Endpoint: "api", Status: 200, Body: page}},
		{{Endpoint: "api", Status: 401}, {Endpoint: "api", Status: 401, Body: page}},
	} {
		for _, f := range faults {
			f.Kind = procoretest.Status
			if err := w.procore.Fault(f); err != nil {
				t.Fatal(err)
			}
		}
		transport := s.Transport(p)
		transport.Refused = func(context.Context) { t.Error("a gateway's answer counts as Procore's refusal of the company") }
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.procore.URL+"/rest/v1.0/companies", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("status %d, want the answer as it came", resp.StatusCode)
		}
	}
	if n := w.presented(); n != 0 {
		t.Errorf("%d refresh tokens were spent", n)
	}
}
