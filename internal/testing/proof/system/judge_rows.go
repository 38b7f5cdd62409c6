package system

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"procore-connect/internal/connect/session"
	"procore-connect/internal/invariants"
	"procore-connect/internal/testing/proof/simulation"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/tokens"
)

// wrote checks each write.
func (j *judge) wrote(by, table string, i invariants.Item) {
	j.costs.wrote(table)
	j.versions.wrote(by, table, i)
	switch {
	case table == inboxTable:
		late := j.stored.late
		if j.stored.wrote(i); j.stored.late > late {
			j.Happened("late delivery of a reconciled change")
		}
	case table == connectionsTable:
		j.items.wrote(i)
		j.turned(i)
	case table == grants && invariants.IsGrant(i):
		j.granted(by, i)
	case table == sessions:
		j.signIns.wrote(by, i, j.signedIn(i), j.pairs.held[prefix+text(i, "principal")])
	}
	if table != inboxTable { // which has what Procore sent
		j.output.row(by, table, i)
	}
}

// granted checks a write of a grant.
func (j *judge) granted(by string, i invariants.Item) {
	row, err := invariants.RowOf(i)
	if err != nil {
		j.Problem("%v", err)
		return
	}
	c := invariants.Change{Old: j.rows[row.Key()], New: row}
	j.rows[row.Key()] = row
	if row.Claimed() && !row.Revoking() && len(j.claimed) > 0 {
		j.begun(claim{row.Grant, by})
	}
	if c.Old.Rev == 0 && restores(by) {
		j.pairs.held[row.Key()] = j.holds(row)
		j.holdings.wrote(row.Key(), nil, row.Holders)
		return // it is no write of the protocol
	}
	for _, p := range invariants.CheckChange(c) {
		j.Problem("%s: %s", by, p)
	}
	if t := c.Transition(); t != "" {
		j.seen[t] = true
	}
	pair := j.holds(row)
	j.pace.wrote(by, c)
	j.late.wrote(by, c, j.pairs.held[row.Key()], pair)
	j.holdings.wrote(row.Key(), c.Old.Holders, row.Holders)
	var in sandbox
	p := j.sandboxOf(by)
	if p != nil {
		in = p
	}
	j.sends.wrote(by, in, c, pair)
	j.pairs.wrote(c, pair)
	if p != nil {
		j.strikes(p, c)
	}
}

// strikes lets a trouble happen to a sandbox that has just claimed a grant, before it learns that it has.
func (j *judge) strikes(p *simulation.Process, c invariants.Change) {
	if j.strike != nil && c.New.Claimed() && !c.Old.Claimed() && !j.Calm() {
		strike := j.strike
		j.strike = nil
		strike(p)
	}
}

// sandboxOf returns the sandbox of a function that an actor is, or nil.
func (j *judge) sandboxOf(name string) *simulation.Process {
	for _, f := range j.functions {
		for _, p := range f.Processes() {
			if simulation.ActorOf(p.Context()).Name == name {
				return p
			}
		}
	}
	return nil
}

// rescuedPair returns the pair that a message of the rescue queue has.
func (j *judge) rescuedPair(r tokens.Rescued) *simulation.Pair {
	return j.open(string(r.Principal), r.Generation+1, keys.Sealed{KeyID: r.SealKey, Ciphertext: r.Sealed})
}

// claim is a refresh that has begun.
type claim struct{ grant, by string }

// begun tells those who wait that a refresh has begun. Its sandbox freezes for a second, so that it is not over before
// they do something.
func (j *judge) begun(c claim) {
	c.freezes(j.system, time.Second)
	for _, waits := range j.claimed {
		waits <- c
	}
	j.claimed = nil
}

// holds returns the pair that a grant has, nil if it has none.
func (j *judge) holds(r invariants.Row) *simulation.Pair {
	return j.open(strings.TrimPrefix(r.Grant, prefix), r.Generation, keys.Sealed{KeyID: r.SealKey, Ciphertext: r.Sealed})
}

