package procore_test

import (
	"context"
	"fmt"

	"procore-connect/pkg/procore"
)

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

// A program without a user: the app's service account lists the projects of a company that installed it. Everything
// above is the quick start of docs/CLIENT.md, line by line.
func Example() {
	env, done := standIn()
	defer done()
	fmt.Println(listProjects(context.Background(), env, "client-id", "client-secret"))
	// Output:
	// 7 Tower A
	// 8 Tower B
	// <nil>
}
