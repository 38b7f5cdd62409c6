package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"procore-connect/pkg/procore"
)

// Sealed is a pair, encrypted by AES-256-GCM, and the id of its key.
type Sealed struct {
	KeyID      string
	Ciphertext []byte
}

// Place is where a sealed pair belongs. It is the additional data of the seal, so the
// pair opens in no other place. To move a pair, open it and seal it again.
type Place struct {
	Environment string // Procore's, by name
	Client      string // the ClientHash of the client id
	Table       string
	Key         string
	Generation  int64
}

func (p Place) bytes() []byte {
	return fmt.Appendf(nil, "%q %q %q %q %d pair", p.Environment, p.Client, p.Table, p.Key, p.Generation)
}

// sealedToken is the plain text inside a seal.
type sealedToken struct {
	Access  string `json:"a"`
	Refresh string `json:"r,omitempty"`
	Expiry  int64  `json:"e"`           // Unix seconds
	Issued  int64  `json:"i,omitempty"` // Unix seconds; 0: not known
}

// Seal encrypts a pair for its place, with the current key.
func (r *Ring) Seal(t procore.Token, p Place) (Sealed, error) {
	aead, err := r.aead(r.current)
	if err != nil {
		return Sealed{}, err
	}
	s := sealedToken{Access: t.AccessToken.Reveal(), Refresh: t.RefreshToken.Reveal(), Expiry: t.Expiry.Unix()}
	if !t.IssuedAt.IsZero() {
		s.Issued = t.IssuedAt.Unix()
	}
	plain, err := json.Marshal(s)
	if err != nil {
		return Sealed{}, errors.New("keys: the pair cannot be encoded")
	}
	return Sealed{r.current, aead.Seal(nil, nil, plain, p.bytes())}, nil
}

// ErrNotSealedHere means that no ring opens the pair in this row.
var ErrNotSealedHere = errors.New("keys: the pair was not sealed for this row: it was copied, restored or changed")

// Open decrypts a pair. ErrUnknown asks for a newer ring. Any other error means
// that the pair was not sealed for this place.
func (r *Ring) Open(s Sealed, p Place) (procore.Token, error) {
	aead, err := r.aead(s.KeyID)
	if err != nil {
		return procore.Token{}, err
	}
	plain, err := aead.Open(nil, nil, s.Ciphertext, p.bytes())
	if err != nil {
		return procore.Token{}, ErrNotSealedHere
	}
	var t sealedToken
	if err := json.Unmarshal(plain, &t); err != nil {
		return procore.Token{}, ErrNotSealedHere // our key sealed something else
	}
	pair := procore.Token{AccessToken: procore.NewSecret(t.Access), RefreshToken: procore.NewSecret(t.Refresh), Expiry: time.Unix(t.Expiry, 0)}
	if t.Issued != 0 {
		pair.IssuedAt = time.Unix(t.Issued, 0)
	}
	return pair, nil
}

func (r *Ring) aead(id string) (cipher.AEAD, error) {
	key, err := r.Derive(id, "seal")
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
