package system

import (
	"context"
	"time"

	"procore-connect/internal/operator"
	"procore-connect/internal/testing/proof/simulation"
	"procore-connect/pkg/procoretest"
)

// strands lets the new pair of a refresh wait in the rescue queue: storage fails until the refresh has ended, and its claim
// with it. It returns whose pair that is.
func (s *system) strands(ctx context.Context) (of []*customer, ok bool) {
	var claim claim
	for claim.grant == "" {
		if claim, ok = s.awaitsClaim(ctx); !ok {
			return nil, false
		}
	}
	s.Tables.Outage(true)
	s.Sleep(ctx, 25*time.Second+s.part("strands", 20*time.Second))
	s.Tables.Outage(false)
	for _, c := range s.customers {
		if claim.grant == c.grant() && s.judge.knows(c).wants && c.connecting == 0 {
			of = append(of, c)
		}
	}
	return of, simulation.Gate(ctx, "goes on after an outage") == simulation.Fine && !s.Calm() && len(of) > 0
}

// revokesLate is an operator who ends all that a user has connected while a new pair of the user's grant waits to be
// stored. At times Procore cannot revoke it at once. The user connects again: at times as soon as that has happened, or
// later.
func (s *system) revokesLate(ctx context.Context) {
	all, ok := s.strands(ctx)
	if !ok {
		return
	}
	if s.Next("fails", "revocation")%2 == 0 {
		must(s.procore.Fault(procoretest.Fault{Endpoint: "revoke", Kind: procoretest.Status, Status: 503, Times: 4}))
	}
	for _, c := range all {
		s.until(ctx, "revoke "+c.name, func(ctx context.Context, o *operator.Operator) error { return c.ends(ctx, o) })
	}
	s.Happened("revoked while a pair waits")
	if s.Next("returns", "revocation")%2 == 0 && !all[0].connectsLate(ctx) {
		return
	}
	if !s.Sleep(ctx, time.Hour+s.part("revoked", 4*time.Hour)) || s.Calm() {
		return
	}
	for _, c := range all {
		c.connect(ctx)
	}
}

// connectsLate lets a user authorize, and choose the company when the late pair of the grant before has arrived, for ten
// minutes at most. It reports whether the run goes on.
func (c *customer) connectsLate(ctx context.Context) bool {
	b := c.browser()
	c.authorize(ctx, b)
	arrived := make(chan claim, 1)
	c.judge.await(arrived)
	timer := time.NewTimer(10 * time.Minute)
	defer timer.Stop()
	select {
	case <-arrived:
	case <-timer.C:
	case <-c.Root().Done():
	}
	if simulation.Gate(ctx, "goes on after a late pair") != simulation.Fine || c.Calm() {
		return false
	}
	c.choose(ctx, b)
	return true
}

// marksLate is an operator who takes the tables for copies while a new pair waits to be stored.
func (s *system) marksLate(ctx context.Context) {
	if _, ok := s.strands(ctx); ok && !s.lost {
		s.judge.pairs.rewound = s.Now()
		s.unsure++
		s.marks(ctx)
		s.compares(ctx)
	}
}
