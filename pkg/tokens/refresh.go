package tokens

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
)

// A refresh in flight: what was claimed, and what is needed to spend and store.
type refresh struct {
	*Store
	principal Principal
	pair      procore.Token // the one to be replaced
	ring      *keys.Ring
	oauth     *procore.OAuth
	ledger    ledger    // for the pair's refresh token
	end       time.Time // of all the work, by the store's clock
	claimed   Grant
	demand    demand
	trial     bool                 // the breaker was under suspicion
	conn      *procore.RefreshConn // nil for a service account
}

// refresh connects, claims, spends and stores. Everything that it needs is secured before
// the token is sent. Once it has begun it goes on, whether or not a caller still waits
// for it. again asks to read the row again.
func (s *Store) refresh(ctx context.Context, g Grant, pair procore.Token, ring *keys.Ring, d demand) (a Access, again bool, err error) {
	oauth, err := s.OAuth.Get(ctx)
	if err != nil {
		return Access{}, false, later(g.Principal, "the app's credentials could not be read", err)
	}
	if g.Principal != App && g.client != ClientHash(oauth.ClientID) {
		return Access{}, true, nil // they have just changed
	}
	left := timeLeft(ctx)
	if left < minWork || ctx.Err() != nil {
		return Access{}, false, later(g.Principal, "too little time is left to refresh", ctx.Err())
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), left) // its callers may leave
	defer cancel()
	r := &refresh{
		Store: s, principal: g.Principal, pair: pair, ring: ring, oauth: oauth, ledger: s.ledger(g.Principal, ring, pair.RefreshToken),
		end: s.Clock.Now().Add(left), demand: d,
	}
	if r.trial, err = s.admit(ctx, g.Principal); err != nil {
		return Access{}, false, err
	}
	if err := r.connect(ctx); err != nil {
		r.unspent(ctx)
		return Access{}, false, err
	}
	if r.conn != nil {
		defer r.conn.Close()
	}
	if taken, again, err := r.takeClaim(ctx, g); !taken {
		r.unspent(ctx)
		return Access{}, again, err
	}
	fresh, err := r.spend(ctx)
	if err != nil {
		again, err = r.settle(ctx, err)
		return Access{}, again, err
	}
	return r.store(ctx, fresh)
}

// timeLeft returns how much of the time for a refresh the context leaves.
func timeLeft(ctx context.Context) time.Duration {
	if left, ok := procore.TimeLeft(ctx); ok {
		return min(left, maxWork)
	}
	return maxWork
}

// beforeStore is the time of the steps before the store: however slow they are, the new
// pair finds the time that is kept for it.
func (r *refresh) beforeStore(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, r.end.Sub(r.Clock.Now())-storeTime-rescueTime)
}

// connect opens the connection to the token endpoint before anything is claimed:
// what is claimed when its process dies costs a user a new authorization. A service
// account spends nothing, and a thousand processes need not shake hands for it.
func (r *refresh) connect(ctx context.Context) (err error) {
	if r.principal == App {
		return nil
	}
	if err := r.reach.wait(r.Clock.Now()); err != nil {
		return later(r.principal, "Procore's token endpoint could not be reached; nothing was spent", err)
	}
	ctx, cancel := r.beforeStore(ctx)
	defer cancel()
	r.conn, err = r.oauth.Connect(ctx)
	if r.reach.learn(err, r.Clock.Now()); err != nil {
		return later(r.principal, "Procore's token endpoint cannot be reached; nothing was spent", err)
	}
	return nil
}

// takeClaim claims the grant, and reports whether it was taken.
func (r *refresh) takeClaim(ctx context.Context, g Grant) (taken, again bool, err error) {
	inTime, cancel := r.beforeStore(ctx)
	defer cancel()
	var result claimResult
	r.claimed, result, err = r.claim(inTime, g, r.ledger, r.end.Add(skew))
	switch result {
	case claimTaken:
		return true, false, nil
	case claimLost:
		return false, true, err
	case claimStray:
		r.releaseClaim(ctx)
		return false, true, err
	case claimUnread:
		r.releaseClaim(ctx)
		return false, false, later(g.Principal, "whether storage has the claim is not known; nothing was spent", err)
	case tokenSpent:
		again, err = r.unrefreshable(ctx, g, sentBefore)
		return false, again, err
	}
	return false, false, later(g.Principal, "the grant could not be claimed; nothing was spent", err)
}

