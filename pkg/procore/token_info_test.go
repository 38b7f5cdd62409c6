package procore

import (
	"errors"
	"strings"
	"testing"
	"time"

	"procore-connect/pkg/procoretest"
)

func TestTokenInfo(t *testing.T) {
	t.Parallel()
	p := procoretest.Start(t)
	o, ctx := app(p), t.Context()
	user := p.Token(t, procoretest.Joe, testRedirect).AccessToken
	service, err := o.ClientCredentials(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]int64{user: procoretest.Joe, service.AccessToken.Reveal(): 0} {
		got, err := o.TokenInfo(ctx, NewSecret(token))
		if err != nil || got.UserID != want || got.ClientID != "fake-client-id" || got.ExpiresIn < 80*time.Minute || got.CreatedAt.IsZero() {
			t.Errorf("got %+v, %v, want user %d", got, err, want)
		}
	}
	p.Advance(2 * time.Hour)
	_, err = o.TokenInfo(ctx, NewSecret(user))
	if e, ok := errors.AsType[*TokenError](err); !ok || !errors.Is(err, ErrUnauthorized) || e.Status != 401 || strings.Contains(err.Error(), user) {
		t.Errorf("got %v, want a TokenError that is ErrUnauthorized", err)
	}
	if n := len(p.State().Calls); n > 0 {
		t.Errorf("%d calls of the API: it should install the app nowhere", n)
	}
}

func TestTokenInfoAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		want       TokenInfo
		ok         bool
	}{
		{"a user", `{"resource_owner_id":9007199254740993,"expires_in_seconds":60,"created_at":1700000000,"application":{"uid":"app"}}`,
			TokenInfo{9007199254740993, "app", time.Unix(1700000000, 0), time.Minute}, true},
		{"strings", `{"resource_owner_id":"7","expires_in_seconds":"60","created_at":"1700000000","application":{"uid":"app"}}`,
			TokenInfo{7, "app", time.Unix(1700000000, 0), time.Minute}, true},
		{"a service account", `{"resource_owner_id":null,"application":{"uid":"app"}}`, TokenInfo{ClientID: "app"}, true},
		{"for ever", `{"expires_in_seconds":1e300,"created_at":1e300,"application":{"uid":"app"}}`, TokenInfo{ClientID: "app", ExpiresIn: maxLifetime}, true},
		{"over", `{"expires_in_seconds":-5,"created_at":-5,"application":{"uid":"app"}}`, TokenInfo{ClientID: "app"}, true},
		{"no app", `{"resource_owner_id":7}`, TokenInfo{}, false},
		{"a negative user", `{"resource_owner_id":-7,"application":{"uid":"app"}}`, TokenInfo{}, false},
		{"HTML", `<html>`, TokenInfo{}, false},
	}
	for _, tt := range tests {
		got, err := decodeTokenInfo([]byte(tt.body))
		if (err == nil) != tt.ok || got != tt.want {
			t.Errorf("%s: got %+v, %v, want %+v", tt.name, got, err, tt.want)
		}
	}
}
