package tokens

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
)

// LedgerLife is how long the ledger knows a spent token, under each key that the ring had when it was spent.
const LedgerLife = 400 * 24 * time.Hour

// maxPairAge is how old a pair may be whose refresh token is sent. The ledger may have
// forgotten an older one: a row comes back from a backup of any age. A pair in use is
// replaced after 90 minutes, an idle one after 30 days.
const maxPairAge = LedgerLife - 30*24*time.Hour

// ledger is the part of a claim, and of its release, that is about the refresh
// token's value: rows of the Spends table. The table is what makes R1 hold for a
// value, whatever happens to the rows that hold it.
type ledger struct {
	table        string
	grant        string // the row's key, for the operator
	fingerprints []string
}

// ledger returns the part of a grant's claim that is about this refresh token. It is
// empty for a pair without one, and for the app, which sends none.
func (s *Store) ledger(p Principal, ring *keys.Ring, refreshToken procore.Secret) ledger {
	if p == App {
		return ledger{}
	}
	return ledger{s.Spends, s.Environment.Name + "#" + string(p), ring.Fingerprints(refreshToken)}
}

// spend enters the token as sent by the attempt. It fails if it was entered before.
func (l ledger) spend(attempt string, now time.Time) (all []types.TransactWriteItem) {
	for _, f := range l.fingerprints {
		item := l.entry(attempt, now)
		item["fingerprint"] = dynamo.Text(f)
		all = append(all, new(dynamo.Expression).Absent("fingerprint").Put(l.table, item))
	}
	return all
}

// enter enters the token unless it was entered before: no refresh sends it from now on.
func (l ledger) enter(attempt string, now time.Time) (all []types.TransactWriteItem) {
	for _, f := range l.fingerprints {
		all = append(all, new(dynamo.Expression).SetAbsent(l.entry(attempt, now)).Update(l.table, spendsKey(f)))
	}
	return all
}

// keep enters the token whether or not it was entered before: no release takes it out
// from now on.
func (l ledger) keep(attempt string, now time.Time) (all []types.TransactWriteItem) {
	for _, f := range l.fingerprints {
		all = append(all, new(dynamo.Expression).Set(l.entry(attempt, now)).Update(l.table, spendsKey(f)))
	}
	return all
}

func (l ledger) entry(attempt string, now time.Time) dynamo.Item {
	return dynamo.Item{
		"grant": dynamo.Text(l.grant), "attempt": dynamo.Text(attempt),
		"spent_at": dynamo.Seconds(now), "ttl": dynamo.Seconds(now.Add(LedgerLife)),
	}
}

// absent are the conditions that the token was never entered.
func (l ledger) absent() (all []types.TransactWriteItem) {
	for _, f := range l.fingerprints {
		all = append(all, new(dynamo.Expression).Absent("fingerprint").Check(l.table, spendsKey(f)))
	}
	return all
}

// unspend takes the token out again, if this attempt entered it.
func (l ledger) unspend(attempt string) (all []types.TransactWriteItem) {
	for _, f := range l.fingerprints {
		all = append(all, new(dynamo.Expression).Equal("attempt", dynamo.Text(attempt)).Delete(l.table, spendsKey(f)))
	}
	return all
}

// spendsKey is the key of a fingerprint.
func spendsKey(fingerprint string) dynamo.Item {
	return dynamo.Item{"fingerprint": dynamo.Text(fingerprint)}
}
