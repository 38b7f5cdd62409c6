package tokens

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// The app's grant is made at its first use. One fetch of its token serves many callers
// and processes.
func TestApp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for generation := int64(1); generation < 4; generation++ {
		fetches := w.countLogins()
		stores := []*Store{w.store(), w.store(), w.store()}
		var all sync.WaitGroup
		for i := range 30 {
			all.Go(func() {
				if a, err := stores[i%3].Token(t.Context(), App); err != nil || a.Generation != generation {
					t.Errorf("got generation %d, %v; want %d", a.Generation, err, generation)
				}
			})
		}
		all.Wait()
		if got := fetches.Load(); got != 1 {
			t.Errorf("%d fetches, want 1", got)
		}
		w.clock.Advance(2 * time.Hour)
	}
	if g := w.row(App); g.State != Active || len(g.Holders) != 0 || !g.LastUsed.IsZero() || !g.UnheldAt.IsZero() {
		t.Errorf("got %s, holders %v, used %v, unheld %v; want active and nothing of a user", g.State, g.Holders, g.LastUsed, g.UnheldAt)
	}
	if got := w.spends(); len(got) != 0 {
		t.Errorf("the ledger has %d tokens, want none", len(got))
	}
	if got := w.unheld(w.store()); len(got) != 0 {
		t.Errorf("unheld are %v, want none", got)
	}
}

// The app's token works for its API.
func TestAppsTokenWorks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.procore.UpdateCompany(procoretest.MyConstruction, procoretest.CompanyPatch{ServiceAccount: new(true), Installed: new(true)}); err != nil {
		t.Fatal(err)
	}
	s := w.store()
	refused := 0
	transport := s.Transport(App)
	transport.Refused = func(context.Context) { refused++ }
	client := procore.NewCompanyClient(w.oauth.Environment, &http.Client{Transport: transport}, procoretest.MyConstruction, s.Options("company#5678")...)
	if _, err := procore.Collect(client.Projects(t.Context())); err != nil {
		t.Error(err)
	}
	// A company that answers 401 to a token that is good: the app is not installed there.
	if err := w.procore.UpdateCompany(procoretest.MyConstruction, procoretest.CompanyPatch{Installed: new(false), UnauthorizedUntilInstalled: new(true)}); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(10 * time.Minute)
	if _, err := procore.Collect(client.Projects(t.Context())); !errors.Is(err, procore.ErrUnauthorized) || refused != 1 {
		t.Errorf("got error %v, reported %d times; want Procore's 401, once", err, refused)
	}
	if got := w.row(App).Generation; got != 1 {
		t.Errorf("got generation %d, want 1: a new token would not help", got)
	}
	// A token that is dead is fetched again.
	if err := w.procore.UpdateCompany(procoretest.MyConstruction, procoretest.CompanyPatch{Installed: new(true)}); err != nil {
		t.Fatal(err)
	}
	w.revokedAtProcore(App)
	if _, err := procore.Collect(client.Projects(t.Context())); err != nil || w.row(App).Generation != 2 {
		t.Errorf("got error %v, generation %d; want none, 2", err, w.row(App).Generation)
	}
}

// A failure costs the app nothing: the next call fetches again.
func TestAppAfterAFailure(t *testing.T) {
	t.Parallel()
	fault := func(f procoretest.Fault) func(*world) { return func(w *world) { w.fault("token", f) } }
	for name, damage := range map[string]func(*world){
		"503":            fault(procoretest.Fault{Kind: procoretest.Status, Status: 503}),
		"answer lost":    fault(procoretest.Fault{Kind: procoretest.Drop}),
		"invalid grant":  fault(procoretest.Fault{Kind: procoretest.Status, Status: 400, Body: `{"error":"invalid_grant"}`}),
		"invalid client": fault(procoretest.Fault{Kind: procoretest.Status, Status: 401, Body: `{"error":"invalid_client"}`}),
		"claim not taken": func(w *world) {
			w.dynamo.Intercept(dynamotest.Nth(1, "UpdateItem", dynamotest.Fault{Code: "ValidationException"}))
		},
	} {
		for _, first := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, first %t", name, first), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				if !first {
					if _, err := w.store().Token(t.Context(), App); err != nil {
						t.Fatal(err)
					}
					w.clock.Advance(2 * time.Hour)
				}
				damage(w)
				if _, err := w.store().Token(t.Context(), App); !errors.Is(err, ErrTryAgain) {
					t.Errorf("got error %v, want ErrTryAgain", err)
				}
				if _, err := w.store().Token(t.Context(), App); err != nil {
					t.Errorf("after the failure: %v", err)
				}
				w.atRest()
			})
		}
	}
}

