package system

import (
	"net/url"
	"testing"
	"time"

	"procore-connect/internal/invariants"
	"procore-connect/internal/testing/proof/simulation"
)

// running is a sandbox whose clock is right.
type running struct {
	alive
	disturbed time.Time
}

func (*running) Skew() time.Duration    { return 0 }
func (r *running) Disturbed() time.Time { return r.disturbed }

// refreshing is a refresh that has claimed the pair of a grant for 25 seconds, on a connection of this moment.
type refreshing struct {
	*trial
	*sends

	in         *running
	actor      *simulation.Actor
	pair, next *simulation.Pair
	row        invariants.Row
	opened     time.Time
}

func (t *trial) refreshing() *refreshing {
	r := &refreshing{trial: t, sends: newSends(t.court), in: &running{}, actor: &simulation.Actor{Name: "a"}, pair: &simulation.Pair{}, row: row(2, "x", "")}
	r.next, r.opened = &simulation.Pair{Prev: r.pair}, t.at
	r.row.Attempt, r.row.ClaimUntil = "1", t.at.Add(25*time.Second).UnixMilli()
	r.wrote("a", r.in, invariants.Change{Old: row(1, "x", ""), New: r.row}, r.pair)
	return r
}

// send sends the token after a while, on a connection that is as old.
func (r *refreshing) send(after time.Duration) {
	r.at = r.at.Add(after)
	r.sending(&simulation.Request{Actor: r.actor, Opened: r.opened, Aged: r.at.Sub(r.opened)}, r.pair, r.at)
}

// doubt makes the grant uncertain after a while, as an actor does.
func (r *refreshing) doubt(by string, after time.Duration) {
	r.at = r.at.Add(after)
	up := row(3, "x", "")
	up.State = "uncertain"
	r.wrote(by, r.in, invariants.Change{Old: r.row, New: up}, r.pair)
}

// ended lets the wait for the answer end after a while.
func (r *refreshing) ended(after time.Duration, got bool) { r.sends.ends(r.next, r.at.Add(after), got) }

func TestSends(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		do   func(r *refreshing)
		want string
	}{
		{"sent", func(r *refreshing) { r.send(time.Second) }, ""},
		{"an old connection", func(r *refreshing) { r.send(3 * time.Second) }, "a connection that is 3s old"},
		{"too late", func(r *refreshing) { r.opened = r.at.Add(25 * time.Second); r.send(25 * time.Second) }, "has run out"},
		{"connected later", func(r *refreshing) { r.opened = r.at.Add(time.Second); r.send(time.Second) }, "before it had a connection"},
		{"claimed by another", func(r *refreshing) { r.actor = &simulation.Actor{Name: "b"}; r.send(0) }, "it has not claimed"},
		{"released, sent later", func(r *refreshing) { r.pair = &simulation.Pair{}; r.send(0) }, "it has not claimed"},
		{"doubt of what was sent", func(r *refreshing) { r.send(0); r.doubt("a", time.Second) }, ""},
		{"doubt of what was never sent", func(r *refreshing) { r.doubt("a", time.Second) }, "did not release it"},
		{"a reader whose clock is ahead", func(r *refreshing) { r.doubt("b", time.Second) }, ""},
		{"a claim left to expire", func(r *refreshing) { r.doubt("b", 2*time.Minute) }, "did not release it"},
		{"a claim left to expire in an outage", func(r *refreshing) { r.unreleased(r.in); r.doubt("b", 2*time.Minute) }, ""},
		{"a claim left to expire, frozen", func(r *refreshing) { r.in.disturbed = r.at; r.doubt("b", 2*time.Minute) }, ""},
		{"waits as long as it may", func(r *refreshing) { r.ended(17*time.Second, false) }, ""},
		{"does not wait", func(r *refreshing) { r.ended(7*time.Second, false) }, "although it has 10s left"},
		{"does not wait, its clock stepped", func(r *refreshing) { r.in.disturbed = r.at; r.ended(7*time.Second, false) }, ""},
		{"receives in time", func(r *refreshing) { r.ended(7*time.Second, true) }, ""},
		{"receives late", func(r *refreshing) { r.ended(19*time.Second, true) }, "in which it has to store"},
		{"answers before it sends", func(r *refreshing) { r.answered(r.in, none) }, ""},
		{"answers while it refreshes", func(r *refreshing) { r.send(0); r.answered(r.in, none) }, "answers while it refreshes"},
		{"answers when its time has passed", func(r *refreshing) { r.send(0); r.at = r.at.Add(17 * time.Second); r.answered(r.in, none) }, ""},
		{"answers, rescued", func(r *refreshing) { r.send(0); r.answered(r.in, all) }, ""},
		{"answers, another sandbox", func(r *refreshing) { r.send(0); r.answered(&running{disturbed: r.at}, none) }, ""},
		{"no token", func(r *refreshing) { r.empty("a", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {""}}) }, "without a refresh token"},
		{"a code", func(r *refreshing) { r.empty("a", url.Values{"grant_type": {"authorization_code"}}) }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			trial := newTrial()
			tt.do(trial.refreshing())
			wantOne(t, trial.found, tt.want)
		})
	}
}

func none(*simulation.Pair) bool { return false }
func all(*simulation.Pair) bool  { return true }

// A rescued pair leaves its queue only for the table.
func TestRescuedLeaves(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		do   func(p *pairs, old, pair *simulation.Pair)
		want string
	}{
		{"dropped", func(*pairs, *simulation.Pair, *simulation.Pair) {}, "is dropped"},
		{"stored", func(p *pairs, _, pair *simulation.Pair) { p.stored[pair] = true }, ""},
		{"an authorization came before", func(p *pairs, old, _ *simulation.Pair) { p.fenced[old] = true }, ""},
		{"revoked", func(_ *pairs, _, pair *simulation.Pair) { pair.Ended = "the revocation endpoint" }, ""},
		{"restored", func(p *pairs, _, _ *simulation.Pair) { p.restored() }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			trial := newTrial()
			p, old := trial.pairs(), &simulation.Pair{}
			pair := &simulation.Pair{Prev: old}
			tt.do(p, old, pair)
			p.leaves("user#2", pair)
			wantOne(t, trial.found, tt.want)
		})
	}
}
