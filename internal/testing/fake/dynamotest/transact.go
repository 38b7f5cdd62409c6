package dynamotest

import (
	"reflect"
	"slices"
	"time"
)

// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
const (
	maxTransactItems = 100
	tokenLife        = 10 * time.Minute
	maxTokens        = 10_000 // at this number all are forgotten
)

type transactWriteItems struct {
	TransactItems      []transactItem
	ClientRequestToken string
}

// A transactItem has one member.
type transactItem struct{ ConditionCheck, Put, Update, Delete *request }

// member returns the write and its kind. It refuses more than one, and none.
func (i transactItem) member() (kind string, r *request) {
	n := 0
	for _, m := range []struct {
		kind string
		*request
	}{{"ConditionCheck", i.ConditionCheck}, {"Put", i.Put}, {"Update", i.Update}, {"Delete", i.Delete}} {
		if m.request != nil {
			n++
			kind, r = m.kind, m.request
		}
	}
	if n != 1 {
		refuse("TransactItems can only contain one of Check, Put, Update or Delete")
	}
	return kind, r
}

// A done transaction is remembered by its token. The same request succeeds again without effect, another is refused.
type done struct {
	in transactWriteItems
	at time.Time
}

// transactWriteItems writes all items or none.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
func (s *Server) transactWriteItems(in transactWriteItems) struct{} {
	if n := len(in.TransactItems); n < 1 || n > maxTransactItems || len(in.ClientRequestToken) > 36 {
		refuse("1 validation error detected: 'transactItems' must have 1 to %d members, 'clientRequestToken' at most 36 "+
			"characters", maxTransactItems)
	}
	if s.seen(in) {
		return struct{}{}
	}
	runAll(s.prepareAll(in.TransactItems))
	if len(s.done) == maxTokens {
		clear(s.done)
	}
	if in.ClientRequestToken != "" {
		s.done[in.ClientRequestToken] = done{in, s.Now()}
	}
	return struct{}{}
}

// seen reports whether the same request was done while its token is remembered.
func (s *Server) seen(in transactWriteItems) bool {
	d, ok := s.done[in.ClientRequestToken]
	if !ok || s.Now().Sub(d.at) >= tokenLife {
		return false
	}
	if !reflect.DeepEqual(d.in, in) {
		fail("IdempotentParameterMismatchException", "The request uses the same client token as a previous, but "+
			"non-identical request.")
	}
	return true
}

// prepareAll checks each request, and that no two write the same item.
func (s *Server) prepareAll(items []transactItem) (writes []*write) {
	for _, i := range items {
		w := s.prepare(i.member())
		same := func(v *write) bool { return v.table == w.table && w.table.primary().same(v.given, w.given) }
		if slices.ContainsFunc(writes, same) {
			refuse("Transaction request cannot include multiple operations on one item")
		}
		writes = append(writes, w)
	}
	return writes
}

// runAll stores all outcomes if every write passes. Otherwise it fails with a reason for each write.
func runAll(writes []*write) {
	reasons, failed := make([]reason, len(writes)), false
	for n, w := range writes {
		failure := attempt(w.plan)
		failed = failed || failure != nil
		switch {
		case failure == nil:
			reasons[n].Code = "None"
		case failure.Code == "ConditionalCheckFailedException":
			reasons[n] = reason{"ConditionalCheckFailed", failure.Message, failure.Item}
		default:
			reasons[n] = reason{"ValidationError", failure.Message, nil}
		}
	}
	if failed {
		panic(cancelled(reasons))
	}
	for _, w := range writes {
		w.table.replace(w.old, w.updated)
	}
}
