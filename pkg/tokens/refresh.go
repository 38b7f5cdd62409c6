package tokens

import (
	"context"
	"errors"
	"fmt"
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
	end       time.Time // of all the work, by the store's clock
	claimed   Grant
	demand    demand
	trial     bool                 // the breaker was under suspicion
	conn      *procore.RefreshConn // nil for a service account
}

// refresh connects, claims, spends and stores. Everything that it needs is secured before
// the token is sent. errNotYet asks to read the row again. Once it has begun it goes on,
// whether or not a caller still waits for it.
func (s *Store) refresh(ctx context.Context, g Grant, pair procore.Token, ring *keys.Ring, d demand) (Access, error) {
	oauth, err := s.OAuth.Get(ctx)
	if err != nil {
		return Access{}, later(g.Principal, "the app's credentials could not be read", err)
	}
	if g.Principal != App && g.client != ClientHash(oauth.ClientID) {
		return Access{}, errNotYet // they have just changed
	}
	left := maxWork
	if until, ok := procore.TimeLeft(ctx); ok {
		left = min(left, until)
	}
	if left < minWork || ctx.Err() != nil {
		return Access{}, later(g.Principal, "too little time is left to refresh", ctx.Err())
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	r := &refresh{Store: s, principal: g.Principal, pair: pair, ring: ring, oauth: oauth, end: s.Clock.Now().Add(left), demand: d}
	if r.trial, err = s.admit(ctx, g.Principal); err != nil {
		return Access{}, err
	}
	if err := r.connect(ctx); err != nil {
		r.unspent(ctx)
		return Access{}, err
	}
	defer r.close()
	if err := r.takeClaim(ctx, g); err != nil {
		r.unspent(ctx)
		return Access{}, err
	}
	fresh, err := r.spend(ctx)
	if err != nil {
		return Access{}, r.settle(ctx, err)
	}
	return r.store(ctx, fresh)
}

// detached is the context without its callers, and with its deadline.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(context.WithoutCancel(ctx))
	}
	return context.WithDeadline(context.WithoutCancel(ctx), end)
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

func (r *refresh) close() {
	if r.conn != nil {
		r.conn.Close()
	}
}

// ledger of the refresh token that is sent. A service account sends none.
func (r *refresh) ledger() ledger {
	if r.principal == App {
		return ledger{}
	}
	return r.Store.ledger(r.principal, r.ring, r.pair.RefreshToken)
}

