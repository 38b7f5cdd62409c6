package keys

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"procore-connect/pkg/procore"
)

// minKeyLength is the shortest text of a key. A generated one has 64 characters.
const minKeyLength = 32

// ErrUnknown means that this ring lacks the key of a seal or a signature. Callers
// read the secret again, because it may have changed.
var ErrUnknown = errors.New("keys: unknown key id")

// Ring is a ring of generated secrets, named k1, k2 and so on. New writes use
// the current one. The others still open what they sealed. Each purpose has its own
// key, derived by HKDF (RFC 5869).
type Ring struct {
	current  string
	material map[string]procore.Secret
	extra    map[string]procore.Secret // JSON, which may be a key under a wrong name
}

// Parse reads a ring from its secret, a JSON object such as
//
//	{"current": "k2", "k1": "<random text>", "k2": "<random text>"}
//
// The error names what is wrong and never contains a value.
func Parse(secret string) (*Ring, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(secret), &all); err != nil {
		return nil, errors.New("keys: the secret of keys is not a JSON object")
	}
	r := &Ring{material: map[string]procore.Secret{}, extra: map[string]procore.Secret{}}
	for name, value := range all {
		var text string
		switch {
		case !isKeyID(name) && name != "current":
			r.extra[name] = procore.NewSecret(string(value))
		case json.Unmarshal(value, &text) != nil:
			return nil, fmt.Errorf("keys: %s in the secret of keys is not a string", name)
		case name == "current":
			r.current = text
		case len(text) < minKeyLength:
			return nil, fmt.Errorf("keys: key %s is shorter than %d characters", name, minKeyLength)
		default:
			r.material[name] = procore.NewSecret(text)
		}
	}
	if r.material[r.current].IsZero() {
		return nil, errors.New(`keys: "current" in the secret of keys names no key of it`)
	}
	return r, nil
}

// isKeyID reports whether a field is a key: k and up to six digits. (A regular
// expression would be compiled at each start of a function.)
func isKeyID(name string) bool {
	digits, ok := strings.CutPrefix(name, "k")
	return ok && 1 <= len(digits) && len(digits) <= 6 && strings.Trim(digits, "0123456789") == ""
}

// Current returns the id of the key for new writes.
func (r *Ring) Current() string { return r.current }

// IDs returns the ring's key ids in order.
func (r *Ring) IDs() []string { return slices.Sorted(maps.Keys(r.material)) }

// Extra returns another field of the secret, or nil.
func (r *Ring) Extra(name string) json.RawMessage {
	if r.extra[name].IsZero() {
		return nil
	}
	return json.RawMessage(r.extra[name].Reveal())
}

// Text returns the text of a key, or nothing: for a signature that other programs make too. Our own purposes have keys
// from [Ring.Derive].
func (r *Ring) Text(id string) procore.Secret { return r.material[id] }

// Derive returns the 32-byte key for a purpose, or ErrUnknown.
func (r *Ring) Derive(id, purpose string) ([]byte, error) {
	material, ok := r.material[id]
	if !ok {
		return nil, ErrUnknown
	}
	return hkdf.Key(sha256.New, []byte(material.Reveal()), nil, "procore-connect "+purpose, sha256.Size)
}

// Fingerprints returns the names of a refresh token in the ledger, one for each key of
// the ring. Two processes that know different keys during a rotation share one. Without
// a refresh token there is none.
func (r *Ring) Fingerprints(refreshToken procore.Secret) []string {
	var all []string
	for _, id := range r.IDs() {
		if f := r.fingerprintBy(id, refreshToken); f != "" {
			all = append(all, f)
		}
	}
	return all
}

// Fingerprint returns the one by the current key, empty without a refresh token.
func (r *Ring) Fingerprint(refreshToken procore.Secret) string {
	return r.fingerprintBy(r.current, refreshToken)
}

func (r *Ring) fingerprintBy(id string, refreshToken procore.Secret) string {
	if refreshToken.IsZero() {
		return ""
	}
	key, err := r.Derive(id, "ledger")
	if err != nil {
		panic("keys: a key of the ring is unknown to it") // callers pass only known ones
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(refreshToken.Reveal()))
	return id + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
