package procore

import (
	"context"
	"iter"
	"time"
)

// A CompanyUser is a person in the company's directory. Its webhooks have the
// resource name "Company Users" and no project.
//
// https://developers.procore.com/reference/rest/company-users?version=latest
type CompanyUser struct {
	ID           int64     `json:"id"`
	Name         string    `json:"name"`
	EmailAddress string    `json:"email_address"`
	IsActive     bool      `json:"is_active"`
	UpdatedAt    time.Time `json:"updated_at"`
}

// CompanyUsers lists the company's directory.
func (c *CompanyClient) CompanyUsers(ctx context.Context) iter.Seq2[CompanyUser, error] {
	return List[CompanyUser](ctx, c, c.usersPath(), nil)
}

// CompanyUser returns one user of the directory.
func (c *CompanyClient) CompanyUser(ctx context.Context, id int64) (CompanyUser, error) {
	return Get[CompanyUser](ctx, c, c.usersPath()+"/"+decimal(id), nil)
}

func (c *CompanyClient) usersPath() string {
	return "/rest/v1.3/companies/" + decimal(c.companyID) + "/users"
}