// takeClaim claims the grant.
func (r *refresh) takeClaim(ctx context.Context, g Grant) (err error) {
	inTime, cancel := r.beforeStore(ctx)
	defer cancel()
	r.claimed, err = r.claim(inTime, g, r.ledger(), r.end.Add(skew))
	switch {
	case errors.Is(err, errNotReadBack):
		r.releaseClaim(ctx)
		return later(g.Principal, "storage does not tell whether the grant is claimed; nothing was spent", err)
	case errors.Is(err, errEnded):
		r.releaseClaim(ctx)
		return errNotYet
	case errors.Is(err, errSpentBefore):
		return r.unrefreshable(ctx, g, sentBefore)
	case errors.Is(err, errNotClaimed), again(err):
		return fmt.Errorf("%w: %w", errNotYet, err)
	case err != nil:
		return later(g.Principal, "the grant could not be claimed; nothing was spent", err)
	}
	return nil
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

// store writes the new pair as the next generation. It holds what nobody else
// has, so it tries until the time is over, and then the rescue queue.
func (r *refresh) store(ctx context.Context, fresh procore.Token) (Access, error) {
	home := homecoming{claimed: r.claimed, pair: fresh, fingerprint: r.ring.Fingerprint(fresh.RefreshToken)}
	home.claimed.client = ClientHash(r.oauth.ClientID) // the app's grant may be of an earlier one
	var err error
	if home.sealed, err = r.ring.Seal(fresh, r.homePlace(home.claimed)); err != nil {
		return Access{}, later(r.principal, "the new pair could not be sealed", err)
	}
	write, cancel := beforeEnd(ctx, rescueTime)
	defer cancel()
	g, err := r.applyUntil(write, r.claimed, func(g Grant) (Grant, bool) {
		g, ok := g.renewed(home, r.Clock.Now())
		return g.used(r.demand, r.Clock.Now()), ok
	})
	switch {
	case err != nil:
		return Access{}, r.queueForRescue(ctx, home, err)
	case g.lastAttempt != r.claimed.attempt:
		if err := r.superseded(write, g, home); err != nil {
			return Access{}, r.queueForRescue(ctx, home, err)
		}
		return Access{}, errNotYet
	}
	if r.principal != App {
		r.tell(ctx, success, "")
	}
	r.log().InfoContext(ctx, "token refreshed", attr(r.principal), slog.String("outcome", "refreshed"), slog.Int64("generation", g.Generation))
	if g.State != Active {
		return Access{}, errNotYet
	}
	return r.remember(ctx, g, g.access(fresh), r.demand), nil
}

// queueForRescue hands the pair to the rescue queue. The app's token is fetched again.
func (r *refresh) queueForRescue(ctx context.Context, home homecoming, cause error) error {
	if r.principal == App {
		return later(r.principal, "the app's token could not be stored", cause)
	}
	err := r.rescue(ctx, home)
	if err != nil {
		r.log().ErrorContext(ctx, "new pair lost", attr(r.principal), slog.Any("error", errors.Join(cause, err)))
		return &Error{Principal: r.principal, Decision: ErrReauthorize, Reason: "the new pair could be neither stored nor rescued", Err: cause}
	}
	r.log().WarnContext(ctx, "new pair queued for rescue", attr(r.principal), slog.Any("error", cause))
	return later(r.principal, "the new pair waits to be stored", cause)
}

// renewed is the row with a pair that came home, unless the row has left the
// claim's generation or attempt behind. The state becomes active only from
// active, uncertain, or what this very attempt had caused.
func (g Grant) renewed(home homecoming, now time.Time) (Grant, bool) {
	if g.Generation != home.claimed.Generation || g.attempt != home.claimed.attempt {
		return g, false
	}
	g.Generation++
	g.pair, g.fingerprint, g.client = home.sealed, home.fingerprint, home.claimed.client
	g.Expiry, g.IssuedAt, g.RefreshedAt = home.pair.Expiry, home.pair.IssuedAt, now
	g.lastAttempt, g.attempt, g.claimUntil = g.attempt, "", time.Time{}
	switch {
	case g.State == Active:
		g = g.enter(Active, g.lastAttempt, "refreshed", "", now)
	case g.State == Uncertain, g.State == Reauthorize && g.stateAttempt == g.lastAttempt:
		g = g.enter(Active, g.lastAttempt, "refreshed late", "", now)
	}
	return g, true
}

// settle ends a claim whose request gave no pair, by what is known of the
// token, and gives the caller's error.
func (r *refresh) settle(ctx context.Context, cause error) error {
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
		return r.endUnspent(ctx, e)
	}
	g, err := r.applyUntil(ctx, r.claimed, func(g Grant) (Grant, bool) {
		return g.failed(r.claimed, e, refusal, r.Clock.Now())
	})
	r.report(ctx, e)
	switch {
	case err != nil:
		return later(r.principal, "the outcome of a refresh could not be stored", err)
	case g.Generation != r.claimed.Generation || g.Usable():
		return errNotYet // a newer pair, another row, or an access token that may be valid
	}
	unusable := g.unusable()
	unusable.Err = e
	return unusable
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
	if err := r.release(ctx, r.claimed, r.ledger()); err != nil {
		r.log().WarnContext(ctx, "claim not released", attr(r.principal), slog.Any("error", err))
	}
}

// unspent gives the breaker's trial back.
func (r *refresh) unspent(ctx context.Context) {
	if r.trial {
		r.tell(ctx, unspent, "")
	}
}

// report tells the breaker what a refresh token's request says of the endpoint: a
// refusal is about the token alone.
func (r *refresh) report(ctx context.Context, e *procore.TokenError) {
	switch {
	case e.InvalidClient():
		_, _ = r.OAuth.Reread(ctx) // the next refresh uses credentials that may be newer
		r.tell(ctx, invalidClient, "Procore refuses the app's client id and secret")
	case e.Outcome == procore.Refused:
		r.unspent(ctx)
	default:
		r.tell(ctx, unknown, "Procore's token endpoint returns no usable answers: "+e.Error())
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

// beforeEnd is the context with its deadline moved forward.
func beforeEnd(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if end, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, end.Add(-d))
	}
	return context.WithCancel(ctx)
}
