package tokens

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"procore-connect/internal/invariants"
	"procore-connect/internal/testing/kit/invarianttest"
	"procore-connect/internal/testing/proof/simulation"
)

// checkAnswer: what a caller gets is a token that was issued and is valid, or an error
// that leads to a decision. It is checked when the actor waits again.
func (x *run) checkAnswer(a *simulation.Actor, p Principal, access Access, err error) {
	if !a.Process.Dead() {
		a.Check(func() { x.checkAnswerNow(a, p, access, err) })
	}
}

func (x *run) checkAnswerNow(a *simulation.Actor, principal Principal, access Access, err error) {
	if err != nil {
		x.decided(a, err, ErrNotFound, ErrReauthorize, ErrRevoked, ErrRejected, ErrTryAgain)
		return
	}
	p, r := x.procore.ByToken(access.Bearer().Reveal()), x.row(principal)
	unread := x.Events()["storage goes away"]+x.Events()["fault refused"] > 0 // a valid token in memory is good
	switch {
	case !r.Usable() && !unread && a.Began().After(time.Unix(r.ReasonAt, 0).Add(recheck+2*exploreSkew)):
		x.Problem("%s got a token of a grant that had been %s for longer than a process may not know it", a.Name, r.State)
	case p == nil:
		x.Problem("%s got a token that was never issued", a.Name)
	case x.Events()["long"] == 0 && x.Now().After(p.Expires.Add(2*exploreSkew+2*time.Second)):
		x.Problem("%s got an access token that had expired", a.Name)
	default:
		x.Note("  %s: generation %d", a.Name, access.Generation)
	}
}

// settle follows each schedule: storage and Procore are well, and housekeeping does its
// work. Then everything must be in order.
func (x *run) settle(ctx context.Context) {
	x.procore.Down = simulation.Fine
	x.Advance(maxWork + 2*skew + time.Second)
	x.process(0)
	s := x.stores[len(x.stores)-1]
	if err := s.Upkeep().Probe(ctx); err != nil {
		x.Problem("the probe of a healthy endpoint: %v", err)
	}
	for _, message := range x.queue {
		r, err := ParseRescued(message)
		if err != nil {
			x.Problem("%v", err)
			continue
		}
		if err := s.Upkeep().Restore(ctx, r); err != nil {
			x.Problem("a rescued pair is not taken: %v", err)
		}
	}
	for _, f := range x.flows {
		if err := x.finish(ctx, s, f); err != nil {
			x.Problem("%s is not moved: %v", f.id, err)
		}
	}
	x.checkLost()
	for _, p := range x.principals() {
		x.checkTruth(ctx, s, p)
	}
	x.Advance(2 * time.Hour)
	for _, p := range x.principals() {
		x.checkWorks(ctx, p)
	}
	x.checkUnheld(ctx)
	x.checkTables()
	for _, p := range x.principals() {
		x.checkAuthorizes(ctx, p)
	}
	x.seen.add(x)
}

// finish moves the pair of a flow that waits.
func (x *run) finish(ctx context.Context, s *Store, f *flow) error {
	if f.done != "" || !f.kept {
		return nil
	}
	return x.move(ctx, s, f)
}

func (x *run) principals() []Principal {
	var all []Principal
	for _, r := range x.rows {
		all = append(all, principalOf(r))
	}
	slices.Sort(all)
	return all
}

// checkLost is R2: a pair that reached a process was stored in a row, unless its process
// died, or storage and rescue both refused it. The pair of a claim that an authorization
// ended is dropped. That of a claim that a revocation ended is revoked.
func (x *run) checkLost() {
	for _, p := range x.procore.Pairs {
		t := x.fate(p)
		if p.Prev == nil || t.holder == nil || t.stored || !p.Live() || x.fenced[t.attempt] || x.Events()["backup"] > 0 {
			continue
		}
		if !t.holder.Process.Dead() && t.excuse == "" {
			x.Problem("R2: %s was received by %s and is lost", p.Access, t.holder.Name)
		}
	}
}

// harmless reports whether nothing happened that leaves a doubt whether a token was
// spent: no claim without a known end.
func (x *run) harmless() bool {
	for name, n := range x.Events() {
		if n > 0 && !slices.Contains([]string{"fault unreachable", "fault closes", "fault noRefresh", "fault 503", "fault 429", "fault 401",
			"fault invalid_client", "fault cutEarly", "fault cutLate", "kill"}, name) {
			return false
		}
	}
	return true
}

// checkTruth: the state of a row is true.
func (x *run) checkTruth(ctx context.Context, s *Store, principal Principal) {
	_, err := s.Upkeep().Refresh(ctx, principal, early) // also of a pair that is valid for a short time
	r := x.row(principal)
	if r.Claimed() {
		x.Problem("row %s: a claim outlasts its time", r.Key())
	}
	decisions := map[string]error{"reauthorize": ErrReauthorize, "revoked": ErrRevoked}
	if want := decisions[r.State]; want != nil && !errors.Is(err, want) {
		x.Problem("row %s is %s, and its error is %v", r.Key(), r.State, err)
	}
	p := x.pairOf(r)
	if p == nil || p.User == 0 || x.Events()["backup"] > 0 {
		return
	}
	why := x.unexplained(p)
	switch {
	case r.State == "active" && !p.Live() && p.Refresh != "" && why != "":
		x.Problem("row %s is active, and %s is dead: %s", r.Key(), p.Access, why)
	case r.State == "active" && p.Presented > 0:
		x.Problem("row %s is active, and the refresh token of %s was sent", r.Key(), p.Access)
	case (r.State == "reauthorize" || r.State == "uncertain") && why != "":
		x.Problem("row %s is %s without need: %s: %s", r.Key(), r.State, r.Reason, why)
	}
}

