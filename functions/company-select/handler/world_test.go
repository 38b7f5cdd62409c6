package handler

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/platform/config"
	"procore-connect/internal/platform/gateway"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/webhook/inbox"
	"procore-connect/internal/webhook/provision"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// site is the function with its world.
type site struct {
	*functiontest.World
	t     *testing.T
	h     *handler
	base  string
	serve gateway.Func
}

func newSite(t *testing.T, change ...func(*handler)) *site {
	t.Helper()
	w := functiontest.New(t)
	s := &site{World: w, t: t}
	s.base = w.Front(func(public string) map[string]gateway.Func {
		s.h = &handler{
			public: public, allowed: config.Companies{All: true}, webhooks: connections.WebhooksPending,
			sessions: w.Sessions(), connections: w.Store(), pages: pages.New(pages.Site{PublicURL: public}),
		}
		s.h.tokens = s.h.connections.Tokens
		s.h.hooks = &provision.Reconciler{Store: s.h.connections, Want: provision.Config{Namespace: "our-app", URL: public + provision.Path}, Log: w.Log.Logger}
		s.h.inbox = &inbox.Store{DB: w.DB, Table: w.Tables.Inbox, Clock: w.Clock.Seam()}
		s.h.log = w.Log.Logger
		for _, f := range change {
			f(s.h)
		}
		s.serve = w.Function(s.h.routes(), public)
		return map[string]gateway.Func{
			"GET /companies": s.serve, "HEAD /companies": s.serve, "POST /companies": s.serve, "GET /connected": s.serve, "HEAD /connected": s.serve,
			"POST /connected": s.serve, "GET /return": s.serve, "POST /links/redeem": s.serve,
		}
	})
	return s
}

// visitor is a browser that has come back from Procore's login.
type visitor struct {
	*functiontest.Browser
	s    *site
	flow string
}

// visitor authorizes as a user, in a new browser.
func (s *site) visitor(user int64) *visitor {
	s.t.Helper()
	v := &visitor{Browser: s.Browser(s.base), s: s}
	v.flow = v.authorize(user)
	return v
}

// second authorizes in another tab of the browser.
func (v *visitor) second(user int64) *visitor {
	v.s.t.Helper()
	tab := &visitor{Browser: v.Browser, s: v.s}
	tab.flow = tab.authorize(user)
	return tab
}

// authorize does what oauth-callback does, and returns the flow.
func (v *visitor) authorize(user int64) (flow string) {
	v.s.t.Helper()
	return v.authorizeAgain(user, false)
}

func (v *visitor) authorizeAgain(user int64, again bool) (flow string) {
	v.s.t.Helper()
	return v.authorizeBy(user, session.Opening{Again: again})
}

