package tokens

import (
	"context"
	"errors"
	"slices"
	"time"

	"procore-connect/internal/testing/proof/invariants"
	"procore-connect/pkg/procoretest"
)

// exploreSkew bounds how far a process's clock goes ahead.
const exploreSkew = 2 * time.Second

// pairOf opens what a row holds.
func (x *run) pairOf(r invariants.Row) *issued {
	if len(r.Sealed) == 0 {
		return nil
	}
	c := Connection{Key: rowKey(r), Generation: r.Generation}
	pair, err := x.newest.Open(Sealed{KeyID: r.SealKey, Ciphertext: r.Sealed}, c.place())
	if err != nil {
		x.problem("row %s: the pair does not open: %v", r.Key(), err)
		return nil
	}
	return x.procore.byToken[pair.AccessToken.Reveal()]
}

func rowKey(r invariants.Row) Key {
	var id int64
	for _, c := range r.CompanyID {
		id = id*10 + int64(c-'0')
	}
	return Key{id, Principal(r.Principal)}
}

// checkPair: a row's pair is replaced by an authorization or by the pair it was
// spent for, and by nothing else (R8).
func (x *run) checkPair(c invariants.Change) {
	if slices.Equal(c.Old.Sealed, c.New.Sealed) || len(c.New.Sealed) == 0 {
		return
	}
	p := x.pairOf(c.New)
	if p == nil {
		x.problem("row %s holds a pair that was never issued", c.New.Key())
		return
	}
	p.stored = true
	if c.Old.Rev == 0 || p.authorized || p.user == 0 {
		return
	}
	old := x.pairOf(c.Old)
	same := x.procore.mode == procoretest.Return // the same pair may be given out again
	if p.prev != old && !(same && c.New.LastAttempt == "") {
		x.problem("row %s: %s replaced a pair that it was not got for (R8)", c.New.Key(), p.access)
	}
}

// checkEnd: a disconnection ends the generation that it was asked for, not a
// newer authorization.
func (x *run) checkEnd(c invariants.Change) {
	if c.New.State == "disconnected" && c.Old.State != "disconnected" && !x.asked[c.Old.Generation] {
		x.problem("row %s: generation %d was disconnected, and nobody asked for that", c.New.Key(), c.Old.Generation)
	}
}

// checkInTime: when a token's sending begins, its claim has not ended, by the
// clock on the wall, unless the row has moved on.
func (x *run) checkInTime(ctx context.Context, token string) {
	w, _ := ctx.Value(workerKey{}).(*worker)
	if x.procore.byToken[token] == nil || w == nil {
		return
	}
	attempt := x.ledgerOf(token)
	for _, r := range x.rows {
		if attempt != "" && r.Attempt == attempt && x.now().Add(w.proc.skew).UnixMilli() > max(r.ClaimUntil, 1) {
			x.problem("%s sends %s after its claim has ended", w.name, token)
		}
	}
}

// checkRescue: a pair goes to the rescue queue when the time for storage is
// over, unless its row has moved on.
func (x *run) checkRescue(ctx context.Context, r Rescued) {
	row := x.row(r.Key)
	end, ok := ctx.Deadline()
	if ok && time.Until(end) > rescueTime+2*time.Second && row.Generation == r.Generation && row.Attempt == r.Attempt {
		x.problem("R2: storage was given up %v before the end", time.Until(end))
	}
}

// checkArrival: when a new pair arrives, there is time to store it, or to hand it
// to the rescue queue.
func (x *run) checkArrival(ctx context.Context) {
	if end, ok := ctx.Value(invocationEnd{}).(time.Time); ok && time.Until(end) < storeTime+rescueTime {
		x.problem("R2: a new pair arrives %v before the end of the invocation", time.Until(end))
	}
}

// checkAnswer: what a caller gets is a token that was issued and lives, or an
// error that says what to do. It is checked when the worker waits again.
func (x *run) checkAnswer(w *worker, key Key, a Access, err error) {
	if !w.proc.dead.Load() {
		w.set(func() { w.answers = append(w.answers, func() { x.checkAnswerNow(w, key, a, err) }) })
	}
}

func (x *run) checkAnswerNow(w *worker, key Key, a Access, err error) {
	if err != nil {
		for _, sentinel := range []error{ErrNotFound, ErrReauthorize, ErrDisconnected, ErrRevoked, ErrNotInstalled, ErrTryAgain} {
			if errors.Is(err, sentinel) {
				x.note("  %s: %v", w.name, sentinel)
				return
			}
		}
		x.problem("%s: an error without a decision: %v", w.name, err)
		return
	}
	p := x.procore.byToken[a.Bearer().Reveal()]
	r := x.row(key)
	switch {
	// While storage cannot be read, a living token in memory is good.
	case !r.Usable() && x.events["storage goes away"]+x.events["fault refused"] == 0 && w.began.After(time.Unix(r.ReasonAt, 0).Add(recheck+2*exploreSkew)):
		x.problem("%s got a token of a connection that had been %s for longer than a process may not know it", w.name, r.State)
	case p == nil:
		x.problem("%s got a token that was never issued", w.name)
	case x.events["long"] == 0 && x.now().After(p.expires.Add(2*exploreSkew+2*time.Second)):
		x.problem("%s got an access token that had ended", w.name)
	default:
		x.note("  %s: generation %d", w.name, a.Generation)
	}
}

