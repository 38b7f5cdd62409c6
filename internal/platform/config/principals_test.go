package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPrincipals(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]Principals{
		"":                  {Users: true},
		"user":              {Users: true},
		" service-account ": {ServiceAccount: true},
		"both":              {Users: true, ServiceAccount: true},
		// An error, and no company is connected:
		"service_account": {},
		"users":           {},
		"both,user":       {},
	} {
		e := env(map[string]string{"PROCORE_PRINCIPAL": value})
		if got := e.Principals(); got != want {
			t.Errorf("%q: got %+v, want %+v", value, got, want)
		}
		if names := named(e.Err()); (want == Principals{}) != cmp.Equal(names, []string{"PROCORE_PRINCIPAL"}) {
			t.Errorf("%q: error %v", value, e.Err())
		}
	}
}
