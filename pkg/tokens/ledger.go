package tokens

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// ledgerLife is how long the ledger knows a spent token.
const ledgerLife = 400 * 24 * time.Hour

// ledger is the part of a claim, and of its release, that is about the refresh
// token's value: rows of the Spends table. The table is what makes R1 hold for a
// value, whatever happens to the rows that hold it.
type ledger struct {
	table        string
	fingerprints []string
	again        string // the attempt that sent it first, for the policy's second sending
}

// ledger of the connection's refresh token; empty for a service account.
func (r *refresh) ledger(c Connection) ledger {
	l := ledger{table: r.Spends}
	if r.key.Principal != App {
		l.fingerprints = r.keys.fingerprints(r.pair.RefreshToken)
	}
	if c.State == Uncertain {
		l.again = c.stateAttempt
	}
	return l
}

// spend enters the token as sent by the attempt of c. It fails if it was
// entered before; a second sending, if it was entered by another attempt than
// the first, or for the second time.
func (l ledger) spend(c Connection, now time.Time) []types.TransactWriteItem {
	var all []types.TransactWriteItem
	for _, f := range l.fingerprints {
		if l.again != "" {
			all = append(all, types.TransactWriteItem{Update: &types.Update{
				TableName:           &l.table,
				Key:                 map[string]types.AttributeValue{"fingerprint": str(f)},
				UpdateExpression:    aws.String("SET again = :again, again_at = :now"),
				ConditionExpression: aws.String("attempt = :first AND attribute_not_exists(again)"),
				ExpressionAttributeValues: map[string]types.AttributeValue{
					":again": str(c.attempt), ":first": str(l.again), ":now": seconds(now),
				},
			}})
			continue
		}
		item := c.Key.primaryKey() // for the operator; not a key in this table
		item["fingerprint"] = str(f)
		item["attempt"] = str(c.attempt)
		item["spent_at"] = seconds(now)
		item["ttl"] = seconds(now.Add(ledgerLife))
		all = append(all, types.TransactWriteItem{Put: &types.Put{
			TableName:           &l.table,
			Item:                item,
			ConditionExpression: aws.String("attribute_not_exists(fingerprint)"),
		}})
	}
	return all
}

// unspend takes the token out again, if this attempt entered it.
func (l ledger) unspend(attempt string) []types.TransactWriteItem {
	var all []types.TransactWriteItem
	for _, f := range l.fingerprints {
		key := map[string]types.AttributeValue{"fingerprint": str(f)}
		values := map[string]types.AttributeValue{":attempt": str(attempt)}
		if l.again != "" {
			all = append(all, types.TransactWriteItem{Update: &types.Update{
				TableName: &l.table, Key: key,
				UpdateExpression:          aws.String("REMOVE again, again_at"),
				ConditionExpression:       aws.String("again = :attempt"),
				ExpressionAttributeValues: values,
			}})
			continue
		}
		all = append(all, types.TransactWriteItem{Delete: &types.Delete{
			TableName: &l.table, Key: key,
			ConditionExpression:       aws.String("attempt = :attempt"),
			ExpressionAttributeValues: values,
		}})
	}
	return all
}
