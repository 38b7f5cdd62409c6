package procore

import (
	"context"
	"iter"
)

// A Company is a customer of Procore.
//
// https://developers.procore.com/reference/rest/companies?version=latest
type Company struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	// IsActive is false for a company that Procore has closed.
	IsActive bool `json:"is_active"`
}

const companiesPath = "/rest/v1.0/companies"

// Companies lists the companies of the user. It installs the app in none of them.
func (c *UserClient) Companies(ctx context.Context) iter.Seq2[Company, error] {
	return list[Company](ctx, &c.api, companiesPath, nil)
}

// Companies lists the companies that the token sees: for a service account those
// it may work in, for a user all of the user's.
func (c *CompanyClient) Companies(ctx context.Context) iter.Seq2[Company, error] {
	return list[Company](ctx, &c.api, companiesPath, nil)
}
