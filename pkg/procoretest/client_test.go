package procoretest_test

import (
	"errors"
	"net/url"
	"testing"
	"time"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// A client's test against the fake, as a module outside writes it. internal/testing/repo also runs this file in such a module.
func TestClient(t *testing.T) {
	t.Parallel()
	ctx, p := t.Context(), procoretest.Start(t)
	env, err := procore.ParseEnvironment("custom", p.URL, p.URL)
	if err != nil {
		t.Fatal(err)
	}
	o := &procore.OAuth{Environment: env, ClientID: "fake-client-id", ClientSecret: procore.NewSecret("fake-client-secret")}
	const redirectURI = "http://127.0.0.1:3000/oauth/callback"

	const verifier = "a-verifier-of-at-least-forty-three-characters"
	back, err := url.Parse(p.Authorize(t, procoretest.Joe, o.AuthCodeURL(procore.NewSecret("a-state"), procore.NewSecret(verifier), redirectURI)))
	if err != nil {
		t.Fatal(err)
	}
	pair, err := o.Exchange(ctx, procore.NewSecret(back.Query().Get("code")), procore.NewSecret(verifier), redirectURI)
	if err != nil {
		t.Fatal(err)
	}
	me, err := procore.NewUserClient(env, env.Bearer(pair.AccessToken, nil)).Me(ctx)
	if err != nil || me.ID != procoretest.Joe {
		t.Errorf("got %+v, %v, want Joe", me, err)
	}

	next, err := o.Refresh(ctx, pair.RefreshToken, redirectURI, time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	projects, err := procore.Collect(procore.NewCompanyClient(env, env.Bearer(next.AccessToken, nil), procoretest.MyConstruction).Projects(ctx))
	if err != nil || len(projects) == 0 {
		t.Errorf("projects %v, %v, want some", projects, err)
	}
	_, err = o.Refresh(ctx, pair.RefreshToken, redirectURI, time.Now().Add(time.Minute))
	if e, ok := errors.AsType[*procore.TokenError](err); !ok || e.Outcome != procore.Refused {
		t.Errorf("a spent refresh token: %v, want a refusal", err)
	}
}
