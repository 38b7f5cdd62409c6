package secrets

import (
	"bytes"
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
			ClientID     credential `json:"client_id"`
			ClientSecret credential `json:"client_secret"`
		}
		if err := json.Unmarshal([]byte(secret), &w); err != nil {
			return nil, fmt.Errorf(`%w: it is not JSON of the form {"client_id": "...", "client_secret": "..."}`, ErrNotFilledIn)
		}
		if w.ClientID.unfilled() || w.ClientSecret.unfilled() {
			return nil, ErrNotFilledIn
		}
		return &procore.OAuth{Environment: env, ClientID: string(w.ClientID), ClientSecret: procore.NewSecret(string(w.ClientSecret))}, nil
	}
}

// credential is a value as it was pasted: without the blanks around it. A value of digits
// alone may have been entered as a number.
type credential string

// UnmarshalJSON reads a string or a number.
func (c *credential) UnmarshalJSON(b []byte) error {
	var v any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return err
	}
	switch v := v.(type) {
	case string:
		*c = credential(strings.TrimSpace(v))
	case json.Number:
		*c = credential(v)
	}
	return nil
}

// unfilled reports whether a value is empty or still the placeholder.
func (c credential) unfilled() bool { return c == "" || strings.HasPrefix(string(c), "FILL-IN") }
