package tokens

import (
	"net/http"
	"testing"

	"procore-connect/internal/testing/kit/secrettest"
)

// R5: no exported type that holds a secret prints it.
func TestNothingPrintsASecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	a := w.authorization()
	g, err := s.Authorize(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	access, err := s.Token(t.Context(), g.Principal)
	if err != nil {
		t.Fatal(err)
	}
	pair := []string{a.Pair.AccessToken.Reveal(), a.Pair.RefreshToken.Reveal()}
	transport := s.Transport(g.Principal)

	secrettest.NotPrinted(t, access, pair...)
	secrettest.NotPrinted(t, a, pair...)
	secrettest.NotPrinted(t, g, pair...)
	secrettest.NotPrinted(t, s, pair...)
	secrettest.NotPrinted(t, transport, pair...)
	secrettest.NotPrinted(t, &http.Client{Transport: transport}, pair...)
	secrettest.NotPrinted(t, s.Bearer(access.Bearer()), pair...)
	secrettest.NotPrinted(t, s.Upkeep(), pair...)
	for _, v := range []any{access, a, g} {
		secrettest.NotReachable(t, v, pair...)
	}
}
