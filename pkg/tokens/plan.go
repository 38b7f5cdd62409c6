package tokens

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"procore-connect/internal/platform/dynamo"
)

// Plan is what a refresh would do.
type Plan struct {
	Grant  Grant
	Send   bool   // the refresh token would be sent; for the app, a new token would be fetched
	Reason string // why it would, or would not
}

// Plan returns whether [Upkeep.Refresh] would send the grant's refresh token now, and why. It decides as the refresh does,
// and neither sends nor writes anything. The grant may change at any time after. The error is that of a reading: try
// again later.
func (u Upkeep) Plan(ctx context.Context, p Principal, within time.Duration) (Plan, error) {
	s := u.s
	g, err := s.Grant(ctx, p)
	if p == App && errors.Is(err, ErrNotFound) {
		g, err = Grant{Principal: App, State: Active}, nil
	}
	if err != nil {
		return Plan{}, err
	}
	plan := Plan{Grant: g}
	if !g.Usable() {
		plan.Reason = told(g.unusable(), p)
		return plan, nil
	}
	pair, ring, err := s.open(ctx, g)
	if err != nil {
		plan.Reason = told(err, p) // such as another app's credentials
		return plan, nil
	}
	v := s.view(g, pair)
	do, err := v.decide(demand{within: within})
	if do != send {
		plan.Reason = v.unsent(do, err, within)
		return plan, nil
	}
	b, err := u.Breaker(ctx)
	if err != nil {
		return Plan{}, err
	}
	if _, err := b.admits(p); err != nil {
		plan.Reason = told(err, p)
		return plan, nil
	}
	before, err := s.ledger(p, ring, pair.RefreshToken).entered(ctx, s)
	switch {
	case err != nil:
		return Plan{}, later(p, "the ledger could not be read", err)
	case before:
		plan.Reason = sentBefore + "; the user has to authorize again"
		return plan, nil
	}
	plan.Send, plan.Reason = true, v.sent()
	return plan, nil
}

// unsent is why a refresh token is not sent, for a person.
func (v view) unsent(do step, cause error, within time.Duration) string {
	until, doubt := utc(v.pair.Expiry), "whether the last refresh succeeded is not known"
	switch {
	case do == serve:
		from := v.pair.Expiry.Add(-max(within, v.early()))
		return fmt.Sprintf("its access token is valid until %s, and is refreshed from %s on", until, utc(from))
	case v.claimed() && v.now.After(v.claimUntil):
		return "the process that had claimed it ended without an answer; the next one that reads the grant makes it uncertain"
	case v.claimed():
		return "another process is at work on it, until " + utc(v.claimUntil) + " at most"
	case do == endDoubt:
		return fmt.Sprintf("%s; the user has to authorize again after %s unless a late answer arrives before", doubt, utc(v.ReasonAt.Add(uncertainFor)))
	case v.State == Uncertain:
		return doubt + ", and the token is not sent twice; its access token is valid until " + until
	case do == end:
		return cause.Error() + "; the user has to authorize again"
	case do == refuse:
		return told(cause, v.Principal)
	case v.pair.RefreshToken.IsZero():
		return noSuccessor + "; the access token is valid until " + until
	}
	return "it was refreshed less than a minute ago; its access token is valid until " + until
}

// sent is why a refresh token is sent, for a person.
func (v view) sent() string {
	switch {
	case v.Generation == 0:
		return "there is no access token yet"
	case v.living:
		return "its access token is valid until " + utc(v.pair.Expiry)
	}
	return "its access token expired at " + utc(v.pair.Expiry)
}

// told is an error about a grant whose name stands before it.
func told(err error, p Principal) string {
	return strings.TrimPrefix(err.Error(), "tokens: "+string(p)+": ")
}

func utc(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// entered reports whether the token was sent before, or is being sent.
func (l ledger) entered(ctx context.Context, s *Store) (bool, error) {
	for _, f := range l.fingerprints {
		if row, err := dynamo.Get(ctx, s.DB, l.table, spendsKey(f)); err != nil || len(row) > 0 {
			return len(row) > 0, err
		}
	}
	return false, nil
}
