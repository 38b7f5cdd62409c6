package procore

import (
	"context"
	"errors"
)

// Me describes the user or service account that the access token belongs to.
//
// https://developers.procore.com/reference/rest/me?version=latest
type Me struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
	Name  string `json:"name"`
}

const mePath = "/rest/v1.0/me"

// Me returns the user who authorized the app. It does not install the app anywhere.
func (c *UserClient) Me(ctx context.Context) (Me, error) {
	return me(ctx, &c.api)
}

// Me returns the user or service account of the token.
func (c *CompanyClient) Me(ctx context.Context) (Me, error) {
	return me(ctx, &c.api)
}

// me rejects an answer without an id, because a connection is stored under that id.
func me(ctx context.Context, a *api) (Me, error) {
	m, err := get[Me](ctx, a, mePath, nil)
	if err == nil && m.ID <= 0 {
		err = errors.New("procore: GET " + mePath + ": the answer has no id")
	}
	return m, err
}
