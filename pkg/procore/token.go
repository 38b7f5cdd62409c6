package procore

import (
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
// https://developers.procore.com/documentation/oauth-endpoints
type Token struct {
	AccessToken  Secret
	RefreshToken Secret    // empty for a service account, or if the answer had none
	Expiry       time.Time // of AccessToken, by the local clock
}

// token returns the pair of an answer that arrived at received. The lifetime of the
// access token counts from then (RFC 6749 section 5.1), whatever created_at is.
func (f tokenFields) token(received time.Time) Token {
	return Token{
		AccessToken:  NewSecret(f.access),
		RefreshToken: NewSecret(f.refresh),
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
