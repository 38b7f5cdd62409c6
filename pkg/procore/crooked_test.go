package procore_test

import (
	"context"
	"errors"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// The client reads everything that matters from a Procore that is crooked in any one way,
// or in three at once. The log names the ways.
func TestCrookedProcore(t *testing.T) {
	t.Parallel()
	var texts []string
	for _, q := range procoretest.Quirks() {
		texts = append(texts, q.Name)
	}
	for seed := range 200 {
		texts = append(texts, "seed:"+strconv.Itoa(seed))
	}
	want := everything(t, "")
	for _, text := range texts {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			quirks, err := procoretest.Crooked(text)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(everything(t, text), want); d != "" {
				t.Errorf("%s: %s (-got +want of a plain Procore):\n%s", text, nameAll(quirks), d)
			}
		})
	}
}

// everything connects a user by the token endpoint, and returns what the client can read.
func everything(t *testing.T, crooked string) map[string][]int64 {
	t.Helper()
	ctx, p := t.Context(), procoretest.Start(t, procoretest.Options{Crooked: crooked})
	clock := procore.WithClock(procore.Clock{Wait: func(ctx context.Context, d time.Duration) error {
		if d > 2*time.Second {
			t.Errorf("a call waits for %v", d)
		}
		return ctx.Err()
	}})
	env, token := environment(t, p), pairs(t, p)
	hc := env.Bearer(token.AccessToken, nil)
	user, ahead := procore.NewUserClient(env, hc, clock), procore.NewUserClient(env, hc, clock, procore.WithReadAhead(2000))
	c := procore.NewCompanyClient(env, hc, procoretest.MyConstruction, clock)
	me, err := user.Me(ctx)
	if err != nil {
		t.Error(err)
	}
	got := map[string][]int64{
		"me":        {me.ID},
		"companies": idsOf(t, user.Companies(ctx), func(c procore.Company) int64 { return c.ID }),
		"ahead":     idsOf(t, ahead.Companies(ctx), func(c procore.Company) int64 { return c.ID }),
		"projects":  idsOf(t, c.Projects(ctx), func(p procore.Project) int64 { return p.ID }),
		"users":     idsOf(t, c.CompanyUsers(ctx), func(u procore.CompanyUser) int64 { return u.ID }),
		"rfis":      idsOf(t, c.RFIs(ctx, 2001), func(r procore.RFI) int64 { return r.ID }),
	}
	one := func(id int64, err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
		got["single"] = append(got["single"], id)
	}
	project, err := c.Project(ctx, 2001)
	one(project.ID, err)
	rfi, err := c.RFI(ctx, 2001, got["rfis"][0])
	one(rfi.ID, err)
	member, err := c.CompanyUser(ctx, procoretest.Joe)
	one(member.ID, err)
	if _, err := c.Project(ctx, 1); !errors.Is(err, procore.ErrNotFound) {
		t.Errorf("a project that does not exist: got %v, want ErrNotFound", err)
	}
	return got
}

// idsOf collects the ids of a list, which Procore promises in no order, without those of
// odd and repeated items.
func idsOf[T any](t *testing.T, list iter.Seq2[T, error], id func(T) int64) (ids []int64) {
	t.Helper()
	all, err := procore.Collect(list)
	if err != nil {
		t.Error(err)
	}
	for _, item := range all {
		if id(item) != 0 && !slices.Contains(ids, id(item)) {
			ids = append(ids, id(item))
		}
	}
	slices.Sort(ids)
	return ids
}

// pairs goes through the token endpoint: exchange, refresh, a refused refresh, revocation.
// It returns the pair that a second authorization leaves valid.
func pairs(t *testing.T, p *procoretest.Server) procore.Token {
	t.Helper()
	const redirectURI = "http://127.0.0.1:3000/oauth/callback"
	ctx := t.Context()
	o := &procore.OAuth{Environment: environment(t, p), ClientID: "fake-client-id", ClientSecret: procore.NewSecret("fake-client-secret")}
	verifier := procore.NewSecret(strings.Repeat("v", 50))
	authorize := func() procore.Token {
		t.Helper()
		back, err := url.Parse(p.Authorize(t, procoretest.Joe, o.AuthCodeURL(procore.NewSecret("fake-state"), verifier, redirectURI)))
		if err != nil || back.Query().Get("state") != "fake-state" {
			t.Fatalf("the redirect has another state, %v", err)
		}
		token, err := o.Exchange(ctx, procore.NewSecret(back.Query().Get("code")), verifier, redirectURI)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	first := authorize()
	second, err := o.Refresh(ctx, first.RefreshToken, redirectURI, time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Refresh(ctx, first.RefreshToken, redirectURI, time.Now().Add(time.Minute)); err == nil {
		t.Error("a spent token was accepted")
	} else if e, ok := errors.AsType[*procore.TokenError](err); !ok || e.Outcome != procore.Refused {
		t.Errorf("a spent token: got %v, want Refused", err)
	}
	if err := o.Probe(ctx); err != nil {
		t.Errorf("the endpoint is not healthy: %v", err)
	}
	if err := o.Revoke(ctx, second); err != nil {
		t.Error(err)
	}
	if _, err := o.TokenInfo(ctx, second.AccessToken); !errors.Is(err, procore.ErrUnauthorized) {
		t.Errorf("the info of a revoked token: got %v, want ErrUnauthorized", err)
	}
	return authorize()
}

func nameAll(quirks []procoretest.Quirk) string {
	var names []string
	for _, q := range quirks {
		names = append(names, q.Name)
	}
	return strings.Join(names, ", ")
}
