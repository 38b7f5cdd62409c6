package procore_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"procore-connect/pkg/procore"
)

// standIn starts a Procore of a few fixed answers, so that the examples run.
func standIn() (procore.Environment, func()) {
	mux := http.NewServeMux()
	for pattern, body := range map[string]string{
		"GET /rest/v1.0/me":                                              `{"id":1234567,"login":"joe@acme.com","name":"Joe Builder"}`,
		"GET /rest/v1.0/companies":                                       `[{"id":5678,"name":"My Construction Company","is_active":true}]`,
		"GET /rest/v1.1/projects":                                        `[{"id":7,"name":"Tower A"},{"id":8,"name":"Tower B"}]`,
		"GET /rest/v1.0/projects/7/rfis/42":                              `{"id":42,"subject":"Which bolt?","status":"open"}`,
		"GET /rest/v1.3/companies/5678/users":                            `[{"id":3,"name":"Ann"}]`,
		"GET /rest/v1.0/meetings/9":                                      `{"id":9,"title":"Kick-off"}`,
		"PUT /rest/v1.0/meetings/9":                                      `{"id":9,"title":"Kick-off, second part"}`,
		"GET /oauth/token/info":                                          `{"resource_owner_id":1234567,"expires_in_seconds":5100,"application":{"uid":"client-id"}}`,
		"POST /oauth/revoke":                                             `{}`,
		"GET /rest/v2.0/companies/5678/webhooks/hooks":                   `{"data":[{"id":"11","status":"active","namespace":"acme-rfi-sync","payload_version":"v3.0","company_id":"5678"}]}`,
		"GET /rest/v2.0/companies/5678/webhooks/hooks/11/triggers":       `{"data":[{"id":"12","resource_name":"RFIs","event_type":"CREATED"}]}`,
		"GET /rest/v1.3/companies/5678/users/3":                          `{"id":3,"name":"Ann","email_address":"ann@acme.com"}`,
		"GET /rest/v1.0/projects/7":                                      `{"id":7,"name":"Tower A"}`,
		"GET /rest/v2.0/companies/5678/projects":                         `{"data":[{"id":"7","name":"Tower A"}]}`,
		"POST /rest/v2.0/companies/5678/webhooks/hooks":                  `{"data":{"id":"11","status":"active","payload_version":"v3.0","destination_headers":{"Authorization":"*****ecret"}}}`,
		"POST /rest/v2.0/companies/5678/webhooks/hooks/11/triggers/bulk": `{"data":[{"id":"12","resource_name":"RFIs","event_type":"CREATE"}]}`,
		"GET /rest/v2.0/companies/5678/webhooks/hooks/11/deliveries":     `{"data":[{"id":"77","status":"discarded","payload":{"id":1,"company_id":5678,"resource_name":"RFIs","resource_id":42,"event_type":"update","project_id":7}}]}`,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
	}
	mux.HandleFunc("GET /rest/v1.0/projects/7/rfis", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("page") == "2" {
			fmt.Fprint(w, `[{"id":43,"subject":"Which nut?"}]`)
			return
		}
		w.Header().Set("Link", `</rest/v1.0/projects/7/rfis?page=2>; rel="next"`)
		fmt.Fprint(w, `[{"id":41,"subject":"Which beam?"},{"id":42,"subject":"Which bolt?"}]`)
	})
	spent := false
	mux.HandleFunc("POST /oauth/token", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.FormValue("grant_type") != "refresh_token":
			fmt.Fprint(w, `{"access_token":"of the app","token_type":"bearer","expires_in":5400}`)
		case spent:
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":"invalid_grant"}`)
		default:
			spent = true
			fmt.Fprint(w, `{"access_token":"new","refresh_token":"new","token_type":"bearer","expires_in":5400}`)
		}
	})
	mux.HandleFunc("GET /rest/v1.0/projects/99", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"errors":["App is not connected to this company."]}`)
	})
	srv := httptest.NewServer(mux)
	return procore.Environment{Name: "custom", LoginURL: srv.URL, APIURL: srv.URL}, srv.Close
}

func ExampleParseEnvironment() {
	env, err := procore.ParseEnvironment("sandbox", "", "")
	fmt.Println(env.APIURL, err)
	_, err = procore.ParseEnvironment("custom", "https://login.procore.com", "https://app.procore.com/api")
	fmt.Println(err)
	// Output:
	// https://sandbox.procore.com <nil>
	// procore: API URL of the custom environment: a path is not allowed
}

// The calls that an app may make before the user has chosen a company.
func ExampleUserClient() {
	env, done := standIn()
	defer done()
	ctx := context.Background()

	c := procore.NewUserClient(env, http.DefaultClient) // in production: a client that adds the token
	me, err := c.Me(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("Hello,", me.Name)
	for company, err := range c.Companies(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(company.ID, company.Name)
	}
	// Output:
	// Hello, Joe Builder
	// 5678 My Construction Company
}

func ExampleCompanyClient_Projects() {
	env, done := standIn()
	defer done()

	c := procore.NewCompanyClient(env, http.DefaultClient, 5678)
	for p, err := range c.Projects(context.Background()) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(p.ID, p.Name)
	}
	// Output:
	// 7 Tower A
	// 8 Tower B
}

// A list reads its next page when the loop gets there.
func ExampleCompanyClient_RFIs() {
	env, done := standIn()
	defer done()

	c := procore.NewCompanyClient(env, http.DefaultClient, 5678)
	for rfi, err := range c.RFIs(context.Background(), 7) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(rfi.ID, rfi.Subject)
	}
	// Output:
	// 41 Which beam?
	// 42 Which bolt?
	// 43 Which nut?
}

func ExampleCollect() {
	env, done := standIn()
	defer done()

	c := procore.NewCompanyClient(env, http.DefaultClient, 5678)
	users, err := procore.Collect(c.CompanyUsers(context.Background()))
	fmt.Println(len(users), err)
	// Output: 1 <nil>
}

// An endpoint that the package lacks.
func ExampleGet() {
	type Meeting struct {
		ID    int64  `json:"id"`
		Title string `json:"title"`
	}
	showMeeting := func(ctx context.Context, c *procore.CompanyClient, id int64) (Meeting, error) {
		return procore.Get[Meeting](ctx, c, fmt.Sprintf("/rest/v1.0/meetings/%d", id), nil)
	}

	env, done := standIn()
	defer done()
	m, err := showMeeting(context.Background(), procore.NewCompanyClient(env, http.DefaultClient, 5678), 9)
	fmt.Println(m.Title, err)
	// Output: Kick-off <nil>
}

// A refresh token is single-use. After an error, only the outcome NotSent means that
// the same token may be sent again.
func ExampleOAuth_Refresh() {
	env, done := standIn()
	defer done()

	app := &procore.OAuth{Environment: env, ClientID: "client-id", ClientSecret: procore.NewSecret("client-secret")}
	for range 2 {
		pair, err := app.Refresh(context.Background(), procore.NewSecret("a refresh token"), procore.OutOfBand, time.Now().Add(time.Minute))
		if e, ok := errors.AsType[*procore.TokenError](err); ok {
			fmt.Println("outcome:", e.Outcome, "status:", e.Status, "code:", e.Code)
			continue
		}
		fmt.Println("a new pair to store:", !pair.RefreshToken.IsZero())
	}
	// Output:
	// a new pair to store: true
	// outcome: refused status: 400 code: invalid_grant
}

func ExampleError() {
	env, done := standIn()
	defer done()

	_, err := procore.NewCompanyClient(env, http.DefaultClient, 5678).Project(context.Background(), 99)
	if rl, ok := errors.AsType[*procore.RateLimitError](err); ok {
		fmt.Println("wait", rl.Answer.RetryAfter.Round(time.Second))
	}
	switch {
	case errors.Is(err, procore.ErrNotConnected):
		fmt.Println("disconnected: stop calling, tell the owner")
	case errors.Is(err, procore.ErrForbidden), errors.Is(err, procore.ErrNotFound):
		fmt.Println("report")
	case errors.Is(err, procore.ErrUnavailable):
		fmt.Println("later")
	}
	fmt.Println(err)
	// Output:
	// disconnected: stop calling, tell the owner
	// procore: GET /rest/v1.0/projects/99: 403: App is not connected to this company. (company 5678); stop calling; a company administrator has to connect the app in App Management
}

func ExampleCompanyClient_CreateHook() {
	env, done := standIn()
	defer done()
	ctx := context.Background()

	c := procore.NewCompanyClient(env, http.DefaultClient, 5678)
	hook, err := c.CreateHook(ctx, procore.HookSpec{
		Namespace:      "acme-rfi-sync",
		DestinationURL: "https://hooks.acme.com/webhooks/procore",
		Headers:        procore.Headers{"Authorization": procore.NewSecret("Bearer a-secret")},
		PayloadVersion: "v3.0",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	triggers, err := c.CreateTriggers(ctx, hook.ID, []procore.Trigger{{Resource: "RFIs", EventType: "create"}})
	fmt.Println(hook.ID, hook.Status, triggers, err)
	// Output: 11 active [RFIs:create] <nil>
}

// Events whose delivery Procore gave up, for recovery.
func ExampleCompanyClient_Deliveries() {
	env, done := standIn()
	defer done()

	c := procore.NewCompanyClient(env, http.DefaultClient, 5678)
	for d, err := range c.Deliveries(context.Background(), "11", procore.DeliveryFilter{Status: procore.DeliveryDiscarded}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		e, err := procore.DecodeEvent(d.Payload)
		fmt.Println(d.Status, e.Key(), err)
	}
	// Output: discarded 5678#RFIs#42 <nil>
}

// A webhook receiver decodes the body of a delivery.
func ExampleDecodeEvent() {
	e, err := procore.DecodeEvent([]byte(`{
		"id": 5982324300946918154, "ulid": "01EDPD2J6SBY1163N77H95GW09",
		"timestamp": "2026-02-06T23:34:12.246562Z",
		"metadata": {"source_application_id": "our-client-id"},
		"user_id": 1234567, "company_id": 5678, "project_id": 7, "api_version": "v2.0",
		"event_type": "update", "resource_name": "RFIs", "resource_id": 42
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	e.MarkSelf("our-client-id")
	fmt.Println(e.ID, e.Type, e.Key(), "by us:", *e.SelfOriginated)
	// Output: 01EDPD2J6SBY1163N77H95GW09 update 5678#RFIs#42 by us: true
}

