package secrets

import (
	"encoding/json"
	"fmt"
	"strings"

	"procore-connect/pkg/procore"
)

// App returns a function that parses the app's credentials as the Developer Portal
// shows them, {"client_id": "...", "client_secret": "..."}. Its error for empty
// values, and for the placeholder of a new deployment, is ErrNotFilledIn.
func App(env procore.Environment) func(string) (*procore.OAuth, error) {
	return func(secret string) (*procore.OAuth, error) {
		var w struct {
			ClientID     string `json:"client_id"`
			ClientSecret string `json:"client_secret"`
		}
		if err := json.Unmarshal([]byte(secret), &w); err != nil {
			return nil, fmt.Errorf(`%w: it is not JSON of the form {"client_id": "...", "client_secret": "..."}`, ErrNotFilledIn)
		}
		if unfilled(w.ClientID) || unfilled(w.ClientSecret) {
			return nil, ErrNotFilledIn
		}
		return &procore.OAuth{
			Environment:  env,
			ClientID:     strings.TrimSpace(w.ClientID),
			ClientSecret: procore.NewSecret(strings.TrimSpace(w.ClientSecret)),
		}, nil
	}
}

// unfilled reports whether a value is empty or still the placeholder.
func unfilled(s string) bool {
	s = strings.TrimSpace(s)
	return s == "" || strings.HasPrefix(s, "FILL-IN")
}