// unexplained returns why a grant's pair cannot be out of use by what happened, or an
// empty text if it can.
func (x *run) unexplained(p *simulation.Pair) string {
	attempt := x.ledgerOf(p.Refresh)
	switch t := x.fate(p); {
	case p.Refresh == "":
		return ""
	case p.Ended == "a second authorization":
		return x.unexplainedKill(p)
	case p.Ended == "a replay":
		return ""
	case p.Ended != "":
		return x.unexplainedRevocation(p, attempt)
	case p.Presented == 0 && attempt == "":
		return "it is good"
	case p.Presented == 0 && strings.HasPrefix(attempt, revocation):
		return "" // a revocation failed
	case p.Presented == 0 && x.harmless():
		return "its refresh token was never sent"
	case p.Presented == 0:
		return ""
	case p.Fault != simulation.Fine && p.Fault != simulation.CutLate && p.Fault != simulation.NoRefresh:
		return "" // no answer with a pair
	case t.refused:
		return "its refresh token was spent before"
	case p.Next == nil:
		return "its refresh was refused"
	}
	next := x.fate(p.Next)
	switch {
	case next.holder == nil || next.holder.Process.Dead() || next.excuse != "":
		return "" // the answer was lost
	case x.fenced[next.attempt]:
		return "an authorization replaced it"
	case p.Next.Ended != "" && len(x.row(User(p.User)).Holders) == 0:
		return "" // its successor arrived when the grant was to be revoked
	}
	return "its successor was received"
}

// unexplainedKill: another authorization ended the pair, and the grant has that one's
// pair unless the browser's process crashed or the pair is dead as well.
func (x *run) unexplainedKill(p *simulation.Pair) string {
	for _, f := range x.flows {
		if f.done == moved && f.pair != p && f.pair.Live() {
			return f.pair.Access + " ended it, and was moved"
		}
	}
	return ""
}

// unexplainedRevocation: we revoked the pair because its refresh token was sent before,
// or on the way to a revoked grant.
func (x *run) unexplainedRevocation(p *simulation.Pair, attempt string) string {
	r := x.row(User(p.User))
	switch {
	case attempt == "":
		return "it was revoked"
	case strings.HasPrefix(attempt, revocation) && len(r.Holders) > 0:
		return "it was revoked, and is held"
	}
	return ""
}

// checkWorks: an active grant can be refreshed, and returns a token that Procore accepts.
func (x *run) checkWorks(ctx context.Context, principal Principal) {
	r := x.row(principal)
	p := x.pairOf(r)
	x.process(0)
	access, err := x.stores[len(x.stores)-1].Token(ctx, principal)
	switch {
	case r.State != "active" || p == nil:
	case p.User != 0 && p.Refresh == "": // usable until its access token expired
		if err != nil && !errors.Is(err, ErrReauthorize) {
			x.Problem("row %s has a pair without a refresh token: %v", r.Key(), err)
		}
	case (p.User == 0 || p.Live() && x.ledgerOf(p.Refresh) == "") && err != nil:
		x.Problem("row %s was active, and does not work: %v", r.Key(), err)
	case err == nil && !x.procore.Good(x.procore.ByToken(access.Bearer().Reveal())):
		x.Problem("row %s has a token that Procore does not accept", r.Key())
	}
}

// checkUnheld: housekeeping revokes the grants without a holder, and their pairs with
// them.
func (x *run) checkUnheld(ctx context.Context) {
	x.Advance(UnheldFor + time.Minute)
	x.process(0)
	s := x.stores[len(x.stores)-1]
	for _, p := range x.principals() {
		for p, err := range s.Upkeep().Unheld(ctx, p.shard()) {
			if err != nil {
				x.Problem("the grants without a holder: %v", err)
				return
			}
			if err := s.Revoke(ctx, p, "without a holder"); err != nil {
				x.Problem("row %s: the revocation does not end: %v", p, err)
			}
		}
	}
	for _, r := range x.rows {
		if len(r.Holders) == 0 && principalOf(r) != App && r.State != "revoked" {
			x.Problem("row %s has no holder and is %s", r.Key(), r.State)
		}
	}
}

// checkTables: what is stored in the end is in order, and every token that was sent is in
// the ledger.
func (x *run) checkTables() {
	if x.Events()["backup"] > 0 {
		return
	}
	grants := x.Tables.Items(grantsTable)
	for _, p := range slices.Concat(
		invariants.CheckTables(grants, x.Tables.Items(spendsTable), x.Now().Add(exploreSkew)),
		invarianttest.CheckHolders(x.Tables.Items(connectionsTable), grants)) {
		x.Problem("%s", p)
	}
	for _, p := range x.procore.Pairs {
		if p.Presented > 0 && x.ledgerOf(p.Refresh) == "" {
			x.Problem("%s was sent and is not in the ledger", p.Refresh)
		}
	}
}

// checkAuthorizes: whatever happened, the user can authorize again, with at most one pair
// that is stale.
func (x *run) checkAuthorizes(ctx context.Context, principal Principal) {
	if principal == App {
		return
	}
	x.process(0)
	s := x.stores[len(x.stores)-1]
	for n := range 2 {
		f := x.flow(only)
		if err := x.begin(ctx, s, f); err != nil {
			x.Problem("the last authorization: %v", err)
		}
		if err := x.move(ctx, s, f); err != nil {
			x.Problem("the last authorization is not moved: %v", err)
		}
		if f.done != stale {
			break
		}
		if n == 1 {
			x.Problem("row %s: an authorization is stale again and again", principal)
		}
	}
	r := x.row(principal)
	if p := x.pairOf(r); r.State != "active" || p == nil || !p.Live() {
		x.Problem("row %s: after the last authorization it does not work", r.Key())
	}
}
