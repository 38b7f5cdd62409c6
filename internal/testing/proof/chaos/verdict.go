//go:build unix

package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"procore-connect/internal/invariants"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
	"procore-connect/pkg/tokens"
)

// verdict is the result of a run, from its records.
type verdict struct {
	w    *world
	ring *keys.Ring

	settled, breakerAfter time.Duration

	rows   map[string][]*write                 // each row's writes by revision
	final  map[string]invariants.Row           // the table
	pairs  map[*write]procore.Token            // the pair that a write stored
	stored map[string][]*write                 // refresh token -> writes that stored its pair
	claims map[string]*write                   // attempt -> its claim
	issued map[string]procoretest.RefreshToken // by refresh token
	seen   invariants.Transitions
	unseen []string

	finals, lost, fates  counter
	connections          counter
	refreshes, sentLate  int
	outlived, storedLate int // claims that expired while their process was stopped; pairs that were stored after that

	violations []violation
}

// violation is a broken rule, and the row that shows it or "".
type violation struct{ row, text string }

func (v *verdict) add(row, format string, args ...any) {
	v.violations = append(v.violations, violation{row, fmt.Sprintf(format, args...)})
}

// judge checks all records.
func (v *verdict) judge(ctx context.Context) error {
	v.pairs, v.stored, v.claims = map[*write]procore.Token{}, map[string][]*write{}, map[string]*write{}
	v.final, v.rows, v.seen = map[string]invariants.Row{}, map[string][]*write{}, invariants.Transitions{}
	var err error
	if v.ring, err = v.w.ring(ctx, true); err != nil {
		return err
	}
	grants, err := v.w.scan(ctx, v.w.names.Grants)
	if err != nil {
		return err
	}
	connections, err := v.w.scan(ctx, v.w.names.Connections)
	if err != nil {
		return err
	}
	spends, err := v.w.scan(ctx, v.w.names.Spends)
	if err != nil {
		return err
	}
	for _, text := range invariants.CheckTables(grants, spends, time.Now()) {
		v.add("", "%s", text)
	}
	for _, i := range grants {
		if r, err := invariants.RowOf(i); err == nil && invariants.IsGrant(i) {
			v.final[r.Key()] = r
		}
	}
	v.judgeHistory()
	v.judgeConnections(connections, grants)
	v.judgePresentations()
	v.judgeSends()
	v.judgeLosses()
	v.judgeRescues()
	for _, p := range v.w.people {
		v.judgeFinal(ctx, p)
	}
	v.w.mu.Lock()
	defer v.w.mu.Unlock()
	for _, f := range v.w.violations {
		v.add("", "%s", f)
	}
	return nil
}

// judgeHistory checks all writes of each row, in order.
func (v *verdict) judgeHistory() {
	for row, writes := range v.w.storage.writes {
		slices.SortStableFunc(writes, func(a, b *write) int { return int(a.row.Rev - b.row.Rev) })
		var chain []*write
		before := invariants.Row{}
		for _, w := range writes {
			if len(chain) > 0 && w.row.Rev == before.Rev && sameWrite(w.row, before) {
				continue // a transaction repeated by the SDK, which took effect once
			}
			if !w.restored {
				v.change(row, invariants.Change{Old: before, New: w.row})
			}
			if w.row.Claimed() && !before.Claimed() {
				v.claims[w.row.Attempt] = w
			}
			v.countOutlived(before, w)
			if w.row.Generation != before.Generation || w.restored {
				v.unseal(row, w)
			} else if p, ok := v.pairOf(chain); ok {
				v.pairs[w] = p
			}
			chain, before = append(chain, w), w.row
		}
		v.rows[row] = chain
		if v.final[row].Rev != before.Rev {
			v.add(row, "the table has revision %d, but the last confirmed write had %d", v.final[row].Rev, before.Rev)
		}
	}
	v.compareTransitions()
}

func (v *verdict) change(row string, c invariants.Change) {
	for _, text := range invariants.CheckChange(c) {
		v.add(row, "%s", text)
	}
	if t := c.Transition(); t != "" && c.New.Grant != environment+"#"+string(tokens.App) {
		v.seen[t] = true
	}
}

// countOutlived counts the claims that expired while their process was stopped, and the pairs stored after that.
func (v *verdict) countOutlived(before invariants.Row, w *write) {
	claim := v.claims[before.Attempt]
	if claim == nil || claim.p == nil || w.row.Generation == before.Generation && w.row.Attempt != "" && !before.Claimed() {
		return
	}
	end := time.UnixMilli(claim.row.ClaimUntil)
	claim.p.mu.Lock()
	stopped := overlap(claim.p.stops, end.Add(-time.Second), end.Add(time.Second))
	claim.p.mu.Unlock()
	switch {
	case before.Claimed() && !w.row.Claimed() && stopped:
		v.outlived++
	case w.row.LastAttempt == before.Attempt && w.row.Generation > before.Generation && !before.Claimed():
		v.storedLate++
	}
}

// sameWrite reports whether two records are of the same write.
func sameWrite(a, b invariants.Row) bool {
	return a.Attempt == b.Attempt && a.State == b.State && a.Generation == b.Generation && string(a.Sealed) == string(b.Sealed)
}

