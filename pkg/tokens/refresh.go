package tokens

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"procore-connect/pkg/procore"
)

// A refresh in flight: what was claimed, and what is needed to spend and store.
type refresh struct {
	*Store
	key     Key
	pair    procore.Token // the one to be replaced
	keys    *Keys
	oauth   *procore.OAuth
	end     time.Time // of all the work, by the store's clock
	claimed Connection
	demand  demand
	trial   bool                 // the breaker was under suspicion
	conn    *procore.RefreshConn // nil for a service account
}

// refresh claims, spends and stores. Everything that it needs is secured
// before the token is sent. errNotYet asks to read the row again.
func (s *Store) refresh(ctx context.Context, c Connection, pair procore.Token, keys *Keys, d demand) (Access, error) {
	oauth, err := s.OAuth.Get(ctx)
	if err != nil {
		return Access{}, later(c.Key, "the app's credentials could not be read", err)
	}
	if c.Environment != oauth.Environment.Name && c.Principal != App {
		return Access{}, later(c.Key, fmt.Sprintf("it was authorized in Procore's environment %q, and PROCORE_ENVIRONMENT is %q; nothing was sent",
			c.Environment, oauth.Environment.Name), nil)
	}
	left := maxWork
	if until, ok := procore.TimeLeft(ctx); ok {
		left = min(left, until)
	}
	if left < minWork {
		return Access{}, later(c.Key, "too little time is left to refresh", nil)
	}
	r := &refresh{Store: s, key: c.Key, pair: pair, keys: keys, oauth: oauth, end: s.Clock.Now().Add(left), demand: d}
	// However slow the claim is, the new pair finds the time that is kept for it.
	inTime, cancel := context.WithTimeout(ctx, left-storeTime-rescueTime)
	defer cancel()
	if r.trial, err = s.admit(ctx, c.Key); err != nil {
		return Access{}, err
	}
	if err := r.connect(inTime); err != nil {
		r.unspent(ctx)
		return Access{}, err
	}
	defer r.close()
	if err := r.takeClaim(ctx, inTime, c); err != nil {
		r.unspent(ctx)
		return Access{}, err
	}
	fresh, err := r.spend(inTime)
	if err != nil {
		return Access{}, r.settle(ctx, err)
	}
	return r.store(ctx, fresh)
}

// connect opens the connection to the token endpoint before anything is claimed:
// what is claimed when its process dies costs a user a new authorization. A service
// account spends nothing, and a thousand processes need not shake hands for it.
func (r *refresh) connect(ctx context.Context) (err error) {
	if r.key.Principal == App {
		return nil
	}
	if err := r.reach.wait(r.Clock.Now()); err != nil {
		return later(r.key, "Procore's token endpoint could not be reached; nothing was spent", err)
	}
	r.conn, err = r.oauth.Connect(ctx)
	if r.reach.learn(err, r.Clock.Now()); err != nil {
		return later(r.key, "Procore's token endpoint cannot be reached; nothing was spent", err)
	}
	return nil
}

func (r *refresh) close() {
	if r.conn != nil {
		r.conn.Close()
	}
}

// takeClaim claims the connection, in time.
func (r *refresh) takeClaim(ctx, inTime context.Context, c Connection) (err error) {
	r.claimed, err = r.claim(inTime, c, r.ledger(), r.end.Add(skew))
	switch {
	case errors.Is(err, errNotReadBack):
		r.releaseClaim(ctx)
		return later(c.Key, "storage does not tell whether the connection is claimed; nothing was spent", err)
	case errors.Is(err, errEnded):
		r.releaseClaim(ctx)
		return errNotYet
	case errors.Is(err, errSpentBefore):
		return r.unrefreshable(ctx, c, sentBefore)
	case errors.Is(err, errNotClaimed), errors.Is(err, errConflict), errors.As(err, new(*changedError)):
		return errNotYet
	}
	return err
}

