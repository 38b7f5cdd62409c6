package procore

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	// maxLifetime limits the effect of a wrong expires_in; Procore's is 5400 s.
	maxLifetime = 24 * time.Hour
	// assumedLifetime replaces an expires_in that is missing or not positive: RFC 6749
	// section 5.1 only recommends the field. A token that expires earlier causes a 401,
	// which callers handle anyway.
	assumedLifetime = 30 * time.Minute
)

// Token is an access token and, except for a service account, the single-use refresh
// token that replaces the pair. A pair without a refresh token is usable until Expiry.
//
// It never prints its values.
//
// https://developers.procore.com/documentation/oauth-endpoints
type Token struct {
	AccessToken  string
	RefreshToken string    // empty for a service account, or if the answer had none
	Expiry       time.Time // of AccessToken, by the local clock
}

// String returns the expiry and hides the token's values.
func (t Token) String() string { return "token until " + t.Expiry.UTC().Format(time.RFC3339) }

// GoString hides the token's values from %#v.
func (t Token) GoString() string { return "procore.Token{" + t.String() + "}" }

// Format hides the token's values from every other verb.
func (t Token) Format(f fmt.State, _ rune) { fmt.Fprint(f, t.String()) }

// LogValue hides the token's values from slog.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalJSON returns an error: a token leaves a process sealed or not at all.
func (t Token) MarshalJSON() ([]byte, error) {
	return nil, errors.New("procore: a token must not be written as JSON; seal it")
}

// token returns the pair of an answer that arrived at received. The lifetime of the
// access token counts from then (RFC 6749 section 5.1), whatever created_at is.
func (f tokenFields) token(received time.Time) Token {
	return Token{
		AccessToken:  f.access,
		RefreshToken: f.refresh,
		// Round strips the monotonic clock, which stands still in a frozen sandbox.
		Expiry: received.Round(0).Add(lifetime(f.expiresIn)),
	}
}

// seconds is a number of seconds, or 0 for anything else: an odd value must not cost the
// pair.
type seconds float64

// UnmarshalJSON reads a number, also one written as a string.
func (s *seconds) UnmarshalJSON(b []byte) error {
	*s = secondsOf(strings.Trim(string(b), `"`))
	return nil
}

func secondsOf(text string) seconds {
	f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return seconds(f)
}

func lifetime(expiresIn seconds) time.Duration {
	if expiresIn <= 0 {
		return assumedLifetime
	}
	return duration(min(expiresIn, seconds(maxLifetime.Seconds())))
}

func duration(s seconds) time.Duration { return time.Duration(s * seconds(time.Second)) }