// prefix begins the keys of the environment's rows.
const prefix = "custom#"

// open opens what is sealed for a grant.
func (j *judge) open(principal string, generation int64, s keys.Sealed) *simulation.Pair {
	return j.unseal(s, keys.Place{Table: "grants", Key: principal, Generation: generation})
}

// awaits reports whether a pair is in the rescue queue.
func (j *judge) awaits(pair *simulation.Pair) bool {
	return slices.ContainsFunc(slices.Concat(j.Queues.Messages(simulation.RescueQueue), j.Queues.Messages(simulation.RescueDeadQueue)), func(m simulation.Message) bool {
		r, err := tokens.ParseRescued([]byte(m.Body))
		return err == nil && j.rescuedPair(r) == pair
	})
}

// await lets one wait for a late pair that its grant does not take.
func (j *judge) await(arrives chan<- claim) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stale = append(j.stale, arrives)
}

// superseded learns from a line of a log that a late pair is not stored. Its sandbox may freeze then.
func (j *judge) superseded(by *simulation.Process) {
	for _, waits := range j.stale {
		waits <- claim{}
		if j.Swarm().Has("sandboxes freeze with a late pair") {
			by.Freeze(30 * time.Second)
		}
	}
	j.stale = nil
}

// signedIn returns the pair that a session has, nil if it has none.
func (j *judge) signedIn(i invariants.Item) *simulation.Pair {
	if session.Status(text(i, "status")) != session.Authorized {
		return nil // what is sealed before is the verifier
	}
	s := keys.Sealed{KeyID: text(i, "seal_key"), Ciphertext: i["sealed"].B}
	return j.unseal(s, keys.Place{Table: "sessions " + string(session.Authorized), Key: text(i, "session")})
}

// unseal opens what is sealed for a place of this environment and client.
func (j *judge) unseal(s keys.Sealed, at keys.Place) *simulation.Pair {
	if len(s.Ciphertext) == 0 {
		return nil
	}
	if text := j.Secrets.Value("keys"); text != j.rings {
		ring, err := keys.Parse(text)
		must(err)
		j.ring, j.rings = ring, text
	}
	at.Environment, at.Client = strings.TrimSuffix(prefix, "#"), tokens.ClientHash(clientID)
	t, err := j.ring.Open(s, at)
	if err != nil {
		j.Problem("the pair of %s does not open: %v", at.Key, err)
		return nil
	}
	return j.procore.ByToken(t.AccessToken.Reveal())
}

// claims returns how many refreshes are in flight.
func (j *judge) claims() (n int) {
	for _, r := range j.rows {
		if r.Claimed() && !r.Revoking() {
			n++
		}
	}
	return n
}

// restored learns that an operator restored tables from a backup: rows are not what they
// were.
func (j *judge) restored() {
	clear(j.rows)
	j.pairs.restored()
	j.sends.forget()
	j.versions.restored(connectionsTable, j.Tables.Items(connectionsTable))
	all := j.Tables.Items(grants)
	j.versions.restored(grants, all)
	j.holdings.restored(all)
	j.late.restored()
	for _, i := range all {
		if row, err := invariants.RowOf(i); err == nil && invariants.IsGrant(i) {
			j.rows[row.Key()] = row
			j.pairs.held[row.Key()] = j.holds(row)
		}
	}
}

// lossy reports whether rows were lost, or replaced by older ones.
func (j *judge) lossy() bool {
	e := j.World.Events()
	return e["trouble rows lost"]+e["trouble tables reverted"] > 0
}

// held reports whether a grant is held for a company.
func held(company int64, grants []invariants.Item) bool {
	return slices.ContainsFunc(grants, func(g invariants.Item) bool { return slices.Contains(g["holders"].SS, strconv.FormatInt(company, 10)) })
}
