package system

import (
	"net/url"
	"time"

	"procore-connect/internal/invariants"
	"procore-connect/internal/testing/proof/simulation"
)

const (
	// maxAged is how old a connection is at most when a refresh token is sent on it.
	maxAged = 2 * time.Second
	// afterwards is how much of a claim's time is left at least when the wait for a pair ends: three seconds to store it,
	// and five by which clocks may differ.
	afterwards = 8 * time.Second
	// tolerated is by how much that may be wrong.
	tolerated = 100 * time.Millisecond
	// landing is how long after its sender has given up a write takes effect at most.
	landing = 2 * time.Minute
	// longest is how long a claim is valid at most, with what the clock of its reader may be behind.
	longest = time.Minute
)

// sends judges how refresh tokens are sent: R1 and R2. The sender has a claim, whose time has not passed by its own
// clock. It has opened the connection just before. It waits for the answer as long as its time allows, no longer, and
// does not end before. It leaves no claim behind if it has not sent the token.
type sends struct {
	court
	claims map[*simulation.Pair]*attempt // the last one of each pair
	open   map[string]*attempt           // by a grant's key
	failed map[process]time.Time         // when one reported that it could not release a claim
}

// attempt is a claim to send the refresh token of a pair.
type attempt struct {
	by        string
	in        sandbox // nil: it is no function
	pair      *simulation.Pair
	at, until time.Time // by the world's clock
	ownUntil  time.Time // by the sender's
	sent      bool
}

// sandbox is the process of a function.
type sandbox interface {
	process
	Skew() time.Duration
	Disturbed() time.Time
}

func newSends(c court) *sends {
	return &sends{court: c, claims: map[*simulation.Pair]*attempt{}, open: map[string]*attempt{},
		failed: map[process]time.Time{}}
}

// wrote learns of a write of a grant by an actor, whose process is in.
func (s *sends) wrote(by string, in sandbox, c invariants.Change, pair *simulation.Pair) {
	key := c.New.Key()
	switch old := s.open[key]; {
	case c.New.Claimed() && !c.New.Revoking():
		if pair != nil && (old == nil || c.New.Attempt != c.Old.Attempt) {
			s.claimed(key, by, in, c.New, pair)
		}
	case old != nil:
		delete(s.open, key)
		if c.New.State == "uncertain" {
			s.doubted(by, key, old)
		}
	}
}

func (s *sends) claimed(key, by string, in sandbox, r invariants.Row, pair *simulation.Pair) {
	own := time.UnixMilli(r.ClaimUntil)
	h := &attempt{by: by, in: in, pair: pair, at: s.now(), until: own, ownUntil: own}
	if in != nil {
		h.until = own.Add(-in.Skew())
	}
	s.claims[pair], s.open[key] = h, h
}

// doubted checks that a living process has not left a claim behind on a token that it never sent. It may end as doubt only
// when storage did not let the process release it.
func (s *sends) doubted(by, key string, h *attempt) {
	switch {
	case h.sent, h.pair.Presented > 0, h.in == nil, h.in.Dead(), !h.in.Disturbed().Before(h.at), !s.failed[h.in].Before(h.at.Add(-landing)):
	case by == h.by && s.now().Before(h.until), s.now().Sub(h.at) > longest:
		s.problem("R2: %s claimed %s, never sent its refresh token, and did not release it", h.by, key)
	}
}

// unreleased learns that a process could not release a claim.
func (s *sends) unreleased(in process) { s.failed[in] = s.now() }

// sending checks a refresh token that is about to be sent.
func (s *sends) sending(r *simulation.Request, pair *simulation.Pair, own time.Time) {
	h := s.claims[pair]
	if h == nil || h.by != r.Actor.Name {
		s.problem("R1: %s sends a refresh token that it has not claimed", r.Actor.Name)
		return
	}
	h.sent = true
	switch {
	case !own.Before(h.ownUntil):
		s.problem("R1: %s sends a refresh token when its claim has run out", h.by)
	case r.Opened.After(h.at):
		s.problem("R2: %s has claimed a grant before it had a connection to Procore", h.by)
	case r.Aged > maxAged:
		s.problem("R2: %s sends a refresh token on a connection that is %v old", h.by, r.Aged.Round(time.Second))
	}
}

// empty checks that a request for a pair has a refresh token.
func (s *sends) empty(by string, form url.Values) {
	if form.Get("grant_type") == "refresh_token" && form.Get("refresh_token") == "" {
		s.problem("R2: %s asks for a pair without a refresh token", by)
	}
}

// ends checks when a process ends its wait for the answer with a pair: got reports whether it has it.
func (s *sends) ends(pair *simulation.Pair, at time.Time, got bool) {
	h := s.claims[pair.Prev]
	if h == nil || h.in == nil || h.in.Dead() || !h.in.Disturbed().Before(h.at.Add(-longest)) {
		return
	}
	switch left := h.until.Sub(at) - afterwards; {
	case !got && left > tolerated:
		s.problem("R2: %s does not wait for the answer to a refresh, although it has %v left", h.by, left.Round(time.Second))
	case got && left < -tolerated:
		s.problem("R2: %s waits for the answer to a refresh in the time in which it has to store the pair", h.by)
	}
}

// answered checks that a function does not answer while its refresh runs. safe reports whether a pair is in the table or
// waits to be.
func (s *sends) answered(in sandbox, safe func(*simulation.Pair) bool) {
	for key, h := range s.open {
		if h.in != in || !h.sent || in.Dead() || safe(h.pair.Next) || !in.Disturbed().Before(h.at.Add(-longest)) {
			continue
		}
		if left := h.until.Sub(s.now()) - afterwards; left > tolerated {
			s.problem("R2: %s answers while it refreshes %s", h.by, key)
		}
	}
}

// forget forgets the claims, because rows are not what they were.
func (s *sends) forget() { clear(s.open) }
