package tokens

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// The credentials of another app that Procore knows: each of its refreshes would be
// answered invalid_grant. The client on the row makes it none.
func TestCredentialsOfAnotherApp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := w.many(12)
	right := *w.oauth
	other := procoretest.Start(t, procoretest.Options{Now: w.clock.Now, ClientID: "another-app", ClientSecret: "another-secret"})
	w.oauth.ClientID, w.oauth.ClientSecret, w.oauth.Environment.LoginURL = "another-app", procore.NewSecret("another-secret"), other.URL
	requests := w.countLogins()
	s := w.store()
	for _, p := range all {
		for _, get := range []func(context.Context, Principal) (Access, error){s.Current, s.Token} {
			if _, err := get(t.Context(), p); !errors.Is(err, ErrTryAgain) || !errors.Is(err, errOtherClient) {
				t.Fatalf("got error %v, want ErrTryAgain that names the client id", err)
			}
		}
		if _, err := s.Upkeep().Refresh(t.Context(), p, time.Hour); !errors.Is(err, ErrTryAgain) {
			t.Errorf("Refresh: got error %v, want ErrTryAgain", err)
		}
		if got := w.row(p); got.State != Active || got.Rev != 1 {
			t.Errorf("the grant is %s after %d writes, want active after one", got.State, got.Rev)
		}
	}
	if got := requests.Load(); got != 0 {
		t.Errorf("%d requests to the login server, want none", got)
	}
	*w.oauth = right
	for _, p := range all {
		if _, err := w.store().Token(t.Context(), p); err != nil {
			t.Errorf("with the right credentials again: %v", err)
		}
	}
	w.presented()
}

// Credentials that change between the reading of a row and its refresh.
func TestCredentialsChangeDuringARefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.authorize(w.store()).Principal
	w.clock.Advance(2 * time.Hour)
	right, other := *w.oauth, *w.oauth
	other.ClientID = "another-app"
	reads := 0
	s := w.store()
	s.OAuth = secrettest.Func[*procore.OAuth](func(context.Context, bool) (*procore.OAuth, error) {
		if reads++; reads > 1 {
			return &other, nil
		}
		return &right, nil
	})
	if _, err := s.Token(t.Context(), p); !errors.Is(err, errOtherClient) {
		t.Errorf("got error %v, want that of another client", err)
	}
	if got := w.presented(); got != 0 {
		t.Errorf("%d tokens were sent, want none", got)
	}
}

// A changed PROCORE_ENVIRONMENT sees no grant of the other one, and sends no token to the
// wrong environment. With the old one all is as it was.
func TestOtherEnvironment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.authorize(w.store()).Principal
	w.clock.Advance(2 * time.Hour)
	right, rev := w.oauth.Environment.Name, w.row(p).Rev
	requests := w.countLogins()
	w.oauth.Environment.Name = "federal"
	s := w.store()
	if _, err := s.Token(t.Context(), p); !errors.Is(err, ErrNotFound) {
		t.Errorf("got error %v, want ErrNotFound", err)
	}
	s.Environment.Name = right // the store's, and not that of the credentials
	for name, do := range map[string]func() error{
		"Token":   func() error { _, err := s.Token(t.Context(), p); return err },
		"Current": func() error { _, err := s.Current(t.Context(), p); return err },
		"App":     func() error { _, err := s.Token(t.Context(), App); return err },
	} {
		if err := do(); !errors.Is(err, ErrTryAgain) || !strings.Contains(err.Error(), "federal") {
			t.Errorf("%s: got error %v, want ErrTryAgain that names the environment", name, err)
		}
	}
	w.oauth.Environment.Name = right
	if got := requests.Load(); got != 0 || w.row(p).Rev != rev {
		t.Errorf("%d requests, and the row was written %d times; want none", got, w.row(p).Rev-rev)
	}
	if _, err := w.store().Token(t.Context(), p); err != nil {
		t.Error(err)
	}
}

// A secret that cannot be read is no verdict on a grant.
func TestUnreadableSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.authorize(w.store()).Principal
	w.clock.Advance(2 * time.Hour)
	broken := errors.New("the secret cannot be read")
	for name, spoil := range map[string]func(*Store){
		"ring":        func(s *Store) { s.Keys = failingSecret[*keys.Ring](broken) },
		"credentials": func(s *Store) { s.OAuth = failingSecret[*procore.OAuth](broken) },
	} {
		s := w.store()
		spoil(s)
		if _, err := s.Token(t.Context(), p); !errors.Is(err, ErrTryAgain) || !errors.Is(err, broken) {
			t.Errorf("%s: got error %v, want ErrTryAgain and its cause", name, err)
		}
	}
	if got := w.row(p); got.State != Active || got.claimed() || w.presented() != 0 {
		t.Errorf("got %s, claimed %t, after %d refreshes; want active, free, none", got.State, got.claimed(), w.presented())
	}
}
