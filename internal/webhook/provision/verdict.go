package provision

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"procore-connect/internal/webhook/recovery"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// kind says what an error of a call means for the look.
type kind int

const (
	later        kind = iota // Procore, the network or storage: again soon
	limited                  // the rate limit: no more calls until it resets
	wrong                    // the request is refused whoever makes it
	anothers                 // this connection may not; another one perhaps
	unusable                 // this connection has no token; another one perhaps
	disconnected             // the company disconnected the app
)

// errVanished says that a hook or trigger that was listed is not there any more.
// It is not an [procore.ErrNotFound], which says that of the company.
var errVanished = errors.New("it was there, and is not any more")

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
		{tokens.ErrNotInstalled, anothers},
		{tokens.ErrReauthorize, unusable},
		{tokens.ErrDisconnected, unusable},
		{tokens.ErrRevoked, unusable},
		{tokens.ErrNotFound, unusable},
		{procore.ErrInvalid, wrong},
	} {
		if errors.Is(err, k.err) {
			return k.kind
		}
	}
	return later
}

// verdict is what a look says about the company.
type verdict struct {
	status  tokens.Webhooks // empty: as it was
	next    time.Duration   // until the next look; 0: never
	limited time.Time       // the rate limit's reset, or zero
	err     error
}

// right is the verdict when all is as it is configured.
func (k *Reconciler) right(all []tokens.Connection) verdict {
	if len(k.Want.Triggers) == 0 {
		return verdict{status: tokens.WebhooksOff}
	}
	if k.idle(all) {
		return verdict{status: tokens.WebhooksActive, next: IdleRecheck}
	}
	return verdict{status: tokens.WebhooksActive, next: Recheck}
}

// idle reports whether no connection of the company was used for a while.
func (k *Reconciler) idle(all []tokens.Connection) bool {
	since := k.Store.Clock.Now().Add(-tokens.UsedWithin)
	return !slices.ContainsFunc(all, func(c tokens.Connection) bool { return c.LastUsed.After(since) })
}

// failed is the verdict when a call failed for a reason that lies with no
// connection.
func (k *Reconciler) failed(err error) verdict {
	switch kindOf(err) {
	case limited:
		return limit(err, k.Store.Clock.Now())
	case wrong:
		return verdict{next: Admin, err: err} // the same request fails again
	}
	return verdict{next: Retry, err: err}
}

// limit waits for the reset that Procore named, at least a minute and at most
// half a day, for its clock may be another than ours.
func limit(err error, now time.Time) verdict {
	wait := time.Minute
	if rl, ok := errors.AsType[*procore.RateLimitError](err); ok && !rl.Reset.IsZero() {
		wait = min(max(rl.Reset.Sub(now), wait), 12*time.Hour)
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

// on is the status and the time of the next look for one connection.
func (v verdict) on(c tokens.Connection, now time.Time) (tokens.Webhooks, time.Time) {
	status, at := cmp.Or(v.status, c.Webhooks), time.Time{}
	if v.next > 0 {
		at = time.Unix(now.Add(v.next).Unix(), 0)
	}
	return status, at
}

// maxTries bounds the connections that one look tries: each one that may not is
// an error in Procore's books.
const maxTries = 10

// candidates are the connections to try, in order: the one that made the hook,
// so that it shows whether it still works, and then as [tokens.Store.ForCompany]
// prefers them. Of many, each look takes some, after the first tried ones; next
// is where the one after it begins.
func candidates(all []tokens.Connection, maker tokens.Principal, tried int) (some []tokens.Connection, next int) {
	var rest []tokens.Connection
	for _, c := range all {
		switch {
		case !isUsable(c):
		case c.Principal == maker:
			some = append(some, c)
		default:
			rest = append(rest, c)
		}
	}
	slices.SortStableFunc(rest, func(a, b tokens.Connection) int {
		return cmp.Or(first(a.State == tokens.Active, b.State == tokens.Active),
			first(a.Principal == tokens.App, b.Principal == tokens.App), b.ConnectedAt.Compare(a.ConnectedAt))
	})
	if tried >= len(rest) {
		tried = 0
	}
	end := min(tried+maxTries, len(rest))
	return append(some, rest[tried:end]...), end
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

func isUsable(c tokens.Connection) bool {
	return c.State == tokens.Active || c.State == tokens.Uncertain
}

func usable(all []tokens.Connection, p tokens.Principal) bool {
	return slices.ContainsFunc(all, func(c tokens.Connection) bool { return c.Principal == p && isUsable(c) })
}

// waits says that the connection's next look is the webhook's.
func waits(c tokens.Connection) bool { return isUsable(c) || c.State == tokens.Reauthorize }

// unchanged says that the connection is due when it was due before.
func unchanged(before []tokens.Connection, c tokens.Connection) bool {
	return slices.ContainsFunc(before, func(b tokens.Connection) bool { return b.Key == c.Key && b.CheckAt.Equal(c.CheckAt) })
}
