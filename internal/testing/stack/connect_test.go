package stack_test

import (
	"slices"
	"strings"
	"testing"

	"procore-connect/internal/testing/stack"
	"procore-connect/pkg/procoretest"
)

// A company is connected once, and has its hook at once, by a user and by an installation alike.
func TestConnect(t *testing.T) {
	t.Parallel()
	for principal, users := range map[string]bool{"user": true, "service-account": false} {
		t.Run(principal, func(t *testing.T) {
			t.Parallel()
			s, _ := start(t, stack.Options{Refresh: -1, Housekeeping: -1, Reconcile: -1, Env: map[string]string{"PROCORE_PRINCIPAL": principal}})
			for _, want := range []bool{true, false} {
				if made, err := s.Connect(t.Context(), procoretest.MyConstruction, users); made != want || err != nil {
					t.Errorf("Connect = %v, %v, want %v", made, err, want)
				}
			}
			hooked := func(h procoretest.Hook) bool {
				return h.CompanyID == procoretest.MyConstruction && len(h.Triggers) == 5
			}
			if hooks := s.Procore.State().Hooks; len(hooks) != 1 || !hooked(hooks[0]) {
				t.Errorf("hooks %+v, want the company's", hooks)
			}
			_, err := s.Connect(t.Context(), 7, users)
			if err == nil || !strings.Contains(err.Error(), "5678 ") || !strings.Contains(err.Error(), "Harbor & Hill Builders") {
				t.Errorf("an unknown company: %v, want an error with the fake's companies", err)
			}
		})
	}
}

// What the app refuses is in the error in the words of its page.
func TestConnectRefused(t *testing.T) {
	t.Parallel()
	s, _ := start(t, stack.Options{Refresh: -1, Housekeeping: -1, Reconcile: -1})
	for company, want := range map[int64]string{procoretest.LockedGate: "administrator", procoretest.ClosedBook: "has no members"} {
		if made, err := s.Connect(t.Context(), company, true); made || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("company %d: %v, %v, want an error with %q", company, made, err, want)
		}
	}
	if calls := s.Procore.State().Calls; slices.ContainsFunc(calls, func(c procoretest.Call) bool { return c.CompanyID == procoretest.ClosedBook }) {
		t.Error("a company without members was called")
	}
}
