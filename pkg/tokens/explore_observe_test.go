package tokens

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"procore-connect/internal/invariants"
	"procore-connect/internal/platform/dynamo"
	"procore-connect/internal/testing/proof/simulation"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
)

// What the judge learns and checks during a schedule.

// fate returns what is known of a pair.
func (x *run) fate(p *simulation.Pair) *fate {
	if x.fates[p] == nil {
		x.fates[p] = &fate{}
	}
	return x.fates[p]
}

// observed is called after each write of an item.
func (x *run) observed(by, table string, item invariants.Item) {
	switch table {
	case grantsTable:
		x.observedGrant(by, item)
	case sessionsTable:
		x.observedSession(item)
	}
}

func (x *run) observedGrant(by string, item invariants.Item) {
	if !invariants.IsGrant(item) {
		x.suspects()
		return
	}
	row, err := invariants.RowOf(item)
	if err != nil {
		x.Problem("%v", err)
		return
	}
	old := x.rows[row.Key()]
	x.rows[row.Key()] = row
	if x.restoring {
		return
	}
	c := invariants.Change{Old: old, New: row}
	x.changes = append(x.changes, c)
	x.Note("  row %s rev %d generation %d %s, holders %v %s by %s",
		row.Key(), row.Rev, row.Generation, row.State, row.Holders, c.Transition(), by)
	for _, p := range append(invariants.CheckChange(c), invariants.CheckRow(row, x.Now().Add(exploreSkew))...) {
		if x.Events()["backup"] == 0 {
			x.Problem("%s", p)
		}
	}
	x.checkPair(c)
	x.checkDoubt(c)
}

// observedSession is called when a session is stored, and when its pair was moved.
func (x *run) observedSession(item invariants.Item) {
	for _, f := range x.flows {
		if f.id != *item["session"].S {
			continue
		}
		f.kept = true
		if *item["status"].S == "pending" {
			x.end(f, moved)
			x.checkMoved(f)
		}
	}
}

// moved is the end of a flow whose pair the grant was offered.
const moved = "moved"

// pairOf opens what a row holds.
func (x *run) pairOf(r invariants.Row) *simulation.Pair {
	if len(r.Sealed) == 0 {
		return nil
	}
	s := x.stores[0]
	place := s.place(Grant{Principal: principalOf(r), client: ClientHash("fake-client-id")}, r.Generation)
	pair, err := x.newest.Open(keys.Sealed{KeyID: r.SealKey, Ciphertext: r.Sealed}, place)
	if err != nil {
		x.Problem("row %s: the pair does not open: %v", r.Key(), err)
		return nil
	}
	return x.procore.ByToken(pair.AccessToken.Reveal())
}

func principalOf(r invariants.Row) Principal {
	return Principal(strings.TrimPrefix(r.Grant, "custom#"))
}

// row is the grant as it is stored.
func (x *run) row(p Principal) invariants.Row { return x.rows["custom#"+string(p)] }

// confirm notes that a process was told that it holds a claim.
func (x *run) confirm(a *simulation.Actor, operation string, mentions func(string) bool) {
	for _, r := range x.rows {
		if r.Claimed() && (operation == "TransactWriteItems" && mentions(r.Attempt) || operation == "GetItem" && mentions(r.Grant)) {
			x.confirmed[fmt.Sprint(a.Process.ID(), r.Attempt)] = true
		}
	}
}

// checkPair: a row's pair is replaced by an authorization, or by the pair that it was
// spent for, and by nothing else (R8). An authorization does not replace one that is
// newer and good.
func (x *run) checkPair(c invariants.Change) {
	if slices.Equal(c.Old.Sealed, c.New.Sealed) || len(c.New.Sealed) == 0 {
		return
	}
	p, old := x.pairOf(c.New), x.pairOf(c.Old)
	if p == nil {
		x.Problem("row %s holds a pair that was never issued", c.New.Key())
		return
	}
	x.fate(p).stored = true
	switch {
	case c.Old.Rev == 0 || p.User == 0:
	case c.New.LastAttempt != "":
		if p.Prev != old {
			x.Problem("row %s: %s replaced a pair that it was not received for (R8)", c.New.Key(), p.Access)
		}
	case p.Authorizations == 0:
		x.Problem("row %s: %s was authorized by no one (R8)", c.New.Key(), p.Access)
	case old != nil && c.Old.State == "active" && old.Live() && !p.Live() && x.Events()["backup"] == 0:
		x.Problem("row %s: %s, which is dead, replaced %s, which is good", c.New.Key(), p.Access, old.Access)
	}
	if c.New.LastAttempt == "" {
		x.fenced[c.Old.Attempt] = true
		for _, one := range x.requests {
			x.fenced[one.attempt] = true // its pair is stored, or arrives too late
		}
	}
}

// checkDoubt: no doubt is decided before a late store had its time, unless Procore has
// decided it. The clocks differ a little.
func (x *run) checkDoubt(c invariants.Change) {
	old := c.Old
	if old.State != "uncertain" || old.Claimed() || c.New.State != "reauthorize" || x.Events()["backup"] > 0 {
		return
	}
	if t := x.fate(x.pairOf(old)); t.rejected || t.refused {
		return
	}
	if since := x.Now().Sub(time.Unix(old.ReasonAt, 0)); since < uncertainFor-2*exploreSkew {
		x.Problem("row %s: a doubt was decided after %v", old.Key(), since)
	}
}

