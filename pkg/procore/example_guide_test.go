package procore_test

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	"procore-connect/pkg/procore"
)

// listProjects is the quick start of docs/CLIENT.md, line by line, as is ShowMeeting.
func listProjects(ctx context.Context, env procore.Environment, id, secret string) error {
	app := &procore.OAuth{Environment: env, ClientID: id, ClientSecret: procore.NewSecret(secret)}
	token, err := app.ClientCredentials(ctx)
	if err != nil {
		return err
	}
	company := procore.NewCompanyClient(env, env.Bearer(token.AccessToken, nil), 5678)
	for project, err := range company.Projects(ctx) {
		if err != nil {
			return err
		}
		fmt.Println(project.ID, project.Name)
	}
	return nil
}

// A program without a user: the app's service account lists the projects of a
// company that installed it.
func Example() {
	env, done := standIn()
	defer done()
	fmt.Println(listProjects(context.Background(), env, "client-id", "client-secret"))
	// Output:
	// 7 Tower A
	// 8 Tower B
	// <nil>
}

type Meeting struct {
	ID    procore.ID `json:"id"`
	Title string     `json:"title"`
}

func ShowMeeting(ctx context.Context, c *procore.CompanyClient, project, id int64) (Meeting, error) {
	path := fmt.Sprintf("/rest/v1.0/meetings/%d", id)
	query := url.Values{"project_id": {strconv.FormatInt(project, 10)}}
	return procore.Get[Meeting](ctx, c, path, query)
}

func ExampleID() {
	env, done := standIn()
	defer done()
	m, err := ShowMeeting(context.Background(), procore.NewCompanyClient(env, nil, 5678), 7, 9)
	fmt.Println(m.ID, m.Title, err)
	// Output: 9 Kick-off <nil>
}

// Where an endpoint replaces the whole resource, Procore's reference has PUT in place of PATCH.
func ExamplePut() {
	env, done := standIn()
	defer done()
	c := procore.NewCompanyClient(env, nil, 5678)
	m, err := procore.Put[Meeting](context.Background(), c, "/rest/v1.0/meetings/9", nil, Meeting{ID: "9", Title: "Kick-off, second part"})
	fmt.Println(m.Title, err)
	// Output: Kick-off, second part <nil>
}
