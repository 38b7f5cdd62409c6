package tokens

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

// ErrUnknownKey means that this ring lacks the key of a seal or a signature. Callers
// read the secret again, because it may have changed.
var ErrUnknownKey = errors.New("tokens: unknown key id")

// Keys is a ring of generated secrets, named k1, k2 and so on. New writes use
// the current one. The others still open what they sealed. Each purpose has its own
// key, derived by HKDF (RFC 5869).
type Keys struct {
	current  string
	material map[string]procore.Secret
	extra    map[string]procore.Secret // JSON, which may be a key under a wrong name
}

// ParseKeys reads a ring from its secret, a JSON object such as
//
//	{"current": "k2", "k1": "<random text>", "k2": "<random text>"}
//
// The error names what is wrong and never contains a value.
func ParseKeys(secret string) (*Keys, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(secret), &all); err != nil {
		return nil, errors.New("tokens: the secret of keys is not a JSON object")
	}
	k := &Keys{material: map[string]procore.Secret{}, extra: map[string]procore.Secret{}}
	for name, value := range all {
		var text string
		switch {
		case !isKeyID(name) && name != "current":
			k.extra[name] = procore.NewSecret(string(value))
		case json.Unmarshal(value, &text) != nil:
			return nil, fmt.Errorf("tokens: %s in the secret of keys is not a string", name)
		case name == "current":
			k.current = text
		case len(text) < minKeyLength:
			return nil, fmt.Errorf("tokens: key %s is shorter than %d characters", name, minKeyLength)
		default:
			k.material[name] = procore.NewSecret(text)
		}
	}
	if k.material[k.current].IsZero() {
		return nil, errors.New(`tokens: "current" in the secret of keys names no key of it`)
	}
	return k, nil
}

// isKeyID reports whether a field is a key: k and up to six digits. (A regular
// expression would be compiled at each start of a function.)
func isKeyID(name string) bool {
	digits, ok := strings.CutPrefix(name, "k")
	return ok && 1 <= len(digits) && len(digits) <= 6 && strings.Trim(digits, "0123456789") == ""
}

// Current returns the id of the key for new writes.
func (k *Keys) Current() string { return k.current }

// IDs returns the ring's key ids in order.
func (k *Keys) IDs() []string { return slices.Sorted(maps.Keys(k.material)) }

// Extra returns another field of the secret, or nil.
func (k *Keys) Extra(name string) json.RawMessage {
	if k.extra[name].IsZero() {
		return nil
	}
	return json.RawMessage(k.extra[name].Reveal())
}

// Derive returns the 32-byte key for a purpose, or ErrUnknownKey.
func (k *Keys) Derive(id, purpose string) ([]byte, error) {
	material, ok := k.material[id]
	if !ok {
		return nil, ErrUnknownKey
	}
	return hkdf.Key(sha256.New, []byte(material.Reveal()), nil, "procore-connect "+purpose, sha256.Size)
}

// fingerprints returns the names of a refresh token in the ledger, one for each key of
// the ring. Two processes that know different keys during a rotation share one. Without
// a refresh token there is none.
func (k *Keys) fingerprints(refreshToken procore.Secret) []string {
	var all []string
	for _, id := range k.IDs() {
		if f := k.fingerprintBy(id, refreshToken); f != "" {
			all = append(all, f)
		}
	}
	return all
}

// fingerprint is the one by the current key, empty without a refresh token.
func (k *Keys) fingerprint(refreshToken procore.Secret) string {
	return k.fingerprintBy(k.current, refreshToken)
}

func (k *Keys) fingerprintBy(id string, refreshToken procore.Secret) string {
	if refreshToken.IsZero() {
		return ""
	}
	key, err := k.Derive(id, "ledger")
	if err != nil {
		panic("tokens: a key of the ring is unknown to it") // callers pass only known ones
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(refreshToken.Reveal()))
	return id + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
