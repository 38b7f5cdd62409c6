package invariants

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Change is one write of a grant.
type Change struct {
	Old, New Row // Old.Rev is 0 if there was no row
}

// abstract returns the row's state as the protocol's model sees it.
func (r Row) abstract() string {
	switch {
	case r.Revoking():
		return r.State + "/revoking"
	case r.Claimed():
		return r.State + "/claimed"
	}
	return r.State + "/free"
}

// Brief returns what a transition is about: state, claim, generation and rev.
func (r Row) Brief() string {
	return fmt.Sprintf("%s generation %d rev %d", r.abstract(), r.Generation, r.Rev)
}

// Transition returns the change in the words of spec/transitions.txt. It is empty
// for a new row, and for a write that the model does not see.
func (c Change) Transition() string {
	growth := c.New.Generation - c.Old.Generation
	from, to := c.Old.abstract(), c.New.abstract()
	if c.Old.Rev == 0 || from == to && growth == 0 {
		return ""
	}
	return fmt.Sprintf("%s -> %s +%d", from, to, growth)
}

// authorized reports whether the change is a new authorization, which begins a
// generation that no attempt stored.
func (c Change) authorized() bool {
	return c.New.Generation == c.Old.Generation+1 && c.New.State == "active" && c.New.LastAttempt == "" && c.New.Attempt == ""
}

// CheckChange returns what is wrong with one write of the protocol. An operator's
// restore from a backup is not one.
func CheckChange(c Change) []string {
	old, now := c.Old, c.New
	p := problems{prefix: fmt.Sprintf("row %s rev %d, %s: ", now.Key(), now.Rev, c.Transition())}
	p.check(now.Rev == old.Rev+1, "rev after %d", old.Rev)
	p.check(now.Generation == old.Generation || now.Generation == old.Generation+1, "generation after %d", old.Generation)
	if old.Rev == 0 {
		return p.all
	}
	samePair := bytes.Equal(old.Sealed, now.Sealed)
	switch {
	case now.Generation > old.Generation && now.user():
		p.check(!samePair, "a generation without a new pair")
	case now.State == "revoked":
		p.check(strings.HasPrefix(old.Attempt, revocation) || old.State == "revoked", "revoked without a claim")
	case now.Generation == old.Generation:
		p.check(samePair, "another pair in the same generation")
	}
	c.checkClaim(&p)
	c.checkRevival(&p)
	c.checkHistory(&p)
	return p.all
}

// checkClaim checks that a claim begins on a free row that may be refreshed, that no
// other attempt takes it over, and that only the attempt that held it stores a pair.
func (c Change) checkClaim(p *problems) {
	old, now := c.Old, c.New
	if now.Claimed() && !old.Claimed() {
		p.check((old.Usable() || now.Revoking()) && now.State == old.State && now.Generation == old.Generation, "a claim on what was %s", old.abstract())
		p.check(now.Attempt != old.Attempt, "a claim by an attempt that had one before")
	}
	if now.Claimed() && old.Claimed() {
		p.check(now.Attempt == old.Attempt && now.ClaimUntil == old.ClaimUntil, "a claim was taken over or prolonged")
	}
	if now.Generation > old.Generation && !c.authorized() && now.LastAttempt != old.LastAttempt {
		p.check(now.LastAttempt == old.Attempt, "a pair was stored by an attempt that did not hold the claim")
		p.check(!now.Claimed(), "a pair was stored and the claim left")
	}
}

// checkRevival checks R8. Only a new authorization revives what was revoked. What was
// found dead is revived by that, or by the late pair of the very attempt that caused its
// state.
func (c Change) checkRevival(p *problems) {
	old, now := c.Old, c.New
	if now.State == old.State || c.authorized() {
		return
	}
	switch old.State {
	case "revoked":
		p.add("revived")
	case "reauthorize":
		late := now.State == "active" && old.StateAttempt != "" && old.StateAttempt == now.StateAttempt
		p.check(now.State == "revoked" || late, "revived by another attempt")
	}
}

// checkHistory checks that the list of transitions grows, by one at most.
func (c Change) checkHistory(p *problems) {
	old, now := c.Old.Transitions, c.New.Transitions
	if slices.Equal(old, now) {
		p.check(c.Old.State == c.New.State, "a new state without a transition")
		return
	}
	if len(now) == 0 {
		p.add("the transitions were lost")
		return
	}
	before := now[:len(now)-1]
	p.check(len(before) <= len(old) && slices.Equal(before, old[len(old)-len(before):]) &&
		(len(before) == len(old) || len(now) == maxTransitions), "the past was changed")
	last := now[len(now)-1]
	p.check(last.State == c.New.State && last.Generation == c.New.Generation, "the last transition is not this change")
}