// settle is what follows each schedule: storage and Procore are well, late
// operations arrive, housekeeping does its work. Then everything must be in
// order.
func (x *run) settle(ctx context.Context) {
	x.calm, x.procore.down = true, ""
	x.outage.Store(false)
	for len(x.late) > 0 {
		x.arrive(0)
	}
	time.Sleep(maxWork + 2*skew + time.Second)
	s := x.process(99).store
	if err := s.Probe(ctx); err != nil {
		x.problem("the probe of a healthy endpoint: %v", err)
	}
	for _, message := range x.queue {
		r, err := ParseRescued(message)
		if err != nil {
			x.problem("%v", err)
			continue
		}
		if err := s.Restore(ctx, r); err != nil {
			x.problem("a rescued pair is not taken: %v", err)
		}
	}
	x.checkLost()
	for _, key := range x.keys() {
		x.checkTruth(ctx, s, key)
	}
	time.Sleep(2 * time.Hour)
	for _, key := range x.keys() {
		x.checkWorks(ctx, key)
	}
	x.checkTables()
}

func (x *run) keys() []Key {
	var all []Key
	for _, r := range x.rows {
		all = append(all, rowKey(r))
	}
	slices.SortFunc(all, func(a, b Key) int { return int(a.CompanyID - b.CompanyID) })
	return all
}

// row is the connection as it is stored.
func (x *run) row(key Key) invariants.Row {
	for _, r := range x.rows {
		if rowKey(r) == key {
			return r
		}
	}
	return invariants.Row{}
}

// checkLost is R2: a pair that reached a process was stored in a row, or is
// revoked since no row wants it, unless its process died or storage and rescue
// both refused it.
func (x *run) checkLost() {
	for _, p := range x.procore.pairs {
		if p.prev == nil || p.holder == nil || p.stored || p.revoked || p.spent {
			continue
		}
		if !p.holder.proc.dead.Load() && p.excuse == "" {
			x.problem("R2: %s was received by %s and is lost", p.access, p.holder.name)
		}
	}
}

// harmless says that nothing happened that leaves a doubt whether a token was
// spent: no claim without a known end.
func (x *run) harmless() bool {
	for name, n := range x.events {
		if n > 0 && !slices.Contains([]string{"fault unreachable", "fault noRefresh", "fault 503", "fault 429", "fault invalid_client"}, name) {
			return false
		}
	}
	return true
}

// checkTruth: the state of a row is true.
func (x *run) checkTruth(ctx context.Context, s *Store, key Key) {
	_, err := s.Refresh(ctx, key, early) // also of a pair that is valid for a short time
	r := x.row(key)
	if r.Claimed() {
		x.problem("row %s: a claim outlives its time", r.Key())
	}
	if r.State == "revoking" {
		if err := s.Revoke(ctx, key, "housekeeping"); err != nil {
			x.problem("row %s: the revocation does not end: %v", r.Key(), err)
		}
		r = x.row(key)
	}
	p := x.pairOf(r)
	decisions := map[string]error{"reauthorize": ErrReauthorize, "disconnected": ErrDisconnected, "revoked": ErrRevoked}
	if want := decisions[r.State]; want != nil && !errors.Is(err, want) {
		x.problem("row %s is %s, and Token says %v", r.Key(), r.State, err)
	}
	if p == nil || p.user == 0 {
		return
	}
	excused := x.events["backup"] > 0 || x.events["copies"] > 0 || x.events["kill"] > 0
	// A revocation that races an authorization may end the pair that the
	// authorization was given, if Procore gives out a living one again.
	excused = excused || p.again && p.revoked
	if r.State == "active" && !p.live() && !excused {
		x.problem("row %s is active, and its pair is not live (presented %d, revoked %t)", r.Key(), p.presented, p.revoked)
	}
	if (r.State == "reauthorize" || r.State == "uncertain") && p.live() && p.refresh != "" && p.presented == 0 && x.harmless() {
		x.problem("row %s is %s without need: %s", r.Key(), r.State, r.Reason)
	}
}

// checkWorks: an active connection can be refreshed, and gives a token that
// Procore takes.
func (x *run) checkWorks(ctx context.Context, key Key) {
	r := x.row(key)
	p := x.pairOf(r)
	a, err := x.process(99).store.Token(ctx, key)
	switch {
	case r.State != "active" || p == nil:
	case p.user != 0 && p.refresh == "": // good until its access token expired
		if err != nil && !errors.Is(err, ErrReauthorize) {
			x.problem("row %s has a pair without a refresh token: %v", r.Key(), err)
		}
	case p.live() && p.presented == 0 && err != nil:
		x.problem("row %s was active, and does not work: %v", r.Key(), err)
	case err == nil:
		if q := x.procore.byToken[a.Bearer().Reveal()]; q == nil || q.revoked || x.now().After(q.expires) {
			x.problem("row %s gives a token that Procore does not take", r.Key())
		}
	}
}

// checkTables: what is stored in the end is in order, and every token that was
// sent is in the ledger.
func (x *run) checkTables() {
	for _, p := range invariants.CheckTables(x.items(connectionsTable), x.items(spendsTable), x.now().Add(exploreSkew)) {
		if x.events["backup"] == 0 {
			x.problem("%s", p)
		}
	}
	for _, p := range x.procore.pairs {
		if p.presented > 0 && x.ledgerOf(p.refresh) == "" {
			x.problem("%s was sent and is not in the ledger", p.refresh)
		}
	}
}
