package provision

import (
	"cmp"
	"context"
	"errors"
	"hash/fnv"
	"slices"
	"time"

	"procore-connect/internal/webhook/recovery"
	"procore-connect/pkg/connections"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// kind is what the error of a call means for the pass.
type kind int

const (
	later        kind = iota // Procore, the network or storage: again soon
	limited                  // the rate limit: no more calls until it resets
	wrong                    // the request is refused to every connection
	anothers                 // this connection may not; another one perhaps
	unusable                 // this connection has no token; another one perhaps
	disconnected             // the company disconnected the app
)

func kindOf(err error) kind {
	for _, k := range []struct {
		err  error
		kind kind
	}{
		{procore.ErrRateLimited, limited},
		{procore.ErrNotConnected, disconnected},
		{procore.ErrForbidden, anothers},
		{procore.ErrNotFound, anothers}, // the company: its user is no member any more
		{procore.ErrUnauthorized, anothers},
		{connections.ErrPaused, anothers},
		{tokens.ErrRejected, anothers},
		{tokens.ErrReauthorize, unusable},
		{tokens.ErrRevoked, unusable},
		{tokens.ErrNotFound, unusable},
		{connections.ErrDisconnected, unusable},
		{connections.ErrEnded, unusable},
		{connections.ErrNotFound, unusable},
		{procore.ErrInvalid, wrong},
	} {
		if errors.Is(err, k.err) {
			return k.kind
		}
	}
	return later
}

// verdict is what a pass found about the company.
type verdict struct {
	status  connections.Webhooks // empty: as it was
	next    time.Duration        // until the next pass; 0: never
	limited time.Time            // the rate limit's reset, or zero
	err     error
}

// right is the verdict after one of the company's connections found, or made, all as it
// is configured.
func (k *Reconciler) right(ctx context.Context, by connections.Connection, all []connections.Connection) verdict {
	if k.Want.off() {
		return verdict{status: connections.WebhooksOff}
	}
	// The connection that works comes first: if its grant is in use, no other one is read.
	rest := slices.DeleteFunc(slices.Clone(all), func(c connections.Connection) bool { return c.Key == by.Key })
	return verdict{status: connections.WebhooksActive, next: k.unlessIdle(ctx, Recheck, slices.Concat([]connections.Connection{by}, rest))}
}

// unlessIdle returns the time until the next pass if one of the connections is in use,
// and else until the turn of the first one's principal.
func (k *Reconciler) unlessIdle(ctx context.Context, next time.Duration, all []connections.Connection) time.Duration {
	var used time.Time
	for i, c := range all {
		if i == maxCandidates {
			break
		}
		if c.State != connections.Connected {
			continue
		}
		last := k.lastUse(ctx, c.Principal)
		if k.now().Before(last.Add(tokens.UsedWithin)) {
			return next
		}
		if last.After(used) {
			used = last
		}
	}
	period := IdleRecheck
	if !used.IsZero() && !k.now().Before(used.Add(unusedFor)) {
		period = UnusedRecheck
	}
	return k.untilTurn(all[0].Principal, period)
}

// lastUse returns when the principal's grant was last used, or zero if it does not work.
// That of the service account is always in use: nothing is spent for a new token.
func (k *Reconciler) lastUse(ctx context.Context, p tokens.Principal) time.Time {
	if p == tokens.App {
		return k.now()
	}
	g, err := k.Store.Tokens.Grant(ctx, p)
	if err != nil || !g.Usable() {
		return time.Time{}
	}
	return g.LastUsed
}

// untilTurn returns the time until the principal's turn, which is once in the period and
// the same for all of its companies: they are checked while one token is valid.
func (k *Reconciler) untilTurn(p tokens.Principal, period time.Duration) time.Duration {
	h := fnv.New32a()
	h.Write([]byte(p))
	seconds := int64(period / time.Second)
	late := (k.now().Unix() + int64(h.Sum32())) % seconds
	return time.Duration(seconds-late) * time.Second
}

// failed is the verdict when a call failed for a reason that lies with no
// connection.
func failed(err error, now time.Time) verdict {
	switch kindOf(err) {
	case limited:
		return limit(err, now)
	case wrong:
		return verdict{next: Admin, err: err} // the same request fails again
	}
	return verdict{next: Retry, err: err}
}

// limit waits as long as Procore asked, at least a minute and at most half a day.
func limit(err error, now time.Time) verdict {
	wait := time.Minute
	if rl, ok := errors.AsType[*procore.RateLimitError](err); ok {
		wait = min(max(rl.Answer.RetryAfter, wait), 12*time.Hour)
	}
	return verdict{next: wait, limited: now.Add(wait)}
}

// recovered adds to a verdict what came of the recovery. That a hook's
// deliveries may not be read is no reason to try every five minutes.
func (v verdict) recovered(r recovery.Result, err error, now time.Time) verdict {
	if err == nil {
		if r.More {
			v.next = Retry
		}
		return v
	}
	switch kindOf(err) {
	case limited:
		l := limit(err, now)
		v.next, v.limited = l.next, l.limited
	case later:
		v.next, v.err = Retry, err
	default:
		v.err = err
	}
	return v
}

// on is the status and the time of the next pass for one connection.
func (v verdict) on(c connections.Connection, now time.Time) (connections.Webhooks, time.Time) {
	status, at := cmp.Or(v.status, c.Webhooks), time.Time{}
	if v.next > 0 {
		at = time.Unix(now.Add(v.next).Unix(), 0)
	}
	return status, at
}

const (
	// maxTries bounds the connections of one pass that may not: each is an error in
	// Procore's books.
	maxTries = 10
	// maxCandidates bounds the connections of one pass whose grants are read.
	maxCandidates = 100
)

// candidates are the connections to try, in order: the one that made the hook,
// so that it shows whether it still works, and then as [connections.Store.ForCompany]
// prefers them. Each pass begins with those that are new, and continues after those that
// the last passes tried in vain.
func candidates(all []connections.Connection, creator tokens.Principal, tried int) []connections.Connection {
	var some, rest []connections.Connection
	for _, c := range all {
		switch {
		case c.State != connections.Connected:
		case c.Principal == creator:
			some = append(some, c)
		default:
			rest = append(rest, c)
		}
	}
	slices.SortStableFunc(rest, func(a, b connections.Connection) int {
		return cmp.Or(first(a.Principal == tokens.App, b.Principal == tokens.App), b.ConnectedAt.Compare(a.ConnectedAt))
	})
	tried %= max(len(rest), 1)
	rest = slices.Concat(rest[tried:], rest[:tried])
	slices.SortStableFunc(rest, func(a, b connections.Connection) int {
		return first(a.Webhooks == connections.WebhooksPending, b.Webhooks == connections.WebhooksPending)
	})
	return slices.Concat(some, rest)
}

func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// connected reports whether the company is connected by the principal.
func connected(all []connections.Connection, p tokens.Principal) bool {
	return slices.ContainsFunc(all, func(c connections.Connection) bool { return c.Principal == p && c.State == connections.Connected })
}