func (v *visitor) authorizeBy(user int64, o session.Opening) (flow string) {
	t, ctx, redirectURI := v.s.t, v.s.t.Context(), v.s.base+"/oauth/callback"
	t.Helper()
	sessions := v.s.Sessions()
	o.RedirectURI = redirectURI
	st, err := sessions.Begin(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	exchanging, _, err := sessions.Consume(ctx, st.State, st.Cookie)
	if err != nil {
		t.Fatal(err)
	}
	cookie, err := sessions.StorePair(ctx, exchanging, procore.NewSecret("fake-code-"+rand.Text()), v.s.Pair(user, redirectURI))
	if err != nil {
		t.Fatal(err)
	}
	v.s.Log.Secret(st.State.Reveal(), st.Verifier.Reveal(), st.Cookie.Reveal(), cookie.Reveal())
	v.keep(st.Flow, cookie)
	return st.Flow
}

// keep puts a flow's cookie in the browser's jar.
func (v *visitor) keep(flow string, cookie procore.Secret) {
	v.s.t.Helper()
	w := httptest.NewRecorder()
	session.Cookies{}.Set(w, flow, cookie)
	u, err := url.Parse(v.s.base)
	if err != nil {
		v.s.t.Fatal(err)
	}
	v.Jar.SetCookies(u, w.Result().Cookies())
}

// scanned returns the rows of a table.
func (s *site) scanned(table string) []map[string]types.AttributeValue {
	s.t.Helper()
	out, err := s.DB.Scan(s.t.Context(), &dynamodb.ScanInput{TableName: &table})
	if err != nil {
		s.t.Fatal(err)
	}
	return out.Items
}

func (v *visitor) list() functiontest.Page {
	v.s.t.Helper()
	return v.Get("/companies?flow=" + v.flow)
}

// form returns what the page's form would send for a company.
func (v *visitor) form(company string) url.Values {
	v.s.t.Helper()
	page := v.list().Wants(http.StatusOK)
	return url.Values{pages.FieldFlow: {page.Field(pages.FieldFlow)}, pages.FieldCSRF: {page.Field(pages.FieldCSRF)}, pages.FieldCompany: {company}}
}

// choose opens the list and sends the form.
func (v *visitor) choose(company int64) functiontest.Page {
	v.s.t.Helper()
	return v.Post("/companies", v.form(strconv.FormatInt(company, 10)))
}

// connect chooses a company and checks that it gets connected.
func (v *visitor) connect(company int64) {
	v.s.t.Helper()
	v.choose(company).RedirectsTo(v.s.base + "/connected?flow=" + v.flow)
}

// entered returns the companies that were called or have the app installed: R3.
func (s *site) entered() []int64 {
	s.t.Helper()
	seen := map[int64]bool{}
	state := s.Procore.State()
	for _, c := range state.Calls {
		seen[c.CompanyID] = true
		if c.CompanyID == 0 && c.Path != "/rest/v1.0/me" && c.Path != "/rest/v1.0/companies" {
			s.t.Errorf("%s %s was called without a company", c.Method, c.Path)
		}
	}
	var all []int64
	for _, c := range state.Companies {
		if seen[c.ID] || c.Installed {
			all = append(all, c.ID)
		}
	}
	return all
}

func (s *site) wantEntered(want ...int64) {
	s.t.Helper()
	if diff := cmp.Diff(s.entered(), want); diff != "" {
		s.t.Errorf("companies called or installed (-got +want):\n%s", diff)
	}
}

// connections returns the rows of a company.
func (s *site) connections(company int64) []connections.Connection {
	s.t.Helper()
	var all []connections.Connection
	for c, err := range s.Store().Company(s.t.Context(), company) {
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// connection returns a company's only row.
func (s *site) connection(company int64) connections.Connection {
	s.t.Helper()
	all := s.connections(company)
	if len(all) != 1 {
		s.t.Fatalf("got %d connections of company %d, want 1", len(all), company)
	}
	return all[0]
}

// wantWorking checks that a connection serves calls.
func (s *site) wantWorking(k connections.Key) {
	s.t.Helper()
	if _, err := procore.Collect(s.Store().Client(k).Projects(s.t.Context())); err != nil {
		s.t.Errorf("%s does not work: %v", k, err)
	}
}

// refuseRefresh has Procore refuse a refresh of the user's grant.
func (s *site) refuseRefresh(user int64) {
	s.t.Helper()
	s.ProcoreFails(procoretest.Fault{Endpoint: "token", Kind: procoretest.Status, Status: 400, Body: `{"error":"invalid_grant"}`})
	if _, err := s.Tokens().Upkeep().Refresh(s.t.Context(), tokens.User(user), 2*time.Hour); !errors.Is(err, tokens.ErrReauthorize) {
		s.t.Fatalf("the refusal of a refresh is %v", err)
	}
}

// housekeeping moves pairs and revokes grants that no one needs, as the refresher does.
func (s *site) housekeeping() {
	s.t.Helper()
	ctx, grants := s.t.Context(), s.Tokens()
	handover := session.Handover{Sessions: s.Sessions(), Tokens: grants}
	for stale, err := range handover.Sessions.Stale(ctx) {
		if err == nil {
			_, err = handover.Move(ctx, stale)
		}
		if err != nil && !errors.Is(err, session.ErrEnded) {
			s.t.Error(err)
		}
	}
	for shard := range tokens.Shards {
		for p, err := range grants.Upkeep().Unheld(ctx, shard) {
			if err == nil {
				err = grants.Revoke(ctx, p, "no company was chosen")
			}
			if err != nil {
				s.t.Error(err)
			}
		}
	}
}

// wantRefreshTokens checks the states of the refresh tokens that Procore issued.
func (s *site) wantRefreshTokens(want ...string) {
	s.t.Helper()
	var got []string
	for _, r := range s.Procore.State().RefreshTokens {
		got = append(got, r.State)
	}
	if diff := cmp.Diff(got, want); diff != "" {
		s.t.Errorf("refresh tokens (-got +want):\n%s", diff)
	}
}

// row returns a session as it is stored.
func (s *site) row(flow string) map[string]types.AttributeValue {
	s.t.Helper()
	return s.item(s.Tables.Sessions, map[string]types.AttributeValue{"session": &types.AttributeValueMemberS{Value: flow}})
}

func (s *site) item(table string, key map[string]types.AttributeValue) map[string]types.AttributeValue {
	s.t.Helper()
	out, err := s.DB.GetItem(s.t.Context(), &dynamodb.GetItemInput{TableName: &table, Key: key})
	if err != nil {
		s.t.Fatal(err)
	}
	var all strings.Builder
	for _, v := range out.Item {
		switch v := v.(type) {
		case *types.AttributeValueMemberS:
			fmt.Fprintln(&all, v.Value)
		case *types.AttributeValueMemberB:
			fmt.Fprintln(&all, string(v.Value))
		}
	}
	s.Log.Search(s.t, "a row", all.String())
	return out.Item
}

func value(item map[string]types.AttributeValue, name string) string {
	v, _ := item[name].(*types.AttributeValueMemberS)
	if v == nil {
		return ""
	}
	return v.Value
}
