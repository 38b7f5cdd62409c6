package wire

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/platform/config"
)

// base returns a Base that reads variables from a map.
func base(values map[string]string) *Base {
	return &Base{Env: config.New(func(name string) string { return values[name] })}
}

// named returns the variables that the error names, in order.
func named(err error) []string {
	var names []string
	if err == nil {
		return nil
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		rest, _ := strings.CutPrefix(line, "environment variable ")
		name, _, _ := strings.Cut(rest, ":")
		names = append(names, name)
	}
	return names
}

// A cold start fails once, with every variable named.
func TestAllAtOnce(t *testing.T) {
	t.Parallel()
	b := base(map[string]string{"PUBLIC_URL": "http://app.example", "ALLOWED_COMPANIES": "Acme", "LOG_LEVEL": "info"})
	b.Env.Require("INBOX_TABLE")
	b.Environment()
	b.Env.AWS()
	b.Env.PublicURL()
	b.Env.AllowedCompanies()
	want := []string{"INBOX_TABLE", "PROCORE_ENVIRONMENT", "AWS_REGION", "PUBLIC_URL", "ALLOWED_COMPANIES"}
	if diff := cmp.Diff(want, named(b.Env.Err())); diff != "" {
		t.Errorf("named (-want +got):\n%s\n%v", diff, b.Env.Err())
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	const password = "fake-password"
	custom := func(login, api string) map[string]string {
		return map[string]string{"PROCORE_ENVIRONMENT": "custom", "PROCORE_LOGIN_URL": login, "PROCORE_API_URL": api}
	}
	sam := custom("http://host.docker.internal:4000", "http://host.docker.internal:4000")
	sam["AWS_SAM_LOCAL"] = "true"
	for name, tt := range map[string]struct {
		values map[string]string
		login  string   // of the environment
		named  []string // in the error
	}{
		"production":       {map[string]string{"PROCORE_ENVIRONMENT": "production"}, "https://login.procore.com", nil},
		"blanks around":    {map[string]string{"PROCORE_ENVIRONMENT": " sandbox "}, "https://login-sandbox.procore.com", nil},
		"missing":          {nil, "", []string{"PROCORE_ENVIRONMENT"}},
		"unknown":          {map[string]string{"PROCORE_ENVIRONMENT": "prod"}, "", []string{"PROCORE_ENVIRONMENT"}},
		"custom":           {custom("http://127.0.0.1:4000", "https://api.example"), "http://127.0.0.1:4000", nil},
		"custom, no login": {custom("", "https://api.example"), "", []string{"PROCORE_LOGIN_URL"}},
		"custom, no API":   {custom("https://login.example", ""), "", []string{"PROCORE_API_URL"}},
		"custom, no URLs":  {custom("", ""), "", []string{"PROCORE_LOGIN_URL", "PROCORE_API_URL"}},
		"custom, http":     {custom("http://login.example", "https://api.example"), "", []string{"PROCORE_LOGIN_URL"}},
		"custom, password": {custom("https://login.example", "https://u:"+password+"@api.example"), "", []string{"PROCORE_API_URL"}},
		"docker":           {custom("https://login.example", "http://host.docker.internal:4000"), "", []string{"PROCORE_API_URL"}},
		"docker under sam": {sam, "http://host.docker.internal:4000", nil},
		"URL that would be ignored": {map[string]string{"PROCORE_ENVIRONMENT": "production", "PROCORE_API_URL": "https://api.example"},
			"", []string{"PROCORE_ENVIRONMENT"}},
	} {
		b := base(tt.values)
		got := b.Environment()
		if got.LoginURL != tt.login || !cmp.Equal(named(b.Env.Err()), tt.named) {
			t.Errorf("%s: %q, %v, want %q and an error of %v", name, got.LoginURL, b.Env.Err(), tt.login, tt.named)
		}
		if err := b.Env.Err(); err != nil && strings.Contains(err.Error(), password) {
			t.Errorf("%s: the password shows: %v", name, err)
		}
	}
}