// spend sends the one request. A service account has nothing to spend.
func (r *refresh) spend(ctx context.Context) (procore.Token, error) {
	if r.key.Principal == App {
		return r.oauth.ClientCredentials(ctx)
	}
	return r.conn.Refresh(ctx, r.pair.RefreshToken, r.claimed.RedirectURI, r.end.Add(-storeTime-rescueTime-answerTime))
}

// homecoming is a new pair on its way to the row.
type homecoming struct {
	claimed Connection // generation and attempt say where it may land
	sealed  Sealed
	expiry  time.Time
	spent   []string // fingerprints of the refresh token it was got for; none: not known
}

// place is where a homecoming pair is sealed for: the next generation.
func (h homecoming) place() Place {
	next := h.claimed
	next.Generation++
	return next.place()
}

// store writes the new pair as the next generation. It holds what nobody else
// has, so it tries until the time is over, and then the rescue queue.
func (r *refresh) store(ctx context.Context, fresh procore.Token) (Access, error) {
	home := homecoming{claimed: r.claimed, expiry: fresh.Expiry, spent: r.ledger().fingerprints}
	var err error
	if home.sealed, err = r.keys.Seal(fresh, home.place()); err != nil {
		return Access{}, later(r.key, "the new pair could not be sealed", err)
	}
	write, cancel := beforeEnd(ctx, rescueTime)
	defer cancel()
	c, err := r.applyUntil(write, r.claimed, func(c Connection) (Connection, bool) {
		c, ok := c.renewed(home, r.Clock.Now())
		return c.used(r.demand, r.Clock.Now()), ok
	})
	switch {
	case err != nil:
		return Access{}, r.queueForRescue(ctx, home, err)
	case c.lastAttempt != r.claimed.attempt:
		r.log().WarnContext(ctx, "refresh superseded", slog.Any("", r.key), slog.String("state", string(c.State)))
		if err := r.orphan(write, c, home); err != nil {
			return Access{}, r.queueForRescue(ctx, home, err)
		}
		return Access{}, errNotYet
	}
	if r.key.Principal != App {
		r.tell(ctx, success, "")
	}
	r.log().InfoContext(ctx, "token refreshed", slog.Any("", r.key), slog.String("outcome", "refreshed"), slog.Int64("generation", c.Generation))
	if c.State != Active {
		return Access{}, errNotYet
	}
	return r.remember(ctx, c, Access{fresh.AccessToken, fresh.Expiry, c.Generation, c.RefreshedAt}, r.demand), nil
}

// queueForRescue hands the pair to the rescue queue.
func (r *refresh) queueForRescue(ctx context.Context, home homecoming, cause error) error {
	err := r.rescue(ctx, home)
	if err != nil {
		r.log().ErrorContext(ctx, "new pair lost", slog.Any("", r.key), slog.Any("error", errors.Join(cause, err)))
		return later(r.key, "the new pair could be neither stored nor rescued", cause)
	}
	r.log().WarnContext(ctx, "new pair queued for rescue", slog.Any("", r.key), slog.Any("error", cause))
	return later(r.key, "the new pair waits to be stored", cause)
}

