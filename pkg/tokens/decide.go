package tokens

import (
	"time"

	"procore-connect/pkg/procore"
)

// view is one reading of a usable grant, with what this process knows of its access token.
type view struct {
	Grant
	pair     procore.Token
	now      time.Time
	rejected bool // Procore answered 401 to the access token
	living   bool // the access token is valid
}

func (s *Store) view(g Grant, pair procore.Token) view {
	v := view{Grant: g, pair: pair, now: s.Clock.Now(), rejected: g.Generation > 0 && s.memory.get(g.Principal).rejected == g.Generation}
	v.living = v.now.Before(pair.Expiry) && !v.rejected
	return v
}

// step is what a caller does with a reading of a grant.
type step int

const (
	send     step = iota // the refresh token is sent
	serve                // the access token is fresh
	keep                 // it is not, but serves while it is valid
	wait                 // for another process, and read the grant again
	refuse               // with an error
	endDoubt             // an uncertain grant ends, if its time has come
	end                  // the grant ends, because of the error
)

// unsendable is why a grant ends whose refresh token no ledger has seen.
type unsendable string

func (u unsendable) Error() string { return string(u) }

// decide returns what the reading asks for, and with refuse and end the reason.
func (v view) decide(d demand) (step, error) {
	switch g := v.Grant; {
	case v.living && v.now.Add(max(d.within, g.early())).Before(v.pair.Expiry):
		return serve, nil
	case v.rejected && v.now.Before(g.RefreshedAt.Add(recheck)) && g.State == Active:
		return refuse, &Error{Principal: g.Principal, Decision: ErrRejected}
	case v.living && (g.State == Uncertain || g.claimed()):
		return keep, nil
	case g.claimed():
		return wait, nil
	case g.State == Uncertain:
		return endDoubt, nil
	case g.Principal == App: // spends nothing
	case v.pair.RefreshToken.IsZero() && v.living:
		return keep, nil
	case v.pair.RefreshToken.IsZero():
		return end, unsendable(noSuccessor)
	case v.now.After(g.RefreshedAt.Add(maxPairAge)):
		return end, unsendable(olderThanTheLedger)
	}
	// A refresh in the future, by a clock that was wrong, counts as one now. An
	// authorization is no refresh.
	switch again := v.lastAttempt != "" && v.now.Before(v.RefreshedAt.Add(apart)); {
	case again && v.living:
		return keep, nil
	case again:
		return refuse, later(v.Principal, "it was refreshed less than a minute ago", nil)
	}
	return send, nil
}
