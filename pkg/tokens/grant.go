package tokens

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"procore-connect/pkg/keys"
)

// Principal is the owner of a grant: a user, or the app itself.
type Principal string

// App is the principal of the app's service account.
const App Principal = "app"

// User returns the principal of the Procore user with this id.
func User(id int64) Principal { return Principal("user#" + strconv.FormatInt(id, 10)) }

// UserID returns the id of the Procore user, and false for another principal.
func (p Principal) UserID() (int64, bool) {
	digits, ok := strings.CutPrefix(string(p), "user#")
	id, err := strconv.ParseInt(digits, 10, 64)
	return id, ok && err == nil
}

// isUser reports whether the principal is a user, and not the app, nor the name of another row.
func (p Principal) isUser() bool { return strings.HasPrefix(string(p), "user#") }

// State is the state of a grant.
type State string

// The states. Only an active grant is refreshed. An uncertain one serves its access
// token while that is valid. The last two need a person.
const (
	Active      State = "active"
	Uncertain   State = "uncertain"   // a refresh token was sent and no answer is known
	Reauthorize State = "reauthorize" // the refresh token is spent: the user must authorize again
	Revoked     State = "revoked"
)

// maxTransitions is how many transitions a grant remembers.
const maxTransitions = 20

// Transition is one past change of a grant.
type Transition struct {
	State      State
	Generation int64
	Attempt    string
	At         time.Time // to the second
	Reason     string
}

// Grant is one row of the Grants table: the authorization of one principal, and its one
// pair. It prints no token: the pair is sealed.
type Grant struct {
	Principal   Principal
	State       State
	Generation  int64     // counts the pairs, and never restarts
	Rev         int64     // counts the writes; every write is conditional on it
	Expiry      time.Time // of the access token
	IssuedAt    time.Time // when Procore issued the pair, by its clock; zero: not known
	RefreshedAt time.Time // when the pair arrived
	LastUsed    time.Time // to the day
	RedirectURI string    // of the authorization; refreshes repeat it

	// Holders are who needs the grant, sorted. A user's grant without one is
	// revoked: see [Store.Revoke].
	Holders  []string
	UnheldAt time.Time // since when there is no holder; zero: there is one

	Reason    string    // why the state is not Active
	ReasonAt  time.Time // since when
	RequestID string    // Procore's, of the answer that caused it

	Transitions []Transition // oldest first, at most 20

	client       string // hash of the client id for which the pair was issued
	write        string // names the last write, because rev begins again after a restore
	pair         keys.Sealed
	fingerprint  string    // of the pair's refresh token, by the ring's key at that time
	attempt      string    // the attempt that holds, or last held, the claim
	claimUntil   time.Time // zero: no claim is open
	lastAttempt  string    // the attempt that stored this generation
	stateAttempt string    // the attempt that caused this state
}

// HeldBy reports whether the holder needs the grant.
func (g Grant) HeldBy(holder string) bool { return slices.Contains(g.Holders, holder) }

// Claim returns until when an attempt has the right to spend the refresh token. It is zero if none has.
func (g Grant) Claim() time.Time { return g.claimUntil }

// SealKey returns the name of the key that seals the pair.
func (g Grant) SealKey() string { return g.pair.KeyID }

// Usable reports whether the grant may still serve an access token.
func (g Grant) Usable() bool { return g.State == Active || g.State == Uncertain }

// ClientHash returns what a row holds of a client id: pairs are only sent by the client
// for which they were issued.
func ClientHash(clientID string) string {
	sum := sha256.Sum256([]byte("client " + clientID))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// claimed reports whether an attempt holds the claim, which may have expired.
func (g Grant) claimed() bool { return !g.claimUntil.IsZero() }

// busy reports whether an attempt is at work.
func (g Grant) busy(now time.Time) bool { return g.claimed() && !now.After(g.claimUntil) }

// revocation begins the name of an attempt that revokes.
const revocation = "revoke-"

// revokes reports whether the attempt that holds, or last held, the claim is a revocation.
func (g Grant) revokes() bool { return strings.HasPrefix(g.attempt, revocation) }

// revoking reports whether a revocation is at work.
func (g Grant) revoking(now time.Time) bool { return g.busy(now) && g.revokes() }

// place returns what the seal of the pair of this generation is bound to. A pair that was
// copied from another row, or is from another generation, does not open.
func (s *Store) place(g Grant, generation int64) keys.Place {
	return keys.Place{Environment: s.Environment.Name, Client: g.client, Table: "grants", Key: string(g.Principal), Generation: generation}
}

// enter returns the grant in the state, with the transition.
func (g Grant) enter(s State, attempt, reason, requestID string, now time.Time) Grant {
	g.State, g.stateAttempt = s, attempt
	g.Reason, g.ReasonAt, g.RequestID = reason, now, requestID
	if s == Active {
		g.Reason, g.ReasonAt, g.RequestID = "", time.Time{}, ""
	}
	g.Transitions = append(slices.Clip(g.Transitions), Transition{s, g.Generation, attempt, now, reason})
	if n := len(g.Transitions) - maxTransitions; n > 0 {
		g.Transitions = g.Transitions[n:]
	}
	return g
}

// held returns the grant with these holders. Each time since which it has none is another
// one, even within a second or by another clock, so that a revocation notices.
func (g Grant) held(holders []string, now time.Time) Grant {
	last := g.UnheldAt
	g.Holders, g.UnheldAt = holders, time.Time{}
	switch {
	case len(holders) > 0:
	case now.Unix() > last.Unix():
		g.UnheldAt = now
	default:
		g.UnheldAt = last.Add(time.Second)
	}
	return g
}
