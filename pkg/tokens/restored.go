package tokens

import (
	"context"
	"errors"
	"iter"
	"time"

	"procore-connect/internal/platform/dynamo"
)

// restored is why the grants of a copied or restored table end.
const restored = "the table was copied, or restored from a backup, so its refresh token may be spent"

// maxUnended bounds the errors of one call of Restored.
const maxUnended = 5

// Restored ends the usable grants of all users, because their rows were copied or restored from a backup: their refresh
// tokens may have been spent since, or will be by another process. The users have to authorize again. by is who says so,
// for the reason of each; empty: no person. It returns how many it ended. A row that cannot be read or written does not keep
// the others from ending, and is an error: call it again.
//
// It is called before any process uses the copy, whose ledger may lack what was spent. The rescue queue and the sessions
// must have no pair from before.
func (u Upkeep) Restored(ctx context.Context, by string) (ended int, err error) {
	reason := restored
	if by != "" {
		reason += "; " + by
	}
	var unended []error
	for p, err := range u.users(ctx) {
		var was Grant
		if err == nil {
			was, err = u.s.Grant(ctx, p)
		}
		if errors.Is(err, ErrNotFound) || err == nil && !was.Usable() {
			continue
		}
		if err == nil {
			err = u.endRestored(ctx, was, reason)
		}
		switch {
		case err == nil:
			ended++
		case ctx.Err() != nil:
			return ended, err
		case len(unended) < maxUnended:
			unended = append(unended, err)
		}
	}
	return ended, errors.Join(unended...)
}

// endRestored ends a grant whatever attempt has its claim: an answer that arrives for that one does not revive it.
func (u Upkeep) endRestored(ctx context.Context, g Grant, reason string) (err error) {
	defer u.s.memory.forget(g.Principal)
	for g.Usable() {
		g, err = u.s.apply(ctx, g, func(g Grant) (Grant, bool) {
			now := u.s.Clock.Now()
			switch {
			case !g.Usable():
				return g, false
			case g.claimed() && g.revokes(): // whether it has revoked the pair is not known
				return g.doubt(g.attempt, notRevoked, "", now), true
			}
			g.claimUntil = time.Time{}
			return g.enter(Reauthorize, "", reason, "", now), true
		})
		if err != nil {
			return later(g.Principal, "the grant could not be stored", err)
		}
	}
	return nil
}

// users returns the users that have a row, strongly consistent.
func (u Upkeep) users(ctx context.Context) iter.Seq2[Principal, error] {
	return func(yield func(Principal, error) bool) {
		const other Principal = "of another environment"
		read := func(p *Principal, item dynamo.Item) error {
			if *p = other; !u.s.owns(item) {
				return nil
			}
			return u.s.readPrincipal(p, item)
		}
		for p, err := range dynamo.Scan(ctx, u.s.DB, "tokens: listing all grants", u.s.Grants, read) {
			if err == nil && !p.isUser() {
				continue // the app's, and the breaker
			}
			if !yield(p, err) {
				return
			}
		}
	}
}
