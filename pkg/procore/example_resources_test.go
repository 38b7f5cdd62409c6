package procore_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"procore-connect/pkg/procore"
)

// The user who authorized the app.
func ExampleUserClient_Me() {
	env, done := standIn()
	defer done()
	me, err := procore.NewUserClient(env, http.DefaultClient).Me(context.Background())
	fmt.Println(me.ID, me.Login, err)
	// Output: 1234567 joe@acme.com <nil>
}

// The companies among which the user may choose.
func ExampleUserClient_Companies() {
	env, done := standIn()
	defer done()
	for c, err := range procore.NewUserClient(env, http.DefaultClient).Companies(context.Background()) {
		fmt.Println(c.ID, c.Name, c.Inactive(), err)
	}
	// Output: 5678 My Construction Company false <nil>
}

func ExampleCompanyClient_Project() {
	env, done := standIn()
	defer done()
	p, err := procore.NewCompanyClient(env, http.DefaultClient, 5678).Project(context.Background(), 7)
	fmt.Println(p.Name, err)
	// Output: Tower A <nil>
}

func ExampleCompanyClient_CompanyUsers() {
	env, done := standIn()
	defer done()
	for u, err := range procore.NewCompanyClient(env, http.DefaultClient, 5678).CompanyUsers(context.Background()) {
		fmt.Println(u.ID, u.Name, err)
	}
	// Output: 3 Ann <nil>
}

func ExampleCompanyClient_CompanyUser() {
	env, done := standIn()
	defer done()
	u, err := procore.NewCompanyClient(env, http.DefaultClient, 5678).CompanyUser(context.Background(), 3)
	fmt.Println(u.EmailAddress, err)
	// Output: ann@acme.com <nil>
}

func ExampleCompanyClient_RFI() {
	env, done := standIn()
	defer done()
	rfi, err := procore.NewCompanyClient(env, http.DefaultClient, 5678).RFI(context.Background(), 7, 42)
	fmt.Println(rfi.Subject, rfi.Status, err)
	// Output: Which bolt? open <nil>
}

// The hooks of the app's namespace, and their triggers.
func ExampleCompanyClient_Hooks() {
	env, done := standIn()
	defer done()
	ctx, c := context.Background(), procore.NewCompanyClient(env, http.DefaultClient, 5678)
	hooks, err := procore.Collect(c.Hooks(ctx, "acme-rfi-sync"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, h := range hooks {
		triggers, err := procore.Collect(c.Triggers(ctx, h.ID))
		fmt.Println(h.ID, h.PayloadVersion, triggers, err)
	}
	// Output: 11 v3.0 [RFIs:create] <nil>
}

// A trigger that Procore has retired is refused before anything is called.
func ExampleCompanyClient_CreateTrigger() {
	env, done := standIn()
	defer done()
	c := procore.NewCompanyClient(env, http.DefaultClient, 5678)
	_, err := c.CreateTrigger(context.Background(), "11", procore.Trigger{Resource: "Project Users", EventType: "update"})
	if re, ok := errors.AsType[*procore.RetiredError](err); ok {
		fmt.Println("use", re.Replacement)
	}
	// Output: use Company Users
}

// A list of REST v2: the items under data, whose ids are strings.
func ExampleList() {
	type Project struct {
		ID   procore.ID `json:"id"`
		Name string     `json:"name"`
	}
	env, done := standIn()
	defer done()
	c := procore.NewCompanyClient(env, http.DefaultClient, 5678)
	for p, err := range procore.List[Project](context.Background(), c, "/rest/v2.0/companies/5678/projects", nil) {
		fmt.Println(p.ID, p.Name, err)
	}
	// Output: 7 Tower A <nil>
}

// The owner of a token, and how long it is still valid.
func ExampleOAuth_TokenInfo() {
	env, done := standIn()
	defer done()
	app := &procore.OAuth{Environment: env, ClientID: "client-id", ClientSecret: procore.NewSecret("client-secret")}
	info, err := app.TokenInfo(context.Background(), procore.NewSecret("an access token"))
	fmt.Println(info.UserID, info.ClientID, info.ExpiresIn, err)
	// Output: 1234567 client-id 1h25m0s <nil>
}

// An app must revoke the tokens of a user who became inactive.
func ExampleOAuth_Revoke() {
	env, done := standIn()
	defer done()
	app := &procore.OAuth{Environment: env, ClientID: "client-id", ClientSecret: procore.NewSecret("client-secret")}
	fmt.Println(app.Revoke(context.Background(), procore.Token{AccessToken: procore.NewSecret("an access token"), RefreshToken: procore.NewSecret("its refresh token")}))
	// Output: <nil>
}

// The app's own token is valid in all companies that installed the app; each call names its company.
func ExampleOAuth_ClientCredentials() {
	env, done := standIn()
	defer done()
	app := &procore.OAuth{Environment: env, ClientID: "client-id", ClientSecret: procore.NewSecret("client-secret")}
	token, err := app.ClientCredentials(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	hc := env.Bearer(token.AccessToken, nil)
	for _, id := range []int64{5678, 5679} {
		me, err := procore.NewCompanyClient(env, hc, id, procore.WithUserAgent("acme-sync/1.0")).Me(context.Background())
		fmt.Println(id, me.Name, err)
	}
	// Output:
	// 5678 Joe Builder <nil>
	// 5679 Joe Builder <nil>
}

// Clients of one user in several companies share the user's limit.
func ExampleWithLimits() {
	env, done := standIn()
	defer done()
	var limits procore.Limits // one for the process
	for _, id := range []int64{5678, 5679} {
		c := procore.NewCompanyClient(env, http.DefaultClient, id, procore.WithLimits(&limits, "user#1234567"))
		projects, err := procore.Collect(c.Projects(context.Background()))
		fmt.Println(id, len(projects), err)
	}
	// Output:
	// 5678 2 <nil>
	// 5679 2 <nil>
}
