// Package choice lists the companies of a user who has authorized the app, and makes the first call into the one that the
// user chose. Until then it calls /companies alone, because any other call would install the app.
//
// https://developers.procore.com/documentation/api-call-sequencing
package choice

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"time"

	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

const (
	// listTimeout bounds the list of the user's companies, which Procore may send in many pages.
	listTimeout = 20 * time.Second
	// callTimeout bounds the call to Procore that verifies the choice.
	callTimeout = 15 * time.Second
	// maxCompanies bounds the list of a user's companies.
	maxCompanies = 2000
)

// ErrProcore marks the errors of calls to Procore that list companies. All other errors of a list are storage's.
var ErrProcore = errors.New("the user's companies could not be read")

// ErrSignedOut means that Procore no longer accepts the user's token: the user signs in again.
var ErrSignedOut = errors.New("choice: Procore does not accept the user's token")

// List is what Procore lists for a user who authorized.
type List struct {
	Companies []procore.Company
	More      bool  // there are more than 2,000
	Cut       error // why the list ends before its end; it is an ErrProcore
}

// Company returns one of the user's companies, and reports whether Procore listed it.
func (l List) Company(id int64) (procore.Company, bool) {
	for _, c := range l.Companies {
		if c.ID == id {
			return c, true
		}
	}
	return procore.Company{}, false
}

// has reports whether Procore listed all of the companies. An id of 0 stands for none.
func (l List) has(ids []int64) bool {
	return !slices.ContainsFunc(ids, func(id int64) bool {
		_, listed := l.Company(id)
		return id != 0 && !listed
	})
}

// Chooser calls Procore for a user who chooses.
type Chooser struct {
	Tokens      *tokens.Store
	Connections *connections.Store
}

// Companies lists the user's companies. If Procore fails in the middle, or is too slow, the companies that came are listed.
func (c Chooser) Companies(ctx context.Context, p tokens.Principal) (List, error) {
	return c.list(ctx, p, 0, nil)
}

// Find reads the list until it has the companies that are wanted. What is listed around the position is read first, if it
// is not 0, because a page listed the company there a moment ago. That spares reading the whole list, and decides nothing.
func (c Chooser) Find(ctx context.Context, p tokens.Principal, position int, wanted ...int64) (List, error) {
	return c.list(ctx, p, position, wanted)
}

func (c Chooser) list(ctx context.Context, p tokens.Principal, position int, wanted []int64) (l List, err error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	err = c.as(ctx, p, func(hc *http.Client) (err error) {
		user := procore.NewUserClient(c.Tokens.Environment, hc, c.Tokens.Options("", procore.WithReadAhead(maxCompanies))...)
		if 0 < position && position < maxCompanies {
			near, err := user.CompaniesNear(ctx, position)
			if l = (List{Companies: near}); err == nil && l.has(wanted) {
				return nil
			}
			if errors.Is(err, procore.ErrUnauthorized) {
				return fmt.Errorf("%w: %w", ErrProcore, err)
			}
		}
		l, err = companies(user.Companies(ctx), wanted)
		return err
	})
	return l, err
}

func companies(all iter.Seq2[procore.Company, error], wanted []int64) (l List, err error) {
	for c, err := range all {
		if err != nil {
			err = fmt.Errorf("%w: %w", ErrProcore, err)
			if len(l.Companies) == 0 || errors.Is(err, procore.ErrUnauthorized) {
				return List{}, err
			}
			l.Cut = err
			break
		}
		if l.More = len(l.Companies) == maxCompanies; l.More {
			break
		}
		l.Companies = append(l.Companies, c)
		if slices.Contains(wanted, c.ID) && l.has(wanted) {
			break
		}
	}
	return l, nil
}

// Enter makes the first call into the company, which installs the app there. Its error is the reason if Procore refuses,
// one of package tokens, or ErrSignedOut. A company without the app may answer 401, as Procore does to a token that was
// revoked a moment ago: /me tells them apart.
func (c Chooser) Enter(ctx context.Context, key connections.Key) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := c.as(ctx, key.Principal, func(hc *http.Client) error {
		return procore.NewCompanyClient(c.Tokens.Environment, hc, key.CompanyID, c.Connections.Options(key)...).Enter(ctx)
	})
	if !errors.Is(err, procore.ErrUnauthorized) {
		return err
	}
	me := c.as(ctx, key.Principal, func(hc *http.Client) error {
		_, err := procore.NewUserClient(c.Tokens.Environment, hc, c.Tokens.Options("")...).Me(ctx)
		return err
	})
	if errors.Is(me, procore.ErrUnauthorized) {
		return fmt.Errorf("%w: %w", ErrSignedOut, me)
	}
	return cmp.Or(me, err)
}

// as calls Procore with the token that the user's grant has. After a 401 it reads the grant once more, because a refresh,
// or another authorization, may have replaced the token. It refreshes nothing: an access token is valid for longer than
// the choice may take.
func (c Chooser) as(ctx context.Context, p tokens.Principal, call func(*http.Client) error) error {
	access, err := c.Tokens.Current(ctx, p)
	if err != nil {
		return err
	}
	err = call(c.Tokens.Bearer(access.Bearer()))
	if !errors.Is(err, procore.ErrUnauthorized) {
		return err
	}
	newer, e := c.Tokens.Current(ctx, p)
	if e != nil || newer.Generation == access.Generation {
		return cmp.Or(e, err)
	}
	return call(c.Tokens.Bearer(newer.Bearer()))
}