// spend sends the one request. A service account has nothing to spend.
func (r *refresh) spend(ctx context.Context) (procore.Token, error) {
	ctx, cancel := r.beforeStore(ctx)
	defer cancel()
	if r.principal == App {
		return r.oauth.ClientCredentials(ctx)
	}
	return r.conn.Refresh(ctx, r.pair.RefreshToken, r.claimed.RedirectURI, r.end.Add(-storeTime-rescueTime-answerTime))
}

// store writes the new pair as the next generation. No other process
// has that pair, so it tries until the time is over, and then the rescue queue.
func (r *refresh) store(ctx context.Context, fresh procore.Token) (a Access, again bool, err error) {
	home := homecoming{claimed: r.claimed, pair: fresh, fingerprint: r.ring.Fingerprint(fresh.RefreshToken)}
	home.claimed.client = ClientHash(r.oauth.ClientID) // the app's grant may be of an earlier one
	if home.sealed, err = r.ring.Seal(fresh, r.place(home.claimed, home.claimed.Generation+1)); err != nil {
		return Access{}, false, later(r.principal, "the new pair could not be sealed", err)
	}
	write, cancel := context.WithTimeout(ctx, timeLeft(ctx)-rescueTime)
	defer cancel()
	g, err := r.applyUntil(write, r.claimed, func(g Grant) (Grant, bool) {
		g, ok := g.renewed(home, r.Clock.Now())
		return g.used(r.demand, r.Clock.Now()), ok
	})
	switch {
	case err != nil:
		return Access{}, false, r.rescue(ctx, home, err)
	case g.lastAttempt != r.claimed.attempt:
		if err := r.superseded(write, g, home); err != nil {
			return Access{}, false, r.rescue(ctx, home, err)
		}
		return Access{}, true, nil
	}
	if r.principal != App {
		r.report(ctx, success, "")
	}
	r.log().InfoContext(ctx, "token refreshed", attr(r.principal), slog.String("outcome", "refreshed"), slog.Int64("generation", g.Generation))
	if g.State != Active {
		return Access{}, true, nil
	}
	return r.remember(ctx, g, g.access(fresh), r.demand), false, nil
}

// renewed returns the row with the new pair, unless the row is no longer of the claim's
// generation or attempt. The state becomes active only from
// active, uncertain, or what this very attempt had caused.
func (g Grant) renewed(home homecoming, now time.Time) (Grant, bool) {
	if g.Generation != home.claimed.Generation || g.attempt != home.claimed.attempt {
		return g, false
	}
	g.Generation++
	g.pair, g.fingerprint, g.client = home.sealed, home.fingerprint, home.claimed.client
	g.Expiry, g.IssuedAt, g.RefreshedAt = home.pair.Expiry, home.pair.IssuedAt, now
	g.lastAttempt, g.attempt, g.claimUntil = g.attempt, "", time.Time{}
	if g.State == Uncertain || g.State == Reauthorize && g.stateAttempt == g.lastAttempt {
		g = g.enter(Active, g.lastAttempt, "refreshed late", "", now)
	}
	return g, true
}

