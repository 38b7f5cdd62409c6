package procore_test

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	"procore-connect/pkg/procore"
)

// Meeting and ShowMeeting are in docs/CLIENT.md, line by line.
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
