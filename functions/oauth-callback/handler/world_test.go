package handler

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/connect/pages"
	"procore-connect/internal/connect/session"
	"procore-connect/internal/platform/gateway"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
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
	s := &site{World: functiontest.New(t), t: t}
	s.base = s.Front(func(public string) map[string]gateway.Func {
		s.h = s.handler(public)
		for _, f := range change {
			f(s.h)
		}
		s.serve = s.Function(s.h.routes(), public)
		return map[string]gateway.Func{
			"GET /": s.serve, "GET /oauth/start": s.serve, "GET /oauth/callback": s.serve, "$default": s.serve,
		}
	})
	return s
}

func (s *site) handler(public string) *handler {
	return &handler{
		public: public, users: true, oauth: s.OAuth(), sessions: s.Sessions(),
		cookies: session.Cookies{Secure: strings.HasPrefix(public, "https:")}, pages: pages.New(pages.Site{PublicURL: public}),
	}
}

// start opens /oauth/start and returns the address at Procore and its state.
func (s *site) start(b *functiontest.Browser) (authorize, state string) {
	s.t.Helper()
	authorize = b.Get("/oauth/start").RedirectsTo(s.Procore.URL + "/oauth/authorize?")
	u, err := url.Parse(authorize)
	if err != nil {
		s.t.Fatal(err)
	}
	state = u.Query().Get("state")
	s.Log.Secret(state)
	return authorize, state
}

// login authorizes the app at Procore, and returns the address of the callback.
func (s *site) login(b *functiontest.Browser) (callback, state string) {
	s.t.Helper()
	authorize, state := s.start(b)
	return s.Procore.Authorize(s.t, procoretest.Joe, authorize), state
}

// handover moves the pairs as company-select does.
func (s *site) handover() session.Handover {
	return session.Handover{Sessions: s.Sessions(), Tokens: s.Tokens()}
}

// oauthIs changes the function's credentials.
func (s *site) oauthIs(change func(*procore.OAuth)) {
	healthy := s.h.oauth
	s.h.oauth = secrettest.Func[*procore.OAuth](func(ctx context.Context, _ bool) (*procore.OAuth, error) {
		o, err := healthy.Get(ctx)
		if err != nil {
			return nil, err
		}
		changed := *o
		change(&changed)
		return &changed, nil
	})
	s.h.sessions.OAuth = s.h.oauth
}

// count returns the number of rows of a table.
func (s *site) count(table string) int {
	s.t.Helper()
	out, err := s.DB.Scan(s.t.Context(), &dynamodb.ScanInput{TableName: &table})
	if err != nil {
		s.t.Fatal(err)
	}
	return len(out.Items)
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

// works checks that a new flow succeeds.
func (s *site) works() {
	s.t.Helper()
	b := s.Browser(s.base)
	callback, _ := s.login(b)
	b.Get(callback).RedirectsTo(s.base + "/companies?flow=")
}

// wantExchanges checks how often the token endpoint was called.
func (s *site) wantExchanges(want int) {
	s.t.Helper()
	if got := s.Requests("POST /oauth/token"); got != want {
		s.t.Errorf("got %d requests to the token endpoint, want %d", got, want)
	}
}

// row returns the flow's session as it is stored, and checks that it has no secret in clear.
func (s *site) row(state string) map[string]types.AttributeValue {
	s.t.Helper()
	out, err := s.DB.GetItem(s.t.Context(), &dynamodb.GetItemInput{TableName: &s.Tables.Sessions,
		Key: map[string]types.AttributeValue{"session": &types.AttributeValueMemberS{Value: session.FlowOf(procore.NewSecret(state))}}})
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

func (s *site) status(state string) session.Status {
	s.t.Helper()
	v, _ := s.row(state)["status"].(*types.AttributeValueMemberS)
	if v == nil {
		return ""
	}
	return session.Status(v.Value)
}

// event calls the function without the front, which could not send such a request.
func (s *site) event(ctx context.Context, path, query string, cookies ...*http.Cookie) events.APIGatewayV2HTTPResponse {
	s.t.Helper()
	return s.invoke(ctx, http.MethodGet, path, query, cookies...)
}

func (s *site) invoke(ctx context.Context, method, path, query string, cookies ...*http.Cookie) events.APIGatewayV2HTTPResponse {
	s.t.Helper()
	e := events.APIGatewayV2HTTPRequest{RawPath: path, RawQueryString: query}
	e.RequestContext.HTTP.Method = method
	for _, c := range cookies {
		e.Cookies = append(e.Cookies, c.Name+"="+c.Value)
	}
	out, err := s.serve(ctx, e)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Log.Search(s.t, "a page", out.Body)
	return out
}

// set changes a text of a flow's session as it is stored.
func (s *site) set(flow, attribute, value string) {
	s.t.Helper()
	_, err := s.DB.UpdateItem(s.t.Context(), &dynamodb.UpdateItemInput{
		TableName:                &s.Tables.Sessions,
		Key:                      map[string]types.AttributeValue{"session": &types.AttributeValueMemberS{Value: flow}},
		UpdateExpression:         aws.String("SET #a = :v"),
		ExpressionAttributeNames: map[string]string{"#a": attribute}, ExpressionAttributeValues: map[string]types.AttributeValue{":v": &types.AttributeValueMemberS{Value: value}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
}
