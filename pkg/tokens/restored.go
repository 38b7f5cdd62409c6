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

// Restored ends the usable grants of all users, because their rows were copied or restored from a backup: their refresh
// tokens may have been spent since, or will be by another process. The users have to authorize again. It returns how
// many it ended. After an error call it again.
//
// It is called before any process uses the copy, whose ledger may lack what was spent. The rescue queue and the sessions
// must have no pair from before.
func (u Upkeep) Restored(ctx context.Context) (ended int, err error) {
	for p, err := range u.users(ctx) {
		if err != nil {
			return ended, err
		}
		was, err := u.s.Grant(ctx, p)
		if errors.Is(err, ErrNotFound) || err == nil && !was.Usable() {
			continue
		}
		if err == nil {
			err = u.endRestored(ctx, was)
		}
		if err != nil {
			return ended, err
		}
		ended++
	}
	return ended, nil
}

// endRestored ends a grant whatever attempt has its claim: an answer that arrives for that one does not revive it.
func (u Upkeep) endRestored(ctx context.Context, g Grant) (err error) {
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
			return g.enter(Reauthorize, "", restored, "", now), true
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
		for p, err := range dynamo.Scan(ctx, u.s.DB, "tokens: listing all grants", u.s.Grants, u.s.readPrincipal) {
			if err == nil && !p.isUser() {
				continue // the app's, and the breaker
			}
			if !yield(p, err) {
				return
			}
		}
	}
}
