package tokens

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"procore-connect/internal/testing/kit/secrettest"
)

// R5: no exported type that holds a secret prints it.
func TestNothingPrintsASecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.store()
	a := w.authorization()
	c, _, err := s.Connect(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	access, err := s.Token(t.Context(), c.Key)
	if err != nil {
		t.Fatal(err)
	}
	pair := []string{a.Pair.AccessToken.Reveal(), a.Pair.RefreshToken.Reveal()}
	transport := s.Transport(w.oauth.Environment, c.Key)

	secrettest.NotPrinted(t, access, pair...)
	secrettest.NotPrinted(t, a, pair...)
	secrettest.NotPrinted(t, c, pair...)
	secrettest.NotPrinted(t, s, pair...)
	secrettest.NotPrinted(t, transport, pair...)
	secrettest.NotPrinted(t, &http.Client{Transport: transport}, pair...)
	secrettest.NotPrinted(t, s.Client(w.oauth.Environment, c.Key), pair...)
	secrettest.NotPrinted(t, s.Bearer(w.oauth.Environment, access.Bearer()), pair...)
	for _, v := range []any{access, a, c} {
		secrettest.NotReachable(t, v, pair...)
	}
}

// R5: a ring prints no key, nor one that has a wrong name.
func TestKeysPrintNothing(t *testing.T) {
	t.Parallel()
	first, second, misnamed := strings.Repeat("first", 8), strings.Repeat("second", 8), strings.Repeat("third", 8)
	keys, err := ParseKeys(fmt.Sprintf(`{"current":"k2","k1":%q,"k2":%q,"k-3":%q}`, first, second, misnamed))
	if err != nil {
		t.Fatal(err)
	}
	secrettest.NotPrinted(t, keys, first, second, misnamed)
	secrettest.NotPrinted(t, *keys, first, second, misnamed)
	secrettest.NotReachable(t, keys, first, second, misnamed)
}
