package procore_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// bearer is the Transport of a client with one token.
type bearer struct {
	token string
	base  http.RoundTripper // nil: http.DefaultTransport
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	if b.base == nil {
		b.base = http.DefaultTransport
	}
	return b.base.RoundTrip(r)
}

func environment(t *testing.T, p *procoretest.Server) procore.Environment {
	t.Helper()
	env, err := procore.ParseEnvironment("custom", p.URL, p.URL)
	if err != nil {
		t.Fatal(err)
	}
	return env
}

// login returns an http.Client with a token of the user.
func login(t *testing.T, p *procoretest.Server, user int64) *http.Client {
	t.Helper()
	return &http.Client{Transport: bearer{token: p.Token(t, user, "http://127.0.0.1:3000/oauth/callback").AccessToken}}
}

// R3, over the wire: a user client does not install the app anywhere, a company
// client only in its company, and every call names the right company.
func TestInstallsOnlyTheChosenCompany(t *testing.T) {
	t.Parallel()
	p := procoretest.Start(t)
	env, hc, ctx := environment(t, p), login(t, p, procoretest.Joe), t.Context()

	user := procore.NewUserClient(env, hc)
	me, err := user.Me(ctx)
	if err != nil || me.ID != procoretest.Joe {
		t.Fatalf("got %+v, %v", me, err)
	}
	companies, err := procore.Collect(user.Companies(ctx))
	if err != nil || len(companies) != 3 {
		t.Fatalf("got %+v, %v, want three companies", companies, err)
	}
	if got := installed(p); len(got) != 0 {
		t.Fatalf("the user client installed the app in %v", got)
	}

	c := procore.NewCompanyClient(env, hc, procoretest.HarborHill)
	projects, err := procore.Collect(c.Projects(ctx))
	if err != nil || len(projects) != 1 {
		t.Fatalf("got %+v, %v, want one project", projects, err)
	}
	if pr, err := c.Project(ctx, projects[0].ID); err != nil || pr != projects[0] {
		t.Errorf("got %+v, %v, want %+v", pr, err, projects[0])
	}
	rfis, err := procore.Collect(c.RFIs(ctx, projects[0].ID))
	if err != nil || len(rfis) != 2 {
		t.Fatalf("got %+v, %v, want two RFIs", rfis, err)
	}
	if rfi, err := c.RFI(ctx, projects[0].ID, rfis[0].ID); err != nil || rfi != rfis[0] {
		t.Errorf("got %+v, %v, want %+v", rfi, err, rfis[0])
	}
	users, err := procore.Collect(c.CompanyUsers(ctx))
	if err != nil || len(users) != 1 || users[0].ID != procoretest.Joe {
		t.Fatalf("got %+v, %v", users, err)
	}
	if u, err := c.CompanyUser(ctx, users[0].ID); err != nil || u != users[0] {
		t.Errorf("got %+v, %v, want %+v", u, err, users[0])
	}
	if d := cmp.Diff(installed(p), []int64{procoretest.HarborHill}); d != "" {
		t.Errorf("installed in (-got +want):\n%s", d)
	}
	for i, call := range p.State().Calls {
		want := int64(0)
		if i >= 2 {
			want = procoretest.HarborHill
		}
		if call.CompanyID != want || call.Status != 200 {
			t.Errorf("call %d, %s: got company %d and status %d", i, call.Path, call.CompanyID, call.Status)
		}
	}
}

