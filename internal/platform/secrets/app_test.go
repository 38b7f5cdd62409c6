package secrets

import (
	"errors"
	"strings"
	"testing"

	"procore-connect/pkg/procore"
)

func TestApp(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		secret string
		id     string // "": ErrNotFilledIn
	}{
		"filled in":      {`{"client_id":"an id","client_secret":"fake-client-secret"}`, "an id"},
		"blanks around":  {`{"client_id":" an id\n","client_secret":"\tfake-client-secret "}`, "an id"},
		"another field":  {`{"client_id":"an id","client_secret":"fake-client-secret","note":1}`, "an id"},
		"an object":      {`{"client_id":{"a":1},"client_secret":"fake-client-secret"}`, ""},
		"placeholder":    {`{"client_id":"FILL-IN","client_secret":"FILL-IN"}`, ""},
		"half filled in": {`{"client_id":"an id","client_secret":"FILL-IN: fake-client-secret"}`, ""},
		"no secret":      {`{"client_id":"an id"}`, ""},
		"no id":          {`{"client_secret":"fake-client-secret"}`, ""},
		"blank":          {`{"client_id":"an id","client_secret":"  "}`, ""},
		"null":           {`null`, ""},
		"nothing":        {``, ""},
		"digits alone":   {`{"client_id":12345678901234567890123,"client_secret":"fake-client-secret"}`, "12345678901234567890123"},
		"capitals":       {`{"Client_ID":"an id","CLIENT_SECRET":"fake-client-secret"}`, "an id"},
		"true":           {`{"client_id":true,"client_secret":"fake-client-secret"}`, ""},
		"a list":         {`["an id","fake-client-secret"]`, ""},
		"not JSON":       {`fake-client-secret`, ""},
		"cut":            {`{"client_id":"an id","client_secret":"fake-client-sec`, ""},
		"two":            {`{"client_id":"an id","client_secret":"fake-client-secret"}{}`, ""},
	} {
		got, err := App(procore.Sandbox())(tt.secret)
		if tt.id == "" {
			if !errors.Is(err, ErrNotFilledIn) || got != nil {
				t.Errorf("%s: App = %v, %v, want ErrNotFilledIn", name, got, err)
			} else if strings.Contains(err.Error(), "fake-client") || strings.Contains(err.Error(), "an id") {
				t.Errorf("%s: the value shows: %v", name, err)
			}
			continue
		}
		if err != nil || got.ClientID != tt.id || got.ClientSecret.Reveal() != "fake-client-secret" || got.Environment != procore.Sandbox() {
			t.Errorf("%s: App = %v, %v, want the credentials in the sandbox", name, got, err)
		}
	}
}
