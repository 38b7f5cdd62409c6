//go:build unix

package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"procore-connect/internal/testing/proof/invariants"
	"procore-connect/pkg/procoretest"
)

// end judges a connection's last state: it works, or says truthfully why not.
func (v *verdict) end(ctx context.Context, p *person) {
	r, ok := v.final[p.row()]
	if !ok {
		v.add(p.row(), "the row is gone")
		return
	}
	what := r.State
	if r.State != "active" {
		if at := time.Unix(r.ReasonAt, 0); r.Reason == "" || at.Before(v.w.began.Add(-2*time.Second)) || at.After(time.Now().Add(2*time.Second)) {
			v.add(p.row(), "%s because %q, at %v", r.State, r.Reason, at)
		}
		what += ": " + r.Reason
	}
	v.ends.add(what)
	switch r.State {
	case "active":
		v.active(ctx, p, r)
	case "reauthorize":
		v.reauthorize(p, r)
	case "disconnected":
		if !v.wasDisconnected(p, r) {
			v.add(p.row(), "disconnected, and no admin disconnected the company since its last authorization")
		}
	case "revoked":
		if !v.did(revoked, p, time.Time{}, time.Now()) {
			v.add(p.row(), "revoked, and nobody revoked it")
		}
	default:
		v.add(p.row(), "still %s", r.State)
	}
}

// active: the pair works at the fake.
func (v *verdict) active(ctx context.Context, p *person, r invariants.Row) {
	if p.user == 0 {
		a, err := v.w.store.Token(ctx, p.key)
		if err == nil {
			err = v.works(ctx, a.Bearer(), p.key.CompanyID)
		}
		if err != nil {
			v.add(p.row(), "the service account has no token that works: %v", err)
		}
		return
	}
	pair, _ := v.pairOf(v.rows[p.row()])
	t := v.issued[fingerprint(pair)]
	if t.State != procoretest.Live || t.Presented != 0 {
		v.add(p.row(), "active, but its refresh token is %q and was presented %d times", t.State, t.Presented)
	}
	if err := v.works(ctx, pair.AccessToken, 0); err != nil {
		v.add(p.row(), "active, but its access token does not work: %v", err)
	}
	if r.Claimed() {
		v.add(p.row(), "claimed, and nobody is there")
	}
}

// reauthorize: the reason is true.
func (v *verdict) reauthorize(p *person, r invariants.Row) {
	pair, _ := v.pairOf(v.rows[p.row()])
	token := fingerprint(pair)
	switch {
	case strings.HasPrefix(r.Reason, "Procore refused"):
		v.refused(p, token)
	case strings.HasPrefix(r.Reason, "Procore's answer to a refresh"), strings.HasPrefix(r.Reason, "the process that refreshed it"):
		v.unanswered(p, r, token)
	case strings.HasPrefix(r.Reason, "this refresh token is in the ledger"):
		if !v.elsewhere(p.row(), r.Generation, token) {
			v.add(p.row(), "said to have sent refresh token %s before, but it was in no other row or generation", token)
		}
	default:
		v.add(p.row(), "reauthorize for a reason that nobody knows: %q", r.Reason)
	}
}

// refused: Procore said so, and had a reason.
func (v *verdict) refused(p *person, token string) {
	var c *call
	for _, one := range v.w.provider.calls {
		if one.token == token && one.status == http.StatusBadRequest && one.code == "invalid_grant" {
			c = one
		}
	}
	switch {
	case c == nil:
		v.add(p.row(), "said to have been refused, but Procore did not refuse refresh token %s", token)
	case v.killedByAuthorization(p, c.at):
	case len(v.stored[token]) > 1 && len(v.w.provider.revoked[token]) > 0:
		// Two rows had the same pair, as Procore gave it to a second authorization, and one of them ended.
	case v.restored(p.row(), token) && len(v.w.provider.revoked[token]) > 0:
	default:
		v.add(p.row(), "Procore refused refresh token %s, and no user or admin had ended it", token)
	}
}

func (v *verdict) killedByAuthorization(p *person, until time.Time) bool {
	for _, d := range v.w.changes {
		if d.what == authorized && d.user == p.user && d.mode == procoretest.Kill && d.at.Before(until.Add(time.Second)) {
			return true
		}
	}
	return false
}

// unanswered: the answer did not come, or the process that waited for it ended.
func (v *verdict) unanswered(p *person, r invariants.Row, token string) {
	claim := v.claims[r.StateAttempt]
	if claim == nil {
		v.add(p.row(), "in doubt about an attempt that never claimed it")
		return
	}
	if v.trouble(claim.p, claim.sent.Add(-time.Second), claim.at.Add(2*claimLife)) != "" {
		return
	}
	for _, c := range v.w.provider.calls {
		if c.token == token {
			if c.clean() && c.status == http.StatusOK {
				v.add(p.row(), "%q, but Procore answered %s at %s and nothing happened to it", r.Reason, claim.p.name, v.w.since(c.at))
			}
			return
		}
	}
	v.add(p.row(), "%q, but %s had no trouble and never asked", r.Reason, claim.p.name)
}

// elsewhere says that a pair was in another row or generation too.
func (v *verdict) elsewhere(row string, generation int64, token string) bool {
	for _, w := range v.stored[token] {
		if w.row.Key() != row || w.row.Generation != generation || w.restored {
			return true
		}
	}
	return false
}

// restored says that the row got this pair from a backup.
func (v *verdict) restored(row, token string) bool {
	for _, w := range v.stored[token] {
		if w.restored && w.row.Key() == row {
			return true
		}
	}
	return false
}

func (v *verdict) did(what string, p *person, from, to time.Time) bool {
	for _, d := range v.w.changes {
		mine := d.row == p.row() || d.row == "" && d.company == p.key.CompanyID
		if mine && d.what == what && !d.at.Before(from) && !d.at.After(to) {
			return true
		}
	}
	return false
}

// wasDisconnected says that the company was disconnected for a moment between
// the row's generation and its state.
func (v *verdict) wasDisconnected(p *person, r invariants.Row) bool {
	var since time.Time
	for _, w := range v.rows[p.row()] {
		if w.row.Generation == r.Generation {
			since = w.at
			break
		}
	}
	off := false
	for _, d := range v.w.changes {
		if d.company != p.key.CompanyID || d.at.After(time.Unix(r.ReasonAt, 0).Add(2*time.Second)) {
			continue
		}
		switch d.what {
		case disconnected:
			off = true
		case reconnected:
			if d.at.Before(since) {
				off = false
			}
		}
	}
	return off
}
