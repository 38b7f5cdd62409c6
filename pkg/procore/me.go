package procore

import "context"

// Me is the user (or service account) to whom the access token belongs.
//
// https://developers.procore.com/reference/rest/me?version=latest
type Me struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
	Name  string `json:"name"`
}

const mePath = "/rest/v1.0/me"

// Me returns the user who authorized the app. It installs the app nowhere.
func (c *UserClient) Me(ctx context.Context) (Me, error) {
	return get[Me](ctx, &c.api, mePath, nil)
}

// Me returns the user or service account of the token.
func (c *CompanyClient) Me(ctx context.Context) (Me, error) {
	return get[Me](ctx, &c.api, mePath, nil)
}
