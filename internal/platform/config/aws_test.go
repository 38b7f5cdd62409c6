package config

import (
	"strings"
	"testing"
)

func lambda() map[string]string {
	return map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "fake-key", "AWS_SECRET_ACCESS_KEY": "fake-secret",
		"AWS_SESSION_TOKEN": "fake-session",
	}
}

// An empty AWS_ENDPOINT_URL_ variable, as a template leaves it, means AWS itself.
func TestEndpoint(t *testing.T) {
	t.Parallel()
	e := env(map[string]string{"AWS_ENDPOINT_URL_DYNAMODB": " http://127.0.0.1:8000 ", "AWS_ENDPOINT_URL_SQS": "", "AWS_ENDPOINT_URL_S3": " "})
	if got := e.Endpoint("DYNAMODB"); got == nil || *got != "http://127.0.0.1:8000" {
		t.Errorf("Endpoint = %v, want the variable's", got)
	}
	for _, service := range []string{"SQS", "S3", "SECRETS_MANAGER"} {
		if got := e.Endpoint(service); got != nil {
			t.Errorf("Endpoint of %s = %q, want none", service, *got)
		}
	}
	if err := e.Err(); err != nil {
		t.Error(err)
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	got, err := env(lambda()).AWS().Credentials.Retrieve(t.Context())
	if err != nil || got.AccessKeyID != "fake-key" || got.SecretAccessKey != "fake-secret" || got.SessionToken != "fake-session" {
		t.Errorf("credentials = %q, %v, want the environment's", got.AccessKeyID, err)
	}
	for _, missing := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		values := lambda()
		delete(values, missing)
		_, err := env(values).AWS().Credentials.Retrieve(t.Context())
		if err == nil || !strings.Contains(err.Error(), missing) || strings.Contains(err.Error(), "fake-") {
			t.Errorf("without %s: %v, want an error that names it alone", missing, err)
		}
	}
}

func TestRegion(t *testing.T) {
	t.Parallel()
	e := env(nil)
	e.AWS()
	if names := named(e.Err()); len(names) != 1 || names[0] != "AWS_REGION" {
		t.Errorf("named = %v, want AWS_REGION", names)
	}
}
