package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/kit/browsertest"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// Nothing is called in an environment with customers, or before a person has agreed.
func TestNothingIsCalled(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*checker){
		"declined":       func(c *checker) { c.In = strings.NewReader("no\n") },
		"no one there":   func(c *checker) { c.In = strings.NewReader("") },
		"production":     func(c *checker) { c.Environment = procore.Production() },
		"monthly":        func(c *checker) { c.Environment = procore.Monthly() },
		"federal":        func(c *checker) { c.Environment = procore.Federal() },
		"a sandbox alas": func(c *checker) { c.Environment = procore.Sandbox(); c.Environment.APIURL = "https://api.procore.com" },
		"custom": func(c *checker) {
			c.Environment = procore.Environment{Name: "custom", LoginURL: "https://login.procore.com", APIURL: "https://api.procore.com"}
		},
	} {
		tr := newTrial(t, procoretest.Options{}, false)
		tr.Open = func(context.Context, string) error {
			t.Errorf("%s: someone was asked to sign in", name)
			return errors.New("no")
		}
		change(tr.checker)
		if r, err := tr.check(t.Context()); err == nil || r != nil {
			t.Errorf("%s: check = %v, %v", name, r, err)
		}
		if state := tr.fake.State(); len(state.Calls)+len(state.RefreshTokens) > 0 {
			t.Errorf("%s: %d calls", name, len(state.Calls))
		}
	}
}

// A grant that Procore returns, and that this run did not make, is left alone.
func TestGrantOfAStack(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, procoretest.Options{SecondAuthorization: procoretest.Return}, false)
	tr.fake.Token(t, procoretest.Joe, tr.RedirectURI) // a stack's
	tr.fake.Advance(time.Minute)
	_, err := tr.check(t.Context())
	if !errors.Is(err, errForeign) {
		t.Fatalf("check = %v, want a refusal", err)
	}
	tokens := tr.fake.State().RefreshTokens
	if len(tokens) != 1 || tokens[0].Presented != 0 || tokens[0].State != procoretest.Live {
		t.Errorf("the stack's refresh token: %+v", tokens)
	}
}

// What goes wrong in between leaves nothing at Procore, and is said without a secret.
func TestEnds(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		prepare func(*trial)
		want    string
	}{
		"the person denies it": {func(tr *trial) {
			tr.Open = func(ctx context.Context, address string) error {
				b := browsertest.New()
				b.Open(ctx, address)
				b.Choose("Joe Builder")
				b.Click(ctx, "Deny")
				return b.Err()
			}
		}, "without a code"},
		"another company": {func(tr *trial) { tr.In = strings.NewReader("yes\n4711\n") }, `"4711" is not one of these ids`},
		"interrupted": {func(tr *trial) {
			signIn := tr.Open
			tr.Open = func(ctx context.Context, address string) error {
				if tr.signIns == 3 {
					return context.Canceled
				}
				return signIn(ctx, address)
			}
		}, "sign-in 3"},
		"wrong secret": {func(tr *trial) { tr.ClientSecret = procore.NewSecret("a-wrong-secret-of-the-app") }, "401 invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTrial(t, procoretest.Options{}, false)
			tt.prepare(tr)
			_, err := tr.check(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("check = %v, want %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "not removed") || strings.Contains(err.Error(), "secret-of") {
				t.Errorf("the error: %v", err)
			}
			state := tr.fake.State()
			if len(state.Hooks) > 0 {
				t.Errorf("hooks are left: %+v", state.Hooks)
			}
			for _, token := range state.RefreshTokens {
				if token.State == procoretest.Live {
					t.Errorf("the refresh token %s still lives", token.Fingerprint)
				}
			}
		})
	}
}

// A user without the permission decides nothing about webhooks, and one who may read nothing in the company nothing about
// its header.
func TestWithoutPermission(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		patch  procoretest.CompanyPatch
		header string
	}{
		"no webhooks":   {procoretest.CompanyPatch{WebhooksPermission: new(bool)}, plain["company header"]},
		"not connected": {procoretest.CompanyPatch{Connected: new(bool)}, "does not decide: 400, and with it 403"},
	} {
		for _, listens := range []bool{false, true} {
			tr := newTrial(t, procoretest.Options{}, listens)
			if err := tr.fake.UpdateCompany(procoretest.MyConstruction, tt.patch); err != nil {
				t.Fatal(err)
			}
			got, r := tr.facts(t)
			if d := cmp.Diff(got, expected(map[string]string{
				"company header": tt.header, "probe of an address": "does not decide: no hook was made: 403", "webhooks v2.0": "does not decide: create 403",
				"echoes of a hook": "", "echoes of triggers": "", "links of pages": "",
			})); d != "" {
				t.Errorf("%s, listens: %v: facts (-got +want):\n%s", name, listens, d)
			}
			tr.clean(t, r)
		}
	}
}

// A hook that is perhaps there is named in the report.
func TestPerhapsCreated(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault       procoretest.Fault
		probe, want string
	}{
		{procoretest.Fault{Status: 201, Body: `{"data":{}}`}, plain["probe of an address"], "BREAKS: create 201 without an id"},
		{procoretest.Fault{Status: 503}, "does not decide: no hook was made: 503", "does not decide: create 503"},
	} {
		tr := newTrial(t, procoretest.Options{}, false)
		tt.fault.Endpoint, tt.fault.Kind, tt.fault.Method = "/rest/v2.0", procoretest.Status, http.MethodPost
		if err := tr.fake.Fault(tt.fault); err != nil {
			t.Fatal(err)
		}
		got, r := tr.facts(t)
		if d := cmp.Diff(got, expected(map[string]string{
			"probe of an address": tt.probe, "webhooks v2.0": tt.want, "echoes of a hook": "", "echoes of triggers": "", "links of pages": "",
		})); d != "" {
			t.Errorf("facts (-got +want):\n%s", d)
		}
		if text := r.markdown(); !strings.Contains(text, "perhaps a webhook in namespace sandbox-check of company 5678: delete it if it is there, /rest/v2.0/companies/5678/webhooks/hooks") {
			t.Errorf("the report does not name what may be left:\n%s", text)
		}
	}
}

// A hook that cannot be deleted is named in the report.
func TestLeftover(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, procoretest.Options{}, false)
	if err := tr.fake.Fault(procoretest.Fault{Endpoint: "api", Kind: procoretest.Status, Status: 500, Method: http.MethodDelete, Times: 99}); err != nil {
		t.Fatal(err)
	}
	facts, r := tr.facts(t)
	text := r.markdown()
	if !strings.Contains(text, "Not removed at Procore") || !strings.Contains(text, "delete it, /rest/v2.0/companies/") {
		t.Errorf("the report does not name what is left:\n%s", text)
	}
	if got := facts["webhooks v2.0"]; !strings.HasPrefix(got, string(breaks)) || !strings.HasSuffix(got, "delete 500") {
		t.Errorf("webhooks v2.0: %s", got)
	}
}

// A browser that comes back with another state is sent away, and does not end the waiting.
func TestForeignState(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, procoretest.Options{}, false)
	signIn := tr.Open
	tr.Open = func(ctx context.Context, address string) error {
		for _, query := range []string{"", "?code=theirs", "?" + url.Values{"code": {"theirs"}, "state": {"theirs"}}.Encode()} {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, tr.RedirectURI+query, nil)
			if err != nil {
				return err
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				return err
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusBadRequest {
				t.Errorf("%q: %s", query, resp.Status)
			}
		}
		return signIn(ctx, address)
	}
	tr.facts(t)
}
