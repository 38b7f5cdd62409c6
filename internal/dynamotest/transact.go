package dynamotest

import (
	"crypto/sha256"
	"encoding/json"
	"slices"
	"time"
)

const (
	maxTransactItems = 100
	maxTransactBytes = 4 << 20
	maxTokenLen      = 36
	tokenLife        = 10 * time.Minute
)

type transactItem struct {
	Put            *putItem
	Update         *updateItem
	Delete         *deleteItem
	ConditionCheck *deleteItem
}

// A done transaction is remembered by its token: the same request again succeeds without effect, another is refused.
type done struct {
	digest [sha256.Size]byte
	at     time.Time
}

// transactWriteItems writes all items or none.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
func (s *Server) transactWriteItems(in struct {
	TransactItems      []json.RawMessage
	ClientRequestToken string
}) any {
	if n := len(in.TransactItems); n < 1 || n > maxTransactItems || len(in.ClientRequestToken) > maxTokenLen {
		refuse("1 validation error detected: 'transactItems' must have 1 to %d members, 'clientRequestToken' at most %d "+
			"characters", maxTransactItems, maxTokenLen)
	}
	digest := digestOf(in.TransactItems)
	if s.seen(in.ClientRequestToken, digest) {
		return struct{}{}
	}
	s.runAll(s.prepareAll(in.TransactItems))
	if in.ClientRequestToken != "" {
		s.done[in.ClientRequestToken] = done{digest, s.now()}
	}
	return struct{}{}
}

// digestOf does not depend on the order in which a client wrote the members of an object.
func digestOf(items []json.RawMessage) [sha256.Size]byte {
	parsed := make([]any, len(items))
	for n, raw := range items {
		_ = json.Unmarshal(raw, &parsed[n]) // it is valid: it was part of a larger text
	}
	sorted, _ := json.Marshal(parsed)
	return sha256.Sum256(sorted)
}

func (s *Server) seen(token string, digest [sha256.Size]byte) bool {
	for t, d := range s.done {
		if s.now().Sub(d.at) >= tokenLife {
			delete(s.done, t)
		}
	}
	d, ok := s.done[token]
	if ok && d.digest != digest {
		panic(&apiError{code: "IdempotentParameterMismatchException",
			message: "The request uses the same client token as a previous, but non-identical request."})
	}
	return ok
}

// prepareAll checks the items one by one and that no two are about the same item.
func (s *Server) prepareAll(items []json.RawMessage) []write {
	type target struct {
		table *table
		key   string
	}
	writes, targets := make([]write, len(items)), map[target]bool{}
	for n, raw := range items {
		var in transactItem
		decode(raw, &in)
		writes[n] = s.prepare(in)
		at := target{writes[n].table, writes[n].table.encode(writes[n].key)}
		if targets[at] {
			refuse("Transaction request cannot include multiple operations on one item")
		}
		targets[at] = true
	}
	return writes
}

func (s *Server) prepare(in transactItem) write {
	var writes []write
	if in.Put != nil {
		writes = append(writes, s.preparePut(*in.Put))
	}
	if in.Update != nil {
		writes = append(writes, s.prepareUpdate(*in.Update))
	}
	if in.Delete != nil {
		writes = append(writes, s.prepareDelete(*in.Delete))
	}
	if in.ConditionCheck != nil {
		check := s.prepareDelete(*in.ConditionCheck)
		check.next = nil
		writes = append(writes, check)
	}
	if len(writes) != 1 {
		refuse("TransactItems can only contain one of Check, Put, Update or Delete")
	}
	if in.Update != nil && len(writes[0].paths) == 0 || in.ConditionCheck != nil && writes[0].condition == nil {
		refuse("1 validation error detected: the expression of an Update or a ConditionCheck is missing")
	}
	return writes[0]
}

// runAll stores all outcomes if every write passes; otherwise it says for each why it did not.
func (s *Server) runAll(writes []write) {
	type outcome struct{ old, updated item }
	outcomes, reasons, total := make([]outcome, len(writes)), make([]reason, len(writes)), 0
	for n, w := range writes {
		reasons[n].Code = "None"
		failure := attempt(func() { outcomes[n].old, outcomes[n].updated = w.plan() })
		total += outcomes[n].updated.bytes()
		switch {
		case failure == nil:
		case failure.code == "ConditionalCheckFailedException":
			reasons[n] = reason{"ConditionalCheckFailed", failure.message, failure.item}
		default:
			reasons[n] = reason{"ValidationError", failure.message, nil}
		}
	}
	if slices.ContainsFunc(reasons, func(r reason) bool { return r.Code != "None" }) {
		panic(cancelled(reasons))
	}
	if total > maxTransactBytes {
		refuse("Aggregate size of the transaction's items exceeds %d bytes", maxTransactBytes)
	}
	for n, w := range writes {
		s.store(w.table, w.key, outcomes[n].old, outcomes[n].updated, false)
	}
}
