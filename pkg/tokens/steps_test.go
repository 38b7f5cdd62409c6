package tokens

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
)

// claim claims Joe's grant and stops there, as a process that is then killed or frozen.
func (w *world) claim(s *Store) *refresh {
	w.t.Helper()
	g := w.row(User(joe))
	pair, ring, err := s.open(w.t.Context(), g)
	if err != nil {
		w.t.Fatal(err)
	}
	r := &refresh{Store: s, principal: g.Principal, pair: pair, ring: ring, ledger: s.ledger(g.Principal, ring, pair.RefreshToken), oauth: w.oauth, end: s.Clock.Now().Add(maxWork)}
	if taken, _, err := r.takeClaim(w.t.Context(), g); !taken {
		w.t.Fatal(err)
	}
	return r
}

// refreshed sends the refresh token of a claim.
func (w *world) refreshed(held *refresh) procore.Token {
	w.t.Helper()
	fresh, err := w.oauth.Refresh(w.t.Context(), held.pair.RefreshToken, redirectURI, w.clock.Now().Add(time.Minute))
	if err != nil {
		w.t.Fatal(err)
	}
	return fresh
}

// revokedAtProcore revokes the grant's pair, as a user can in Procore.
func (w *world) revokedAtProcore(p Principal) {
	w.t.Helper()
	pair, _, err := w.store().open(w.t.Context(), w.row(p))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.oauth.Revoke(w.t.Context(), pair); err != nil {
		w.t.Fatal(err)
	}
}

// get asks for Joe by a transport.
func (w *world) get(rt http.RoundTripper) (*http.Response, error) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.oauth.Environment.APIURL+"/rest/v1.0/me", http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: rt}).Do(req)
	if err == nil {
		resp.Body.Close()
	}
	return resp, err
}

// whileWaiting starts a step of a grant that has to wait for another process. When it
// waits, then is done. It returns what the step returned.
func (w *world) whileWaiting(step func(context.Context) (Grant, error), then func()) (Grant, error) {
	w.t.Helper()
	reads := make(chan struct{}, 1)
	w.dynamo.Intercept(func(operation string, _ []byte) dynamotest.Fault {
		if operation == "GetItem" {
			select {
			case reads <- struct{}{}:
			default:
			}
		}
		return dynamotest.Fault{}
	})
	type result struct {
		Grant
		error
	}
	done := make(chan result, 1)
	go func() {
		g, err := step(w.t.Context())
		done <- result{g, err}
	}()
	for range 4 { // it has read the grant again
		select {
		case <-reads:
		case r := <-done:
			w.t.Errorf("the step did not wait: %s, error %v", r.State, r.error)
			done <- r
		}
	}
	w.dynamo.Intercept(nil)
	then()
	r := <-done
	return r.Grant, r.error
}

// failingSecret returns the source of a secret that cannot be read.
func failingSecret[T any](err error) keys.Source[T] {
	return secrettest.Func[T](func(context.Context, bool) (none T, _ error) { return none, err })
}

// revoke ends Joe's grant.
func (w *world) revoke(s *Store) {
	w.t.Helper()
	if _, err := s.Release(w.t.Context(), User(joe), acme); err != nil {
		w.t.Fatal(err)
	}
	if err := s.Revoke(w.t.Context(), User(joe), "a test"); err != nil {
		w.t.Fatal(err)
	}
}

// countLogins counts the connections to the token and the revocation endpoint from now on.
func (w *world) countLogins() *atomic.Int64 {
	var n atomic.Int64
	w.oauth.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		n.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return &n
}

// outdated returns credentials whose secret changed, until they are read again.
func (w *world) outdated() keys.Source[*procore.OAuth] {
	current := *w.oauth
	current.ClientSecret = procore.NewSecret("an old one")
	return secrettest.Func[*procore.OAuth](func(_ context.Context, reread bool) (*procore.OAuth, error) {
		if reread {
			current = *w.oauth
		}
		return new(current), nil
	})
}

// many makes n grants, of as many users, whose access tokens have expired.
func (w *world) many(n int) []Principal {
	w.t.Helper()
	s := w.store()
	all := make([]Principal, n)
	var some errgroup.Group
	some.SetLimit(20) // all at once would run into the time limit of a busy machine
	for i := range all {
		all[i] = User(int64(1000 + i))
		some.Go(func() error {
			a := w.authorization()
			a.Principal = all[i]
			_, err := s.Authorize(w.t.Context(), a)
			return err
		})
	}
	if err := some.Wait(); err != nil {
		w.t.Fatal(err)
	}
	w.clock.Advance(2 * time.Hour)
	return all
}
