package procore

import (
	"context"
	"iter"
	"net/url"
	"slices"
	"strconv"
)

// A Company is a customer of Procore.
//
// https://developers.procore.com/reference/rest/companies?version=latest
type Company struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	// IsActive points to false for a company that Procore has closed. Procore may not
	// answer it; see [Company.Inactive].
	IsActive *bool `json:"is_active"`
}

// Inactive reports whether Procore has closed the company.
func (c Company) Inactive() bool { return c.IsActive != nil && !*c.IsActive }

const companiesPath = "/rest/v1.0/companies"

// Companies lists the companies of the user. It does not install the app in any.
func (c *UserClient) Companies(ctx context.Context) iter.Seq2[Company, error] {
	return companies(ctx, &c.api)
}

// CompaniesNear reads the part of that list around a position, which counts from 0, by one
// call. It has at most a hundred companies: those that [UserClient.Companies] lists there,
// unless the list has changed since or Procore's pages are smaller.
func (c *UserClient) CompaniesNear(ctx context.Context, position int) ([]Company, error) {
	const size = 100 // Procore serves pages of this size, whatever the greatest one is
	query := url.Values{"page": {strconv.Itoa(position/size + 1)}, "per_page": {strconv.Itoa(size)}}
	all, err := get[[]Company](ctx, &c.api, companiesPath, query)
	return slices.DeleteFunc(all, func(c Company) bool { return c.ID <= 0 }), err
}

// companies lists each company with an id once. A large page saves a user of many
// companies from waiting.
func companies(ctx context.Context, a *api) iter.Seq2[Company, error] {
	return func(yield func(Company, error) bool) {
		seen := map[int64]bool{}
		for c, err := range list[Company](ctx, a, companiesPath, url.Values{"per_page": {"2000"}}) {
			if err == nil && (c.ID <= 0 || seen[c.ID]) {
				continue
			}
			seen[c.ID] = true
			if !yield(c, err) {
				return
			}
		}
	}
}

// Companies lists the companies that the token can see: those in which a service
// account may work, or all companies of a user.
func (c *CompanyClient) Companies(ctx context.Context) iter.Seq2[Company, error] {
	return companies(ctx, &c.api)
}
