package provision

import (
	"testing"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/tokens"
)

// An app must recognise its own changes, or it loops: v4.0 only where no user acts.
func TestPayloadVersion(t *testing.T) {
	t.Parallel()
	of := func(p tokens.Principal, s connections.State) connections.Connection {
		return connections.Connection{Key: connections.Key{CompanyID: 5678, Principal: p}, State: s}
	}
	app, user := of(tokens.App, connections.Connected), of(tokens.User(7), connections.Connected)
	for name, tt := range map[string]struct {
		configured string
		all        []connections.Connection
		want       string
	}{
		"service account":                  {"", []connections.Connection{app}, "v4.0"},
		"user":                             {"", []connections.Connection{user}, "v3.0"},
		"both":                             {"", []connections.Connection{app, user}, "v3.0"},
		"both, in the other order":         {"", []connections.Connection{user, app}, "v3.0"},
		"service account and ended user":   {"", []connections.Connection{of(tokens.User(7), connections.Ended), app}, "v4.0"},
		"user, ended service account":      {"", []connections.Connection{of(tokens.App, connections.Ended), user}, "v3.0"},
		"none":                             {"", nil, "v3.0"},
		"configured for a service account": {"v2.0", []connections.Connection{app}, "v2.0"},
		"configured for a user":            {"v4.0", []connections.Connection{user}, "v4.0"},
	} {
		if got := PayloadVersion(tt.configured, tt.all); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}