func (v *verdict) pairOf(chain []*write) (procore.Token, bool) {
	if len(chain) == 0 {
		return procore.Token{}, false
	}
	p, ok := v.pairs[chain[len(chain)-1]]
	return p, ok
}

// unseal unseals the pair that a write stored.
func (v *verdict) unseal(row string, w *write) {
	if len(w.row.Sealed) == 0 {
		return
	}
	pair, err := v.ring.Open(keys.Sealed{KeyID: w.row.SealKey, Ciphertext: w.row.Sealed}, place(row, w.row.Generation))
	if err != nil {
		v.add(row, "generation %d cannot be opened: %v", w.row.Generation, err)
		return
	}
	v.pairs[w] = pair
	if f := fingerprint(pair); f != "" {
		v.stored[f] = append(v.stored[f], w)
	}
}

// place returns where the pair of a grant is sealed for.
func place(row string, generation int64) keys.Place {
	principal, _ := strings.CutPrefix(row, environment+"#")
	return keys.Place{Environment: environment, Client: tokens.ClientHash(clientID), Table: "grants", Key: principal, Generation: generation}
}

// fingerprint names a pair by its refresh token.
func fingerprint(t procore.Token) string {
	if t.RefreshToken.IsZero() {
		return ""
	}
	return procoretest.Fingerprint(t.RefreshToken.Reveal())
}

// judgePresentations checks R1, by our own count and by the fake's.
func (v *verdict) judgePresentations() {
	times := map[string]int{}
	for _, c := range v.w.provider.calls {
		if c.token != "" {
			times[c.token]++
		}
		if c.pair != "" && !c.revoke && c.token != "" {
			v.refreshes++
		}
	}
	v.issued = map[string]procoretest.RefreshToken{}
	for _, t := range v.w.provider.fake.State().RefreshTokens {
		times[t.Fingerprint] = max(times[t.Fingerprint], t.Presented)
		v.issued[t.Fingerprint] = t
	}
	for token, n := range times {
		if n <= 1 {
			continue
		}
		row := ""
		if owners := v.w.provider.owners[token]; len(owners) > 0 {
			row = owners[0]
		}
		v.add(row, "R1: refresh token %s was presented %d times", token, n)
	}
}

// judgeSends checks for each sent refresh token that its sender held a claim for it
// that had not expired.
func (v *verdict) judgeSends() {
	for _, c := range v.w.provider.calls {
		owners := v.w.provider.owners[c.token]
		if c.token == "" || len(owners) == 0 {
			continue
		}
		claim := v.claimFor(c)
		switch {
		case claim == nil:
			v.add(owners[0], "%s sent refresh token %s without a claim of its row", c.p.name, c.token)
		case c.at.UnixMilli() <= claim.row.ClaimUntil:
		case c.accepted.UnixMilli() > claim.row.ClaimUntil:
			v.add(claim.row.Key(), "%s sent refresh token %s after its claim had expired", c.p.name, c.token)
		default:
			v.sentLate++ // it was stopped between its check of the clock and the first byte
		}
	}
}

func (v *verdict) claimFor(c *call) *write {
	var best *write
	for _, w := range v.claims {
		if w.p == c.p && fingerprint(v.pairs[w]) == c.token && (best == nil || w.at.After(best.at)) {
			best = w
		}
	}
	return best
}

// judgeRescues checks that no rescued pair is lost.
func (v *verdict) judgeRescues() {
	for _, r := range v.w.rescues {
		row := r.Environment + "#" + string(r.Principal)
		pair, err := v.ring.Open(keys.Sealed{KeyID: r.SealKey, Ciphertext: r.Sealed}, place(row, r.Generation+1))
		f := fingerprint(pair)
		switch {
		case r.Principal == tokens.App: // nothing was spent for it
		case err != nil:
			v.add(row, "a rescued pair cannot be opened: %v", err)
		case len(v.stored[f]) > 0:
			v.fates.add("rescued and stored")
		case len(v.w.provider.revoked[f]) > 0:
			v.fates.add("rescued and revoked because its grant was revoked")
		case v.superseded(row, r.Attempt, r.Generation):
			v.fates.add("rescued and dropped because its grant had moved on")
		default:
			v.add(row, "R2: pair %s, which %s had rescued, was neither stored nor revoked, and its grant has not moved on", f, r.p.name)
		}
	}
}

// works checks that the API accepts an access token. company is for the service
// account, which must name one; a 403 is then the company's refusal of a valid token.
func (v *verdict) works(ctx context.Context, access procore.Secret, company int64) error {
	oauth, err := v.w.store.Tokens.OAuth.Get(ctx)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, oauth.Environment.APIURL+"/rest/v1.0/me", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+access.Reveal())
	if company != 0 {
		req.Header.Set("Procore-Company-Id", strconv.FormatInt(company, 10))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK && (company == 0 || resp.StatusCode != http.StatusForbidden) {
		return fmt.Errorf("the API answers %d", resp.StatusCode)
	}
	return nil
}