func installed(p *procoretest.Server) []int64 {
	var ids []int64
	for _, c := range p.State().Companies {
		if c.Installed {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

func TestCompaniesOverPages(t *testing.T) {
	t.Parallel()
	p := procoretest.Start(t)
	for i := range int64(250) {
		if err := p.AddCompany(procoretest.NewCompany(700_000+i, "Many", procoretest.Max)); err != nil {
			t.Fatal(err)
		}
	}
	c := procore.NewUserClient(environment(t, p), login(t, p, procoretest.Max))
	got, err := procore.Collect(c.Companies(t.Context()))
	if err != nil || len(got) != 250 || got[249].ID != 700_249 {
		t.Errorf("got %d companies, %v, want 250", len(got), err)
	}
	if n := len(p.State().Calls); n != 1 {
		t.Errorf("got %d calls, want 1", n)
	}
}

// One token of the app serves all its companies, which it lists, and every call into one
// names it.
func TestServiceAccount(t *testing.T) {
	t.Parallel()
	p := procoretest.Start(t)
	yes := true
	for _, id := range []int64{procoretest.MyConstruction, procoretest.NorthernPlanner} {
		if err := p.UpdateCompany(id, procoretest.CompanyPatch{ServiceAccount: &yes, Installed: &yes}); err != nil {
			t.Fatal(err)
		}
	}
	env, ctx := environment(t, p), t.Context()
	o := procore.OAuth{Environment: env, ClientID: "fake-client-id", ClientSecret: procore.NewSecret("fake-client-secret")}
	token, err := o.ClientCredentials(ctx)
	if err != nil {
		t.Fatal(err)
	}
	hc := &http.Client{Transport: bearer{token: token.AccessToken.Reveal()}}
	if _, err := procore.NewUserClient(env, hc).Me(ctx); err == nil || !strings.Contains(err.Error(), "Missing Procore-Company-Id header") {
		t.Errorf("as a user: got %v, want Procore's word that the header is missing", err)
	}
	company := func(id int64) *procore.CompanyClient { return procore.NewCompanyClient(env, hc, id) }
	for _, id := range []int64{procoretest.MyConstruction, procoretest.NorthernPlanner} {
		if _, err := company(id).Me(ctx); err != nil {
			t.Error(err)
		}
		if all, err := procore.Collect(company(id).Companies(ctx)); err != nil || len(all) != 2 {
			t.Errorf("got %v, %v, want both companies", all, err)
		}
	}
	if _, err := procore.Collect(company(procoretest.HarborHill).Projects(ctx)); !errors.Is(err, procore.ErrNotFound) {
		t.Errorf("a company without the account: got %v, want ErrNotFound", err)
	}
}

func TestErrorsOfTheFake(t *testing.T) {
	t.Parallel()
	no := false
	tests := []struct {
		name    string
		arrange func(*procoretest.Server) error
		company int64
		want    error
	}{
		{"user installs off", nil, procoretest.LockedGate, procore.ErrUserInstallsOff},
		{"disconnected", func(p *procoretest.Server) error {
			return p.UpdateCompany(procoretest.MyConstruction, procoretest.CompanyPatch{Connected: &no})
		}, procoretest.MyConstruction, procore.ErrNotConnected},
		{"tool denied", func(p *procoretest.Server) error {
			return p.UpdateCompany(procoretest.MyConstruction, procoretest.CompanyPatch{DeniedTools: &[]string{"users"}})
		}, procoretest.MyConstruction, procore.ErrForbidden},
		{"not a member", nil, procoretest.NorthernPlanner, procore.ErrNotFound},
		{"expired", func(p *procoretest.Server) error { p.Advance(2 * time.Hour); return nil }, procoretest.MyConstruction, procore.ErrUnauthorized},
		{"down", func(p *procoretest.Server) error {
			return p.Fault(procoretest.Fault{Endpoint: "api", Kind: procoretest.Status, Status: 502, Times: 9})
		}, procoretest.MyConstruction, procore.ErrUnavailable},
		{"500 once", func(p *procoretest.Server) error {
			return p.Fault(procoretest.Fault{Endpoint: "api", Kind: procoretest.Status, Status: 500})
		}, procoretest.MyConstruction, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := procoretest.Start(t)
			hc := login(t, p, procoretest.Joe)
			if tt.arrange != nil {
				if err := tt.arrange(p); err != nil {
					t.Fatal(err)
				}
			}
			_, err := procore.Collect(procore.NewCompanyClient(environment(t, p), hc, tt.company, procore.WithAttempts(2)).CompanyUsers(t.Context()))
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestRateLimitOfTheFake(t *testing.T) {
	t.Parallel()
	p := procoretest.Start(t, procoretest.Options{HourlyLimit: 1})
	c := procore.NewUserClient(environment(t, p), login(t, p, procoretest.Joe))
	if _, err := c.Me(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := c.Me(t.Context())
	rl, ok := errors.AsType[*procore.RateLimitError](err)
	if !ok || rl.Answer.RetryAfter < 2*time.Minute || rl.Answer.RetryAfter > time.Hour+2*time.Second || rl.Reset.IsZero() {
		t.Errorf("got %+v, %v, want a wait of up to an hour", rl, err)
	}
	if n := len(p.State().Calls); n != 1 {
		t.Errorf("got %d calls, want 1: what would be refused is not sent, and an hour is not waited for", n)
	}
}

// From hook to changed resource, for each payload version.
func TestWebhookRoundTrip(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v2.0", "v3.0", "v4.0"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			p := procoretest.Start(t)
			c := procore.NewCompanyClient(environment(t, p), login(t, p, procoretest.Ann), procoretest.NorthernPlanner)
			got := receive(t)
			ctx := t.Context()

			hook, err := c.CreateHook(ctx, procore.HookSpec{Namespace: "acme-app", DestinationURL: "http://127.0.0.1:1/old",
				Headers: procore.Headers{"Authorization": procore.NewSecret("Bearer k1.secret")}, PayloadVersion: version})
			if err != nil {
				t.Fatal(err)
			}
			if hook, err = c.UpdateHook(ctx, hook.ID, procore.HookSpec{DestinationURL: got.url}); err != nil || hook.DestinationURL != got.url {
				t.Fatalf("got %+v, %v", hook, err)
			}
			if hook.Namespace != "acme-app" || hook.Status != procore.HookActive || hook.CompanyID != procoretest.NorthernPlanner {
				t.Errorf("the update lost something: %+v", hook)
			}
			hooks, err := procore.Collect(c.Hooks(ctx, "acme-app"))
			if d := cmp.Diff(hooks, []procore.Hook{hook}); d != "" || err != nil {
				t.Errorf("%v (-got +want):\n%s", err, d)
			}
			trigger, err := c.CreateTrigger(ctx, hook.ID, procore.Trigger{Resource: "RFIs", EventType: "update"})
			if err != nil {
				t.Fatal(err)
			}
			triggers, err := procore.Collect(c.Triggers(ctx, hook.ID))
			if d := cmp.Diff(triggers, []procore.Trigger{trigger}); d != "" || err != nil {
				t.Errorf("%v (-got +want):\n%s", err, d)
			}

			project, err := procore.Collect(c.Projects(ctx))
			if err != nil {
				t.Fatal(err)
			}
			rfis, err := procore.Collect(c.RFIs(ctx, project[0].ID))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Emit(procoretest.Event{CompanyID: c.CompanyID(), ProjectID: project[0].ID, ResourceName: "RFIs",
				ResourceID: procore.NewID(rfis[0].ID), EventType: "update", Title: "Changed"}); err != nil {
				t.Fatal(err)
			}
			e, err := procore.DecodeEvent(<-got.bodies)
			if err != nil || e.PayloadVersion != version || e.CompanyID != c.CompanyID() || e.ProjectID != project[0].ID ||
				e.UserID != procoretest.Ann || e.ResourceID != procore.NewID(rfis[0].ID) || e.Type != "update" || e.Timestamp.IsZero() {
				t.Fatalf("got %+v, %v", e, err)
			}
			raw, err := c.Read(ctx, e)
			if err != nil || !bytes.Contains(raw, []byte("Changed")) {
				t.Errorf("read %s, %v", raw, err)
			}
			if err := c.DeleteTrigger(ctx, hook.ID, trigger.ID); err != nil {
				t.Error(err)
			}
			if err := c.DeleteHook(ctx, hook.ID); err != nil || len(p.State().Hooks) != 0 {
				t.Errorf("got %v, hooks left: %+v", err, p.State().Hooks)
			}
		})
	}
}

// A receiver keeps the bodies of deliveries that carry the credential.
type receiver struct {
	url    string
	bodies chan []byte
}

func receive(t *testing.T) receiver {
	t.Helper()
	r := receiver{bodies: make(chan []byte, 10)}
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		if got := req.Header.Get("Authorization"); got != "Bearer k1.secret" {
			t.Errorf("delivered with Authorization %q", got)
		}
		b, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		r.bodies <- b
	}))
	t.Cleanup(srv.Close)
	r.url = srv.URL + "/webhooks/procore"
	return r
}

// A delivery that Procore discarded is found by its status, under the id it was sent
// with.
func TestDiscardedDeliveriesOfTheFake(t *testing.T) {
	t.Parallel()
	p := procoretest.Start(t)
	c := procore.NewCompanyClient(environment(t, p), login(t, p, procoretest.Ann), procoretest.NorthernPlanner)
	ctx := t.Context()
	hook, err := c.CreateHook(ctx, procore.HookSpec{Namespace: "acme-app", DestinationURL: "http://127.0.0.1:1/closed", PayloadVersion: "v2.0"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateTrigger(ctx, hook.ID, procore.Trigger{Resource: "Company Users", EventType: "update"}); err != nil {
		t.Fatal(err)
	}
	sent, err := p.Emit(procoretest.Event{CompanyID: c.CompanyID(), ResourceName: "Company Users", ResourceID: procore.NewID(procoretest.Ann), EventType: "update"})
	if err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); ; {
		if time.Since(began) > 20*time.Second {
			t.Fatal("nothing was discarded")
		}
		p.Advance(time.Hour)
		// The fake's clock has also made the token expire.
		c = procore.NewCompanyClient(environment(t, p), login(t, p, procoretest.Ann), procoretest.NorthernPlanner)
		discarded, err := procore.Collect(c.Deliveries(ctx, hook.ID, procore.DeliveryFilter{Status: procore.DeliveryDiscarded}))
		if err != nil {
			t.Fatal(err)
		}
		if len(discarded) == 0 {
			continue
		}
		e, err := procore.DecodeEvent(discarded[0].Payload)
		if err != nil || !bytes.Contains(discarded[0].Payload, []byte(sent.EventIDs[0])) || e.Resource != "Company Users" || e.ProjectID != 0 {
			t.Errorf("got %+v, %v, want event %s", e, err, sent.EventIDs[0])
		}
		return
	}
}
