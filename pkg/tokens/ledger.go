package tokens

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
)

// ledgerLife is how long the ledger knows a spent token.
const ledgerLife = 400 * 24 * time.Hour

// maxPairAge is how old a pair may be whose refresh token is sent. The ledger may have
// forgotten an older one: a row comes back from a backup of any age. A pair in use is
// replaced after 90 minutes, an idle one after 30 days.
const maxPairAge = ledgerLife - 30*24*time.Hour

// ledger is the part of a claim, and of its release, that is about the refresh
// token's value: rows of the Spends table. The table is what makes R1 hold for a
// value, whatever happens to the rows that hold it.
type ledger struct {
	table        string
	fingerprints []string
}

// ledger of the connection's refresh token; empty for a service account.
func (r *refresh) ledger() ledger {
	l := ledger{table: r.Spends}
	if r.key.Principal != App {
		l.fingerprints = r.keys.fingerprints(r.pair.RefreshToken)
	}
	return l
}

// spend enters the token as sent by the attempt of c. It fails if it was entered
// before.
func (l ledger) spend(c Connection, now time.Time) []types.TransactWriteItem {
	var all []types.TransactWriteItem
	for _, f := range l.fingerprints {
		item := c.Key.primaryKey() // for the operator; not a key in this table
		item["fingerprint"] = dynamo.Text(f)
		item["attempt"] = dynamo.Text(c.attempt)
		item["spent_at"] = dynamo.Seconds(now)
		item["ttl"] = dynamo.Seconds(now.Add(ledgerLife))
		all = append(all, new(dynamo.Expression).Absent("fingerprint").Put(l.table, item))
	}
	return all
}

// unspend takes the token out again, if this attempt entered it.
func (l ledger) unspend(attempt string) []types.TransactWriteItem {
	var all []types.TransactWriteItem
	for _, f := range l.fingerprints {
		all = append(all, new(dynamo.Expression).Equal("attempt", dynamo.Text(attempt)).Delete(l.table, spendsKey(f)))
	}
	return all
}

// spendsKey is the key of a fingerprint.
func spendsKey(fingerprint string) dynamo.Item {
	return dynamo.Item{"fingerprint": dynamo.Text(fingerprint)}
}
