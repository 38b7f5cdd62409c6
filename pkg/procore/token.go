package procore

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// maxTokenLength bounds one token. Access tokens may be a JWT of over 1 KB.
	maxTokenLength = 16 << 10
	// maxLifetime bounds what a wrong expires_in can do; Procore's is 5400 s.
	maxLifetime = 24 * time.Hour
	// assumedLifetime stands in for an expires_in that is missing or not
	// positive: RFC 6749 section 5.1 only recommends the field. A token that
	// ends earlier shows as a 401, which callers handle anyway.
	assumedLifetime = 30 * time.Minute
)

// Token is what the token endpoint issues: an access token and, except for a
// service account, the single-use refresh token that replaces the pair.
//
// It never prints its values.
//
// https://developers.procore.com/documentation/oauth-endpoints
type Token struct {
	AccessToken  string
	RefreshToken string    // empty for a service account
	Expiry       time.Time // when AccessToken ends, by the local clock
}

// String hides the token's values.
func (t Token) String() string { return "token until " + t.Expiry.UTC().Format(time.RFC3339) }

// GoString hides the token's values from %#v.
func (t Token) GoString() string { return "procore.Token{" + t.String() + "}" }

// Format hides the token's values from every other verb.
func (t Token) Format(f fmt.State, _ rune) { fmt.Fprint(f, t.String()) }

// LogValue hides the token's values from slog.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalJSON refuses: a token leaves a process sealed or not at all.
func (t Token) MarshalJSON() ([]byte, error) {
	return nil, errors.New("procore: a token is not for JSON; seal it")
}

// decodeToken reads a 200 of the token endpoint (RFC 6749 section 5.1) that
// arrived at received. needRefresh says that a refresh token must be in it.
func decodeToken(body []byte, date http.Header, received time.Time, needRefresh bool) (Token, error) {
	var w struct {
		AccessToken  string  `json:"access_token"`
		TokenType    string  `json:"token_type"`
		ExpiresIn    seconds `json:"expires_in"`
		RefreshToken string  `json:"refresh_token"`
		CreatedAt    seconds `json:"created_at"`
	}
	if err := json.Unmarshal(body, &w); err != nil {
		return Token{}, errors.New("the answer is not the JSON of a token") // err may quote the token
	}
	switch {
	case w.AccessToken == "":
		return Token{}, errors.New("the answer holds no access_token")
	case needRefresh && w.RefreshToken == "":
		return Token{}, errors.New("the answer holds no refresh_token")
	case len(w.AccessToken) > maxTokenLength || len(w.RefreshToken) > maxTokenLength:
		return Token{}, errors.New("a token in the answer is longer than 16 KB")
	case w.TokenType != "" && !strings.EqualFold(w.TokenType, "bearer"):
		return Token{}, errors.New("the token's type is not bearer")
	}
	life := lifetime(w.ExpiresIn) - age(w.CreatedAt, date)
	return Token{
		AccessToken:  w.AccessToken,
		RefreshToken: w.RefreshToken,
		// Round strips the monotonic clock, which stands still in a frozen sandbox.
		Expiry: received.Round(0).Add(max(life, 0)),
	}, nil
}

// seconds is a number of seconds, or 0 for anything else: a pair is not thrown
// away because of a field that says little.
type seconds float64

// UnmarshalJSON reads a number, also one written as a string.
func (s *seconds) UnmarshalJSON(b []byte) error {
	f, err := strconv.ParseFloat(strings.Trim(string(b), `"`), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		f = 0
	}
	*s = seconds(f)
	return nil
}

func lifetime(expiresIn seconds) time.Duration {
	if expiresIn <= 0 {
		return assumedLifetime
	}
	return duration(min(expiresIn, seconds(maxLifetime.Seconds())))
}

// age is how old the token was when the server answered. Both times are the
// server's own, so a local clock that is wrong does not matter. A second
// authorization may return an older pair.
func age(createdAt seconds, h http.Header) time.Duration {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil || createdAt <= 0 {
		return 0
	}
	old := seconds(date.Unix()) - createdAt
	return duration(min(max(old, 0), seconds(maxLifetime.Seconds())))
}

func duration(s seconds) time.Duration { return time.Duration(s * seconds(time.Second)) }