// renewed is the row with a pair that came home, unless the row has left the
// claim's generation or attempt behind. The state becomes active only from
// active, uncertain, or what this very attempt had caused.
func (c Connection) renewed(home homecoming, now time.Time) (Connection, bool) {
	if c.Generation != home.claimed.Generation || c.attempt != home.claimed.attempt {
		return c, false
	}
	c.Generation++
	c.pair, c.Expiry, c.RefreshedAt = home.sealed, home.expiry, now
	c.lastAttempt, c.attempt, c.claimUntil = c.attempt, "", time.Time{}
	switch {
	case c.State == Active:
		c = c.enter(Active, c.lastAttempt, "refreshed", "", now)
	case c.State == Uncertain, c.State == Reauthorize && c.stateAttempt == c.lastAttempt:
		c = c.enter(Active, c.lastAttempt, "refreshed late", "", now)
	}
	return c, true
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
	r.log().Log(ctx, level, "refresh failed", slog.Any("", r.key), slog.String("outcome", outcome), slog.Any("error", e))
	if e.Outcome == procore.NotSent || r.key.Principal == App {
		return r.endUnspent(ctx, e)
	}
	c, err := r.applyUntil(ctx, r.claimed, func(c Connection) (Connection, bool) {
		return c.failed(r.claimed, e, refusal, r.Clock.Now())
	})
	r.report(ctx, e)
	switch {
	case err != nil:
		return later(r.key, "the outcome of a refresh could not be stored", err)
	case c.Generation != r.claimed.Generation || c.State == Uncertain:
		return errNotYet // a newer pair, or an access token that may still live
	}
	return c.unusableBecause(e)
}

// endUnspent ends a claim under which nothing was spent.
func (r *refresh) endUnspent(ctx context.Context, e *procore.TokenError) error {
	r.releaseClaim(ctx)
	r.unspent(ctx)
	if e.InvalidClient() {
		_, _ = r.OAuth.Reread(ctx) // the next attempt uses credentials that may be newer
	}
	return later(r.key, "Procore gave no token; nothing was spent", e)
}

// releaseClaim releases the claim. Should that fail, it expires, and the connection is
// in doubt.
func (r *refresh) releaseClaim(ctx context.Context) {
	if err := r.release(ctx, r.claimed, r.ledger()); err != nil {
		r.log().WarnContext(ctx, "claim not released", slog.Any("", r.key), slog.Any("error", err))
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

// overwritten is why connections of the monthly sandbox end.
const overwritten = "the monthly sandbox was overwritten from production"

// noAnswer is why a connection is in doubt whose refresh token was sent.
const noAnswer = "Procore's answer to a refresh is not known"

// failed is the row after a request that was sent and gave no pair; refusal is
// the reason if Procore refused it.
func (c Connection) failed(claimed Connection, e *procore.TokenError, refusal string, now time.Time) (Connection, bool) {
	if c.Generation != claimed.Generation || c.attempt != claimed.attempt || !c.claimed() {
		return c, false
	}
	switch {
	case c.State != Active && c.State != Uncertain:
		c.claimUntil = time.Time{}
		return c, true
	case e.Outcome == procore.Refused:
		c.claimUntil = time.Time{}
		return c.enter(Reauthorize, c.attempt, refusal, e.RequestID, now), true
	}
	return c.doubt(c.attempt, noAnswer, e.RequestID, now), true
}

// olderThanTheLedger is why a connection ends whose pair is older than what the ledger
// remembers.
const olderThanTheLedger = "its pair is older than the ledger's memory, as of a row from an old backup"

// noSuccessor is the reason when a pair without a refresh token can no longer be used.
const noSuccessor = "Procore issued an access token without a refresh token"

// sentBefore is why a connection ends whose refresh token the ledger knows.
const sentBefore = "this refresh token is in the ledger: it was sent before, or may have been, by the holder of a copied, restored or overtaken row"

// unrefreshable ends a connection whose refresh token cannot be sent.
func (s *Store) unrefreshable(ctx context.Context, c Connection, reason string) error {
	generation := c.Generation
	c, err := s.apply(ctx, c, func(c Connection) (Connection, bool) {
		if !c.usable() || c.Generation != generation || c.claimed() {
			return c, false
		}
		return c.enter(Reauthorize, "", reason, "", s.Clock.Now()), true
	})
	switch {
	case err != nil:
		return later(c.Key, "the connection could not be stored", err)
	case c.usable():
		return errNotYet
	}
	return c.unusable()
}

// beforeEnd is the context with its deadline moved forward.
func beforeEnd(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if end, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, end.Add(-d))
	}
	return context.WithCancel(ctx)
}
