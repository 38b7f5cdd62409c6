package stack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"procore-connect/internal/testing/kit/browsertest"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// Connect connects a company of the fake, unless it is connected: through the pages as one of its members would, or, if
// users connect no companies, as its administrator would who installs the app. It reports whether it had to. When it
// returns, housekeeping has run, so that the company has its hook.
//
// If the fake has no such company, the error lists those that it has.
func (s *Stack) Connect(ctx context.Context, companyID int64, users bool) (bool, error) {
	if s.Procore == nil {
		return false, errors.New("a person connects a company of Procore's sandbox, in a browser")
	}
	company := s.Procore.Company(companyID)
	if company.ID == 0 {
		return false, fmt.Errorf("the fake Procore has no company %d; its companies:%s", companyID, s.companies())
	}
	connected, err := s.connected(ctx, companyID)
	if connected || err != nil {
		return false, err
	}
	if users {
		err = s.choose(ctx, company)
	} else {
		yes := true
		err = s.Procore.UpdateCompany(companyID, procoretest.CompanyPatch{Installed: &yes})
	}
	if err == nil {
		_, err = s.Invoke(ctx, refresher, []byte(`{"task":"housekeeping"}`))
	}
	if err != nil {
		return false, fmt.Errorf("company %d was not connected: %w", companyID, err)
	}
	return true, nil
}

// companies lists the fake's companies, a line each.
func (s *Stack) companies() string {
	var list strings.Builder
	for _, c := range s.Procore.State().Companies {
		fmt.Fprintf(&list, "\n  %-18d %s", c.ID, c.Name)
	}
	return list.String()
}

// connected reports whether the app can call Procore for a company.
func (s *Stack) connected(ctx context.Context, companyID int64) (bool, error) {
	store := s.connections()
	c, err := store.ForCompany(ctx, companyID)
	if err == nil {
		err = store.Works(ctx, c)
	}
	for _, not := range []error{connections.ErrNotFound, connections.ErrDisconnected, connections.ErrEnded, tokens.ErrReauthorize, tokens.ErrRevoked} {
		if errors.Is(err, not) {
			return false, nil
		}
	}
	if errors.Is(err, connections.ErrPaused) || errors.Is(err, tokens.ErrTryAgain) {
		err = nil // it passes
	}
	return err == nil, err
}

// connections returns the app's connections. Its grants can be read and ended, not used: it lacks their keys.
func (s *Stack) connections() *connections.Store {
	environment := procore.Environment{Name: s.environment()["PROCORE_ENVIRONMENT"]}
	return &connections.Store{
		DB: s.db, Table: names.Connections,
		Tokens: &tokens.Store{
			DB: s.db, Grants: names.Grants, Spends: names.Spends, Environment: environment,
			Log: slog.New(slog.DiscardHandler),
		},
	}
}

// choose clicks through the pages as the company's first member.
func (s *Stack) choose(ctx context.Context, company procoretest.Company) error {
	if len(company.Members) == 0 {
		return errors.New("it has no members; an app with a service account can be installed there: -principal service-account")
	}
	var login string
	for _, u := range s.Procore.State().Users {
		if u.ID == company.Members[0] {
			login = u.Name
		}
	}
	b := browsertest.New()
	b.Open(ctx, s.AppURL+"/")
	b.Click(ctx, "Connect to Procore")
	b.Choose(login)
	b.Click(ctx, "Authorize")
	b.Choose(company.Name)
	b.Click(ctx, "Connect this company")
	if err := b.Err(); err != nil {
		return err
	}
	if b.Status != http.StatusOK || b.URL.Path != "/connected" {
		return fmt.Errorf("the app shows: %s", b.Text())
	}
	return nil
}
