package session

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"fmt"

	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
)

// CSRFToken returns the value that a form of this session must carry, so that no
// other site can make the browser send it.
func (s *Store) CSRFToken(ctx context.Context, held Session, cookie procore.Secret) (procore.Secret, error) {
	ring, err := s.Keys.Get(ctx)
	if err != nil {
		return procore.Secret{}, err
	}
	return csrfToken(ring, ring.Current(), held, cookie)
}

// CheckCSRFToken reports whether a form's value is this session's.
func (s *Store) CheckCSRFToken(ctx context.Context, held Session, cookie, value procore.Secret) (bool, error) {
	ring, err := s.Keys.Get(ctx)
	if err != nil {
		return false, err
	}
	for _, id := range ring.IDs() {
		want, err := csrfToken(ring, id, held, cookie)
		if err != nil {
			return false, err
		}
		if want.Equal(value) {
			return true, nil
		}
	}
	return false, nil
}

func csrfToken(ring *keys.Ring, id string, held Session, cookie procore.Secret) (procore.Secret, error) {
	return derived(ring, id, "session form", held.Flow, cookie.Reveal())
}

// derived returns a secret that follows from the parts, and that only a key of the ring can
// make.
func derived(ring *keys.Ring, id, purpose string, parts ...string) (procore.Secret, error) {
	key, err := ring.Derive(id, purpose)
	if err != nil {
		return procore.Secret{}, err
	}
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		fmt.Fprintf(mac, "%q ", part)
	}
	return procore.NewSecret(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(mac.Sum(nil))), nil
}

// newSecret returns a state, a PKCE verifier (RFC 7636 section 4.1) or a cookie: 260
// bits in 52 characters of base32. Derived secrets have 52 such characters too. Nothing
// else here has that form, so internal/testing/proof/leaks finds them wherever they are printed.
func (s *Store) newSecret() procore.Secret {
	return procore.NewSecret(s.Random.Text() + s.Random.Text())
}

// equal reports whether two texts are equal, in a time that does not depend on where they differ.
func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func hash(s procore.Secret) string {
	sum := sha256.Sum256([]byte(s.Reveal()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