// A consumer reads the resource that a message of the queue names.
func ExampleCompanyClient_Read() {
	env, done := standIn()
	defer done()

	message := `{"version":"1","id":"1","company_id":"5678","project_id":"7","resource":"RFIs","resource_id":"42",
		"type":"update","timestamp":"2026-02-06T23:34:12Z","payload_version":"v3.0","self_originated":false}`
	e, err := procore.ParseEvent([]byte(message))
	if err != nil {
		fmt.Println(err)
		return
	}
	c := procore.NewCompanyClient(env, http.DefaultClient, e.CompanyID)
	resource, err := c.Read(context.Background(), e)
	fmt.Println(string(resource), err)
	// Output: {"id":42,"subject":"Which bolt?","status":"open"} <nil>
}

// A setting lists the triggers of a hook.
func ExampleParseTriggers() {
	triggers, err := procore.ParseTriggers("RFIs:create,update; Company Users:update")
	for _, t := range triggers {
		fmt.Println(t.Resource, t.EventType)
	}
	fmt.Println(err)
	_, err = procore.ParseTriggers("Project Users:update")
	fmt.Println(err)
	// Output:
	// RFIs create
	// RFIs update
	// Company Users update
	// <nil>
	// procore: Procore retired the trigger Project Users/update on 2026-06-30; use Company Users/update
}
