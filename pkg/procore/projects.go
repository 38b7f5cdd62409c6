package procore

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// A Project belongs to one company.
//
// https://developers.procore.com/reference/rest/projects?version=latest
type Project struct {
	ID            int64     `json:"id"`
	Name          string    `json:"name"`
	DisplayName   string    `json:"display_name"`
	ProjectNumber string    `json:"project_number"`
	Active        bool      `json:"active"`
	UpdatedAt     time.Time `json:"updated_at"`
}

const projectsPath = "/rest/v1.1/projects"

// Projects lists the company's projects that the token can see.
func (c *CompanyClient) Projects(ctx context.Context) iter.Seq2[Project, error] {
	return List[Project](ctx, c, projectsPath, c.companyQuery())
}

// Enter makes a first call into the company, a list of one project. It installs the app
// there, if the company's users may install apps. The status alone decides: nil means that
// Procore answered 2xx, whatever the body is. Of the errors, [ErrUserInstallsOff],
// [ErrNotConnected], [ErrUnauthorized] and [ErrForbidden] are Procore's refusals.
//
// https://developers.procore.com/documentation/api-call-sequencing
func (c *CompanyClient) Enter(ctx context.Context) error {
	query := c.companyQuery()
	query.Set("per_page", "1")
	_, err := c.api.do(ctx, call{method: http.MethodGet, path: projectsPath, query: query, status: true}, nil)
	return err
}

// Project returns one project. Only v1.0 has a single one.
func (c *CompanyClient) Project(ctx context.Context, id int64) (Project, error) {
	return Get[Project](ctx, c, "/rest/v1.0/projects/"+decimal(id), c.companyQuery())
}

// companyQuery returns the query for endpoints that want the company there as well
// as in the header.
func (c *CompanyClient) companyQuery() url.Values {
	return url.Values{"company_id": {decimal(c.companyID)}}
}

func decimal(id int64) string { return strconv.FormatInt(id, 10) }