// A token that storage refuses is fetched again. It is no pair that anything would lose,
// so it does not go to the rescue queue.
func TestAppsTokenIsNotRescued(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var q queue
	s := w.rescued(&q)
	s.Clock.Wait = w.impatientStore(0).Clock.Wait
	w.dynamo.Intercept(dynamotest.Nth(2, "UpdateItem", dynamotest.Fault{Code: "InternalServerError"})) // after the claim
	if _, err := s.Token(t.Context(), App); !errors.Is(err, ErrTryAgain) || len(q.messages) != 0 {
		t.Errorf("got error %v, %d rescued; want ErrTryAgain, none", err, len(q.messages))
	}
	w.clock.Advance(maxWork + skew + time.Second)
	if _, err := s.Token(t.Context(), App); err != nil {
		t.Errorf("after the claim: %v", err)
	}
}

// A claim of the app's grant whose process died is ended without doubt. A late store
// lands all the same.
func TestAppsClaimOfADeadProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	r := &refresh{Store: s, principal: App, ring: w.ring, oauth: w.oauth, end: w.clock.Now().Add(maxWork)}
	if taken, _, err := r.takeClaim(t.Context(), Grant{Principal: App, State: Active}); !taken {
		t.Fatal(err)
	}
	if _, err := w.impatientStore(0).Token(t.Context(), App); !errors.Is(err, ErrTryAgain) {
		t.Errorf("during the claim: got error %v, want ErrTryAgain", err)
	}
	w.clock.Advance(maxWork + skew + time.Second)
	if g, err := s.settled(t.Context(), App); err != nil || g.State != Active || g.claimed() {
		t.Errorf("after the claim: %s, claimed %t, error %v; want active, unclaimed", g.State, g.claimed(), err)
	}
	fresh, err := w.oauth.ClientCredentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if a, _, err := r.store(t.Context(), fresh); err != nil || a.Generation != 1 {
		t.Errorf("the late store: generation %d, error %v; want 1", a.Generation, err)
	}
	if a, err := w.store().Token(t.Context(), App); err != nil || !a.Bearer().Equal(fresh.AccessToken) {
		t.Errorf("got error %v, want the token that was stored late", err)
	}
}

// Another client id has its own token: it is fetched at once, and again when the first
// one is back.
func TestAppOfAnotherClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for generation, client := range []string{"fake-client-id", "another-app", "fake-client-id"} {
		w.oauth.ClientID = client
		restart := procoretest.Start(t, procoretest.Options{Now: w.clock.Now, ClientID: client})
		w.oauth.Environment.LoginURL = restart.URL
		for range 2 {
			if a, err := w.store().Token(t.Context(), App); err != nil || a.Generation != int64(generation+1) {
				t.Errorf("client %s: got generation %d, %v; want %d", client, a.Generation, err, generation+1)
			}
		}
		w.clock.Advance(apart)
	}
}

// The app's token that Procore rejects is fetched again, but not at each call.
func TestAppsTokenIsRejected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	first, err := s.Token(t.Context(), App)
	if err != nil {
		t.Fatal(err)
	}
	s.reject(App, first.Generation)
	if _, err := s.Token(t.Context(), App); !errors.Is(err, ErrRejected) {
		t.Errorf("at once: got error %v, want ErrRejected", err)
	}
	w.clock.Advance(recheck)
	if a, err := s.Token(t.Context(), App); err != nil || a.Generation != 2 {
		t.Errorf("later: got generation %d, error %v; want 2", a.Generation, err)
	}
}

// The first claim of all meets another write, or its answer is lost: the row is missing,
// and the claim is tried again.
func TestAppsFirstClaimFails(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]dynamotest.Fault{
		"a conflict": {Code: "TransactionConflictException"},
		"no answer":  {Code: "InternalServerError"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var failed atomic.Bool
			w.dynamo.Intercept(func(operation string, _ []byte) dynamotest.Fault {
				if operation == "UpdateItem" && !failed.Swap(true) {
					return fault
				}
				return dynamotest.Fault{}
			})
			if a, err := w.store().Token(t.Context(), App); err != nil || a.Generation != 1 || !failed.Load() {
				t.Errorf("got generation %d, error %v; want a token", a.Generation, err)
			}
		})
	}
}
