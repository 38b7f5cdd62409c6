//go:build unix

package main

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"procore-connect/internal/invariants"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// judgeFinal checks a grant's last state: it works, or its reason is true.
func (v *verdict) judgeFinal(ctx context.Context, p *person) {
	r, ok := v.final[p.row()]
	if !ok {
		if p.user != 0 {
			v.add(p.row(), "the row is gone")
		}
		return
	}
	what := r.State
	if r.State != "active" {
		if at := time.Unix(r.ReasonAt, 0); r.Reason == "" || at.Before(v.w.beganAt.Add(-2*time.Second)) || at.After(time.Now().Add(lateBy+2*time.Second)) {
			v.add(p.row(), "%s because %q, at %v", r.State, r.Reason, at)
		}
		what += ": " + r.Reason
	}
	v.finals.add(what)
	switch r.State {
	case "active":
		v.judgeActive(ctx, p, r)
	case "reauthorize":
		v.judgeReauthorize(p, r)
	case "revoked":
		if !v.happened(revoked, p) && !v.happened(ended, p) {
			v.add(p.row(), "revoked, but no one ended its last connection")
		}
	default:
		v.add(p.row(), "still %s", r.State)
	}
}

// judgeActive checks that the pair works at the fake.
func (v *verdict) judgeActive(ctx context.Context, p *person, r invariants.Row) {
	if p.user == 0 {
		a, err := v.w.store.Tokens.Token(ctx, tokens.App)
		if err == nil {
			err = v.works(ctx, a.Bearer(), p.companies[0].id)
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
		v.add(p.row(), "claimed, but no process is left")
	}
}

// judgeReauthorize checks that the reason is true.
func (v *verdict) judgeReauthorize(p *person, r invariants.Row) {
	pair, _ := v.pairOf(v.rows[p.row()])
	token := fingerprint(pair)
	switch {
	case strings.HasPrefix(r.Reason, "Procore refused"):
		v.judgeRefused(p, token)
	case strings.HasPrefix(r.Reason, "Procore's answer to a refresh"), strings.HasPrefix(r.Reason, "the process that refreshed it"):
		v.judgeUnanswered(p, r, token)
	case markedRestored(r):
		if !slices.ContainsFunc(v.w.actions, func(a action) bool { return a.what == marked }) {
			v.add(p.row(), "said to be restored, but no operator said so")
		}
	case strings.HasPrefix(r.Reason, "this refresh token is in the ledger"):
		if !v.elsewhere(p.row(), r.Generation, token) {
			v.add(p.row(), "said to have sent refresh token %s before, but it was in no other row or generation", token)
		}
	default:
		v.add(p.row(), "reauthorize for an unknown reason: %q", r.Reason)
	}
}

// markedRestored reports whether a grant ended because an operator said that it was restored.
func markedRestored(r invariants.Row) bool {
	return strings.HasPrefix(r.Reason, "the table was copied, or restored")
}

// judgeRefused checks that Procore refused the token, and had a reason.
func (v *verdict) judgeRefused(p *person, token string) {
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
	case v.restored(p.row(), token) && len(v.w.provider.revoked[token]) > 0:
	default:
		v.add(p.row(), "Procore refused refresh token %s, but no user or admin had ended it", token)
	}
}

func (v *verdict) killedByAuthorization(p *person, until time.Time) bool {
	for _, d := range v.w.actions {
		if d.what == authorized && d.row == p.row() && d.mode == procoretest.Kill && d.at.Before(until.Add(time.Second)) {
			return true
		}
	}
	return false
}

// judgeUnanswered checks that the answer did not arrive, or that the process that waited for it ended.
func (v *verdict) judgeUnanswered(p *person, r invariants.Row, token string) {
	claim := v.claims[r.StateAttempt]
	if strings.HasPrefix(r.StateAttempt, "revoke-") {
		return // a revocation that did not get through
	}
	if claim == nil {
		v.add(p.row(), "uncertain about an attempt that never claimed it")
		return
	}
	if v.trouble(claim.p, claim.sent.Add(-time.Second), claim.at.Add(2*maxClaim)) != "" {
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

// elsewhere reports whether a pair was in another row or generation too.
func (v *verdict) elsewhere(row string, generation int64, token string) bool {
	for _, w := range v.stored[token] {
		if w.row.Key() != row || w.row.Generation != generation || w.restored {
			return true
		}
	}
	return false
}

// restored reports whether the row has this pair from a backup.
func (v *verdict) restored(row, token string) bool {
	for _, w := range v.stored[token] {
		if w.restored && w.row.Key() == row {
			return true
		}
	}
	return false
}

// happened reports whether an action concerned the person's grant.
func (v *verdict) happened(what string, p *person) bool {
	for _, d := range v.w.actions {
		if d.row == p.row() && d.what == what {
			return true
		}
	}
	return false
}
