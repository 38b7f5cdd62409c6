package system

import (
	"time"

	"procore-connect/internal/connect/session"
	"procore-connect/internal/invariants"
	"procore-connect/internal/testing/proof/simulation"
)

// signIns judges what becomes of the pairs of authorizations: R2. The callback stores each in
// its session before it answers, or tells the user that it failed, who may authorize once
// more. A pair leaves a session for the user's grant, or because Procore does not accept it.
type signIns struct {
	court
	after func(d time.Duration, name string, do func())
	good  func(pair *simulation.Pair) bool // the API accepts its access token

	received map[string]*receipt         // by the sandbox, until it answers
	held     map[string]*simulation.Pair // by the session
}

// receipt is a pair that the callback received, and has not stored yet.
type receipt struct {
	pair *simulation.Pair
	in   process
	at   time.Time
}

func newSignIns(c court, after func(time.Duration, string, func()), good func(*simulation.Pair) bool) *signIns {
	return &signIns{
		court: c, after: after, good: good, received: map[string]*receipt{}, held: map[string]*simulation.Pair{},
	}
}

// receives learns of a pair that a code was exchanged for. Procore may have issued it before.
func (s *signIns) receives(by string, in process, pair *simulation.Pair) {
	r := &receipt{pair, in, s.now()}
	s.received[by] = r
	s.after(lateStore, "R2 of "+by, func() {
		if s.received[by] == r && !in.Dead() {
			s.lost(by, r)
		}
	})
}

// answered learns that a sandbox answers to a user whether the sign-in goes on.
func (s *signIns) answered(by process, well bool) {
	for name, r := range s.received {
		if r.in != by {
			continue
		}
		if well {
			s.lost(name, r)
		}
		delete(s.received, name)
	}
}

func (s *signIns) lost(by string, r *receipt) {
	at := r.at.Format(time.TimeOnly)
	s.problem("R2: a pair that %s received for a code at %s was not stored, and the user does not know", by, at)
}

// wrote learns of a write of a session. pair is what it holds, and grant the pair that its
// user's grant has by then; nil: none.
func (s *signIns) wrote(by string, i invariants.Item, pair, grant *simulation.Pair) {
	flow := text(i, "session")
	if pair != nil {
		s.held[flow] = pair
		if r := s.received[by]; r != nil && r.pair == pair {
			delete(s.received, by)
		}
		return
	}
	left := s.held[flow]
	if left == nil {
		return
	}
	delete(s.held, flow)
	switch status := session.Status(text(i, "status")); {
	case !s.good(left): // Procore forgot whose it was
	case status == session.Abandoned:
		s.problem("R2: %s abandons a session (%s) whose pair Procore accepts", by, text(i, "reason"))
	case left != grant && !s.good(grant) && (grant == nil || !grant.Live()):
		s.problem("R2: %s drops a pair that Procore accepts, and the grant has none", by)
	}
}