// settle ends a claim whose request brought no pair, by what is known of the token, and
// returns the caller's error.
func (r *refresh) settle(ctx context.Context, cause error) (again bool, err error) {
	e, ok := errors.AsType[*procore.TokenError](cause)
	if !ok {
		e = &procore.TokenError{Err: cause}
	}
	level, outcome, refusal := slog.LevelWarn, e.Outcome.String(), "Procore refused the refresh token"
	expected := e.Outcome == procore.Refused && r.oauth.Environment.Overwritten(r.claimed.RefreshedAt, r.Clock.Now())
	if expected {
		level, outcome, refusal = slog.LevelInfo, "overwritten", overwritten
	}
	r.log().Log(ctx, level, "refresh failed", attr(r.principal), slog.String("outcome", outcome), slog.Any("error", e))
	if e.Outcome == procore.NotSent || r.principal == App {
		return false, r.endUnspent(ctx, e)
	}
	g, err := r.applyUntil(ctx, r.claimed, func(g Grant) (Grant, bool) {
		return g.failed(r.claimed, e, refusal, r.Clock.Now())
	})
	r.judge(ctx, e)
	switch {
	case err != nil:
		return false, later(r.principal, "the outcome of a refresh could not be stored", err)
	case g.Generation != r.claimed.Generation || g.Usable():
		return true, e // a newer pair, another row, or an access token that may be valid
	}
	unusable := g.unusable()
	unusable.Err = e
	return false, unusable
}

// endUnspent ends a claim under which nothing was spent.
func (r *refresh) endUnspent(ctx context.Context, e *procore.TokenError) error {
	r.releaseClaim(ctx)
	r.unspent(ctx)
	if e.InvalidClient() {
		_, _ = r.OAuth.Reread(ctx) // the next attempt uses credentials that may be newer
	}
	return later(r.principal, "Procore gave no token; nothing was spent", e)
}

// releaseClaim releases the claim. Should that fail, it expires, and the grant becomes
// uncertain.
func (r *refresh) releaseClaim(ctx context.Context) {
	if err := r.release(ctx, r.claimed, r.ledger); err != nil {
		r.log().WarnContext(ctx, "claim not released", attr(r.principal), slog.Any("error", err))
	}
}

// unspent gives the breaker's trial back.
func (r *refresh) unspent(ctx context.Context) {
	if r.trial {
		r.report(ctx, unspent, "")
	}
}

// judge reports to the breaker what a refresh token's request showed of the endpoint: a
// refusal is about the token alone.
func (r *refresh) judge(ctx context.Context, e *procore.TokenError) {
	switch {
	case e.InvalidClient():
		_, _ = r.OAuth.Reread(ctx) // the next refresh uses credentials that may be newer
		r.report(ctx, invalidClient, "Procore refuses the app's client id and secret")
	case e.Outcome == procore.Refused:
		r.unspent(ctx)
	default:
		r.report(ctx, unknown, "Procore's token endpoint returns no usable answers: "+e.Error())
	}
}

// overwritten is why grants of the monthly sandbox end.
const overwritten = "the monthly sandbox was overwritten from production"

// noAnswer is why a grant is uncertain whose refresh token was sent.
const noAnswer = "Procore's answer to a refresh is not known"

// failed is the row after a request that was sent and gave no pair; refusal is
// the reason if Procore refused it.
func (g Grant) failed(claimed Grant, e *procore.TokenError, refusal string, now time.Time) (Grant, bool) {
	if g.Generation != claimed.Generation || g.attempt != claimed.attempt {
		return g, false
	}
	switch {
	case !g.Usable():
		open := g.claimed()
		g.claimUntil = time.Time{}
		return g, open
	case e.Outcome == procore.Refused:
		g.claimUntil = time.Time{}
		return g.enter(Reauthorize, g.attempt, refusal, e.RequestID, now), true
	case !g.claimed(): // a reader whose clock is ahead has ended it
		return g, false
	}
	return g.doubt(g.attempt, noAnswer, e.RequestID, now), true
}

// olderThanTheLedger is why a grant ends whose pair is older than what the ledger
// remembers.
const olderThanTheLedger = "its pair is older than the ledger's memory, as of a row from an old backup"

// noSuccessor is the reason when a pair without a refresh token can no longer be used.
const noSuccessor = "Procore issued an access token without a refresh token"

// sentBefore is why a grant ends whose refresh token the ledger knows.
const sentBefore = "this refresh token is in the ledger: it was sent before, or may have been, by the holder of a copied, restored or overtaken row"