// checkMoved: the pair that a grant has after an authorization is no worse than the one
// that the user just got.
func (x *run) checkMoved(f *flow) {
	r := x.row(User(f.user))
	p := x.pairOf(r)
	switch {
	case x.Events()["backup"] > 0:
	case r.State != "active":
		x.Problem("row %s: after an authorization it is %s", r.Key(), r.State)
	case p == f.pair && r.Claimed():
		x.Problem("row %s: %s was moved while its refresh token was claimed", r.Key(), f.pair.Access)
	case p != nil && p != f.pair && f.pair.Live() && !p.Live() && !r.Claimed():
		x.Problem("row %s: %s is good, and was dropped for %s, which is dead", r.Key(), f.pair.Access, p.Access)
	}
}

// checkInTime: when a token's sending begins, its claim has not expired, by the clock on
// the wall, unless the row has moved on.
func (x *run) checkInTime(q *simulation.Request, p *simulation.Pair) {
	attempt := x.ledgerOf(p.Refresh)
	if q.Actor == nil || attempt == "" {
		return
	}
	for _, r := range x.rows {
		if r.Attempt == attempt && x.Now().Add(q.Actor.Process.Skew()).UnixMilli() > max(r.ClaimUntil, 1) {
			x.Problem("%s sends %s after its claim has expired", q.Actor.Name, p.Refresh)
		}
	}
}

// presented is called when a refresh token was sent: R1, and one refresh per lifetime of
// the access token, for all holders.
func (x *run) presented(q *simulation.Request, p *simulation.Pair) {
	attempt := x.ledgerOf(p.Refresh)
	one := presentation{token: p.Refresh, attempt: attempt, confirmed: true}
	if q.Actor != nil {
		one.confirmed = x.confirmed[fmt.Sprint(q.Actor.Process.ID(), attempt)]
	}
	x.requests = append(x.requests, one)
	for _, problem := range checkPresented(x.requests) {
		x.Problem("%s", problem)
	}
	x.fate(p).refused = !p.Live()
	if x.failsAfterSending {
		x.failsAfterSending = false
		x.Happened("storage goes away")
		x.Tables.Outage(true)
		time.AfterFunc(25*time.Second, func() { x.Tables.Outage(false) })
	}
	now := x.Now()
	if early := p.Expires.Sub(now); early > within+2*exploreSkew && !x.fate(p).rejected {
		x.Problem("%s was refreshed %v before its end", p.Access, early)
	}
	if p.Prev != nil && p.Authorizations == 0 && now.Sub(x.fate(p.Prev).sent) < apart-2*exploreSkew {
		x.Problem("%s was refreshed %v after the refresh before", p.Access, now.Sub(x.fate(p.Prev).sent))
	}
	x.fate(p).sent = now
}

// received is called when a process reads the answer with a new pair. There is time to
// store it, or to hand it to the rescue queue.
func (x *run) received(q *simulation.Request, p *simulation.Pair) {
	t := x.fate(p)
	t.holder, t.attempt = q.Actor, ""
	if p.Prev != nil {
		t.attempt = x.ledgerOf(p.Prev.Refresh)
	}
	if end, ok := q.Context.Value(invocationEnd{}).(time.Time); ok && time.Until(end) < storeTime+rescueTime {
		x.Problem("R2: a new pair arrives %v before the end of the invocation", time.Until(end))
	}
}

// rejected is called when the API refuses an access token.
func (x *run) rejected(_ *simulation.Request, p *simulation.Pair) {
	if !x.procore.Good(p) {
		x.fate(p).rejected = true
	}
}

// checkRevocation: no pair is revoked that a held grant uses. A pair whose refresh token
// was sent before is of no use, unless its successor is under way.
func (x *run) checkRevocation(q *simulation.Request, p *simulation.Pair) {
	r := x.row(User(p.User))
	if p.User == 0 || len(r.Holders) == 0 || x.pairOf(r) != p || x.Events()["backup"] > 0 {
		return
	}
	if x.ledgerOf(p.Refresh) == "" || r.State == "active" || r.Claimed() {
		x.Problem("row %s: %s is held by %v and is being revoked", r.Key(), p.Access, r.Holders)
	}
}

// checkRescue: a pair goes to the rescue queue when the time for storage is over, unless
// its row has moved on.
func (x *run) checkRescue(ctx interface{ Deadline() (time.Time, bool) }, r Rescued) {
	row := x.row(r.Principal)
	end, ok := ctx.Deadline()
	if ok && time.Until(end) > rescueTime+2*time.Second && row.Generation == r.Generation && row.Attempt == r.Attempt {
		x.Problem("R2: storage was given up %v before the end", time.Until(end))
	}
}

// ledgerOf returns the attempt that the ledger has for a refresh token, under any key of
// the ring, or "".
func (x *run) ledgerOf(token string) string {
	for _, f := range x.newest.Fingerprints(procore.NewSecret(token)) {
		var attempt string
		if err := dynamo.Decode(x.Tables.Item(spendsTable, spendsKey(f)), func(f *dynamo.Fields) { f.Text("attempt", &attempt) }); err != nil {
			panic(err)
		}
		if attempt != "" {
			return attempt
		}
	}
	return ""
}
