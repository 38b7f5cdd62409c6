package link

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
)

const (
	// MaxLifetime is how long a link may be valid.
	MaxLifetime = time.Hour
	// MaxReference bounds a reference, in characters of printable ASCII.
	MaxReference = 128
	// MaxTenant bounds the name of a tenant, in characters.
	MaxTenant = 120

	maxToken = 2048 // bytes
	// skew is how far apart the clocks of host and deployment may be.
	skew = 30 * time.Second
)

var (
	// ErrInvalid means that no key of the ring signed the token, or that its claims are not as documented. The host has to
	// correct how it makes links. It is also a [keys.ErrUnknown] if a newer ring may have the key.
	ErrInvalid = errors.New("link: not signed by a known key, or not well-formed")
	// ErrExpired means that the token was valid before. The host makes another one.
	ErrExpired = errors.New("link: expired")
)

// claimError is an ErrInvalid about a claim, which the one who signs reads too.
type claimError string

func (e claimError) Error() string      { return "link: " + string(e) }
func (claimError) Is(target error) bool { return target == ErrInvalid }

// badClaim returns a claimError.
func badClaim(format string, a ...any) error { return claimError(fmt.Sprintf(format, a...)) }

// Link is what a link says.
type Link struct {
	Reference string    // names the tenant in the host application: 1 to 128 characters of printable ASCII, without blanks
	Tenant    string    // the tenant's name as its users know it: 1 to 120 characters
	Challenge string    // from [Challenge]; names the link
	Expires   time.Time // to the second
}

// Challenge returns the challenge of a verifier (RFC 7636 section 4.2, S256).
func Challenge(verifier procore.Secret) string {
	sum := sha256.Sum256([]byte(verifier.Reveal()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Keys signs and verifies. The HMAC key is the text of a key of the ring, so that any language's library can use it.
type Keys struct{ ring *keys.Ring }

// ParseKeys reads the secret of links, which has the form that [keys.Parse] documents.
func ParseKeys(secret string) (*Keys, error) {
	ring, err := keys.Parse(secret)
	if err != nil {
		return nil, fmt.Errorf("link: %w", err)
	}
	return &Keys{ring}, nil
}

// Sign returns the token of a link, by the current key. Its ErrInvalid says what is wrong with the link.
func (k *Keys) Sign(l Link) (string, error) {
	if err := l.check(); err != nil {
		return "", err
	}
	return k.sign(jwt.MapClaims{"ref": l.Reference, "tenant": l.Tenant, "challenge": l.Challenge, "exp": l.Expires.Unix()})
}

// Verify returns the link of a token. Its error is ErrInvalid or ErrExpired, and never contains the token.
func (k *Keys) Verify(token string, now time.Time) (Link, error) {
	c, expires, err := k.verify(token, now, MaxLifetime)
	if err != nil {
		return Link{}, err
	}
	l := Link{Reference: text(c["ref"]), Tenant: text(c["tenant"]), Challenge: text(c["challenge"]), Expires: expires}
	return l, l.check()
}

// check returns an ErrInvalid that names the claim that is not as documented.
func (l Link) check() error {
	blank := func(r rune) bool { return r <= ' ' || r > '~' }
	_, err := base64.RawURLEncoding.Strict().DecodeString(l.Challenge)
	switch {
	case l.Reference == "", len(l.Reference) > MaxReference, strings.ContainsFunc(l.Reference, blank):
		return badClaim("ref has to be 1 to %d characters of printable ASCII, without blanks", MaxReference)
	case strings.TrimSpace(l.Tenant) == "", utf8.RuneCountInString(l.Tenant) > MaxTenant, !utf8.ValidString(l.Tenant):
		return badClaim("tenant has to be 1 to %d characters", MaxTenant)
	case err != nil, len(l.Challenge) != base64.RawURLEncoding.EncodedLen(sha256.Size):
		return badClaim("challenge has to be the SHA-256 of the verifier in base64url, without padding")
	}
	return nil
}

// text returns a claim that is a text, or the digits of a whole number: many hosts number their tenants.
func text(claim any) string {
	switch v := claim.(type) {
	case string:
		return v
	case json.Number:
		if strings.Trim(v.String(), "0123456789") == "" {
			return v.String()
		}
	}
	return ""
}

// sign returns a token by the current key.
func (k *Keys) sign(c jwt.MapClaims) (string, error) {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString([]byte(k.ring.Text(k.ring.Current()).Reveal()))
	if err != nil {
		return "", fmt.Errorf("link: %w", err)
	}
	return token, nil
}

// verify returns the claims of a token that a key of the ring signed, and that is valid now and for no longer than this.
func (k *Keys) verify(token string, now time.Time, longest time.Duration) (c jwt.MapClaims, expires time.Time, err error) {
	if len(token) > maxToken {
		return nil, expires, fmt.Errorf("%w: longer than %d bytes", ErrInvalid, maxToken)
	}
	var set jwt.VerificationKeySet
	for _, id := range k.ring.IDs() {
		set.Keys = append(set.Keys, []byte(k.ring.Text(id).Reveal()))
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithExpirationRequired(), jwt.WithJSONNumber(),
		jwt.WithLeeway(skew), jwt.WithStrictDecoding(), jwt.WithTimeFunc(func() time.Time { return now }))
	_, err = parser.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return set, nil })
	if errors.Is(err, jwt.ErrTokenExpired) {
		return nil, expires, ErrExpired
	}
	if errors.Is(err, jwt.ErrTokenSignatureInvalid) {
		return nil, expires, fmt.Errorf("%w: %w", ErrInvalid, keys.ErrUnknown)
	}
	if err != nil {
		return nil, expires, ErrInvalid // the library's text may quote the token
	}
	at, err := c.GetExpirationTime()
	if err != nil {
		return nil, expires, ErrInvalid
	}
	if at.After(now.Add(longest + skew)) {
		return nil, expires, badClaim("exp has to be at most %v ahead", longest)
	}
	return c, at.Time, nil
}
