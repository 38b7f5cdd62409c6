package system

import (
	"net/http"
	"testing"
	"time"

	"procore-connect/internal/invariants"
	"procore-connect/internal/operator"
	"procore-connect/internal/testing/proof/simulation"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// holds is a grant of user 2 that was held for company 1, with the calls of a process by a pair.
func (t *trial) holds(after time.Duration, company string, pair *simulation.Pair) {
	h := newHoldings(t.court)
	h.wrote("custom#user#2", nil, []string{"1"})
	if after > 0 {
		h.wrote("custom#user#2", []string{"1"}, nil)
	}
	t.at = t.at.Add(after)
	h.called(&simulation.Request{Actor: &simulation.Actor{Name: "reconciler"}, Header: http.Header{"Procore-Company-Id": {company}}}, pair)
}

// lists is the list of an operator for user 2's connection of company 1, whose hold has ended.
func (t *trial) lists(person bool) {
	h := newHoldings(t.court)
	h.wrote("custom#user#2", nil, []string{"1"})
	h.restored(nil)
	one := operator.Connection{CompanyID: 1, Principal: string(tokens.User(2)), State: operator.Connected, NeedsPerson: person}
	h.listed(h.unheld(), []operator.Connection{one})
}

// judges lets a trial's late pairs be judged. Each recheck comes at once.
func (t *trial) judges(waits bool, do func(l *late)) {
	rows := map[string]invariants.Row{}
	do(newLate(t.court, rows, func(d time.Duration, _ string, check func()) {
		t.at = t.at.Add(d)
		check()
	}, func(*simulation.Pair) bool { return waits }))
}

// revokes ends the grant of a pair whose successor was rescued.
func (t *trial) revokes(next *simulation.Pair, waits bool) {
	next.Refresh, next.Expires = "2", t.at.Add(time.Hour)
	t.judges(waits, func(l *late) {
		revoked := invariants.Row{Grant: "custom#user#2", State: "revoked"}
		l.rows[revoked.Grant], l.rescued[next] = revoked, true
		l.wrote("a", invariants.Change{Old: row(1, "x", ""), New: revoked}, &simulation.Pair{Next: next}, nil)
	})
}

// revives makes a grant active that had ended.
func (t *trial) revives(pair *simulation.Pair, marked bool) {
	t.judges(false, func(l *late) {
		now := row(2, "y", "")
		l.marked[now.Grant] = marked
		old := now
		old.State = "reauthorize"
		l.wrote("a", invariants.Change{Old: old, New: now}, nil, pair)
	})
}

// copied marks a grant as that of a copied table, and has the pair then.
func (t *trial) copied(state string, again int) {
	t.judges(false, func(l *late) {
		pair := &simulation.Pair{Authorizations: 1}
		held := map[string]*simulation.Pair{"custom#user#2": pair}
		now := row(1, "x", "")
		l.rows[now.Grant] = now
		before := l.usables(held)
		now.State = state
		l.rows[now.Grant] = now
		pair.Authorizations += again
		l.marks(before, held)
	})
}

// ends is a revocation of a grant's pair at Procore.
func (t *trial) ends(claimUntil int64) {
	t.judges(false, func(l *late) {
		now, pair := row(1, "x", ""), &simulation.Pair{}
		now.Attempt, now.ClaimUntil = "revoke-1", claimUntil
		l.rows[now.Grant] = now
		l.revoked("a", now.Grant, pair, pair)
	})
}

// Calls are made for the holders of a grant alone, and late pairs change nothing.
func TestLateJudgment(t *testing.T) {
	t.Parallel()
	noon := newTrial().at
	for _, tt := range []struct {
		name string
		do   func(t *trial)
		want bool // a problem
	}{
		{"held", func(t *trial) { t.holds(0, "1", &simulation.Pair{User: 2}) }, false},
		{"ended a moment ago", func(t *trial) { t.holds(time.Minute, "1", &simulation.Pair{User: 2}) }, false},
		{"ended long ago", func(t *trial) { t.holds(time.Hour, "1", &simulation.Pair{User: 2}) }, true},
		{"ended before the pair came", func(t *trial) {
			t.holds(time.Minute, "1", &simulation.Pair{User: 2, Issued: noon.Add(time.Second)})
		}, true},
		{"never held", func(t *trial) { t.holds(0, "3", &simulation.Pair{User: 2}) }, true},
		{"a list asks for a person", func(t *trial) { t.lists(true) }, false},
		{"a list asks for no person", func(t *trial) { t.lists(false) }, true},
		{"a late pair has ended", func(t *trial) { t.revokes(&simulation.Pair{Ended: procoretest.ByEndpoint}, false) }, false},
		{"a late pair waits", func(t *trial) { t.revokes(&simulation.Pair{}, true) }, false},
		{"a late pair lives on", func(t *trial) { t.revokes(&simulation.Pair{}, false) }, true},
		{"a revoked pair is stored", func(t *trial) {
			t.revives(&simulation.Pair{Ended: procoretest.ByEndpoint, Authorizations: 1}, false)
		}, true},
		{"a late pair heals", func(t *trial) { t.revives(&simulation.Pair{}, false) }, false},
		{"a late pair heals a copy", func(t *trial) { t.revives(&simulation.Pair{}, true) }, true},
		{"a user authorizes for a copy", func(t *trial) { t.revives(&simulation.Pair{Authorizations: 1}, true) }, false},
		{"a copy has ended", func(t *trial) { t.copied("reauthorize", 0) }, false},
		{"a copy is used", func(t *trial) { t.copied("active", 0) }, true},
		{"a copy was authorized", func(t *trial) { t.copied("active", 1) }, false},
		{"a revocation has the claim", func(t *trial) { t.ends(1) }, false},
		{"an active grant's pair is revoked", func(t *trial) { t.ends(0) }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			one := newTrial()
			if tt.do(one); len(one.found) > 0 != tt.want {
				t.Errorf("got %q, want a problem: %t", one.found, tt.want)
			}
		})
	}
}
