//go:build unix

package main

import (
	"fmt"
	"strings"
	"time"
)

// judgeLosses follows each new pair from Procore's answer to where it is stored. A pair
// may be lost only for one of the reasons that R2 admits.
func (v *verdict) judgeLosses() {
	for _, c := range v.w.provider.calls {
		if c.pair == "" || c.revoke || c.token == "" {
			continue
		}
		switch {
		case len(v.stored[c.pair]) > 0:
			v.fates.add("stored")
		case len(v.w.provider.revoked[c.pair]) > 0:
			v.fates.add("revoked because its grant was revoked")
		case v.supersededBy(c):
			v.fates.add("dropped because its grant had moved on")
		default:
			why := v.excuse(c)
			if why == "" {
				row := v.w.provider.owners[c.token][0]
				v.add(row, "R2: pair %s, which %s received from Procore at %s, is lost without an admitted reason", c.pair, c.p.name, v.w.since(c.at))
				continue
			}
			v.fates.add("lost")
			v.lost.add(why)
		}
	}
}

// supersededBy reports whether the grant had moved on when the call's pair arrived.
func (v *verdict) supersededBy(c *call) bool {
	claim := v.claimFor(c)
	return claim != nil && v.superseded(claim.row.Key(), claim.row.Attempt, claim.row.Generation)
}

// superseded reports whether the grant was authorized again, or restored from a backup,
// so that an attempt's pair could not be stored. It was the same while the row's claim
// was taken by a revocation.
func (v *verdict) superseded(row, attempt string, generation int64) bool {
	claimed := false
	for _, w := range v.rows[row] {
		if w.row.Attempt == attempt && w.row.Generation == generation {
			claimed = true
		} else if claimed && (w.restored || w.row.Generation > generation || w.row.Attempt != attempt && w.row.Attempt != "" || markedRestored(w.row)) {
			return true
		}
	}
	return false
}

// excuse returns why a pair may be lost, or "" if it may not.
func (v *verdict) excuse(c *call) string {
	if !c.clean() {
		return "Procore's answer did not arrive"
	}
	end := c.done.Add(maxClaim)
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	switch {
	case !c.p.killedAt.IsZero() && c.p.killedAt.Before(end):
		return "killed before the store"
	case overlap(c.p.stops, c.at, end):
		return "stopped before the store"
	case overlap(c.p.cutDynamo, c.done, end) && overlap(c.p.cutQueue, c.done, end):
		return "table and rescue queue both refused"
	}
	return ""
}

// trouble returns what is known to have happened to a process between two times.
func (v *verdict) trouble(p *process, from, to time.Time) string {
	if p == nil {
		return ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	if k := p.killedAt; !k.IsZero() && k.After(from) && k.Before(to) {
		all = append(all, "killed")
	}
	if overlap(p.stops, from, to) {
		all = append(all, "stopped")
	}
	if overlap(p.cutDynamo, from, to) {
		all = append(all, "cut off")
	}
	for _, t := range p.connFaults {
		if t.After(from) && t.Before(to) {
			all = append(all, fmt.Sprintf("a fault on a connection to Procore at %s", v.w.since(t)))
			break
		}
	}
	return strings.Join(all, ", ")
}
