package procore

import (
	"testing"
	"time"
)

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
