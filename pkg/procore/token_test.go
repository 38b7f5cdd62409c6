package procore

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestTokenHidesItsValues(t *testing.T) {
	t.Parallel()
	token := Token{AccessToken: "fake-access-1", RefreshToken: "fake-refresh-1", Expiry: time.Now()}
	hidesSecrets(t, token)
	hidesSecrets(t, &token)
	hidesSecrets(t, []Token{token})
	hidesSecrets(t, map[string]any{"token": token})
	hidesSecrets(t, struct{ Pair Token }{token})
	hidesSecrets(t, struct{ Pair *Token }{&token})
	if _, err := json.Marshal(token); err == nil {
		t.Error("a token went into JSON")
	}
	if got, want := (Token{Expiry: time.Unix(0, 0)}).String(), "token until 1970-01-01T00:00:00Z"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}

func TestDecodeTokenLifetime(t *testing.T) {
	t.Parallel()
	received := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		fields string
		want   time.Duration
	}{
		"today's":     {`,"expires_in":5400`, 90 * time.Minute},
		"older":       {`,"expires_in":7200`, 2 * time.Hour},
		"short":       {`,"expires_in":1`, time.Second},
		"a fraction":  {`,"expires_in":1.5`, 1500 * time.Millisecond},
		"exponent":    {`,"expires_in":5.4e3`, 90 * time.Minute},
		"a string":    {`,"expires_in":"5400"`, 90 * time.Minute},
		"missing":     {``, assumedLifetime},
		"null":        {`,"expires_in":null`, assumedLifetime},
		"zero":        {`,"expires_in":0`, assumedLifetime},
		"negative":    {`,"expires_in":-5400`, assumedLifetime},
		"empty":       {`,"expires_in":""`, assumedLifetime},
		"words":       {`,"expires_in":"90 minutes"`, assumedLifetime},
		"not a word":  {`,"expires_in":"NaN"`, assumedLifetime},
		"a boolean":   {`,"expires_in":true`, assumedLifetime},
		"an object":   {`,"expires_in":{"seconds":5400}`, assumedLifetime},
		"a year":      {`,"expires_in":31536000`, maxLifetime},
		"no duration": {`,"expires_in":9223372036854775807`, maxLifetime},
		"no int64":    {`,"expires_in":1e300`, maxLifetime},
		"no float64":  {`,"expires_in":1e999`, assumedLifetime},
		"infinite":    {`,"expires_in":"Inf"`, assumedLifetime},

		"created now":         {`,"expires_in":5400,"created_at":1000000000`, 90 * time.Minute},
		"created before":      {`,"expires_in":5400,"created_at":999999400`, 80 * time.Minute},
		"created as a string": {`,"expires_in":5400,"created_at":"999999400"`, 80 * time.Minute},
		"created after":       {`,"expires_in":5400,"created_at":1000000600`, 90 * time.Minute},
		"created in ms":       {`,"expires_in":5400,"created_at":1000000000000`, 90 * time.Minute},
		"created long ago":    {`,"expires_in":5400,"created_at":1`, 0},
		"created never":       {`,"expires_in":5400,"created_at":0`, 90 * time.Minute},
		"created negative":    {`,"expires_in":5400,"created_at":-9223372036854775808`, 90 * time.Minute},
		"created as a date":   {`,"expires_in":5400,"created_at":"2001-09-09T01:46:40Z"`, 90 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := `{"access_token":"fake-access-1","refresh_token":"fake-refresh-1"` + tt.fields + `}`
			// The server's clock is 25 years behind ours: both of its times are its own.
			date := http.Header{"Date": {time.Unix(1_000_000_000, 0).UTC().Format(http.TimeFormat)}}
			got, err := decodeToken([]byte(body), date, received, true)
			if err != nil {
				t.Fatalf("the pair is lost: %v", err)
			}
			if got, want := got.Expiry.Sub(received), tt.want; got != want {
				t.Errorf("lives %v, want %v", got, want)
			}
		})
	}
}

func TestDecodeTokenWithoutDate(t *testing.T) {
	t.Parallel()
	body := `{"access_token":"a","expires_in":5400,"created_at":1}`
	for _, date := range []http.Header{nil, {"Date": {"today"}}} {
		got, err := decodeToken([]byte(body), date, time.Unix(5, 0), false)
		if want := time.Unix(5405, 0); err != nil || !got.Expiry.Equal(want) {
			t.Errorf("Date %q: expiry = %v, %v, want %v", date["Date"], got.Expiry, err, want)
		}
	}
}

// The monotonic clock stands still while a Lambda is frozen; an expiry that had
// a reading of it would be compared by it.
func TestDecodeTokenHasNoMonotonicClock(t *testing.T) {
	t.Parallel()
	got, err := decodeToken([]byte(testPair), nil, time.Now(), true)
	if err != nil || strings.Contains(got.Expiry.String(), "m=") {
		t.Errorf("expiry = %v, %v, want the wall clock's alone", got.Expiry, err)
	}
}

func TestDecodeTokenFields(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxTokenLength)
	for name, tt := range map[string]struct {
		body        string
		needRefresh bool
		ok          bool
	}{
		"a pair":                  {`{"access_token":"fake-access-1","refresh_token":"fake-refresh-1"}`, true, true},
		"bearer":                  {`{"access_token":"fake-access-1","token_type":"bearer"}`, false, true},
		"Bearer":                  {`{"access_token":"fake-access-1","token_type":"Bearer"}`, false, true},
		"mac":                     {`{"access_token":"fake-access-1","token_type":"mac"}`, false, false},
		"unknown fields":          {`{"access_token":"fake-access-1","scope":["a"],"x":null}`, false, true},
		"no access token":         {`{"refresh_token":"fake-refresh-1"}`, false, false},
		"an empty access token":   {`{"access_token":"","refresh_token":"fake-refresh-1"}`, true, false},
		"no refresh token needed": {`{"access_token":"fake-access-1"}`, false, true},
		"no refresh token":        {`{"access_token":"fake-access-1"}`, true, false},
		"a null refresh token":    {`{"access_token":"fake-access-1","refresh_token":null}`, true, false},
		"a number":                {`{"access_token":"fake-access-1","refresh_token":5}`, true, false},
		"long":                    {`{"access_token":"` + long + `","refresh_token":"` + long + `"}`, true, true},
		"too long access token":   {`{"access_token":"x` + long + `"}`, false, false},
		"too long refresh token":  {`{"access_token":"a","refresh_token":"x` + long + `"}`, true, false},
		"null":                    {`null`, false, false},
		"an array":                {`["fake-access-1"]`, false, false},
		"a cut":                   {`{"access_token":"fake-access-1","refresh_token":"fake-refr`, true, false},
		"something after it":      {`{"access_token":"fake-access-1"}fake-access-2`, false, false},
		"nothing":                 {``, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := decodeToken([]byte(tt.body), nil, time.Now(), tt.needRefresh)
			if ok := err == nil; ok != tt.ok {
				t.Fatalf("error = %v, want one: %v", err, !tt.ok)
			}
			if err != nil && got != (Token{}) {
				t.Error("there is a token beside the error")
			}
			hidesSecrets(t, err)
		})
	}
}
