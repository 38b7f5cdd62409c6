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
	// IssuedAt is when Procore issued the pair, by Procore's clock, in whole seconds. It
	// orders two pairs of a user and limits nothing. It is zero if the answer had no
	// created_at, or one more than a day from the answer's arrival.
	IssuedAt time.Time
}

// token returns the pair of an answer that arrived at received. The lifetime of the
// access token counts from then (RFC 6749 section 5.1), whatever created_at is.
func (f tokenFields) token(received time.Time) Token {
	issued := instantOf(f.createdAt)
	if issued.Sub(received).Abs() > maxLifetime {
		issued = time.Time{} // a date that is plainly wrong would order pairs wrongly
	}
	return Token{
		AccessToken:  NewSecret(f.access),
		RefreshToken: NewSecret(f.refresh),
		// Round strips the monotonic clock, which stands still in a frozen sandbox.
		Expiry:   received.Round(0).Add(lifetime(f.expiresIn)),
		IssuedAt: issued,
	}
}

// seconds is a number of seconds, or 0 for anything else: an odd value must not cost the
// pair.
type seconds float64

func secondsOf(text string) seconds {
	f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return seconds(f)
}

// instantOf reads Unix seconds or RFC 3339 text. It returns zero for anything else.
func instantOf(text string) time.Time {
	if t, err := time.Parse(time.RFC3339, strings.TrimSpace(text)); err == nil {
		return time.Unix(t.Unix(), 0)
	}
	return secondsOf(text).time()
}

// time returns the instant that s is the Unix time of, or zero if it is odd.
func (s seconds) time() time.Time {
	if s <= 0 || s >= 1<<40 {
		return time.Time{}
	}
	return time.Unix(int64(s), 0)
}

func lifetime(expiresIn seconds) time.Duration {
	if expiresIn <= 0 {
		return assumedLifetime
	}
	return duration(min(expiresIn, seconds(maxLifetime.Seconds())))
}

func duration(s seconds) time.Duration { return time.Duration(s * seconds(time.Second)) }
