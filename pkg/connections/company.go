package connections

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"procore-connect/pkg/tokens"
)

// enough is how many connected users of a company are considered for its work.
const enough = 100

// ForCompany returns the connection that serves a company's work: the service account's,
// else that of the user who connected last and whose grant works. Without one, the error
// is that of the connection nearest to working, or matches ErrNotFound.
func (s *Store) ForCompany(ctx context.Context, companyID int64) (Connection, error) {
	all, unread := s.candidates(ctx, companyID)
	slices.SortStableFunc(all, func(a, b Connection) int {
		switch {
		case a.serves(b):
			return -1
		case b.serves(a):
			return 1
		}
		return 0
	})
	var first error
	for _, c := range all {
		err := s.Works(ctx, c)
		if err == nil {
			return c, nil
		}
		first = cmp.Or(first, err)
	}
	return Connection{}, cmp.Or(unread, first, error(&Error{Key: Key{CompanyID: companyID}, Decision: ErrNotFound}))
}

// candidates returns connections of the company, with the service account's first. A row
// that cannot be read does not fail the others.
func (s *Store) candidates(ctx context.Context, companyID int64) (all []Connection, unread error) {
	n := 0
	for c, err := range s.Company(ctx, companyID) {
		if err != nil {
			unread = err
			continue
		}
		all = append(all, c)
		if c.State == Connected {
			n++
		}
		if n == enough || c.Principal == tokens.App && c.State == Connected {
			break
		}
	}
	return all, unread
}

// Works returns nil if the connection serves calls, and else the error that a call would
// return: its own or that of its grant.
func (s *Store) Works(ctx context.Context, c Connection) error {
	if err := c.unusable(s.now()); err != nil {
		return err
	}
	if c.Principal == tokens.App {
		return nil
	}
	g, err := s.Tokens.Grant(ctx, c.Principal)
	switch {
	case errors.Is(err, tokens.ErrNotFound):
		return &Error{Key: c.Key, Decision: tokens.ErrReauthorize}
	case err != nil:
		return &Error{Key: c.Key, Decision: err}
	case !g.HeldBy(c.holder()):
		return &Error{Key: c.Key, Decision: tokens.ErrReauthorize, Reason: notHeld}
	}
	if err := g.Err(); err != nil {
		return &Error{Key: c.Key, Decision: err}
	}
	return nil
}
