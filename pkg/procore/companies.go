package procore

import (
	"context"
	"encoding/json"
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

// UnmarshalJSON reads ids as [ID] does.
func (c *Company) UnmarshalJSON(b []byte) error {
	type plain Company
	return json.Unmarshal(b, &struct {
		*plain
		ID *ID `json:"id"`
	}{(*plain)(c), idOf(&c.ID)})
}

const companiesPath = "/rest/v1.0/companies"

// Companies lists the companies of the user. It does not install the app in any.
func (c *UserClient) Companies(ctx context.Context) iter.Seq2[Company, error] {
	return list[Company](ctx, &c.api, companiesPath, nil)
}

// Companies lists the companies that the token can see: those in which a service
// account may work, or all companies of a user.
func (c *CompanyClient) Companies(ctx context.Context) iter.Seq2[Company, error] {
	return list[Company](ctx, &c.api, companiesPath, nil)
}
